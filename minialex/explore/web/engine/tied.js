// A parameter that several layers have, as a module has that is used twice: its gradient is the sum of all uses.

/** The numbers of the layers that have this parameter of layer n. */
export const layersWith = (layers, n, name) => layers[n][name].tied ?? [n];

/** The gradient of such a parameter; ofUse: {name: gradient} by the number of a layer, of this use of it alone. */
export function summedGradient(layers, n, name, ofUse) {
  const gradients = layersWith(layers, n, name).map((user) => ofUse[user][name]);
  return gradients.reduce((sum, gradient) => sum.map((g, i) => g + gradient[i]));
}

/** The same of all parameters. */
export function summedGradients(layers, ofUse) {
  return ofUse.map((named, n) => {
    const summed = Object.keys(named).map((name) => [name, summedGradient(layers, n, name, ofUse)]);
    return Object.fromEntries(summed);
  });
}
