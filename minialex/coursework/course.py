"""course.toml: what holds for a whole term, in one file that is kept beside the exports.

    term = "Autumn 2026"
    variant = 2026                         # of all assignments, as they were released
    secret_variable = "A_SECRET"           # the environment variable that holds the secret; or secret = "..."
    time_zone = "Europe/Berlin"            # of dates without one

    [assignments.a1]
    due = 2026-10-12T23:59:00              # or with a time zone of its own: 2026-10-12T23:59:00+02:00
    written = "written-a1.csv"             # points of the written part: columns student, points
    late = { points_per_day = 5, most = 30, grace_minutes = 15 }     # or percent_per_day, of the points achieved

    [assignments.a1.extensions]
    ada = 2026-10-19T23:59:00              # by name, address or number

A day that has begun counts as a day. Within the grace period a submission is not late; after it, it is late from the
due date on. A penalty never makes a total negative.
"""

from __future__ import annotations

import math
import os
import tomllib
import zoneinfo
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated

from ..support import schema, text
from . import NAMES, rosters

MOST = 2**20  # bytes of the file


@dataclass(frozen=True)
class Late:
    """What a late submission costs.

    points_per_day, percent_per_day: for each day that has begun; the percentage is of the points achieved.
    most: the largest penalty, in points or per cent; None for none.
    grace_minutes: how long after the due date a submission is not late yet.
    """

    points_per_day: Annotated[float, schema.AtLeast(0), schema.AtMost(100)] | None = None
    percent_per_day: Annotated[float, schema.AtLeast(0), schema.AtMost(100)] | None = None
    most: Annotated[float, schema.AtLeast(0), schema.AtMost(100)] | None = None
    grace_minutes: Annotated[float, schema.AtLeast(0), schema.AtMost(100_000)] = 0

    def penalty(self, days, points):
        """The points that a submission loses. days: late, begun ones; points: that it has without the penalty."""
        by_day = self.points_per_day if self.percent_per_day is None else self.percent_per_day
        lost = min(by_day * days, math.inf if self.most is None else self.most)
        return min(lost if self.percent_per_day is None else points * lost / 100, points)


@dataclass(frozen=True)
class Assigned:
    """What holds for one assignment.

    due: when it is due; None for never.
    late: what being late costs; None for nothing.
    written: the CSV file with the points of the written part, relative to course.toml; None for none.
    variant: of this assignment; None for the course's.
    extensions: {student: another due date}.
    """

    due: datetime | None = None
    late: Late | None = None
    written: str | None = None
    variant: Annotated[int, schema.AtLeast(0)] | None = None
    extensions: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Course:
    """A term.

    term: its name.
    variant: of all assignments that have none of their own; None for 0, or what the command says.
    secret: seeds the hidden inputs; None for none, or what the command says.
    secret_variable: the environment variable that holds the secret instead.
    time_zone: of dates without one, such as "Europe/Berlin"; None where all of them have one.
    assignments: {"a1": Assigned}.
    """

    term: str = ""
    variant: Annotated[int, schema.AtLeast(0)] | None = None
    secret: str | None = None
    secret_variable: str | None = None
    time_zone: str | None = None
    assignments: dict[str, Assigned] = field(default_factory=dict)

    @property
    def zone(self) -> tzinfo | None:
        """The time zone as an object."""
        return zoneinfo.ZoneInfo(self.time_zone) if self.time_zone else None


def load(path):
    """Read course.toml.

    path: of the file.

    Returns a Course, whose secret is that of the environment variable where it names one, and whose files are paths.
    Raises OSError where it cannot be read, ValueError where something in it is wrong.
    """
    path = Path(path)
    try:
        values = tomllib.loads(text.content(path, MOST).decode())
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text in UTF-8: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from None
    try:
        _check_times(values)
        return _checked(schema.build(Course, values), path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_times(values):
    """Refuse a due date without a time of day, which could mean the beginning of the day or its end."""
    assignments = values.get("assignments")
    for name, one in assignments.items() if isinstance(assignments, dict) else ():
        extensions = one.get("extensions") if isinstance(one, dict) else None
        times = {"due": one.get("due")} if isinstance(one, dict) else {}
        times |= {f"extensions.{who}": at for who, at in extensions.items()} if isinstance(extensions, dict) else {}
        for place, at in times.items():
            if isinstance(at, date) and not isinstance(at, datetime):
                raise ValueError(f"assignments.{name}.{place} has no time of day: write {at}T23:59:00 for its end")


def _checked(course, folder):
    if unknown := {*course.assignments} - {*NAMES}:
        raise ValueError(f"there is no assignment {min(unknown)!r}; the assignments are {', '.join(NAMES)}")
    if course.secret is not None and course.secret_variable is not None:
        raise ValueError("it has both secret and secret_variable: leave one out")
    try:
        zone = course.zone
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"the time zone {course.time_zone!r} is not known here; write one such as Europe/Berlin, and install "
            "tzdata where the system has no time zones"
        ) from None
    secret = course.secret
    if course.secret_variable is not None:
        secret = os.environ.get(course.secret_variable)
        if secret is None:
            raise ValueError(f"the environment variable {course.secret_variable}, its secret_variable, is not set")
    assignments = {name: _assigned(name, one, zone, folder) for name, one in course.assignments.items()}
    return Course(course.term, course.variant, secret, None, course.time_zone, assignments)


def _assigned(name, one, zone, folder):
    if one.late and (one.late.points_per_day is None) == (one.late.percent_per_day is None):
        raise ValueError(f"assignments.{name}.late should have either points_per_day or percent_per_day")
    if (one.late or one.extensions) and one.due is None:
        raise ValueError(f"assignments.{name} says what being late costs, but not when it is due: add due = ...")
    due = one.due and _aware(f"assignments.{name}.due", one.due, zone)
    extensions = {who: _aware(f"assignments.{name}.extensions", at, zone) for who, at in one.extensions.items()}
    return Assigned(due, one.late, one.written and str(folder / one.written), one.variant, extensions)


def _aware(place, time, zone):
    if time.tzinfo is None and zone is None:
        raise ValueError(f"{place} has no time zone: write time_zone = ... above, or an offset such as +02:00 after it")
    return time if time.tzinfo else time.replace(tzinfo=zone)


def settings(course, name, variant=None, secret=None):
    """What an assignment is graded with, from course.toml and from options, which must not contradict it.

    course: a Course, or None.
    name: of the assignment.
    variant, secret: of the command line; None where they are not given.

    Returns (variant, secret, Assigned).
    Raises ValueError where an option says something else than course.toml.
    """
    assigned = course.assignments.get(name, Assigned()) if course else Assigned()
    pinned = assigned.variant if assigned.variant is not None else course.variant if course else None
    if variant is not None and pinned is not None and variant != pinned:
        raise ValueError(f"variant {variant} contradicts course.toml, which pins {pinned} for {name}: leave one out")
    if secret is not None and course and course.secret is not None and secret != course.secret:
        raise ValueError("the secret that was given contradicts that of course.toml: leave one out")
    chosen = variant if pinned is None else pinned
    known = course.secret if course and course.secret is not None else secret
    return chosen or 0, known or "", assigned


@dataclass(frozen=True)
class Lateness:
    """How late a submission is.

    days: that have begun since it was due; 0 if it is in time, or if nobody knows.
    sentence: about it, an empty text if there is nothing to say.
    """

    days: int = 0
    sentence: str = ""


def lateness(submission, assigned, zone=None, more_ids=()):
    """How late a submission is.

    submission: an exports.Submission.
    assigned: an Assigned.
    zone: of a time without one, a tzinfo; None if it is not known.
    more_ids: what else identifies the student, such as of the roster, to find an extension.

    Returns a Lateness.
    """
    due = assigned.due
    if due is None:
        return Lateness()
    mine = {
        rosters.key(one) for one in (submission.key, submission.name, *submission.ids, *submission.names, *more_ids)
    }
    extended = [at for who, at in assigned.extensions.items() if rosters.key(who) in mine]
    due = max([due, *extended])
    extension = " (with an extension)" if extended else ""
    at = submission.submitted
    if at is None and submission.late is not None:
        if not submission.late:
            return Lateness()
        if extended:
            return Lateness(
                0, "marked as late, with an extension: the export does not say when, so no penalty was taken"
            )
        return Lateness(1, "marked as late, but the export does not say when: the penalty is that of one day")
    if at is None:
        return Lateness(0, "the export does not say when it was submitted: no late penalty was taken")
    if at.tzinfo is None:
        if zone is None:
            return Lateness(0, "the time of the submission has no time zone: add time_zone to course.toml")
        at = at.replace(tzinfo=zone)
    grace = timedelta(minutes=assigned.late.grace_minutes if assigned.late else 0)
    if at <= due + grace:
        return Lateness()
    local = at.astimezone(due.tzinfo)  # so that days are counted by the clock, whose hour may change between them
    days = max(1, math.ceil((local - due) / timedelta(days=1)))
    return Lateness(
        days, f"late by {days} day{'s' * (days != 1)}{extension}: submitted {local:%Y-%m-%d %H:%M %Z}".rstrip()
    )
