"""Mistakes written without a look at the checks lose what they declare; right solutions in all styles lose nothing."""

from __future__ import annotations

import copy

import pytest
from coursework.test_mistakes import _fault, asked
from right_solutions import fresh_solutions, made_right, right_solutions, with_fresh, with_right
from wrong_solutions import made

from minialex import coursework

MISTAKES = 25  # of each assignment
STYLES = 10

pytestmark = pytest.mark.coursework


def _named(case):
    return getattr(case, "mistake", None) or getattr(case, "style", case)


def failed(assignment, folder):
    """{check: message} of those that fail; each gets inputs of its own, which a mistake may write into."""
    faults = {}
    for check, inputs, expected in asked(assignment.name, 0):
        if message := _fault(check, copy.deepcopy(inputs), expected, folder):
            faults[check.name] = message
    return faults


@pytest.mark.parametrize(
    ("name", "wrong"), [(name, wrong) for name in with_fresh() for wrong in fresh_solutions(name)], ids=_named
)
def test_a_fresh_mistake_loses_what_it_declares(name, wrong, tmp_path):
    assignment = coursework.assignment(name)
    faults = failed(assignment, made(wrong, assignment, tmp_path))
    assert faults, "loses nothing"
    assert wrong.fails, f"not yet declared: it loses {faults}"
    assert faults.keys() == wrong.checks(assignment), faults
    public = [faults[check.name] for check in assignment.checks if check.public and check.name in faults]
    assert wrong.says in (public[0] if public else ""), public


@pytest.mark.parametrize(
    ("name", "solution"), [(name, right) for name in with_right() for right in right_solutions(name)], ids=_named
)
def test_a_right_solution_loses_nothing(name, solution, tmp_path):
    assignment = coursework.assignment(name)
    assert failed(assignment, made_right(solution, assignment, tmp_path)) == {}


@pytest.mark.parametrize("name", with_fresh())
def test_there_are_as_many_fresh_mistakes_as_promised(name):
    assert len({wrong.mistake for wrong in fresh_solutions(name)}) == MISTAKES


@pytest.mark.parametrize("name", with_right())
def test_there_are_as_many_styles_as_promised(name):
    assert len({solution.style for solution in right_solutions(name)}) == STYLES
