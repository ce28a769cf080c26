// About a layer: what it is, its sizes, formulas and numbers, its parameters as pictures, the lines that compute it.
import { indexOf, placeOf } from "../engine/shape.js";
import { gradCamOf, occlusionOf } from "./attention.js";
import { twoColors } from "./colors.js";
import { element, format } from "./dom.js";
import { histogram } from "./histogram.js";
import { Tiles } from "./tiles.js";

export function aboutLayer(state, n, engine, classes, choose) {
  const layer = state.network.layers[n];
  const parts = [element("p", {}, layer.sentence ?? ""), element("p", {}, element("code", {}, layer.title))];
  if (layer.sizes?.length) parts.push(titled("Sizes", pre(layer.sizes.join("\n"))));
  if (layer.receptiveField) {
    const { receptiveField: side, jump } = layer;
    parts.push(
      element("p", {}, `A pixel sees ${side} × ${side} pixels of the picture; from one to the next are ${jump}.`),
    );
  }
  if (engine) parts.push(titled("Formulas", pre(`${engine.formula}\n${engine.gradient}`)));
  if (n < state.network.end) parts.push(...distribution(state, n), ...attention(state, n, classes[state.target]));
  for (const name of ["weight", "bias"]) if (layer[name]) parts.push(parameter(state, n, name, choose));
  if (layer.code) parts.push(titled("In minialex", ...code(layer)));
  return element("div", {}, ...parts);
}

/** The values of a layer, or the gradients that arrive at it. */
function distribution({ network, backward }, n) {
  const kind = backward ? "gradients" : "values";
  return [titled(backward ? "Gradients" : "Values", histogram(network.summary(kind, n), kind))];
}

/** Where a class is seen: in the maps of a layer, or by covering the picture. */
function attention(state, n, name) {
  const [, height, width] = state.network.layers[n].output;
  if (n === 0) return [titled("Occlusion", occlusionOf(state, name))];
  return height * width > 1 ? [titled("Grad-CAM", gradCamOf(state, n, name))] : [];
}

const titled = (title, ...content) => element("section", {}, element("h3", {}, title), ...content);
const pre = (text) => element("pre", { tabindex: 0, role: "group", "aria-label": "text that may scroll" }, text);

function code(layer) {
  const described = layer.formulas ? [pre(layer.formulas)] : [];
  return [
    ...described,
    ...layer.code.map(({ file, line, code: text }) =>
      element("details", {}, element("summary", {}, `${file}, line ${line}`), pre(text)),
    ),
  ];
}

const product = (numbers) => numbers.reduce((all, n) => all * n, 1);

/** The place of an index in an array of any shape. */
const unraveled = (k, shape) => shape.map((n, axis) => Math.floor(k / product(shape.slice(axis + 1))) % n);

/** Whole filters in a row, as large as fits into some 640 x 320 pixels. */
function filterTiles([filters, maps, height, width]) {
  const tiles = (scale) => {
    const together = Math.max(1, Math.min(filters, Math.floor(640 / (maps * (width * scale + 1)))));
    return { count: filters * maps, height, width, columns: maps * together, scale, gap: 1 };
  };
  const fits = ({ count, columns, scale }) => Math.ceil(count / columns) * (height * scale + 1) <= 320;
  return [6, 5, 4, 3].map(tiles).find(fits) ?? tiles(2);
}

/** The tiles of a parameter: a filter's window for each input map, maps, a matrix, or a number for each channel. */
function tilesOf(shape) {
  if (shape.length === 4) return filterTiles(shape);
  if (shape.length === 3) return { count: shape[0], height: shape[1], width: shape[2], columns: 16, scale: 4, gap: 1 };
  if (shape.length === 1) return { count: shape[0], height: 1, width: 1, columns: 32, scale: 12, gap: 1 };
  const [height, width] = shape.length === 2 ? shape : [product(shape.slice(0, -3)), product(shape.slice(-3))];
  const scale = Math.max(1, Math.min(6, Math.floor(600 / Math.max(height, width))));
  return { count: 1, height, width, columns: 1, scale };
}

/** A parameter's numbers, or their gradients: a histogram, and where the page has all of them a picture. */
function parameter(state, n, name, choose) {
  const { backward, network } = state;
  const { shape, summary: isLarge } = network.layers[n][name];
  const summary = network.summary(backward ? "parameterGradients" : "parameters", n, name);
  const what = `${backward ? "gradients of the " : ""}${name}, ${shape.join(" × ")}`;
  const title = what[0].toUpperCase() + what.slice(1);
  if (!summary) return titled(title, element("p", {}, "This parameter is not learned: it has no gradient."));
  if (isLarge) return titled(title, histogram(summary, what));
  const key = `orange: positive, blue: negative; full colour: ±${format(sizeOf(summary))}`;
  return titled(
    title,
    histogram(summary, what),
    element("p", { class: "small" }, key),
    element("div", { class: "scrolls tall" }, pictureOf(state, n, name, what, choose)),
  );
}

const sizeOf = ({ smallest, largest }) => Math.max(Math.abs(smallest), Math.abs(largest));

/** A parameter's numbers, or their gradients, as tiles; a press chooses one. */
function pictureOf(state, n, name, what, choose) {
  const { backward, network, chosen } = state;
  const { shape, data } = network.layers[n][name];
  const numbers = backward ? network.parameterGradients[n][name] : data;
  const options = tilesOf(shape);
  const { height, width } = options; // tiles, rows and columns are in the order of the array
  const isChosen = chosen.layer === n && chosen.parameter === name;
  const k = isChosen ? chosen.at.reduce((index, place, axis) => index * shape[axis] + place, 0) : 0;
  const [tile, y, x] = placeOf([0, height, width], k);
  const onpick = (...at) => {
    choose({ layer: n, parameter: name, at: unraveled(indexOf([0, height, width], at), shape) });
  };
  const label = `${what}: arrow keys choose one`;
  const tiles = new Tiles({ ...options, label, onpick, chosen: () => [tile, y, x] });
  const color = twoColors(numbers);
  tiles.draw((i) => color(numbers[i]), isChosen ? [{ tile, rows: [y, y], columns: [x, x] }] : []);
  return tiles.canvas;
}
