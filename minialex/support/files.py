"""Atomic writing of files, and names of files given by the user."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from .types import FileName


@contextlib.contextmanager
def replacing(path):
    """A context with a binary file that replaces `path` atomically when the block ends without an error.

    path: of the file to replace or create.

    The file is written beside `path`, flushed to the disk and renamed. A reader of `path` sees the old file or the new
    one, never a part; after an error the old one is unchanged. Raises OSError, naming `path`, where writing fails.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.partial")
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # it may not exist; the first error is the one to report
            beside.unlink()
        if isinstance(error, OSError):
            raise OSError(f"cannot write {path}: {error.strerror or error}") from error
        raise


def expanded(path: FileName) -> Path:
    """A path given by the user, with ~ and ~name replaced by the folders that they stand for.

    path: a text or a Path.

    Returns a Path.
    Raises ValueError where there is no such user, or the user's home folder is not known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
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
