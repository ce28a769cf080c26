// A picture of one's own as the input of the network.

/**
 * The pixels of a picture that is drawn so large that its shorter side has `resize` pixels, cropped in the middle.
 *
 * file: a Blob; raises where the browser cannot decode it. Returns Uint8Array (3, side, side), red first, on white.
 */
async function pixelsOf(file, resize, side) {
  const bitmap = await createImageBitmap(file);
  const scale = resize / Math.min(bitmap.width, bitmap.height);
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
  return drawnOn(canvas);
}

/** The pixels of a square canvas: Uint8Array (3, side, side), red first. */
export function drawnOn(canvas) {
  const { width: side } = canvas;
  const rgba = canvas.getContext("2d").getImageData(0, 0, side, side).data;
  return Uint8Array.from(
    { length: 3 * side * side },
    (_, k) => rgba[4 * (k % (side * side)) + Math.floor(k / (side * side))],
  );
}

/** The input of pixels: (x - mean) / std, and blue first where the network expects it so. */
export function normalized(pixels, { mean, std, blueFirst }) {
  const area = pixels.length / 3;
  const input = new Float32Array(pixels.length);
  pixels.forEach((x, k) => {
    const c = Math.floor(k / area);
    const m = mean.length === 3 ? mean[c] : mean[k];
    input[(blueFirst ? 2 - c : c) * area + (k % area)] = (x - m) / std[c];
  });
  return input;
}

/** Pictures that the page itself makes ready; reading: how, see page.py; side: pixels of the network's input. */
export function localPictures(reading, side) {
  const made = (caption, pixels) => ({
    caption,
    shape: [3, side, side],
    pixels,
    input: normalized(pixels, reading),
    label: null,
  });
  return {
    ofFile: async (file) => made(file.name, await pixelsOf(file, reading.resize, side)),
    ofDrawing: async (pixels) => made("a drawing", pixels),
  };
}
