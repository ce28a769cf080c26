"""The rubric of the written part as a table, to be filled in or imported."""

from __future__ import annotations

from .points import as_csv


def table(assignment):
    """The rubric as CSV: a row for each thing that earns points.

    assignment: an Assignment.

    Returns the text.
    """
    rows = []
    for number, question in enumerate(assignment.written, 1):
        for line in question.rubric:
            points, _, criterion = line.partition(": ")
            row = {"question": number, "question's points": question.points, "points": points}
            rows.append(row | {"criterion": criterion, "text": question.text})
    return as_csv(["question", "question's points", "points", "criterion", "text"], rows)
