"""Mutated files of every kind are read right, or refused in one sentence: see fuzzing.py, and run.py for more."""

from __future__ import annotations

import pytest
from fuzz import fuzzing
from fuzz.targets import TARGETS

# Inputs of each target in a first run, which take about half a second, and with --heavy, about three.
COUNTS = {
    "checkpoint": (50, 350),
    "run": (25, 200),
    "pack": (100, 400),
    "arrays": (100, 600),
    "safetensors": (100, 750),
    "npy": (100, 300),
    "shards": (100, 300),
    "torch": (50, 300),
    "caffe": (50, 300),
    "cfg": (50, 600),
    "keras": (50, 300),
    "saved": (100, 1000),
    "picture": (150, 1500),
    "folder": (25, 200),
    "labels": (100, 500),
    "names": (100, 1500),
    "recipe": (100, 600),
    "cifar10": (100, 600),
    "cache": (100, 500),
    "archive": (100, 500),
    "onnx": (100, 300),
}


@pytest.fixture(scope="module")
def worker():
    with fuzzing.Worker() as worker:
        yield worker


def assert_holds(worker, name, seeds):
    for module in TARGETS[name].needs:
        pytest.importorskip(module, reason=f"{module} is not installed")
    result = worker.run(name, seeds)
    assert not result.findings, result.described()
    assert result.inputs == len(seeds)
    return result


def test_every_target_is_tried():
    assert COUNTS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_some(worker, name):
    result = assert_holds(worker, name, range(COUNTS[name][0]))
    mended = name in ("cache", "folder")  # what is damaged is computed again, or left out
    assert result.accepted and (result.refused or mended), "the mutations are too weak, or too strong"


@pytest.mark.heavy
@pytest.mark.parametrize("name", COUNTS)
def test_many(worker, name):
    assert_holds(worker, name, range(*COUNTS[name]))
