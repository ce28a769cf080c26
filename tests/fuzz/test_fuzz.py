"""Mutated files of every kind are read right, or refused in one sentence: see fuzzing.py, and run.py for more."""

from __future__ import annotations

import pytest
from fuzz import fuzzing
from fuzz.targets import TARGETS

# Inputs of each target in a first run, and with --heavy; about as many as take a quarter of a second, and five seconds.
COUNTS = {
    "checkpoint": (60, 1000),
    "run": (12, 200),
    "pack": (100, 2000),
    "arrays": (60, 1000),
    "safetensors": (200, 3000),
    "saved": (300, 5000),
    "picture": (300, 5000),
    "folder": (30, 500),
    "labels": (200, 4000),
    "names": (200, 4000),
    "recipe": (100, 2000),
    "cifar10": (60, 1000),
    "cache": (200, 3000),
    "archive": (100, 2000),
}
TORCH = 1000


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
    assert result.accepted and (result.refused or name == "cache"), "the mutations are too weak, or too strong"


@pytest.mark.heavy
@pytest.mark.parametrize("name", COUNTS)
def test_many(worker, name):
    holds(worker, name, range(COUNTS[name][0], COUNTS[name][1]))


def test_some_of_torch(worker, torch):
    holds(worker, "torch", range(60))


@pytest.mark.heavy
def test_many_of_torch(worker, torch):
    holds(worker, "torch", range(60, TORCH))
