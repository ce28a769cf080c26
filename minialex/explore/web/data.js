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
      if (layer[name]) arrays[name] = { ...layer[name], data: layer[name].data && floatsOf(layer[name].data) };
    }
    for (const name of ["mean", "variance"]) if (layer[name]) arrays[name] = floatsOf(layer[name]);
    if ("constant" in layer) arrays.constant = Number(layer.constant); // "-Infinity": JSON has no word for it
    for (const name of ["from", "to"]) if (layer[name]) arrays[name] = integersOf(layer[name]);
    return { ...layer, ...arrays };
  });
  const pictures = data.pictures.map(decodedPicture);
  const reading = data.reading && { ...data.reading, mean: floatsOf(data.reading.mean) };
  return { ...data, layers, pictures, reading };
}

/** A picture of page.py. */
export function decodedPicture(picture) {
  return { ...picture, pixels: bytesOf(picture.pixels), input: picture.input && floatsOf(picture.input) };
}

/** Numbers in 8 bits, see encoding.py. */
async function eightBitsOf({ bytes, range: [low, high] }) {
  const inflated = new Blob([bytesOf(bytes)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const codes = new Uint8Array(await new Response(inflated).arrayBuffer());
  const numbers = Float32Array.from({ length: 256 }, (_, q) => (q ? low + ((q - 1) / 254) * (high - low) : NaN));
  const decoded = new Float32Array(codes.length);
  for (let k = 0; k < codes.length; k++) decoded[k] = numbers[codes[k]];
  return decoded;
}

/** A summary with NaN for what JSON has no word for. */
const summaryOf = (summary) => ({ ...summary, mean: summary.mean ?? NaN, std: summary.std ?? NaN });

/** The numbers that explain a place, of carrying.py. */
export const decodedNumbers = (explained) => ({
  ...explained,
  boxes: explained.boxes.map((box) => ({ ...box, data: box.data && floatsOf(box.data) })),
});

/** What minialex has computed for a picture, of carrying.py: {target, loss, values, gradients, ...} by layer. */
export async function decodedResult(result) {
  const all = (arrays) => Promise.all(arrays.map(eightBitsOf));
  const [values, gradients] = [await all(result.values), await all(result.gradients)];
  const logits = floatsOf(result.logits);
  const p = floatsOf(result.probabilities);
  [values[values.length - 1], gradients[values.length - 1]] = [logits, Float32Array.from(p)];
  gradients[values.length - 1][result.target] -= 1;
  const parameters = result.parameters.map((named) => Object.entries(named));
  const summaries = {
    values: result.values.map(({ summary }) => summaryOf(summary)),
    gradients: result.gradients.map(({ summary }) => summaryOf(summary)),
    parameterGradients: parameters.map((named) =>
      Object.fromEntries(named.map(([name, { summary }]) => [name, summaryOf(summary)])),
    ),
  };
  const pictures = parameters.map((named) =>
    Promise.all(named.filter(([, { bytes }]) => bytes).map(async ([name, of]) => [name, await eightBitsOf(of)])),
  );
  const cams = Object.entries(result.cams).map(async ([n, cam]) => [n, await eightBitsOf(cam)]);
  return {
    target: result.target,
    loss: floatsOf(result.loss)[0],
    values: [...values, p],
    gradients,
    summaries,
    parameterGradients: (await Promise.all(pictures)).map(Object.fromEntries),
    cams: Object.fromEntries(await Promise.all(cams)),
    explained: (result.explained ?? []).map(decodedNumbers),
  };
}
