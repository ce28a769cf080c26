// Images in another size: each output is a weighted mean of few pixels, first of rows and then of columns.
import { indexOf, rounded, total, zeros } from "./shape.js";

/** The taps of an output: [row, column, weight]; rows[i] and columns[j] are lists of [place, weight]. */
function taps({ rows, columns }, [, i, j]) {
  return rows[i].flatMap(([row, v]) => columns[j].map(([column, w]) => [row, column, v * w]));
}

/** Calls visit(index of y, index of x, weight) for every product. */
function eachProduct({ rows, columns, inputs, output }, visit) {
  const [, height, width] = inputs[0];
  for (let c = 0; c < output[0]; c++) {
    rows.forEach((above, i) =>
      columns.forEach((beside, j) => {
        const y = (c * rows.length + i) * columns.length + j;
        for (const [row, v] of above)
          for (const [column, w] of beside) visit(y, (c * height + row) * width + column, v * w);
      }),
    );
  }
}

export const interpolate = {
  formula: "y[c, i, j] = sum over the taps of  w_row w_column x[c, row(i), column(j)]",
  gradient: "gx[c, y, x] = sum of  w_row w_column gy[c, i, j]  over the i, j that have it as a tap",

  forward(layer, [x]) {
    const y = zeros(layer.output);
    eachProduct(layer, (at, from, weight) => (y[at] += weight * x[from]));
    return rounded(y);
  },

  backward(layer, xs, y, gy) {
    const gx = zeros(layer.inputs[0]);
    eachProduct(layer, (at, from, weight) => (gx[from] += weight * gy[at]));
    return { inputs: [rounded(gx)] };
  },

  explain(layer, [x], at) {
    const terms = taps(layer, at).map(([row, column, factor]) => {
      const place = [at[0], row, column];
      const value = x[indexOf(layer.inputs[0], place)];
      return { input: 0, at: place, map: at[0], value, factor, product: value * factor };
    });
    return { terms, columns: { value: "x", factor: "w", product: "w x" }, steps: [["y = sum", total(terms)]] };
  },

  explainGradient({ rows, columns, output }, xs, ys, gy, input, [c, row, column]) {
    const using = (all, place) =>
      all.flatMap((list, i) => {
        const weight = list.reduce((sum, [tap, w]) => sum + (tap === place ? w : 0), 0);
        return weight ? [[i, weight]] : [];
      });
    return using(rows, row).flatMap(([i, v]) =>
      using(columns, column).map(([j, w]) => {
        const value = gy[indexOf(output, [c, i, j])];
        return { at: [c, i, j], value, factor: v * w, product: value * v * w };
      }),
    );
  },

  seen({ rows, columns }, axis, first, last) {
    const places = (axis === 0 ? rows : columns).slice(first, last + 1).flatMap((list) => list.map(([place]) => place));
    return [Math.min(...places), Math.max(...places)];
  },
};
