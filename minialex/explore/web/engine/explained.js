// What every number of a network at work is made of: the same for one that the page computes, and one that it is given.
import { KINDS } from "./kinds.js";
import { counted, total } from "./shape.js";
import { layersWith } from "./tied.js";
import { places } from "./window.js";

const summed = (terms) => [[`sum of ${counted(terms, "term")}`, total(terms)]];

/**
 * Layers 1, 2, ... in the order in which they run, each with the numbers of its sources; layer 0 is the picture.
 *
 * Network (network.js) computes; Computed (computed.js) is given what minialex has computed. Both have
 *
 * values, gradients, parameterGradients: arrays by layer, to be drawn; summary(kind, n, name): see summary.js.
 * inputsOf(n), outputOf(n): the values that explain layer n; arriving(n): the gradient of its output, or behind softmax
 *   the class of the loss; valueAt(n, at), gradientAt(n, at), and isExact(kind, n, at), whether these are not rounded.
 * show(picture), backward(target): go to work; probabilities and loss, or a promise of them.
 * ask(chosen): a promise to know what explains a place; null: it is known, or cannot be had. Where it is not known,
 *   explanations are null.
 * computes: whether the page has all its numbers, so that it can also be stepped through.
 * isLive: whether it answers whatever is asked: every place, any class of the loss, another picture.
 * gradCam(n), occlusion(picture, target, side, stride): see attention.js.
 */
export class Explained {
  constructor(layers) {
    this.layers = layers;
    this.end = layers.length - 1; // softmax
    this.users = layers.map((_, n) => layers.flatMap((layer, user) => (layer.sources.includes(n) ? [user] : [])));
  }

  of = (n) => KINDS[this.layers[n].kind];

  get logits() {
    return this.values[this.layers[this.end].sources[0]];
  }

  /** What a value of layer n is made of: {terms, columns, steps}; each term names the layer and place it is from. */
  explain(n, at) {
    if (n === 0) return { terms: [], columns: {}, steps: [["x: the pixel, normalised", this.valueAt(0, at)]] };
    const explained = this.of(n).explain(this.layers[n], this.inputsOf(n), at);
    explained.terms.forEach((term) => (term.layer = this.layers[n].sources[term.input]));
    return explained;
  }

  /** From which outputs the gradient at a value of layer n comes: terms gy times derivative, of all its users. */
  explainGradient(n, at) {
    const terms = this.users[n].flatMap((user) =>
      this.layers[user].sources.flatMap((source, input) => {
        if (source !== n) return [];
        const given = [this.layers[user], this.inputsOf(user), this.outputOf(user), this.arriving(user), input, at];
        return this.of(user)
          .explainGradient(...given)
          .map((term) => ({ layer: user, ...term }));
      }),
    );
    return { terms, columns: { value: "gy", factor: "dy/dx", product: "product" }, steps: summed(terms) };
  }

  /** From which outputs the gradient of a weight or bias comes: of all layers that have it. */
  explainParameter(n, name, at) {
    const terms = layersWith(this.layers, n, name).flatMap((user) => {
      const given = [this.layers[user], this.inputsOf(user), this.arriving(user), name, at];
      return this.of(user)
        .explainParameter(...given)
        .map((term) => ({ layer: user, source: this.layers[user].sources[0], ...term }));
    });
    return { terms, columns: { value: "gy", factor: "dy/dw", product: "product" }, steps: summed(terms) };
  }

  /** What a pixel of layer n sees of each layer before it: [{layer, rows: [first, last], columns: [first, last]}]. */
  receptiveField(n, at) {
    const seen = {
      [n]: [
        [at[1], at[1]],
        [at[2], at[2]],
      ],
    };
    for (let user = n; user >= 1; user--) {
      if (!seen[user]) continue;
      for (const source of this.layers[user].sources) {
        const box = [0, 1].map((axis) => this.seenOf(user, source, axis, seen[user][axis]));
        const known = seen[source] ?? box;
        seen[source] = box.map(([a, b], axis) => [Math.min(a, known[axis][0]), Math.max(b, known[axis][1])]);
      }
    }
    return Object.entries(seen).map(([layer, [rows, columns]]) => ({ layer: Number(layer), rows, columns }));
  }

  /** The first and last row (axis 0) or column (axis 1) of `source` that rows first ... last of layer `user` see. */
  seenOf(user, source, axis, [first, last]) {
    const { kind, window, size: n, withinChannel } = this.layers[user];
    const end = this.layers[source].output[axis + 1] - 1;
    const clipped = (...ends) => ends.map((place) => Math.max(0, Math.min(end, place)));
    const { seen } = this.of(user);
    if (seen) return clipped(...seen(this.layers[user], axis, first, last));
    if (window) return clipped(places(window, axis, first)[0], places(window, axis, last).at(-1));
    if (withinChannel) return clipped(first - Math.floor(n / 2), last - Math.floor(n / 2) + n - 1);
    return kind === "linear" || kind === "flatten" || kind === "softmax" ? [0, end] : clipped(first, last);
  }
}
