"""Host time and launches of a training step on the cupy backend: how long Python takes to queue what the GPU computes.

    python tests/helpers/host_time.py                       # this checkout
    python tests/helpers/host_time.py --beside ../before    # and another, a step of each in turn
    python tests/helpers/host_time.py --profile tottime     # where the time goes

Time of the process: what other programs take does not count, but they slow the caches and the clock down, so that only
steps taken in turn can be compared. Calls, of Python's functions and of C's, do not depend on any of that. On a fake
GPU its counters are shown too; it should compute nothing (FAKE_DRY=1).
"""

from __future__ import annotations

import argparse
import collections
import cProfile
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SHOWN = "launches", "cublas:calls", "cudaGetDevice", "memset", "copies:H2D", "iinfo", "calls of Python", "of C"


def counters():
    """The fake GPU's counters, where there is one."""
    fake = sys.modules.get("sitecustomize")
    return fake.counters() if hasattr(fake, "counters") else {}


def make_step(network, batch_size):
    """A function that takes one step of training."""
    from minialex import Tensor, backends, functional, models
    from minialex.training.recipe import make_optimizer

    backend = backends.use_backend("cupy")
    preset = models.PRESETS[network]
    model = models.build(network).train()
    optimizer = make_optimizer(model, preset.recipe)
    images = backend.xp.zeros((batch_size, 3, preset.input_size, preset.input_size), np.float32)
    labels = np.zeros(batch_size, np.int64)

    def step():
        optimizer.zero_grad()
        functional.cross_entropy(model(Tensor(images)), labels).backward()
        optimizer.step()

    return step


def counted(step):
    """The counters of a step, its calls of np.iinfo, and of all functions of Python and of C."""
    before, iinfo, calls = counters(), np.iinfo, []
    np.iinfo = lambda dtype: calls.append(dtype) or iinfo(dtype)
    step()
    np.iinfo = iinfo
    found = {name: value - before.get(name, 0) for name, value in counters().items()} | {"iinfo": len(calls)}
    events: collections.Counter = collections.Counter()
    sys.setprofile(lambda frame, event, function: events.update([event]))
    step()
    sys.setprofile(None)
    return found | {"calls of Python": events["call"], "of C": events["c_call"]}


def serve(step):
    """Write the counters of a step, then for every line read the milliseconds of one: [its own, the clock's]."""
    for _ in range(3):
        step()
    print(json.dumps(counted(step)), flush=True)
    for _ in sys.stdin:
        own, clock = time.process_time(), time.perf_counter()
        step()
        print(json.dumps([1e3 * (time.process_time() - own), 1e3 * (time.perf_counter() - clock)]), flush=True)


def start(checkout, options):
    """A Python that imports minialex from a checkout, and serves steps."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])}
    arguments = ["--network", options.network, "--batch-size", options.batch_size, "--serve"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, __file__, *map(str, arguments)], env=environment, cwd=checkout, **pipes)


def ask(process):
    """[the process's, the wall clock's] milliseconds of one more step."""
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="alexnet", help="default: alexnet")
    parser.add_argument("--batch-size", type=int, default=128, help="default: 128")
    parser.add_argument("--steps", type=int, default=60, help="steps of each, default: 60")
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--profile", choices=("tottime", "cumtime"), help="where the time goes, sorted by this")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(make_step(options.network, options.batch_size))
    elif options.profile:
        step, profiler = make_step(options.network, options.batch_size), cProfile.Profile()
        step()
        profiler.runcall(lambda: [step() for _ in range(options.steps)])
        pstats.Stats(profiler).sort_stats(options.profile).print_stats(40)
    else:
        checkouts = [path.resolve() for path in (options.beside, ROOT) if path]
        processes = [start(checkout, options) for checkout in checkouts]
        counts = [json.loads(process.stdout.readline()) for process in processes]
        times = [[ask(process) for process in processes] for _ in range(options.steps)]
        for checkout, of, taken in zip(checkouts, counts, zip(*times, strict=True), strict=True):
            shown = ", ".join(f"{name} {of[name]:,}" for name in SHOWN if name in of)
            print(f"{checkout}: a step: {shown}")
            for clock, milliseconds in zip(("process", "wall"), zip(*taken, strict=True), strict=True):
                print(f"    {clock:7} median {statistics.median(milliseconds):.2f} ms, fastest {min(milliseconds):.2f}")
        for process in processes:
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    main()
