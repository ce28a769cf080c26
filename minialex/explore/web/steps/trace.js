// One training step after the other: what the tape recorded and ran, with the graph, the numbers and the source.
import { element, format, refill } from "../view/dom.js";
import { arrayFigure, decodedArray } from "./arrays.js";
import { Graph } from "./graph.js";
import { Player } from "./player.js";
import { Sources } from "./source.js";

const nameOf = ({ kind, name, variable }) => variable || (kind === "operation" ? name : kind);
const TITLES = {
  forward: (node) => `Forwards: ${node.name}${node.variable ? ` makes ${node.variable}` : ""}`,
  loss: () => "Forwards: the loss",
  backward: (node) => `Backwards: ${node.name}, from the gradient of its result to those of its inputs`,
  sum: (node) => `Backwards: one more gradient arrives at ${nameOf(node)}, and is added`,
  leaf: (node) => `Backwards: a gradient reaches the leaf ${nameOf(node)}`,
  update: (node) => `Update: the optimiser changes ${nameOf(node)}`,
};
const SIGNED = /gradient|^gy|so far|arriving|sum|\.grad|momentum|velocity/;
const BACKWARD = ["backward", "sum", "leaf"];
const EDGES = ["forward", "backward"];
const FIRST = "the first to arrive is kept as it is; .grad was empty";

/** The trace of a page, with its arrays decoded. */
export const decodedTrace = (trace) => ({ ...trace, arrays: trace.arrays.map(decodedArray) });

export class TraceView {
  /** trace: {nodes, steps, arrays, sources, stopped}; onstep(k): called when another step is shown. */
  constructor(trace, onstep = () => {}) {
    Object.assign(this, { trace, onstep });
    this.allDigits = false;
    this.heading = element("h2", { tabindex: -1, "aria-live": "polite" });
    this.about = element("div");
    this.figures = element("div", { class: "figures arrays" });
    this.graph = new Graph(trace.nodes.map(drawnAs), (n) => this.player.go(this.stepOf(n)));
    this.sources = new Sources(trace.sources ?? []);
    const describe = (k) => `step ${k + 1}: ${this.titleOf(k)}`;
    const label = "step of the trace";
    this.player = new Player({ count: trace.steps.length, onstep: (k) => this.show(k), label, describe });
    const onclick = () => {
      this.allDigits = !this.allDigits;
      this.show(this.player.at);
    };
    this.digits = element("button", { type: "button", onclick }, "all digits");
    this.player.element.append(this.digits);
    const stopped = trace.stopped ? element("p", {}, trace.stopped) : null;
    const panel = element(
      "section",
      { class: "panel", "aria-label": "the step" },
      this.heading,
      this.about,
      this.figures,
      this.sources.element,
    );
    this.element = element(
      "div",
      { class: "trace" },
      element("div", { class: "panel" }, stopped, this.player.element, this.graph.element),
      panel,
    );
  }

  titleOf = (k) => TITLES[this.trace.steps[k].phase](this.trace.nodes[this.trace.steps[k].node]);

  /** The step that a press on a node leads to: its next one behind that which is shown, or else its first. */
  stepOf(n) {
    const { steps } = this.trace;
    const behind = steps.findIndex((step, k) => step.node === n && k > this.player.at);
    const first = steps.findIndex((step) => step.node === n || step.values.some(([, , node]) => node === n));
    return behind >= 0 ? behind : Math.max(0, first);
  }

  show(k) {
    const { nodes, steps, arrays } = this.trace;
    const step = steps[k];
    const node = nodes[step.node];
    this.heading.setAttribute("aria-live", this.player.timer ? "off" : "polite");
    this.heading.textContent = this.titleOf(k);
    this.digits.setAttribute("aria-pressed", this.allDigits);
    const formulas = step.formulas ?? (["forward", "backward", "loss"].includes(step.phase) ? node.formulas : "");
    const words = [
      node.module && `in ${node.module}`,
      step.phase === "leaf" && step.values.length === 2 && FIRST,
      step.about,
    ];
    refill(this.about, [
      ...words.filter(Boolean).map((text) => element("p", {}, text)),
      node.sentence && step.phase === "forward" ? element("p", {}, node.sentence) : "",
      formulas ? element("pre", { class: "formula" }, formulas) : "",
    ]);
    const scroll = this.figures.scrollLeft;
    refill(
      this.figures,
      step.values.flatMap(([label, array, n], place) => {
        const options = { signed: SIGNED.test(label), allDigits: this.allDigits };
        const figure = arrayFigure(arrays[array], this.captionOf(step, label, nodes[n]), options);
        const sign = signBefore(step, place);
        return sign ? [element("span", { class: "sign" }, sign), figure] : [figure];
      }),
    );
    this.figures.scrollLeft = scroll;
    this.sources.update(this.litOf(step));
    this.graph.update(...this.statesAt(k), step.node, this.numbersAt(k));
    this.onstep(k);
  }

  captionOf({ phase }, label, node) {
    const name = nameOf(node);
    if (label === "gy") return `gy, the gradient of ${name === node.name ? `${name}'s result` : name}`;
    if (label === "y") return name === node.name ? "y, the result" : `y, the result: ${name}`;
    if (label.startsWith("gradient of input")) return `${label}: ${name}`;
    if (label.startsWith("input")) return `${label}: ${name}`;
    return phase === "forward" ? label : `${label}: ${name}`;
  }

  litOf({ lit = [] }) {
    const wanted = (this.trace.sources ?? []).map(() => null);
    for (const [source, lines] of lit) {
      wanted[source] = { ...wanted[source], ...Object.fromEntries(lines.map((line) => [line, "lit"])) };
    }
    return wanted;
  }

  /** Of every node that is one number, a text with it and with its gradient, as far as a step knows them. */
  numbersAt(k) {
    const { nodes, steps, arrays } = this.trace;
    const known = nodes.map(() => ({}));
    for (const { phase, values } of steps.slice(0, k + 1)) {
      for (const [label, array, n] of values) {
        const number = arrays[array].numbers?.length === 1 ? arrays[array].numbers[0] : undefined;
        if (label.startsWith("gradient of input"))
          known[n].gradient ??= number; // the next ones wait for their sum
        else if (BACKWARD.includes(phase)) known[n].gradient = number;
        else if (phase === "forward" || label.endsWith("after")) known[n].value = number;
      }
    }
    return known.map(({ value, gradient }, n) => {
      if (value === undefined && gradient === undefined) return null;
      const parts = [value, gradient].map((x) => (x === undefined ? "" : format(x)));
      const name = nodes[n].kind === "operation" && nodes[n].variable ? `${nodes[n].variable} ` : "";
      return `${name}${parts[0]}${parts[1] && `${parts[0] && ", "}gradient ${parts[1]}`}`;
    });
  }

  /** What has been computed and reached up to a step, and which edges it uses. */
  statesAt(k) {
    const { nodes, steps } = this.trace;
    const states = nodes.map(({ kind }) => (kind === "operation" ? "" : "computed"));
    for (const { phase, node, values } of steps.slice(0, k + 1)) {
      if (phase === "forward") states[node] = "computed";
      if (phase === "update") states[node] = "computed";
      if (BACKWARD.includes(phase)) for (const [, , n] of values) states[n] = "reached";
    }
    const { phase, node, values } = steps[k];
    const handed = new Set(values.map(([, , n]) => n));
    const lit = (from, to) => (to === node && EDGES.includes(phase) && handed.has(from) ? phase : "");
    return [states, lit];
  }
}

const drawnAs = (node) => ({
  kind: node.kind,
  title: node.kind === "operation" ? node.name : nameOf(node),
  about: [node.kind === "operation" ? node.variable : "", `(${node.shape.join(", ")})`].filter(Boolean).join(" "),
  inputs: node.inputs,
});

/** A plus between gradients that are added, an equals sign before their sum. */
function signBefore({ phase, values }, place) {
  if (!["sum", "leaf"].includes(phase) || place === 0) return "";
  if (place === values.length - 1) return "=";
  return "+";
}
