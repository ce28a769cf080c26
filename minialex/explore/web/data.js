// The data of the page: JSON in a block that no browser runs, with arrays as base64.

export function bytesOf(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = characters.charCodeAt(k);
  return bytes;
}

export const floatsOf = (text) => new Float32Array(bytesOf(text).buffer);
export const integersOf = (text) => new Int32Array(bytesOf(text).buffer);

/** The network's layers with their arrays, and the pictures. */
export function decoded(data) {
  const layers = data.layers.map((layer) => {
    const arrays = {};
    for (const name of ["weight", "bias"]) {
      if (layer[name]) arrays[name] = { shape: layer[name].shape, data: floatsOf(layer[name].data) };
    }
    for (const name of ["mean", "variance"]) if (layer[name]) arrays[name] = floatsOf(layer[name]);
    for (const name of ["from", "to"]) if (layer[name]) arrays[name] = integersOf(layer[name]);
    return { ...layer, ...arrays };
  });
  const pictures = data.pictures.map((picture) => ({
    ...picture,
    pixels: bytesOf(picture.pixels),
    input: floatsOf(picture.input),
  }));
  const reading = data.reading && { ...data.reading, mean: floatsOf(data.reading.mean) };
  return { ...data, layers, pictures, reading };
}
