"""Grading a folder of submissions: a CSV table of points, and the similarity of the submissions."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..support import files
from ..support.progress import track
from .grade import grade
from .similarity import functions, most_alike

LIBRARY = "the library"
SUSPICIOUS = 0.8  # similarity from which the summary reports a pair


def grade_all(assignment, folder, table, secret="", variant=0):
    """Grade every submission in a folder.

    An error in one submission goes into its row, and grading continues with the next.

    assignment: an Assignment.
    folder: contains a folder for each submission.
    table: the CSV file to write, rewritten after each submission.
    secret, variant: as for grade.grade.

    Returns the rows of the table, dicts.
    Raises ValueError if there are no submissions.
    """
    submissions = sorted(path for path in Path(folder).iterdir() if path.is_dir() and not path.name.startswith("."))
    if not submissions:
        raise ValueError(f"{folder} contains no submissions: it must contain a folder for each")
    solutions = {path.name: functions(assignment, path) for path in submissions}
    rows = []
    for path in track(submissions, "grading", "submissions"):
        row = {"submission": path.name, "score": 0} | {check.name: 0 for check in assignment.checks} | {"problem": ""}
        try:
            report = grade(assignment, path, secret=secret, variant=variant)
            row["score"] = report["score"]
            checks = report["extra_data"]["checks"]
            row |= {check.name: check.points * checks[check.name]["passed"] for check in assignment.checks}
            broken = [name for name, check in checks.items() if "the grader could not run" in check["message"]]
            row["problem"] = f"to be graded again: {', '.join(broken)}" if broken else ""
        except Exception as error:  # an error in one submission must not affect the others
            row["problem"] = f"{type(error).__name__}: {error}"
        rows.append(row | _likeness(path.name, solutions, functions(assignment)))
        files.write_text(table, _csv(rows))
    return rows


def _likeness(name, solutions, own):
    """The similarity columns of a row."""
    library, _, function = most_alike(solutions[name], {LIBRARY: own})
    others = {whose: theirs for whose, theirs in solutions.items() if whose != name}
    other, whose, shared = most_alike(solutions[name], others)
    return {
        "similarity to the library": round(library, 2),
        "in": function,
        "to another submission": round(other, 2),
        "whose": whose,
        "there in": shared,
    }


def _csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    return text.getvalue()


def _harmless(value):
    """Escape cells that a spreadsheet would run as a formula, since students choose the names of folders."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def summarize(rows):
    """The number of submissions, their mean score, and suspiciously similar pairs, as text.

    rows: what grade_all returns.
    """
    scores = [row["score"] for row in rows]
    lines = [f"{len(rows)} submissions, mean {sum(scores) / len(scores):.1f} points"]
    lines += [f"  {row['submission']}: {row['problem']}" for row in rows if row["problem"]]
    alike = {}  # a pair may be in both of its rows: report it once
    for row in rows:
        one, other = sorted((row["submission"], row["whose"]))
        alike[one, other, row["there in"]] = row["to another submission"]
    for (one, other, function), likeness in sorted(alike.items(), key=lambda item: -item[1]):
        if likeness >= SUSPICIOUS:
            lines.append(f"  {one} and {other} have a similarity of {likeness:.2f} in {function}")
    return "\n".join(lines)
