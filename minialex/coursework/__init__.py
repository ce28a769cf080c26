"""Assignments in which students implement parts of this library, and their grader.

from minialex import coursework
with coursework.using("my-a3") as calls:   # a student's folder
    ...                                    # the library runs with the functions written there
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import json
import os
from pathlib import Path

NAMES = ("a1", "a2", "a3", "a4", "a5", "a6")
DESCRIPTION = "coursework.json"  # in a student's folder: the assignment and its variant
LONGEST = 2**16  # bytes of it


@functools.cache
def assignment(name):
    """The Assignment of this name, one of NAMES, with its hidden checks if they are installed; ValueError otherwise."""
    if name not in NAMES:
        raise ValueError(f"there is no assignment {name!r}; choose from {', '.join(NAMES)}")
    public = importlib.import_module(f".{name}", __name__).ASSIGNMENT
    try:
        hidden = importlib.import_module(f".hidden.{name}", __name__).CHECKS
    except ModuleNotFoundError as error:  # in the students' package
        if not (error.name or "").startswith(f"{__name__}.hidden"):
            raise
        hidden = ()
    return dataclasses.replace(public, checks=(*public.checks, *hidden))


def assignment_in(folder):
    """The Assignment that a student's folder belongs to.

    folder: made by `release`.

    Raises FileNotFoundError for a folder that is not of an assignment, ValueError for a damaged description.
    """
    return assignment(_description(folder)["assignment"])


def variant_in(folder):
    """The variant of a student's folder, a number; raises as assignment_in does."""
    return _description(folder)["variant"]


def mismatch(folder, assignment, variant):
    """What a folder's description says other than what it is graded as.

    folder: a submission; most have no description, and a student may have written anything into it.
    assignment: the Assignment that it is graded as.
    variant: the variant that it is graded as.

    Returns a sentence, or an empty text where nothing differs or there is no description.
    """
    if not os.path.lexists(Path(folder) / DESCRIPTION):
        return ""
    try:
        read = _description(folder)
    except (OSError, ValueError):
        return f"{DESCRIPTION} in the submission is damaged: graded as {assignment.name}, variant {variant}"
    if (read["assignment"], read["variant"]) == (assignment.name, variant):
        return ""
    return (
        f"{DESCRIPTION} in the submission says {read['assignment']}, variant {read['variant']}, but it is graded as "
        f"{assignment.name}, variant {variant}: check that this is what was released"
    )


def _description(folder):
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not the folder of an assignment: it has no {DESCRIPTION}")
    try:
        if path.is_symlink() or path.stat().st_size > LONGEST:
            raise ValueError("it is a link, or too long")
        read = json.loads(path.read_text(encoding="utf-8"))
        name, variant = read["assignment"], int(read.get("variant", 0))
        if name not in NAMES or not 0 <= variant < 2**63:
            raise ValueError("there is no such assignment or variant")
        return {"assignment": name, "variant": variant}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}): start a new folder and copy your files into it") from error


@contextlib.contextmanager
def using(folder):
    """A context in which the library runs with the functions of a student's folder.

    It runs on the NumPy backend or, for an assignment with kernels, on the emulator.

    folder: the student's.

    Yields {function: number of calls so far}.
    Raises whatever importing the student's files raises.
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
