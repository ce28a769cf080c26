// Layers whose outputs are single inputs in other places, or a constant: padding, cropping, flips, reshaping.
import { indexOf, placeOf, rounded, zeros } from "./shape.js";
import { spanOf } from "./window.js";

export const rearrange = {
  formula: "y[k] = x[from(k)], or the constant in a margin",
  gradient: "gx[i] = sum of the gy[k] with from(k) = i",

  /** from[k]: the index in x of output k; -1 for the constant. */
  forward: ({ from, constant }, [x]) => Float32Array.from(from, (i) => (i < 0 ? constant : x[i])),

  backward({ from, inputs }, xs, y, gy) {
    const gx = zeros(inputs[0]);
    gy.forEach((g, k) => from[k] >= 0 && (gx[from[k]] += g));
    return { inputs: [rounded(gx)] };
  },

  explain({ from, constant, inputs, output }, [x], at) {
    const i = from[indexOf(output, at)];
    if (i < 0) return { terms: [], columns: {}, steps: [["y = the constant of the margin", constant]] };
    const terms = [{ input: 0, at: placeOf(inputs[0], i), value: x[i] }];
    return { terms, columns: { value: "x" }, steps: [["y = x", x[i]]] };
  },

  explainGradient({ from, inputs, output }, xs, ys, gy, input, at) {
    const i = indexOf(inputs[0], at);
    const outputs = [...from.keys()].filter((k) => from[k] === i);
    return outputs.map((k) => ({ at: placeOf(output, k), value: gy[k], factor: 1, product: gy[k] }));
  },

  seen: (layer, axis, first, last) =>
    spanOf(layer, axis, first, last, (visit) => layer.from.forEach((i, k) => i >= 0 && visit(i, k))),
};
