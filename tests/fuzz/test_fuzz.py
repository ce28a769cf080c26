"""Mutated files of every kind are read right, or refused in one sentence: see fuzzing.py, and run.py for more."""

from __future__ import annotations

import pytest
from fuzz import fuzzing
from fuzz.targets import TARGETS

# Inputs of each target in a first run, which take about half a second, and with --heavy, about six.
COUNTS = {
    "checkpoint": (100, 700),
    "run": (50, 200),
    "pack": (100, 800),
    "arrays": (100, 1200),
    "safetensors": (100, 1500),
    "saved": (100, 2000),
    "picture": (150, 3000),
    "folder": (50, 250),
    "labels": (100, 1000),
    "names": (100, 3000),
    "recipe": (100, 1200),
    "cifar10": (100, 1200),
    "cache": (100, 1000),
    "archive": (100, 1000),
}
TORCH = 20, 600


@pytest.fixture(scope="module")
def worker():
    with fuzzing.Worker() as worker:
        yield worker


def assert_holds(worker, name, seeds):
    result = worker.run(name, seeds)
    assert not result.findings, result.described()
    assert result.inputs == len(seeds)
    return result


def test_every_target_is_tried():
    assert COUNTS.keys() == {name for name, target in TARGETS.items() if not target.needs}


@pytest.mark.parametrize("name", COUNTS)
def test_some(worker, name):
    result = assert_holds(worker, name, range(COUNTS[name][0]))
    mended = name in ("cache", "folder")  # what is damaged is computed again, or left out
    assert result.accepted and (result.refused or mended), "the mutations are too weak, or too strong"


@pytest.mark.heavy
@pytest.mark.parametrize("name", COUNTS)
def test_many(worker, name):
    assert_holds(worker, name, range(*COUNTS[name]))


def test_some_of_torch(worker, torch):
    assert_holds(worker, "torch", range(TORCH[0]))


@pytest.mark.heavy
def test_many_of_torch(worker, torch):
    assert_holds(worker, "torch", range(*TORCH))
