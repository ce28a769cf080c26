"""The rows of the table of points: what was read, graded, written, late and similar, put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..support import text as texts
from . import clusters, course, exports, points, rosters


@dataclass
class Case:
    """A submission on its way to its row.

    submission: an exports.Submission.
    place: its folder in the folder of results.
    students: the rosters.Student for each of a group, or one alone; None for who is not on a list.
    read: what worker.py found in it.
    report: of grade.grade; None until it is graded.
    fault: why it has to be graded, or graded again; an empty text if it need not.
    is_fresh: whether it was graded by this call.
    row: its row of the table, once there is one.
    remarks: sentences for the instructor alone.
    """

    submission: exports.Submission
    place: Path
    students: list[rosters.Student | None] = field(default_factory=list)
    read: dict = field(default_factory=dict)
    report: dict | None = None
    fault: str = ""
    is_fresh: bool = False
    row: dict = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def identities(self):
        """(ids, names) of the submission and of its students on the roster."""
        ids, names = [self.submission.key, *self.submission.ids], [self.submission.name, *self.submission.names]
        for student in self.known:
            ids, names = [*ids, *student.ids], [*names, student.name]
        return ids, names

    @property
    def known(self):
        """Its students who are on a list."""
        return [student for student in self.students if student]

    @property
    def shown(self):
        """The key, with the name of the student before it where the key is not that."""
        name = self.row.get("name") or self.submission.key
        return name if name == self.submission.key else f"{name} ({self.submission.key})"


class Rows:
    """What rows are made of.

    assignment: an Assignment.
    options: grade_all.Options.
    students: of the lists of students, rosters.Student.
    written: points.Written; None for none.

    Set `comparison`, a clusters.Comparison, when all submissions have been compared.
    """

    def __init__(self, assignment, options, students, written):
        self.assignment, self.options, self.students, self.written = assignment, options, students, written
        self.comparison = clusters.Comparison()

    def written_points(self, ids, names):
        """The points of the written part, or an empty text; ids, names: as in rosters.match."""
        given = None if self.written is None else self.written.of(ids, names)
        return "" if given is None else given

    def of(self, case):
        """The row of a submission.

        case: a Case.

        Returns (a dict, the remarks for its student).
        """
        submission, report = case.submission, case.report
        ids, names = case.identities
        alone = case.known[0] if len(case.students) == len(case.known) == 1 else None
        row: dict = {"submission": submission.key, "name": alone.name if alone and alone.name else submission.name}
        row["email"] = submission.email or (alone.email if alone else "")
        row |= {points.column(check.name): "" for check in self.assignment.checks}
        row["score"] = report["score"] if report else ""
        if report:
            checks = report["extra_data"]["checks"]
            for check in self.assignment.checks:
                row[points.column(check.name)] = check.points * bool(checks.get(check.name, {}).get("passed"))
        remarks = [*submission.remarks, *case.read.get("remarks", []), *self.mismatches(case)]
        row["written"] = self.written_points(ids, names)
        own = ["no points of the written part"] if self.written is not None and row["written"] == "" else []
        if self.students and not all(case.students):
            own.append(_not_on_the_list(case))
        achieved = (row["score"] or 0) + (row["written"] or 0)
        late = course.lateness(submission, self.options.assigned, self.options.zone, (*ids, *names))
        costs = self.options.assigned.late
        row["late penalty"] = round(costs.penalty(late.days, achieved), 2) if costs and late.days else 0
        if late.sentence:
            remarks.append(late.sentence)
        row["total"] = "" if row["score"] == "" else round(achieved - row["late penalty"], 2)
        at, zone = submission.submitted, self.options.zone
        if at and zone:  # as the remarks say it
            at = at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone)
        row["submitted"] = at.isoformat(" ", "seconds") if at else ""
        row["problem"] = case.fault or ("" if report else "not graded yet")
        row["remarks"] = "; ".join([*remarks, *case.remarks, *own])
        return row | self._likeness(submission.key), remarks

    def mismatches(self, case):
        """What a student's coursework.json says otherwise, sentences; case: a Case."""
        said = case.read.get("description")
        if not said:
            return []
        told = []
        if said["assignment"] != self.assignment.name:
            told.append(f"its coursework.json is of {texts.printable(said['assignment'])}, not {self.assignment.name}")
        elif said["variant"] != self.options.variant:
            told.append(
                f"its coursework.json says variant {said['variant']}; it was graded with {self.options.variant}"
            )
        return told

    def _likeness(self, key):
        found = self.comparison
        library = found.to_library.get(key, clusters.Likeness())
        another = found.to_another.get(key, clusters.Likeness())
        before = found.to_before.get(key, clusters.Likeness())
        return {
            "cluster": found.cluster_of(key) or "",
            "similarity to the library": round(library.value, 2),
            "in": library.function if library.value else "",
            "to another submission": round(another.value, 2),
            "whose": another.whose if another.value else "",
            "there in": another.function if another.value else "",
            "to an earlier term": round(before.value, 2) if self.options.before is not None else "",
            "whose then": before.whose if before.value else "",
            "then in": before.function if before.value else "",
        }

    def absent(self, cases):
        """Rows of the students on the list who have no submission; cases: all Cases."""
        seen = {student for case in cases for student in case.students}
        rows = []
        for student in self.students:
            if student not in seen:
                written = self.written_points([*student.ids], [student.name])
                row: dict = {"submission": "", "name": student.shown, "email": student.email, "written": written}
                rows.append(
                    row | {"score": 0, "late penalty": 0, "total": written or 0, "problem": points.NO_SUBMISSION}
                )
        return rows


def _not_on_the_list(case):
    people = case.submission.people
    if len(people) < 2:
        return "not on the list of students"
    missing = [(names or ids or ["a student"])[0] for (ids, names), found in zip(people, case.students) if not found]
    return f"not on the list of students: {', '.join(map(texts.printable, missing))}"
