// One training step of the network of the page, shown as the trace of a tape is.
import { layersWith } from "../engine/tied.js";
import { Training } from "../engine/training.js";
import { element, format } from "../view/dom.js";
import { arrayOf } from "./arrays.js";
import { TraceView } from "./trace.js";

const UPDATE = "v = momentum v + g      w = w \u2212 lr v";
const LOSS = "loss = \u2212log p_t      gx_i = p_i \u2212 q_i,   q_i = 1 for the class t of the loss, else 0";

const COMPUTES = /\bbackend\.|from_operation/; // what computes in a function that has a pair of the backend's methods

/** Everything that happens in the next step of a Training, as a trace. */
export function traceOf(training, settings) {
  const { network } = training;
  const { layers, end } = network;
  const trace = { nodes: [], steps: [], arrays: [], sources: [] };
  const keep = (numbers, shape) => trace.arrays.push(arrayOf(numbers, shape)) - 1;
  const add = (node) => trace.nodes.push({ module: "", variable: "", ...node }) - 1;
  const shapeOf = (n) => (layers[n].output[1] * layers[n].output[2] > 1 ? layers[n].output : [layers[n].output[0]]);
  const step = (phase, node, values, more) => trace.steps.push({ phase, node, values, about: "", lit: [], ...more });

  const numbers = layers.map(() => 0); // of the node of each layer
  const leaves = layers.map(() => ({})); // {weight, bias}: numbers of nodes
  const sources = layers.map((layer) => sourcesOf(layer, trace.sources));
  numbers[0] = add({ kind: "constant", name: "picture", variable: "picture", shape: shapeOf(0), inputs: [] });
  for (let n = 1; n <= end; n++) {
    const layer = layers[n];
    const inputs = layer.sources.map((source) => numbers[source]);
    for (const name of ["weight", "bias"]) {
      if (!layer[name]) continue;
      const [first] = layersWith(layers, n, name);
      if (first < n) leaves[n][name] = leaves[first][name];
      if (first < n) continue;
      const variable = `${layer.name}.${name}`;
      leaves[n][name] = add({ kind: "leaf", name: variable, variable, shape: layer[name].shape, inputs: [] });
    }
    const isLoss = n === end;
    const { formula, gradient } = network.of(n);
    const node = {
      kind: "operation",
      name: isLoss ? "cross_entropy" : layer.name,
      module: isLoss ? "" : layer.title,
      sentence: layer.sentence,
      formulas: isLoss ? LOSS : `${formula}\n${gradient}`,
      shape: isLoss ? [] : shapeOf(n),
      inputs: [...inputs, ...Object.values(leaves[n])],
    };
    numbers[n] = add(node);
    const values = layer.sources.map((source, k) => [
      `input ${k + 1}`,
      keep(network.values[source], shapeOf(source)),
      numbers[source],
    ]);
    for (const [name, leaf] of Object.entries(leaves[n])) {
      values.push([name, keep(layer[name].data, layer[name].shape), leaf]);
    }
    const result = isLoss ? keep([training.losses.at(-1)], []) : keep(network.values[n], shapeOf(n));
    const p = isLoss ? [["p, the probabilities", keep(network.values[n], shapeOf(n)), numbers[n]]] : [];
    step(isLoss ? "loss" : "forward", numbers[n], [...values, ...p, ["y", result, numbers[n]]], {
      lit: sources[n].forward,
    });
  }

  for (const done of training.backward) {
    const { n } = done;
    if (done.phase === "sum") {
      const names = ["before", "arriving", "sum"];
      const values = names.map((name) => [
        name === "before" ? "so far" : name,
        keep(done[name], shapeOf(n)),
        numbers[n],
      ]);
      step("sum", numbers[n], values);
      continue;
    }
    const values = [["gy", keep(done.gy, n === end ? [] : shapeOf(n)), numbers[n]]];
    layers[n].sources.forEach((source, k) => {
      values.push([`gradient of input ${k + 1}`, keep(done.inputs[k], shapeOf(source)), numbers[source]]);
    });
    for (const [name, gradient] of Object.entries(done.parameters)) {
      values.push([`gradient of the ${name}`, keep(gradient, layers[n][name].shape), leaves[n][name]]);
    }
    step("backward", numbers[n], values, { lit: sources[n].backward });
  }

  const { lr, momentum } = settings;
  for (const { n, name, before, gradient, velocity, next, after } of training.updates(settings)) {
    const node = leaves[n][name];
    const value = (label, numbers_) => [label, keep(numbers_, layers[n][name].shape), node];
    const values = [value("w before", before), value("gradient g", gradient)];
    if (velocity) values.push(value("velocity v before", velocity));
    values.push(value("velocity v", next), value("w after", after));
    step("update", node, values, { formulas: UPDATE, about: `SGD: lr ${lr}, momentum ${momentum}` });
  }
  return trace;
}

/** The lines of a layer's function and of the backend's pair, added to the sources: which are lit in which direction. */
function sourcesOf(layer, sources) {
  const lit = { forward: [], backward: [] };
  (layer.code ?? []).forEach(({ file, code }, k) => {
    const lines = code.split("\n");
    const source = sources.push({ file, unnumbered: true, lines: lines.map((text, i) => [i, text]) }) - 1;
    const numbers = [...lines.keys()];
    const inner = numbers.filter((i) => isWithin(lines, i));
    const outer = numbers.filter((i) => !inner.includes(i) && (layer.code.length === 1 || COMPUTES.test(lines[i])));
    if (k !== 2) lit.forward.push([source, k === 1 ? numbers : outer]);
    if (k !== 1) lit.backward.push([source, k === 2 ? numbers : inner]);
  });
  return lit;
}

/** Whether a line is within the function `backward` that stands in another. */
function isWithin(lines, i) {
  const start = lines.findLastIndex((line, k) => k <= i && /^    def backward\(/.test(line));
  return start >= 0 && lines.slice(start + 1, i + 1).every((line) => line === "" || /^     /.test(line));
}

const field = (label, value, onchange) => {
  const input = element("input", { type: "number", min: 0, max: 1, step: "any", value, onchange });
  return [element("label", {}, `${label} `, input), input];
};

/** What stands below the layers while a training step is shown. */
export class TrainingView {
  /** state: of the page; remember(k): called with the number of the step that is shown. */
  constructor(state, classes, remember) {
    Object.assign(this, { state, classes, remember, settings: { lr: 0.01, momentum: 0.9 } });
    const [lr, lrField] = field("lr", 0.01, () => this.set("lr", lrField));
    const [momentum, momentumField] = field("momentum", 0.9, () => this.set("momentum", momentumField));
    const button = (text, onclick) => element("button", { type: "button", onclick }, text);
    this.take = button("take this step, and show the next", () => {
      this.training.step(this.settings);
      this.draw(0);
    });
    const again = button("begin again", () => this.begin());
    this.losses = element("p", { role: "status" });
    const controls = element("div", { class: "panel controls" }, lr, momentum, this.take, again, this.losses);
    this.place = element("div");
    this.element = element("div", {}, controls, this.place);
  }

  set(name, { value, valueAsNumber }) {
    if (value === "" || !(valueAsNumber >= 0)) return;
    this.settings = { ...this.settings, [name]: valueAsNumber };
    this.draw(this.view.player.at);
  }

  begin() {
    const { network, target } = this.state;
    this.of = network.gradients;
    this.training = new Training(network, network.values[0], target);
    this.draw(this.state.view.at);
  }

  /** Show step k of the step of training that comes next. */
  draw(k) {
    this.stop();
    this.view = new TraceView(traceOf(this.training, this.settings), this.remember);
    this.place.replaceChildren(this.view.element);
    const losses = this.training.losses.map((loss) => format(loss)).join(", ");
    const name = this.classes[this.training.target];
    this.losses.textContent = `loss of ${name} before this step: ${losses}. The picture is all of the batch.`;
    this.view.player.go(Math.min(k, this.view.player.count - 1));
  }

  /** Whatever has changed the numbers of the page, as another picture does, begins anew. */
  update() {
    const { network, view } = this.state;
    if (this.of !== network.gradients) this.begin();
    else if (view.at !== this.view.player.at) this.view.player.go(Math.min(view.at, this.view.player.count - 1));
  }

  redraw = () => this.draw(this.view.player.at);
  stop = () => this.view?.player.stop();
}
