"""Commands that must refuse what they are given, and how they have to do it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_runs import run

from minialex import cli, plotting, train

SMALL = ("--limit", 20, "--batch-size", 10, "--seed", 3)


def the_sentence(code, err):
    """The one line of error of a command that had to fail."""
    assert code == 2 and re.fullmatch(r"error: [^\n]{10,}\n", err), (code, err)
    return err


def tree(folder):
    """Everything below a folder: {path: content, None for a folder}."""
    return {path: None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


def must_refuse(capsys, *arguments, main=train.main, leaves=None):
    """The sentence of a command that must fail, and leave the current folder as it was but for the folder `leaves`."""
    before = tree(Path.cwd())
    code = cli.run(main, [str(argument) for argument in arguments])
    if leaves:
        shutil.rmtree(leaves)
    assert tree(Path.cwd()) == before, "the command left something behind, or changed something"
    return the_sentence(code, capsys.readouterr().err)


def no_figures(monkeypatch):
    """Drawing takes a second, and figures are checked elsewhere."""
    for name in plotting.__all__:
        monkeypatch.setattr(plotting, name, lambda *arguments, **options: None)


def small_run(folder):
    """Train for an epoch, SMALL, without figures; returns the folder, in which the run is."""
    with pytest.MonkeyPatch.context() as m:
        no_figures(m)
        assert run(*SMALL, "--epochs", 1, "--out", folder) == 0
    return folder


def start(arguments, **options):
    """Run Python to its end."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, text=True, timeout=120, env=environment, **options)
