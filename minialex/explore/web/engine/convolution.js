// Convolution, and the locally connected layer, whose filters differ from place to place.
import { allPlaces, exists, places, seenBy } from "./window.js";
import { counted, indexOf, placeOf, rounded, total, zeros } from "./shape.js";

/**
 * A layer of filters over windows.
 *
 * axis: of the weight, along which are the channels that a filter sees.
 * filterAt(layer, o, i, j, c): the number of the filter's window for channel c in the weight.
 * biasAt(layer, [o, i, j]): the index of its bias.
 * outputsOf(layer, name, at): [outputs that use a weight or bias, [c, u, v] of a weight].
 */
function filters({ formula, gradient, axis, filterAt, biasAt, outputsOf }) {
  /** The first input channel that filter o sees, and how many: those of its group. */
  function channelsOf({ groups, weight, output }, o) {
    const seen = weight.shape[axis];
    return [Math.floor(o / (output[0] / groups)) * seen, seen];
  }

  /** The index of a weight; c counts the channels that its filter sees. */
  function weightAt(layer, [o, i, j], [c, u, v]) {
    const [height, width] = layer.window.kernel;
    return (filterAt(layer, o, i, j, c) * height + u) * width + v;
  }

  /** Calls visit(index of y, index of w, index of x) for every product. */
  function eachProduct(layer, visit) {
    const { window, output } = layer;
    const rows = allPlaces(window, 0);
    const columns = allPlaces(window, 1);
    const [height, width] = window.size;
    const [kernelHeight, kernelWidth] = window.kernel;
    for (let o = 0; o < output[0]; o++) {
      const [first, seen] = channelsOf(layer, o);
      for (let c = 0; c < seen; c++) {
        for (let i = 0; i < output[1]; i++) {
          for (let j = 0; j < output[2]; j++) {
            const y = (o * output[1] + i) * output[2] + j;
            const filter = filterAt(layer, o, i, j, c) * kernelHeight;
            for (let u = 0; u < kernelHeight; u++) {
              const row = rows[i][u];
              if (!exists(row, height)) continue; // padding is 0
              const w = (filter + u) * kernelWidth;
              const x = ((first + c) * height + row) * width;
              for (let v = 0; v < kernelWidth; v++) {
                const column = columns[j][v];
                if (exists(column, width)) visit(y, w + v, x + column);
              }
            }
          }
        }
      }
    }
  }

  return {
    formula,
    gradient,

    forward(layer, [x]) {
      const { weight, bias, output } = layer;
      const w = weight.data;
      const y = zeros(output);
      eachProduct(layer, (at, k, from) => (y[at] += w[k] * x[from]));
      if (bias) y.forEach((_, at) => (y[at] += bias.data[biasAt(layer, placeOf(output, at))]));
      return rounded(y);
    },

    backward(layer, [x], y, gy) {
      const { weight, bias, output, inputs } = layer;
      const w = weight.data;
      const gx = zeros(inputs[0]);
      const gw = new Float64Array(w.length);
      eachProduct(layer, (at, k, from) => {
        gx[from] += gy[at] * w[k];
        gw[k] += gy[at] * x[from];
      });
      const gradients = { weight: rounded(gw) };
      if (bias) {
        const gb = new Float64Array(bias.data.length);
        gy.forEach((g, at) => (gb[biasAt(layer, placeOf(output, at))] += g));
        gradients.bias = rounded(gb);
      }
      return { inputs: [rounded(gx)], parameters: gradients };
    },

    /** What y[o, i, j] is made of. */
    explain(layer, [x], at) {
      const { window, weight, bias, inputs } = layer;
      const [o, i, j] = at;
      const [first, seen] = channelsOf(layer, o);
      const terms = [];
      for (let c = 0; c < seen; c++) {
        places(window, 0, i).forEach((row, u) =>
          places(window, 1, j).forEach((column, v) => {
            const inside = exists(row, window.size[0]) && exists(column, window.size[1]);
            const from = [first + c, row, column];
            const value = inside ? x[indexOf(inputs[0], from)] : 0;
            const factor = weight.data[weightAt(layer, at, [c, u, v])];
            terms.push({ input: 0, at: inside ? from : null, map: first + c, value, factor, product: value * factor });
          }),
        );
      }
      const sum = total(terms);
      const b = bias ? bias.data[biasAt(layer, at)] : 0;
      const steps = [[`sum of ${counted(terms, "product")}`, sum]];
      if (bias) steps.push(["bias b", b]);
      steps.push(["y = sum + bias", sum + b]);
      return { terms, columns: { value: "x", factor: "w", product: "w x" }, grid: window.kernel, steps };
    },

    /** From which outputs the gradient at x[c, y, x] comes. */
    explainGradient(layer, xs, ys, gy, input, [c, row, column]) {
      const { window, weight, output } = layer;
      const terms = [];
      for (let o = 0; o < output[0]; o++) {
        const [first, seen] = channelsOf(layer, o);
        if (!exists(c - first, seen)) continue;
        for (const [i, u] of seenBy(window, 0, row)) {
          for (const [j, v] of seenBy(window, 1, column)) {
            const factor = weight.data[weightAt(layer, [o, i, j], [c - first, u, v])];
            const value = gy[indexOf(output, [o, i, j])];
            terms.push({ at: [o, i, j], value, factor, product: value * factor });
          }
        }
      }
      return terms;
    },

    /** What the gradient of a weight or bias is made of; at: its place. */
    explainParameter(layer, [x], gy, name, at) {
      const { window, inputs, output } = layer;
      const [outputs, [c, u, v]] = outputsOf(layer, name, at);
      return outputs.flatMap((place) => {
        const value = gy[indexOf(output, place)];
        if (name === "bias") return [{ at: place, value, factor: 1, product: value }];
        const [o, i, j] = place;
        const from = [channelsOf(layer, o)[0] + c, places(window, 0, i)[u], places(window, 1, j)[v]];
        if (!exists(from[1], window.size[0]) || !exists(from[2], window.size[1])) return [];
        const factor = x[indexOf(inputs[0], from)];
        return [{ at: place, from, value, factor, product: value * factor }];
      });
    },
  };
}

export const conv2d = filters({
  formula: "y[o, i, j] = b[o] + sum over c, u, v of  w[o, c, u, v] x[c, i s + u d - p, j s + v d - p]",
  gradient: "gx[c, y, x] = sum over the o, i, j whose window holds it of  gy[o, i, j] w[o, c, u, v]",
  axis: 1,
  filterAt: ({ weight }, o, i, j, c) => o * weight.shape[1] + c,
  biasAt: (layer, [o]) => o,
  outputsOf({ output }, name, [o, ...place]) {
    const area = output[1] * output[2];
    return [Array.from({ length: area }, (_, k) => placeOf(output, o * area + k)), place];
  },
});

export const local2d = filters({
  formula: "y[o, i, j] = b[o, i, j] + sum over c, u, v of  w[i, j, o, c, u, v] x[c, i s + u - p, j s + v - p]",
  gradient: "gx[c, y, x] = sum over the o, i, j whose window holds it of  gy[o, i, j] w[i, j, o, c, u, v]",
  axis: 3,
  filterAt: ({ weight, output }, o, i, j, c) => ((i * output[2] + j) * output[0] + o) * weight.shape[3] + c,
  biasAt: ({ output }, at) => indexOf(output, at),
  outputsOf: (layer, name, at) => (name === "bias" ? [[at], []] : [[[at[2], at[0], at[1]]], at.slice(3)]),
});
