"""Reading folders and zip archives that students made: nothing is unpacked, only single small files are read.

Both are lists of Entries. What a name says never becomes a path of this machine, so that `../x`, `/x` and `C:\\x` reach
nothing; links are not followed; of a file at most `most` bytes are read, whatever size it claims to have; and archives
are only opened in which a small file cannot decompress into a dictionary of gigabytes (stored or deflated members).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

FILE, LINK, OTHER = "file", "link", "other"  # kinds of an Entry; OTHER: devices, pipes, sockets
ENTRIES = 200_000  # names in one submission that are looked at
KEPT = 1000  # of these that may be what is looked for
DEPTH = 12  # folders within folders
DIRECTORY = 32 * 2**20  # bytes of the list of an export's members; half a million have room in it
INNER_DIRECTORY = 4 * 2**20  # the same of an archive that a student made
IN_MEMORY = 8 * 2**20  # bytes of an archive within an archive; a larger one is on the disk while it is read
MIB = 2**20
_JUNK = re.compile(r"__MACOSX|__pycache__|node_modules|site-packages|venv|Thumbs\.db|desktop\.ini|\..*", re.I | re.S)


class Unreadable(ValueError):
    """An archive, or a file in it, that cannot be read; the message is a clause: "is protected by a password"."""


@dataclass(frozen=True)
class Entry:
    """A file in a folder or in an archive.

    parts: its folders and its name, as in ("my-a1", "tape.py").
    kind: FILE, LINK or OTHER.
    size: bytes, as the folder or the archive says.
    open: returns a binary file; call it through `read`.
    path: where it is on the disk; None if it is in an archive.
    """

    parts: tuple[str, ...]
    kind: str
    size: int
    open: Callable
    path: Path | None = None

    @property
    def name(self):
        """The last of its parts."""
        return self.parts[-1]

    def within(self, *folders):
        """The same entry in another place; folders: what its parts begin with there."""
        return Entry((*folders, *self.parts), self.kind, self.size, self.open, self.path)


def read(entry, most):
    """The bytes of an entry.

    entry: an Entry.
    most: bytes; of a longer file one more is returned, so that the caller can tell.

    Raises Unreadable where it is damaged, protected, or no file.
    """
    if entry.kind != FILE:
        raise Unreadable("is a symbolic link; hand in the file itself" if entry.kind == LINK else "is not a file")
    with _as_unreadable(), entry.open() as file:
        return file.read(most + 1)


def is_junk(name):
    """Whether a file or folder of this name is the system's or a tool's, not the student's own work."""
    return bool(_JUNK.fullmatch(name))


def parts_of(name):
    """The parts of a name in an archive, between `/` or `\\`, without those that are no names: `.`, `..` and ``."""
    return tuple(part for part in re.split(r"[/\\]", name) if part not in ("", ".", ".."))


# ------------------------------------------------------------------------------ folders


def in_folder(folder, hidden=False):
    """Iterate over the Entries in a folder, those of the upper folders first.

    folder: a path; links to folders are entries, too, and not followed.
    hidden: also what `is_junk` names; needed for the files of git.
    """
    level: list[tuple[Path, tuple[str, ...]]] = [(Path(folder), ())]
    while level and len(level[0][1]) < DEPTH:
        below = []
        for place, parts in level:
            for found in _scanned(place):
                if is_junk(found.name) and not hidden:
                    continue
                inside = (*parts, found.name)
                if found.is_dir(follow_symlinks=False):
                    below.append((Path(found.path), inside))
                elif entry := _on_disk(found.path, inside):
                    yield entry
        level = below


def _scanned(folder):
    """The contents of a folder by name; nothing where it cannot be read or its name is too long."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        return sorted(found, key=lambda one: one.name)
    return []


def _on_disk(path, parts):
    try:
        status = os.lstat(path)
    except OSError:
        return None
    kind = FILE if stat.S_ISREG(status.st_mode) else LINK if stat.S_ISLNK(status.st_mode) else OTHER
    return Entry(parts, kind, status.st_size, lambda: _opened(path), Path(path))


def entry_of(path):
    """The Entry of a file on the disk. path: its path. Raises FileNotFoundError where there is none."""
    entry = _on_disk(path, (Path(path).name,))
    if entry is None:
        raise FileNotFoundError(f"{path} does not exist")
    return entry


def _opened(path):
    """Open a file that is still one: not what has been put into its place since it was looked at."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Unreadable("is not a file")
    return os.fdopen(number, "rb")


# ------------------------------------------------------------------------------ archives


@contextlib.contextmanager
def opened_zip(file, most=DIRECTORY):
    """A context with a zip archive, a zipfile.ZipFile.

    file: a path, or an open binary file.
    most: bytes of the list of its members.

    Raises Unreadable where it is not one, or lists more members than fit into memory.
    """
    with contextlib.ExitStack() as stack:
        with _as_unreadable():
            if isinstance(file, str | os.PathLike):
                file = stack.enter_context(_opened(file))
            if _directory_size(file) > most:
                raise Unreadable("has too many members")
            archive = stack.enter_context(zipfile.ZipFile(file))
        yield archive


@contextlib.contextmanager
def inner_zip(entry, most):
    """A context with a zip archive that is itself an entry of a folder or of an archive.

    entry: an Entry.
    most: bytes that it may have.

    Raises Unreadable as opened_zip does, and where it is larger.
    """
    if entry.path:
        with opened_zip(entry.path, INNER_DIRECTORY) as archive:
            yield archive
        return
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
        with _as_unreadable(), entry.open() as file:
            while block := file.read(MIB):
                copy.write(block)
                if copy.tell() > most:
                    raise Unreadable(f"has more than {most // MIB} MB")
        copy.seek(0)
        with opened_zip(copy, INNER_DIRECTORY) as archive:
            yield archive


def in_zip(archive, hidden=False):
    """The Entries of a zip archive, those of the upper folders first.

    archive: from opened_zip.
    hidden: as in in_folder.

    Returns a list.
    """
    entries = [_member(archive, info) for info in archive.infolist() if not info.is_dir()]
    kept = [entry for entry in entries if entry.parts and (hidden or not any(map(is_junk, entry.parts)))]
    last = {entry.parts: entry for entry in kept}  # of the same name, as when it is unpacked
    return sorted(last.values(), key=lambda entry: (len(entry.parts), entry.parts))


def _member(archive, info):
    mode = info.external_attr >> 16
    kind = LINK if stat.S_ISLNK(mode) else OTHER if stat.S_IFMT(mode) not in (0, stat.S_IFREG) else FILE
    return Entry(parts_of(name_of(info)), kind, info.file_size, lambda: _inflated(archive, info))


def name_of(info):
    """The name of a member: UTF-8, as macOS and Canvas write it, also where the archive does not say so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except ValueError:
        return info.filename


def _inflated(archive, info):
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreadable("is compressed by an unusual method; zip it again")
    if info.flag_bits & 0x1:
        raise Unreadable("is protected by a password")
    return archive.open(info)


def _directory_size(file):
    """The bytes of a zip's list of members, which zipfile reads as a whole; 0 where there is none."""
    file.seek(0, io.SEEK_END)
    length = file.tell()
    start = max(0, length - 2**16 - 22)
    file.seek(start)
    end = file.read()
    at = end.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(end):
        return 0
    (size,) = struct.unpack_from("<L", end, at + 12)
    if size == 0xFFFFFFFF and at >= 20 and end[at - 20 : at - 16] == b"PK\6\7":
        (place,) = struct.unpack_from("<Q", end, at - 12)
        file.seek(min(place, length))
        record = file.read(56)
        size = struct.unpack_from("<Q", record, 40)[0] if len(record) == 56 else size
    return size


@contextlib.contextmanager
def _as_unreadable():
    """Whatever reading raises, which for a damaged archive is one of a dozen types, becomes Unreadable."""
    try:
        yield
    except Unreadable:
        raise
    except MemoryError:
        raise Unreadable("needs too much memory") from None
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from error
    except Exception as error:
        raise Unreadable(f"is damaged ({' '.join(str(error).split())[:100] or type(error).__name__})") from error


def limited(entries: Iterable[Entry], relevant: Callable[[str], object]) -> tuple[list[Entry], bool]:
    """(the entries whose names are relevant, of the first ENTRIES of `entries`, whether there are more)."""
    kept: list[Entry] = []
    for number, entry in enumerate(entries):
        if number == ENTRIES or len(kept) == KEPT:
            return kept, True
        if relevant(entry.name):
            kept.append(entry)
    return kept, False
