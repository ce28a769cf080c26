// Softmax over the channels of a pixel; and the end of every classifier: probabilities, and the loss of one class.
import { indexOf, placeOf } from "./shape.js";

export const softmax = {
  formula: "p_i = e^(x_i - m) / sum over j of  e^(x_j - m),   m = max x",
  gradient: "loss = -log p_t      gx_i = p_i - q_i,   q_i = 1 for the class t of the loss, else 0",

  forward(layer, [x]) {
    const m = Math.max(...x);
    const e = Array.from(x, (value) => Math.exp(value - m));
    const sum = e.reduce((a, b) => a + b, 0);
    return Float32Array.from(e, (value) => value / sum);
  },

  explain(layer, [x], [i]) {
    const m = Math.max(...x);
    const terms = Array.from(x, (value, j) => ({
      input: 0,
      at: placeOf(layer.inputs[0], j),
      value,
      factor: value - m,
      product: Math.exp(value - m),
    }));
    const sum = terms.reduce((total, term) => total + term.product, 0);
    const steps = [
      ["m = the largest logit", m],
      [`e^(x_${i} - m)`, terms[i].product],
      [`sum of ${terms.length} exponentials`, sum],
      [`p_${i} = e^(x_${i} - m) / sum`, terms[i].product / sum],
    ];
    return { terms, columns: { value: "x", factor: "x - m", product: "e^(x - m)" }, steps };
  },

  explainGradient(layer, xs, p, target, input, [i]) {
    const q = i === target ? 1 : 0;
    return [
      { at: [i, 0, 0], value: p[i], factor: 1, product: p[i] },
      { loss: true, value: q, factor: -1, product: -q },
    ];
  },
};

/** loss = -log p_t = log sum e^(x_j - m) - (x_t - m), which does not overflow. */
export function lossOf(x, target) {
  const m = Math.max(...x);
  return Math.log(x.reduce((sum, value) => sum + Math.exp(value - m), 0)) - (x[target] - m);
}

/** The numbers of all channels at one pixel. */
const channelsAt = ({ output }, x, [, i, j]) =>
  Array.from({ length: output[0] }, (_, c) => x[indexOf(output, [c, i, j])]);

/** p of some numbers: [p, the largest, the sum of the exponentials]. */
function sharesOf(x) {
  const m = Math.max(...x);
  const e = x.map((value) => Math.exp(value - m));
  const sum = e.reduce((a, b) => a + b, 0);
  return [e.map((value) => value / sum), m, sum];
}

/** A layer of softmax: y_i of a pixel's numbers; derivative(p, j, i) of y_j by x_i. */
function ofChannels(formula, gradient, valueOf, derivative) {
  const column = (layer, x, at) => sharesOf(channelsAt(layer, x, at));
  return {
    formula,
    gradient,

    forward: (layer, [x]) =>
      Float32Array.from(x, (value, k) => {
        const at = placeOf(layer.output, k);
        return valueOf(value, at[0], ...column(layer, x, at));
      }),

    backward(layer, [x], y, gy) {
      const gx = Float32Array.from(x, (_, k) => {
        const at = placeOf(layer.output, k);
        const [p] = column(layer, x, at);
        return channelsAt(layer, gy, at).reduce((sum, g, j) => sum + g * derivative(p, j, at[0]), 0);
      });
      return { inputs: [gx] };
    },

    explain(layer, [x], at) {
      const [c, i, j] = at;
      const [p, m, sum] = column(layer, x, at);
      const terms = channelsAt(layer, x, at).map((value, n) => {
        return { input: 0, at: [n, i, j], value, factor: value - m, product: Math.exp(value - m) };
      });
      const steps = [
        ["m = the largest", m],
        [`sum of ${terms.length} exponentials`, sum],
        [formula.split(",")[0], valueOf(terms[c].value, c, p, m, sum)],
      ];
      return { terms, columns: { value: "x", factor: "x - m", product: "e^(x - m)" }, steps };
    },

    explainGradient(layer, [x], ys, gy, input, at) {
      const [p] = column(layer, x, at);
      return channelsAt(layer, gy, at).map((value, n) => {
        const factor = derivative(p, n, at[0]);
        return { at: [n, at[1], at[2]], value, factor, product: value * factor };
      });
    },
  };
}

export const channelSoftmax = ofChannels(
  "y_i = e^(x_i - m) / sum over j of  e^(x_j - m),   m = max x over the channels",
  "gx_i = y_i (gy_i - sum over j of  gy_j y_j)",
  (x, c, p) => p[c],
  (p, j, i) => p[j] * (Number(i === j) - p[i]),
);
export const logSoftmax = ofChannels(
  "y_i = x_i - m - log sum over j of  e^(x_j - m),   m = max x over the channels",
  "gx_i = gy_i - e^(y_i) sum over j of  gy_j",
  (x, c, p, m, sum) => x - m - Math.log(sum),
  (p, j, i) => Number(i === j) - p[i],
);
