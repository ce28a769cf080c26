"""Taking times: every contender in turn, several rounds, the median."""

from __future__ import annotations

import statistics
import time

from .. import threads
from . import floors, memory, workloads
from .contenders import reason

PAUSE = 0.3  # s between contenders: idle threads of BLAS go on looking for work, on the cores, for more than 0.05
LONG_ENOUGH = 0.4  # s: what is over sooner is repeated, and divided


def interleave(runs, repeat, watch=lambda name: None, clock=time.perf_counter, sleep=time.sleep):
    """The seconds of {name: function} taken in turn, after a run of each that does not count: {name: [seconds]}.

    watch(name) is called before each. A neighbour on the machine, or a processor that grows hot, so hits all alike.
    """
    for name, run in runs.items():
        watch(name)
        run()
    seconds: dict = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            watch(name)
            threads.release()  # minialex's kernels keep NumPy's BLAS to one thread
            sleep(PAUSE)
            seconds[name].append(_timed(run, clock))
    return seconds


def _timed(run, clock):
    """Seconds of a run: the mean of as many as fill LONG_ENOUGH."""
    start, count, elapsed = clock(), 0, 0.0
    while elapsed < LONG_ENOUGH:
        run()
        count, elapsed = count + 1, clock() - start
    return elapsed / count


def medians(seconds):
    """{name: median} of {name: [seconds]}."""
    return {name: statistics.median(values) for name, values in seconds.items()}


class Bench:
    """Measures workloads with contenders (ours.Minialex, rivals.Torch) on a machine.Machine.

    say(line): where a contender that does not work is reported. watch(text): told before each run what it is.
    """

    def __init__(self, contenders, machine, repeat, say, watch):
        self.contenders, self.machine, self.repeat, self.say, self.watch = contenders, machine, repeat, say, watch

    def network(self, workload, batch_size):
        """A network's training step and forward pass by every contender: a dict, its "rows" by pass and contender."""
        parameters, costs = _costs(workload, batch_size)
        rows = self._times(workload, batch_size, costs)  # whose networks are gone before the children need memory
        for row in rows:
            if row["pass"] == "training step":
                self.watch(f"memory: {row['contender']}")
                row |= memory.in_a_child(row["contender"], workload.name, batch_size, self.machine.threads)
        return {"network": workload.name, "batch_size": batch_size, "parameters": parameters, "rows": rows}

    def _times(self, workload, batch_size, costs):
        networks = self._networks(workload, batch_size)
        steps = {name: network.step for name, network in networks.items()}
        forwards = {name: network.forward for name, network in networks.items()}
        return [
            row
            for kind, runs in (("training step", steps), ("forward pass", forwards))
            for row in self._rows(kind, batch_size, runs, costs[kind])
        ]

    def _networks(self, workload, batch_size):
        """{name: network} of the contenders; torch.compile, which needs a compiler, is left out where it fails."""
        networks = {}
        for contender in self.contenders:
            self.watch(f"preparing: {contender.name}")
            network = contender.network(workload, batch_size)
            if contender.name == "torch-compile":
                try:
                    network.step()
                    network.forward()
                except Exception as error:
                    self.say(f"torch-compile: left out ({reason(error)})")
                    continue
            networks[contender.name] = network
        return networks

    def _rows(self, kind, batch_size, runs, costs):
        taken = interleave(runs, self.repeat, lambda name: self.watch(f"{kind}: {name}"))
        typical, floor = medians(taken), floors.floor(costs, self.machine)
        operations = sum(cost.operations for cost in costs)
        return [
            {
                "pass": kind,
                "contender": name,
                "seconds": seconds,
                "every_run": taken[name],
                "images_per_second": batch_size / seconds,
                "gflops": operations / seconds / 1e9,
                "times_torch": _times_torch(typical, name),
                "floor_seconds": floor.seconds,
                "floor_computing": floor.computing / floor.seconds,
            }
            for name, seconds in typical.items()
        ]

    def layers(self, workload, batch_size):
        """Forward and backward of each layer alone, then the loss and the update: a list of dicts."""
        sides = [c for c in self.contenders if c.name not in ("torch-channels-last", "torch-compile")]
        models = {c.name: c.model(workload) for c in sides}
        model, rows = workload.build(), []
        for layer in workloads.layers(model, workload, batch_size):
            images, cotangent = workloads.noise(layer.input), workloads.noise(layer.output, seed=1)
            runs = {c.name: c.layer(models[c.name], layer, images, cotangent) for c in sides}
            rows.append(self._layer(layer.name, layer.output, runs, floors.of_layer(layer, training=True)))
        logits, labels = workloads.noise((batch_size, workload.classes)), workload.batch(batch_size)[1]
        runs = {c.name: c.loss(logits, labels) for c in sides}
        rows.append(self._layer("loss", logits.shape, runs, floors.of_loss(*logits.shape)))
        runs = {c.name: c.update(models[c.name]) for c in sides}
        rows.append(self._layer("update", (floors.parameters(model),), runs, floors.of_update(model)))
        return rows

    def _layer(self, name, shape, runs, cost):
        typical = medians(interleave(runs, self.repeat, lambda contender: self.watch(f"{name}: {contender}")))
        floor = floors.floor([cost], self.machine)
        return {
            "layer": name,
            "output": list(shape),
            "operations": cost.operations,
            "bytes": cost.bytes,
            "floor_seconds": floor.seconds,
            "floor_bound_by": "operations" if floor.computing else "bytes",
            "seconds": typical,
        }


def _costs(workload, batch_size):
    """The number of parameters, and the Costs of what a training step and a forward pass consist of."""
    model = workload.build()
    layers = workloads.layers(model, workload, batch_size)
    step = [floors.of_layer(layer, training=True) for layer in layers]
    step += [floors.of_loss(batch_size, workload.classes), floors.of_update(model)]
    forward = [floors.of_layer(layer, training=False) for layer in layers]
    return floors.parameters(model), {"training step": step, "forward pass": forward}


def _times_torch(seconds, name):
    """How many times as fast as eager torch; None without it."""
    return seconds["torch-eager"] / seconds[name] if "torch-eager" in seconds else None
