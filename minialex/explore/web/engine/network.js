// A network at work on one picture: values forwards, gradients backwards, and what each number is made of.
import { gradCam, occlusion } from "./attention.js";
import { elu, dropout, gelu, identity, leakyRelu, relu, sigmoid, silu, softplus, tanh } from "./activation.js";
import { contrastNorm } from "./contrast.js";
import { conv2d, local2d } from "./convolution.js";
import { add, concat, divide, flatten, maximum, minimum, multiply, subtract } from "./joining.js";
import { linear } from "./linear.js";
import { batchNorm, localResponseNorm } from "./normalization.js";
import * as pointwise from "./pointwise.js";
import { avgPool2d, maxPool2d, stochasticMax, stochasticPool2d } from "./pooling.js";
import { rearrange } from "./rearranging.js";
import { largest, mean } from "./reducing.js";
import { interpolate } from "./resampling.js";
import { counted, indexOf, rounded, size, total } from "./shape.js";
import { channelSoftmax, logSoftmax, lossOf, softmax } from "./softmax.js";
import { summaryOf } from "./summary.js";
import { places } from "./window.js";

export const KINDS = {
  conv2d,
  local2d,
  linear,
  maxPool2d,
  avgPool2d,
  localResponseNorm,
  batchNorm,
  relu,
  leakyRelu,
  sigmoid,
  tanh,
  gelu,
  elu,
  silu,
  softplus,
  dropout,
  identity,
  flatten,
  add,
  concat,
  softmax,
  contrastNorm,
  stochasticPool2d,
  stochasticMax,
  interpolate,
  rearrange,
  mean,
  largest,
  multiply,
  subtract,
  divide,
  maximum,
  minimum,
  channelSoftmax,
  logSoftmax,
  ...pointwise,
};

const summed = (terms) => [[`sum of ${counted(terms, "term")}`, total(terms)]];

/** Layers 1, 2, ... in the order in which they run, each with the numbers of its sources; layer 0 is the picture. */
export class Network {
  constructor(layers) {
    this.layers = layers;
    this.end = layers.length - 1; // softmax
    this.users = layers.map((_, n) => layers.flatMap((layer, user) => (layer.sources.includes(n) ? [user] : [])));
  }

  /** The same network, to be at work on another picture. */
  copy = () => new Network(this.layers.map((layer) => ({ ...layer })));

  of = (n) => KINDS[this.layers[n].kind];
  inputsOf = (n) => this.layers[n].sources.map((source) => this.values[source]);
  outputOf = (n) => this.values[n];

  /** Begin work on a picture of the page; returns the probabilities. */
  show(picture) {
    return this.forward(picture.input);
  }

  /** All values for an input, a Float32Array (C, H, W). */
  forward(picture) {
    this.values = [picture];
    for (let n = 1; n <= this.end; n++) this.values[n] = this.of(n).forward(this.layers[n], this.inputsOf(n));
    return this.values[this.end];
  }

  get logits() {
    return this.values[this.layers[this.end].sources[0]];
  }

  /** The gradients of the loss of a class, a number, with respect to all values and parameters; returns the loss. */
  backward(target) {
    this.target = target;
    const p = this.values[this.end];
    Object.assign(this, this.backwardFrom(p.map((value, i) => value - (i === target ? 1 : 0))));
    return lossOf(this.logits, target);
  }

  /** All gradients, where that of the logits is given: {gradients, parameterGradients}, by layer. */
  backwardFrom(ofLogits) {
    const sums = this.layers.map(({ output }) => new Float64Array(size(output)));
    const gradients = [];
    const parameterGradients = [];
    sums[this.layers[this.end].sources[0]].set(ofLogits);
    for (let n = this.end - 1; n >= 1; n--) {
      gradients[n] = rounded(sums[n]); // all that use it come after it
      const given = [this.layers[n], this.inputsOf(n), this.values[n], gradients[n]];
      const { inputs, parameters = {} } = this.of(n).backward(...given);
      this.layers[n].sources.forEach((source, k) => inputs[k].forEach((g, i) => (sums[source][i] += g)));
      parameterGradients[n] = parameters;
    }
    gradients[0] = rounded(sums[0]);
    return { gradients, parameterGradients };
  }

  /** What explains the gradient behind layer n: that of its output; behind softmax, the class of the loss. */
  arriving = (n) => (n === this.end ? this.target : this.gradients[n]);

  valueAt = (n, at) => this.values[n][indexOf(this.layers[n].output, at)];
  gradientAt = (n, at) => this.gradients[n][indexOf(this.layers[n].output, at)];

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

  /** From which outputs the gradient of a weight or bias comes. */
  explainParameter(n, name, at) {
    const layer = this.layers[n];
    const terms = this.of(n).explainParameter(layer, this.inputsOf(n), this.arriving(n), name, at);
    terms.forEach((term) => (term.layer = n));
    return { terms, columns: { value: "gy", factor: "dy/dw", product: "product" }, steps: summed(terms) };
  }

  // What a network that is computed elsewhere does otherwise: see computed.js.

  computes = true; // whether all its numbers are in the page
  isLive = true; // whether it answers whatever is asked: every place, any class of the loss, another picture

  /** A promise to know what explains a place; null: it is known, or cannot be had. */
  ask() {
    return null;
  }

  isExact() {
    return true;
  }

  gradCam(n) {
    return gradCam(this, n, this.target);
  }

  /** The squares of a picture with the probability of a class when each is covered; see attention.js. */
  occlusion(picture, target, side, stride) {
    return occlusion(this, picture.input, target, side, stride);
  }

  /** See summary.js; kind: "values", "gradients", "parameters" or "parameterGradients"; name: of a parameter. */
  summary(kind, n, name) {
    if (kind === "parameters") return summaryOf(this.layers[n][name].data);
    return summaryOf(name ? this.parameterGradients[n][name] : this[kind][n]);
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
