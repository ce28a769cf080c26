"""kill -9, again and again: a run always goes on, and ends with the weights of the run that was never killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tiny_runs import assert_same_end, run

from minialex import plotting
from minialex.runs import checkpoint
from minialex.runs import folder as run_folder
from minialex.support import lock

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")

# 9 batches an epoch, of which the last is smaller; the rate falls after every epoch.
OPTIONS = ("--limit", 68, "--batch-size", 8, "--epochs", 3, "--seed", 7, "--schedule", "step:1:0.5")
STEPS, KILLS = 3 * 9, 10

PAUSE = 0.04  # seconds after every step: time for the reader to see where the run is, on a busy machine too

# Saves after every step, and draws nothing: figures take a second.
DRIVER = f"""
import sys, time
from minialex import cli, train
from minialex.runs import folder as run_folder

run_folder.RunFolder.save_is_due = lambda self: time.sleep({PAUSE}) or True
for name in ("draw", "draw_test"):
    setattr(run_folder.RunFolder, name, lambda *arguments, **options: None)
sys.exit(cli.run(train.main))
"""


@contextlib.contextmanager
def process(*arguments):
    """The command in a process of its own, which does not outlive the block."""
    command = [sys.executable, "-c", DRIVER, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as p:
        try:
            yield p
        finally:
            p.kill()


def finish(*arguments):
    with process(*arguments) as p:
        err = p.communicate(timeout=60)[1]
    assert (p.returncode, err) == (0, "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(The folder of a run that nobody killed, the seconds that a step of it took.)"""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    finish(*OPTIONS, "--out", folder)
    return folder, sum(row["seconds"] for row in checkpoint.load(folder / "last.npz").history) / STEPS


class Reader(threading.Thread):
    """Loads a checkpoint over and over, while another process writes it: `places` are the (epoch, batch) it saw."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.places, self.error, self.leave = path, [], None, threading.Event()

    def run(self):
        while not self.leave.wait(0.005):
            try:
                state = checkpoint.load(self.path).trainer_state
                self.places.append((state["epoch"], state["batch"]))
            except FileNotFoundError:
                self.error = "it was there, and then it was gone" if self.places else None
            except Exception as error:
                self.error = error
            if self.error:
                return

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.leave.set()
        self.join()


def wait_for(condition, process):
    """Until it holds, or the process has ended."""
    while not condition() and process.poll() is None:
        time.sleep(0.0002)


def wait_for_a_moment(p, reader, place, aim_at, delay):
    """Wait until the run is at `place`, then for the file `aim_at`, if any, and then a little longer."""
    assert p.stdout.readline().startswith("minialex "), p.stderr.read()
    wait_for(lambda: not place or reader.places[-1:] >= [place], p)
    wait_for(lambda: not aim_at or aim_at.exists(), p)
    time.sleep(delay)


@pytest.mark.heavy
def test_killed_again_and_again(whole, tmp_path):
    reference, step = whole
    folder, dice = tmp_path / "r", random.Random(9)
    last, kills, epochs = folder / "last.npz", 0, set()
    places = [(epoch, batch) for epoch in range(3) for batch in range(1, 9)][:-2]
    with Reader(last) as reader:
        for place in [None, *sorted(dice.sample(places, KILLS - 1))]:
            within_save = dice.random() < 0.5
            aim_at = last.with_name(".last.npz.partial") if within_save else None
            delay = dice.uniform(0, step / 20 if within_save else PAUSE)
            started = (folder / "config.json").exists()
            with process(*(["--resume", folder] if started else [*OPTIONS, "--out", folder])) as p:
                wait_for_a_moment(p, reader, place, aim_at, delay)
                p.kill()
                err = p.communicate(timeout=60)[1]
            assert err == "" and p.returncode in (0, -signal.SIGKILL)
            if p.returncode == 0:
                break
            kills += 1
            left = {path.name for path in folder.glob(".*")} - {lock.NAME}
            assert len(left) <= 1, "no temporary files pile up"
            if last.exists():
                epochs.add(checkpoint.load(last).trainer_state["epoch"])
        finish("--resume", folder)
        time.sleep(0.1)
    assert kills >= 8 and len(epochs) >= 2, f"tested little: {kills} kills, in epochs {epochs}"
    assert reader.error is None
    assert reader.places == sorted(reader.places) and len(set(reader.places)) >= 10
    assert reader.places[-1] == (3, 0)
    assert_same_end(folder, reference)
    assert {path.name for path in folder.iterdir()} == {path.name for path in reference.iterdir()}


@pytest.mark.heavy
def test_what_a_kill_left_is_cleared_away(whole, tmp_path, monkeypatch):
    """Half a file of any name, and a run that was killed before its first file was complete."""
    for name in ("draw", "draw_test"):
        monkeypatch.setattr(run_folder.RunFolder, name, lambda *arguments, **options: None, raising=False)
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / ".config.json.partial").write_text('{"mod')
    assert run(*OPTIONS, "--epochs", 1, "--out", folder) == 0
    (folder / ".best.npz.partial").write_bytes(b"PK\3\4")
    (folder / ".predictions.png.partial").write_bytes(b"")
    assert run("--resume", folder) == 0
    assert not list(folder.glob(".*"))


@pytest.mark.heavy
def test_one_seed_one_result(whole, tmp_path, monkeypatch):
    """Another process, which saves at other times, ends with the same bits; another seed with other ones."""
    for name in plotting.__all__:
        monkeypatch.setattr(plotting, name, lambda *arguments, **options: None)
    assert run(*OPTIONS, "--out", tmp_path / "same") == 0
    assert_same_end(tmp_path / "same", whole[0])
    assert run(*OPTIONS, "--seed", 8, "--out", tmp_path / "other") == 0
    same, other = (checkpoint.load(tmp_path / name / "last.npz") for name in ("same", "other"))
    assert all((same.weights[name] != other.weights[name]).mean() > 0.9 for name in same.weights)
    for a, b in zip(same.history, other.history, strict=True):
        assert all(a[name] != b[name] for name in ("train_loss", "val_loss"))
