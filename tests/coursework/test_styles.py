"""Right solutions in ten styles each lose nothing: no check may ask for the library's own way of writing."""

from __future__ import annotations

import pytest
from coursework.test_mistakes import failed
from right_solutions import made_right, right_solutions, with_right

from minialex import coursework

STYLES = 10  # of each assignment

pytestmark = pytest.mark.coursework


@pytest.mark.parametrize(
    ("name", "solution"),
    [(name, right) for name in with_right() for right in right_solutions(name)],
    ids=lambda case: getattr(case, "style", case),
)
def test_a_right_solution_loses_nothing(name, solution, tmp_path):
    assignment = coursework.assignment(name)
    assert failed(assignment, made_right(solution, assignment, tmp_path), variant=0) == {}


def test_every_assignment_has_its_styles():
    assert with_right() == [*coursework.NAMES]
    assert all(len({solution.style for solution in right_solutions(name)}) == STYLES for name in coursework.NAMES)
