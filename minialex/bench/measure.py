"""Timing: all contenders in turn, several rounds, the median."""

from __future__ import annotations

import statistics

from . import floors, workloads
from .contenders import reason


def interleave(runs, repeat, seconds, warm_ups=1, watch=lambda name: None):
    """Time several functions in turn, so that other load or a hot CPU affects all of them equally.

    runs: {name: function without arguments}.
    repeat: rounds.
    seconds: seconds(run) times one function.
    warm_ups: calls of each function before the first round.
    watch: watch(name) is called before each run.

    Returns {name: [seconds in each round]}.
    """
    for name, run in runs.items():
        watch(name)
        for _ in range(warm_ups):
            run()
    taken: dict = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            watch(name)
            taken[name].append(seconds(run))
    return taken


def medians(seconds):
    """{name: median} from {name: [seconds]}."""
    return {name: statistics.median(values) for name, values in seconds.items()}


class Bench:
    """Measures workloads with several contenders on one device.

    contenders: a list of ours.Minialex and rivals.Torch.
    device: a host.Host or gpu.Gpu.
    precision: of matrix products, one of device.precisions.
    repeat: rounds, whose median counts.
    say: say(line) reports a contender that is left out.
    watch: watch(text) is called before each run with its name.
    """

    def __init__(self, contenders, device, precision, repeat, say, watch):
        self.contenders, self.device, self.precision = contenders, device, precision
        self.limits, self.repeat, self.say, self.watch = device.use(precision), repeat, say, watch

    def network(self, workload, batch_size):
        """Measure the training step and the forward pass of a network, and the memory of training.

        workload: a workloads.Workload.
        batch_size: images per batch.

        Returns a dict whose "rows" are dicts, one for each pass and contender.
        """
        parameters, work = _work(workload, batch_size, self.device.cost)
        rows = self._times(workload, batch_size, work)  # frees its networks before memory is measured
        by_name = {contender.name: contender for contender in self.contenders}
        for row in rows:
            if row["pass"] == "training step":
                self.watch(f"memory: {row['contender']}")
                row |= self.device.memory(by_name[row["contender"]], workload, batch_size)
        precision = {"precision": self.precision} if self.precision else {}
        return {"network": workload.name, "batch_size": batch_size, **precision, "parameters": parameters, "rows": rows}

    def _times(self, workload, batch_size, work):
        networks = self._networks(workload, batch_size)
        steps = {name: network.step for name, network in networks.items()}
        forwards = {name: network.forward for name, network in networks.items()}
        return [
            row
            for kind, runs in (("training step", steps), ("forward pass", forwards))
            for row in self._rows(kind, batch_size, runs, *work[kind])
        ]

    def _networks(self, workload, batch_size):
        """{name: network} of the contenders; torch.compile, which needs a C++ compiler, is left out where it fails."""
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

    def _rows(self, kind, batch_size, runs, operations, costs):
        taken = self._interleave(runs, self.device.seconds, kind)
        typical, floor = medians(taken), floors.floor(costs, self.limits)
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

    def _interleave(self, runs, seconds, what):
        return interleave(runs, self.repeat, seconds, self.device.warm_ups, lambda name: self.watch(f"{what}: {name}"))

    def layers(self, workload, batch_size):
        """Measure forward and backward of each layer alone, then the loss and the optimizer step.

        workload: a workloads.Workload.
        batch_size: images per batch.

        Returns a list of dicts, one per layer.
        """
        sides = [c for c in self.contenders if c.name not in ("torch-channels-last", "torch-compile")]
        models = {c.name: c.model(workload) for c in sides}
        model, rows = workload.build(), []
        for layer in workloads.layers(model, workload, batch_size):
            images, cotangent = workloads.noise(layer.input), workloads.noise(layer.output, seed=1)
            runs = {c.name: c.layer(models[c.name], layer, images, cotangent) for c in sides}
            direct, computed = floors.of_layer(layer, training=True), self.device.cost(layer, training=True)
            rows.append(self._layer(layer.name, layer.output, runs, direct, computed))
        logits, labels = workloads.noise((batch_size, workload.classes)), workload.batch(batch_size)[1]
        runs = {c.name: c.loss(logits, labels) for c in sides}
        rows.append(self._layer("loss", logits.shape, runs, floors.of_loss(*logits.shape)))
        runs = {c.name: c.update(models[c.name]) for c in sides}
        rows.append(self._layer("update", (floors.parameters(model),), runs, floors.of_update(model)))
        return rows

    def _layer(self, name, shape, runs, cost, computed=None):
        """The row of a layer. cost: of the direct algorithm; computed: of the floor's, if that is another."""
        taken = self._interleave(runs, self.device.seconds_alone, name)
        typical, floor, share = medians(taken), floors.floor([computed or cost], self.limits), {}
        if self.precision and not cost.macs:
            copied = cost.bytes / self.limits.bandwidth
            share["of_bandwidth"] = {c: copied / seconds for c, seconds in typical.items()}
        return {
            "layer": name,
            "output": list(shape),
            "operations": cost.operations,
            "bytes": cost.bytes,
            "floor_seconds": floor.seconds,
            "floor_bound_by": "operations" if floor.computing else "bytes",
            "seconds": typical,
            **share,
        }


def _work(workload, batch_size, cost):
    """(number of parameters, {pass: (operations of the direct algorithm, Costs for the floor)}) of a network.

    cost: cost(layer, training) is the floor's Cost of a layer.
    """
    model = workload.build()
    layers = workloads.layers(model, workload, batch_size)
    others = {True: [floors.of_loss(batch_size, workload.classes), floors.of_update(model)], False: []}
    work = {}
    for kind, training in (("training step", True), ("forward pass", False)):
        operations = sum(floors.of_layer(layer, training).operations for layer in layers)
        work[kind] = operations, [cost(layer, training) for layer in layers] + others[training]
    return floors.parameters(model), work


def _times_torch(seconds, name):
    """The speed relative to eager torch; None without it."""
    return seconds["torch-eager"] / seconds[name] if "torch-eager" in seconds else None
