// Pooling: one value for every window of every map.
import { exists, places, seenBy } from "./window.js";
import { indexOf, placeOf, rounded, total, zeros } from "./shape.js";

/** The places (c, y, x) of the input in the window of an output, without the padding. */
function under({ window }, [c, i, j]) {
  const found = [];
  for (const row of places(window, 0, i)) {
    for (const column of places(window, 1, j)) {
      if (exists(row, window.size[0]) && exists(column, window.size[1])) found.push([c, row, column]);
    }
  }
  return found;
}

/** The outputs of one map whose window holds a place of the input. */
function above({ window }, [c, row, column]) {
  const rows = seenBy(window, 0, row);
  const columns = seenBy(window, 1, column);
  return rows.flatMap(([i]) => columns.map(([j]) => [c, i, j]));
}

/** The index in x of the maximum under an output: the first of equal ones, the last NaN; -1 where all is padding. */
function winner(layer, x, at) {
  const candidates = under(layer, at).map((place) => indexOf(layer.inputs[0], place));
  return candidates.reduce((best, k) => (best < 0 || x[k] > x[best] || Number.isNaN(x[k]) ? k : best), -1);
}

export const maxPool2d = {
  formula: "y[c, i, j] = the largest x[c, i s + u d - p, j s + v d - p] over u, v",
  gradient: "gx[c, y, x] = sum of the gy[c, i, j] whose window it wins: the first of equal ones",

  forward(layer, [x]) {
    layer.winners = Int32Array.from(zeros(layer.output), (_, k) => winner(layer, x, placeOf(layer.output, k)));
    return Float32Array.from(layer.winners, (from) => x[from] ?? -Infinity); // of the padding
  },

  backward(layer, [x], y, gy) {
    const gx = zeros(layer.inputs[0]);
    layer.winners.forEach((from, k) => from >= 0 && (gx[from] += gy[k]));
    return { inputs: [rounded(gx)] };
  },

  explain(layer, [x], at) {
    const won = winner(layer, x, at);
    const terms = under(layer, at).map((place) => {
      const k = indexOf(layer.inputs[0], place);
      return { input: 0, at: place, map: at[0], value: x[k], factor: k === won ? 1 : 0, product: k === won ? x[k] : 0 };
    });
    if (won < 0) return { terms, columns: {}, steps: [["y: no pixel is under the window", -Infinity]] };
    const [, row, column] = placeOf(layer.inputs[0], won);
    return {
      terms,
      columns: { value: "x", factor: "wins" },
      steps: [[`y = x at row ${row}, column ${column}: the largest`, x[won]]],
    };
  },

  explainGradient(layer, [x], ys, gy, input, at) {
    const k = indexOf(layer.inputs[0], at);
    return above(layer, at).map((place) => {
      const value = gy[indexOf(layer.output, place)];
      const wins = winner(layer, x, place) === k;
      return { at: place, value, factor: wins ? 1 : 0, product: wins ? value : 0 };
    });
  },
};

/** What an average divides by: the pixels of its window, with or without padding; beyond the padding none counts. */
function divisor({ window, countPadding, divisor }, [, i, j]) {
  if (divisor) return divisor;
  const count = (axis, place) => {
    const [before, after] = countPadding ? window.padding[axis] : [0, 0];
    return places(window, axis, place).filter((y) => y >= -before && y < window.size[axis] + after).length;
  };
  return count(0, i) * count(1, j);
}

export const avgPool2d = {
  formula: "y[c, i, j] = 1/D sum over u, v of  x[c, i s + u - p, j s + v - p]",
  gradient: "gx[c, y, x] = sum of gy[c, i, j] / D over the i, j whose window holds it",

  forward(layer, [x]) {
    const y = zeros(layer.output);
    y.forEach((_, k) => {
      const at = placeOf(layer.output, k);
      for (const place of under(layer, at)) y[k] += x[indexOf(layer.inputs[0], place)];
      y[k] /= divisor(layer, at);
    });
    return rounded(y);
  },

  backward(layer, xs, y, gy) {
    const gx = zeros(layer.inputs[0]);
    gy.forEach((g, k) => {
      const at = placeOf(layer.output, k);
      for (const place of under(layer, at)) gx[indexOf(layer.inputs[0], place)] += g / divisor(layer, at);
    });
    return { inputs: [rounded(gx)] };
  },

  explain(layer, [x], at) {
    const d = divisor(layer, at);
    const terms = under(layer, at).map((place) => {
      const value = x[indexOf(layer.inputs[0], place)];
      return { input: 0, at: place, map: at[0], value, factor: 1 / d, product: value / d };
    });
    return {
      terms,
      columns: { value: "x", factor: "1/D", product: "x / D" },
      steps: [
        ["D: pixels that count", d],
        ["y = sum / D", total(terms)],
      ],
    };
  },

  explainGradient(layer, xs, ys, gy, input, at) {
    return above(layer, at).map((place) => {
      const value = gy[indexOf(layer.output, place)];
      const factor = 1 / divisor(layer, place);
      return { at: place, value, factor, product: value * factor };
    });
  },
};

/** In evaluation stochastic pooling weighs every positive element by its share: what it would draw on the average. */
export const stochasticPool2d = {
  formula: "y = sum over the window of  p a      a = max(x, 0)      p = a / sum of a      (0 where no x is positive)",
  gradient: "gx = sum of  gy (2 a - y) / sum of a  over the windows that hold it, where x > 0",

  forward(layer, [x]) {
    layer.sums = zeros(layer.output).map((_, k) => positive(layer, x, placeOf(layer.output, k)));
    return Float32Array.from(layer.sums, (sum, k) => {
      const squares = under(layer, placeOf(layer.output, k)).map(
        (place) => Math.max(x[indexOf(layer.inputs[0], place)], 0) ** 2,
      );
      return squares.reduce((all, a2) => all + a2, 0) / (sum || 1);
    });
  },

  backward(layer, [x], y, gy) {
    const gx = zeros(layer.inputs[0]);
    gy.forEach((g, k) => {
      for (const place of under(layer, placeOf(layer.output, k))) {
        const i = indexOf(layer.inputs[0], place);
        if (x[i] > 0) gx[i] += (g * (2 * x[i] - y[k])) / layer.sums[k];
      }
    });
    return { inputs: [rounded(gx)] };
  },

  explain(layer, [x], at) {
    const sum = positive(layer, x, at);
    const terms = under(layer, at).map((place) => {
      const value = x[indexOf(layer.inputs[0], place)];
      const a = Math.max(value, 0);
      const factor = a / (sum || 1);
      return { input: 0, at: place, map: at[0], value, factor, product: factor * a };
    });
    const steps = [
      ["sum of a = max(x, 0)", sum],
      ["y = sum of p a", total(terms)],
    ];
    return { terms, columns: { value: "x", factor: "p", product: "p a" }, steps };
  },

  explainGradient(layer, [x], ys, gy, input, at) {
    const value = x[indexOf(layer.inputs[0], at)];
    return above(layer, at).map((place) => {
      const k = indexOf(layer.output, place);
      const y = total(this.explain(layer, [x], place).terms);
      const factor = value > 0 ? (2 * value - y) / positive(layer, x, place) : 0;
      return { at: place, value: gy[k], factor, product: gy[k] * factor };
    });
  },
};

/** The sum of the positive elements under an output. */
function positive(layer, x, at) {
  return under(layer, at).reduce((sum, place) => sum + Math.max(x[indexOf(layer.inputs[0], place)], 0), 0);
}

/** Max-pooling of max(x, 0): nothing flows back where no element of the window is positive. */
export const stochasticMax = {
  ...maxPool2d,
  formula: "y = the largest a = max(x, 0) of the window",
  gradient: "gx = sum of the gy of the windows that it wins with x > 0: the first of equal ones",

  forward: (layer, xs) => maxPool2d.forward(layer, xs).map((value) => Math.max(value, 0)),
  backward: (layer, xs, y, gy) => maxPool2d.backward(layer, xs, y, gy.map((g, k) => (y[k] > 0 ? g : 0))),

  explain(layer, xs, at) {
    const explained = maxPool2d.explain(layer, xs, at);
    const [text, most] = explained.steps[0];
    return { ...explained, steps: [[text.replace("y = ", ""), most], ["y = max(x, 0)", Math.max(most, 0)]] };
  },

  explainGradient(layer, [x], ys, gy, input, at) {
    const isPositive = x[indexOf(layer.inputs[0], at)] > 0;
    const terms = maxPool2d.explainGradient(layer, [x], ys, gy, input, at);
    return isPositive ? terms : terms.map((term) => ({ ...term, factor: 0, product: 0 }));
  },
};
