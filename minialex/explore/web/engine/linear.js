// The fully connected layer.
import { counted, indexOf, placeOf, rounded, size, total, zeros } from "./shape.js";

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
    if (bias) steps.push(["bias b", b]);
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
