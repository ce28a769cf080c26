"""What grade-all prints at the end."""

from __future__ import annotations

from ..support.text import printable
from . import clusters, statistics

SHOWN = 8  # lines about similar submissions, and names in each


def summarize(cases, rows, checks, notes):
    """The summary of a graded course.

    cases: all rows.Case.
    rows: a rows.Rows.
    checks: the statistics, of statistics.lost.
    notes: sentences about the export.

    Returns the text.
    """
    scores = [case.report["score"] for case in cases if case.report]
    lines = [statistics.distribution(scores).removesuffix(".")]
    fresh = sum(case.is_fresh for case in cases)
    if len(cases) > fresh:
        lines.append(f"graded now: {fresh}; unchanged since the last time: {len(scores) - fresh}")
    absent = rows.absent(cases)
    if absent:
        lines.append(f"without a submission: {len(absent)} ({_few([row['name'] for row in absent])})")
    again = sum(bool(case.fault) for case in cases)
    lines += [f"to be graded again: {again}; the same command does so"] if again else []
    lines += sorted({f"protected by: {protection}" for protection in _protections(cases)})
    for case in cases:
        told = [*filter(None, [case.fault, *case.read.get("remarks", []), *rows.mismatches(case)])]
        lines += [f"  {printable(case.shown)}: {'; '.join(told)}"] if told else []
    hard = [one for one in sorted(checks, key=lambda one: -one.lost) if one.lost][:5]
    lines += ["the checks that most have lost:"] if hard else []
    for one in hard:
        message = f", such as: {one.messages[0][1]}" if one.messages else ""
        lines.append(f"  {one.name}: {one.lost} of {one.graded}, {one.unwritten} have not written it{message}")
    alike = clusters.lines(rows.comparison, {case.submission.key: case.shown for case in cases}, SHOWN)
    lines += ["similar submissions, see similarity.md:", *(f"  {line}" for line in alike)] if alike else []
    if rows.written is not None and rows.written.unused:
        lines.append(f"written points of no submission: {_few(rows.written.unused)}")
    return "\n".join([*lines, *notes])


def _protections(cases):
    """What protected the grader, as the reports say."""
    for case in cases:
        said = case.report["extra_data"].get("protection") if case.report else None
        if said:
            yield said if isinstance(said, str) else ", ".join(map(str, said))


def _few(names, most=5):
    shown = [printable(name) for name in names[:most]]
    return ", ".join([*shown, *([f"{len(names) - most} more"] if len(names) > most else [])])
