// Arrays of any shape: small ones as numbers, larger ones as pictures with facts; captured.py makes these data.
import { bytesOf } from "../data.js";
import { summaryOf } from "../engine/summary.js";
import { behind, greys, twoColors } from "../view/colors.js";
import { element, format } from "../view/dom.js";
import { Tiles } from "../view/tiles.js";

const NOT_FINITE = 255;
const MOST = 64; // numbers that are written out
const [WIDE, HIGH] = [400, 200]; // pixels of a picture, about
const PICTURE = 48 * 48;

/** An array of captured.py: {shape, numbers}, or {shape, low, high, mean, std, tiles, step, values}: of its picture. */
export function decodedArray(array) {
  if (array.numbers) return { ...array, numbers: array.numbers.map(Number) };
  const [low, high, mean, std] = [array.low, array.high, array.mean, array.std].map(Number);
  const values = Float64Array.from(bytesOf(array.pixels), (q) =>
    q === NOT_FINITE ? NaN : low + ((high - low) * q) / (NOT_FINITE - 1),
  );
  return { ...array, low, high, mean, std, values };
}

/** The same of numbers that the page has computed; shape: of a vector or of maps. */
export function arrayOf(numbers, shape) {
  if (numbers.length <= MOST) return { shape, numbers: [...numbers] };
  const [height, width] = shape.length > 1 ? shape.slice(-2) : folded(numbers.length);
  const count = Math.max(
    1,
    Math.min(Math.floor(numbers.length / (height * width)), Math.floor(PICTURE / (height * width))),
  );
  const finite = numbers.filter(isFinite); // as in captured.py
  const { smallest: low, largest: high, mean, std } = summaryOf(finite.length ? finite : [0]);
  const step = Math.max(1, Math.ceil(Math.sqrt((height * width) / PICTURE)));
  const tiles = [count, Math.ceil(height / step), Math.ceil(width / step)];
  const values = Float64Array.from({ length: tiles[0] * tiles[1] * tiles[2] }, (_, k) => {
    const [y, x] = [Math.floor(k / tiles[2]) % tiles[1], k % tiles[2]];
    return numbers[(Math.floor(k / (tiles[1] * tiles[2])) * height + y * step) * width + x * step];
  });
  return { shape, low, high, mean, std, tiles, step, values };
}

function folded(size) {
  const width = Math.min(48, Math.ceil(Math.sqrt(size)));
  return [Math.floor(size / width), width];
}

export const shapeOf = ({ shape }) =>
  shape.length ? `(${shape.join(", ")}${shape.length === 1 ? "," : ""})` : "a number";

/** Every digit that tells a float32, or so many that one reads it at a glance. */
const written = (x, allDigits) => (allDigits ? String(x).replaceAll("-", "\u2212") : format(x));

/** An array under its name; signed: in two colours, as gradients are. */
export function arrayFigure(array, caption, { signed, allDigits }) {
  const content = array.numbers ? numbersOf(array, caption, allDigits) : pictureOf(array, caption, signed);
  return element("figure", { class: "array" }, element("figcaption", {}, caption), ...content);
}

function numbersOf({ shape, numbers }, caption, allDigits) {
  const width = shape.at(-1) ?? 1;
  const height = shape.at(-2) ?? 1;
  const most = Math.max(...numbers.map(Math.abs).filter(isFinite), 0);
  const cell = (x) => {
    const made = element("td", { class: "number" }, written(x, allDigits));
    made.style.backgroundColor = behind(x, most);
    return made;
  };
  const tables = [];
  for (let first = 0; first < numbers.length; first += width * height) {
    const rows = Array.from({ length: height }, (_, y) => {
      const start = first + y * width;
      return element("tr", {}, ...Array.from(numbers.slice(start, start + width), cell));
    });
    tables.push(element("table", {}, element("tbody", {}, ...rows)));
  }
  const attributes = { class: "scrolls grid", tabindex: 0, role: "group", "aria-label": `numbers: ${caption}` };
  const empty = numbers.length ? [] : ["no elements"];
  return [element("div", attributes, ...tables, ...empty), element("p", { class: "small" }, shapeOf({ shape }))];
}

function pictureOf(array, caption, signed) {
  const [count, height, width] = array.tiles;
  const columns = Math.max(1, Math.min(count, Math.round(Math.sqrt((count * height) / width))));
  const rows = Math.ceil(count / columns);
  const scale = Math.max(1, Math.min(12, Math.floor(Math.min(WIDE / (columns * width), HIGH / (rows * height)))));
  const tiles = new Tiles({
    count,
    height,
    width,
    columns,
    scale,
    gap: count > 1 ? 1 : 0,
    label: `picture: ${caption}`,
  });
  const color = (signed ? twoColors : greys)([array.low, array.high]);
  tiles.draw((k) => color(array.values[k]));
  const kept = array.tiles.reduce((product, n) => product * n, 1);
  const whole = array.shape.reduce((product, n) => product * n, 1);
  const part = kept < whole ? `; the picture has ${kept} of ${whole} numbers` : "";
  const facts = ["low", "high", "mean", "std"].map((name) => `${name} ${format(array[name])}`).join(", ");
  return [
    element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption }, tiles.canvas),
    element("p", { class: "small" }, `${shapeOf(array)}: ${facts}${part}`),
  ];
}
