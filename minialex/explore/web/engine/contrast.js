// Local contrast normalisation.
import { neighbours } from "./normalization.js";
import { indexOf, placeOf, rounded, total, zeros } from "./shape.js";

const window = (layer, i, mirrored = false) =>
  neighbours({ ...layer, withinChannel: true }, placeOf(layer.output, i), mirrored).map((p) => indexOf(layer.output, p));

/** The indices in the window around i, and those whose window holds i. */
const around = (layer, i) => window(layer, i);
const whoseWindowHolds = (layer, i) => window(layer, i, true);

/** d_j = x_j - the mean of the window around j. */
function difference(layer, x, j) {
  const indices = around(layer, j);
  return x[j] - indices.reduce((sum, k) => sum + x[k], 0) / indices.length;
}

/** D_i = k + a sum of the squares of d over the window around i. */
function energy(layer, x, i) {
  return layer.k + layer.a * around(layer, i).reduce((sum, j) => sum + difference(layer, x, j) ** 2, 0);
}

export const contrastNorm = {
  formula:
    "y_i = x_i D_i^-beta      D_i = k + a sum over j in window(i) of  d_j^2      d_j = x_j - mean of x over window(j)",
  gradient:
    "gx_j = gy_j D_j^-beta + gd_j - sum over the i whose window holds j of  gd_i / c_i,   c_i pixels in window(i)\n" +
    "gd_j = -2 a beta d_j sum over the i whose window holds j of  gy_i x_i D_i^(-beta - 1)",

  forward(layer, [x]) {
    const { k, a, beta } = layer;
    layer.windows = Array.from(x, (_, i) => around(layer, i));
    layer.d = Float64Array.from(x, (_, i) => difference(layer, x, i));
    layer.D = Float64Array.from(layer.windows, (indices) => k + a * indices.reduce((s, j) => s + layer.d[j] ** 2, 0));
    return Float32Array.from(x, (value, i) => value * layer.D[i] ** -beta);
  },

  backward(layer, [x], y, gy) {
    const { output, a, beta, windows, d, D } = layer;
    const gd = zeros(output);
    gy.forEach((g, i) => {
      for (const j of windows[i]) gd[j] -= 2 * a * beta * d[j] * g * x[i] * D[i] ** (-beta - 1);
    });
    const gx = Float64Array.from(gy, (g, j) => g * D[j] ** -beta + gd[j]);
    windows.forEach((window, i) => window.forEach((j) => (gx[j] -= gd[i] / window.length)));
    return { inputs: [rounded(gx)] };
  },

  explain(layer, [x], at) {
    const { output, k, a, beta } = layer;
    const i = indexOf(output, at);
    const terms = around(layer, i).map((j) => {
      const d = difference(layer, x, j);
      return { input: 0, at: placeOf(output, j), map: at[0], value: x[j], factor: x[j] - d, product: d * d };
    });
    const D = k + a * total(terms);
    const steps = [
      ["sum of d², the squares of x - mean", total(terms)],
      [`D = ${k} + ${Number(a.toPrecision(4))} sum`, D],
      [`D^-${beta}`, D ** -beta],
      ["x", x[i]],
      [`y = x D^-${beta}`, x[i] * D ** -beta],
    ];
    return { terms, columns: { value: "x", factor: "mean", product: "(x - mean)²" }, steps };
  },

  /** Through x_j itself, and through every D whose window has pixels whose means are taken over j. */
  explainGradient(layer, [x], ys, gy, input, at) {
    const { output, a, beta } = layer;
    const j = indexOf(output, at);
    const moved = new Map([[j, 1]]); // i -> d d_i / d x_j
    for (const i of whoseWindowHolds(layer, j)) moved.set(i, (moved.get(i) ?? 0) - 1 / around(layer, i).length);
    const outputs = new Map([[j, 0]]); // c -> half of d D_c / d x_j, divided by a
    for (const [i, slope] of moved) {
      const part = difference(layer, x, i) * slope;
      for (const c of whoseWindowHolds(layer, i)) outputs.set(c, (outputs.get(c) ?? 0) + part);
    }
    return [...outputs].map(([c, sum]) => {
      const D = energy(layer, x, c);
      const direct = c === j ? D ** -beta : 0;
      const factor = direct - 2 * a * beta * x[c] * D ** (-beta - 1) * sum;
      return { at: placeOf(output, c), value: gy[c], factor, product: gy[c] * factor };
    });
  },

  /** A pixel sees the neighbours of its neighbours, whose means are taken over them. */
  seen({ size: n }, axis, first, last) {
    const before = Math.floor(n / 2);
    return [first - 2 * before, last + 2 * (n - 1 - before)];
  },
};
