"""For students: public checks and hints."""

from __future__ import annotations

from . import assignment_in, runner, using, variant_in
from .grade import grade, inputs_of, seed_of


def check(folder, say=print):
    """Run all public checks of a student's folder.

    folder: the student's.
    say: say(text) is called with each result.

    Returns (points, maximum).
    """
    assignment = assignment_in(folder)
    report = grade(assignment, folder, variant=variant_in(folder), public_only=True, say=say)
    return report["score"], sum(check.points for check in assignment.checks if check.public)


def public_checks(folder):
    """The public checks of the assignment that a student's folder belongs to."""
    return [check for check in assignment_in(folder).checks if check.public]


def public_fault(folder, check):
    """Run a public check of a student's folder in this process; returns what is wrong, or an empty text."""
    seed = seed_of(assignment_in(folder), check, "", variant_in(folder))
    return fault(folder, check, inputs_of(check, seed))


def fault(folder, check, inputs):
    """Run a check on given inputs in this process.

    folder: the student's.
    check: a Check.
    inputs: a dict, as from its `draw`.

    Returns what is wrong, or an empty text.
    Raises whatever the student's code raises.
    """
    expected, _ = check.answers(inputs)
    with using(folder):
        got, changed = check.answers(inputs)
    return runner.verdict(check, inputs, expected, got, changed)[0]


def hint(assignment, target, number):
    """A hint.

    assignment: an Assignment.
    target: name of a function; a method's also without its class.
    number: from 1.

    Raises ValueError for a function without hints, or a number beyond the last hint.
    """
    by_method = {name.rpartition(".")[2]: hints for name, hints in assignment.hints.items()}
    hints = assignment.hints.get(target) or by_method.get(target)
    if not hints:
        raise ValueError(
            f"there are no hints for {assignment.name}.{target}; functions with hints: "
            f"{', '.join(assignment.hints) or 'none'}"
        )
    if not 1 <= number <= len(hints):
        raise ValueError(f"{assignment.name}.{target} has hints 1 to {len(hints)}, not {number}")
    return hints[number - 1]
