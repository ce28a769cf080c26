"""Real processes: several at once, each with a folder of its own, and signals at random moments of their lives."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from refusals import the_sentence
from tiny_runs import TINY, assert_same_arrays, assert_same_end, metrics, run, without_times

from minialex.runs import checkpoint
from minialex.runs.folder import COLUMNS, FILES, STEP_COLUMNS
from minialex.support import lock

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.usefixtures("quick_figures"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL"),
]

# Python imports it before anything else. Processes say when minialex begins to be imported, all start in one second,
# take their time to write files, and draw nothing, which takes a second.
SITE = """
import os, sys, time

class Watch:
    def find_spec(name, path=None, target=None):
        if name == "minialex.functional":
            sys.meta_path.remove(Watch)
            os.write(1, b"importing\\n")

sys.meta_path.insert(0, Watch)
sys.modules["matplotlib"] = None

def slowly(do):
    return lambda *arguments, **options: (time.sleep(0.02), do(*arguments, **options))[1]

os.fsync, os.replace, strftime = slowly(os.fsync), slowly(os.replace), time.strftime
time.strftime = lambda form, *when: strftime(form, *when or [(2026, 1, 2, 3, 4, 5, 4, 2, 0)])
"""
OPTIONS = ("--limit", 68, "--batch-size", 8, "--epochs", 3, "--seed", 7, "--backend", "numpy", "--threads", 1)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts `python -m minialex.train arguments`, or `minialex train arguments`; all end with the module."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(SITE)
    (site / "minialex").write_text("import sys\nfrom minialex.__main__ import console\nsys.exit(console())\n")
    path = os.pathsep.join(map(str, [site, Path(__file__).parents[1]]))
    environment = os.environ | {"PYTHONPATH": path, "MINIALEX_PROGRESS": "off"}
    started = []

    def start(*arguments, installed=False, **options):
        how = [site / "minialex", "train"] if installed else ["-m", "minialex.train"]
        command = [sys.executable, *map(str, (*how, *arguments))]
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
        started.append(subprocess.Popen(command, preexec_fn=hears_ctrl_c, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def hears_ctrl_c():
    """In a child, before Python starts: tests that run in the background ignore Ctrl-C, and so would the child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(path, process):
    while not path.exists() and process.poll() is None:
        time.sleep(0.001)


@pytest.fixture(scope="module")
def uninterrupted(start, tmp_path_factory):
    """(The folder of a run that nothing interrupted, the seconds until its first file is there, and from then on.)"""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    process = start(*OPTIONS, "--out", folder)
    assert process.stdout.readline() == "importing\n"
    begun = time.monotonic()
    wait_for(folder / "config.json", process)
    trains = time.monotonic()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "test accuracy" in out, err
    return folder, trains - begun, time.monotonic() - trains


def assert_whole(folder):
    """Every file of a run can be read to its end."""
    configuration = json.loads((folder / "config.json").read_text())
    for name, columns in (("metrics.csv", COLUMNS), ("steps.csv", STEP_COLUMNS)):
        if (folder / name).exists():
            text = (folder / name).read_text()
            assert not text or text.endswith("\n")
            assert all(tuple(row) == columns and None not in row.values() for row in csv.DictReader(text.splitlines()))
    for name in ("last.npz", "best.npz"):
        if (folder / name).exists():
            saved = checkpoint.load(folder / name)
            saved.build_model()
            assert saved.configuration["seed"] == configuration["seed"]


SIGNALS = {
    "Ctrl-C": ([signal.SIGINT], {0, 130, -signal.SIGINT}),
    "Ctrl-C twice": ([signal.SIGINT] * 2, {0, 130, -signal.SIGINT}),
    "SIGTERM": ([signal.SIGTERM], {0, 143, -signal.SIGTERM}),
    "SIGKILL": ([getattr(signal, "SIGKILL", None)], {0, -9}),
}


@pytest.mark.parametrize("moment", ["before it trains", "while it trains"])
@pytest.mark.parametrize("name", SIGNALS)
def test_signals_at_random_moments(start, uninterrupted, tmp_path, name, moment):
    (reference, *seconds), trains = uninterrupted, moment == "while it trains"
    dice, folder = random.Random(f"{name} {moment}"), tmp_path / "new" / "r"
    numbers, allowed = SIGNALS[name]
    process = start(*OPTIONS, "--out", folder, installed=dice.random() < 0.5)
    assert process.stdout.readline() == "importing\n"
    if trains:
        wait_for(folder / "config.json", process)
    time.sleep(dice.random() * seconds[trains])
    for number in numbers:
        process.send_signal(number)
        time.sleep(dice.choice([0, 0.001, 0.03, 0.1]))
    _, err = process.communicate(timeout=60)
    assert process.returncode in allowed, err
    assert "Traceback" not in err and "ignored" not in err
    files = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if process.returncode < 0:
        files = {file for file in files if file != lock.NAME and not file.endswith(".partial")}
    assert files <= set(FILES)
    if not files:
        assert process.returncode < 0 or not folder.parent.exists(), "no empty folders are left"
        assert run(*OPTIONS, "--out", folder) == 0, "and nothing is in the way of the next try"
    else:
        assert_whole(folder)
        assert run("--resume", folder) == 0
        assert not list(folder.glob(".*"))
    assert_same_end(folder, reference)


def assert_of_one_run(folder, seed):
    """config.json, metrics.csv, last.npz and best.npz agree on the seed, and on the history."""
    assert_whole(folder)
    assert {path.name for path in folder.iterdir()} >= {
        "config.json",
        "metrics.csv",
        "steps.csv",
        "last.npz",
        "best.npz",
    }
    last, best = (checkpoint.load(folder / name) for name in ("last.npz", "best.npz"))
    configuration = json.loads((folder / "config.json").read_text())
    assert configuration["seed"] == last.configuration["seed"] == best.configuration["seed"] == seed
    assert last.trainer_state["generator"]["seed"] == seed and last.trainer_state["epoch"] == 2
    assert without_times(best.history) == without_times(last.history)[: len(best.history)]
    assert [float(row["train_loss"]) for row in metrics(folder)] == [row["train_loss"] for row in last.history]


def test_processes_that_are_started_at_once(start, tmp_path):
    """Three without --out, in one second, leave three whole folders; of two with one --out, one trains."""
    options = (*TINY, "--epochs", 2, "--backend", "numpy", "--threads", 1)
    three = {seed: start(*options, "--seed", seed, cwd=tmp_path) for seed in (1, 2, 3)}
    two = {seed: start(*options, "--seed", seed, "--out", tmp_path / "out") for seed in (4, 5)}
    ends = {seed: (p, *p.communicate(timeout=120)) for seed, p in (three | two).items()}
    name = "shapes_net-shapes-20260102-030405"
    folders = sorted((tmp_path / "runs").iterdir())
    assert [path.name for path in folders] == [name, f"{name}-2", f"{name}-3"]
    assert sorted(json.loads((f / "config.json").read_text())["seed"] for f in folders) == [1, 2, 3]
    for folder in folders:
        seed = json.loads((folder / "config.json").read_text())["seed"]
        process, out, err = ends[seed]
        assert process.returncode == 0 and f"runs/{folder.name}\n" in out, err
        assert_of_one_run(folder, seed)
        assert run(*options, "--seed", seed, "--out", tmp_path / f"alone-{seed}") == 0
        a, b = (checkpoint.load(f / "last.npz") for f in (folder, tmp_path / f"alone-{seed}"))
        assert_same_arrays(a.weights, b.weights)
    codes = {seed: ends[seed][0].returncode for seed in two}
    assert sorted(codes.values()) == [0, 2]
    for seed, code in codes.items():
        if code == 0:
            assert_of_one_run(tmp_path / "out", seed)
        else:
            error = the_sentence(code, ends[seed][2])
            assert "that is being trained now" in error or "exists and is not empty" in error


def test_a_killed_run_is_free(start, tmp_path, capsys):
    """While a process trains, nobody else resumes the run or starts one in its folder; kill -9 ends that."""
    folder = tmp_path / "r"
    process = start(*TINY, "--epochs", 100_000, "--backend", "numpy", "--out", folder)
    while not (folder / "last.npz").exists():
        assert process.poll() is None
        time.sleep(0.01)
    for options in (["--resume"], ["--epochs", 1, "--out"]):
        code = run(*options, folder)
        assert "r is the folder of a run that is being trained now" in the_sentence(code, capsys.readouterr().err)
    process.kill()
    process.wait()
    assert_whole(folder)
    assert (folder / lock.NAME).exists()
    epochs = checkpoint.load(folder / "last.npz").trainer_state["epoch"]
    assert run("--resume", folder, "--epochs", epochs + 1) == 0
    assert not list(folder.glob(".*"))
