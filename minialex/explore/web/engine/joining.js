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

/** The place in input n of what an output is made of: where it has one place on an axis, that serves all. */
const placeIn = ({ inputs }, n, at) => at.map((place, axis) => (inputs[n][axis] === 1 ? 0 : place));

/** For every output the index in input n. */
function indicesIn(layer, n) {
  const same = String(layer.inputs[n]) === String(layer.output);
  return (k) => (same ? k : indexOf(layer.inputs[n], placeIn(layer, n, placeOf(layer.output, k))));
}

/** The outputs that a place of input n goes into. */
function usesOf({ inputs, output }, n, at) {
  const along = at.map((place, axis) =>
    inputs[n][axis] === 1 ? Array.from({ length: output[axis] }, (_, i) => i) : [place],
  );
  return along[0].flatMap((c) => along[1].flatMap((i) => along[2].map((j) => [c, i, j])));
}

/** A layer of several inputs that broadcast together: y = f(values), and its derivative(values, n) for input n. */
function joined(formula, gradient, f, derivative) {
  const valuesAt = (layer, xs, at) => xs.map((x, n) => x[indexOf(layer.inputs[n], placeIn(layer, n, at))]);
  return {
    formula,
    gradient,

    forward(layer, xs) {
      const indices = xs.map((_, n) => indicesIn(layer, n));
      return Float32Array.from(zeros(layer.output), (_, k) => f(xs.map((x, n) => x[indices[n](k)])));
    },

    backward(layer, xs, y, gy) {
      const indices = xs.map((_, n) => indicesIn(layer, n));
      const sums = xs.map((x) => new Float64Array(x.length));
      gy.forEach((g, k) => {
        const values = xs.map((x, n) => x[indices[n](k)]);
        sums.forEach((gx, n) => (gx[indices[n](k)] += g * derivative(values, n)));
      });
      return { inputs: sums.map(rounded) };
    },

    explain(layer, xs, at) {
      const values = valuesAt(layer, xs, at);
      const terms = values.map((value, input) => ({ input, at: placeIn(layer, input, at), value }));
      return { terms, columns: { value: "x" }, steps: [[formula, f(values)]] };
    },

    explainGradient(layer, xs, ys, gy, input, at) {
      return usesOf(layer, input, at).map((place) => {
        const value = gy[indexOf(layer.output, place)];
        const factor = derivative(valuesAt(layer, xs, place), input);
        return { at: place, value, factor, product: value * factor };
      });
    },
  };
}

const others = (values, n) => values.reduce((product, value, k) => (k === n ? product : product * value), 1);

export const add = joined(
  "y = x1 + x2 + ...",
  "gx1 = gx2 = ... = gy",
  (values) => values.reduce((sum, value) => sum + value, 0),
  () => 1,
);
export const multiply = joined(
  "y = x1 x2 ...",
  "gx1 = gy x2 ..., gx2 = gy x1 ...",
  (values) => others(values),
  others,
);
export const subtract = joined(
  "y = x1 - x2",
  "gx1 = gy, gx2 = -gy",
  ([a, b]) => a - b,
  (values, n) => (n ? -1 : 1),
);
export const divide = joined(
  "y = x1 / x2",
  "gx1 = gy / x2, gx2 = -gy x1 / x2^2",
  ([a, b]) => a / b,
  ([a, b], n) => (n ? -a / b ** 2 : 1 / b),
);

/** sign: 1 for the larger, -1 for the smaller one. */
const chosen = (word, sign) =>
  joined(
    `y = ${word}(x1, x2)`,
    "the one that was chosen receives gy, each of equal ones a half",
    (values) => sign * Math.max(...values.map((value) => sign * value)),
    ([a, b], n) => (a === b ? 0.5 : Number(sign * (n ? b - a : a - b) > 0)),
  );
export const maximum = chosen("max", 1);
export const minimum = chosen("min", -1);

/** The first place on the axis of the output that is of input n. */
const firstOf = ({ inputs, axis }, n) => inputs.slice(0, n).reduce((sum, shape) => sum + shape[axis], 0);

/** The place in the output of a place of input n. */
const shifted = (layer, n, at) => at.map((place, axis) => place + (axis === layer.axis ? firstOf(layer, n) : 0));

export const concat = {
  formula: "y = x1, then x2, ... along the axis: usually the maps of x1, then those of x2",
  gradient: "gx1 = the first part of gy, gx2 = the next, ...",
  forward(layer, xs) {
    const y = new Float32Array(size(layer.output));
    xs.forEach((x, n) =>
      x.forEach((value, k) => (y[indexOf(layer.output, shifted(layer, n, placeOf(layer.inputs[n], k)))] = value)),
    );
    return y;
  },
  backward(layer, xs, y, gy) {
    const part = (x, n) =>
      Float32Array.from(x, (_, k) => gy[indexOf(layer.output, shifted(layer, n, placeOf(layer.inputs[n], k)))]);
    return { inputs: xs.map(part) };
  },
  explain(layer, xs, at) {
    const { axis, inputs } = layer;
    const input = inputs.findIndex((shape, n) => at[axis] < firstOf(layer, n) + shape[axis]);
    const from = at.map((place, k) => place - (k === axis ? firstOf(layer, input) : 0));
    const value = xs[input][indexOf(inputs[input], from)];
    return { terms: [{ input, at: from, value }], columns: { value: "x" }, steps: [["y = x", value]] };
  },
  explainGradient(layer, xs, ys, gy, input, from) {
    const at = shifted(layer, input, from);
    const value = gy[indexOf(layer.output, at)];
    return [{ at, value, factor: 1, product: value }];
  },
  /** Along its axis, all of it: which part is of which input depends on the place. */
  seen: ({ axis: joined, output }, axis, first, last) => (axis + 1 === joined ? [0, output[joined] - 1] : [first, last]),
};
