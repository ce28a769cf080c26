"""Atomic writing of files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


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


def leftovers(folder):
    """Paths of the incomplete files in `folder` that a process left when it was killed within `replacing`."""
    return list(Path(folder).glob(".*.partial"))


def write_text(path, text):
    """Write `text` to `path` as UTF-8, atomically."""
    with replacing(path) as file:
        file.write(text.encode())
