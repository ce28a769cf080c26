// What stands below the layers: the explanation, one training step, or a sliding window.
import { element } from "../view/dom.js";
import { TrainingView } from "./training.js";
import { WindowsView, hasWindows } from "./windows.js";

export class Below {
  /** panel: the element of the explanation; choose, update and remember: of the page. */
  constructor(state, classes, panel, { choose, update, remember }) {
    Object.assign(this, { state, classes, panel, choose, refresh: update });
    const onstep = (k) => {
      if (state.view) state.view.at = k;
      remember();
    };
    this.make = {
      training: () => new TrainingView(state, classes, onstep),
      windows: () => new WindowsView(state, choose),
    };
    this.views = {};
    const button = (text, name) => {
      const made = element("button", { type: "button", onclick: () => this.open(name) }, text);
      return [name, made];
    };
    this.computes = state.network.computes; // or else the page lacks the numbers to step through
    this.buttons = [button("the explanation", null)];
    if (this.computes) this.buttons.push(button("one training step", "training"));
    if (this.computes && state.network.layers.some(hasWindows))
      this.buttons.push(button("a sliding window", "windows"));
    const legend = element("legend", {}, "Shown below");
    this.choice = element("fieldset", { hidden: !this.computes }, legend, ...this.buttons.map(([, made]) => made));
    this.element = element("div");
  }

  open(name) {
    const { state } = this;
    state.view = name && { name, at: 0 };
    if (name === "windows" && !this.isWindowed()) {
      const layer = state.network.layers.findIndex(hasWindows);
      state.chosen = { layer, at: state.largest(layer) };
    }
    this.refresh();
  }

  /** Whether the windows of what is chosen can be shown. */
  isWindowed() {
    const { chosen, network } = this.state;
    return hasWindows(network.layers[chosen.layer]) && Boolean(chosen.at) && !chosen.parameter;
  }

  /** Something else was chosen: it is explained, unless it is another window. */
  chosen() {
    const { view } = this.state;
    if (view?.name === "training" || !this.isWindowed()) this.state.view = null;
  }

  update() {
    const { state } = this;
    if (!this.computes) state.view = null;
    if (state.view?.name === "windows" && !this.isWindowed()) {
      const { layer } = state.chosen;
      if (hasWindows(state.network.layers[layer])) state.chosen = { layer, at: state.placeIn(layer) };
      else state.view = null;
    }
    const name = state.view?.name ?? null;
    if (name) this.views[name] ??= this.make[name]();
    for (const [other, view] of Object.entries(this.views)) if (other !== name) view.stop();
    const shown = name ? this.views[name].element : this.panel;
    if (this.element.firstChild !== shown) this.element.replaceChildren(shown);
    if (name) this.views[name].update();
    for (const [other, button] of this.buttons) button.setAttribute("aria-pressed", other === name);
  }

  /** Colours have changed. */
  redraw() {
    if (this.state.view) this.views[this.state.view.name].redraw();
  }
}
