"""Training runs that take a second, and what must be equal at the end of two of them."""

from __future__ import annotations

import csv
import signal

from minialex import cli, functional, plotting, train
from minialex.runs import checkpoint

# Batches of 8, 8 and 4.
TINY = ("--limit", 20, "--batch-size", 8, "--lr", 0.02, "--schedule", "multistep:1,2:0.5")
TIMES = ("seconds", "images_per_second")


def run(*arguments):
    """The exit code of the command."""
    return cli.run(train.main, [str(argument) for argument in arguments])


def after_forwards(monkeypatch, count, act):
    """Have `act()` called by the `count`-th loss that is computed from now on, in training or evaluation."""
    loss, seen = functional.cross_entropy, [0]

    def counted(*arguments):
        seen[0] += 1
        if seen[0] == count:
            act()
        return loss(*arguments)

    monkeypatch.setattr(functional, "cross_entropy", counted)


def without_figures(monkeypatch):
    """The figures of runs take no time: files without a picture. Drawing takes longer than a tiny run."""
    for name in ("curves", "filters", "diagnosis", "predictions", "confusion", "lr_range"):
        monkeypatch.setattr(plotting, name, lambda *arguments: arguments[-1].write_text("a figure"))


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def metrics(folder):
    """The rows of metrics.csv without the columns that a clock decides."""
    with open(folder / "metrics.csv", newline="") as file:
        return [{name: text for name, text in row.items() if name not in TIMES} for row in csv.DictReader(file)]


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def assert_same_arrays(a, b):
    """Two dicts hold the same arrays, bit for bit."""
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes(), name


def velocities(saved):
    """Taken out of the checkpoint, by the parameter's number."""
    return {index: state["momentum_buffer"] for index, state in saved.trainer_state["optimizer"].pop("state").items()}


def assert_same_end(folder, other):
    """Weights, velocities, generator, schedule, history, metrics.csv and steps.csv are bit for bit the same."""
    a, b = (checkpoint.load(f / "last.npz") for f in (folder, other))
    assert_same_arrays(a.weights, b.weights)
    v = velocities(a)
    assert len(v) == len(a.weights)
    assert_same_arrays(v, velocities(b))
    assert without_times(a.trainer_state) == without_times(b.trainer_state)
    assert without_times(a.history) == without_times(b.history) and len(a.history) == 3
    assert metrics(folder) == metrics(other)
    assert (folder / "steps.csv").read_text() == (other / "steps.csv").read_text(), "no step is missing, none is twice"
    assert (folder / "best.npz").exists() == (other / "best.npz").exists()
    if (folder / "best.npz").exists():
        a, b = (checkpoint.load(f / "best.npz") for f in (folder, other))
        assert_same_arrays(a.weights, b.weights)
