"""Lists of students as CSV files, and the matching of submissions with them.

Columns are known by their names, in any order and beside any others:

* Gradescope, roster and grades: `First Name, Last Name` or `Name`, `SID`, `Email`, `Role`, `Submission ID`,
  `Submission Time`;
* Canvas, gradebook: `Student` ("Lovelace, Ada"), `ID`, `SIS User ID`, `SIS Login ID`, with a row `Points Possible`;
* Moodle, grading worksheet: `Identifier` ("Participant 123"), `Full name`, `Email address`,
  `Last modified (submission)`;
* GitHub Classroom, roster: `identifier, github_username, github_id, name`; grades: `github_username`,
  `roster_identifier`, `student_repository_name`, `submission_timestamp`.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

NAMES = ("name", "full name", "student", "student name")
FIRST, LAST = "first name", "last name"
EMAILS = ("email", "email address", "e-mail")
IDS = (
    "sid", "student id", "id", "sis user id", "sis login id", "identifier", "id number", "username", "submission id",
    "submission", "github_username", "github_id", "roster_identifier", "student_repository_name",
)  # fmt: skip
NOBODY = ("points possible", "student, test", "test student")  # rows of Canvas's gradebook
STAFF = ("instructor", "ta", "reader", "teacher", "teaching assistant", "grader", "staff", "observer", "designer")
TIMES = ("submission time", "submission_timestamp", "last modified (submission)")
_MOODLE_TIME = "%A, %d %B %Y, %I:%M %p"  # Friday, 4 October 2024, 10:11 AM
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?\s*(Z|UTC|[+-]\d\d:?\d\d)?")


@dataclass(frozen=True)
class Student:
    """A row of a roster.

    name: as it is shown.
    email: the address, or an empty text.
    ids: what identifies the student exactly: addresses, numbers, user names, in lower case.
    names: forms of the name, see `name_keys`.
    submitted: when, where the list says so, as in `parse_time`.
    """

    name: str
    email: str
    ids: frozenset[str]
    names: frozenset[str]
    submitted: datetime | None = None

    @property
    def shown(self):
        """The name, or else another identification."""
        return self.name or self.email or min(self.ids, default="")


def students(text):
    """The Students of a CSV file.

    text: of the file.

    Returns a list.
    Raises ValueError, in a clause that follows "it", where it is no roster.
    """
    rows = table(text)
    if rows and "late penalty" in rows[0]:
        return []  # a table of points, of grade-all itself
    known = {*NAMES, *EMAILS, *IDS, FIRST}
    if not rows or not known & {*rows[0]}:
        raise ValueError("is not a list of students: no column is called name, email or ID")
    found = []
    for row in rows:
        name = _first(row, NAMES) or f"{row.get(FIRST, '')} {row.get(LAST, '')}".strip() or _name_among_ids(row)
        if name.casefold() in NOBODY or row.get("role", "").casefold() in STAFF:
            continue
        email = _first(row, EMAILS)
        ids = {*(key(row.get(column, "")) for column in IDS), key(email)} - {""}
        if name or ids:
            times = [parse_time(row[column]) for column in TIMES if row.get(column)]
            names = name_keys(name or _first(row, ("identifier", "roster_identifier")))  # GitHub's may be a name
            found.append(Student(name, email, frozenset(ids), names, times[0] if times else None))
    return found


def merged(students):
    """Students of several lists, each once: rows that share an identification are of the same one.

    students: Students.

    Returns a list of them, in their order.
    """
    found: list[Student] = []
    for student in students:
        same = [other for other in found if other.ids & student.ids]
        if not same:
            found.append(student)
            continue
        all_of_them = [*same, student]
        one = Student(
            next((each.name for each in all_of_them if each.name), ""),
            next((each.email for each in all_of_them if each.email), ""),
            frozenset().union(*(each.ids for each in all_of_them)),
            frozenset().union(*(each.names for each in all_of_them)),
            next((each.submitted for each in all_of_them if each.submitted), None),
        )
        found[found.index(same[0])] = one
        for other in same[1:]:
            found.remove(other)
    return found


def table(text):
    """The rows of a CSV file as dicts whose keys are in lower case; `;` and tabs may separate, too.

    text: of the file.

    Raises ValueError, in a clause that follows "it", where it is not CSV.
    """
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ValueError(f"is not a table ({error})") from None
    heads = [head.strip().casefold() for head in rows[0]] if rows else []
    return [
        {head: cell.strip() for head, cell in zip(heads, row) if head}
        for row in rows[1:]
        if any(cell.strip() for cell in row)
    ]


def _name_among_ids(row):
    """The identifier of GitHub Classroom where it is a name, as it may be; it may be a number or an address, too."""
    identifier = _first(row, ("identifier", "roster_identifier"))
    is_name = re.search(r"[^\W\d_]", identifier) and not re.search(r"@|\d", identifier)
    return identifier if is_name else ""


def _first(row, columns):
    return next((row[column] for column in columns if row.get(column)), "")


def key(text):
    """An identification as it is compared: "Participant 123" is 123, and capitals do not count. text: a string."""
    text = unicodedata.normalize("NFC", text).strip().casefold()
    return re.sub(r"^participant[ _](\d+)$", r"\1", text)


def name_keys(name):
    """The forms in which a name is compared: its words in any order, and joined as Canvas does ("lovelaceada").

    name: a string.

    Returns a frozenset.
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFC", name).casefold())
    if not words:
        return frozenset()
    joined = {"".join(words[i:] + words[:i]) for i in range(len(words))}
    return frozenset({" ".join(sorted(words)), *joined})


def match(ids, names, among):
    """The student to whom a submission, or a row of points, belongs.

    ids, names: of the submission: texts that identify it exactly, and names of people.
    among: Students.

    Returns a Student; None where there is none, or where several fit equally well.
    """
    exact = {key(one) for one in ids} - {""}
    forms = frozenset().union(*map(name_keys, names)) if names else frozenset()
    for fits in (
        lambda student: bool(exact & student.ids),
        lambda student: bool(forms & student.names),
        lambda student: bool(exact & {key(student.email.partition("@")[0])}),
    ):
        found = [student for student in among if fits(student)]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None


def parse_time(text):
    """A time of an export: a datetime, without a zone where the text has none; None for no time.

    text: such as "2026-04-26 17:34:00.861687000 Z", "2022-09-18 23:59:59 UTC", "2026-04-26T17:34:00-07:00" or Moodle's
        "Friday, 4 October 2024, 10:11 AM".
    """
    text = str(text).strip()
    found = _TIME.search(text)
    try:
        if not found:
            return datetime.strptime(text, _MOODLE_TIME)
        zone = {"Z": "+00:00", "UTC": "+00:00", None: ""}.get(found[3], found[3])
        if zone and ":" not in zone:
            zone = f"{zone[:3]}:{zone[3:]}"
        return datetime.fromisoformat(f"{found[1]} {found[2]}{zone}")
    except ValueError:
        return None


def in_utc(seconds):
    """The datetime of a number of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
