// What is chosen, explained: a layer, a value, a gradient, or a weight.
import { KINDS } from "../engine/kinds.js";
import { total } from "../engine/shape.js";
import { element, format, refill } from "./dom.js";
import { stepsOf, termsOf } from "./explanation.js";
import { figuresOf } from "./figures.js";
import { aboutLayer } from "./layer_page.js";
import { Stepper } from "./stepper.js";
import { fromText, placeText, shortPlace } from "./words.js";

const SERVED = "python -m minialex.explore RUN";

export class Panel {
  constructor(state, classes, choose) {
    Object.assign(this, { state, classes, choose });
    this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
    this.content = element("div");
    this.stepper = new Stepper(state, choose);
    const parts = [this.heading, this.stepper.element, this.content];
    this.element = element("section", { class: "panel", "aria-label": "explanation" }, ...parts);
  }

  focus = () => this.heading.focus();
  fill = (...content) => refill(this.content, content, this.heading);

  /** The explanation of what is chosen; null for a layer. */
  explanation() {
    const { network, backward, chosen } = this.state;
    const { layer, at, parameter } = chosen;
    if (!at) return null;
    if (parameter) return network.explainParameter(layer, parameter, at);
    return backward ? network.explainGradient(this.receiver(), at) : network.explain(layer, at);
  }

  /** The layer whose gradient is shown: at the probabilities that of the logits, with which backward begins. */
  receiver() {
    const { network, chosen } = this.state;
    return chosen.layer === network.end ? network.layers[network.end].sources[0] : chosen.layer;
  }

  update(explanation, marks) {
    const { network, chosen } = this.state;
    const layer = network.layers[chosen.layer];
    this.stepper.update();
    this.heading.setAttribute("aria-live", this.stepper.timer ? "off" : "polite");
    if (chosen.at && !explanation) {
      this.heading.textContent = this.headingOf(layer);
      this.fill(...this.unknown(layer));
    } else if (!chosen.at) {
      this.heading.textContent = layer.name;
      this.fill(aboutLayer(this.state, chosen.layer, KINDS[layer.kind], this.classes, this.choose));
    } else if (chosen.parameter) this.showParameter(layer, explanation);
    else this.showValue(layer, explanation, marks);
  }

  about(layer) {
    const onclick = () => this.choose({ layer });
    return element(
      "p",
      {},
      element("button", { type: "button", onclick }, `about the layer ${this.state.network.layers[layer].name}`),
    );
  }

  /** "conv1, map 3, row 4, column 5: 1.234", with a ≈ where the page knows the number to 8 bits only. */
  headingOf(layer) {
    const { network, backward, chosen } = this.state;
    const { at, parameter } = chosen;
    if (parameter) return `${layer.name}, ${parameter} [${at.join(", ")}]`;
    const place = chosen.layer === network.end ? `class ${this.classes[at[0]]}` : placeText(at, layer.output);
    const n = backward ? this.receiver() : chosen.layer;
    const number = format(backward ? network.gradientAt(n, at) : network.valueAt(n, at));
    const sign = network.isExact(backward ? "gradients" : "values", n, at) ? "" : "≈ ";
    return `${backward ? "Gradient at " : ""}${network.layers[n].name}, ${place}: ${sign}${number}`;
  }

  /** Where the numbers of a place are not there: when they come, or where to find them. */
  unknown(layer) {
    const { network, chosen } = this.state;
    if (network.isLive) return [element("p", {}, "minialex computes what this number is made of …")];
    const places = network.explainedIn(chosen.layer).map((at) => {
      const onclick = () => this.choose({ layer: chosen.layer, at });
      return element("button", { type: "button", onclick }, shortPlace(layer, at));
    });
    const here = `--explain ${layer.name}:${chosen.at.join(",")}`;
    return [
      element("p", {}, "This page, of a large network, has the numbers behind some places only. ", ...places),
      element("p", {}, "Every place is explained in the page that is served, by ", element("code", {}, SERVED), "; "),
      element(
        "p",
        {},
        "or written into a page for this one: ",
        element("code", {}, `${SERVED} --out page.html ${here}`),
      ),
      this.about(chosen.layer),
    ];
  }

  showValue(layer, explanation, marks) {
    const { network, backward, chosen } = this.state;
    this.heading.textContent = this.headingOf(layer);
    this.fill(
      figuresOf(this.state, explanation, marks, this.choose),
      element("p", {}, fromText(explanation, network.layers)),
      ...this.formulas(backward).map((text) => element("pre", { class: "formula" }, text)),
      element(
        "div",
        { class: "numbers" },
        stepsOf(explanation),
        termsOf(explanation, network.layers, this.choose) ?? "",
      ),
      this.followers(explanation) ?? "",
      this.about(chosen.layer),
    );
  }

  /** The formula of the value, or of its gradient by each layer that uses it. */
  formulas(backward) {
    const { network, chosen } = this.state;
    if (!backward) return chosen.layer ? [network.of(chosen.layer).formula] : [];
    return network.users[this.receiver()].map((user) => `${network.layers[user].name}: ${network.of(user).gradient}`);
  }

  /** Where a value goes to, as buttons; its gradient's terms name these places themselves. */
  followers() {
    const { network, backward, chosen } = this.state;
    if (backward || chosen.layer === network.end) return null;
    const buttons = network.users[chosen.layer].flatMap((user) => {
      const terms = network
        .explainGradient(chosen.layer, chosen.at)
        .terms.filter(({ layer, at }) => layer === user && at);
      const target = terms.sort((a, b) => Math.abs(b.factor) - Math.abs(a.factor))[0];
      if (!target) return [];
      const text = shortPlace(network.layers[user], target.at);
      const onclick = () => this.choose({ layer: user, at: target.at });
      return [
        element("button", { type: "button", onclick }, text),
        terms.length > 1 ? ` and ${terms.length - 1} more of ${network.layers[user].name} ` : " ",
      ];
    });
    return element("p", {}, "used by ", ...buttons);
  }

  showParameter(layer, explanation) {
    const { network, chosen } = this.state;
    const { at, parameter } = chosen;
    const index = at.reduce((k, n, axis) => k * layer[parameter].shape[axis] + n, 0);
    const numbers = `${format(layer[parameter].data[index])}, its gradient ${format(total(explanation.terms))}`;
    this.heading.textContent = `${this.headingOf(layer)}: ${numbers}`;
    this.fill(
      stepsOf(explanation),
      termsOf({ ...explanation, grid: [1, 1] }, network.layers, this.choose),
      aboutLayer(this.state, chosen.layer, KINDS[layer.kind], this.classes, this.choose),
    );
  }
}
