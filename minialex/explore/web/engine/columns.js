// A layer of windows as a matrix: im2col forwards, col2im backwards.
import { exists, places } from "./window.js";
import { size } from "./shape.js";

/** The first input map that output map o sees, and how many. */
export function mapsOf({ kind, weight, groups, output }, o) {
  if (kind !== "conv2d") return [o, 1];
  const seen = weight.shape[1];
  return [Math.floor(o / (output[0] / groups)) * seen, seen];
}

/**
 * From where each entry of the matrix of columns comes, for output map o:
 *
 *     columns[(c, u, v), (i, j)] = x[c, i s + u d - p, j s + v d - p],   0 in the padding
 *
 * Returns {rows, places, from}: from holds, row by row, the index in x, or -1 in the padding.
 */
export function windowsOf(layer, o) {
  const { window, inputs, output } = layer;
  const [kernelHeight, kernelWidth] = window.kernel;
  const [first, seen] = mapsOf(layer, o);
  const [height, width] = window.size;
  const rows = seen * kernelHeight * kernelWidth;
  const count = output[1] * output[2];
  const from = new Int32Array(rows * count).fill(-1);
  const down = Array.from({ length: output[1] }, (_, i) => places(window, 0, i));
  const across = Array.from({ length: output[2] }, (_, j) => places(window, 1, j));
  for (let row = 0; row < rows; row++) {
    const v = row % kernelWidth;
    const u = Math.floor(row / kernelWidth) % kernelHeight;
    const c = first + Math.floor(row / (kernelWidth * kernelHeight));
    for (let place = 0; place < count; place++) {
      const y = down[Math.floor(place / output[2])][u];
      const x = across[place % output[2]][v];
      if (exists(y, height) && exists(x, width)) from[row * count + place] = (c * inputs[0][1] + y) * inputs[0][2] + x;
    }
  }
  return { rows, places: count, from };
}

/** im2col: the matrix of columns; padding: what stands outside the input. */
export function im2col({ from }, x, padding = 0) {
  return Float32Array.from(from, (k) => (k < 0 ? padding : x[k]));
}

/**
 * The gradients of the columns:  W^T gy  of a convolution; of a pool gy at the winner, or gy / D everywhere.
 *
 * terms(place): the explanation of an output, of a pool.
 */
export function columnGradients(layer, windows, gy, o, terms) {
  const { rows, places: count, from } = windows;
  const gradients = new Float32Array(rows * count);
  if (layer.kind === "conv2d") {
    const { weight, groups, output } = layer;
    const together = output[0] / groups;
    const first = Math.floor(o / together) * together;
    const sums = new Float64Array(rows * count);
    for (let filter = first; filter < first + together; filter++) {
      for (let row = 0; row < rows; row++) {
        const w = weight.data[filter * rows + row];
        for (let place = 0; place < count; place++) sums[row * count + place] += w * gy[filter * count + place];
      }
    }
    gradients.set(sums);
    return gradients;
  }
  for (let place = 0; place < count; place++) {
    const factors = new Map(terms(place).map(({ index, factor }) => [index, factor]));
    for (let row = 0; row < rows; row++) {
      const k = from[row * count + place];
      if (k >= 0 && factors.get(k)) gradients[row * count + place] = factors.get(k) * gy[o * count + place];
    }
  }
  return gradients;
}

/** col2im: what the columns of the first places add up to, in the shape of the input; entries of the padding are lost. */
export function col2im({ rows, places: count, from }, gradients, shape, until = count) {
  const sums = new Float64Array(size(shape));
  for (let place = 0; place < until; place++) {
    for (let row = 0; row < rows; row++) {
      const k = from[row * count + place];
      if (k >= 0) sums[k] += gradients[row * count + place];
    }
  }
  return sums;
}
