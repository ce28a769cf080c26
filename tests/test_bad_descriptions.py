"""Checkpoints with one wrong value, in every command that reads them: one sentence with the file, exit code 2."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import SMALL, must_refuse, no_figures, small_run

from minialex import evaluate, predict, train
from minialex.convert import __main__ as convert
from minialex.look import __main__ as look
from minialex.runs import checkpoint

COMMANDS = {
    "predict": (predict.main, ("r", "a.png")),
    "evaluate": (evaluate.main, ("r",)),
    "look": (look.main, ("r", "filters")),
    "convert": (convert.main, ("r/last.npz", "new.npz")),
    "train --weights": (train.main, ("--weights", "r", *SMALL, "--epochs", 1, "--out", "new")),
    "train --resume": (train.main, ("--resume", "r", "--epochs", 2)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that was stopped after an epoch, without its best weights."""
    folder = small_run(tmp_path_factory.mktemp("runs") / "whole")
    (folder / "best.npz").unlink()
    return folder


@pytest.fixture
def refused(whole, tmp_path, monkeypatch, capsys):
    """must_refuse, in a folder with the run and an image."""
    monkeypatch.chdir(tmp_path)
    no_figures(monkeypatch)
    shutil.copytree(whole, "r")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save("a.png")
    return functools.partial(must_refuse, capsys)


def rewritten(**changes):
    """last.npz with other values in its description, or other arrays where a name has a slash."""
    path = Path("r") / "last.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    tree = json.loads(arrays["checkpoint"].tobytes())
    for name, value in changes.items():
        if "/" in name:
            arrays[name] = value
        else:
            tree[name] = value(tree[name]) if callable(value) else value
    arrays["checkpoint"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    np.savez(path, **arrays)


def nested(depth):
    return functools.reduce(lambda inner, _: [inner], range(depth), 0)


CASES = {
    "three names": ({"classes": ["a", "b", "c"]}, "classes has 3 names, but arguments.num_classes is 10"),
    "a billion outputs": (
        {"arguments": {"num_classes": 10**9}},
        "classes has 10 names, but arguments.num_classes is 1000000000",
    ),
    "outputs in words": ({"arguments": {"num_classes": "10"}}, "arguments.num_classes should be an integer, got '10'"),
    "an unknown argument": ({"arguments": {"zzz": 1}}, "unknown field arguments.zzz"),
    "no std": ({"normalization": lambda n: {"mean": n["mean"]}}, "the field normalization.std is missing"),
    "a list 600 deep": ({"history": nested(600)}, "history[0] should be a dict, got [[["),
    "a vast input": ({"input_size": 10**6}, "input_size should be at least 1 and at most 4,096"),
    "another order": ({"channel_order": "XYZ"}, "channel_order should be one of RGB, BGR, got 'XYZ'"),
    "NaN": ({"weights/fc5.bias": np.full(10, np.nan, np.float32)}, "weights.fc5.bias should be finite numbers"),
    "another shape": ({"weights/conv1.bias": np.zeros(3, np.float32)}, "misshapen: conv1.bias (is (3,), expected ("),
}


@pytest.mark.heavy
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", CASES)
def test_every_command_refuses_a_wrong_description(refused, command, case):
    changes, message = CASES[case]
    main, arguments = COMMANDS[command]
    rewritten(**changes)
    sentence = refused(*arguments, main=main)
    assert "last.npz is damaged: " in sentence and message in sentence


def state(*keys, value):
    """A function that changes one value in trainer_state."""

    def change(tree):
        place = tree
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
        return tree

    return change


RESUMED = {
    "dampening": (
        state("optimizer", "param_groups", 0, "dampening", value="x"),
        "dampening should be a number, got 'x'",
    ),
    "epoch -5": (state("epoch", value=-5), "trainer_state.epoch should be at least 0"),
    "epoch 10^9": (state("epoch", value=10**9), "trainer_state.epoch is 1,000,000,000, but history ends with epoch 1"),
    "batch 1.5": (state("batch", value=1.5), "trainer_state.batch should be an integer, got 1.5"),
    "batch 99": (state("batch", value=99), "the state is at batch 99 of an epoch with 2 batches"),
    "no schedule": (state("schedule", value=None), "the state is of a training with no schedule"),
    "another schedule": (state("schedule", value={"last_epoch": 1}), "schedule: this state is not of a"),
    "generator": (state("generator", value=[1]), "trainer_state.generator should be an object, got [1]"),
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_resume_refuses_a_wrong_state(refused, case):
    change, message = RESUMED[case]
    rewritten(trainer_state=change)
    sentence = refused("--resume", "r", "--epochs", 2)
    assert "last.npz" in sentence and message in sentence


def test_a_history_of_nothing(refused):
    rewritten(history=[{}])
    assert "the field history[0].epoch is missing" in refused("--resume", "r", "--epochs", 2)


@pytest.mark.heavy
def test_the_unchanged_run_is_used_by_every_command(refused, tmp_path):
    """The cases above are refused for what is wrong in them alone."""
    rewritten()
    checkpoint.load("r/last.npz")
    for main, arguments in COMMANDS.values():
        assert main([str(argument) for argument in arguments]) in (0, None)
