"""A student's functions put in the place of the library's, and taken out again."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from pathlib import Path


@contextlib.contextmanager
def plugged(targets, folder):
    """Within `with plugged(targets, folder) as calls:` the library works with the functions of the student's files.

    Whoever looks one up finds the student's: its module, its class, and every module that has imported it by name.
    What else a student's file repeats of the library's (classes, helpers) is the library's own, so that there is one
    class Node, and an edit elsewhere changes nothing; names that are new in it are the student's.
    calls[name] counts how often each was called. FileNotFoundError for a missing file; AttributeError where it no
    longer defines a function; what goes wrong when the file is read comes through as it is.
    """
    calls: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        if written_in_cuda := [target for target in targets if target.is_kernel]:
            from . import kernels  # not there in the child of an assignment without kernels

            stack.enter_context(kernels.plugged(written_in_cuda, folder, calls))
        for target in (target for target in targets if not target.is_kernel):
            library = importlib.import_module(module_name(target.file))
            student = load(Path(folder) / target.student_file, library)
            theirs = {name: _attribute(student, name) for name in target.names}
            for name, function in theirs.items():
                calls[name] = 0
                _replace(stack, library, name, _counted(function, name, calls))
            shared = [key for key in vars(student) if key in vars(library) and not key.startswith("__")]
            vars(student).update({key: vars(library)[key] for key in shared})
        yield calls


def module_name(file):
    """functional/arithmetic.py -> minialex.functional.arithmetic"""
    package = __package__.rpartition(".")[0]
    return f"{package}.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def load(path, library):
    """The student's file as a module that stands where the library's stands, so that `from ..tensor import` works."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing: it should hold your part of {library.__name__}")
    spec = importlib.util.spec_from_file_location(f"{library.__name__}__student", path)
    assert spec and spec.loader, "a file whose name ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    module.__package__ = library.__package__
    sys.modules[spec.name] = module  # dataclasses, for one, look their own module up
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def _attribute(module, name):
    try:
        owner = functools.reduce(getattr, name.split(".")[:-1], module)
        return vars(owner)[name.rpartition(".")[2]]
    except (AttributeError, KeyError):
        raise AttributeError(f"{Path(module.__file__).name} does not define {name} any more") from None


def _counted(function, name, calls):
    @functools.wraps(function)
    def counting(*arguments, **options):
        calls[name] += 1
        return function(*arguments, **options)

    return counting


def _replace(stack, library, name, theirs):
    *owners, last = name.split(".")
    owner = functools.reduce(getattr, owners, library)
    ours = vars(owner)[last]
    places = [(owner, last)]
    if not owners:  # a function, which other modules may have by `from ... import`
        package = library.__name__.partition(".")[0]
        modules = [m for key, m in sys.modules.items() if key.split(".")[0] == package and m is not library]
        places += [(module, key) for module in modules for key, value in vars(module).items() if value is ours]
    for place, key in places:
        setattr(place, key, theirs)
        stack.callback(setattr, place, key, ours)
