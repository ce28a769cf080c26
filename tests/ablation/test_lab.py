"""The lab: runs that are done are kept, one that was interrupted goes on bit for bit, one folder has one experiment."""

from __future__ import annotations

import json
import re
import signal

import pytest
from tiny_runs import after_forwards, assert_same_arrays

from minialex import ablate, cli, functional, plotting
from minialex.runs import checkpoint
from minialex.support import lock

pytestmark = pytest.mark.usefixtures("quick_figures")

TINY = ("--base", "cifar_18pct", "--without", "lrn", "--dataset", "shapes", "--limit", "24", "--batch-size", "8")
RACE = ("--recipe", "figure1", "--dataset", "shapes", "--limit", "24", "--batch-size", "8", "--backend", "numpy")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    for name in ("deltas", "race"):
        monkeypatch.setattr(plotting, name, lambda *arguments: arguments[-1].write_text("a figure"))


def command(*arguments):
    return cli.run(ablate.main, [str(argument) for argument in arguments])


def tiny(out, *more):
    return command(*TINY, "--backend", "numpy", "--epochs", 2, "--seeds", 2, "--out", out, *more)


@pytest.mark.heavy
def test_what_an_ablation_leaves(tmp_path, capsys):
    out = tmp_path / "o"
    assert tiny(out) == 0
    printed = capsys.readouterr().out
    runs = ["base-seed0", "lrn-seed0", "base-seed1", "lrn-seed1"]
    assert re.findall(r"run \d of (\d): (\S+)", printed) == [("4", name) for name in runs]
    files = {"experiment.json", "table.csv", "table.md", "ablation.png", lock.NAME}
    assert {path.name for path in out.iterdir()} - {lock.NAME} == files - {lock.NAME} | {*runs}
    assert "without lrn" in printed and "95 % interval" in printed and "layer-params-148.cfg" in printed
    configurations = [json.loads((out / name / "config.json").read_text()) for name in runs]
    assert [c["seed"] for c in configurations] == [0, 0, 1, 1] and {c["validation"] for c in configurations} == {0}
    assert [c["arguments"] for c in configurations] == [{}, {"norm": "none"}] * 2

    before = {path: path.stat().st_mtime_ns for name in runs for path in (out / name).iterdir()}
    assert tiny(out) == 0
    assert "run 1" not in capsys.readouterr().out, "what is done is kept"
    assert before == {path: path.stat().st_mtime_ns for name in runs for path in (out / name).iterdir()}


@pytest.mark.heavy
def test_the_same_command_continues_bit_for_bit(tmp_path, capsys, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert tiny(whole) == 0
    loss = functional.cross_entropy
    after_forwards(monkeypatch, 14, lambda: signal.raise_signal(signal.SIGINT))  # 9 a run: in epoch 2 of the second one
    assert tiny(stopped) == 130
    out = capsys.readouterr().out
    assert f"everything is saved, continue with:\n  python -m minialex.ablate {' '.join(TINY)}" in out
    assert not (stopped / "lrn-seed0" / "result.json").exists() and (stopped / "base-seed0" / "result.json").exists()
    monkeypatch.setattr(functional, "cross_entropy", loss)
    assert tiny(stopped) == 0
    for name in ("base-seed0", "lrn-seed0", "base-seed1", "lrn-seed1"):
        a, b = (checkpoint.load(out / name / "last.npz") for out in (whole, stopped))
        assert_same_arrays(a.weights, b.weights)
    assert (whole / "table.csv").read_bytes() == (stopped / "table.csv").read_bytes()


@pytest.mark.heavy
def test_another_command_and_another_process_are_refused(tmp_path, capsys):
    out = tmp_path / "o"
    assert tiny(out, "--seeds", 1) == 0
    capsys.readouterr()
    for more, message in (
        (
            ("--seeds", 2),
            "holds another experiment, with seeds 1, not 2: choose another folder with --out, or continue",
        ),
        (("--seeds", 1, "--limit", 25), "holds another experiment, with limit 24, not 25"),
    ):
        assert tiny(out, *more) == 2
        assert message in capsys.readouterr().err
    with lock.Lock(out):
        assert tiny(out, "--seeds", 1) == 2
        assert f"another process is running an experiment in {out}: wait for it" in capsys.readouterr().err
    (out / "base-seed0" / "result.json").write_text('{"outcome": "won"}')
    assert tiny(out, "--seeds", 1) == 2
    assert re.search(r"base-seed0/result.json is damaged, remove it: \S+ ", capsys.readouterr().err)


def test_a_folder_of_others_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert tiny(tmp_path) == 2
    assert f"{tmp_path} is not empty, and has no experiment.json" in capsys.readouterr().err
    assert tiny(tmp_path / "mine.txt") == 2
    assert "is not a folder" in capsys.readouterr().err


@pytest.mark.heavy
def test_a_race_survives_a_rate_that_is_too_high(tmp_path, capsys, monkeypatch):
    """A run that diverges is counted, the search goes on; a run ends with the epoch that reaches the target."""
    out = tmp_path / "o"
    assert command(*RACE, "--epochs", 2, "--seeds", 2, "--rates", "0.001,1e30", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "diverged in epoch 1" in printed and "Of relu, 1 run diverged." in printed
    told = json.loads((out / "figure1.json").read_text())
    assert told["variants"]["tanh"]["rate"] == 0.001 and [*told["variants"]["tanh"]["runs"]] == ["0", "1"]
    assert told["variants"]["relu"]["search"]["1e+30"]["outcome"] == "diverged"
    assert {path.name for path in out.iterdir()} >= {"figure1.png", "table.md", "relu-lr0.001-seed1"}
    assert not (out / "relu-lr0.001-seed1" / "predictions.png").exists(), "a race does not test"

    recipe = tmp_path / "easy.toml"
    text = (
        'base = "cifar_18pct"\ntarget = 0.99\nseeds = 1\n[variants.a]\n[variants.b]\nset = { nonlinearity = "tanh" }\n'
    )
    recipe.write_text(text)
    assert command("--recipe", recipe, *RACE[2:], "--epochs", 9, "--out", tmp_path / "easy") == 0
    told = json.loads((tmp_path / "easy" / "easy.json").read_text())
    for one in told["variants"].values():
        *before, last = one["runs"]["0"]["errors"]
        assert last <= 0.99 and not any(error <= 0.99 for error in before) and one["runs"]["0"]["outcome"] == "reached"
    assert told["variants"]["a"]["rate"] == 0.001, "that of the recipe"
