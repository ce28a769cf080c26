"""Host time and launches of a training step on the cupy backend: how long Python takes to queue what the GPU computes.

    python tests/helpers/host_time.py                       # this checkout
    python tests/helpers/host_time.py --beside ../before    # this one and another in turn, medians of both

Process time, so that other programs do not count; on a GPU that is faked, with its counters, computing nothing.
"""

from __future__ import annotations

import argparse
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
SHOWN = "launches", "getDevice", "iinfo", "gemm", "memset", "bytes:H2D"


def counters():
    """The fake GPU's counters, where there is one; and the calls of np.iinfo."""
    fake = sys.modules.get("sitecustomize")
    return fake.counters() if hasattr(fake, "counters") else {}


def measure(network, batch_size, steps, profile):
    """{"ms": process time of each step, counters of the last step}."""
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

    times = []
    for _ in range(steps + 2):
        before, start = counters(), time.process_time()
        step()
        times.append(1e3 * (time.process_time() - start))
    counted = {name: value - before.get(name, 0) for name, value in counters().items()}
    iinfo, original = [], np.iinfo

    def counting(dtype):
        iinfo.append(dtype)
        return original(dtype)

    np.iinfo = counting
    step()
    np.iinfo = original
    if profile:
        profiler = cProfile.Profile()
        profiler.runcall(lambda: [step() for _ in range(5)])
        pstats.Stats(profiler, stream=sys.stderr).sort_stats(profile).print_stats(32)
    return {"ms": times[2:], **counted, "iinfo": len(iinfo)}


def in_a_process(checkout, options):
    """As measure, in a new Python that imports minialex from a checkout."""
    own = [checkout, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, own))}
    arguments = ["--network", options.network, "--batch-size", options.batch_size, "--steps", options.steps, "--json"]
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=checkout, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="alexnet", help="default: alexnet")
    parser.add_argument("--batch-size", type=int, default=128, help="default: 128")
    parser.add_argument("--steps", type=int, default=12, help="steps in each process, default: 12")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each checkout, default: 3")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turn with this one")
    parser.add_argument("--profile", choices=("tottime", "cumtime"), help="print where the time goes, sorted by this")
    parser.add_argument("--json", action="store_true", help="measure in this process, and print as JSON")
    options = parser.parse_args()
    if options.json or options.profile:
        print(json.dumps(measure(options.network, options.batch_size, options.steps, options.profile)))
        return
    checkouts = [path.resolve() for path in (options.beside, ROOT) if path]
    results = [(checkout, in_a_process(checkout, options)) for _ in range(options.rounds) for checkout in checkouts]
    for checkout in checkouts:
        mine = [result for of, result in results if of == checkout]
        times = [ms for result in mine for ms in result["ms"]]
        counted = ", ".join(f"{name} {mine[-1].get(name, 0):,}" for name in SHOWN)
        print(f"{checkout}: median {statistics.median(times):.2f} ms, fastest {min(times):.2f}; a step: {counted}")


if __name__ == "__main__":
    main()
