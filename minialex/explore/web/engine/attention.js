// Which part of the picture a class is seen in: Grad-CAM, and occlusion.

/**
 * Grad-CAM of a layer of maps A and a class t (Selvaraju et al. 2017):
 *
 *     a_c = mean over i, j of  d logit_t / d A_cij      L_ij = max(0, sum over c of  a_c A_cij)
 */
export function gradCam(network, n, target) {
  const seed = network.logits.map((_, i) => (i === target ? 1 : 0));
  const gradient = network.backwardFrom(seed).gradients[n];
  const [channels, height, width] = network.layers[n].output;
  const area = height * width;
  const sums = new Float64Array(area);
  for (let c = 0; c < channels; c++) {
    let weight = 0;
    for (let k = 0; k < area; k++) weight += gradient[c * area + k] / area;
    for (let k = 0; k < area; k++) sums[k] += weight * network.values[n][c * area + k];
  }
  return Float32Array.from(sums, (sum) => Math.max(0, sum));
}

/**
 * Occlusion (Zeiler and Fergus 2014): the probability of a class where a square of the picture is set to 0, the mean.
 *
 * Yields {row, column, probability} for the squares of `side` pixels whose left upper corners are `stride` apart.
 */
export function* occlusion(network, picture, target, side, stride) {
  const [channels, height, width] = network.layers[0].output;
  const other = network.copy();
  for (let row = 0; row + side <= height; row += stride) {
    for (let column = 0; column + side <= width; column += stride) {
      const covered = picture.slice();
      for (let c = 0; c < channels; c++) {
        for (let y = row; y < row + side; y++) {
          covered.fill(0, (c * height + y) * width + column, (c * height + y) * width + column + side);
        }
      }
      yield { row, column, probability: other.forward(covered)[target] };
    }
  }
}
