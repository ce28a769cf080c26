// What the page shows now: a picture, the class of the loss, the direction, and what is chosen; also in the address.

import { after } from "../engine/after.js";
import { argmax, placeOf } from "../engine/shape.js";

const VIEW = /^(training|windows)(?:=(\d+))?$/;

/** chosen: {layer: number, at: [c, y, x]} a value, {layer, parameter, at} a weight, {layer} the layer itself.
 *  view: {name: "training" or "windows", at: number of the step} of what is stepped through; null for the explanation. */
export class State {
  /** timeline: of web/timeline.js, where the weights of several epochs are known. */
  constructor(network, pictures, timeline = null) {
    Object.assign(this, { network, pictures, timeline, picture: 0, backward: false, view: null, chosen: { layer: 1 } });
    this.ready = after(this.show(0), () => {
      this.chosen = { layer: 1, at: this.largest(1) };
      return this.read();
    });
  }

  /**
   * Compute everything for a picture; its loss is that of its class, or of the predicted one where it is not known.
   *
   * Returns a promise where the page does not compute it; so does loseOn.
   */
  show(number) {
    return after(this.network.show(this.pictures[number]), (p) => {
      this.picture = number;
      return this.loseOn(this.pictures[number].label ?? argmax(p));
    });
  }

  loseOn(target) {
    return after(this.network.backward(target), (loss) => Object.assign(this, { target, loss }));
  }

  /** Show the weights of another epoch, for the same picture and class; number: of the timeline's entry. */
  goTo(number) {
    this.timeline.go(number);
    this.network.forward(this.pictures[this.picture].input);
    this.loseOn(this.target);
  }

  /** The place of the largest value of a layer. */
  largest(layer) {
    return placeOf(this.network.layers[layer].output, argmax(this.network.values[layer]));
  }

  /** The place from which the keyboard moves in a layer. */
  placeIn(layer) {
    const { chosen } = this;
    return chosen.layer === layer && chosen.at && !chosen.parameter ? chosen.at : this.largest(layer);
  }

  /** "#conv2:5,3,7;backward;picture=1", "#conv2:5,3,7;windows", "#conv2;training=12": a place that one can link to. */
  get address() {
    const { layer, at, parameter } = this.chosen;
    const place = [encodeURIComponent(this.network.layers[layer].name), parameter, at?.join(",")]
      .filter(Boolean)
      .join(":");
    const view = this.view ? `;${this.view.name}${this.view.at ? `=${this.view.at}` : ""}` : "";
    const epoch = this.timeline ? `;epoch=${this.timeline.epoch}` : "";
    const picture = this.picture ? `;picture=${this.picture}` : "";
    return `#${place}${this.backward ? ";backward" : ""}${view}${picture}${epoch}`;
  }

  /** Go to the place of the page's address, as far as it exists. */
  read() {
    const [place, ...options] = location.hash.slice(1).split(";");
    const picture = Number(options.find((option) => option.startsWith("picture="))?.slice(8) ?? 0);
    const epoch = options.find((option) => option.startsWith("epoch="))?.slice(6);
    const entry = this.timeline?.epochs.indexOf(Number(epoch)) ?? -1;
    if (entry >= 0 && entry !== this.timeline.at) this.goTo(entry);
    const isOther = picture !== this.picture && this.pictures[picture];
    return after(isOther ? this.show(picture) : null, () => this.readPlace(place, options));
  }

  readPlace(place, options) {
    if (place || options.length) this.backward = options.includes("backward");
    const view = options.map((option) => VIEW.exec(option)).find(Boolean);
    this.view = view ? { name: view[1], at: Number(view[2] ?? 0) } : null;
    const [name, ...rest] = place.split(":");
    const layer = this.network.layers.findIndex((known) => encodeURIComponent(known.name) === name);
    if (layer < 0) return;
    const at = rest.at(-1)?.split(",").map(Number);
    const parameter = rest.length === 2 ? rest[0] : undefined;
    const shape = parameter ? this.network.layers[layer][parameter]?.shape : this.network.layers[layer].output;
    const exists =
      at && shape && at.length === shape.length && at.every((n, k) => Number.isInteger(n) && n >= 0 && n < shape[k]);
    this.chosen = exists ? { layer, at, parameter } : { layer };
  }
}
