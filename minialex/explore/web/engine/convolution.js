// Convolution, and the fully connected layer, which is one whose window is the whole input.
import { allPlaces, exists, places, seenBy } from "./window.js";
import { counted, indexOf, placeOf, rounded, size, total, zeros } from "./shape.js";

/** The first input channel that filter o sees, and how many: those of its group. */
function channelsOf({ groups, weight, output }, o) {
  const seen = weight.shape[1];
  return [Math.floor(o / (output[0] / groups)) * seen, seen];
}

/** Calls visit(index of y, index of w, index of x) for every product of the convolution. */
function eachProduct(layer, visit) {
  const { window, weight, inputs, output } = layer;
  const rows = allPlaces(window, 0);
  const columns = allPlaces(window, 1);
  const [height, width] = window.size;
  const [kernelHeight, kernelWidth] = window.kernel;
  for (let o = 0; o < output[0]; o++) {
    const [first, seen] = channelsOf(layer, o);
    for (let c = 0; c < seen; c++) {
      for (let i = 0; i < output[1]; i++) {
        for (let u = 0; u < kernelHeight; u++) {
          const row = rows[i][u];
          if (!exists(row, height)) continue; // padding is 0
          const x = ((first + c) * height + row) * width;
          const w = ((o * seen + c) * kernelHeight + u) * kernelWidth;
          const y = (o * output[1] + i) * output[2];
          for (let j = 0; j < output[2]; j++) {
            for (let v = 0; v < kernelWidth; v++) {
              const column = columns[j][v];
              if (exists(column, width)) visit(y + j, w + v, x + column);
            }
          }
        }
      }
    }
  }
}

export const conv2d = {
  formula: "y[o, i, j] = b[o] + sum over c, u, v of  w[o, c, u, v] x[c, i s + u d - p, j s + v d - p]",
  gradient: "gx[c, y, x] = sum over the o, i, j whose window holds it of  gy[o, i, j] w[o, c, u, v]",

  forward(layer, [x]) {
    const { weight, bias, output } = layer;
    const w = weight.data;
    const y = zeros(output);
    eachProduct(layer, (at, k, from) => (y[at] += w[k] * x[from]));
    if (bias) y.forEach((_, at) => (y[at] += bias.data[placeOf(output, at)[0]]));
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
      gy.forEach((g, at) => (gb[placeOf(output, at)[0]] += g));
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
          const factor = weight.data[((o * seen + c) * window.kernel[0] + u) * window.kernel[1] + v];
          terms.push({ input: 0, at: inside ? from : null, map: first + c, value, factor, product: value * factor });
        }),
      );
    }
    const sum = total(terms);
    const b = bias ? bias.data[o] : 0;
    const steps = [[`sum of ${counted(terms, "product")}`, sum]];
    if (bias) steps.push([`bias b[${o}]`, b]);
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
          const factor = weight.data[((o * seen + c - first) * window.kernel[0] + u) * window.kernel[1] + v];
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
    const [o, c, u, v] = at;
    const terms = [];
    for (let i = 0; i < output[1]; i++) {
      for (let j = 0; j < output[2]; j++) {
        const value = gy[indexOf(output, [o, i, j])];
        if (name === "bias") {
          terms.push({ at: [o, i, j], value, factor: 1, product: value });
          continue;
        }
        const from = [channelsOf(layer, o)[0] + c, places(window, 0, i)[u], places(window, 1, j)[v]];
        if (!exists(from[1], window.size[0]) || !exists(from[2], window.size[1])) continue;
        const factor = x[indexOf(inputs[0], from)];
        terms.push({ at: [o, i, j], from, value, factor, product: value * factor });
      }
    }
    return terms;
  },
};

export const linear = {
  formula: "y[o] = b[o] + sum over i of  w[o, i] x[i]",
  gradient: "gx[i] = sum over o of  gy[o] w[o, i]",

  forward({ weight, bias, output }, [x]) {
    const y = zeros(output);
    for (let o = 0; o < y.length; o++) {
      for (let i = 0; i < x.length; i++) y[o] += weight.data[o * x.length + i] * x[i];
      if (bias) y[o] += bias.data[o];
    }
    return rounded(y);
  },

  backward({ weight, bias }, [x], y, gy) {
    const gx = new Float64Array(x.length);
    const gw = new Float64Array(weight.data.length);
    for (let o = 0; o < gy.length; o++) {
      for (let i = 0; i < x.length; i++) {
        gx[i] += gy[o] * weight.data[o * x.length + i];
        gw[o * x.length + i] = gy[o] * x[i];
      }
    }
    return { inputs: [rounded(gx)], parameters: { weight: rounded(gw), ...(bias && { bias: gy.slice() }) } };
  },

  explain({ weight, bias, inputs }, [x], [o]) {
    const terms = Array.from(x, (value, i) => {
      const factor = weight.data[o * x.length + i];
      return { input: 0, at: placeOf(inputs[0], i), value, factor, product: value * factor };
    });
    const sum = total(terms);
    const b = bias ? bias.data[o] : 0;
    const steps = [[`sum of ${counted(terms, "product")}`, sum]];
    if (bias) steps.push([`bias b[${o}]`, b]);
    steps.push(["y = sum + bias", sum + b]);
    return { terms, columns: { value: "x", factor: "w", product: "w x" }, steps };
  },

  explainGradient({ weight, inputs }, xs, ys, gy, input, at) {
    const i = indexOf(inputs[0], at);
    const count = size(inputs[0]);
    return Array.from(gy, (value, o) => {
      const factor = weight.data[o * count + i];
      return { at: [o, 0, 0], value, factor, product: value * factor };
    });
  },

  explainParameter({ inputs }, [x], gy, name, [o, i]) {
    const factor = name === "bias" ? 1 : x[i];
    const from = name === "bias" ? undefined : placeOf(inputs[0], i);
    return [{ at: [o, 0, 0], from, value: gy[o], factor, product: gy[o] * factor }];
  },
};
