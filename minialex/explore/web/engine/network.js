// A network that the page computes: values forwards, gradients backwards.
import { gradCam, occlusion } from "./attention.js";
import { Explained } from "./explained.js";
import { indexOf, rounded, size } from "./shape.js";
import { lossOf } from "./softmax.js";
import { summaryOf } from "./summary.js";
import { summedGradients } from "./tied.js";

/** See Explained. */
export class Network extends Explained {
  computes = true;
  isLive = true;

  /** The same network, to be at work on another picture. */
  copy = () => new Network(this.layers.map((layer) => ({ ...layer })));

  inputsOf = (n) => this.layers[n].sources.map((source) => this.values[source]);
  outputOf = (n) => this.values[n];

  /** Begin work on a picture of the page; returns the probabilities. */
  show(picture) {
    return this.forward(picture.input);
  }

  /** All values for an input, a Float32Array (C, H, W). */
  forward(picture) {
    this.values = [picture];
    for (let n = 1; n <= this.end; n++) this.values[n] = this.of(n).forward(this.layers[n], this.inputsOf(n));
    return this.values[this.end];
  }

  /** The gradients of the loss of a class, a number, with respect to all values and parameters; returns the loss. */
  backward(target) {
    this.target = target;
    const p = this.values[this.end];
    Object.assign(this, this.backwardFrom(p.map((value, i) => value - (i === target ? 1 : 0))));
    return lossOf(this.logits, target);
  }

  /** All gradients, where that of the logits is given: {gradients, parameterGradients}, by layer. */
  backwardFrom(ofLogits) {
    const sums = this.layers.map(({ output }) => new Float64Array(size(output)));
    const gradients = [];
    const parameterGradients = [];
    sums[this.layers[this.end].sources[0]].set(ofLogits);
    for (let n = this.end - 1; n >= 1; n--) {
      gradients[n] = rounded(sums[n]); // all that use it come after it
      const given = [this.layers[n], this.inputsOf(n), this.values[n], gradients[n]];
      const { inputs, parameters = {} } = this.of(n).backward(...given);
      this.layers[n].sources.forEach((source, k) => inputs[k].forEach((g, i) => (sums[source][i] += g)));
      parameterGradients[n] = parameters;
    }
    gradients[0] = rounded(sums[0]);
    return { gradients, parameterGradients: summedGradients(this.layers, parameterGradients) };
  }

  arriving = (n) => (n === this.end ? this.target : this.gradients[n]);

  valueAt = (n, at) => this.values[n][indexOf(this.layers[n].output, at)];
  gradientAt = (n, at) => this.gradients[n][indexOf(this.layers[n].output, at)];

  ask() {
    return null;
  }

  isExact() {
    return true;
  }

  gradCam(n) {
    return gradCam(this, n, this.target);
  }

  /** The squares of a picture with the probability of a class when each is covered; see attention.js. */
  occlusion(picture, target, side, stride) {
    return occlusion(this, picture.input, target, side, stride);
  }

  /** See summary.js; kind: "values", "gradients", "parameters" or "parameterGradients"; name: of a parameter. */
  summary(kind, n, name) {
    if (kind === "parameters") return summaryOf(this.layers[n][name].data);
    return summaryOf(name ? this.parameterGradients[n][name] : this[kind][n]);
  }
}
