// Functions of minialex.functional as layers (Call): those of each element by itself.
import { elementwise } from "./activation.js";

export const affine = elementwise(
  "y = a x + b,   a and b of the layer",
  "gx = gy a",
  ({ a, b }, x) => a * x + b,
  ({ a }) => a,
);
export const over = elementwise(
  "y = c / x,   c of the layer",
  "gx = -gy c / x^2",
  ({ c }, x) => c / x,
  ({ c }, x) => -c / x ** 2,
);
export const power = elementwise(
  "y = x^p,   p of the layer",
  "gx = gy p x^(p - 1)",
  ({ exponent }, x) => x ** exponent,
  ({ exponent: p }, x) => (p === 0 ? 0 : p * x ** (p - 1)),
);
export const absolute = elementwise(
  "y = |x|",
  "gx = gy sign(x), 0 at 0",
  (layer, x) => Math.abs(x),
  (layer, x) => Math.sign(x),
);
export const exponential = elementwise(
  "y = e^x",
  "gx = gy y",
  (layer, x) => Math.exp(x),
  (layer, x) => Math.exp(x),
);
export const logarithm = elementwise(
  "y = log(x)",
  "gx = gy / x",
  (layer, x) => Math.log(x),
  (layer, x) => 1 / x,
);
export const clamp = elementwise(
  "y = min(max(x, low), high)",
  "gx = gy where low <= x <= high, else 0",
  ({ low, high }, x) => Math.min(Math.max(x, low ?? -Infinity), high ?? Infinity),
  ({ low, high }, x) => Number(x >= (low ?? -Infinity) && x <= (high ?? Infinity)),
);
