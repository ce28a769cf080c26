"""A run that is stopped, or killed, and goes on ends exactly as one that never was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from on_request import heavy_but
from tiny_runs import TINY, after_forwards, assert_same_arrays, assert_same_end, ctrl_c, metrics, run

from minialex.runs import checkpoint
from minialex.runs import folder as run_folder

pytestmark = pytest.mark.usefixtures("quick_figures")


# An epoch has 3 forward passes in training and 3 in validation; three epochs have 18, the test 3 more.
@pytest.mark.parametrize("forward", heavy_but([11], [1, 8, 9, 11, 18, 20]))
def test_from_any_place(whole, tmp_path, monkeypatch, capfd, forward):
    folder = tmp_path / "r"
    with monkeypatch.context() as m:
        after_forwards(m, forward, ctrl_c)
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 130
    out, err = capfd.readouterr()
    assert "stopping after this batch" in err and "Traceback" not in err
    assert out.splitlines()[-1] == f"  python -m minialex.train --resume {folder}"
    assert (folder / "filters.png").exists(), "figures are drawn when it stops"
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


def test_twice_within_one_epoch_and_by_sigterm(whole, tmp_path, monkeypatch):
    folder = tmp_path / "r"
    with monkeypatch.context() as m:
        after_forwards(m, 2, lambda: signal.raise_signal(signal.SIGTERM))
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 143
    with monkeypatch.context() as m:
        after_forwards(m, 1, ctrl_c)
        assert run("--resume", folder) == 130
    assert checkpoint.load(folder / "last.npz").trainer_state["batch"] == 3
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


def test_longer(whole, tmp_path, capsys):
    folder = tmp_path / "r"
    assert run(*TINY, "--epochs", 1, "--seed", 5, "--out", folder) == 0
    assert run("--resume", folder) == 0
    out = capsys.readouterr().out
    assert "this run has finished its epochs (1); to train longer:" in out
    assert f"  python -m minialex.train --resume {folder} --epochs 2\n" in out
    assert run("--resume", folder, "--epochs", 3) == 0
    assert_same_end(folder, whole)
    assert json.loads((folder / "config.json").read_text())["epochs"] == 3
    assert run("--resume", folder, "--epochs", 2) == 2
    assert "has finished 3 epochs already" in capsys.readouterr().err


@pytest.mark.parametrize("schedule", heavy_but(["plateau:1"], ["plateau:1", "step:1", "constant"]))
def test_with_other_schedules_and_no_validation(tmp_path, monkeypatch, schedule):
    options = ("--limit", 16, "--batch-size", 8, "--validation", 0, "--schedule", schedule, "--epochs", 3)
    assert run(*options, "--out", tmp_path / "a") == 0
    with monkeypatch.context() as m:
        after_forwards(m, 4, ctrl_c)
        assert run(*options, "--out", tmp_path / "b") == 130
    assert run("--resume", tmp_path / "b") == 0
    assert_same_end(tmp_path / "b", tmp_path / "a")


@pytest.mark.parametrize(
    ("forward", "saved"), [(1, None), (8, (1, 1)), pytest.param(13, (2, 0), marks=pytest.mark.heavy)]
)
def test_killed_without_warning(whole, tmp_path, monkeypatch, forward, saved):
    """What a power cut leaves: the last checkpoint, here one after each batch, or none yet."""
    folder = tmp_path / "r"
    with monkeypatch.context() as m:
        m.setattr(run_folder, "SAVE_EVERY", 0)
        after_forwards(m, forward, lambda: (_ for _ in ()).throw(SystemExit(9)))
        with pytest.raises(SystemExit):
            run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder)
    if saved:
        state = checkpoint.load(folder / "last.npz").trainer_state
        assert (state["epoch"], state["batch"]) == saved
    else:
        assert [p.name for p in folder.glob("*.npz")] == []
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


def test_a_second_ctrl_c_leaves_the_last_checkpoint(whole, tmp_path, monkeypatch):
    folder, savez = tmp_path / "r", np.savez

    def impatient(file, **arrays):
        file.write(b"PK\3\4 some of it")
        ctrl_c()
        savez(file, **arrays)

    with monkeypatch.context() as m:
        after_forwards(m, 8, lambda: (ctrl_c(), m.setattr(np, "savez", impatient)))
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 130
    assert checkpoint.load(folder / "last.npz").trainer_state["epoch"] == 1
    assert not list(folder.glob(".*"))
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


def test_a_real_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "minialex.train", *map(str, TINY), "--epochs", "1000", "--seed", "5"]
    command += ["--out", tmp_path / "r"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("epoch "):
            assert process.poll() is None
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert f"--resume {tmp_path / 'r'}" in out
    stopped = checkpoint.load(tmp_path / "r" / "last.npz").trainer_state
    epochs = stopped["epoch"] + 1
    assert run("--resume", tmp_path / "r", "--epochs", epochs) == 0
    assert run(*TINY, "--epochs", epochs, "--seed", 5, "--out", tmp_path / "whole") == 0
    a, b = (checkpoint.load(tmp_path / name / "last.npz") for name in ("r", "whole"))
    assert_same_arrays(a.weights, b.weights)
    assert metrics(tmp_path / "r") == metrics(tmp_path / "whole")
