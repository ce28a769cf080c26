// Which input pixels an output pixel sees: minialex/window.py and the windows of adaptive pools.
import { placeOf } from "./shape.js";

/**
 * The input rows (axis 0) or columns (axis 1) under place i of the output; those outside the input are padding.
 *
 *     i s + u d - p                      for u = 0 ... k - 1
 *     floor(i H / OH) ... ceil((i + 1) H / OH) - 1      of an adaptive pool
 */
export function places({ size, output, adaptive, kernel, stride, padding, dilation }, axis, i) {
  if (adaptive) {
    const first = Math.floor((i * size[axis]) / output[axis]);
    const end = Math.ceil(((i + 1) * size[axis]) / output[axis]);
    return Array.from({ length: end - first }, (_, u) => first + u);
  }
  const first = i * stride[axis] - padding[axis][0];
  return Array.from({ length: kernel[axis] }, (_, u) => first + u * dilation[axis]);
}

/** `places` of every place of the output. */
export function allPlaces(window, axis) {
  return Array.from({ length: window.output[axis] }, (_, i) => places(window, axis, i));
}

/** Whether place i exists on an axis of n places. */
export const exists = (i, n) => i >= 0 && i < n;

/** The output places whose window holds place y of the input: pairs [i, u] with places(window, axis, i)[u] = y. */
export function seenBy(window, axis, y) {
  const pairs = [];
  for (let i = 0; i < window.output[axis]; i++) {
    const u = places(window, axis, i).indexOf(y);
    if (u >= 0) pairs.push([i, u]);
  }
  return pairs;
}

/**
 * The first and last place, on an axis of the input, of what outputs from `first` to `last` are made of.
 *
 * each(visit): calls visit(index of x, index of y) for every such pair. Where there is none, the same places.
 */
export function spanOf({ inputs, output }, axis, first, last, each) {
  let [low, high] = [Infinity, -Infinity];
  each((i, k) => {
    const to = placeOf(output, k)[axis + 1];
    if (to < first || to > last) return;
    const from = placeOf(inputs[0], i)[axis + 1];
    [low, high] = [Math.min(low, from), Math.max(high, from)];
  });
  return low <= high ? [low, high] : [first, last];
}
