"""The files of one submission, wherever in it they are.

Students hand in `my-a1/tape.py`, since zipping a folder gives that, a zip within their zip, two copies of a file, or
`tape-1.py`, as Canvas and browsers rename a second upload. `find` finds what an assignment asks for and says in a
sentence what is unusual. It reads single files of at most LARGEST bytes, follows no link, and executes nothing.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..support.text import printable
from . import archives
from .archives import Entry, Unreadable

LARGEST = 2**20  # bytes of a student's file
ARCHIVES, LEVELS = 20, 3  # zip archives of one submission that are opened, and how deep they may be in each other
INFLATED = 128 * 2**20  # bytes of an archive within an archive
_OTHER_ARCHIVE = re.compile(r".*\.(rar|7z|tar|tgz|gz|bz2|xz|zst)", re.I | re.S)
_RENAMED = re.compile(r"(?P<stem>.+?)(?:-(?P<n>\d{1,3}|[0-9a-f-]{36})| ?\((?P<m>\d{1,3})\))(?P<suffix>\.\w+)", re.S)


@dataclass
class Collected:
    """What was found in a submission.

    files: {name: bytes} of the files that can be read.
    entries: {name: Entry} of the same files.
    broken: {name: sentence} of those that are there and cannot be read, such as one that is too large.
    remarks: sentences, for the student and the instructor.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


class _Candidate(NamedTuple):
    """A file that may be the wanted one: a rank of 0 is exactly its name, then other capitals, then renamed copies."""

    name: str
    rank: tuple[int, int]
    entry: Entry

    @property
    def folder(self):
        return self.entry.parts[:-1]


def files_of(folder, wanted_names, place=None):
    """The files of a submission that an assignment asks for.

    folder: the student's, in any form: the files may be in folders or zip archives within it; or a zip archive.
    wanted_names: of the files, such as "tape.py".
    place: a folder that files from within archives are written to; where it is None, a remark says where they are.

    Returns ({name: path}, [remarks]): a name is missing where there is no such file that can be read, and a remark says
    why, in one sentence.
    Raises FileNotFoundError where there is no such folder, ValueError for a zip archive that cannot be read.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(folder)
        if folder.is_dir():
            entries: Iterable[Entry] = archives.in_folder(folder)
        else:
            archives.entry_of(folder)
            try:
                entries = archives.in_zip(stack.enter_context(archives.opened_zip(folder.resolve())))
            except Unreadable as error:
                raise ValueError(f"{folder} {error}: give a folder, or a zip archive of one") from None
        found = find(entries, wanted_names)
    paths = {}
    for name, entry in found.entries.items():
        if entry.path:
            paths[name] = entry.path
        elif place is None:
            found.remarks.append(f"{name} is in the archive {_place(entry.parts[:-1])}: unpack it")
        else:
            paths[name] = Path(place) / name
            paths[name].write_bytes(found.files[name])
    return paths, found.remarks


def find(entries, wanted, optional=()):
    """Find and read the files that an assignment asks for.

    Of several folders, the one with most of them counts, of equal ones the upper one. Zip archives are opened only for
    what is not outside of them.

    entries: the submission's Entries.
    wanted: names of files.
    optional: names of files that nobody misses.

    Returns Collected.
    """
    found = Collected()
    names = (*wanted, *optional)
    with contextlib.ExitStack() as stack:
        looked_at, more = archives.limited(entries, functools.partial(_is_relevant, names=names))
        if more:
            found.remarks.append(f"only the first {archives.ENTRIES:,} files were looked at")
        candidates = _candidates(looked_at, names)
        unopened = []
        if not {*wanted} <= {one.name for one in candidates if _is_readable(one.entry)}:
            inner, unopened = _in_archives(looked_at, names, stack)
            candidates += inner
        chosen, others = _chosen(candidates, names)
        for one in chosen.values():
            _read(one, found)
        found.remarks += _differences(found, others)
    for name, one in chosen.items():
        if one.rank[0] and not (one.rank[0] == 2 and "-" in one.entry.name):  # Canvas renames every second upload
            found.remarks.append(f"{_shown(one.entry.name)} was taken as {name}")
    missing = [name for name in wanted if name not in chosen]
    if missing:
        found.remarks.append(_missing(missing, wanted))
        found.remarks += unopened
    found.remarks += [found.broken[name] for name in names if name in found.broken]
    return found


def _is_relevant(name, names):
    return _wanted_name(name, names)[0] or _is_archive(name)


def _is_archive(name):
    return name.casefold().endswith(".zip") or _OTHER_ARCHIVE.fullmatch(name)


def _wanted_name(name, names):
    """(the wanted name that a file has, its rank as in _Candidate); ("", (0, 0)) if it is another file."""
    if name in names:
        return name, (0, 0)
    by_name = {wanted.casefold(): wanted for wanted in names}
    if wanted := by_name.get(name.casefold()):
        return wanted, (1, 0)
    renamed = _RENAMED.fullmatch(name)
    if renamed and (wanted := by_name.get(f"{renamed['stem']}{renamed['suffix']}".casefold())):
        number = renamed["n"] or renamed["m"]
        return wanted, (2, -int(number) if number and number.isdigit() else -1000)
    return "", (0, 0)


def _candidates(entries, names):
    found = []
    for entry in entries:
        name, rank = _wanted_name(entry.name, names)
        if name:
            found.append(_Candidate(name, rank, entry))
    return found


def _is_readable(entry):
    return entry.kind == archives.FILE and entry.size <= LARGEST


def _in_archives(entries, names, stack):
    """(the candidates within zip archives, why others were not opened); the archives stay open as long as `stack`."""
    found, unopened, left = [], [], ARCHIVES
    level = [entry for entry in entries]
    for _ in range(LEVELS):
        below: list[Entry] = []
        for entry in level:
            if _OTHER_ARCHIVE.fullmatch(entry.name):
                unopened.append(f"{_shown(entry.name)} is not a zip archive and was not opened")
            if not entry.name.casefold().endswith(".zip"):
                continue
            if not left:
                unopened.append(f"only the first {ARCHIVES} archives were opened")
                return found, unopened
            left -= 1
            try:
                if entry.kind != archives.FILE:
                    raise Unreadable("is a link or a device and was not opened")
                archive = stack.enter_context(archives.inner_zip(entry, INFLATED))
                relevant = functools.partial(_is_relevant, names=names)
                inside, more = archives.limited(archives.in_zip(archive), relevant)
            except Unreadable as error:
                unopened.append(f"{_shown(entry.name)} {error}")
                continue
            if more:
                unopened.append(f"only the first {archives.ENTRIES:,} files of {_shown(entry.name)} were looked at")
            below += [one.within(*entry.parts) for one in inside]
        found += _candidates(below, names)
        level = below
    return found, unopened


def _chosen(candidates, names):
    """({name: the candidate to grade}, {name: the others})."""
    folders = defaultdict(set)
    for one in candidates:
        if _is_readable(one.entry):
            folders[one.folder].add(one.name)
    best = min(folders, key=lambda folder: (-len(folders[folder]), len(folder), folder), default=())

    def order(one):
        return not _is_readable(one.entry), one.folder != best, one.rank, len(one.folder), one.entry.parts

    chosen, others = {}, {}
    for name in names:
        mine = sorted((one for one in candidates if one.name == name), key=order)
        if mine:
            chosen[name], others[name] = mine[0], mine[1:]
    return chosen, others


def _read(one, found):
    """Read a chosen file into `found`."""
    entry, shown = one.entry, _shown(one.entry.name)
    try:
        if entry.size > LARGEST:
            raise Unreadable(f"has {_megabytes(entry.size)}; at most 1 MiB is read")
        data = archives.read(entry, LARGEST)
        if len(data) > LARGEST:
            raise Unreadable("has more than 1 MiB; at most 1 MiB is read")
    except Unreadable as error:
        found.broken[one.name] = f"{shown} {error}"
        return
    found.files[one.name], found.entries[one.name] = data, entry
    if not data.strip():
        found.remarks.append(f"{shown} is empty")


def _differences(found, others):
    """A sentence for each other version of what is graded, or for each folder that holds some."""
    places, told = defaultdict(list), []
    for name, rest in others.items():
        for one in rest[:5] if name in found.files else ():
            graded = found.entries[name]
            with contextlib.suppress(Unreadable):
                if not _is_readable(one.entry) or archives.read(one.entry, LARGEST) == found.files[name]:
                    continue
            if one.folder == graded.parts[:-1]:
                told.append(f"{_shown(one.entry.name)} is another {name}: {_shown(graded.name)} is graded")
            else:
                places[one.folder, graded.parts[:-1]].append(name)
    for (other, graded), names in places.items():
        verb = "the one" if len(names) == 1 else "those"
        also = f"{_place(other)} holds another {_and(names)}"
        told.append(f"{also}: {verb} in {_place(graded)} {'is' if len(names) == 1 else 'are'} graded")
    return told


def _megabytes(size):
    return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"


def _missing(missing, wanted):
    if len(missing) == len(wanted) > 1:
        return f"none of the files {_and(list(wanted))} is in the submission"
    return f"{_and(missing)} {'is' if len(missing) == 1 else 'are'} missing"


def _and(names):
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _place(parts):
    return f"{_shown('/'.join(parts))}/" if parts else "the top folder"


def _shown(name):
    text = printable(name)
    return text if len(text) <= 80 else f"{text[:77]}..."


def stub(name, sentence):
    """The content of a file that stands for one that cannot be read, so that every check says why.

    name: of the file.
    sentence: what to say.

    Returns bytes.
    """
    if name.endswith(".py"):
        return f"raise ImportError({sentence!r})\n".encode()
    return f"#error {sentence}\n".encode()
