// The end of every classifier: probabilities, and the loss of one class.
import { placeOf } from "./shape.js";

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
