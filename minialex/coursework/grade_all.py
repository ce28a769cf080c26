"""A folder of submissions graded: a table of points as CSV, and how alike the submissions are."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from tqdm import tqdm

from ..support import files
from .grade import grade
from .similarity import functions, most_alike

LIBRARY = "the library"
SUSPICIOUS = 0.8  # similarity that the summary names


def grade_all(assignment, folder, table, secret="", variant=0):
    """Grade every sub-folder of `folder`; its rows, which the CSV file `table` then holds.

    The table is rewritten after each submission; whatever goes wrong with one of them stands in its row, and the
    others go on. ValueError if there is no submission.
    """
    submissions = sorted(path for path in Path(folder).iterdir() if path.is_dir() and not path.name.startswith("."))
    if not submissions:
        raise ValueError(f"{folder} holds no submissions: a folder for each is expected")
    solutions = {path.name: functions(assignment, path) for path in submissions}
    rows = []
    for path in tqdm(submissions, desc="grading", unit="submission"):
        row = {"submission": path.name, "score": 0} | {check.name: 0 for check in assignment.checks} | {"problem": ""}
        try:
            report = grade(assignment, path, secret=secret, variant=variant)
            row["score"] = report["score"]
            checks = report["extra_data"]["checks"]
            row |= {check.name: check.points * checks[check.name]["passed"] for check in assignment.checks}
            broken = [name for name, check in checks.items() if "the grader could not run" in check["message"]]
            row["problem"] = f"to be graded again: {', '.join(broken)}" if broken else ""
        except Exception as error:  # one submission, or its check, must not cost the others theirs
            row["problem"] = f"{type(error).__name__}: {error}"
        rows.append(row | _likeness(path.name, solutions, functions(assignment)))
        files.write_text(table, _csv(rows))
    return rows


def _likeness(name, solutions, own):
    """Columns of the similarity report."""
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
    """A spreadsheet takes a cell that begins with these for a formula, and names of folders are the students'."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def summary(rows):
    """Text: how many, the mean score, and pairs that somebody should look at."""
    scores = [row["score"] for row in rows]
    lines = [f"{len(rows)} submissions, mean {sum(scores) / len(scores):.1f} points"]
    lines += [f"  {row['submission']}: {row['problem']}" for row in rows if row["problem"]]
    alike = {}  # both rows of a pair name it: once is enough
    for row in rows:
        one, other = sorted((row["submission"], row["whose"]))
        alike[one, other, row["there in"]] = row["to another submission"]
    for (one, other, function), likeness in sorted(alike.items(), key=lambda item: -item[1]):
        if likeness >= SUSPICIOUS:
            lines.append(f"  {one} and {other} are alike to {likeness:.2f} in {function}")
    return "\n".join(lines)
