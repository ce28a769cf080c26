// Local response normalisation, and batch normalisation in evaluation.
import { exists } from "./window.js";
import { counted, indexOf, placeOf, rounded, total, zeros } from "./shape.js";

const range = (first, count) => Array.from({ length: count }, (_, k) => first + k);

/**
 * The places of window(i) around a place: n channels i - n//2 ... i - n//2 + n - 1 of its group at the same pixel, or
 * n x n pixels of its map, as far as they exist. mirrored: the places whose window holds it.
 */
export function neighbours({ size: n, withinChannel, groups, output }, [c, y, x], mirrored = false) {
  const before = mirrored ? n - 1 - Math.floor(n / 2) : Math.floor(n / 2);
  if (withinChannel) {
    const rows = range(y - before, n).filter((row) => exists(row, output[1]));
    const columns = range(x - before, n).filter((column) => exists(column, output[2]));
    return rows.flatMap((row) => columns.map((column) => [c, row, column]));
  }
  const group = output[0] / groups;
  const first = Math.floor(c / group) * group;
  return range(c - before, n)
    .filter((channel) => exists(channel - first, group))
    .map((channel) => [channel, y, x]);
}

/** d = k + a sum of the squares over the window. */
function energy(layer, x, at) {
  let squares = 0;
  for (const place of neighbours(layer, at)) squares += x[indexOf(layer.output, place)] ** 2;
  return layer.k + layer.a * squares;
}

export const localResponseNorm = {
  formula: "y_i = x_i d_i^-beta      d_i = k + a sum over j in window(i) of  x_j^2",
  gradient: "gx_i = gy_i d_i^-beta - 2 a beta x_i sum over the c whose window holds i of  gy_c x_c d_c^(-beta - 1)",

  forward(layer, [x]) {
    layer.d = Float64Array.from(x, (_, k) => energy(layer, x, placeOf(layer.output, k)));
    return Float32Array.from(x, (value, k) => value * layer.d[k] ** -layer.beta);
  },

  backward(layer, [x], y, gy) {
    const { beta, a, d, output } = layer;
    const gx = zeros(output);
    gy.forEach((g, i) => {
      let cross = 0;
      for (const place of neighbours(layer, placeOf(output, i), true)) {
        const c = indexOf(output, place);
        cross += gy[c] * x[c] * d[c] ** (-beta - 1);
      }
      gx[i] = g * d[i] ** -beta - 2 * a * beta * x[i] * cross;
    });
    return { inputs: [rounded(gx)] };
  },

  explain(layer, [x], at) {
    const terms = neighbours(layer, at).map((place) => {
      const value = x[indexOf(layer.output, place)];
      return { input: 0, at: place, map: place[0], value, factor: value, product: value * value };
    });
    const value = x[indexOf(layer.output, at)];
    const d = layer.k + layer.a * total(terms);
    const steps = [
      [`sum of ${counted(terms, "square")}`, total(terms)],
      [`d = ${layer.k} + ${Number(layer.a.toPrecision(4))} sum`, d],
      [`d^-${layer.beta}`, d ** -layer.beta],
      ["x", value],
      [`y = x d^-${layer.beta}`, value * d ** -layer.beta],
    ];
    return { terms, columns: { value: "x", product: "x²" }, steps };
  },

  explainGradient(layer, [x], ys, gy, input, at) {
    const { beta, a, output } = layer;
    const i = indexOf(output, at);
    return neighbours(layer, at, true).map((place) => {
      const c = indexOf(output, place);
      const d = energy(layer, x, place);
      const direct = c === i ? d ** -beta : 0; // the derivative of y_c: through x_c itself, and through d_c
      const factor = direct - 2 * a * beta * x[c] * x[i] * d ** (-beta - 1);
      return { at: place, value: gy[c], factor, product: gy[c] * factor };
    });
  },
};

/** y = scale x + shift, what batch normalisation is in evaluation; and z. */
function ofChannel({ weight, bias, mean, variance, eps }, c) {
  const std = Math.sqrt(variance[c] + eps);
  return { std, mean: mean[c], w: weight ? weight.data[c] : 1, b: bias ? bias.data[c] : 0 };
}

export const batchNorm = {
  formula: "y = w z + b      z = (x - mean) / sqrt(var + eps)      mean and var: the running ones, of evaluation",
  gradient: "gx = gy w / sqrt(var + eps)      gw = sum gy z      gb = sum gy",

  forward(layer, [x]) {
    return Float32Array.from(x, (value, k) => {
      const { std, mean, w, b } = ofChannel(layer, placeOf(layer.output, k)[0]);
      return (w * (value - mean)) / std + b;
    });
  },

  backward(layer, [x], y, gy) {
    const gw = new Float64Array(layer.output[0]);
    const gb = new Float64Array(layer.output[0]);
    const gx = Float32Array.from(gy, (g, k) => {
      const c = placeOf(layer.output, k)[0];
      const { std, mean, w } = ofChannel(layer, c);
      gw[c] += (g * (x[k] - mean)) / std;
      gb[c] += g;
      return (g * w) / std;
    });
    const parameters = { ...(layer.weight && { weight: rounded(gw) }), ...(layer.bias && { bias: rounded(gb) }) };
    return { inputs: [gx], parameters };
  },

  explain(layer, [x], at) {
    const { std, mean, w, b } = ofChannel(layer, at[0]);
    const value = x[indexOf(layer.output, at)];
    const z = (value - mean) / std;
    const terms = [{ input: 0, at, map: at[0], value }];
    const steps = [
      ["mean", mean],
      ["sqrt(var + eps)", std],
      ["z = (x - mean) / sqrt(var + eps)", z],
      ["w", w],
      ["b", b],
    ];
    return { terms, columns: { value: "x" }, steps: [...steps, ["y = w z + b", w * z + b]] };
  },

  explainGradient(layer, xs, ys, gy, input, at) {
    const { std, w } = ofChannel(layer, at[0]);
    const value = gy[indexOf(layer.output, at)];
    return [{ at, value, factor: w / std, product: (value * w) / std }];
  },

  explainParameter(layer, [x], gy, name, [c]) {
    const { std, mean } = ofChannel(layer, c);
    const area = layer.output[1] * layer.output[2];
    return range(c * area, area).map((k) => {
      const factor = name === "bias" ? 1 : (x[k] - mean) / std;
      return { at: placeOf(layer.output, k), value: gy[k], factor, product: gy[k] * factor };
    });
  },
};
