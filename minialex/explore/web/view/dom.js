// Elements and numbers. Texts become text nodes, never HTML: no name of a class or a file can be anything else.

/** An element with properties (class, aria-*, on*: a listener) and children, elements or texts. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** A number with so many digits, and a minus sign as long as a plus. */
export function format(x, digits = 4) {
  const size = Math.abs(x);
  const text =
    x === 0 || !isFinite(x) || (size >= 1e-3 && size < 1e5)
      ? String(Number(x.toPrecision(digits)))
      : x.toExponential(digits - 1);
  return text.replaceAll("-", "\u2212");
}

export const percent = (p) => `${(100 * p).toFixed(p < 0.0995 ? 2 : 1)} %`;

/** A table: a row of headings, and rows of cells, which are texts, numbers or elements. */
export function table(headings, rows, caption) {
  const cell = (content) =>
    typeof content === "number" ? element("td", { class: "number" }, format(content, 6)) : element("td", {}, content);
  const head =
    headings &&
    element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col" }, text))));
  const body = element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell))));
  return element(
    "div",
    { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption },
    element("table", {}, head, body),
  );
}

/** The first `count` of some elements in a container, and a button that adds the others. */
export function shortened(container, items, count, name) {
  container.append(...items.slice(0, count).map((make) => make()));
  if (items.length <= count) return container;
  const more = element("button", { type: "button" }, `show all ${items.length} ${name}`);
  more.addEventListener("click", () => {
    more.remove();
    container.append(...items.slice(count).map((make) => make()));
  });
  return element("div", {}, container, more);
}

const nameOf = (place) => place.getAttribute("aria-label") ?? place.textContent;

/** Fill a container anew; the keyboard stays at what has the same name there as before, or else goes to `other`. */
export function refill(container, content, other) {
  const before = container.contains(document.activeElement) && nameOf(document.activeElement);
  container.replaceChildren(...content);
  if (before === false) return;
  const places = [...container.querySelectorAll("button, canvas[tabindex], summary")];
  const same = places.find((place) => nameOf(place) === before);
  (same ?? other)?.focus({ preventScroll: true });
}
