"""What the ranks of `python -m minialex.bench --parallel` do: steps in turn, then their exchanges alone.

All contenders are in the same processes: one process is rank 0, two ranks are ranks 0 and 1. While some compute, the
others sleep.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np

from .. import backends, functional, nn, random, threads
from ..parallel import launch, schemes
from ..parallel.group import part
from ..runs import launching
from ..support.types import Any
from ..tensor import Tensor
from ..training.recipe import make_optimizer
from . import exchanges, host
from .counting import Counted, Log
from .measure import interleave
from .workloads import RECIPE, SHARED_OUT

PIECES = tuple(8**k for k in range(8))  # float32 numbers of each rank, with which the engine is measured
NAP = 0.005  # s between two looks at whether the others are there


class Step:
    """A training step of one rank: forward, loss, backward, the sum of gradients, update.

    scheme: one of schemes.NAMES, or None for one process.
    network: a workloads.Workload.
    batch_size: pictures of all ranks together.
    group: of the ranks.
    backend: a Backend.
    weights: a state_dict, which rank 0 gives to all; None on the others.

    `log` is of the last step.
    """

    def __init__(self, scheme, network, batch_size, group, backend, weights):
        self.log = Log()
        with nn.init.skipped():
            model = network.build().to(backend)
        if weights is not None:
            model.load_state_dict(weights)
        counted: Any = Counted(group, self.log)
        self.scheme = schemes.share_out(scheme, model, counted)
        images, self.labels = network.batch(batch_size)
        own = part(batch_size, self.scheme.pictures.rank, self.scheme.pictures.size)
        self.images = Tensor(images[own], backend=backend)
        self.optimizer = make_optimizer(self.scheme.model, RECIPE)

    def __call__(self):
        self.log.clear()
        functional.cross_entropy(self.scheme.model(self.images), self.labels).backward()
        self.scheme.reduce()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def exchange(self):
        """A function that repeats the last step's exchanges, and nothing else."""
        calls = [
            (getattr(group, method), np.ones(shape, dtype), arguments)
            for group, method, shape, dtype, arguments, _ in self.log.calls
        ]

        def run():
            for method, array, arguments in calls:
                method(array, *arguments)

        return run


@dataclass
class Turn:
    """A contender.

    scheme: one of schemes.NAMES, or None for one process.
    ranks, threads: how many, and how many threads each of them has.
    group: of these ranks; None on the others.
    step: a Step; None on the others.
    """

    scheme: str | None
    ranks: int
    threads: int
    group: Any
    step: Any = None


class RanksBench:
    """Measures networks on ranks. All ranks make one and call the same methods.

    world: the MPIGroup of all ranks.
    sizes: numbers of ranks, ascending.
    thread_count: T; R ranks have T/R threads each, at least one.
    repeat: rounds, whose median counts.
    backend: its name.
    status: status(text) says what is being done.
    """

    def __init__(self, world, sizes, thread_count, repeat, backend, status):
        self.world, self.thread_count, self.repeat, self.status = world, thread_count, repeat, status
        self.backend = backends.get_backend(backend)
        self.groups = {}
        self.gather()
        for size in (1, *sizes):
            group, member = world.split(int(world.rank >= size)), world.rank < size
            self.groups[size] = group if member else None

    def gather(self):
        """Wait until all ranks are here, without keeping a core from those that compute."""
        request = self.world.communicator.Ibarrier()
        while not request.Test():
            time.sleep(NAP)

    def network(self, network, batch_size):
        """Measure the steps of one process and of every scheme on every number of ranks.

        network: a workloads.Workload.
        batch_size: pictures of all ranks together.

        Returns a dict, on rank 0, whose "rows" are dicts, one for each contender, and whose "left_out" are sentences.
        """
        random.manual_seed(0)
        turns, left_out = self._turns(network, batch_size)
        weights = network.build().state_dict() if self.world.rank == 0 else None
        for name, turn in turns.items():
            self.status(f"{network.name}: preparing {name}")
            self.gather()
            if turn.group:
                turn.step = Step(turn.scheme, network, batch_size, turn.group, self.backend, weights)
        watch = lambda name: self.status(f"{network.name}: {name}")  # noqa: E731
        runs = {name: _Run(self, turn) for name, turn in turns.items()}
        taken = interleave(runs, self.repeat, _Run.seconds, warm_ups=2, watch=watch)
        rows = [self._row(turn, taken[name]) for name, turn in turns.items()]
        return {"network": network.name, "batch_size": batch_size, "rows": rows, "left_out": left_out}

    def _turns(self, network, batch_size):
        turns, left_out = {"one process": Turn(None, 1, self.thread_count, self.groups[1])}, []
        for size in list(self.groups)[1:]:
            for scheme in schemes.NAMES:
                try:
                    exchanges.share(scheme, network, batch_size, size - 1, size)
                except ValueError as error:
                    left_out.append(f"{scheme} on {size} ranks: {error}")
                    continue
                count = max(1, self.thread_count // size)
                turns[f"{scheme} on {size} ranks"] = Turn(scheme, size, count, self.groups[size])
        return turns, left_out

    def _row(self, turn, taken):
        row = {"scheme": turn.scheme, "ranks": turn.ranks, "threads": turn.threads}
        row["oversubscribed"] = turn.ranks > threads.default_count()
        self.gather()
        if not turn.group:
            return row
        run, alone = turn.step.exchange(), []
        for _ in range(self.repeat + 1):  # once to warm up
            turn.group.agree(False)
            start = time.perf_counter()
            run()
            alone.append(time.perf_counter() - start)
        seconds, waited = zip(*taken)
        sent = sum(exchange.sent for *_, exchange in turn.step.log.calls)
        own = np.array([[sent, statistics.median(alone[1:]), statistics.median(waited)]])
        every = turn.group.all_gather(own)
        row |= {"seconds": statistics.median(seconds), "every_run": list(seconds), "bytes": float(every[:, 0].max())}
        return row | {"alone": float(every[:, 1].mean()), "waited": float(every[:, 2].mean())}

    def engine(self):
        """How long each collective takes, by bytes: on the smallest number of ranks above one.

        Returns {"ranks": P, "times": {collective: [[bytes, seconds]]}}.
        """
        size = list(self.groups)[1]
        group, times = self.groups[size], {}
        for collective in exchanges.COLLECTIVES:
            self.status(f"{collective} on {size} ranks")
            self.gather()
            times[collective] = [self._timed(group, collective, piece) for piece in PIECES] if group else []
        return {"ranks": size, "times": times}

    def _timed(self, group, collective, piece):
        whole = piece * group.size
        array = np.ones(piece if collective == "all_gather" else whole, np.float32)
        taken = []
        for _ in range(4 + self.repeat * 4):
            group.agree(False)
            start = time.perf_counter()
            getattr(group, collective)(array)
            taken.append(time.perf_counter() - start)
            array[...] = 1
        every = group.all_gather(np.array([statistics.median(taken[4:])]))  # the first ones warm up
        return [whole * array.itemsize, float(every.mean())]


class _Run:
    """A contender's turn, on every rank."""

    def __init__(self, bench, turn):
        self.bench, self.turn, self.count = bench, turn, 1

    def __call__(self):
        """One step, after which it is known how many fill LONG_ENOUGH."""
        seconds, _ = self.seconds()
        if self.turn.group:
            slowest = self.turn.group.all_gather(np.array([seconds])).max()
            self.count = max(1, math.ceil(host.LONG_ENOUGH / slowest))

    def seconds(self):
        """(seconds of a step, seconds of it that this rank was in exchanges); (0, 0) on ranks that have no part."""
        self.bench.gather()
        if not self.turn.group:
            self.bench.gather()
            return 0.0, 0.0
        threads.set_count(self.turn.threads)
        time.sleep(host.PAUSE)
        self.turn.group.agree(False)
        start, waited = time.perf_counter(), 0.0
        for _ in range(self.count):
            self.turn.step()
            waited += self.turn.step.log.seconds
        self.turn.group.agree(False)
        seconds = time.perf_counter() - start
        self.bench.gather()
        return seconds / self.count, waited / self.count


def measure(world, plan, status):
    """Measure all networks of a plan; all ranks call it.

    world: the MPIGroup of all ranks.
    plan: what parallel.plan returns.
    status: as of RanksBench, on rank 0.

    Returns {"networks": [what RanksBench.network returns], "engine": what RanksBench.engine returns}, on rank 0.
    """
    quiet = status if world.rank == 0 else lambda text: None
    bench = RanksBench(world, plan["ranks"], plan["threads"], plan["repeat"], plan["backend"], quiet)
    engine = bench.engine()
    return {"engine": engine, "networks": [bench.network(SHARED_OUT[name], size) for name, size in plan["networks"]]}


def main(argv=None):
    """Print what is being done, and at the end the result, as lines of JSON. argv: the plan, as of measure, as JSON."""
    [plan] = sys.argv[1:] if argv is None else argv
    world = launch.world()
    result = measure(world, json.loads(plan), lambda text: print(json.dumps({"status": text}), flush=True))
    if world.rank == 0:
        print(json.dumps({"result": result}), flush=True)


if __name__ == "__main__":
    sys.exit(launching.run(main))
