"""Files that are either all there or not there at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


@contextlib.contextmanager
def replacing(path):
    """A binary file to write; when the block ends well it takes the place of `path`, in one step.

    It is written beside `path`, flushed to the disk and renamed. Whoever reads `path` meanwhile sees the
    old file or the new one, never half of one, and whatever goes wrong in the block leaves the old one as
    it was. OSError names `path` and what the system said, a full disk for example.
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
        with contextlib.suppress(OSError):  # perhaps it could not even be made: what went wrong first is what counts
            beside.unlink()
        if isinstance(error, OSError):
            raise OSError(f"cannot write {path}: {error.strerror or error}") from error
        raise


def leftovers(folder):
    """The half-written files in a folder, of a process that was killed within `replacing`."""
    return list(Path(folder).glob(".*.partial"))


def write_text(path, text):
    """Replace `path` by `text`, encoded as UTF-8."""
    with replacing(path) as file:
        file.write(text.encode())
