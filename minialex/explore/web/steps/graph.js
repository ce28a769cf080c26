// A graph of operations and leaves, from left to right; its nodes are buttons.
import { element } from "../view/dom.js";

const [WIDTH, HEIGHT, ACROSS, DOWN] = [124, 46, 156, 58]; // of a node, and from one to the next

/** The column of each node: behind all its inputs; a leaf stands directly before the first that uses it. */
function columnsOf(nodes) {
  const column = nodes.map(() => 0);
  const order = nodes.map((_, n) => n).filter((n) => nodes[n].inputs.length);
  for (let changed = true; changed;) {
    changed = false;
    for (const n of order) {
      const least = 1 + Math.max(...nodes[n].inputs.map((input) => column[input]));
      if (column[n] < least) [column[n], changed] = [least, true];
    }
  }
  nodes.forEach(({ inputs }, n) => {
    const users = order.filter((user) => nodes[user].inputs.includes(n));
    if (!inputs.length && users.length) column[n] = Math.min(...users.map((user) => column[user])) - 1;
  });
  return column;
}

/** The place [column, row] of each node: as near as possible to the rows of its inputs, operations above leaves. */
export function placesOf(nodes) {
  const column = columnsOf(nodes);
  const row = nodes.map(() => 0);
  const last = Math.max(0, ...column);
  for (let c = 0; c <= last; c++) {
    const members = nodes.map((_, n) => n).filter((n) => column[n] === c);
    const wish = (n) => (nodes[n].inputs.length ? Math.min(...nodes[n].inputs.map((input) => row[input])) : Infinity);
    members.sort((a, b) => wish(a) - wish(b) || a - b);
    let free = 0;
    for (const n of members) {
      row[n] = isFinite(wish(n)) ? Math.max(free, wish(n)) : free;
      free = row[n] + 1;
    }
  }
  return nodes.map((_, n) => [column[n], row[n]]);
}

export class Graph {
  /** nodes: {kind, title, about, inputs}; onpick(n): called with the node that is pressed. */
  constructor(nodes, onpick) {
    Object.assign(this, { nodes, places: placesOf(nodes) });
    const [columns, rows] = [0, 1].map((axis) => 1 + Math.max(0, ...this.places.map((place) => place[axis])));
    this.buttons = nodes.map((node, n) => this.button(node, n, onpick));
    this.edges = [];
    nodes.forEach(({ inputs }, n) => inputs.forEach((input) => this.edges.push(this.edge(input, n))));
    const inner = element("div", { class: "graph" }, ...this.edges.map(({ line }) => line), ...this.buttons);
    inner.style.width = `${columns * ACROSS}px`;
    inner.style.height = `${rows * DOWN}px`;
    this.element = element("div", { class: "scrolls tall", role: "group", "aria-label": "the graph" }, inner);
  }

  button({ kind, title }, n, onpick) {
    const [column, row] = this.places[n];
    const parts = [element("span", {}, title), element("span", { class: "small" })];
    const made = element("button", { type: "button", class: `node ${kind}`, onclick: () => onpick(n) }, ...parts);
    made.style.left = `${column * ACROSS + 4}px`;
    made.style.top = `${row * DOWN + 4}px`;
    return made;
  }

  write(n, number) {
    const { kind, title, about } = this.nodes[n];
    const [button, text] = [this.buttons[n], number ?? about];
    button.lastChild.textContent = text.replace("gradient", "\u2207");
    button.setAttribute("aria-label", `${kind} ${title}${text ? `, ${text}` : ""}`);
    button.title = text;
  }

  edge(from, to) {
    const [[a, b], [c, d]] = [this.places[from], this.places[to]];
    const [left, top] = [a * ACROSS + 4 + WIDTH, b * DOWN + 4 + HEIGHT / 2];
    const [right, bottom] = [c * ACROSS + 4, d * DOWN + 4 + HEIGHT / 2];
    const line = element("div", { class: "edge" });
    line.style.left = `${left}px`;
    line.style.top = `${top}px`;
    line.style.width = `${Math.hypot(right - left, bottom - top)}px`;
    line.style.transform = `rotate(${Math.atan2(bottom - top, right - left)}rad)`;
    return { from, to, line };
  }

  /**
   * states: the class of each node; lit(from, to): the class of an edge; current: the node to bring into view.
   *
   * numbers: a text for each node in the place of what it is, or null.
   */
  update(states, lit, current, numbers) {
    this.buttons.forEach((button, n) => {
      for (const name of ["computed", "reached"]) button.classList.toggle(name, states[n] === name);
      button.setAttribute("aria-pressed", n === current);
      this.write(n, numbers[n]);
    });
    for (const { from, to, line } of this.edges) line.className = `edge ${lit(from, to)}`;
    const { offsetLeft, offsetTop } = this.buttons[current];
    const box = this.element;
    if (offsetLeft < box.scrollLeft || offsetLeft + WIDTH > box.scrollLeft + box.clientWidth)
      box.scrollLeft = offsetLeft - box.clientWidth / 3;
    if (offsetTop < box.scrollTop || offsetTop + HEIGHT > box.scrollTop + box.clientHeight)
      box.scrollTop = offsetTop - 20;
  }
}
