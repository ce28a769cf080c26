// The layers from left to right: their maps, or the gradients arriving at them, and the probabilities at the end.
import { fullColor, greys, rangeOf, twoColors } from "./colors.js";
import { element, format, percent, refill } from "./dom.js";
import { Tiles, arrangement } from "./tiles.js";
import { shapeText } from "./words.js";

const CLASSES = 10; // the most probable ones

export class Strip {
  /** choose(chosen): called with what is pressed. enter(): called where the keyboard asks for the explanation. */
  constructor(state, classes, choose, enter) {
    Object.assign(this, { state, classes, choose, enter });
    this.columns = state.network.layers.map((layer, n) => this.column(layer, n));
    const label = "the layers, from the picture to the probabilities";
    this.element = element(
      "div",
      { class: "strip", role: "group", "aria-label": label },
      ...this.columns.map((c) => c.element),
    );
  }

  column(layer, n) {
    const isEnd = n === this.state.network.end;
    const heading = element("button", { type: "button", onclick: () => this.choose({ layer: n }) }, layer.name);
    const kind = layer.title.split("(")[0];
    const about = element(
      "p",
      { class: "small" },
      n && !isEnd ? `${kind}, ${shapeText(layer.output)}` : shapeText(layer.output),
    );
    const legend = element("p", { class: "small" });
    const column = { heading, legend };
    const onpick = (...at) => this.choose({ layer: n, at });
    const label = `${layer.name}: arrow keys choose a pixel, Page Up and Page Down a map, Enter explains it`;
    const options = {
      ...arrangement(layer.output),
      label,
      onpick,
      chosen: () => this.state.placeIn(n),
      onenter: this.enter,
    };
    if (isEnd) column.bars = element("ul", { class: "bars" });
    else column.tiles = new Tiles(options);
    column.element = element(
      "section",
      { class: "layer" },
      element("h2", {}, heading),
      about,
      column.bars ?? column.tiles.canvas,
      legend,
    );
    return column;
  }

  /** Scroll to the chosen layer, sideways only. */
  reveal() {
    const { chosen } = this.state;
    const { element, tiles } = this.columns[chosen.layer];
    const { scrollLeft, clientWidth } = this.element;
    let [left, right] = [element.offsetLeft - 16, element.offsetLeft + element.offsetWidth + 16];
    if (right - left > clientWidth && tiles) {
      const [x] = chosen.at && !chosen.parameter ? tiles.corner(...chosen.at) : [0]; // there is room for a part of it
      [left, right] = [left + x, left + x + Math.min(80, clientWidth)];
    }
    if (left < scrollLeft) this.element.scrollLeft = left;
    else if (right > scrollLeft + clientWidth) this.element.scrollLeft = right - clientWidth;
  }

  /** Draw everything anew; marks: of view/marks.js. */
  update(marks) {
    const { network, backward, chosen } = this.state;
    this.columns.forEach(({ heading, tiles, legend, bars }, n) => {
      heading.setAttribute("aria-pressed", chosen.layer === n);
      if (bars) return this.drawBars(bars, legend);
      const numbers = backward ? network.gradients[n] : network.values[n];
      const color = backward ? twoColors(numbers, true) : greys(numbers);
      tiles.draw(
        (k) => color(numbers[k]),
        marks.filter(({ layer }) => layer === n),
        numbers,
      );
      const [low, high] = rangeOf(numbers);
      const full = backward && fullColor(numbers);
      const beyond = full < Math.max(-low, high) ? " and beyond" : "";
      legend.textContent = backward
        ? `full colour: ±${format(full)}${beyond}`
        : `black ${format(low)}, white ${format(high)}`;
    });
  }

  drawBars(bars, legend) {
    const { network, backward, target, chosen } = this.state;
    const p = network.values[network.end];
    const order = Array.from(p.keys())
      .sort((a, b) => p[b] - p[a])
      .slice(0, CLASSES);
    if (!order.includes(target)) order.push(target);
    const logits = network.gradients[network.layers[network.end].sources[0]];
    const most = backward ? Math.max(...logits.map(Math.abs)) || 1 : 1;
    refill(
      bars,
      order.map((i) => {
        const bar = element("span", { class: backward && logits[i] < 0 ? "bar negative" : "bar" });
        bar.style.width = `${(100 * Math.abs(backward ? logits[i] : p[i])) / most}%`;
        const text = `${this.classes[i]} ${backward ? format(logits[i]) : percent(p[i])}`;
        const isChosen = chosen.layer === network.end && chosen.at?.[0] === i;
        const options = {
          type: "button",
          "aria-pressed": isChosen,
          onclick: () => this.choose({ layer: network.end, at: [i, 0, 0] }),
        };
        return element("li", { class: i === target ? "target" : "" }, element("button", options, text, bar));
      }),
    );
    legend.textContent = backward ? "p − q: the gradient at the logits" : "bold: the class of the loss";
  }
}
