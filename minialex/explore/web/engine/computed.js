// A network that minialex has computed: its maps are known to 8 bits, and exactly what explains some places.
import { after } from "./after.js";
import { Explained } from "./explained.js";
import { fill, partial } from "./partial.js";
import { indexOf } from "./shape.js";
import { summaryOf } from "./summary.js";

const keyOf = ({ layer, parameter, at }) => `${layer}:${parameter ?? ""}:${at}`;

/**
 * An Explained whose numbers come from a source:
 *
 * source.shown(picture, target): all that is drawn, of decodedResult in data.js, or a promise of it.
 * source.numbers(picture, target, chosen): a promise of the numbers that explain a place; null: there are none.
 * source.covered(picture, target, side, stride): a promise of the probabilities of occlusion, row by row.
 * source.isLive: see Explained.
 */
export class Computed extends Explained {
  computes = false;

  constructor(layers, source) {
    super(layers);
    this.source = source;
    this.isLive = source.isLive;
    this.logitsLayer = layers[this.end].sources[0];
    for (const { weight } of layers) if (weight && !weight.data) weight.data = partial(weight.shape);
  }

  show(picture) {
    this.picture = picture;
    return after(this.source.shown(picture, null), (result) => this.take(picture, result).values[this.end]);
  }

  backward(target) {
    if (target === this.target) return this.loss;
    const { picture } = this;
    return after(this.source.shown(picture, target), (result) => this.take(picture, result).loss);
  }

  /** Show a result, unless another picture was chosen while it was computed. */
  take(picture, result) {
    if (this.picture !== picture) return result;
    Object.assign(this, result);
    this.exact = { values: [], gradients: [] };
    for (const of of ["values", "gradients"]) {
      this.exact[of] = this.layers.map(({ output }, n) => (n < this.logitsLayer ? partial(output) : result[of][n]));
    }
    this.known = new Set();
    result.explained.forEach((explained) => this.learn(explained));
    return result;
  }

  /** Take in the numbers that explain a place. */
  learn({ layer, at, name, boxes }) {
    this.known.add(keyOf({ layer, parameter: name, at }));
    for (const { of, layer: n, box, data } of boxes) {
      const { weight, output } = this.layers[n];
      if (data && of === "weight") fill(weight.data, weight.shape, box, data);
      else if (data) fill(this.exact[of][n], output, box, data);
    }
  }

  knows = (chosen) => this.known.has(keyOf(chosen));

  ask(chosen) {
    const { picture, target } = this;
    if (!chosen.at || chosen.layer === this.end || this.knows(chosen)) return null;
    const asked = this.source.numbers(picture, target, chosen);
    return asked && asked.then((found) => this.picture === picture && this.target === target && this.learn(found));
  }

  /** The places of a layer that are explained. */
  explainedIn(n) {
    const keys = [...this.known].map((key) => key.split(":")).filter(([layer, name]) => layer === String(n) && !name);
    return keys.map(([, , at]) => at.split(",").map(Number));
  }

  inputsOf = (n) => this.layers[n].sources.map((source) => this.exact.values[source]);
  outputOf = (n) => this.exact.values[n];
  arriving = (n) => (n === this.end ? this.target : this.exact.gradients[n]);
  isExact = (kind, n, at) => this.exact[kind][n][indexOf(this.layers[n].output, at)] !== undefined;

  valueAt = (n, at) => this.at("values", n, at);
  gradientAt = (n, at) => this.at("gradients", n, at);

  at(kind, n, place) {
    const k = indexOf(this.layers[n].output, place);
    return this.exact[kind][n][k] ?? this[kind][n][k];
  }

  explain = (n, at) => (n === this.end || this.knows({ layer: n, at }) ? super.explain(n, at) : null);

  explainGradient(n, at) {
    return n === this.logitsLayer || this.knows({ layer: n, at }) ? super.explainGradient(n, at) : null;
  }

  explainParameter(n, name, at) {
    return this.knows({ layer: n, parameter: name, at }) ? super.explainParameter(n, name, at) : null;
  }

  gradCam = (n) => this.cams[n];

  async *occlusion(picture, target, side, stride) {
    const probabilities = await this.source.covered(picture, target, side, stride);
    const across = Math.sqrt(probabilities.length);
    for (const [k, probability] of probabilities.entries()) {
      yield { row: Math.floor(k / across) * stride, column: (k % across) * stride, probability };
    }
  }

  summary(kind, n, name) {
    if (kind === "parameters") return this.layers[n][name].summary ?? summaryOf(this.layers[n][name].data);
    return name ? this.summaries[kind][n][name] : this.summaries[kind][n];
  }
}
