// Functions of each element by itself: y = f(x), gx = gy f'(x).
import { indexOf } from "./shape.js";

const sigmoidOf = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** erf(x) = 2 / sqrt(pi) e^(-x^2) sum over n of  2^n x^(2n+1) / (1 3 5 ... (2n+1)), whose terms have one sign. */
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function geluTanh(x) {
  const scale = Math.sqrt(2 / Math.PI);
  const t = Math.tanh(scale * (x + 0.044715 * x ** 3));
  const slope = 0.5 * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x);
  return { below: 0.5 * (1 + t), slope };
}

function geluExact(x) {
  return { below: 0.5 * (1 + erf(x * Math.SQRT1_2)), slope: Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI) };
}

const geluOf = ({ approximate }, x) => (approximate === "tanh" ? geluTanh(x) : geluExact(x));

/** Where nothing passes, a NaN does not either. */
const passed = (g, factor) => (factor === 0 ? 0 : g * factor);

/** A layer of f(settings, x) and its derivative. */
export function elementwise(formula, gradient, f, derivative) {
  return {
    formula,
    gradient,
    forward: (layer, [x]) => Float32Array.from(x, (value) => f(layer, value)),
    backward: (layer, [x], y, gy) => ({ inputs: [Float32Array.from(gy, (g, k) => passed(g, derivative(layer, x[k])))] }),
    explain(layer, [x], at) {
      const value = x[indexOf(layer.output, at)];
      const y = f(layer, value);
      const terms = [{ input: 0, at, map: at[0], value }];
      return {
        terms,
        columns: { value: "x" },
        steps: [
          ["x", value],
          [formula.split("      ")[0], y],
        ],
      };
    },
    explainGradient(layer, [x], ys, gy, input, at) {
      const k = indexOf(layer.output, at);
      const factor = derivative(layer, x[k]);
      return [{ at, value: gy[k], factor, product: passed(gy[k], factor) }];
    },
  };
}

export const relu = elementwise(
  "y = max(x, 0)",
  "gx = gy where y > 0, else 0",
  (layer, x) => (x < 0 ? 0 : x), // NaN stays NaN
  (layer, x) => (x <= 0 ? 0 : 1),
);
export const leakyRelu = elementwise(
  "y = x where x > 0, else negative_slope x",
  "gx = gy where x > 0, else negative_slope gy",
  ({ negativeSlope }, x) => (x > 0 ? x : negativeSlope * x),
  ({ negativeSlope }, x) => (x > 0 ? 1 : negativeSlope),
);
export const sigmoid = elementwise(
  "y = 1 / (1 + e^-x)",
  "gx = gy y (1 - y)",
  (layer, x) => sigmoidOf(x),
  (layer, x) => sigmoidOf(x) * (1 - sigmoidOf(x)),
);
export const tanh = elementwise(
  "y = tanh(x)",
  "gx = gy (1 - y^2)",
  (layer, x) => Math.tanh(x),
  (layer, x) => 1 - Math.tanh(x) ** 2,
);
export const gelu = elementwise(
  "y = x P(x)",
  "gx = gy (P(x) + x P'(x))",
  (layer, x) => x * geluOf(layer, x).below,
  (layer, x) => geluOf(layer, x).below + x * geluOf(layer, x).slope,
);
export const elu = elementwise(
  "y = x where x > 0, else alpha (e^x - 1)",
  "gx = gy where x > 0, else gy alpha e^x",
  ({ alpha }, x) => (x > 0 ? x : alpha * Math.expm1(x)),
  ({ alpha }, x) => (x > 0 ? 1 : alpha * Math.exp(x)),
);
export const silu = elementwise(
  "y = x s(x),  s(x) = 1 / (1 + e^-x)",
  "gx = gy (s + x s (1 - s))",
  (layer, x) => x * sigmoidOf(x),
  (layer, x) => sigmoidOf(x) * (1 + x * (1 - sigmoidOf(x))),
);
export const softplus = elementwise(
  "y = log(1 + e^(beta x)) / beta",
  "gx = gy / (1 + e^(-beta x))",
  ({ beta, threshold }, x) =>
    beta * x > threshold ? x : (Math.max(beta * x, 0) + Math.log1p(Math.exp(-Math.abs(beta * x)))) / beta,
  ({ beta, threshold }, x) => (beta * x > threshold ? 1 : sigmoidOf(beta * x)),
);

/** Dropout in evaluation: y = x keep, where keep is 1 in the inverted form, which scales in training instead. */
export const dropout = elementwise(
  "y = x (1 - p), or x in the inverted form: nothing is dropped in evaluation",
  "gx = gy times whatever multiplied x",
  ({ keep }, x) => keep * x,
  ({ keep }) => keep,
);
export const identity = elementwise(
  "y = x",
  "gx = gy",
  (layer, x) => x,
  () => 1,
);
