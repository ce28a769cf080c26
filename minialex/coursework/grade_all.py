"""Grading a course: every submission of an export in a process of its own, resumed, with a table and feedback.

The folder of results holds

    points.csv                        a row for each submission, see points.py
    statistics.md, statistics.csv     for each check how many lost it, and their typical messages
    similarity.md, similarity.csv     clusters of similar submissions
    students/<submission>/            results.json in Gradescope's form, feedback.md for the student, the files that
                                      were graded in submission/, and what a second call needs
    before/<submission>/              the same files of an earlier term, for the comparison
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from .. import __version__, threads
from ..support import files
from ..support import text as texts
from ..support.lock import Lock
from ..support.progress import Progress
from . import clusters, course, exports, feedback, points, rosters, similarity, statistics, summary, tree, worker
from .rows import Case, Rows
from .workers import Workers

READING = 180.0  # seconds for reading one submission
GRADING = 120.0  # seconds for grading one, and for each check the following
PER_CHECK = 30.0
EVERY = 2.0  # seconds between two writings of the table
AGAIN = "grade again"


@dataclass
class Options:
    """How a course is graded.

    secret, variant: as for grade.grade.
    assigned: when the assignment is due, and what being late costs.
    zone: of times without one, a tzinfo; None if it is not known.
    written: a CSV file with the points of the written part; None for none.
    rosters: CSV files with the students.
    before: an export, or a folder of results, of an earlier term to compare with; None for none.
    jobs: how many submissions are graded at once; the usable cores if None.
    again: grade all, also those whose files have not changed.
    """

    secret: str = ""
    variant: int = 0
    assigned: course.Assigned = field(default_factory=course.Assigned)
    zone: object = None
    written: str | os.PathLike | None = None
    rosters: tuple = ()
    before: str | os.PathLike | None = None
    jobs: int | None = None
    again: bool = False


@dataclass
class Graded:
    """The result of grading a course.

    rows: of the table, dicts, those without a submission last.
    summary: what to print.
    """

    rows: list[dict]
    summary: str


def grade_all(assignment, export, out=None, table=None, options=None):
    """Grade every submission in an export.

    An error in one submission goes into its row, and grading continues with the next. Ctrl-C ends the grading and keeps
    what is done; a second call grades what is new, what has changed, and what failed because of the grader itself.

    assignment: an Assignment.
    export: the folder or the zip archive, see exports.py.
    out: the folder of results; a temporary one if None.
    table: the CSV file to write; points.csv in `out` if None.
    options: Options; the default ones if None.

    Returns a Graded.
    Raises ValueError where the export, a roster or the written points cannot be read, or another process uses `out`;
    OSError where no submission could be graded: on Windows, and without a C++ compiler if the assignment has kernels.
    """
    options = options or Options()
    _check_machine(assignment)
    with contextlib.ExitStack() as stack:
        if out is None:
            out = stack.enter_context(tempfile.TemporaryDirectory(prefix="minialex-course-"))
        out = Path(out)
        if Path(export).is_dir() and Path(export).resolve() in [out.resolve(), *out.resolve().parents]:
            raise ValueError(f"the results cannot be written into the export itself, {export}: choose another folder")
        stack.enter_context(Lock(out, "grading into"))
        return _Course(assignment, export, out, Path(table or out / "points.csv"), options).graded()


def _check_machine(assignment):
    if os.name == "nt":
        raise OSError("grading needs Linux or macOS (on Windows use WSL)")
    if assignment.native:
        from .kernels import compiler  # here, since it reads all of the library's kernels

        compiler()


class _Course:
    """The grading of one export."""

    def __init__(self, assignment, export, out, table, options):
        self.assignment, self.export, self.out, self.table, self.options = assignment, export, out, table, options
        self.notes: list[str] = []
        self.cases: dict[str, Case] = {}
        self.before, self.earlier = Path(), []
        self.rows = Rows(assignment, options, [], _written(options.written))
        self.version = version()
        self._wrote = 0.0

    def graded(self):
        """Do all of it; returns a Graded."""
        self._list()
        self._write_table()  # now, to know that it can be written
        jobs = self.options.jobs or threads.default_count()
        try:
            with Workers(jobs) as workers:
                self._read(workers)
                self._grade(workers, [case for case in self.cases.values() if self._is_due(case)], "grading")
                broken = [case for case in self.cases.values() if case.is_fresh and self._is_grader_fault(case)]
                self._grade(workers, broken, "grading again")
                self._compare(workers)
        finally:
            self._write()
        cases = [*self.cases.values()]
        told = summary.summarize(cases, self.rows, self._write_statistics(), self.notes)
        self._write_similarity()
        return Graded([case.row for case in cases] + self.rows.absent(cases), told)

    # -------------------------------------------------------------------------- reading

    def _list(self):
        with exports.opened(self.export) as export:
            students = [*export.students]
            self.notes += export.notes
            found = export.submissions
        for path in self.options.rosters:
            try:
                students += exports.students_in(path)
            except ValueError as error:
                raise ValueError(f"{path} {error}") from None
        self.rows.students = students = rosters.merged(students)
        if self.options.before is not None:
            path = Path(self.options.before)
            self.before = path / "students" if (path / "students").is_dir() else path  # a folder of results
            with exports.opened(self.before) as export:
                self.earlier = [one.key for one in export.submissions]
        for submission, name in zip(found, safe_names([one.key for one in found])):
            people = submission.people if len(submission.people) > 1 else [(submission.ids, submission.names)]
            one_alone = [submission.key] if len(people) == 1 else []
            members = [rosters.match([*one_alone, *ids], names, students) for ids, names in people]
            case = self.cases[submission.key] = Case(submission, self.out / "students" / name, members)
            times = [student.submitted for student in case.known if student.submitted]
            if times and not submission.submitted:
                submission.submitted, submission.told_by = times[0], "the list of students"
            with self._naming_the_file():
                self.rows.written_points(*case.identities)
        self._note_repeated()
        self._note_extensions()
        self._note_left_over()

    def _note_repeated(self):
        """Say which students have several submissions: the instructor decides which counts."""
        theirs: dict[rosters.Student, list[Case]] = {}
        for case in self.cases.values():
            for student in case.known:
                theirs.setdefault(student, []).append(case)
        for student, cases in theirs.items():
            if len(cases) > 1:
                keys = ", ".join(texts.printable(case.submission.key) for case in cases)
                sentence = f"{texts.printable(student.shown)} has {len(cases)} submissions: {keys}"
                self.notes.append(sentence)
                for case in cases:
                    case.remarks.append(sentence)

    def _note_left_over(self):
        """Say which folders of results are of submissions that the export no longer has."""
        current = {case.place.name for case in self.cases.values()}
        with contextlib.suppress(OSError):
            left = sorted({path.name for path in (self.out / "students").iterdir()} - current)
            if left:
                first = ", ".join(map(texts.printable, left[:5])) + (f" and {len(left) - 5} more" if left[5:] else "")
                self.notes.append(f"not in this export, results of an earlier one: {first}")

    def _note_extensions(self):
        """Say whose extensions fit nobody, since a misspelt name would cost its student the penalty."""
        known = {rosters.key(one) for student in self.rows.students for one in (student.name, *student.ids)}
        for case in self.cases.values():
            known |= {rosters.key(one) for each in case.identities for one in each}
        strangers = [who for who in self.options.assigned.extensions if rosters.key(who) not in known]
        if strangers:
            self.notes.append(f"extensions of nobody who is known: {', '.join(map(texts.printable, strangers))}")

    @contextlib.contextmanager
    def _naming_the_file(self):
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{self.options.written} {error}") from None

    def _requests(self, cases, export):
        made = {}
        for key, place in cases.items():
            place.mkdir(parents=True, exist_ok=True)
            names = {"do": "read", "export": os.path.abspath(export), "key": key, "assignment": self.assignment.name}
            made[key] = names | {"place": str(place.absolute())}
        return made

    def _read(self, workers):
        requests = self._requests({key: case.place for key, case in self.cases.items()}, self.export)
        with Progress("reading", len(requests), "submissions") as bar:
            for key, ended in workers.over(requests, READING):
                case = self.cases[key]
                case.read = ended.lines[0] if ended.lines else {}
                if not case.read:
                    case.fault = f"{AGAIN}: it could not be read, since {_clause(ended.fault)}"
                elif ended.fault:
                    case.remarks.append(f"its similarity could not be computed: {_clause(ended.fault)}")
                self._take_time(case)
                bar.update()

    def _take_time(self, case):
        submission, committed = case.submission, case.read.get("committed")
        if committed and not submission.submitted:
            submission.submitted, submission.told_by = datetime.fromisoformat(committed), "the last commit"
            if self.options.assigned.due:
                case.remarks.append("its time is that of the last commit, which students can set")

    # -------------------------------------------------------------------------- grading

    def _of(self, case):
        """What a report is of: the files, the checks and the grader; with anything else it would be another one."""
        secret = hashlib.sha256(self.options.secret.encode()).hexdigest()
        parts = [case.read.get("digest"), self.assignment.name, self.options.variant, secret, self.version]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _is_due(self, case):
        """Whether a submission has to be graded; takes the earlier report of one that need not be."""
        if not case.read:
            return False
        if not self.options.again:
            self._take_report(case)
        return case.report is None or bool(case.fault)

    def _take_report(self, case):
        """Take a report that was written, of exactly these files and checks."""
        case.report = None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads((case.place / worker.GRADING).read_text(encoding="utf-8"))
            if kept["of"] == self._of(case):
                case.report = kept["report"]
        case.fault = _grader_faults(case.report) if case.report else ""

    def _is_grader_fault(self, case):
        return bool(case.read) and (case.report is None or bool(case.fault))

    def _grade(self, workers, cases, what):
        requests = {}
        for case in cases:
            (case.place / worker.GRADING).unlink(missing_ok=True)
            case.report, case.fault = None, "not graded yet"
            requests[case.submission.key] = {
                "do": "grade",
                "assignment": self.assignment.name,
                "place": str(case.place.absolute()),
                "secret": self.options.secret,
                "variant": self.options.variant,
                "of": self._of(case),
            }
        if not requests:
            return
        seconds = GRADING + sum(PER_CHECK + check.seconds for check in self.assignment.checks)
        with Progress(what, len(requests), "submissions") as bar:
            for key, ended in workers.over(requests, seconds):
                case = self.cases[key]
                case.is_fresh = True
                self._take_report(case)
                if case.report is None:
                    case.fault = f"{AGAIN}: {_clause(ended.fault or 'the grader wrote no results')}"
                self._write_case(case)
                if time.monotonic() - self._wrote > EVERY:
                    self._write_table()
                bar.update()

    # -------------------------------------------------------------------------- comparing

    def _compare(self, workers):
        before = {}
        places = {key: self.out / "before" / name for key, name in zip(self.earlier, safe_names(self.earlier))}
        requests = self._requests(places, self.before)
        with Progress("reading the earlier term", len(places), "submissions", shown=bool(places)) as bar:
            for key, _ in workers.over(requests, READING):
                before[key] = worker.features(places[key]) or {}
                bar.update()
        solutions = {key: worker.features(case.place) or {} for key, case in self.cases.items()}
        self.rows.comparison = clusters.compare(solutions, similarity.functions(self.assignment), before)

    # -------------------------------------------------------------------------- writing

    def _write(self):
        for case in self.cases.values():
            self._write_case(case)
        self._write_table()

    def _write_case(self, case):
        case.row, remarks = self.rows.of(case)
        if not case.place.is_dir():
            return
        if case.report is not None:
            report = case.report | {"output": "\n".join([case.report["output"], *remarks])}
            _write(case.place / "results.json", json.dumps(report, indent=2) + "\n")
        else:
            (case.place / "results.json").unlink(missing_ok=True)
        text = feedback.markdown(self.assignment, case.row, case.report, remarks)
        _write(case.place / "feedback.md", text)

    def _write_table(self):
        cases = [*self.cases.values()]
        rows = [case.row or self.rows.of(case)[0] for case in cases] + self.rows.absent(cases)
        _write(self.table, points.text(self.assignment, rows))
        self._wrote = time.monotonic()

    def _write_statistics(self):
        reports = [case.report for case in self.cases.values() if case.report]
        found = statistics.lost(self.assignment, reports)
        page = statistics.markdown(self.assignment, found, [report["score"] for report in reports])
        files.write_text(self.out / "statistics.md", page)
        files.write_text(self.out / "statistics.csv", statistics.table(found))
        return found

    def _write_similarity(self):
        names = {key: case.shown for key, case in self.cases.items()}
        files.write_text(self.out / "similarity.md", clusters.markdown(self.assignment, self.rows.comparison, names))
        files.write_text(self.out / "similarity.csv", clusters.table(self.rows.comparison))


def _write(path, text):
    """Write a text to a file, unless it is there already."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
    files.write_text(path, text)


def _written(path):
    if path is None:
        return None
    try:
        return points.Written(texts.read_text(path))
    except OSError:
        raise
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None


def version():
    """What a report depends on besides the submission: the version and the sources of this package."""
    return f"{__version__} {_sources()}"


@functools.cache
def _sources():
    made = hashlib.sha256()
    for path in sorted(tree.PACKAGE.rglob("*.py")):
        made.update(hashlib.sha256(path.read_bytes()).digest())
    return made.hexdigest()


def _clause(fault):
    """A fault within a sentence."""
    return fault or "its process ended early"


def _grader_faults(report):
    """Which checks failed because of the grader itself, in a sentence; an empty text if none did."""
    broken = [
        name
        for name, check in report["extra_data"]["checks"].items()
        if not check["passed"] and (check.get("kind") == "grader" or _BY_GRADER.search(check.get("message") or ""))
    ]
    return f"{AGAIN}: {', '.join(broken)}" if broken else ""


_BY_GRADER = re.compile(r"^the grader could not|grade again", re.I)


def safe_names(keys):
    """A name of a folder for each key: without characters that a system forbids or a shell interprets, and unique.

    keys: texts.

    Returns a list in their order; a key always has the same name.
    """
    folded = Counter(key.casefold() for key in keys)
    made = []
    for key in keys:
        name = re.sub(r"[^\w.@-]+", "-", texts.printable(key)).strip(".-")[:60]
        reserved = re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name, re.I)
        if name != key or reserved or folded[key.casefold()] > 1:
            name = f"{name}-{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:8]}".lstrip("-")
        made.append(name)
    return made
