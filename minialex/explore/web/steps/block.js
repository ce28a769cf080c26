// The threads of one block of a CUDA kernel: what each does in each step, shared memory, the source, and races.
import { bytesOf } from "../data.js";
import { isDark } from "../view/colors.js";
import { element, format, refill, table } from "../view/dom.js";
import { Tiles } from "../view/tiles.js";
import { Player } from "./player.js";
import { Sources } from "./source.js";

export const [LOAD, STORE, BARRIER, OUTSIDE_LOAD, OUTSIDE_STORE] = [0, 1, 2, 3, 4]; // kernels/checked.h
const FIELDS = ["step", "thread", "kind", "array", "index", "file", "line"];
const [READ, WRITTEN, WAITS, IDLE, GONE, WRONG] = [
  [0, 114, 178],
  [213, 94, 0],
  [120, 94, 150],
  [176, 176, 186],
  [232, 232, 238],
  [204, 0, 60],
]; // colours of what threads do and of cells; each has a letter, too
const LEGEND = [
  ["R", "reads global memory", READ],
  ["W", "writes global memory", WRITTEN],
  ["r", "reads shared memory", READ],
  ["w", "writes shared memory", WRITTEN],
  ["B", "waits at a barrier", WAITS],
  ["\u00b7", "waits for threads at another line", IDLE],
  ["\u2713", "has left the kernel", GONE],
  ["r!", "takes part in a race", WRONG],
  ["!", "is out of bounds: nothing is done", WRONG],
];
const ORDER = "What is read depends on who comes first; the emulator runs the threads in the order of their numbers.";
const ROOM = 640; // pixels that a row of cells may take
const css = (color) => `rgb(${color.join()})`;

/** The trace of a page: {..., events: [{step, thread, kind, array, index, file, line, value}], byStep}. */
export function decodedBlock(block) {
  const numbers = new Int32Array(bytesOf(block.numbers).buffer);
  const values = new Float64Array(bytesOf(block.values).buffer);
  const events = Array.from(values, (value, k) => ({
    value,
    ...Object.fromEntries(FIELDS.map((name, field) => [name, numbers[field * values.length + k]])),
  }));
  const byStep = Array.from({ length: block.steps }, () => []);
  events.forEach((event, k) => byStep[event.step].push(k));
  for (const ks of byStep) ks.sort((a, b) => events[a].thread - events[b].thread || a - b);
  const names = block.names.map((name) => (name.before ? { ...name, before: name.before.map(Number) } : name));
  return { ...block, names, events, byStep };
}

/** Cells of numbers in a canvas: filled, framed and lettered. */
class Cells {
  constructor({ count, columns, width, height, label, onpick, chosen }) {
    Object.assign(this, { count, width, height });
    this.columns = columns;
    const scale = { width, height };
    this.rows = Math.ceil(count / columns);
    const options = { class: "cells", width: columns * width + 1, height: this.rows * height + 1, "aria-label": label };
    const picking = onpick ? { tabindex: 0, role: "application" } : { role: "img" };
    this.canvas = element("canvas", { ...options, ...picking });
    if (!onpick) return;
    const tiles = { count, height: 1, width: 1, columns, chosen: () => [chosen(), 0, 0], onpick };
    this.canvas.addEventListener("keydown", (event) => Tiles.prototype.key.call({ ...tiles, moveTo }, event));
    this.canvas.addEventListener("click", (event) => {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) * this.canvas.width) / box.width / scale.width);
      const row = Math.floor(((event.clientY - box.top) * this.canvas.height) / box.height / scale.height);
      if (column >= 0 && column < columns && row * columns + column < count) onpick(row * columns + column);
    });
    function moveTo(k) {
      if (k >= 0 && k < count) onpick(k);
    }
  }

  /** paint(k): {fill, text, ink, frame} of a cell. */
  draw(paint) {
    const context = this.canvas.getContext("2d");
    const dark = isDark();
    context.fillStyle = dark ? "#141418" : "#ffffff";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.font = `${Math.min(12, this.height - 4)}px ui-monospace, "DejaVu Sans Mono", monospace`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const frames = [];
    for (let k = 0; k < this.count; k++) {
      const [x, y] = [(k % this.columns) * this.width, Math.floor(k / this.columns) * this.height];
      const { fill, text, ink, frame } = paint(k);
      context.fillStyle = fill ?? (dark ? "#26262e" : "#f0f0f4");
      context.fillRect(x + 1, y + 1, this.width - 1, this.height - 1);
      if (text) {
        context.fillStyle = ink ?? (dark ? "#ececf0" : "#1c1c20");
        context.fillText(text, x + this.width / 2, y + this.height / 2 + 1, this.width - 2);
      }
      if (frame) frames.push([frame, x, y]);
    }
    context.lineWidth = 3;
    for (const [frame, x, y] of frames) {
      context.strokeStyle = frame;
      context.strokeRect(x + 1.5, y + 1.5, this.width - 2, this.height - 2);
    }
  }
}

/** How the cells of an array are laid out: with numbers in them as long as there is room. */
function layoutOf({ size, columns }) {
  const across = columns || Math.min(size, size > 64 ? 32 : 16);
  const written = size <= 256 && across <= 32;
  const width = written
    ? Math.max(20, Math.min(46, Math.floor(ROOM / across)))
    : Math.max(2, Math.min(12, Math.floor(ROOM / across)));
  return { count: size, columns: across, width, height: written ? 20 : width, written };
}

export class BlockView {
  /** block: of decodedBlock; onstep(k): called when another step is shown. */
  constructor(block, onstep = () => {}) {
    Object.assign(this, { block, onstep, thread: 0 });
    this.count = block.block.reduce((product, n) => product * n, 1);
    this.own = Array.from({ length: this.count }, () => []); // numbers of the events of each thread
    block.events.forEach(({ thread }, n) => this.own[thread].push(n));
    this.raced = new Set(block.raced);
    this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
    const describe = (k) => `step ${k + 1}: ${this.words(k)}`;
    this.player = new Player({ count: block.steps, label: "step of the block", describe, onstep: (k) => this.show(k) });
    this.threads = this.threadCells();
    this.about = element("div");
    this.arrays = block.names.flatMap((name, k) => (name.drawn && name.size ? [this.arrayCells(name, k)] : []));
    this.sources = new Sources(block.sources);
    const { grid, block: size, number, kernel } = block;
    const title = `${kernel}: grid ${extent(grid)}, block ${number}, ${extent(size)} threads`;
    this.element = element(
      "div",
      { class: "panel block" },
      element("p", {}, title),
      block.stopped ? element("p", {}, block.stopped) : null,
      this.player.element,
      this.troubles(),
      element("section", { "aria-label": "the step" }, this.heading, this.about),
      element(
        "div",
        { class: "figures" },
        element(
          "section",
          {},
          element("h3", {}, "Threads"),
          this.scrolled("the threads", this.threads.canvas),
          this.legend(),
        ),
        element("section", {}, element("h3", {}, "Shared memory"), ...this.sections(true)),
        element("section", {}, element("h3", {}, "Global memory"), ...this.sections(false)),
      ),
      this.sources.element,
    );
  }

  scrolled = (label, ...content) =>
    element("div", { class: "scrolls tall", tabindex: 0, role: "group", "aria-label": label }, ...content);

  legend() {
    const item = ([letter, text, color]) => {
      const sign = element("span", { class: "key" }, letter);
      sign.style.borderColor = css(color);
      return element("li", {}, sign, ` ${text}`);
    };
    return element("ul", { class: "legend small" }, ...LEGEND.map(item));
  }

  sections(shared) {
    const wanted = this.arrays.filter(({ name }) => name.shared === shared);
    if (!wanted.length) return [element("p", { class: "small" }, "none is touched")];
    return wanted.map(({ name, cells }) =>
      element("figure", {}, element("figcaption", {}, sizeText(name)), this.scrolled(name.name, cells.canvas)),
    );
  }

  threadCells() {
    const [x, y, z] = this.block.block;
    const columns = y * z > 1 ? x : Math.min(x, 32);
    const side = Math.max(12, Math.min(24, Math.floor(ROOM / columns)));
    return new Cells({
      ...{ count: this.count, columns, width: side, height: side },
      label: "the threads: arrow keys choose one",
      chosen: () => this.thread,
      onpick: (k) => {
        this.thread = k;
        this.show(this.player.at);
      },
    });
  }

  arrayCells(name, k) {
    const layout = layoutOf(name);
    const label = `${name.shared ? "shared" : "global"} array ${name.name}`;
    return { name, k, layout, cells: new Cells({ ...layout, label }) };
  }

  /** Races first, each a button that leads to it; then what else the checked build has found. */
  troubles() {
    const { races, raceCount, problems, events } = this.block;
    const others = problems.filter((text) => !text.includes(": race: "));
    if (!raceCount && !others.length)
      return element("p", {}, "No race, and nothing else that the checked build complains of.");
    const button = ({ text, events: [first, second] }) => {
      const onclick = () => {
        this.thread = events[second].thread;
        this.player.go(Math.max(events[first].step, events[second].step));
      };
      return element("li", {}, element("button", { type: "button", class: "race", onclick }, text));
    };
    const many = raceCount > races.length ? `, of which these are the first ${races.length}` : "";
    const title = raceCount ? `${raceCount} race${raceCount > 1 ? "s" : ""}${many}` : "No race";
    return element(
      "details",
      { class: "troubles", open: true },
      element("summary", {}, `${title}; ${others.length ? "and other problems" : "no other problem"}`),
      element("ol", { class: "scrolls" }, ...races.map(button)),
      element("ul", {}, ...others.map((text) => element("li", {}, text))),
    );
  }

  /** "thread 5", or "thread (5, 0)" of a block of several dimensions. */
  threadText(thread) {
    const [x, y, z] = this.block.block;
    const place = [thread % x, Math.floor(thread / x) % y, Math.floor(thread / (x * y))];
    return y * z === 1 ? `thread ${thread}` : `thread ${thread} (${place.slice(0, z > 1 ? 3 : 2).join(", ")})`;
  }

  cellText({ array, index }) {
    const { name, columns } = this.block.names[array];
    return columns ? `${name}[${Math.floor(index / columns)}][${index % columns}]` : `${name}[${index}]`;
  }

  doing(event) {
    const { kind, line } = event;
    const at = `line ${line}`;
    if (kind === BARRIER) return `waits at the barrier, ${at}`;
    if (kind === OUTSIDE_LOAD) return `would read ${this.cellText(event)}, out of bounds, ${at}`;
    if (kind === OUTSIDE_STORE) return `would write ${this.cellText(event)}, out of bounds, ${at}`;
    const value = format(event.value, 7);
    return kind === LOAD
      ? `reads ${this.cellText(event)}: ${value}, ${at}`
      : `writes ${value} to ${this.cellText(event)}, ${at}`;
  }

  /** What the block does in a step, in some words. */
  words(k) {
    const { events, byStep, names } = this.block;
    const groups = Map.groupBy(byStep[k], (n) => `${events[n].kind} ${events[n].array} ${events[n].line}`);
    const texts = [...groups.values()].map((members) => {
      const { kind, array, line } = events[members[0]];
      const threads = new Set(members.map((n) => events[n].thread)).size;
      const one = threads === 1;
      const name = names[array].name;
      const verb = {
        [LOAD]: one ? `reads ${name}` : `read ${name}`,
        [STORE]: one ? `writes ${name}` : `write ${name}`,
        [BARRIER]: one ? "waits at the barrier" : "wait at the barrier",
        [OUTSIDE_LOAD]: `would read beyond ${name}`,
        [OUTSIDE_STORE]: `would write beyond ${name}`,
      }[kind];
      return `${threads} thread${one ? "" : "s"} ${verb}, line ${line}`;
    });
    const waiting = this.statesAt(k).filter(({ letter }) => letter === "\u00b7").length;
    const diverged = waiting ? [`${waiting} wait${waiting === 1 ? "s" : ""}: they are at another line`] : [];
    return [...texts, ...diverged].join("; ");
  }

  /** Of every thread its event in a step, its letter and its colour. */
  statesAt(k) {
    const { events, byStep, names } = this.block;
    const states = this.own.map((numbers) => {
      const next = numbers.find((n) => events[n].step > k);
      return next === undefined ? { letter: "\u2713", color: GONE } : { letter: "\u00b7", color: IDLE, next };
    });
    for (const n of byStep[k]) {
      const { thread, kind, array } = events[n];
      const letter = { [LOAD]: "R", [STORE]: "W", [BARRIER]: "B" }[kind] ?? "!";
      const shown = names[array].shared ? letter.toLowerCase() : letter;
      const color = { R: READ, W: WRITTEN, B: WAITS }[letter] ?? WRONG;
      const raced = this.raced.has(n);
      states[thread] = { n, letter: raced ? `${shown}!` : shown, color: raced ? WRONG : color };
    }
    return states;
  }

  /** The values of all arrays after a step; undefined where nothing was written. */
  valuesAt(k) {
    const { events, byStep, names } = this.block;
    const values = names.map(({ before, drawn, size }) => (before ? [...before] : new Array(drawn ? size : 0)));
    for (let step = 0; step <= k; step++) {
      for (const n of byStep[step]) {
        const { kind, array, index, value } = events[n];
        if (kind === STORE && names[array].drawn) values[array][index] = value;
      }
    }
    return values;
  }

  show(k) {
    const { block } = this;
    const states = this.statesAt(k);
    this.heading.setAttribute("aria-live", this.player.timer ? "off" : "polite");
    this.heading.textContent = this.words(k)[0].toUpperCase() + this.words(k).slice(1);
    this.threads.draw((thread) => {
      const { letter, color } = states[thread];
      const ink = color === GONE || color === IDLE ? "#1c1c20" : "#ffffff";
      return { fill: css(color), text: letter, ink, frame: thread === this.thread ? "#ff2d96" : null };
    });
    const values = this.valuesAt(k);
    const now = block.byStep[k].map((n) => ({ ...block.events[n], n }));
    for (const { k: array, layout, cells } of this.arrays) this.drawArray(array, layout, cells, values[array], now);
    this.fillAbout(k, states);
    this.sources.update(this.litAt(now, states));
    this.onstep(k);
  }

  drawArray(array, layout, cells, values, now) {
    const touched = new Map();
    for (const event of now) {
      if (event.array !== array || event.kind === BARRIER) continue;
      const before = touched.get(event.index);
      touched.set(
        event.index,
        this.raced.has(event.n) ? WRONG : event.kind === STORE || before === WRITTEN ? WRITTEN : (before ?? READ),
      );
    }
    const most = Math.max(0, ...values.filter((x) => isFinite(x)).map(Math.abs)) || 1;
    cells.draw((index) => {
      const value = values[index];
      const color = touched.get(index);
      const text = layout.written ? (value === undefined ? "?" : format(value, 3)) : "";
      if (color)
        return {
          fill: css(color),
          text,
          ink: "#ffffff",
          frame: this.marksChosen(array, index, now) ? "#ff2d96" : null,
        };
      if (layout.written || value === undefined) return { text };
      const share = Math.min(1, Math.abs(value) / most);
      const grey = isDark() ? 60 + 150 * share : 240 - 170 * share;
      return { fill: css([grey, grey, grey]) };
    });
  }

  marksChosen = (array, index, now) =>
    now.some((event) => event.thread === this.thread && event.array === array && event.index === index);

  fillAbout(k, states) {
    const { events } = this.block;
    const { n, color } = states[this.thread];
    const name = this.threadText(this.thread);
    const does =
      n !== undefined
        ? this.doing(events[n])
        : color === GONE
          ? "has left the kernel"
          : "waits for threads at another line";
    const race = this.block.races.find((r) => r.events.includes(n));
    const own = this.own[this.thread].map((number) => events[number]);
    const rows = own.map((event) => [`${event.step + 1}${event.step === k ? ", now" : ""}`, this.doing(event)]);
    const listed = element("details", { open: this.isOpen }, element("summary", {}, `all that ${name} does`));
    listed.append(table(["step", "what"], rows, `all that ${name} does`));
    listed.addEventListener("toggle", () => (this.isOpen = listed.open));
    refill(this.about, [
      element("p", {}, `${name[0].toUpperCase()}${name.slice(1)} ${does}.`),
      race ? element("p", { class: "raced" }, `Race: ${race.text}. ${ORDER}`) : "",
      listed,
    ]);
  }

  /** The lines at which threads are, those at which others wait for them, and of a race both lines. */
  litAt(now, states) {
    const { names, sources, races, events } = this.block;
    const wanted = sources.map(() => null);
    const light = ({ file, line }, style) => {
      const place = sources.findIndex((source) => source.file === names[file].file);
      if (place < 0) return;
      wanted[place] = { ...wanted[place], [line]: wanted[place]?.[line] === "race" ? "race" : style };
    };
    for (const { next } of states) if (next !== undefined) light(events[next], "later");
    for (const event of now) light(event, "lit");
    const shown = new Set(now.map(({ n }) => n));
    for (const race of races) {
      if (race.events.some((n) => shown.has(n))) race.events.forEach((n) => light(events[n], "race"));
    }
    return wanted.map((lines, place) => lines ?? (place === 0 ? {} : null));
  }
}

/** "16 × 16" of [16, 16, 1]. */
const extent = (numbers) => numbers.slice(0, 1 + numbers.findLastIndex((n, axis) => n > 1 || axis === 0)).join(" × ");

const sizeText = ({ name, size, columns }) =>
  columns ? `${name}: ${Math.floor(size / columns)} × ${columns}` : `${name}: ${size}`;
