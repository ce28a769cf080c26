// A slider over the epochs whose weights were kept; it also plays.
import { element } from "./dom.js";

const PAUSE = 900; // milliseconds at each epoch

export class Epochs {
  /** go(number): called with the number of the entry to show. */
  constructor(timeline, go) {
    Object.assign(this, { timeline, go });
    const last = timeline.epochs.length - 1;
    const oninput = () => this.choose(Number(this.slider.value));
    this.slider = element("input", { type: "range", id: "epoch", min: 0, max: last, step: 1, oninput });
    this.play = element("button", { type: "button", onclick: () => (this.timer ? this.stop() : this.start()) });
    this.shown = element("output", { for: "epoch" });
    const label = element("label", { for: "epoch" }, "weights after ");
    const note = timeline.note && element("span", { class: "small" }, timeline.note);
    const parts = [label, this.shown, this.slider, this.play, note].filter(Boolean);
    this.element = element("fieldset", { class: "epochs" }, element("legend", {}, "Training"), ...parts);
    this.update();
  }

  choose(number) {
    this.stop();
    this.go(number);
  }

  /** From the beginning, if the last epoch is shown. */
  start() {
    const { at, epochs } = this.timeline;
    this.timer = setInterval(() => this.step(), PAUSE);
    this.go(at === epochs.length - 1 ? 0 : at + 1);
    this.endAtLast();
  }

  step() {
    this.go(this.timeline.at + 1);
    this.endAtLast();
  }

  endAtLast() {
    if (this.timeline.at >= this.timeline.epochs.length - 1) this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.update();
  }

  update() {
    const { at, epoch } = this.timeline;
    const text = epoch === 1 ? "1 epoch" : `${epoch} epochs`;
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", text);
    this.shown.textContent = text;
    this.play.textContent = this.timer ? "pause training" : "play training";
  }
}
