"""Grading: every check runs in its own child process; results in Gradescope's format are written after each."""

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
from . import messages, tree
from .declaration import WRITTEN
from .runner import Outcome, is_root, prepare, run_check

AT_ONCE = 2  # child processes
UNPRIVILEGED = (
    "the grader does not run as root: a hostile submission has its permissions and could read or change files"
)


def grade(assignment, submission, results=None, secret="", variant=0, public_only=False, say=None):
    """Grade a submission.

    assignment: an Assignment.
    submission: the student's folder.
    results: a JSON file to write the report to, rewritten after each check; None for none.
    secret: seeds the inputs of hidden checks together with the submission, so that they cannot be predicted without it.
        The seeds are kept in extra_data, which only instructors see: the same seed gives the same grade.
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
    if assignment.prepare:
        from .kernels import compiler  # here, since it reads all of the library's kernels

        compiler()  # raises OSError now, before anything is graded
    checks = [check for check in assignment.checks if check.public or not public_only]
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="minialex-grading-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        os.chmod(place, 0o755)  # readable by another user, if the grader runs as root
        tree.scratch(assignment, submission, place)
        digest = digest_of(assignment, place / "submission")
        seeds = {check.name: seed_of(assignment, check, digest, secret, variant) for check in checks}
        told = 0
        for check, outcome in _outcomes(assignment, checks, place, seeds):
            outcomes[check.name] = outcome
            report = _report(assignment, checks, outcomes, seeds)
            if results:
                files.write_text(results, json.dumps(report, indent=2) + "\n")
            while say and told < len(checks) and checks[told].name in outcomes:  # in the order of declaration
                row = _row(assignment, checks[told], outcomes[checks[told].name])
                say(f"{row['name']}: {row['score']} of {row['max_score']} points, {row['output']}")
                told += 1
    return report


def _outcomes(assignment, checks, place, seeds):
    """Yield (check, Outcome) as the checks finish. Expected results are computed here, by the library's functions."""
    native = assignment.prepare is not None
    message, kind = prepare(assignment.name, place) if native else ("", "")
    if kind:
        yield from ((check, Outcome(False, message, kind)) for check in checks)
        return
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        running = {}
        for check in checks:
            inputs = inputs_of(check, seeds[check.name])
            arguments = check, assignment.name, place, inputs, check.answers(inputs), native
            running[pool.submit(run_check, *arguments)] = check
        for future in as_completed(running):
            try:
                yield running[future], future.result()
            except OSError as error:  # the machine's fault, not the student's: report it and go on
                yield running[future], Outcome(False, f"the grader could not run this check ({error})", "grader")
    finally:
        pool.shutdown(cancel_futures=True)


def inputs_of(check, seed):
    """The inputs of a check for a seed, as they arrive in the child process."""
    return messages.read_inputs(messages.write_arrays(check.draw(np.random.default_rng(seed))))


def digest_of(assignment, submission):
    """A SHA-256 digest of the files in the folder `submission` that the assignment asks for."""
    digest = hashlib.sha256()
    for target in assignment.targets:
        path = Path(submission) / target.student_file
        digest.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"missing")
    return digest.hexdigest()


def seed_of(assignment, check, digest, secret, variant):
    """The seed of a check: the same for all students if public, else different for every submission and secret.

    assignment: an Assignment.
    check: one of its checks.
    digest: of the submission, from digest_of.
    secret: the instructor's.
    variant: the term's.
    """
    parts = [assignment.name, check.name, str(variant), *([] if check.public else [secret, digest])]
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "little")


def _report(assignment, checks, outcomes, seeds):
    done = [check for check in checks if check.name in outcomes]
    tests = [_row(assignment, check, outcomes[check.name]) for check in done]
    for_instructors = {
        check.name: {
            "seed": seeds[check.name],
            "seconds": round(outcomes[check.name].seconds, 2),
            "passed": outcomes[check.name].passed,
            "message": outcomes[check.name].message,
        }
        for check in done
    }
    return {
        "score": sum(row["score"] for row in tests),
        "output": _first_lines(assignment),
        "tests": tests,
        "extra_data": {"minialex": __version__, "assignment": assignment.name, "checks": for_instructors},
    }


def _first_lines(assignment):
    lines = [] if is_root() else [f"Warning: {UNPRIVILEGED}."]
    lines.append(f"{assignment.name}, {assignment.title}")
    lines.append(f"The {WRITTEN} points of the written part are not included.")
    return "\n".join(lines)


def _row(assignment, check, outcome):
    hidden = [other for other in assignment.checks if not other.public]
    if check.public:
        name, text = check.name, outcome.message or "passed"
    else:
        name = f"hidden {hidden.index(check) + 1}"
        text = "passed" if outcome.passed else f"failed ({outcome.kind})"
    return {
        "name": name,
        "score": check.points if outcome.passed else 0,
        "max_score": check.points,
        "output": text + (f"\nyour code printed:\n{outcome.printed}" if outcome.printed and check.public else ""),
        "visibility": "visible",
    }
