"""The grader is tested by wrong solutions: each loses the points that it should, and no others."""

from __future__ import annotations

import dataclasses
import json

import pytest
from wrong_solutions import declared, made, own, put, wrong_solutions

from minialex import coursework
from minialex.coursework import tree
from minialex.coursework.declaration import HIDDEN, PUBLIC
from minialex.coursework.grade import grade

# All that is hostile, and every sixteenth of the rest: test_mistakes.py tries each of them on the same checks, in its
# own process.
WRONG = [
    (name, wrong)
    for name in declared()
    for number, wrong in enumerate(wrong_solutions(name))
    if wrong.hostile or number % 16 == 0
]


def graded(assignment, folder, **options):
    """The report on a folder; its checks by name."""
    report = grade(assignment, folder, folder / "results.json", secret="the test's", **options)
    assert report == json.loads((folder / "results.json").read_text())
    assert [t["name"] for t in report["tests"] if not t["name"].startswith("hidden")] == [
        check.name for check in assignment.checks if check.public
    ]
    return report


def judged_as(report):
    return {name: check["passed"] for name, check in report["extra_data"]["checks"].items()}


@pytest.mark.coursework
@pytest.mark.parametrize(("name", "wrong"), WRONG, ids=[f"{name}-{wrong.mistake}" for name, wrong in WRONG])
def test_wrong_solution(name, wrong, tmp_path):
    assignment = coursework.assignment(name)
    if wrong.hostile:  # those that never end need not do so for long
        short = tuple(dataclasses.replace(check, seconds=2.0) for check in assignment.checks)
        assignment = dataclasses.replace(assignment, checks=short)
    report = graded(assignment, made(wrong, assignment, tmp_path))
    fails = wrong.checks(assignment)
    assert judged_as(report) == {check.name: check.name not in fails for check in assignment.checks}
    assert report["score"] == sum(check.points for check in assignment.checks if check.name not in fails)
    told = [test["output"] for test in report["tests"] if not test["score"] and not test["name"].startswith("hidden")]
    assert wrong.says in (told[0] if told else ""), told


@pytest.mark.coursework
@pytest.mark.parametrize("name", declared())
def test_all_points_and_none(name, tmp_path):
    """The library's own code gets every point, the empty skeleton none."""
    assignment = coursework.assignment(name)
    full = graded(assignment, put(own(assignment), tmp_path / "own", name))
    assert full["score"] == PUBLIC + HIDDEN and all(judged_as(full).values())
    empty = graded(assignment, put(tree.skeleton(assignment), tmp_path / "empty", name))
    assert empty["score"] == 0 and not any(judged_as(empty).values())
    assert {check["kind"] for check in empty["extra_data"]["checks"].values()} == {"empty"}
    public = [test["output"] for test in empty["tests"] if not test["name"].startswith("hidden")]
    assert all("not written yet" in output for output in public)
    assert {test["output"] for test in empty["tests"][len(public) :]} == {"failed"}
