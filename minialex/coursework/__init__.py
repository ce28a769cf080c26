"""Assignments in which students write parts of this library, and the grader that checks what they wrote.

from minialex import coursework
with coursework.using("a3") as calls:      # a student's folder
    ...                                    # the library runs on the functions written there
"""

from __future__ import annotations

import contextlib
import importlib
import json
from pathlib import Path

NAMES = ("a1", "a2", "a3", "a4", "a5", "a6")
DESCRIPTION = "coursework.json"  # in a student's folder: which assignment it is of


def assignment(name):
    """The Assignment called `name`; ValueError that says which there are."""
    if name not in NAMES:
        raise ValueError(f"there is no assignment {name!r}; there are {', '.join(NAMES)}")
    return importlib.import_module(f".{name}", __name__).ASSIGNMENT


def assignment_in(folder):
    """The Assignment that a student's folder is of. FileNotFoundError, ValueError: it is no such folder."""
    return assignment(_description(folder)["assignment"])


def variant_in(folder):
    """The variant that a student's folder was released as."""
    return _description(folder)["variant"]


def _description(folder):
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no folder of an assignment: it has no {DESCRIPTION}")
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return {"assignment": str(read["assignment"]), "variant": int(read.get("variant", 0))}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): start a new folder and copy your files into it") from error


@contextlib.contextmanager
def using(folder):
    """Within it the library runs on the functions of a student's folder, on the NumPy backend.

    Yields a dict that counts the calls of each function: proof that they were used. What goes wrong while their
    files are read comes through as it is.
    """
    from .. import backends
    from .plugging import plugged

    before, targets = backends.get_backend().name, assignment_in(folder).targets
    try:
        with plugged(targets, folder) as calls:
            backends.use_backend("emulator" if any(target.is_kernel for target in targets) else "numpy")
            yield calls
    finally:
        backends.use_backend(before)
