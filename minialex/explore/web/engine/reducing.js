// Sums, means and maxima over whole axes of a layer's input.
import { counted, indexOf, placeOf, rounded, total, zeros } from "./shape.js";
import { spanOf } from "./window.js";

/** The indices of the inputs that an output is made of; to[i]: the output to which input i belongs. */
const membersOf = ({ to, output }, at) => {
  const k = indexOf(output, at);
  return [...to.keys()].filter((i) => to[i] === k);
};

const seen = (layer, axis, first, last) =>
  spanOf(layer, axis, first, last, (visit) => layer.to.forEach((k, i) => visit(i, k)));

export const mean = {
  formula: "y = 1/D sum of the x along the axes,   D = how many for a mean, 1 for a sum",
  gradient: "gx = gy / D",

  forward({ to, divisor, output }, [x]) {
    const y = zeros(output);
    x.forEach((value, i) => (y[to[i]] += value));
    return rounded(y.map((sum) => sum / divisor));
  },

  backward: ({ to, divisor }, [x], y, gy) => ({ inputs: [Float32Array.from(x, (_, i) => gy[to[i]] / divisor)] }),

  explain(layer, [x], at) {
    const factor = 1 / layer.divisor;
    const terms = membersOf(layer, at).map((i) => {
      const place = placeOf(layer.inputs[0], i);
      return { input: 0, at: place, map: place[0], value: x[i], factor, product: x[i] * factor };
    });
    return {
      terms,
      columns: { value: "x", factor: "1/D", product: "x / D" },
      steps: [[`y = sum of ${counted(terms, "term")}`, total(terms)]],
    };
  },

  explainGradient({ to, divisor, inputs, output }, xs, ys, gy, input, at) {
    const k = to[indexOf(inputs[0], at)];
    return [{ at: placeOf(output, k), value: gy[k], factor: 1 / divisor, product: gy[k] / divisor }];
  },

  seen,
};

/** How many of the x that belong to each output are equal to it. */
function winners({ to, output }, x, y) {
  const counts = zeros(output);
  x.forEach((value, i) => value === y[to[i]] && counts[to[i]]++);
  return counts;
}

export const largest = {
  formula: "y = the largest, or the smallest, x along the axes",
  gradient: "gx = gy / n where x = y, of which there are n; else 0",

  forward({ to, sign, output }, [x]) {
    const y = new Float32Array(zeros(output).length).fill(-sign * Infinity);
    x.forEach((value, i) => (sign * value > sign * y[to[i]] || value !== value) && (y[to[i]] = value));
    return y;
  },

  backward(layer, [x], y, gy) {
    const counts = winners(layer, x, y);
    const { to } = layer;
    return { inputs: [Float32Array.from(x, (value, i) => (value === y[to[i]] ? gy[to[i]] / counts[to[i]] : 0))] };
  },

  explain(layer, [x], at) {
    const members = membersOf(layer, at);
    const values = members.map((i) => layer.sign * x[i]);
    const y = layer.sign * Math.max(...values);
    const terms = members.map((i) => {
      const place = placeOf(layer.inputs[0], i);
      return { input: 0, at: place, map: place[0], value: x[i], factor: Number(x[i] === y) };
    });
    return { terms, columns: { value: "x", factor: "wins" }, steps: [["y", y]] };
  },

  explainGradient(layer, [x], ys, gy, input, at) {
    const i = indexOf(layer.inputs[0], at);
    const k = layer.to[i];
    const place = placeOf(layer.output, k);
    const winning = this.explain(layer, [x], place).terms.filter(({ factor }) => factor);
    const factor = winning.some((term) => indexOf(layer.inputs[0], term.at) === i) ? 1 / winning.length : 0;
    return [{ at: place, value: gy[k], factor, product: gy[k] * factor }];
  },

  seen,
};
