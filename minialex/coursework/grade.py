"""Grading: every check runs in a process of its own; results in Gradescope's format are written after each."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from .. import __version__
from ..support import files
from ..support.text import printable
from . import mismatch, protection, runner, tree
from .declaration import WRITTEN
from .remote import GraderFault
from .runner import Outcome

AT_ONCE = 2  # checks
NO_HIDDEN = "the hidden checks are not part of the installed package: instructors grade from a checkout of minialex"


def grade(assignment, submission, results=None, secret="", variant=0, public_only=False, say=None):
    """Grade a submission.

    assignment: an Assignment.
    submission: the student's folder.
    results: a JSON file to write the report to, rewritten after each check; None for none.
    secret: seeds the inputs of hidden checks, which cannot be predicted without it. The seeds are kept in extra_data,
        which only instructors see: the same seed gives the same grade.
    variant: the term's; each number gives all checks other inputs.
    public_only: leave the hidden checks out.
    say: say(text) is called with each result.

    Returns the report, a dict in Gradescope's format.
    Raises OSError on Windows, and without a C++ compiler where the assignment has kernels.
    """
    if os.name == "nt":
        raise OSError(
            "grading needs Linux or macOS (on Windows use WSL); pytest runs the public tests of your folder everywhere"
        )
    if assignment.native:
        from .kernels import compiler  # here, since it reads all of the library's kernels

        compiler()  # raises OSError now, before anything is graded
    checks = [check for check in assignment.checks if check.public or not public_only]
    shield = protection.best()
    outcomes: dict[str, Outcome] = {}
    remarks = [NO_HIDDEN] if not public_only and all(check.public for check in checks) else []
    with tempfile.TemporaryDirectory(prefix="minialex-grading-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        os.chmod(place, 0o755)  # readable by another user, if the grader runs as root
        remarks += tree.scratch(assignment, submission, place, shield)
        remarks += filter(None, [mismatch(submission, assignment, variant)])
        seeds = {check.name: seed_of(assignment, check, secret, variant) for check in checks}
        told = 0
        for check, outcome, protected in _outcomes(assignment, checks, place, seeds, shield):
            outcomes[check.name] = outcome
            report = _report(assignment, checks, outcomes, seeds, protected, remarks)
            if results:
                files.write_text(results, json.dumps(report, indent=2) + "\n")
            while say and told < len(checks) and checks[told].name in outcomes:  # in the order of declaration
                row = _row(assignment, checks[told], outcomes[checks[told].name])
                say(f"{row['name']}: {row['score']} of {row['max_score']} points, {row['output']}")
                told += 1
    return report


def _outcomes(assignment, checks, place, seeds, shield):
    """Yield (check, Outcome, (what protected the grader, what did not)) as the checks finish."""
    inputs = {check.name: inputs_of(check, seeds[check.name]) for check in checks}
    expected = {check.name: check.answers(inputs[check.name])[0] for check in checks}  # while nothing else runs
    protected = shield.described(False), shield.weak(False)
    try:
        with runner.Room(place, assignment.native, shield) as room:
            protected = shield.described(room.seccomp), shield.weak(room.seccomp)
            message, kind = runner.compile_kernels(room, assignment) if assignment.native else ("", "")
            if kind:
                yield from ((check, Outcome(False, message, kind), protected) for check in checks)
                return
            for public in (True, False):  # no public check, whose message is shown, runs beside a hidden one
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    running = {}
                    for check in [check for check in checks if check.public == public]:
                        arguments = room, assignment, check, inputs[check.name], expected[check.name]
                        running[pool.submit(_outcome, *arguments)] = check
                    for future in as_completed(running):
                        yield running[future], future.result(), protected
    except GraderFault as fault:
        yield from ((check, _not_run(fault), protected) for check in checks)


def _outcome(*arguments):
    """The Outcome of a check; one of kind "grader" where the grader or its machine is at fault."""
    try:
        return runner.run_check(*arguments)
    except Exception as fault:  # of whatever kind: the other checks go on, and this one is graded again
        return _not_run(fault)


def _not_run(fault):
    why = str(fault) if isinstance(fault, GraderFault) else f"{type(fault).__name__}: {fault}"
    return Outcome(False, f"the grader could not run this check ({printable(why)}): it must be graded again", "grader")


def inputs_of(check, seed):
    """The inputs of a check for a seed."""
    drawn = check.draw(np.random.default_rng(seed))
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in drawn.items()}


def seed_of(assignment, check, secret, variant):
    """The seed of a check: the same for every submission, so that no comment in a file changes a grade.

    assignment: an Assignment.
    check: one of its checks.
    secret: the instructor's, for hidden checks.
    variant: the term's.
    """
    parts = [assignment.name, check.name, str(variant), *([] if check.public else [secret])]
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "little")


def _report(assignment, checks, outcomes, seeds, protected, remarks):
    done = [check for check in checks if check.name in outcomes]
    tests = [_row(assignment, check, outcomes[check.name]) for check in done]
    for_instructors = {
        check.name: {
            "seed": seeds[check.name],
            "seconds": round(outcomes[check.name].seconds, 2),
            "passed": outcomes[check.name].passed,
            "kind": outcomes[check.name].kind,
            "message": outcomes[check.name].message,
        }
        for check in done
    }
    return {
        "score": sum(row["score"] for row in tests),
        "output": "\n".join(_first_lines(assignment, outcomes, protected, remarks)),
        "tests": tests,
        "extra_data": {
            "minialex": __version__,
            "assignment": assignment.name,
            "protection": protected[0],
            "grade_again": sorted(name for name, outcome in outcomes.items() if outcome.kind == "grader"),
            "remarks": remarks,
            "checks": for_instructors,
        },
    }


def _first_lines(assignment, outcomes, protection, remarks):
    protected, weakness = protection
    lines = []
    if any(outcome.kind == "grader" for outcome in outcomes.values()):
        lines.append("The grader or its machine failed, not the submission: it must be graded again.")
    if weakness:
        lines.append(f"Warning: {weakness}.")
    lines.append(f"{assignment.name}, {assignment.title}")
    lines.append(f"The {WRITTEN} points of the written part are not included.")
    return [*lines, *remarks, f"The grader was protected by: {protected}."]


def _row(assignment, check, outcome):
    hidden = [other for other in assignment.checks if not other.public]
    if check.public:
        name, text = check.name, outcome.message or "passed"
    else:
        name = f"hidden {hidden.index(check) + 1}"
        text = outcome.message if outcome.kind == "grader" else "passed" if outcome.passed else "failed"
    return {
        "name": name,
        "score": check.points if outcome.passed else 0,
        "max_score": check.points,
        "output": text + (f"\nyour code printed:\n{outcome.printed}" if outcome.printed and check.public else ""),
        "output_format": "text",
        "visibility": "visible",
    }
