// Flatten, and layers of several inputs: sums and concatenations.
import { indexOf, placeOf, rounded, size, zeros } from "./shape.js";

export const flatten = {
  formula: "y[c H W + i W + j] = x[c, i, j]",
  gradient: "gx[c, i, j] = gy[c H W + i W + j]",
  forward: (layer, [x]) => x.slice(),
  backward: (layer, xs, y, gy) => ({ inputs: [gy.slice()] }),
  explain(layer, [x], at) {
    const k = indexOf(layer.output, at);
    return {
      terms: [{ input: 0, at: placeOf(layer.inputs[0], k), value: x[k] }],
      columns: { value: "x" },
      steps: [["y = x", x[k]]],
    };
  },
  explainGradient(layer, xs, ys, gy, input, at) {
    const k = indexOf(layer.inputs[0], at);
    return [{ at: placeOf(layer.output, k), value: gy[k], factor: 1, product: gy[k] }];
  },
};

export const add = {
  formula: "y = x1 + x2 + ...",
  gradient: "gx1 = gx2 = ... = gy",
  forward(layer, xs) {
    const y = zeros(layer.output);
    for (const x of xs) x.forEach((value, k) => (y[k] += value));
    return rounded(y);
  },
  backward: (layer, xs, y, gy) => ({ inputs: xs.map(() => gy.slice()) }),
  explain(layer, xs, at) {
    const k = indexOf(layer.output, at);
    const terms = xs.map((x, input) => ({ input, at, value: x[k], factor: 1, product: x[k] }));
    return { terms, columns: { value: "x" }, steps: [["y = sum", terms.reduce((sum, term) => sum + term.value, 0)]] };
  },
  explainGradient(layer, xs, ys, gy, input, at) {
    const value = gy[indexOf(layer.output, at)];
    return [{ at, value, factor: 1, product: value }];
  },
};

/** The first map of the output that is of input n. */
const firstMap = ({ inputs }, n) => inputs.slice(0, n).reduce((sum, shape) => sum + shape[0], 0);

export const concat = {
  formula: "y = the maps of x1, then those of x2, ...",
  gradient: "gx1 = the first maps of gy, gx2 = the next, ...",
  forward(layer, xs) {
    const y = new Float32Array(size(layer.output));
    const area = layer.output[1] * layer.output[2];
    xs.forEach((x, n) => y.set(x, firstMap(layer, n) * area));
    return y;
  },
  backward(layer, xs, y, gy) {
    const area = layer.output[1] * layer.output[2];
    return { inputs: xs.map((x, n) => gy.slice(firstMap(layer, n) * area, firstMap(layer, n) * area + x.length)) };
  },
  explain(layer, xs, [c, i, j]) {
    const input = layer.inputs.findIndex((shape, n) => c < firstMap(layer, n) + shape[0]);
    const at = [c - firstMap(layer, input), i, j];
    const value = xs[input][indexOf(layer.inputs[input], at)];
    return { terms: [{ input, at, value }], columns: { value: "x" }, steps: [["y = x", value]] };
  },
  explainGradient(layer, xs, ys, gy, input, [c, i, j]) {
    const at = [c + firstMap(layer, input), i, j];
    const value = gy[indexOf(layer.output, at)];
    return [{ at, value, factor: 1, product: value }];
  },
};
