"""What learning platforms export: a folder or a zip archive with all submissions of an assignment.

* Gradescope, "Export Submissions": `assignment_123_export/` with a folder `submission_<id>/` for each, already
  unpacked, and `submission_metadata.yml` (see gradescope_metadata.py).
* Canvas, "Download Submissions": files side by side, `lovelaceada_LATE_1001_2002_arithmetic.py`: the sortable name in
  small letters without spaces, LATE if so, the number of the user, that of the file, its name. With anonymous grading
  `anon_x1y2z_2002_tape.py`. A file that was uploaded again is called `tape-1.py`. A text entry is
  `lovelaceada_1001_text.html`.
* Moodle, "Download all submissions": folders `Ada Lovelace_1001_assignsubmission_file_/` (without the last `_` in
  recent versions), `Participant_1001_...` with anonymous submissions; or, without "in folders", files
  `Ada Lovelace_1001_assignsubmission_file_tape.py`. Texts are in `..._assignsubmission_onlinetext_`.
* GitHub Classroom, `gh classroom clone student-repos`: `a1-submissions/` with a repository `a1-adal/` for each student;
  its lists of grades and of students are CSV files.
* Otherwise a folder, or a zip archive, for each submission, named after the student.

CSV files beside the submissions are read as lists of students (see rosters.py).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ..support import text as texts
from ..support.text import printable
from . import archives, gradescope_metadata, rosters
from .archives import Entry, Unreadable

_CANVAS = re.compile(r"(?P<who>\w+?)(?P<late>_LATE)?_(?P<user>\d+)_(?P<file>\d+)_(?P<name>.+)", re.S)
_CANVAS_ANONYMOUS = re.compile(r"(?P<late>LATE_)?(?P<who>anon_(?P<user>[^\W_]+))_(?P<file>\d+)_(?P<name>.+)", re.S)
_CANVAS_TEXT = re.compile(r"(?P<who>\w+?)(?P<late>_LATE)?_(?P<user>\d+)_(?P<name>(text|link)\.html)", re.S)
_MOODLE = re.compile(
    r"(?P<who>.+?)(_(?P<user>\d+))?_assignsubmission_(?P<plugin>file|onlinetext|[a-z]+)(_(?P<name>.*))?", re.S
)
_GRADESCOPE = re.compile(r"submission_\d+")
_REPOSITORIES = re.compile(r"(?P<slug>.+)-submissions", re.S)
LARGEST_LIST = 2**24  # bytes of a CSV file


@dataclass
class Submission:
    """A submission in an export.

    key: unique in the export, and the same whenever it is exported again.
    name: of the student, or of several, as it is shown.
    email: the address, or an empty text.
    ids: what identifies the students: addresses, numbers, user names.
    names: of the students.
    people: (ids, names) of each student of a group; empty where the export does not tell them apart.
    submitted: when; None where the export does not say. Without a time zone it is the course's.
    told_by: who says when it was submitted, such as "Gradescope"; an empty text where nobody does.
    late: whether Canvas has marked it as late; None elsewhere.
    remarks: sentences about it.
    entries: a function that returns its Entries; entries(hidden=True) also those of git and of the system.
    """

    key: str
    name: str
    email: str = ""
    ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    people: list[tuple[list[str], list[str]]] = field(default_factory=list)
    submitted: datetime | None = None
    told_by: str = ""
    late: bool | None = None
    remarks: list[str] = field(default_factory=list)
    entries: Callable[..., Iterable[Entry]] = lambda hidden=False: ()


@dataclass
class Export:
    """An export.

    form: "Gradescope", "Canvas", "Moodle", "GitHub Classroom", or "folders".
    submissions: by name.
    students: of the lists in it.
    notes: sentences about what is neither.
    """

    form: str = "folders"
    submissions: list[Submission] = field(default_factory=list)
    students: list[rosters.Student] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def submission(self, key):
        """The submission with this key; raises KeyError if there is none."""
        return {one.key: one for one in self.submissions}[key]


class _Child(NamedTuple):
    """What is directly in an export: a folder with its entries, or a file."""

    name: str
    entries: Callable[..., Iterable[Entry]]
    file: Entry | None = None
    path: str | None = None  # of a folder that is not in an archive

    @property
    def is_zip(self):
        return self.file is not None and self.name.casefold().endswith(".zip")


@contextlib.contextmanager
def opened(path):
    """A context with an Export; while it lasts, the files of its submissions can be read.

    path: the folder or the zip archive.

    Raises FileNotFoundError where there is none, ValueError where it cannot be read or holds no submission.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            is_folder = path.is_dir()
            archives.entry_of(path)
            children = _in_folder(path) if is_folder else _opened(path.resolve(), stack)
            inner, slug = _without_wrapping(children, path.stem, stack, is_zip=not is_folder)
        except Unreadable as error:
            raise ValueError(f"{path} {error}: give the folder or the zip archive that was exported") from None
        export = _export(inner, slug or _slug(path.name))
        if not export.submissions:
            raise ValueError(
                f"{path} contains no submissions: it must contain a folder or a zip archive for each, or be an export "
                "of Gradescope, Canvas, Moodle or GitHub Classroom"
            )
        export.submissions.sort(key=lambda one: one.key)
        yield export


def _in_folder(folder):
    children = []
    for found in archives._scanned(folder):
        if archives.is_junk(found.name):
            continue
        if found.is_dir(follow_symlinks=False):
            entries = functools.partial(archives.in_folder, found.path)
            children.append(_Child(found.name, entries, path=found.path))
        else:
            children.append(_Child(found.name, lambda hidden=False: (), archives.entry_of(found.path)))
    return children


def _opened(path, stack):
    """The _Children in a zip archive, which stays open as long as `stack`."""
    return _grouped(archives.in_zip(stack.enter_context(archives.opened_zip(path)), hidden=True))


def _grouped(entries):
    """The _Children that entries make, by the first of their parts."""
    by_name: dict[str, list[Entry]] = {}
    files = {}
    for entry in entries:
        if archives.is_junk(entry.parts[0]):
            continue
        if len(entry.parts) == 1:
            files[entry.name] = entry
        else:
            by_name.setdefault(entry.parts[0], []).append(entry)
    children = [_Child(name, _below(inside)) for name, inside in by_name.items()]
    return children + [_Child(name, lambda hidden=False: (), file) for name, file in files.items()]


def _below(entries):
    """A function that returns entries in a folder as seen from there."""

    def seen(hidden=False) -> Iterator[Entry]:
        for entry in entries:
            if hidden or not any(map(archives.is_junk, entry.parts[1:])):
                yield Entry(entry.parts[1:], entry.kind, entry.size, entry.open, entry.path)

    return seen


def _without_wrapping(children, stem, stack, is_zip):
    """(the children of the export itself, the slug of the folder around it) where a folder or a zip is around it."""
    slug = None
    for _ in range(3):
        around = [child for child in children if not _is_list(child)]
        if len(around) != 1 or (around[0].file and not around[0].is_zip) or _is_known(around[0]):
            break
        (outer,) = around
        if outer.file is None:
            inner = _in_folder(outer.path) if outer.path else _grouped(outer.entries(hidden=True))
        elif outer.file.path:
            try:
                inner, is_zip = _opened(outer.file.path, stack), True
            except Unreadable:  # what a student made, as it seems
                break
        else:
            break
        folders = [child for child in inner if not child.file or child.is_zip]
        loose = [child for child in inner if child.file and not child.is_zip and not _is_list(child)]
        name = outer.name.removesuffix(".zip")
        named = name == stem or _is_wrapping(name)
        known = any(_is_known(child) or _is_wrapping(child.name) for child in inner)
        if not (known or (named and folders and not loose) or (is_zip and len(folders) > 1 and not loose)):
            break
        children, slug = inner + [child for child in children if _is_list(child)], _slug(name) or slug
    return children, slug


def _is_wrapping(name):
    """Whether a folder that is called so holds the submissions, or a file lies beside them."""
    return name == gradescope_metadata.NAME or name.endswith("_export") or _slug(name) is not None


def _slug(name):
    found = _REPOSITORIES.fullmatch(name)
    return found["slug"] if found else None


def _is_list(child):
    """Whether a file is the platform's, not one that a student has called roster.csv."""
    is_table = child.file is not None and child.name.casefold().endswith((".csv", ".tsv"))
    return child.name == gradescope_metadata.NAME or (is_table and not _is_known(child))


def _is_known(child):
    if child.file is None:
        return bool(_GRADESCOPE.fullmatch(child.name) or _MOODLE.fullmatch(child.name))
    return bool(_canvas(child.name) or _MOODLE.fullmatch(child.name))


def _canvas(name):
    for form in (_CANVAS_ANONYMOUS, _CANVAS, _CANVAS_TEXT):
        if found := form.fullmatch(name):
            return found
    return None


# ------------------------------------------------------------------------------ the forms


def _export(children, slug):
    export = Export()
    described: dict[str, gradescope_metadata.Metadata] = {}
    forms: dict[str, int] = {}
    by_key: dict[str, Submission] = {}
    for child in sorted(children, key=lambda one: one.name):
        if child.file is not None and child.name == gradescope_metadata.NAME:
            described = _metadata(child.file, export)
        elif _is_list(child):
            _read_list(child, export)
        else:
            form, made = _submission(child, slug)
            if made is None:
                export.notes.append(f"{printable(child.name)} is beside the submissions and was left out")
                continue
            forms[form] = forms.get(form, 0) + 1
            if made.key in by_key:
                _join(by_key[made.key], made)
            else:
                by_key[made.key] = made
    for key in described:
        if key not in by_key and _GRADESCOPE.fullmatch(key):
            by_key[key] = Submission(key, key, remarks=["the export has no files of this submission"])
            forms["Gradescope"] = forms.get("Gradescope", 0) + 1
    for key, said in described.items():
        if key in by_key:
            _describe(by_key[key], said)
    export.submissions = [*by_key.values()]
    export.form = max(forms, key=lambda form: forms[form], default="folders")
    if described:
        export.form = "Gradescope"
    return export


def _submission(child, slug):
    """(form, Submission) of what is directly in an export; (form, None) for a file that is no submission."""
    moodle = _MOODLE.fullmatch(child.name)
    if moodle and (child.file is None or moodle["name"]):
        user = moodle["user"] or ""
        key = "_".join(filter(None, [moodle["who"], user]))
        name = f"Participant {user}" if moodle["who"] == "Participant" else moodle["who"]
        names = [] if moodle["who"] == "Participant" else [moodle["who"], moodle["who"].rpartition("-")[2]]
        only_text = moodle["plugin"] == "onlinetext"
        made = Submission(key, name, ids=[user], names=names, entries=_renamed(child, moodle["name"]))
        if only_text:
            made.entries = lambda hidden=False: ()
            made.remarks = ["it has an online text, which is not graded"]
        return "Moodle", made
    canvas = _canvas(child.name) if child.file is not None else None
    if canvas:
        late = bool(canvas["late"])
        key = f"{canvas['who']}_{canvas['user']}" if canvas["who"] != f"anon_{canvas['user']}" else canvas["who"]
        made = Submission(key, canvas["who"], ids=[canvas["user"]], names=[canvas["who"]], late=late, told_by="Canvas")
        made.entries = _renamed(child, canvas["name"])
        return "Canvas", made
    if child.file is not None:
        if not child.is_zip:
            return "folders", None
        name = child.name[: -len(".zip")]
        return "folders", Submission(child.name, name, ids=[name], names=[name], entries=_renamed(child, child.name))
    if _GRADESCOPE.fullmatch(child.name):
        ids = [child.name, child.name.removeprefix("submission_")]
        return "Gradescope", Submission(child.name, child.name, ids=ids, entries=child.entries)
    made = Submission(child.name, child.name, ids=[child.name], names=[child.name], entries=child.entries)
    if slug and child.name.startswith(f"{slug}-"):
        made.name = child.name.removeprefix(f"{slug}-")
        made.ids.append(made.name)
        return "GitHub Classroom", made
    return "folders", made


def _renamed(child, name):
    """The function `entries` of a submission's part: of a folder its entries, of a file itself by its own name."""
    if child.file is None:
        return child.entries
    entry = Entry((name,), child.file.kind, child.file.size, child.file.open, child.file.path)
    return lambda hidden=False: (entry,)


def _join(submission, other):
    """Add the files of another part of the same submission."""
    mine, theirs = submission.entries, other.entries
    submission.entries = lambda hidden=False: itertools.chain(mine(hidden=hidden), theirs(hidden=hidden))
    submission.remarks += other.remarks
    submission.late = submission.late or other.late


def _describe(submission, described):
    """Add what Gradescope's metadata says."""
    submission.names = [one["name"] for one in described.submitters if one.get("name")]
    submission.name = "; ".join(submission.names) or submission.name
    submission.email = "; ".join(one["email"] for one in described.submitters if one.get("email"))
    for one in described.submitters:
        ids = [one[what] for what in ("sid", "email") if one.get(what)]
        submission.people.append((ids, [one["name"]] if one.get("name") else []))
        submission.ids += ids
    if described.created_at:
        submission.submitted, submission.told_by = described.created_at, "Gradescope"


def _metadata(file, export):
    try:
        with file.open() as opened_file:
            return gradescope_metadata.metadata(opened_file)
    except (Unreadable, OSError) as error:
        export.notes.append(f"{gradescope_metadata.NAME} cannot be read ({error}): names and times are not known")
        return {}


def _read_list(child, export):
    try:
        export.students += students_in(child.file)
    except ValueError as error:
        export.notes.append(f"{printable(child.name)} {error}")


def students_in(file):
    """The students of a CSV file.

    file: its path, or an Entry.

    Returns a list of rosters.Student.
    Raises ValueError, in a clause that follows its name, where it cannot be read or is no roster.
    """
    data = archives.read(file, LARGEST_LIST) if isinstance(file, Entry) else texts.content(file, LARGEST_LIST)
    if len(data) > LARGEST_LIST:
        raise ValueError(f"is longer than {LARGEST_LIST // 2**20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # as spreadsheets write it
    return rosters.students(text)
