// From one pixel of a layer to the next, step by step or by itself: how a window slides.
import { placeOf, indexOf, size } from "../engine/shape.js";
import { element } from "./dom.js";

const PAUSE = 700; // milliseconds at each place

export class Stepper {
  constructor(state, choose) {
    Object.assign(this, { state, choose });
    const button = (text, onclick) => element("button", { type: "button", onclick }, text);
    this.back = button("one step back", () => this.step(-1));
    this.play = button("play", () => (this.timer ? this.stop() : this.start()));
    this.next = button("one step on", () => this.step(1));
    const where = element("span", { class: "small" }, "row by row, and map by map");
    this.element = element("p", { class: "stepper" }, this.back, this.play, this.next, where);
  }

  /** The place that is `count` steps further, row by row and map by map; null beyond the ends. */
  from(count) {
    const { chosen, network } = this.state;
    const shape = network.layers[chosen.layer].output;
    const k = indexOf(shape, chosen.at) + count;
    return k >= 0 && k < size(shape) ? placeOf(shape, k) : null;
  }

  step(count) {
    const at = this.from(count);
    if (at) this.choose({ layer: this.state.chosen.layer, at });
  }

  start() {
    this.timer = setInterval(() => this.step(1), PAUSE);
    this.update();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.update();
  }

  /** Only values have a next one; a layer or a weight ends the play, as does the last place, or another view. */
  update() {
    const { chosen, view } = this.state;
    const isValue = Boolean(chosen.at) && !chosen.parameter;
    this.element.hidden = !isValue;
    if (this.timer && (view || !isValue || !this.from(1))) this.stop();
    this.play.textContent = this.timer ? "pause" : "play";
  }
}
