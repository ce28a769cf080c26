"""An assignment's folders: the skeleton that students start from, and the scratch folder for grading."""

from __future__ import annotations

import compileall
import contextlib
import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path

from ..support.resources import folder as resource
from . import archives, emptied, protection, submissions
from .targets import TARGETS, asked_in, files_of, from_on

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
        "parallel/*.py",
        "training/*.py",
        "support/*.py",
    ),
    *("data/[a-z]*.py", "backends/*.py"),  # NumPy's; the others have folders of their own
    *(f"coursework/{name}.py" for name in ("__init__", "targets", "plugging", "wire", "confinement")),
]
# For assignments with kernels.
NATIVE = ("backends/cuda/*.py", *(f"coursework/{name}.py" for name in ("kernels", "a5_bodies", "a5_language")))


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


def source_of(file):
    """The path of a source file of the library. file: as in Target."""
    if file.startswith("kernels/"):
        return resource("kernels") / file.removeprefix("kernels/")
    return PACKAGE / file


def scratch(assignment, submission, place, shield=None):
    """Create the scratch folder of a submission's processes, as described in child.py; none of its files is executed.

    assignment: an Assignment.
    submission: the student's folder.
    place: an empty folder.
    shield: a protection.Shield; the best one here if None.

    Returns what is odd about the submission, a list of sentences.
    """
    shield = shield or protection.best()
    tree = place / "tree" / "minialex"
    for pattern in (*PARTS, *(NATIVE if assignment.native else ())):
        for path in PACKAGE.glob(pattern):
            _copy(path, tree / path.relative_to(PACKAGE))
    if assignment.native:
        shutil.copytree(resource("kernels"), tree / "kernels")
    for file in files_of(from_on(assignment.name)):
        if (tree / file).exists():
            with contextlib.suppress(OSError):  # what Python has made of the functions to be written
                os.remove(importlib.util.cache_from_source(str(tree / file)))
            (tree / file).write_text(emptied_source(assignment, file), encoding="utf-8")
    (place / "submission").mkdir()
    found = submissions.find(archives.in_folder(Path(submission)), [t.student_file for t in assignment.targets])
    files = found.files | {name: submissions.stub(name, why) for name, why in found.broken.items()}
    for name, data in files.items():
        (place / "submission" / name).write_bytes(data)
    (place / "built").mkdir()
    _install(place / "site", shield)
    if shield.enters:
        _link(Path(sysconfig.get_path("stdlib")), place / "python")  # with lib-dynload
    _copy(Path(__file__).with_name("child.py"), place / "child.py")
    compileall.compile_dir(tree, quiet=2, workers=1)  # the rest
    _open_to_others(place)
    (place / "built").chmod(0o555)  # open only while kernels are compiled
    return found.remarks


def _open_to_others(place):
    """Let another user read the scratch folder, whatever the umask is and whatever the modes of the sources are."""
    place.chmod(0o755)
    for folder, _, names in os.walk(place):
        os.chmod(folder, 0o755)
        if Path(folder).relative_to(place).parts[:1] in ((), ("tree",), ("submission",)):  # not what is linked
            for name in names:
                os.chmod(os.path.join(folder, name), 0o644)


def _install(site, shield):
    """Put the packages that a submission can import into its folder `site`."""
    site.mkdir()
    for path in protection.packages():
        if shield.enters:
            _link(path, site / path.name)
        elif shield.mounts and path.is_dir():  # bubblewrap needs something to mount the package on
            (site / path.name).mkdir()
        elif shield.mounts:
            (site / path.name).touch()
            (site / path.name).chmod(0o644)
        else:
            os.symlink(path, site / path.name)


def _link(source, target):
    """A copy of a file or folder by hard links where possible; without tests and installed packages."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:  # on another disk
            shutil.copyfile(source, target)
    elif source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for inner in source.iterdir():
            if inner.name not in _LEFT_OUT and not inner.name.endswith("-packages"):
                _link(inner, target / inner.name)


_LEFT_OUT = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "f2py", "distutils"}


def _copy(source, target):
    """A copy of a file, and of what Python has compiled it to, so that it need not do so again."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    if source.suffix == ".py":
        compiled = importlib.util.cache_from_source(str(target))
        with contextlib.suppress(OSError):  # never compiled
            os.makedirs(os.path.dirname(compiled), exist_ok=True)
            shutil.copyfile(importlib.util.cache_from_source(str(source)), compiled)
