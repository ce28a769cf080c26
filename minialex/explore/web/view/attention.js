// Grad-CAM and occlusion as colours over the picture.
import { rangeOf } from "./colors.js";
import { element, percent } from "./dom.js";
import { Tiles } from "./tiles.js";

const SIDE = 192; // pixels of a figure
const SQUARES = 8; // across the picture, each overlapping the next by half
const HEAT = [213, 94, 0];

/** The picture, whose pixel (y, x) is the more orange the nearer heat(y, x) is to 1. */
function heated({ pixels, shape }, heat, label) {
  const [, height, width] = shape;
  const scale = Math.max(1, Math.floor(SIDE / Math.max(height, width)));
  const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label });
  const area = height * width;
  tiles.draw((k) => {
    const share = 0.75 * heat(Math.floor(k / width), k % width);
    const grey = (pixels[k] + pixels[area + k] + pixels[2 * area + k]) / 3;
    return HEAT.map((color) => grey + share * (color - grey));
  });
  return tiles.canvas;
}

export function gradCamOf(state, n, name) {
  const { network, pictures, picture } = state;
  const map = network.gradCam(n);
  const most = rangeOf(map)[1];
  const { shape } = pictures[picture];
  const [, height, width] = network.layers[n].output;
  const heat = (y, x) =>
    map[Math.floor((y * height) / shape[1]) * width + Math.floor((x * width) / shape[2])] / (most || 1);
  const canvas = heated(pictures[picture], heat, `Grad-CAM of ${name}`);
  const text = `orange: what speaks for ${name} in these maps, each weighted by its mean gradient (Grad-CAM)`;
  return element(
    "figure",
    {},
    canvas,
    element("figcaption", {}, most ? text : `nothing in these maps speaks for ${name}`),
  );
}

/** A button that covers the picture square by square, and then shows what this does to the probability of a class. */
export function occlusionOf(state, name) {
  if (!state.network.isLive) return element("p", {}, "The page that is served covers the picture square by square.");
  const place = element("div");
  const button = element("button", { type: "button" }, `cover the picture square by square, and watch ${name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    place.textContent = "minialex computes …";
    place.replaceChildren(await covered(state, name, place).catch((error) => error.message));
    button.disabled = false;
  });
  return element("div", {}, button, place);
}

async function covered(state, name, place) {
  const { network, target, pictures, picture } = state;
  const { shape } = pictures[picture];
  const [, height, width] = shape;
  const side = Math.max(1, Math.floor(Math.min(height, width) / (SQUARES / 2)));
  const stride = Math.max(1, Math.floor(side / 2));
  const whole = network.values[network.end][target];
  const lost = new Float32Array(height * width);
  let least = { probability: Infinity };
  for await (const square of network.occlusion(pictures[picture], target, side, stride)) {
    const { row, column, probability } = square;
    if (column === 0) {
      place.textContent = `row ${row} of ${height}`;
      await new Promise((done) => setTimeout(done)); // so that the page can be used meanwhile
    }
    if (probability < least.probability) least = square;
    for (let y = row; y < row + side; y++) {
      for (let x = column; x < column + side; x++) {
        lost[y * width + x] = Math.max(lost[y * width + x], whole - probability);
      }
    }
  }
  const most = rangeOf(lost)[1] || 1;
  const canvas = heated(pictures[picture], (y, x) => lost[y * width + x] / most, `occlusion of ${name}`);
  const text =
    `orange: what ${name} loses most by being covered, with squares of ${side} × ${side} pixels of the mean colour; ` +
    `whole ${percent(whole)}, least ${percent(least.probability)} at row ${least.row}, column ${least.column}`;
  return element("figure", {}, canvas, element("figcaption", {}, text));
}
