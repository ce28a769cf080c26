"""Atomic writing of files, and names of files given by the user."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from pathlib import Path

from . import lock
from .types import FileName


@contextlib.contextmanager
def replacing(path):
    """A context with a binary file that replaces `path` atomically when the block ends without an error.

    path: of the file to replace or create; a pipe or a device, such as /dev/null, is written to directly.

    The file is written beside `path`, flushed to the disk and renamed. A reader of `path` sees the old file or the new
    one, never a part, also where several processes write it at once; after an error the old one is unchanged. What a
    process that was killed has left is used by the next one. Raises OSError, naming `path`, where writing fails.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with open(path, "wb") as file:
                yield file
            return
        with _beside(path) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                _remove(file)
                raise
            if not _RENAMES_OPEN_FILES:
                file.close()
            try:
                os.replace(file.name, path)  # while it is locked: from then on another process may use its old name
            except BaseException:
                _remove(file)
                raise
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error


_RENAMES_OPEN_FILES = os.name != "nt"


def _remove(file):
    with contextlib.suppress(OSError):  # the first error is the one to report
        if file.closed or os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):  # else it is another's by now
            os.unlink(file.name)


def _beside(path):
    """A new file in the folder of `path`, open for writing, whose name is that of no other process's."""
    for number in itertools.count():
        name = str(path.with_name(f".{path.name}{f'.{os.getpid()}-{number}' if number else ''}.partial"))
        file = lock.opened(name) if _RENAMES_OPEN_FILES else open(name, "wb")  # noqa: SIM115  # the caller closes it
        if file is not None:
            file.truncate(0)
            return file
    raise AssertionError


def expanded(path: FileName) -> Path:
    """A path given by the user, with ~ and ~name replaced by the folders that they stand for.

    path: a text or a Path.

    Returns a Path. A file of that very name, such as ~$letter.jpg, is itself, unless there is a user of that name.
    Raises ValueError where there is no such user, or the user's home folder is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        if os.path.lexists(path):
            return Path(path)
        user = Path(path).parts[0]
        why = f"there is no user {user[1:]}" if user != "~" else "the user has no home folder: set HOME"
        raise ValueError(f"{path}: {user} cannot be expanded, since {why}; write the whole path") from None


def leftovers(folder, names):
    """Paths of the incomplete files that a process left when it was killed within `replacing`.

    folder: where to look for them.
    names: of the files that it may have been writing; files of others, whatever their names, are not listed.
    """
    of = "|".join(map(re.escape, names))
    found = re.compile(rf"\.({of})(\.\d+-\d+)?\.partial").fullmatch
    folder = Path(folder)
    return [path for path in (folder.iterdir() if folder.is_dir() else ()) if found(path.name) and path.is_file()]


def write_text(path, text):
    """Write `text` to `path` as UTF-8, atomically; bytes of names that are not UTF-8 are escaped."""
    with replacing(path) as file:
        file.write(text.encode(errors="backslashreplace"))
