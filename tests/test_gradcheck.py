"""What the gradient checker reports, and its command; that it rejects wrong gradients is shown in test_mutants.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mutants
import numpy as np
import pytest
import verdicts

from minialex import cli, functional, gradcheck, random
from minialex.cases import CASES
from minialex.tensor import Tensor

# ------------------------------------------------------------------------------ what it reports


def test_the_place_of_a_single_wrong_entry():
    def function(a, b):
        y = functional.mul(a, b)

        def backward(gy):
            gb = gy * a.data
            gb[1, 2] *= 1.001
            return gy * b.data, gb

        return Tensor.from_operation(y.data, backward, a, b)

    rng = np.random.default_rng(0)
    result = gradcheck.gradcheck(function, rng.standard_normal((2, 3)), rng.standard_normal((2, 3)))
    assert not result.ok and (result.input, result.index) == (1, (1, 2)) and result.entries == 12
    assert result.error == pytest.approx(1e-3, rel=0.01)
    assert result.analytic / result.numeric == pytest.approx(1.001, rel=1e-6)
    assert "input 1 at (1, 2)" in str(result)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_no_number(bad):
    def function(x):
        return Tensor.from_operation(x.data * 2, lambda gy: (gy * bad,), x)

    assert not gradcheck.gradcheck(function, np.ones(3)).ok


def test_a_backward_that_writes_into_the_gradient_it_is_given():
    def function(x):
        def backward(gy):
            gy += 0.1
            return (gy * 2,)

        return Tensor.from_operation(x.data * 2, backward, x)

    assert not gradcheck.gradcheck(function, np.ones(3)).ok


def test_an_input_that_the_result_does_not_depend_on():
    result = gradcheck.gradcheck(lambda a, b: a * 2, np.ones(3), np.ones(2))
    assert result.ok and result.entries == 5


def test_a_gradient_of_zeros_that_must_be_zero():
    assert gradcheck.gradcheck(lambda x: functional.mul(x, 0.0), np.ones((2, 3))).ok


def test_a_wrong_gradient_beside_a_huge_one():
    """Each entry is held to its own size, down to a thousandth of the largest."""

    def function(x):
        scale = np.array([1e2, 1.0])
        return Tensor.from_operation(x.data * scale, lambda gy: (gy * scale * np.array([1, 1.01]),), x)

    result = gradcheck.gradcheck(function, np.ones(2))
    assert result.index == (1,) and result.error == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("kinks,ok", [(0, True), (1, True), (2, True), (3, False)])
def test_kinks_are_skipped_counted_and_limited(kinks, ok):
    x = np.linspace(0.5, 1.5, 40)
    x[:kinks] = 0.0
    result = gradcheck.gradcheck(functional.relu, x)
    assert result.skipped == kinks and result.entries == 40 and result.error < 1e-9
    assert result.ok is ok
    assert ("skipped at kinks" in str(result)) is bool(kinks)


def test_a_wrong_gradient_does_not_pass_for_a_kink():
    def function(x):
        return Tensor.from_operation(x.data * 2, lambda gy: (gy * -2,), x)

    result = gradcheck.gradcheck(function, np.arange(1.0, 7))
    assert not result.skipped and not result.ok


VIEWS = [lambda x: x, lambda x: x.reshape(4, 3), lambda x: x.T, lambda x: x.reshape(12).reshape(3, 4)]


@pytest.mark.parametrize("function", VIEWS, ids=["itself", "reshape", "T", "reshape twice"])
def test_results_that_are_views_of_the_input(function):
    result = gradcheck.gradcheck(function, np.random.default_rng(0).standard_normal((3, 4)))
    assert result.ok and result.entries == 12 and result.numeric != 0


def test_the_default_generator_is_rewound_for_every_evaluation():
    random.manual_seed(3)
    assert gradcheck.gradcheck(lambda x: functional.dropout(functional.dropout(x), 0.2), np.arange(1.0, 13)).ok


def test_neither_the_arrays_given_are_changed_nor_float32_used():
    x = np.arange(1, 4, dtype=np.float32)
    result = gradcheck.gradcheck(lambda t: functional.pow(t, 3), x)
    assert result.ok and x.tolist() == [1, 2, 3]


# ------------------------------------------------------------------------------ the command


@pytest.mark.heavy
def test_the_command_prints_a_line_for_every_operation(capsys):
    assert cli.run(gradcheck.main, []) == 0
    lines = capsys.readouterr().out.splitlines()
    operations = [line.split()[0] for line in lines[1:-2]]
    assert sorted(operations) == sorted({case.op for case in CASES})
    assert lines[0].split()[:3] == ["operation", "cases", "entries"]
    assert lines[-1].startswith(f"{len(CASES)} cases, ") and lines[-1].endswith(": all under 1e-06")


def test_the_command_fails_where_a_gradient_is_wrong(capsys):
    wrong = next(m for m in verdicts.MUTANTS if m.function is mutants.tanh_with_y_unsquared)
    with wrong.planted():
        assert cli.run(gradcheck.main, ["tanh", "relu"]) == 1
    out = capsys.readouterr().out
    *table, summary = out.splitlines()
    assert [line.split()[0] for line in table if line.endswith("WRONG")] == ["tanh"]
    assert re.search(r": 1 cases? (is|are) WRONG$", summary)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (["conv3d"], "error: unknown operation 'conv3d'; choose from abs, adaptive_avg_pool2d, ada"),
        (["relu", "--backend", "tpu"], "error: unknown backend 'tpu'; choose from numpy"),
    ],
)
def test_the_command_says_what_it_does_not_know(arguments, message, capsys):
    assert cli.run(gradcheck.main, arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(message) and captured.err.count("\n") == 1 and not captured.out


def test_the_command_as_a_user_runs_it():
    def run(*arguments):
        command = [sys.executable, "-m", "minialex.gradcheck", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=Path(gradcheck.__file__).parents[1])

    right = run("relu", "tanh")
    assert right.returncode == 0 and right.stderr == "" and right.stdout.count("\n") == 5
    wrong = run("nonsense")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr and wrong.stderr.startswith("error: ")
