// A canvas of tiles, one for each map or filter: drawn, marked, and asked by pointer and keyboard for a pixel.
import { isDark, lineColor } from "./colors.js";
import { element } from "./dom.js";

const MARK = "#ff2d96";
const HALO = "#ffffff";

const packed = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;

/**
 * count tiles of height x width numbers, `columns` in a row, each number a square of `scale` pixels.
 *
 * onpick(tile, y, x): called with the pixel that is pressed or moved to; chosen(): the one to move from.
 */
export class Tiles {
  constructor({ count, height, width, columns, scale, gap = 2, label, onpick, chosen, onenter }) {
    Object.assign(this, { count, height, width, columns, scale, gap, onpick, chosen });
    this.pitch = [height * scale + gap, width * scale + gap];
    const rows = Math.ceil(count / columns);
    this.canvas = element("canvas", {
      width: columns * this.pitch[1] + gap,
      height: rows * this.pitch[0] + gap,
      ...(onpick ? { tabindex: 0, role: "application" } : { role: "img" }),
      "aria-label": label,
    });
    if (!onpick) return;
    this.canvas.addEventListener("click", (event) => this.pressed(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event, onenter));
  }

  /** The left upper corner of a number. */
  corner(tile, y, x) {
    const [row, column] = [Math.floor(tile / this.columns), tile % this.columns];
    return [this.gap + column * this.pitch[1] + x * this.scale, this.gap + row * this.pitch[0] + y * this.scale];
  }

  /**
   * Draw all numbers; color(k): [red, green, blue] of number k. marks: {tile, rows, columns} to put a frame around.
   *
   * drawn: what the numbers are; where it is what it was before, only marks are drawn anew.
   */
  draw(color, marks = [], drawn = null) {
    const context = this.canvas.getContext("2d");
    if (!drawn || this.drawn !== drawn || this.dark !== isDark()) this.image = this.painted(context, color);
    Object.assign(this, { drawn, dark: isDark() });
    context.putImageData(this.image, 0, 0);
    const all = this.height * this.width === 1 && marks.length >= this.count && this.count > 1;
    if (all) this.stroke(context, [1, 1, this.canvas.width - 2, this.canvas.height - 2]);
    else for (const mark of marks) this.frame(context, mark);
  }

  painted(context, color) {
    const image = context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const area = this.height * this.width;
    pixels.fill(packed(lineColor()), 0);
    for (let k = 0; k < this.count * area; k++) {
      const ink = packed(color(k));
      const [left, top] = this.corner(Math.floor(k / area), Math.floor((k % area) / this.width), k % this.width);
      for (let y = top; y < top + this.scale; y++) {
        pixels.fill(ink, y * image.width + left, y * image.width + left + this.scale);
      }
    }
    return image;
  }

  frame(context, { tile, rows, columns }) {
    const [left, top] = this.corner(tile, rows[0], columns[0]);
    const [right, bottom] = this.corner(tile, rows[1] + 1, columns[1] + 1);
    this.stroke(context, [left - 1, top - 1, right - left + 2, bottom - top + 2]);
  }

  stroke(context, around) {
    for (const [color, width] of [
      [HALO, 3],
      [MARK, 1.5],
    ]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.strokeRect(...around);
    }
  }

  pressed(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) * this.canvas.width) / box.width - this.gap;
    const y = ((event.clientY - box.top) * this.canvas.height) / box.height - this.gap;
    const [row, column] = [Math.floor(y / this.pitch[0]), Math.floor(x / this.pitch[1])];
    const within = [Math.floor((y % this.pitch[0]) / this.scale), Math.floor((x % this.pitch[1]) / this.scale)];
    const tile = row * this.columns + column;
    const hits = column < this.columns && tile >= 0 && tile < this.count && x >= 0 && y >= 0;
    if (hits && within[0] < this.height && within[1] < this.width) this.onpick(tile, ...within);
  }

  /** Arrows move by a pixel, Page Up and Down by a tile, Home and End to the first and last; Enter explains. */
  key(event, onenter) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const [tile, y, x] = this.chosen();
    const small = this.height * this.width === 1; // of a vector the arrows move through the tiles
    const moves = {
      ArrowLeft: small ? [tile - 1, y, x] : [tile, y, x - 1],
      ArrowRight: small ? [tile + 1, y, x] : [tile, y, x + 1],
      ArrowUp: small ? [tile - this.columns, y, x] : [tile, y - 1, x],
      ArrowDown: small ? [tile + this.columns, y, x] : [tile, y + 1, x],
      PageUp: [tile - 1, y, x],
      PageDown: [tile + 1, y, x],
      Home: [0, y, x],
      End: [this.count - 1, y, x],
    };
    if (event.key === "Enter") onenter?.();
    else if (moves[event.key]) this.moveTo(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  moveTo(tile, y, x) {
    const exists = [tile, y, x].every((n, k) => n >= 0 && n < [this.count, this.height, this.width][k]);
    if (exists) this.onpick(tile, y, x);
  }
}

const HIGHEST = 480; // pixels of a sheet of tiles
const LARGEST = 350_000; // pixels of it, in all

/** How tiles of this many maps, of this many pixels, fit into a column of the page. */
export function arrangement([count, height, width]) {
  const isVector = height * width === 1;
  const gap = isVector ? 1 : 2;
  const area = (scale) => count * (height * scale + gap) * (width * scale + gap);
  let scale = isVector ? (count > 256 ? 7 : 11) : Math.max(1, Math.min(11, Math.round(34 / Math.max(height, width))));
  while (scale > 1 && area(scale) > LARGEST) scale--;
  const rows = Math.max(1, Math.floor(HIGHEST / (height * scale + gap)));
  const columns = Math.max(1, Math.ceil(Math.sqrt(count / 2)), Math.ceil(count / rows));
  return { count, height, width, scale, gap, columns };
}
