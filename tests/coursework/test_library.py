"""The library as a check calls it says the same in this process and in a student's: inputs, results, callbacks."""

from __future__ import annotations

import os

import numpy as np
import pytest
from wrong_solutions import edit, made

from minialex import coursework
from minialex.coursework import grade, protection, runner, tree

pytestmark = pytest.mark.coursework
FILE = "numpy_backend.py"
LINEAR = "        y = x @ w.T\n        return y if b is None else y + b\n"
COLUMNS = "        for some in buffers.blocks:\n            xp.matmul(weights, buffers.im2col(x[some]), out=y[some])\n"

CASES = {  # what the student has done: (assignment, check, old, new, what the student is told)
    "a result that the next call overwrites": (
        "a2", "linear float32", LINEAR,
        "        y = vars(self).setdefault('kept', {}).setdefault(x.shape, x @ w.T)\n"
        "        y[...] = x @ w.T if b is None else x @ w.T + b\n        return y\n",
        "numbers are wrong",
    ),
    "a result that no call overwrites": ("a2", "linear float32", LINEAR, LINEAR.replace("y + b", "b + y"), ""),
    "an input written into": (
        "a2", "linear float32", LINEAR,
        "        w *= 1.5\n        y = x @ w.T / 1.5\n        return y + b\n",
        "w has changed",
    ),
    "columns of a buffer that the next block overwrites": (
        "a3", "conv2d blocks", COLUMNS,
        "        kept = [buffers.im2col(x[some]) for some in buffers.blocks]\n"
        "        for some, columns in zip(buffers.blocks, kept):\n"
        "            xp.matmul(weights, columns, out=y[some])\n",
        "numbers are wrong",
    ),
    "columns of a buffer that have been copied": (
        "a3", "conv2d blocks", COLUMNS,
        "        kept = [buffers.im2col(x[some]).copy() for some in buffers.blocks]\n"
        "        for some, columns in zip(buffers.blocks, kept):\n"
        "            xp.matmul(weights, columns, out=y[some])\n",
        "",
    ),
    "an input written into after callbacks": (
        "a3", "conv2d blocks", COLUMNS, f"{COLUMNS}        x *= 0\n", "x has changed",
    ),
}  # fmt: skip


def in_the_process(assignment, check, inputs, expected, folder, place):
    """The message of a check in a process of its own."""
    shield = protection.best()
    for part in (place, *place.parents):  # pytest's folders are its user's own: the process may be another one's
        if part != part.parent and part.stat().st_uid == os.getuid():
            part.chmod(part.stat().st_mode | 0o011)
    scratch = place / "scratch"
    scratch.mkdir(mode=0o755)
    tree.scratch(assignment, folder, scratch, shield)
    with runner.Room(scratch, False, shield) as room:
        return runner.run_check(room, assignment, check, inputs, expected).message


@pytest.mark.parametrize("case", CASES)
def test_both_processes_say_the_same(case, tmp_path):
    name, check, old, new, told = CASES[case]
    assignment = coursework.assignment(name)
    check = assignment.check(check)
    inputs = grade.inputs_of(check, 5)
    expected = {key: np.copy(value) for key, value in check.answers(inputs)[0].items()}
    folder = made(edit(case, FILE, old, new, {check.name}), assignment, tmp_path / "theirs")
    there = in_the_process(assignment, check, inputs, expected, folder, tmp_path)
    with coursework.using(folder):
        got, changed = check.answers(inputs)
    here, _ = runner.verdict(check, inputs, expected, got, changed)
    assert told in there and told in here and bool(told) == bool(there) == bool(here), (there, here)
