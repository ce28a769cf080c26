// A number written out: the window beneath it, the products and their sum, step by step.
import { counted } from "../engine/shape.js";
import { behind } from "./colors.js";
import { element, format, shortened, table } from "./dom.js";
import { shortPlace } from "./words.js";

const MAPS = 6; // shown at first
const TERMS = 14;

/** The steps from the sum of the terms to the number: text and value. */
export const stepsOf = ({ steps }) => table(null, steps, "the steps to this number");

/** All terms of an explanation; go(chosen): called to follow a number to where it is from. */
export function termsOf(explanation, layers, go) {
  const { terms } = explanation;
  if (!terms.length) return null;
  const groups = Object.values(Object.groupBy(terms, ({ layer, map, at }) => `${layer}:${map ?? at?.[0]}`));
  const [rows, columns] = explanation.grid ?? gridOf(groups[0]);
  if (rows * columns === 1 || groups.some((group) => group.length !== rows * columns))
    return list(explanation, layers, go);
  return maps(explanation, groups, columns, layers, go);
}

/** The rows and columns of a window without padding. */
function gridOf(group) {
  const distinct = (axis) => new Set(group.map(({ at }) => at?.[axis])).size;
  return [distinct(1), distinct(2)];
}

const sumOf = (group) => group.reduce((sum, { product }) => sum + product, 0);
const largestOf = (terms, name) => terms.reduce((most, term) => Math.max(most, Math.abs(term[name] ?? 0)), 0);

/** For each input map its window, what it is multiplied by, and the products; the largest sums first. */
function maps({ terms, columns }, groups, width, layers, go) {
  groups.sort((a, b) => Math.abs(sumOf(b)) - Math.abs(sumOf(a)));
  const items = groups.map((group, k) => () => {
    const [{ layer, map, at }] = group;
    const grids = Object.entries(columns).map(([field, name]) =>
      grid(group, field, name, width, largestOf(terms, field), layers, go),
    );
    const together = columns.product ? `: ${counted(group, "term")}, together ${format(sumOf(group))}` : "";
    const title = `map ${map ?? at[0]} of ${layers[layer].name}${together}`;
    return element(
      "details",
      { open: k === 0 },
      element("summary", {}, title),
      element("div", { class: "grids" }, ...grids),
    );
  });
  return shortened(element("div"), items, MAPS, "maps");
}

/** Numbers of a window in their places. */
function grid(group, field, name, width, most, layers, go) {
  const rows = [];
  for (let first = 0; first < group.length; first += width) {
    rows.push(
      element(
        "tr",
        {},
        ...group.slice(first, first + width).map((term) => {
          const text = format(term[field]);
          const target = field === "value" && term.at && { layer: term.layer, at: term.at };
          const content = target
            ? link(text, `${text}, ${shortPlace(layers[term.layer], term.at)}`, () => go(target))
            : text;
          const cell = element("td", { class: term.at ? "number" : "number padding" }, content);
          cell.style.backgroundColor = behind(term[field], most);
          return cell;
        }),
      ),
    );
  }
  const label = element("figcaption", {}, name);
  const numbers = element("table", {}, element("tbody", {}, ...rows));
  return element(
    "figure",
    { class: "grid" },
    label,
    element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": name }, numbers),
  );
}

/** The terms one below the other, the largest first. */
function list({ terms, columns: names }, layers, go) {
  const sorted = terms.some((term) => term.product === undefined)
    ? terms
    : [...terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  const fields = Object.keys(names);
  const most = largestOf(terms, "product");
  const isOfWeight = terms.some(({ from }) => from);
  const made = sorted.map((term) => () => {
    const text = term.loss ? "the loss" : term.at ? shortPlace(layers[term.layer], term.at) : "padding";
    const place = term.at && !term.loss ? link(text, text, () => go({ layer: term.layer, at: term.at })) : text;
    const cells = fields.map((field) => element("td", { class: "number" }, format(term[field])));
    if (term.product !== undefined) cells.at(-1).style.backgroundColor = behind(term.product, most);
    if (isOfWeight) cells.push(element("td", {}, derivativeOf(term, layers, go)));
    return element("tr", {}, element("td", {}, place), ...cells);
  });
  const head = element(
    "thead",
    {},
    element("tr", {}, ...["from", ...Object.values(names), ...(isOfWeight ? ["dy/dw is"] : [])].map((name) => element("th", { scope: "col" }, name))),
  );
  const body = element("tbody");
  const shown = shortened(body, made, TERMS, "terms");
  const whole = element("table", {}, head, body);
  const more = shown === body ? null : shown.querySelector("button");
  return element(
    "div",
    {},
    element("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": "the terms" }, whole),
    more,
  );
}

/** The input that a weight is multiplied by. */
function derivativeOf({ source, from }, layers, go) {
  const text = shortPlace(layers[source], from);
  return link(text, `dy/dw is ${text}`, () => go({ layer: source, at: from }));
}

const link = (text, label, onclick) =>
  element("button", { type: "button", class: "link", "aria-label": label, onclick }, text);
