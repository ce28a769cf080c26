"""A folder that belongs to one run: nobody else gets it, or writes to it, while the run lives."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ..support import lock
from ..support.errors import UserError
from ..support.interrupts import Interrupts
from ..support.types import FileName

_owners: weakref.WeakValueDictionary[str, OwnedFolder] = weakref.WeakValueDictionary()  # of this process, by real path


class OwnedFolder:
    """A folder that one owner at a time may write to, in this process and in all others.

        with folder:
            ...      # it is ours, and given up at the end

    path: of the folder; it need not exist.

    `acquire` takes it ahead of the first `with` block. It is given up at the end of the outermost block, by `release`,
    and with the object, or the process, however that ends. An owner that is not within a block, such as a run in
    another cell of a notebook, gives way to another one of the same process. Folders that were made for an owner that
    has written nothing are removed when it gives them up; Ctrl-C waits meanwhile.
    """

    def __init__(self, path: FileName) -> None:
        self.path = Path(path)
        self._lock = lock.Lock(self.path, "training in")
        self._blocks = 0  # `with` blocks that are being executed
        self._give_up: Any = None

    @property
    def is_taken(self) -> bool:
        """Whether the folder is taken by this object."""
        return self._lock.is_held

    @classmethod
    def claim(cls, parent: FileName, name: str) -> Self:
        """A new folder that no other process gets, taken.

        parent: the folder that it is made in; it is made if it does not exist.
        name: of the folder; where it exists already, name-2, name-3, ... is taken.

        Returns it as an object of this class. Raises OSError where it cannot be made.
        """
        with Interrupts(hold=True):
            made = _missing(Path(parent))
            folder = cls(lock.claim(parent, name))
            folder.acquire([folder.path.absolute(), *made])
        return folder

    def acquire(self, made: Sequence[Path] | None = None) -> None:
        """Take the folder, which is made if it does not exist.

        made: folders that were made for it, the innermost first; None for those that are missing now.

        Raises UserError where another owner has it, OSError where it cannot be made or written to.
        """
        with Interrupts(hold=True), self.released_on_error():
            made = _missing(self.path) if made is None else made
            self._give_up = weakref.finalize(self, _release, self._lock, made, os.getpid())
            try:
                self._take()
            except lock.Held:
                self._take_over()
            _owners[os.path.realpath(self.path)] = self

    def _take(self):
        for _ in range(100):
            with contextlib.suppress(FileNotFoundError):  # an owner who has not used the folder has just removed it
                self._lock.acquire()
                return
        self._lock.acquire()

    def _take_over(self):
        """Take the folder from an owner in this process that is not within a `with` block."""
        other = _owners.get(os.path.realpath(self.path))
        try:
            if other is None or other._blocks:
                raise lock.Held
            other.release()
            self._take()
        except lock.Held:
            raise UserError(
                f"{self.path} is the folder of a run that is being trained now: wait until it has ended, or stop it "
                "first, or choose another folder"
            ) from None

    def release(self) -> None:
        """Give the folder up, and remove it if it was made by `acquire` and is empty; nothing if it is not taken."""
        with Interrupts(hold=True):
            if self._give_up:
                self._give_up()  # which does nothing the second time

    @contextlib.contextmanager
    def released_on_error(self) -> Iterator[Self]:
        """A context that gives the folder up if its block ends with an error."""
        try:
            yield self
        except BaseException:
            self.release()
            raise

    def __enter__(self) -> Self:
        if not self.is_taken:
            self.acquire()
        self._blocks += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._blocks -= 1
        if not self._blocks:
            self.release()


def _missing(folder):
    """The folders that have to be made for `folder` to exist, the innermost first."""
    folder = folder.absolute()
    return [path for path in (folder, *folder.parents) if not os.path.lexists(path)]


def _release(its_lock, made, process):
    """Release a lock, and remove the folders that were made for it, as far as they are empty."""
    if os.getpid() != process:
        return  # a forked child does not own what its parent does
    its_lock.release()
    with contextlib.suppress(OSError):
        for folder in made:
            folder.rmdir()
