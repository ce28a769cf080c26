"""A folder that one process at a time may write to.

    with lock.Lock(folder):
        ...                      # another process, or another Lock here, raises Held

The system holds the lock, not the file: it is released with the process, however that ends, and no stale file ever
has to be removed by hand. On a file system without locks, which some network disks are, every process gets it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".minialex.lock"
_WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}


class Held(ValueError):
    """Another process has the lock."""


class Lock:
    """The right to write to a folder, taken by `with`, or by `acquire` and `release`.

    folder: a path; it and its parents are made if they do not exist.
    doing: what the holder does in it, for the message of Held: "another process is {doing} {folder}".

    It is not inherited by child processes that are started with exec, and belongs to the object, not to the thread.
    """

    def __init__(self, folder, doing="writing to"):
        self.folder, self.doing = Path(folder), doing
        self.path = (self.folder / NAME).absolute()  # the same file wherever the process goes meanwhile
        self._file: BinaryIO | None = None

    @property
    def is_held(self):
        """Whether this Lock holds the folder."""
        return self._file is not None

    def acquire(self):
        """Take the lock; returns this Lock.

        Raises Held at once where another process, or another Lock of this one, has it, and OSError where the folder
        cannot be made or written to.
        """
        if self._file is not None:
            raise RuntimeError(f"this Lock already holds {self.folder}")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = opened(self.path)
        if self._file is None:
            raise Held(f"another process is {self.doing} {self.folder}: wait for it, or choose another folder")
        return self

    def release(self):
        """Give the lock up and remove its file; nothing happens where it is not held."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # Windows removes no open file; a file left behind does no harm
                self.path.unlink()  # before the lock is given up, so that nobody can have taken this file meanwhile
            self._file.close()
            self._file = None

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *error):
        self.release()


def opened(path):
    """Open a file that nobody else has open by this function; the file is made if it does not exist.

    path: of the file; a link is not followed.

    Returns the binary file, open for reading and writing, and free again when it is closed; None where it is taken.
    Raises OSError where it cannot be opened.
    """
    while True:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open(path, "r+b", opener=_made))
            if not _lock(file):
                return None
            if _is_current(file, path):
                stack.pop_all()  # it stays open
                return file


def _made(path, flags):
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _is_current(file, path):
    """Whether a locked file is still the one of that name: its last holder may have removed or renamed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(file):
    """Lock an open file until it is closed; returns False where it is locked already."""
    if fcntl is None:
        import msvcrt

        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
    return True


def claim(parent, name):
    """Make a new folder that nobody else gets, as for a run that is named after the second in which it starts.

    parent: a path; it is made if it does not exist.
    name: of the folder; where it exists already, name-2, name-3, ... is taken.

    Returns the path of the folder, which is new and empty.
    Raises OSError where it cannot be made.
    """
    first, number, failed = Path(parent) / name, 1, 0
    while True:
        folder = first if number == 1 else first.with_name(f"{first.name}-{number}")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()  # atomic: of several processes only one succeeds
            return folder
        except FileNotFoundError:  # another process has just removed the parent, which it had made and not used
            failed += 1
            if failed == 100:
                raise
        except FileExistsError:
            if not folder.parent.is_dir():
                raise
            number += 1
