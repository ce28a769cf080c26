"""The fuzzer finds what is planted: a reader for each kind of fault, and none in one that is right."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import fuzzing, mutate

KINDS = {
    "traceback": "traceback",
    "raw": "message",
    "numpys": "message",
    "empty": "message",
    "long": "message",
    "passed_on": "message",
    "not_text": "message",
    "outside": "outside",
    "elsewhere": "outside",
    "removes": "outside",
    "writes_past_python": "outside",
    "executes": "executed",
    "unpickles": "executed",
    "evaluates": "executed",
    "prints": "printed",
    "prints_past_python": "printed",
    "warns": "printed",
    "memory": "memory",
    "asks_for_memory": "memory",
    "swallows_memory": "memory",
    "crash": "crash",
    "hang": "hang",
    "hang_in_c": "hang",
}
AGAIN = ("memory", "executed", "outside", "crash", "hang")  # after these a new process goes on


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with fuzzing.Worker("fuzz.planted", tmp_path_factory.mktemp("kept"), seconds=0.5, megabytes=200) as worker:
        yield worker


@pytest.mark.parametrize("name", ["refuses", "says", "writes"])
def test_what_is_allowed(worker, name):
    result = worker.run(name, range(30))
    assert not result.findings, result.described()
    assert result.inputs == 30 and (result.refused if name == "refuses" else result.accepted)


@pytest.mark.parametrize("name", [n for n in KINDS if KINDS[n] not in AGAIN])
def test_what_is_found(worker, name):
    check(worker, name, 30)


@pytest.mark.heavy
@pytest.mark.parametrize("name", [n for n in KINDS if KINDS[n] in AGAIN])
def test_what_is_found_by_a_process_that_ends(worker, name):
    check(worker, name, 4)


@pytest.mark.parametrize("name", ["memory", "hang_in_c"])
def test_one_of_each_that_ends(worker, name):
    check(worker, name, 1)
    assert not worker.run("refuses", range(5)).findings, "the next process goes on"


def check(worker, name, count):
    result = worker.run(name, range(count))
    assert {finding.kind for finding in result.findings} == {KINDS[name]}, result.described()
    assert result.inputs == count and len(result.findings) >= count - 5  # some leave a file as it is
    kept = Path(result.findings[0].kept)
    assert kept.is_dir() and (kept / "f").read_bytes() != b"0123456789" if (kept / "f").is_file() else kept.is_dir()
    assert f"python tests/fuzz/run.py {name} --seed {result.findings[0].seed}" in result.described()


def test_mutations_that_mean_nothing(worker):
    other, refused = worker.run("other", range(60)), worker.run("refused", range(60))
    assert {finding.kind for finding in other.findings} == {"other"}
    assert {finding.kind for finding in refused.findings} == {"refused"}


def test_a_target_that_cannot_read_its_samples(worker):
    with pytest.raises(fuzzing.Broken, match="is not ten digits"):
        worker.run("broken", range(3))
    assert not worker.run("refuses", range(5)).findings


SAMPLES = {
    "bytes": b"0123456789" * 20,
    "text": b"a 1\nb 2\nc 3\n",
    "json": b'{"a": [1, 2.5, "x"], "b": {"c": null}}',
    "toml": b'a = 1\nb = "x"\n[c]\nd = [1.5, true]\n',
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(60),
}


@pytest.mark.parametrize("kind", ["bytes", "text", "json", "toml", "picture"])
def test_a_seed_always_gives_the_same(kind):
    change, content = mutate.KINDS[kind], SAMPLES[kind]
    first, again = ([change(random.Random(seed), content) for seed in range(100)] for _ in range(2))
    assert first == again
    assert len(set(first)) > 50, "seeds differ"
    assert all(isinstance(changed, bytes) for changed in first)


@pytest.mark.heavy
def test_the_command(tmp_path):
    """One seed again, as a report says."""
    script = Path(fuzzing.__file__).with_name("run.py")
    command = [sys.executable, script, "names", "--seed", "3", "--kept", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "names: 1 inputs" in done.stdout and (tmp_path / "names-3").is_dir()
