"""Every mistake of every assignment fails exactly the checks that it is declared to fail; here without the grader."""

from __future__ import annotations

import copy
import functools
import os
import warnings
from unittest import mock

import numpy as np
import pytest
import quick_kernels
from wrong_solutions import declared, inputs_of, made, own, put, wrong_solutions

from minialex import coursework
from minialex.coursework import runner, tree

TAMED = [(name, wrong) for name in declared() for wrong in wrong_solutions(name) if not wrong.hostile]


@functools.cache
def asked(name, variant):
    """(check, inputs, expected) for each check."""
    assignment = coursework.assignment(name)
    drawn = [(check, inputs_of(assignment, check, variant, "a secret")) for check in assignment.checks]
    return [(check, inputs, check.answers(inputs)[0]) for check, inputs in drawn]


def failed(assignment, folder, variant, names=None):
    """{check: message} of those that fail on the folder, in this process; of all checks, or of these names."""
    faults = {}
    for check, inputs, expected in asked(assignment.name, variant):
        message = _fault(check, inputs, expected, folder) if names is None or check.name in names else None
        if message:
            faults[check.name] = message
    return faults


def _fault(check, inputs, expected, folder):
    inputs = copy.deepcopy(inputs)  # a mistake may write into them
    variables = quick_kernels.environment() if coursework.assignment_in(folder).native else {}
    try:
        with (
            mock.patch.dict(os.environ, variables),
            coursework.using(folder),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            got, changed = check.answers(inputs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return runner.verdict(check, inputs, expected, got, changed)[0]


@pytest.mark.coursework
@pytest.mark.parametrize(("name", "wrong"), TAMED, ids=lambda case: getattr(case, "mistake", case))
def test_mistake(name, wrong, tmp_path):
    assignment = coursework.assignment(name)
    folder = made(wrong, assignment, tmp_path)
    faults = failed(assignment, folder, variant=0)
    assert faults.keys() == wrong.checks(assignment), faults
    assert failed(assignment, folder, variant=7, names=faults).keys() == faults.keys(), "another draw lets it through"
    public = [faults[check.name] for check in assignment.checks if check.public and check.name in faults]
    assert wrong.says in (public[0] if public else ""), public


SLOW = {"a2", "a4", "a5", "a6"}  # for a5 kernels are compiled; one of the others shows the point
EACH = [pytest.param(name, marks=[pytest.mark.coursework] if name in SLOW else []) for name in declared()]


@pytest.mark.parametrize("name", EACH)
def test_the_library_passes_and_the_skeleton_fails(name, tmp_path):
    assignment = coursework.assignment(name)
    assert failed(assignment, put(own(assignment), tmp_path / "own", name), 0) == {}
    faults = failed(assignment, put(tree.skeleton(assignment), tmp_path / "empty", name), 0)
    assert faults.keys() == {check.name for check in assignment.checks}
    assert all("yours to write" in message for message in faults.values()), faults


GRADIENTS_AS_ARRAYS = {  # solutions from when .grad was an array of the backend
    "replaced": (
        "a1", "tape.py", "arrival.deliver(node)",
        "node.grad = arrival.gradient.copy() if node.grad is None else node.grad + arrival.gradient",
    ),
    "in place": (
        "a1", "tape.py", "arrival.deliver(node)",
        "node.grad = 0 * arrival.gradient if node.grad is None else node.grad; node.grad += arrival.gradient",
    ),
    "emptied by hand": (
        "a6", "trainer.py", "self.optimizer.zero_grad()",
        "for p in [p for p in self.model.parameters() if p.grad is not None]: p.grad[...] = 0.0",
    ),
    "scaled to nothing": (
        "a6", "trainer.py", "self.optimizer.zero_grad()",
        "for p in [p for p in self.model.parameters() if p.grad is not None]: p.grad *= 0.0",
    ),
}  # fmt: skip


@pytest.mark.coursework
@pytest.mark.parametrize("case", GRADIENTS_AS_ARRAYS)
def test_solutions_that_take_gradients_for_arrays_pass(case, tmp_path):
    name, file, theirs, older = GRADIENTS_AS_ARRAYS[case]
    assignment = coursework.assignment(name)
    files = own(assignment)
    assert files[file].count(theirs) == 1
    files = files | {file: files[file].replace(theirs, older)}
    assert failed(assignment, put(files, tmp_path, name), 0) == {}


@pytest.mark.parametrize("name", declared())
def test_declaration(name):
    assignment = coursework.assignment(name)
    targets = [target for t in assignment.targets for target in t.names]
    assert assignment.hints.keys() == set(targets) and {len(hints) for hints in assignment.hints.values()} == {3}
    wrong = wrong_solutions(name)
    assert len(wrong) >= 15 and len({w.mistake for w in wrong}) == len(wrong)
    checks = {check.name for check in assignment.checks}
    caught = set().union(*(w.checks(assignment) for w in wrong if w.checks(assignment) != checks))
    assert caught == checks, "a check that no mistake fails"
