"""Runs of several processes, as users start them: mpiexec -n P python -m minialex.train --parallel ..."""

from __future__ import annotations

import csv
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ranks import NEEDS_MPI, finished, start

from minialex.runs import checkpoint, trained

pytestmark = [NEEDS_MPI, pytest.mark.heavy]

TRAIN = "-m", "minialex.train"
SMALL = (
    "--limit",
    100,
    "--batch-size",
    12,
    "--validation",
    30,
    "--lr",
    0.05,
    "--keep-every",
    1,
)  # 9 batches, the last of 4


def train(size, *words, code=0):
    """Run `train` in so many processes, until it ends; returns its output and its errors."""
    done, output, errors = finished(start(size, *TRAIN, *words))
    assert done == code, f"exit code {done}\n{output}\n{errors}"
    return output, errors


def alone(*words):
    """Run it without a launcher, also where MPI is."""
    done = subprocess.run([sys.executable, *TRAIN, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def state(folder):
    """Everything numeric in last.npz, by name: weights, buffers, velocities."""
    saved = checkpoint.load(Path(folder) / "last.npz")
    optimizer = saved.trainer_state["optimizer"]["state"]
    arrays = dict(saved.weights)
    for index, entries in optimizer.items():
        arrays |= {f"{index}.{name}": array for name, array in entries.items()}
    return arrays, saved


def same(found, expected, tolerance=1e-5):
    """The files of two runs: arrays to rounding, and all else that training knows."""
    (arrays, saved), (wanted, other) = state(found), state(expected)
    assert arrays.keys() == wanted.keys()
    for name, array in wanted.items():
        scale = max(1, np.abs(array).max(initial=0))
        np.testing.assert_allclose(arrays[name], array, rtol=0, atol=tolerance * scale, err_msg=name)
    for key in ("epoch", "batch", "generator"):
        assert saved.trainer_state[key] == other.trainer_state[key]
    for row, wanted_row in zip(saved.history, other.history, strict=True):
        for key in row.keys() - {"seconds", "images_per_second"}:
            assert row[key] == pytest.approx(wanted_row[key], rel=1e-4), key
    losses, other_losses = (
        [float(row["loss"]) for row in csv.DictReader((Path(f) / "steps.csv").read_text().splitlines())]
        for f in (found, expected)
    )
    np.testing.assert_allclose(losses, other_losses, rtol=1e-4)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def one(folders):
    """The folder of a run of two epochs in one process, and what it printed."""
    output = alone(*SMALL, "--epochs", 2, "--out", folders / "one")
    return folders / "one", output


@pytest.mark.parametrize(
    ("size", "scheme"),
    [(1, "data"), (2, "data"), (3, "data"), (2, "hybrid"), (3, "hybrid"), (2, "towers"), (4, "towers")],
)
def test_the_run_of_one_process(folders, one, size, scheme):
    folder, printed = one
    mine = folders / f"{scheme}{size}"
    output, errors = train(size, "--parallel", scheme, *SMALL, "--epochs", 2, "--out", mine)
    same(mine, folder)
    assert output.splitlines()[-1] == printed.splitlines()[-1] and not errors
    assert f"{scheme}: {size} process" in output
    assert {path.name for path in mine.iterdir()} == {path.name for path in folder.iterdir()}
    loaded = trained.load(mine)
    assert loaded.checkpoint.weights.keys() == trained.load(folder).checkpoint.weights.keys()
    for path in (folder / "kept").iterdir():
        ours, theirs = (checkpoint.load(kept).weights for kept in (mine / "kept" / path.name, path))
        assert ours.keys() == theirs.keys()
        assert all(np.allclose(ours[name], theirs[name], rtol=0, atol=1e-5) for name in theirs), path.name


@pytest.mark.parametrize("scheme", ["data", "towers"])
def test_resumed_by_another_number(folders, one, scheme):
    """From two processes to one, to three (data) or four (towers), in the middle of training."""
    folder = folders / f"resumed-{scheme}"
    train(2, "--parallel", scheme, *SMALL, "--epochs", 1, "--out", folder)
    alone("--resume", folder, "--epochs", 2)
    same(folder, one[0])
    longer = folders / "one-longer"
    if not longer.exists():
        alone(*SMALL, "--epochs", 3, "--out", longer)
    train(3 if scheme == "data" else 4, "--resume", folder, "--epochs", 3)
    same(folder, longer)


def test_by_another_scheme(folders, one):
    folder = folders / "schemes"
    alone(*SMALL, "--epochs", 1, "--out", folder)
    train(2, "--resume", folder, "--parallel", "hybrid", "--epochs", 2)
    same(folder, one[0])


def test_batch_norm_is_that_of_the_batch(folders):
    own = folders / "bn.py"
    own.write_text(
        "from minialex import nn\n"
        "def build(num_classes):\n"
        "    maps = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2))\n"
        "    return nn.Sequential(maps, nn.Flatten(), nn.Linear(8 * 6 * 6, num_classes))\n"
    )
    words = "--model", f"{own}:build", "--optimizer", "sgd", *SMALL, "--epochs", 1
    alone(*words, "--out", folders / "bn1")
    output, _ = train(2, "--parallel", "data", *words, "--out", folders / "bn2")
    same(folders / "bn2", folders / "bn1", 1e-4)
    assert "batch normalisation over the whole batch" in output
    output, _ = train(2, "--parallel", "data", "--local-batch-norm", *words, "--out", folders / "bn3")
    assert "batch normalisation over each part of a batch" in output
    with pytest.raises(AssertionError):
        same(folders / "bn3", folders / "bn1", 1e-4)


def test_accumulated_batches(folders):
    words = *SMALL, "--epochs", 1, "--accumulate", 2
    alone(*words, "--out", folders / "accumulated1")
    train(2, "--parallel", "data", *words, "--out", folders / "accumulated2")
    same(folders / "accumulated2", folders / "accumulated1")


# ------------------------------------------------------------------------------ ends

LONG = "--limit", 200, "--batch-size", 10, "--epochs", 200, "--validation", 20


def processes(size, folder):
    """{rank: process number} of the run with this folder, once all are there."""
    while True:
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                environment, words = (path / "environ").read_bytes(), (path / "cmdline").read_bytes()
            except OSError:
                continue
            rank = re.search(rb"\0PMI_RANK=(\d+)\0", environment)
            if rank and str(folder).encode() in words:
                found[int(rank[1])] = int(path.name)
        if len(found) == size:
            return found
        time.sleep(0.05)


def until(condition):
    end = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def gone(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the processes in /proc")
@pytest.mark.parametrize(("size", "rank"), [(2, 0), (3, 1)])
def test_a_killed_process_ends_all_and_nothing_is_lost(tmp_path, size, rank):
    folder = tmp_path / "run"
    run = start(size, *TRAIN, "--parallel", "data", *LONG, "--out", folder)
    until((folder / "last.npz").exists)
    until(lambda: len((folder / "metrics.csv").read_text().splitlines()) > 1)  # written after it
    time.sleep(random.random())
    every = processes(size, folder)
    os.kill(every[rank], signal.SIGKILL)
    killed = time.monotonic()
    code, _, errors = finished(run)
    assert code != 0 and time.monotonic() - killed < 20
    until(lambda: all(gone(process) for process in every.values()))
    [sentence] = re.findall(r"the processes of this run were ended; saved: .*", errors)
    assert sentence.endswith(f"continue with: mpiexec -n {size} python -m minialex.train --resume {folder}")
    epochs = len((folder / "metrics.csv").read_text().splitlines()) - 1
    assert 1 <= epochs <= int(re.search(r"saved: (\d+) epochs", sentence)[1]) <= epochs + 1
    output, _ = train(size, "--resume", folder, "--epochs", epochs + 2)
    whole = tmp_path / "whole"
    # Not with one process's, which differs by rounding: after some epochs that decides who wins a pool somewhere.
    train(size, "--parallel", "data", *LONG[:-4], "--epochs", epochs + 2, *LONG[-2:], "--out", whole)
    assert "test accuracy" in output
    same(folder, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends_all(tmp_path, number):
    folder = tmp_path / "run"
    run = start(2, *TRAIN, "--parallel", "data", *LONG, "--out", folder)
    until((folder / "last.npz").exists)
    if number == signal.SIGTERM and not Path("/proc/self/environ").exists():
        pytest.skip("finds the processes in /proc")
    os.kill(run.pid if number == signal.SIGINT else processes(2, folder)[1], number)
    code, output, _ = finished(run)
    assert code == 128 + number
    assert "everything is saved, continue with:\n  mpiexec -n 2 python -m minialex.train --resume" in output
    assert "the processes of this run were ended" not in output
    _, saved = state(folder)
    train(2, "--resume", folder, "--epochs", saved.trainer_state["epoch"] + 1)


SLOW = """
import time
from pathlib import Path
from minialex import nn
class Net(nn.Sequential):
    def forward(self, x):
        self.trained = getattr(self, "trained", False) or self.training
        if self.trained and not self.training:
            Path(__file__).with_name("evaluating").touch()
            time.sleep(0.5)
        return super().forward(x)
def build(num_classes, input_size):
    return Net(nn.Flatten(), nn.Linear(3 * input_size ** 2, num_classes))
"""


@pytest.mark.parametrize(("validation", "after"), [(200, "0 epochs and 2 batches"), (0, "1 epochs and 0 batches")])
def test_a_signal_during_an_evaluation(tmp_path, validation, after):
    """In the validation, or the test, of two batches of half a second."""
    (tmp_path / "net.py").write_text(SLOW)
    words = "--limit", 200, "--batch-size", 100, "--validation", validation, "--epochs", 1, "--out", tmp_path / "run"
    run = start(2, *TRAIN, "--parallel", "data", "--model", tmp_path / "net.py:build", *words)
    until((tmp_path / "evaluating").exists)
    os.kill(run.pid, signal.SIGINT)
    code, output, _ = finished(run)
    assert code == 130 and f"stopped after {after}; everything is saved" in output
    assert ("epoch 1/1" in output) == (not validation) and "test accuracy" not in output


ERRORS = [
    (2, [], "2 processes were started: say with --parallel how the run is shared out among them"),
    (2, ["--parallel", "data", "--lr", "x"], "argument --lr: 'x' is not a number"),
    (3, ["--parallel", "towers"], "--parallel towers is for pairs of processes: there are 3"),
    (2, ["--parallel", "data", *SMALL, "--lr", 1e30], "the training loss became"),
    (2, ["--parallel", "data", "--lr-find", "--dataset", "cifar10", "--data-dir", "/nowhere"], "is for one process"),
    (2, ["--parallel", "data", "--diagnose"], "is for one process"),
    (2, ["--parallel", "towers", "--model", "cifar_13pct", "--dataset", "shapes"], "Local2d) cannot be divided"),
    (2, ["--parallel", "data", "--dataset", "cifar10", "--data-dir", "/nowhere"], "/nowhere"),
]


@pytest.mark.parametrize(("size", "words", "sentence"), ERRORS, ids=lambda value: str(value)[:40])
def test_errors_are_one_sentence_of_one_process(tmp_path, size, words, sentence):
    begun = time.monotonic()
    output, errors = train(size, *words, "--out", tmp_path / "run", code=2)
    lines = errors.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and sentence in lines[0], errors
    assert "Traceback" not in output + errors and time.monotonic() - begun < 60


def test_the_console_command_ends_all_too(tmp_path):
    """`minialex train` is `python -m minialex.train`: here the first process alone meets the error."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("")
    run = start(2, "-m", "minialex", "train", "--parallel", "data", *SMALL, "--out", tmp_path / "run")
    code, output, errors = finished(run)
    assert code == 2 and not output
    [line] = errors.splitlines()
    assert line.startswith("error: ") and "exists and is not empty" in line


@pytest.mark.parametrize("scheme", ["hybrid", "towers"])
def test_networks_in_parts_are_tested_and_drawn_whole(tmp_path, scheme):
    words = "--limit", 10, "--batch-size", 10, "--validation", 0, "--epochs", 1, "--overfit", 2
    output, errors = train(2, "--parallel", scheme, *words, "--out", tmp_path / "two")
    assert "memorised 2 of 2 pictures" in output and not errors
    alone(*words, "--out", tmp_path / "one")
    images = pytest.importorskip("PIL.Image")
    shapes = [images.open(tmp_path / name / "filters.png").size for name in ("one", "two")]
    assert shapes[0] == shapes[1]


RESHAPING = """
from minialex import nn
class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.fc = nn.Linear(3072, num_classes)
    def forward(self, x):
        return self.fc(x.reshape(len(x), -1))
build = Net
"""


def test_a_network_that_needs_a_picture(tmp_path):
    """Nobody trains for an hour until a last batch of one picture ends the run; other batches are no trouble."""
    (tmp_path / "net.py").write_text(RESHAPING)
    words = "--parallel", "data", "--model", tmp_path / "net.py:build", "--batch-size", 4, "--epochs", 1
    words = *words, "--validation", 0, "--out", tmp_path / "run"
    _, errors = train(2, *words, "--limit", 9, code=2)
    [line] = errors.splitlines()
    assert "net.py:8: ValueError: cannot reshape" in line and "write x.flatten(1)" in line and "--batch-size" in line
    train(2, *words, "--limit", 10)


def test_an_error_of_one_process_alone_ends_all(tmp_path):
    """Of a rank that is not the first, in the middle of training."""
    own = tmp_path / "net.py"
    own.write_text(
        "import os\nfrom minialex import nn\n"
        "class Net(nn.Sequential):\n    def forward(self, x):\n        self.seen = getattr(self, 'seen', 0) + len(x)\n"
        "        if os.environ['PMI_RANK'] == '1' and self.seen > 130:\n"
        "            raise ValueError('a fault of rank 1')\n"
        "        return super().forward(x)\n"
        "def build(num_classes, input_size):\n"
        "    return Net(nn.Flatten(), nn.Linear(3 * input_size ** 2, num_classes))\n"
    )
    words = "--parallel", "data", "--model", f"{own}:build", *SMALL, "--epochs", 50, "--out", tmp_path / "run"
    _, errors = train(2, *words, code=2)
    lines = errors.splitlines()
    assert len(lines) == 2 and lines[0].startswith("process 1 of 2: error:") and lines[0].endswith("a fault of rank 1")
    assert re.search(r"saved: \d+ epochs and 0 batches, continue with: mpiexec -n 2 python", lines[1]), errors
