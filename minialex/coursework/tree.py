"""An assignment's folders: the skeleton that students start from, and the scratch folder for grading."""

from __future__ import annotations

import compileall
import os
import shutil
from pathlib import Path

import numpy as np

from ..support.resources import folder as resource
from . import emptied
from .runner import NOBODY, is_root
from .targets import TARGETS, asked_in, from_on

PACKAGE = Path(__file__).resolve().parents[1]
# What the checks need: the library without its other backends, commands and figures.
PARTS = [
    *(
        "*.py",
        "functional/*.py",
        "functional/more/*.py",
        "nn/*.py",
        "optim/*.py",
        "models/*.py",
        "training/*.py",
        "support/*.py",
    ),
    *(
        "data/[a-z]*.py",
        *(f"backends/{name}.py" for name in ("__init__", "base", "devices", "numpy_backend", "raw_images")),
    ),
    *(f"coursework/{name}.py" for name in ("__init__", "declaration", "plugging", "messages")),
]
NATIVE = ("backends/cuda/*.py", "coursework/kernels.py")  # for assignments with kernels
LARGEST = 2**20  # bytes of a student's file


def skeleton(assignment):
    """{file name: source} of the files of an assignment, in which the functions of all assignments are empty."""
    return {target.student_file: _skeleton_of(assignment.name, target.file) for target in assignment.targets}


def _skeleton_of(name, file):
    """A source file as students of the assignment called `name` get it."""
    messages = {other: f"belongs to {other}: leave it empty in {name}, the library's own is used" for other in TARGETS}
    return _without(file, messages | {name: f"{name}: yours to write"})


def emptied_source(assignment, file):
    """A source file of the library for grading: the functions of this assignment and of all later ones are empty.

    assignment: an Assignment.
    file: as in Target.
    """
    return _without(file, {name: f"{name}: yours to write" for name in from_on(assignment.name)})


def _without(file, messages):
    """A source file with empty functions; messages: {assignment: what its functions say instead}."""
    source = source_of(file).read_text(encoding="utf-8")
    empty = emptied.empty_cuda if file.endswith(".cu") else emptied.empty_python
    return empty(source, {f: messages[name] for name, functions in asked_in(file, messages).items() for f in functions})


def _emptied(assignment, target):
    return emptied_source(assignment, target.file)


def source_of(file):
    """The path of a source file of the library. file: as in Target."""
    if file.startswith("kernels/"):
        return resource("kernels") / file.removeprefix("kernels/")
    return PACKAGE / file


def scratch(assignment, submission, place):
    """Create the scratch folder of a child process, as described in child.py; no file of the submission is executed.

    assignment: an Assignment.
    submission: the student's folder.
    place: an empty folder.
    """
    tree = place / "tree" / "minialex"
    for pattern in (*PARTS, *(NATIVE if assignment.prepare else ())):
        for path in PACKAGE.glob(pattern):
            _copy(path, tree / path.relative_to(PACKAGE))
    for path in (PACKAGE / "coursework").glob(f"{assignment.name}*.py"):
        _copy(path, tree / "coursework" / path.name)
    if assignment.prepare:
        shutil.copytree(resource("kernels"), tree / "kernels")
    for target in assignment.targets:
        (tree / target.file).write_text(_emptied(assignment, target), encoding="utf-8")
    for target in assignment.targets:
        path = Path(submission) / target.student_file
        # a link could point to a file that only the grader may read
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
            _copy(path, place / "submission" / path.name)
    (place / "built").mkdir()
    if is_root():
        os.chown(place / "built", NOBODY, NOBODY)
    installed = Path(np.__file__).resolve().parents[1]
    (place / "site").mkdir()
    for name in ("numpy", "numpy.libs"):
        if (installed / name).is_dir():
            os.symlink(installed / name, place / "site" / name)
    _copy(Path(__file__).with_name("child.py"), place / "child.py")
    compileall.compile_dir(tree, quiet=2, workers=1)  # once here rather than in every child


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
