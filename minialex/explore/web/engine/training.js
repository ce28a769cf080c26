// One step of training on one picture: forwards, the loss, backwards, and the update of every weight.
import { rounded, size } from "./shape.js";
import { lossOf } from "./softmax.js";
import { layersWith, summedGradient } from "./tied.js";

/**
 * The gradients that each layer hands to its inputs, and their sums, in the order of the tape.
 *
 * Yields {phase: "backward", n, gy, inputs, parameters} of layer n, then for each of its sources that has had a
 * gradient already {phase: "sum", n: source, before, arriving, sum}. The logits' gradient is p - q.
 */
export function* backwardSteps(network, target) {
  const { layers, end } = network;
  const arrived = layers.map(() => null);
  const q = (i) => (i === target ? 1 : 0);
  const logits = layers[end].sources[0];
  arrived[logits] = Float64Array.from(network.values[end], (p, i) => p - q(i));
  yield { phase: "backward", n: end, gy: new Float32Array([1]), inputs: [rounded(arrived[logits])], parameters: {} };
  for (let n = end - 1; n >= 1; n--) {
    const gy = rounded(arrived[n] ?? new Float64Array(size(layers[n].output)));
    const given = [layers[n], network.inputsOf(n), network.values[n], gy];
    const { inputs, parameters = {} } = network.of(n).backward(...given);
    yield { phase: "backward", n, gy, inputs, parameters };
    for (const [k, source] of layers[n].sources.entries()) {
      const before = arrived[source];
      arrived[source] = before ? before.map((g, i) => g + inputs[k][i]) : Float64Array.from(inputs[k]);
      if (before) {
        yield { phase: "sum", n: source, before: rounded(before), arriving: inputs[k], sum: rounded(arrived[source]) };
      }
    }
  }
}

/**
 * SGD with momentum:  v = momentum v + g,  w = w - lr v;  the first v is g.
 *
 * Returns {velocity, after}, in float32 as minialex computes it.
 */
export function updated(weights, gradient, velocity, { lr, momentum }) {
  const factor = Math.fround(momentum);
  const v = velocity ? gradient.map((g, i) => Math.fround(factor * velocity[i]) + g) : gradient.slice();
  const rate = Math.fround(lr);
  return { velocity: v, after: weights.map((w, i) => w - Math.fround(rate * v[i])) };
}

/** A network in training: its own weights and velocities; the page's network stays as it is. */
export class Training {
  constructor(network, picture, target) {
    this.network = network.copy();
    Object.assign(this, { picture, target, velocities: {}, losses: [] });
    this.forward();
  }

  forward() {
    this.network.forward(this.picture);
    this.losses.push(lossOf(this.network.logits, this.target));
    this.backward = [...backwardSteps(this.network, this.target)];
  }

  /** Every weight's update with some settings: {n, name, before, gradient, velocity, next, after}. */
  updates(settings) {
    const { layers } = this.network;
    const ran = this.backward.filter(({ phase }) => phase === "backward");
    const ofUse = Object.fromEntries(ran.map(({ n, parameters }) => [n, parameters]));
    const names = ran.flatMap(({ n, parameters }) => Object.keys(parameters).map((name) => [n, name]));
    return names
      .filter(([n, name]) => layersWith(layers, n, name)[0] === n)
      .map(([n, name]) => {
        const before = layers[n][name].data;
        const gradient = summedGradient(layers, n, name, ofUse);
        const velocity = this.velocities[`${n} ${name}`];
        const { velocity: next, after } = updated(before, gradient, velocity, settings);
        return { n, name, before, gradient, velocity, next, after };
      });
  }

  /** Take the step: the next one begins with its weights and velocities. */
  step(settings) {
    const { layers } = this.network;
    for (const { n, name, next, after } of this.updates(settings)) {
      this.velocities[`${n} ${name}`] = next;
      for (const user of layersWith(layers, n, name)) layers[user][name] = { ...layers[user][name], data: after };
    }
    this.forward();
  }
}
