// A window that slides: direct, as a matrix of columns (im2col), and backwards, added back (col2im), side by side.
import { col2im, columnGradients, im2col, mapsOf, windowsOf } from "../engine/columns.js";
import { indexOf, placeOf } from "../engine/shape.js";
import { behind, greys, isDark, rangeOf, twoColors } from "../view/colors.js";
import { element, format } from "../view/dom.js";
import { Tiles } from "../view/tiles.js";
import { Player } from "./player.js";

const KINDS = ["conv2d", "maxPool2d", "avgPool2d"];
const MAP = 168; // pixels of a map
const MATRIX = 360; // and of a matrix, about
const MOST = 49; // numbers of a window that are written out

/** Whether a layer's windows can be stepped through; those of an adaptive pool differ in size. */
export const hasWindows = ({ kind, window }) => KINDS.includes(kind) && !window.adaptive;

const isConvolution = (layer) => layer.kind === "conv2d";

/** A matrix, or a map, as a picture that is drawn once; show(): what is not computed yet is covered. */
class Picture {
  constructor({ height, width, side, label, color }) {
    const scale = Math.max(1, Math.min(14, Math.floor(side / Math.max(height, width))));
    Object.assign(this, { height, width, scale });
    this.tiles = new Tiles({ count: 1, height, width, columns: 1, scale, label });
    this.drawn = new OffscreenCanvas(this.tiles.canvas.width, this.tiles.canvas.height);
    this.paint(color);
  }

  paint(color) {
    this.tiles.draw(color);
    this.drawn.getContext("2d").drawImage(this.tiles.canvas, 0, 0);
  }

  /** covered: [row, column, rows, columns] of what is not there yet; marks: as of Tiles. */
  show(covered, marks) {
    const context = this.tiles.canvas.getContext("2d");
    context.drawImage(this.drawn, 0, 0);
    context.fillStyle = isDark() ? "#2b2b36" : "#e4e4ec";
    for (const [row, column, rows, columns] of covered) {
      const [left, top] = this.tiles.corner(0, row, column);
      context.fillRect(left, top, columns * this.scale, rows * this.scale);
    }
    for (const mark of marks) this.tiles.frame(context, { tile: 0, ...mark });
  }
}

const box = (rows, columns) => ({ rows, columns });
const scrolled = (label, ...content) =>
  element("div", { class: "scrolls tall", tabindex: 0, role: "group", "aria-label": label }, ...content);
const figure = (caption, canvas) =>
  element("figure", {}, element("figcaption", {}, caption), scrolled(caption, canvas));

/** Numbers in the rows of a window; lost: whether entry k is padding. */
function grid(caption, numbers, width, lost, most = Math.max(...[...numbers].filter(isFinite).map(Math.abs), 0)) {
  const cells = Array.from(numbers, (x, k) => {
    const cell = element("td", { class: lost(k) ? "number padding" : "number" }, format(x, width > 4 ? 3 : 4));
    if (!lost(k)) cell.style.backgroundColor = behind(x, most);
    return cell;
  });
  const rows = [];
  for (let k = 0; k < cells.length; k += width) rows.push(element("tr", {}, ...cells.slice(k, k + width)));
  const table = element("table", {}, element("tbody", {}, ...rows));
  const scrolls = element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption }, table);
  return element("figure", { class: "grid" }, element("figcaption", {}, caption), scrolls);
}

/** All that is shown of one layer and one of its output maps, but for the place of the window. */
class Subject {
  constructor(state, n, o) {
    const { network } = state;
    Object.assign(this, { state, network, n, o, layer: network.layers[n] });
    const { layer } = this;
    const source = layer.sources[0];
    this.x = network.values[source];
    this.y = network.values[n];
    this.gy = network.gradients[n];
    this.windows = windowsOf(layer, o);
    this.columns = im2col(this.windows, this.x, layer.kind === "maxPool2d" ? -Infinity : 0);
    const explained = (place) =>
      network
        .explain(n, this.at(place))
        .terms.map(({ at, factor }) => ({ index: indexOf(layer.inputs[0], at), factor }));
    this.gradients = columnGradients(layer, this.windows, this.gy, o, explained);
    [this.first, this.seen] = mapsOf(layer, o);
    this.area = layer.window.kernel[0] * layer.window.kernel[1];
    this.inputName = network.layers[source].name;
  }

  at = (place) => placeOf(this.layer.output, this.o * this.windows.places + place);

  /** Column `place` of a matrix of columns, the rows of input map first + c only. */
  column(matrix, place, c) {
    const { places } = this.windows;
    return Array.from({ length: this.area }, (_, k) => matrix[(c * this.area + k) * places + place]);
  }

  /** The row of the filter matrix, those of input map first + c only. */
  filter(c) {
    const start = this.o * this.windows.rows + c * this.area;
    return [...this.layer.weight.data.slice(start, start + this.area)];
  }

  /** The map whose products have the largest sum at a place. */
  strongest(place) {
    if (!isConvolution(this.layer)) return 0;
    const sum = (c) => {
      const w = this.filter(c);
      return Math.abs(this.column(this.columns, place, c).reduce((total, x, k) => total + x * w[k], 0));
    };
    return Array.from({ length: this.seen }, (_, c) => sum(c)).reduce(
      (best, s, c, all) => (s > all[best] ? c : best),
      0,
    );
  }
}

export class WindowsView {
  /** state, choose: of the page; a step of the window chooses its output. */
  constructor(state, choose) {
    Object.assign(this, { state, choose });
    this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
    this.player = new Player({
      count: 1,
      label: "place of the window",
      describe: (place) => (this.subject ? `place ${place}: ${this.placeText(place)}` : ""),
      onstep: (place) => this.choose({ layer: this.subject.n, at: this.subject.at(place) }),
    });
    this.output = element("select", { id: "filter", onchange: () => this.choosesOutput() });
    this.input = element("select", { id: "seen", onchange: () => this.choosesInput() });
    this.outputLabel = element("label", { for: "filter" });
    this.inputLabel = element("label", { for: "seen" }, "input map ");
    const selects = element("p", { class: "controls" }, this.outputLabel, this.output, this.inputLabel, this.input);
    this.content = element("div", { class: "columns" });
    this.element = element(
      "section",
      { class: "panel", "aria-label": "a sliding window" },
      ...[this.heading, this.player.element, selects, this.content],
    );
  }

  choosesOutput() {
    const { n } = this.subject;
    const [, ...place] = this.state.chosen.at;
    this.choose({ layer: n, at: [Number(this.output.value), ...place] });
  }

  choosesInput() {
    this.c = Number(this.input.value);
    this.draw();
    this.show(this.player.at);
  }

  placeText(place) {
    const [, i, j] = this.subject.at(place);
    return `row ${i}, column ${j}`;
  }

  update() {
    const { network, chosen } = this.state;
    const { layer: n, at } = chosen;
    const { output } = network.layers[n];
    const place = at[1] * output[2] + at[2];
    const { n: before, o, gy } = this.subject ?? {};
    if (before !== n || o !== at[0] || gy !== network.gradients[n]) {
      this.subject = new Subject(this.state, n, at[0]);
      if (before !== n || !isConvolution(this.subject.layer)) this.c = this.subject.strongest(place);
      this.c = Math.min(this.c, this.subject.seen - 1);
      this.fillSelects();
      this.draw();
    }
    this.player.resize(this.subject.windows.places);
    this.player.at = place;
    this.player.update();
    this.show(place);
  }

  fillSelects() {
    const { layer, first, seen, o } = this.subject;
    const options = (from, count) =>
      Array.from({ length: count }, (_, k) => element("option", { value: k }, String(from + k)));
    this.outputLabel.textContent = isConvolution(layer) ? "filter " : "map ";
    this.output.replaceChildren(...options(0, layer.output[0]));
    this.output.value = o;
    this.input.replaceChildren(...options(first, seen));
    this.input.value = this.c;
    for (const part of [this.input, this.inputLabel]) part.hidden = seen === 1;
  }

  redraw() {
    this.draw();
    this.show(this.player.at);
  }

  stop = () => this.player.stop();

  /** All pictures that a step of the window leaves as they are. */
  draw() {
    const { subject: s, c } = this;
    const { layer, windows } = s;
    const [, inputHeight, inputWidth] = layer.inputs[0];
    const [, height, width] = layer.output;
    const map = s.first + c;
    const area = inputHeight * inputWidth;
    const grey = greys(s.x);
    const values = greys(s.y);
    const signed = twoColors(s.gradients);
    const isConv = isConvolution(layer);
    const columnColor = (k) => (windows.from[k] < 0 ? [128, 128, 148] : grey(s.columns[k]));
    const matrix = { height: windows.rows, width: windows.places, side: MATRIX };
    const one = { height: 1, width: windows.places, side: MATRIX };
    const yRow = (k) => values(s.y[s.o * windows.places + k]);
    this.pictures = {
      x: new Picture({
        ...{ height: inputHeight, width: inputWidth, side: MAP, label: `${s.inputName}, map ${map}` },
        color: (k) => grey(s.x[map * area + k]),
      }),
      y: new Picture({
        ...{ height, width, side: MAP, label: `${layer.name}, map ${s.o}, as far as it is computed` },
        color: yRow,
      }),
      columns: new Picture({ ...matrix, label: "the matrix of columns, as far as it is filled", color: columnColor }),
      row: new Picture({ ...one, label: "the row of the output matrix", color: yRow }),
      gradients: new Picture({
        ...{ ...matrix, label: "the gradients of the columns" },
        color: (k) => (windows.from[k] < 0 ? [128, 128, 148] : signed(s.gradients[k])),
      }),
      gx: new Picture({
        ...{
          height: inputHeight,
          width: inputWidth,
          side: MAP,
          label: `the gradient of ${s.inputName}, map ${map}, so far`,
        },
        color: () => [255, 255, 255],
      }),
    };
    if (isConv) {
      const weights = twoColors(layer.weight.data);
      const count = layer.output[0];
      this.pictures.filters = new Picture({
        ...{ height: count, width: windows.rows, side: MATRIX, label: "the filter matrix, a filter in each row" },
        color: (k) => weights(layer.weight.data[k]),
      });
    }
    this.whole = col2im(windows, s.gradients, layer.inputs[0]);
  }

  /** The window at a place. */
  show(place) {
    const { subject: s, pictures: p, c } = this;
    const { layer, windows } = s;
    const [, height, width] = layer.output;
    const [, i, j] = s.at(place);
    const value = s.y[s.o * windows.places + place];
    this.heading.setAttribute("aria-live", this.player.timer ? "off" : "polite");
    this.heading.textContent = `${layer.name}, map ${s.o}: the window of row ${i}, column ${j}, value ${format(value)}`;
    const seen = this.seenBox(place);
    const rest = [0, place + 1, windows.rows, windows.places - place - 1];
    const rows = [c * s.area, (c + 1) * s.area - 1];
    p.x.show([], seen);
    p.y.show(
      [
        [i, j + 1, 1, width - j - 1],
        [i + 1, 0, height - i - 1, width],
      ],
      [box([i, i], [j, j])],
    );
    p.columns.show([rest], [box([0, windows.rows - 1], [place, place]), box(rows, [place, place])]);
    p.row.show([[0, place + 1, 1, windows.places - place - 1]], [box([0, 0], [place, place])]);
    p.filters?.show([], [box([s.o, s.o], [0, windows.rows - 1]), box([s.o, s.o], rows)]);
    p.gradients.show([rest], [box([0, windows.rows - 1], [place, place]), box(rows, [place, place])]);
    const sums = col2im(windows, s.gradients, layer.inputs[0], place + 1);
    const color = twoColors(this.whole);
    const area = layer.inputs[0][1] * layer.inputs[0][2];
    p.gx.paint((k) => color(sums[(s.first + c) * area + k]));
    p.gx.show([], seen);
    this.content.replaceChildren(this.direct(place, value), this.asMatrix(place, value), this.backwards(place, sums));
  }

  /** The part of the window that is within the input. */
  seenBox(place) {
    const { windows, layer, area } = this.subject;
    const found = [];
    for (let k = 0; k < area; k++) {
      const from = windows.from[(this.c * area + k) * windows.places + place];
      if (from >= 0) found.push(placeOf(layer.inputs[0], from));
    }
    if (!found.length) return [];
    return [box(rangeOf(found.map(([, y]) => y)), rangeOf(found.map(([, , x]) => x)))];
  }

  isLost = (place) => (k) => {
    const { windows, area } = this.subject;
    return windows.from[(this.c * area + k) * windows.places + place] < 0;
  };

  part(title, text, ...content) {
    return element("section", {}, element("h3", {}, title), element("p", { class: "small" }, text), ...content);
  }

  direct(place, value) {
    const { subject: s, pictures: p, c } = this;
    const { layer } = s;
    const width = layer.window.kernel[1];
    const lost = this.isLost(place);
    const x = s.column(s.columns, place, c);
    const figures = [
      figure(`${s.inputName}, map ${s.first + c}: the window`, p.x.tiles.canvas),
      figure(`${layer.name}, map ${s.o}`, p.y.tiles.canvas),
    ];
    const numbers = s.area <= MOST ? [grid("x", x, width, lost)] : [];
    if (!isConvolution(layer)) {
      const text = layer.kind === "maxPool2d" ? "The largest number under the window." : "The mean under the window.";
      const found = element("p", {}, `y = ${format(value)}`);
      return this.part("Direct", text, element("div", { class: "figures" }, ...figures, ...numbers), found);
    }
    const w = s.filter(c);
    const products = x.map((a, k) => a * w[k]);
    if (s.area <= MOST)
      numbers.push(
        grid("w", w, width, () => false),
        grid("w x", products, width, lost),
      );
    const sum = products.reduce((total, a) => total + a, 0);
    const others = s.seen > 1 ? ` The other ${s.seen - 1} maps it sees: ${format(value - sum - this.bias())}.` : "";
    const bias = layer.bias ? ` Bias: ${format(this.bias())}.` : "";
    const said = `These ${s.area} products: ${format(sum)}.${others}${bias} Together y = ${format(value)}.`;
    const text = "Products of what is under the window with the filter, added up.";
    return this.part(
      "Direct",
      text,
      element("div", { class: "figures" }, ...figures, ...numbers),
      element("p", {}, said),
    );
  }

  bias = () => this.subject.layer.bias?.data[this.subject.o] ?? 0;

  asMatrix(place, value) {
    const { subject: s, pictures: p, c } = this;
    const { layer, windows } = s;
    const shape = `${windows.rows} × ${windows.places}`;
    const columns = figure(`columns, ${shape}: column ${place} is this window`, p.columns.tiles.canvas);
    const row = figure(`the row of map ${s.o} in the output, 1 × ${windows.places}`, p.row.tiles.canvas);
    const text =
      "im2col copies the window, row by row and map by map, into the column of its place. " +
      (isConvolution(layer)
        ? "One matrix product then computes all places of all maps: row times column."
        : "Each column then gives one number.");
    const filters = p.filters
      ? [figure(`filter matrix, ${layer.output[0]} × ${windows.rows}: row ${s.o}`, p.filters.tiles.canvas)]
      : [];
    return this.part(
      "im2col",
      text,
      element("div", { class: "figures" }, ...filters, columns, row),
      this.columnTable(place, c),
      element("p", {}, `${this.resultOf(layer, place)} = ${format(value)}`),
    );
  }

  resultOf({ kind, bias }, place) {
    if (kind === "conv2d") return `row ${this.subject.o} · column ${place}${bias ? " + bias" : ""}`;
    return `the ${kind === "maxPool2d" ? "largest" : "mean"} of column ${place}`;
  }

  /** The rows of the column that are of the chosen map, with what they are multiplied by. */
  columnTable(place, c) {
    const { subject: s } = this;
    const { layer } = s;
    const width = layer.window.kernel[1];
    const x = s.column(s.columns, place, c);
    const w = isConvolution(layer) ? s.filter(c) : null;
    const lost = this.isLost(place);
    const headings = ["row", "c, u, v", "x", ...(w ? ["w", "w x"] : [])];
    const rows = x.map((value, k) => {
      const numbers = [value, ...(w ? [w[k], w[k] * value] : [])];
      const where = `${s.first + c}, ${Math.floor(k / width)}, ${k % width}${lost(k) ? " padding" : ""}`;
      const cells = numbers.map((number) => element("td", { class: "number" }, format(number)));
      return element("tr", {}, element("td", {}, String(c * s.area + k)), element("td", {}, where), ...cells);
    });
    const head = element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text)));
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
    const label = `column ${place}, the rows of map ${s.first + c}`;
    const scrolls = element("div", { class: "scrolls tall", tabindex: 0, role: "group", "aria-label": label }, table);
    return element("details", { open: s.area <= 9 }, element("summary", {}, label), scrolls);
  }

  backwards(place, sums) {
    const { subject: s, pictures: p, c } = this;
    const { layer, windows } = s;
    const width = layer.window.kernel[1];
    const lost = this.isLost(place);
    const added = s.column(s.gradients, place, c);
    const from = Array.from({ length: s.area }, (_, k) => windows.from[(c * s.area + k) * windows.places + place]);
    const after = from.map((k) => (k < 0 ? 0 : sums[k]));
    const before = after.map((sum, k) => (from[k] < 0 ? 0 : sum - added[k]));
    const most = Math.max(...[...before, ...added, ...after].map(Math.abs));
    const how = isConvolution(layer)
      ? "The filters, transposed, times the gradients arriving give the gradients of all columns. "
      : layer.kind === "maxPool2d"
        ? "The gradient arriving goes to the largest number of its column. "
        : "The gradient arriving is shared out equally within its column. ";
    const numbers =
      s.area <= MOST
        ? [
            grid("sum so far", before, width, lost, most),
            element("span", { class: "sign" }, "+"),
            grid(`column ${place}`, added, width, lost, most),
            element("span", { class: "sign" }, "="),
            grid("sum now", after, width, lost, most),
          ]
        : [];
    return this.part(
      "col2im, backwards",
      `${how}col2im adds each column back to the pixels that it was copied from: where windows overlap, sums grow.`,
      element(
        "div",
        { class: "figures" },
        figure(`gradients of the columns, ${windows.rows} × ${windows.places}`, p.gradients.tiles.canvas),
        figure(
          `gradient of ${s.inputName}, map ${s.first + c}, after ${place + 1} of ${windows.places} places`,
          p.gx.tiles.canvas,
        ),
      ),
      element("div", { class: "figures arrays" }, ...numbers),
    );
  }
}
