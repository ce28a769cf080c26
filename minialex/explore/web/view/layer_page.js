// About a layer: what it is, its sizes, formulas and numbers, its parameters as pictures, the lines that compute it.
import { gradCamOf, occlusionOf } from "./attention.js";
import { rangeOf, twoColors } from "./colors.js";
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
  const numbers = backward ? network.gradients[n] : network.values[n];
  return [titled(backward ? "Gradients" : "Values", histogram(numbers, backward ? "gradients" : "values"))];
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

/** Whole filters in a row, as large as fits into some 640 x 320 pixels. */
function filterTiles([filters, maps, height, width]) {
  const place = (tile, y, x) => [Math.floor(tile / maps), tile % maps, y, x];
  const tiles = (scale) => {
    const together = Math.max(1, Math.min(filters, Math.floor(640 / (maps * (width * scale + 1)))));
    return { count: filters * maps, height, width, columns: maps * together, scale, gap: 1, place };
  };
  const fits = ({ count, columns, scale }) => Math.ceil(count / columns) * (height * scale + 1) <= 320;
  return [6, 5, 4, 3].map(tiles).find(fits) ?? tiles(2);
}

/** The place of an index in an array of any shape. */
const unraveled = (k, shape) =>
  shape.map((n, axis) => Math.floor(k / shape.slice(axis + 1).reduce((product, m) => product * m, 1)) % n);

/** The tiles of a parameter: a filter's window for each input map, a matrix, or a number for each channel. */
function tilesOf(shape) {
  if (shape.length === 4) return filterTiles(shape);
  const [rows, columns = 1] = shape;
  if (shape.length === 2) {
    const scale = Math.max(1, Math.min(6, Math.floor(600 / Math.max(rows, columns))));
    return { count: 1, height: rows, width: columns, columns: 1, scale, place: (t, y, x) => [y, x] };
  }
  if (shape.length === 3) {
    const [count, height, width] = shape;
    return { count, height, width, columns: 16, scale: 4, gap: 1, place: (t, y, x) => [t, y, x] };
  }
  if (shape.length > 3) {
    const [height, width] = [shape.slice(0, -3), shape.slice(-3)].map((axes) =>
      axes.reduce((product, n) => product * n, 1),
    );
    return { count: 1, height, width, columns: 1, scale: 1, place: (t, y, x) => unraveled(y * width + x, shape) };
  }
  return { count: rows, height: 1, width: 1, columns: 32, scale: 12, gap: 1, place: (t) => [t] };
}

/** A parameter's numbers, or their gradients, as a picture; a press chooses one. */
function parameter(state, n, name, choose) {
  const { backward, network, chosen } = state;
  const { shape, data } = network.layers[n][name];
  const numbers = backward ? network.parameterGradients[n][name] : data;
  const { place, ...options } = tilesOf(shape);
  const first = [0, 0, 0];
  const at = () => (chosen.parameter === name && state.lastTile) || first;
  const onpick = (...tile) => {
    state.lastTile = tile;
    choose({ layer: n, parameter: name, at: place(...tile) });
  };
  const what = `${backward ? "gradients of the " : ""}${name}, ${shape.join(" × ")}`;
  const tiles = new Tiles({ ...options, label: `${what}: arrow keys choose one`, onpick, chosen: at });
  const color = twoColors(numbers);
  const marked = chosen.parameter === name && state.lastTile;
  const marks = marked ? [{ tile: marked[0], rows: [marked[1], marked[1]], columns: [marked[2], marked[2]] }] : [];
  tiles.draw((k) => color(numbers[k]), marks);
  const [low, high] = rangeOf(numbers);
  const key = `orange: positive, blue: negative; full colour: ±${format(Math.max(Math.abs(low), Math.abs(high)))}`;
  const canvas = element("div", { class: "scrolls tall" }, tiles.canvas);
  return titled(
    what[0].toUpperCase() + what.slice(1),
    histogram(numbers, what),
    element("p", { class: "small" }, key),
    canvas,
  );
}
