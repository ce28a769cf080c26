"""Mutated files of every kind are read right, or refused in one sentence: see fuzzing.py, and run.py for more."""

from __future__ import annotations

import pytest
from fuzz import fuzzing
from fuzz.targets import TARGETS

# Inputs of each target in a first run, which take about a third of a second, and with --heavy, about six seconds.
COUNTS = {
    "checkpoint": (30, 500),
    "run": (10, 150),
    "pack": (40, 800),
    "arrays": (50, 1200),
    "safetensors": (100, 1500),
    "saved": (120, 2000),
    "picture": (200, 3000),
    "folder": (10, 150),
    "labels": (60, 1000),
    "names": (150, 3000),
    "recipe": (80, 1200),
    "cifar10": (60, 1200),
    "cache": (40, 1000),
    "archive": (60, 1000),
}
TORCH = 40, 600


@pytest.fixture(scope="module")
def worker():
    with fuzzing.Worker() as worker:
        yield worker


def holds(worker, name, seeds):
    result = worker.run(name, seeds)
    assert not result.findings, result.described()
    assert result.inputs == len(seeds)
    return result


def test_every_target_is_tried():
    assert COUNTS.keys() == {name for name, target in TARGETS.items() if not target.needs}


@pytest.mark.parametrize("name", COUNTS)
def test_some(worker, name):
    result = holds(worker, name, range(COUNTS[name][0]))
    mended = name in ("cache", "folder")  # what is damaged is computed again, or left out
    assert result.accepted and (result.refused or mended), "the mutations are too weak, or too strong"


@pytest.mark.heavy
@pytest.mark.parametrize("name", COUNTS)
def test_many(worker, name):
    holds(worker, name, range(*COUNTS[name]))


def test_some_of_torch(worker, torch):
    holds(worker, "torch", range(TORCH[0]))


@pytest.mark.heavy
def test_many_of_torch(worker, torch):
    holds(worker, "torch", range(*TORCH))
