"""What a student gets: points and messages as Markdown. Of hidden checks it says no more than Gradescope shows."""

from __future__ import annotations

import re

from ..support.text import printable
from .declaration import HIDDEN, PUBLIC, WRITTEN


def markdown(assignment, row, report, remarks):
    """The feedback for one submission.

    assignment: an Assignment.
    row: of the table of points.
    report: of grade.grade; None if it is not graded yet.
    remarks: sentences.

    Returns the text.
    """
    lines = [f"# {assignment.name.upper()}, {assignment.title}: {plain(row['name'] or row['submission'])}", ""]
    if report is None:
        lines += ["This submission has not been graded yet.", *_list(remarks)]
        return "\n".join(lines) + "\n"
    tests = [test for test in report["tests"] if test.get("visibility", "visible") == "visible"]
    lines += [f"* automatic checks: {report['score']} of {sum(test['max_score'] for test in report['tests'])} points"]
    if row["written"] != "":
        lines += [f"* written part: {row['written']:g} of {WRITTEN} points"]
    if row["late penalty"]:
        lines += [f"* late penalty: {row['late penalty']:g} points"]
    lines += [f"* total: {row['total']:g} of {PUBLIC + HIDDEN + WRITTEN} points", *_list(remarks)]
    passed = [test for test in tests if test["output"] in ("", "passed")]
    if passed:
        lines += ["", "## Passed", "", *(f"* {_points(test)}" for test in passed)]
    failed: dict[str, list] = {}
    for test in tests:
        if test not in passed:
            failed.setdefault(test["output"], []).append(test)
    for text, same in failed.items():
        lines += ["", f"## {'; '.join(map(_points, same))}", "", *_fenced(text)]
    return "\n".join(lines) + "\n"


def _points(test):
    return f"{plain(test['name'])}: {test['score']} of {test['max_score']} points"


def _list(remarks):
    return ["", *(f"* {plain(remark)}" for remark in remarks)] if remarks else []


def plain(text):
    """A text in which no character means anything in Markdown or HTML. text: a string."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", printable(text))


def _fenced(text):
    """A block that nothing in the text can end."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *(printable(line) for line in text.splitlines()), fence]
