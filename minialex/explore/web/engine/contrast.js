// Local contrast normalisation.
import { neighbours } from "./normalization.js";
import { indexOf, placeOf, rounded, total, zeros } from "./shape.js";

const around = (layer, at) => neighbours({ ...layer, withinChannel: true }, at).map((p) => indexOf(layer.output, p));
const inWindowOf = (layer, at) =>
  neighbours({ ...layer, withinChannel: true }, at, true).map((p) => indexOf(layer.output, p));

/** d_j = x_j - the mean of the window around j. */
function difference(layer, x, at) {
  const window = around(layer, at);
  return x[indexOf(layer.output, at)] - window.reduce((sum, k) => sum + x[k], 0) / window.length;
}

export const contrastNorm = {
  formula:
    "y_i = x_i D_i^-beta      D_i = k + a sum over j in window(i) of  d_j^2      d_j = x_j - mean of x over window(j)",
  gradient:
    "gx_j = gy_j D_j^-beta + gd_j - sum over the i whose window holds j of  gd_i / c_i,   c_i pixels in window(i)\n" +
    "gd_j = -2 a beta d_j sum over the i whose window holds j of  gy_i x_i D_i^(-beta - 1)",

  forward(layer, [x]) {
    const { output, k, a, beta } = layer;
    layer.windows = Array.from(x, (_, i) => around(layer, placeOf(output, i)));
    layer.d = Float64Array.from(x, (_, i) => difference(layer, x, placeOf(output, i)));
    layer.D = Float64Array.from(layer.windows, (window) => k + a * window.reduce((sum, j) => sum + layer.d[j] ** 2, 0));
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
    const i = indexOf(layer.output, at);
    const terms = layer.windows[i].map((j) => {
      const place = placeOf(layer.output, j);
      const factor = x[j] - layer.d[j];
      return { input: 0, at: place, map: at[0], value: x[j], factor, product: layer.d[j] ** 2 };
    });
    const steps = [
      ["sum of d², the squares of x - mean", total(terms)],
      [`D = ${layer.k} + ${Number(layer.a.toPrecision(4))} sum`, layer.D[i]],
      [`D^-${layer.beta}`, layer.D[i] ** -layer.beta],
      ["x", x[i]],
      [`y = x D^-${layer.beta}`, x[i] * layer.D[i] ** -layer.beta],
    ];
    return { terms, columns: { value: "x", factor: "mean", product: "(x - mean)²" }, steps };
  },

  /** Through x_j itself, and through every D whose window has pixels whose means are taken over j. */
  explainGradient(layer, [x], ys, gy, input, at) {
    const { output, a, beta, windows, d, D } = layer;
    const j = indexOf(output, at);
    const moved = new Map([[j, 1]]); // i -> d d_i / d x_j
    for (const i of inWindowOf(layer, at)) moved.set(i, (moved.get(i) ?? 0) - 1 / windows[i].length);
    const outputs = new Map([[j, 0]]); // c -> half of d D_c / d x_j, divided by a
    for (const [i, slope] of moved) {
      for (const c of inWindowOf(layer, placeOf(output, i))) outputs.set(c, (outputs.get(c) ?? 0) + d[i] * slope);
    }
    return [...outputs].map(([c, sum]) => {
      const direct = c === j ? D[c] ** -beta : 0;
      const factor = direct - 2 * a * beta * x[c] * D[c] ** (-beta - 1) * sum;
      return { at: placeOf(output, c), value: gy[c], factor, product: gy[c] * factor };
    });
  },

  /** A pixel sees the neighbours of its neighbours, whose means are taken over them. */
  seen({ size: n }, axis, first, last) {
    const before = Math.floor(n / 2);
    return [first - 2 * before, last + 2 * (n - 1 - before)];
  },
};
