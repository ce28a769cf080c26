"""The table of points: a row for each submission, and the maxima above them."""

from __future__ import annotations

import csv
import io

from . import rosters
from .declaration import HIDDEN, PUBLIC, WRITTEN

MAXIMUM = "(maximum)"
NO_SUBMISSION = "no submission"
POINTS = ("points", "written", "score", "grade", "total")
BEFORE = ("submission", "name", "email", "score", "written", "late penalty", "total")
AFTER = (
    "submitted", "problem", "remarks", "cluster", "similarity to the library", "in", "to another submission", "whose",
    "there in", "to an earlier term", "whose then", "then in",
)  # fmt: skip


def column(check):
    """The name of a check's column: its own, unless another column is called so. check: its name."""
    return f"{check} (check)" if check in (*BEFORE, *AFTER) else check


def maximum(assignment):
    """The row with the maxima, a dict. assignment: an Assignment."""
    row: dict = {name: "" for name in columns(assignment)}
    row |= {column(check.name): check.points for check in assignment.checks}
    return row | {
        "submission": MAXIMUM,
        "score": PUBLIC + HIDDEN,
        "written": WRITTEN,
        "total": PUBLIC + HIDDEN + WRITTEN,
    }


def columns(assignment):
    """The names of all columns. assignment: an Assignment."""
    return (*BEFORE, *(column(check.name) for check in assignment.checks), *AFTER)


def text(assignment, rows):
    """The table as CSV.

    assignment: an Assignment.
    rows: dicts.

    Returns the text.
    """
    return as_csv(columns(assignment), [maximum(assignment), *rows])


def as_csv(heads, rows):
    """A CSV table whose cells no spreadsheet runs as formulas, since students choose names. heads, rows: as of csv."""
    made = io.StringIO()
    writer = csv.DictWriter(made, heads, restval="", lineterminator="\n")
    writer.writerow({head: _harmless(head) for head in heads})
    for row in rows:
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    return made.getvalue()


def _harmless(value):
    """Escape what a spreadsheet would run as a formula: it may begin after spaces, tabs and line breaks, too."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return f"'{value}" if isinstance(value, str) and value.lstrip()[:1] in ("=", "+", "-", "@", "＝", "＋") else value


class Written:
    """The points of the written part.

    text: of a CSV file with a column called points (or written, score, grade, total), and in other columns whose they
        are: the name, address, number or user name of the student, or the name of the submission.

    Raises ValueError, in a clause that follows "it", where a row has no such points.
    """

    def __init__(self, text):
        rows = rosters.table(text)
        points = next((name for name in POINTS if rows and name in rows[0]), None)
        if points is None:
            raise ValueError('has no column called "points"')
        self._rows = []
        for number, row in enumerate(rows, 1):
            who = [cell for head, cell in row.items() if head not in POINTS and cell]
            if not who:
                raise ValueError(f"does not say in row {number} whose the points are")
            if not row.get(points):
                continue  # not graded yet
            try:
                value = float(row[points].replace(",", "."))
            except ValueError:
                value = -1.0
            if not 0 <= value <= WRITTEN:
                raise ValueError(f"has {row[points]!r} in row {number}, which is not from 0 to {WRITTEN} points")
            self._rows.append((who, value))
        self._used = set()

    def of(self, ids, names):
        """The points of a student, or None. ids, names: as in rosters.match. Raises ValueError if two rows fit."""
        exact, forms = {rosters.key(one) for one in ids} - {""}, frozenset().union(*map(rosters.name_keys, names), ())
        for fits in (
            lambda who: any(rosters.key(cell) in exact for cell in who),
            lambda who: any(rosters.name_keys(cell) & forms for cell in who),
        ):
            found = [number for number, (who, _) in enumerate(self._rows) if fits(who)]
            if len({self._rows[number][1] for number in found}) > 1:
                raise ValueError(f"has different points for {names[0] if names else min(exact)}")
            if found:
                self._used.update(found)
                return self._rows[found[0]][1]
        return None

    @property
    def unused(self):
        """Whose points belonged to no submission: texts."""
        return [who[0] for number, (who, _) in enumerate(self._rows) if number not in self._used]
