// Training as it went: the weights of some epochs, and what each of them takes the test pictures for.
import { floatsOf, integersOf, bytesOf } from "./data.js";

const ARRAYS = ["weight", "bias", "mean", "variance"];

/** Puts the weights of an epoch into a network. */
export class Timeline {
  /** data: of explore/timeline.py; layers: of the network, which has the weights of the entry `start`. */
  constructor({ entries, start, note, tested, of, most, labels, pictures }, layers) {
    Object.assign(this, { layers, note, of, most, at: start });
    this.epochs = entries.map(({ epoch }) => epoch);
    this.arrays = entries.map(({ weights }) => (weights ? decoded(weights) : taken(layers)));
    this.predicted = entries.map(({ predicted }) => integersOf(predicted));
    [this.tested, this.labels] = [tested, labels].map(integersOf);
    this.pictures = Object.fromEntries(Object.entries(pictures).map(([k, text]) => [k, bytesOf(text)]));
  }

  get epoch() {
    return this.epochs[this.at];
  }

  go(number) {
    this.at = number;
    for (const [n, arrays] of Object.entries(this.arrays[number])) Object.assign(this.layers[n], arrays);
  }

  /** The tested pictures of a class that are taken for another one, by their places among all that were tested. */
  cell(label, predicted) {
    return [...this.labels.keys()].filter((k) => this.labels[k] === label && this.predicted[this.at][k] === predicted);
  }

  /** counts[label][predicted] of so many classes. */
  counts(classes) {
    const counts = Array.from({ length: classes }, () => new Array(classes).fill(0));
    this.labels.forEach((label, k) => counts[label][this.predicted[this.at][k]]++);
    return counts;
  }
}

/** The arrays that layers have. */
function taken(layers) {
  const present = (layer) => Object.fromEntries(ARRAYS.filter((name) => layer[name]).map((name) => [name, layer[name]]));
  return Object.fromEntries(layers.map((layer, n) => [n, present(layer)]));
}

function decoded(weights) {
  const array = (value) => (typeof value === "string" ? floatsOf(value) : { ...value, data: floatsOf(value.data) });
  const ofLayer = (arrays) => Object.fromEntries(Object.entries(arrays).map(([name, value]) => [name, array(value)]));
  return Object.fromEntries(Object.entries(weights).map(([n, arrays]) => [n, ofLayer(arrays)]));
}
