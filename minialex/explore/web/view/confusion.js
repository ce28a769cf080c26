// What the network takes test pictures for, as a table of classes; a press shows the pictures of a cell.
import { behind, twoColors } from "./colors.js";
import { element, percent } from "./dom.js";
import { Tiles } from "./tiles.js";

const NUMBERS = 20; // classes: of more, colours take the place of numbers
const SIDE = 64; // pixels of a picture

const counted = (count) => `${count.toLocaleString("en")} picture${count === 1 ? "" : "s"}`;
const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

export class Confusion {
  /** open(picture): called with a picture of a cell that is pressed; null where the page cannot compute it. */
  constructor(timeline, classes, shape, open) {
    Object.assign(this, { timeline, classes, shape, open });
    this.summary = element("summary");
    this.chosen = this.worst();
    this.table = classes.length <= NUMBERS ? this.numbers() : this.colors();
    this.heading = element("h3", { "aria-live": "polite" });
    this.found = element("div", { class: "found" });
    const about = `Rows: what it is. Columns: what the network takes it for. ${this.extent()}`;
    const help = "Press a number, or choose one with the arrow keys, to see its pictures.";
    const parts = [element("p", { class: "small" }, `${about} ${help}`), this.table, this.heading, this.found];
    this.element = element("details", { class: "confusion" }, this.summary, ...parts);
    this.update();
  }

  extent() {
    const { tested, of } = this.timeline;
    if (tested.length === of) return `All ${of.toLocaleString("en")} test pictures.`;
    return `${tested.length.toLocaleString("en")} of the ${of.toLocaleString("en")} test pictures, drawn at random.`;
  }

  /** The cell of the most frequent mistake. */
  worst() {
    const counts = this.timeline.counts(this.classes.length);
    const cells = counts.flatMap((row, i) => row.map((count, j) => ({ count: i === j ? 0 : count, cell: [i, j] })));
    return cells.reduce((best, other) => (other.count > best.count ? other : best)).cell;
  }

  /** A table of buttons, of which Tab reaches one. */
  numbers() {
    const head = (text, scope) => element("th", { scope }, text);
    this.buttons = this.classes.map((_, i) =>
      this.classes.map((_, j) => {
        const onclick = () => this.choose(i, j);
        return element("button", { type: "button", onclick, onkeydown: (event) => this.key(event) });
      }),
    );
    const rows = this.buttons.map((row, i) =>
      element("tr", {}, head(this.classes[i], "row"), ...row.map((button) => element("td", {}, button))),
    );
    const top = element("tr", {}, element("td"), ...this.classes.map((name) => head(name, "col")));
    const table = element("table", {}, element("thead", {}, top), element("tbody", {}, ...rows));
    return element("div", { class: "scrolls", role: "group", "aria-label": "confusion matrix" }, table);
  }

  colors() {
    const count = this.classes.length;
    const scale = Math.max(1, Math.min(9, Math.floor(640 / count)));
    const label = "confusion matrix: arrow keys choose a cell";
    const onpick = (tile, i, j) => this.choose(i, j);
    const chosen = () => [0, ...this.chosen];
    this.tiles = new Tiles({ count: 1, height: count, width: count, columns: 1, scale, label, onpick, chosen });
    return element("div", { class: "scrolls tall" }, this.tiles.canvas);
  }

  key(event) {
    const last = this.classes.length - 1;
    const [i, j] = this.chosen;
    const moves = {
      ArrowUp: [i - 1, j],
      ArrowDown: [i + 1, j],
      ArrowLeft: [i, j - 1],
      ArrowRight: [i, j + 1],
      Home: [i, 0],
      End: [i, last],
    };
    const to = moves[event.key];
    if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (to.some((place) => place < 0 || place > last)) return;
    this.choose(...to);
    this.buttons[to[0]][to[1]].focus();
  }

  choose(i, j) {
    this.chosen = [i, j];
    this.update();
  }

  describe(i, j, count) {
    const [label, predicted] = [this.classes[i], this.classes[j]];
    return i === j ? `${label}, recognised: ${counted(count)}` : `${label} taken for ${predicted}: ${counted(count)}`;
  }

  update() {
    const { timeline, classes } = this;
    const counts = timeline.counts(classes.length);
    const right = sum(counts.map((row, i) => row[i]));
    const count = timeline.labels.length;
    const after = `after ${timeline.epoch} epoch${timeline.epoch === 1 ? "" : "s"}`;
    this.summary.textContent = `Confusion ${after}: ${percent(right / count)} of ${counted(count)} recognised`;
    if (this.tiles) this.draw(counts);
    else this.fill(counts);
    this.show();
  }

  fill(counts) {
    this.buttons.forEach((row, i) => {
      const all = sum(counts[i]) || 1;
      row.forEach((button, j) => {
        const isChosen = this.chosen[0] === i && this.chosen[1] === j;
        button.textContent = counts[i][j];
        button.setAttribute("aria-label", this.describe(i, j, counts[i][j]));
        button.setAttribute("aria-pressed", isChosen);
        button.tabIndex = isChosen ? 0 : -1;
        const share = counts[i][j] / all;
        button.style.backgroundColor = isChosen ? "" : behind(i === j ? -share : share, 1);
      });
    });
  }

  /** Blue on the diagonal, orange beside it. */
  draw(counts) {
    const shares = counts.flatMap((row, i) => row.map((n, j) => (i === j ? -n : n) / (sum(row) || 1)));
    const color = twoColors(shares);
    const [i, j] = this.chosen;
    this.tiles.draw((k) => color(shares[k]), [{ tile: 0, rows: [i, i], columns: [j, j] }]);
  }

  /** The pictures of the chosen cell that the page has. */
  show() {
    const [i, j] = this.chosen;
    const { timeline } = this;
    const all = timeline.cell(i, j);
    const known = all.filter((k) => timeline.pictures[k]).slice(0, timeline.most);
    this.heading.textContent = this.describe(i, j, all.length);
    const missing = all.length - known.length;
    const text = `and ${counted(missing)} more, which the page leaves out`;
    const rest = missing ? [element("p", { class: "small" }, text)] : [];
    this.found.replaceChildren(...known.map((k) => this.picture(k, i)), ...rest);
  }

  picture(k, label) {
    const pixels = this.timeline.pictures[k];
    const [, height, width] = this.shape;
    const area = height * width;
    const scale = Math.max(1, Math.floor(SIDE / Math.max(height, width)));
    const caption = `test image ${this.timeline.tested[k]}`;
    const tiles = new Tiles({ count: 1, height, width, columns: 1, scale, gap: 0, label: caption });
    tiles.draw((i) => [pixels[i], pixels[area + i], pixels[2 * area + i]]);
    if (!this.open) return tiles.canvas;
    tiles.canvas.setAttribute("aria-hidden", "true");
    const onclick = () => this.open({ caption, shape: [3, height, width], pixels, label });
    const options = { type: "button", "aria-label": `${caption}: explore it`, title: caption, onclick };
    return element("button", options, tiles.canvas);
  }
}
