"""What a course found hard: for each check how many lost it, and their typical messages. For instructors."""

from __future__ import annotations

import re
import statistics as numbers
from collections import Counter
from dataclasses import dataclass

from ..support.text import printable
from .points import as_csv

SHOWN = 3  # messages of a check
LONGEST = 160  # characters of one
_UNWRITTEN = re.compile(r"^not written yet|^(FileNotFoundError: )?\S+ is missing")


@dataclass(frozen=True)
class Lost:
    """A check in the results of a course.

    name, points, public: as in Check.
    graded: how many submissions it was tried on.
    lost: how many of them lost it.
    unwritten: how many of these have not written it, or have handed in no such file.
    messages: of the others [(how many, the message of one of them)], the most frequent first.
    """

    name: str
    points: int
    public: bool
    graded: int
    lost: int
    unwritten: int
    messages: list[tuple[int, str]]

    @property
    def share(self):
        """The share of submissions that lost it."""
        return self.lost / self.graded if self.graded else 0.0


def lost(assignment, reports):
    """For each check how many lost it.

    assignment: an Assignment.
    reports: of grade.grade.

    Returns a list of Lost, in the order of the checks.
    """
    found = []
    for check in assignment.checks:
        judged = [report["extra_data"]["checks"][check.name] for report in reports if _has(report, check.name)]
        messages = [one.get("message") or "failed" for one in judged if not one["passed"]]
        tried = [message for message in messages if not _UNWRITTEN.search(message)]
        counts = len(judged), len(messages), len(messages) - len(tried)
        found.append(Lost(check.name, check.points, check.public, *counts, _typical(tried)))
    return found


def _has(report, name):
    return name in report["extra_data"]["checks"]


def _typical(messages):
    """Messages that differ only in their numbers are one; the first of each stands for it."""
    kinds: Counter[str] = Counter()
    first: dict[str, str] = {}
    for message in messages:
        kind = pattern(message)
        kinds[kind] += 1
        first.setdefault(kind, message)
    return [(count, _short(first[kind])) for kind, count in kinds.most_common(SHOWN)]


def pattern(message):
    """What messages of one kind share: without indices, numbers and what the submission printed. message: a text."""
    text = message.partition("\nyour code printed:")[0]
    text = re.sub(r"\[[^\]]*\]|\([\d, ]*\)", "[]", text)
    text = re.sub(r"[-+]?(\d+\.?\d*(e[-+]?\d+)?|\bnan\b|\binf\b)", "#", text)
    return " ".join(text.split())[:LONGEST]


def _short(text):
    text = printable(" ".join(text.split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def table(checks):
    """The statistics as CSV. checks: what `lost` returns."""
    heads = ["check", "kind", "points", "graded", "lost", "share", "not written"]
    heads += [f"{what} {n}" for n in range(1, SHOWN + 1) for what in ("message", "count")]
    rows = []
    for one in checks:
        row = {"check": one.name, "kind": "public" if one.public else "hidden", "points": one.points}
        row |= {"graded": one.graded, "lost": one.lost, "share": round(one.share, 3), "not written": one.unwritten}
        for n, (count, message) in enumerate(one.messages, 1):
            row |= {f"message {n}": message, f"count {n}": count}
        rows.append(row)
    return as_csv(heads, rows)


def markdown(assignment, checks, scores):
    """The statistics as a page.

    assignment: an Assignment.
    checks: what `lost` returns.
    scores: of all graded submissions.

    Returns the text.
    """
    lines = [f"# {assignment.name.upper()}, {assignment.title}: statistics", "", distribution(scores), ""]
    lines += ["| check | | points | lost by | share | not written by |", "|---|---|--:|--:|--:|--:|"]
    for one in checks:
        kind = "" if one.public else "hidden"
        counts = f"{one.lost} of {one.graded} | {100 * one.share:.0f} % | {one.unwritten}"
        lines.append(f"| {one.name} | {kind} | {one.points} | {counts} |")
    lines += ["", "## Typical messages"]
    for one in sorted(checks, key=lambda one: -one.lost):
        if one.messages:
            lines += ["", f"### {one.name}: lost by {one.lost - one.unwritten} who have written it", ""]
            lines += [f"* {count}: `{message.replace('`', chr(39))}`" for count, message in one.messages]
    return "\n".join(lines) + "\n"


def distribution(scores):
    """Mean, median and quartiles in a sentence. scores: of all graded submissions."""
    if not scores:
        return "No submission has been graded."
    text = f"{len(scores)} submission{'s' * (len(scores) != 1)}"
    text += f", mean {sum(scores) / len(scores):.1f} points, median {numbers.median(scores):g}"
    if len(scores) >= 4:
        low, _, high = numbers.quantiles(scores, n=4, method="inclusive")
        text += f", half of them from {low:g} to {high:g}"
    return f"{text}, from {min(scores):g} to {max(scores):g}."
