"""What a student does: have a folder checked, be given a hint. The grader's child, or pytest, runs the functions."""

from __future__ import annotations

from . import assignment_in, runner, using, variant_in
from .grade import grade, inputs_of, seed_of


def check(folder, say=print):
    """Every public check, told as it ends; returns (points, points that there are)."""
    assignment = assignment_in(folder)
    report = grade(assignment, folder, variant=variant_in(folder), public_only=True, say=say)
    return report["score"], sum(check.points for check in assignment.checks if check.public)


def public_checks(folder):
    """The public checks of the assignment that the folder is of."""
    return [check for check in assignment_in(folder).checks if check.public]


def public_fault(folder, check):
    """What is wrong with a student's functions by a public check, or an empty text; run in this process."""
    seed = seed_of(assignment_in(folder), check, "", "", variant_in(folder))
    return fault(folder, check, inputs_of(check, seed))


def fault(folder, check, inputs):
    """The same for given inputs. What the student's code raises comes through."""
    expected = check.answers(inputs)
    with using(folder):
        got = check.answers(inputs)
    return runner.verdict(check, inputs, expected, got)[0]


def hint(assignment, target, number):
    """Hint `number` of a target, counted from 1. ValueError that says which there are."""
    by_method = {name.rpartition(".")[2]: hints for name, hints in assignment.hints.items()}
    hints = assignment.hints.get(target) or by_method.get(target)
    if not hints:
        raise ValueError(
            f"there are no hints for {assignment.name}.{target}; there are for "
            f"{', '.join(assignment.hints) or 'nothing'}"
        )
    if not 1 <= number <= len(hints):
        raise ValueError(f"{assignment.name}.{target} has hints 1 to {len(hints)}, not {number}")
    return hints[number - 1]
