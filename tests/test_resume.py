"""A run that is stopped, or killed, and goes on ends exactly as one that never was."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from on_request import heavy_but
from refusals import tree
from tiny_runs import TINY, after_forwards, assert_same_arrays, assert_same_end, ctrl_c, metrics, run

from minialex import threads
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


def test_a_second_ctrl_c_while_it_saves_waits(whole, tmp_path, monkeypatch, capfd):
    """Neither the threads of the loader, which end first, nor the checkpoint are stopped half-way."""
    folder, shutdown, pressed = tmp_path / "r", ThreadPoolExecutor.shutdown, []

    def impatient(threads, **options):
        if not pressed:
            pressed.append(ctrl_c())
        shutdown(threads, **options)

    with monkeypatch.context() as m:
        after_forwards(m, 8, lambda: (ctrl_c(), m.setattr(ThreadPoolExecutor, "shutdown", impatient)))
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 130
    out, err = capfd.readouterr()
    assert pressed and "saving; press Ctrl-C again" in err and "ignored" not in err and "Traceback" not in err
    assert f"--resume {folder}" in out and err.endswith("stopped\n")
    state = checkpoint.load(folder / "last.npz").trainer_state
    assert (state["epoch"], state["batch"]) == (1, 2)
    assert not list(folder.glob(".*")) and not (folder / "filters.png").exists(), "the figures are not waited for"
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


def test_a_third_ctrl_c_leaves_the_last_checkpoint(whole, tmp_path, monkeypatch):
    folder, savez = tmp_path / "r", np.savez

    def impatient(file, **arrays):
        file.write(b"PK\3\4 some of it")
        ctrl_c()
        ctrl_c()
        savez(file, **arrays)

    with monkeypatch.context() as m:
        after_forwards(m, 8, lambda: (ctrl_c(), m.setattr(np, "savez", impatient)))
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 130
    state = checkpoint.load(folder / "last.npz").trainer_state
    assert (state["epoch"], state["batch"]) == (1, 0)
    assert not list(folder.glob(".*"))
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


@pytest.mark.heavy
def test_a_second_ctrl_c_before_the_batch_is_done_stops_at_once(whole, tmp_path, monkeypatch):
    folder = tmp_path / "r"
    with monkeypatch.context() as m:
        after_forwards(m, 8, lambda: (ctrl_c(), ctrl_c()))
        assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 130
    assert checkpoint.load(folder / "last.npz").trainer_state["batch"] == 0
    assert not list(folder.glob(".*")), "the folder is free"
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


def test_a_real_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "minialex.train", *map(str, TINY), "--epochs", "1000", "--seed", "5"]
    command += ["--out", tmp_path / "r"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not process.stdout.readline().startswith("epoch "):
            assert process.poll() is None
        for options in (["--resume"], [*TINY, "--out"]):
            assert run(*options, tmp_path / "r") == 2, "it belongs to the process"
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


def edit(folder, **changes):
    """Change settings in config.json, as with an editor."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2))


EDITED = {
    "seed": 6,
    "lr": 0.5,
    "batch_size": 4,
    "weight_decay": 0.0,
    "optimizer": "adam",
    "schedule": "constant",
    "limit": 16,
    "validation": 4,
    "accumulate": 2,
    "diagnose": True,
    "keep_every": 2,
    "recipe_name": "paper",
    "matmul_precision": "tf32",
    "freeze": ["conv1"],
    "num_classes": 12,
    "conv_ways": {"32x7x7 to 64": "direct"},
}


@pytest.mark.parametrize("name", EDITED)
def test_a_setting_that_was_edited_is_not_taken_up(whole, tmp_path, capsys, name):
    folder = shutil.copytree(whole, tmp_path / "r")
    was, edited = json.loads((folder / "config.json").read_text())[name], EDITED[name]
    edit(folder, **{name: edited})
    before = tree(folder)
    assert run("--resume", folder, "--epochs", 4) == 2
    was, edited = json.dumps(was), json.dumps(edited)
    assert capsys.readouterr().err == (
        f'error: {folder}/config.json has "{name}": {edited}, but the run was trained with {was} so far: '
        f"put {was} back, or start a new run with {edited}\n"
    )
    assert tree(folder) == before


def test_what_may_change_when_a_run_is_resumed_may_be_edited(whole, tmp_path):
    """The length of the run, the place of its data, the threads; and any setting that is put back."""
    folder = shutil.copytree(whole, tmp_path / "r")
    before = json.loads((folder / "config.json").read_text())
    edit(folder, seed=6)
    edit(folder, seed=5, epochs=4, data_dir=str(tmp_path), threads=before["threads"] + 1)
    try:
        assert run("--resume", folder) == 0
    finally:
        threads.set_count(before["threads"])
    saved = checkpoint.load(folder / "last.npz")
    assert saved.trainer_state["epoch"] == 4 and saved.configuration["data_dir"] == str(tmp_path)


@pytest.mark.heavy
def test_before_the_first_checkpoint_any_setting_may_be_edited(whole, tmp_path, monkeypatch):
    folder = tmp_path / "r"
    with monkeypatch.context() as m:
        after_forwards(m, 1, lambda: (_ for _ in ()).throw(SystemExit(9)))
        with pytest.raises(SystemExit):
            run(*TINY, "--epochs", 3, "--seed", 6, "--out", folder)
    assert not (folder / "last.npz").exists()
    edit(folder, seed=5)
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)


@pytest.mark.heavy
def test_killed_after_its_length_was_changed(whole, tmp_path, monkeypatch):
    """config.json has the new number of epochs, last.npz still the old one."""
    folder = tmp_path / "r"
    assert run(*TINY, "--epochs", 2, "--seed", 5, "--out", folder) == 0
    with monkeypatch.context() as m:
        after_forwards(m, 1, lambda: (_ for _ in ()).throw(SystemExit(9)))
        with pytest.raises(SystemExit):
            run("--resume", folder, "--epochs", 3)
    assert json.loads((folder / "config.json").read_text())["epochs"] == 3
    assert checkpoint.load(folder / "last.npz").configuration["epochs"] == 2
    assert run("--resume", folder) == 0
    assert_same_end(folder, whole)
