"""Replacing functions of the library by a student's, or by a check's, temporarily."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import sys
from pathlib import Path

_students: list = []  # the modules of a student's files that are in place


@contextlib.contextmanager
def plugged(targets, folder):
    """A context in which the library runs with the functions in a student's files.

    They replace the library's in its module or class, and in every module that has imported them by name. Everything
    else in a student's file that the library defines too (classes, helpers) is replaced by the library's, so that there
    is only one class Node and other edits have no effect; new names are the student's, new methods of a class too.

    targets: the Targets to replace.
    folder: the student's.

    Yields {name: number of calls so far}.
    Raises FileNotFoundError for a missing file, AttributeError where it does not define a function, and whatever
    importing the file raises.
    """
    calls: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        if written_in_cuda := [target for target in targets if target.is_kernel]:
            from . import kernels  # not available in the child process of an assignment without kernels

            stack.enter_context(kernels.plugged(written_in_cuda, folder, calls))
        for target in (target for target in targets if not target.is_kernel):
            library = importlib.import_module(module_name(target.file))
            student = load(Path(folder) / target.student_file, library)
            theirs = {name: _attribute(student, name) for name in target.names}
            for name, function in theirs.items():
                calls[name] = 0
                _replace(stack, library, name, _counted(function, name, calls))
            shared = [key for key in vars(student) if key in vars(library) and not key.startswith("__")]
            for key in shared:
                _add_new_methods(stack, vars(library)[key], vars(student)[key])
            vars(student).update({key: vars(library)[key] for key in shared})
            _students.append(student)
            stack.callback(_students.remove, student)
        yield calls


@contextlib.contextmanager
def replaced(path, function):
    """A context in which a function of the library, or the student's in its place, is replaced.

    path: "backends.numpy_backend._neighbours", or of a method: "backends.numpy_backend.NumPyBackend.dropout".
    function: called in its place, for a method with the object first.
    """

    def stand_in(*arguments, **options):
        return function(*arguments, **options)

    package, parts = __package__.partition(".")[0], path.split(".")
    with contextlib.ExitStack() as stack:
        for count in range(len(parts) - 1, 0, -1):
            with contextlib.suppress(ModuleNotFoundError):
                module = importlib.import_module(".".join([package, *parts[:count]]))
                _replace(stack, module, ".".join(parts[count:]), stand_in)
                break
        else:
            raise ValueError(f"{path} is in no module of {package}")
        yield


class StandIn:
    """An object with given attributes.

    length: what `len` returns.
    attributes: {name: value}.
    """

    def __init__(self, length, attributes):
        vars(self).update(attributes)
        self._length = length

    def __len__(self):
        return self._length


def _add_new_methods(stack, library, student):
    """Give a class of the library what the student's class of this name has besides, for the context."""
    if isinstance(library, type) and isinstance(student, type) and library is not student:
        for key in [key for key in vars(student) if not hasattr(library, key)]:
            setattr(library, key, vars(student)[key])
            stack.callback(delattr, library, key)


def module_name(file):
    """The module of a source file: functional/arithmetic.py -> minialex.functional.arithmetic."""
    package = __package__.rpartition(".")[0]
    return f"{package}.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def load(path, library):
    """Import a student's file as if it were in the library's package, so that `from ..tensor import` works.

    path: the file.
    library: the module that it replaces.

    Returns the module.
    Raises FileNotFoundError for a missing file, and whatever importing it raises.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing: it should contain your part of {library.__name__}")
    spec = importlib.util.spec_from_file_location(f"{library.__name__}__student", path)
    assert spec, "a file whose name ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    module.__package__ = library.__package__
    sys.modules[spec.name] = module  # dataclasses look up their own module
    try:
        exec(_compiled(path.read_bytes(), str(path)), vars(module))
    finally:
        del sys.modules[spec.name]
    return module


@functools.lru_cache(maxsize=32)
def _compiled(source, name):
    """A file is imported afresh for each check, but compiled only once as long as its text is the same."""
    return compile(source, name, "exec", dont_inherit=True)


def _attribute(module, name):
    try:
        owner = functools.reduce(getattr, name.split(".")[:-1], module)
        return vars(owner)[name.rpartition(".")[2]]
    except (AttributeError, KeyError):
        raise AttributeError(f"{Path(module.__file__).name} no longer defines {name}") from None


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
    if not owners:  # a function, which other modules may have imported by name
        package = library.__name__.partition(".")[0]
        modules = [m for key, m in sys.modules.items() if key.split(".")[0] == package and m is not library]
        modules += _students
        places += [(module, key) for module in modules for key, value in vars(module).items() if value is ours]
    for place, key in places:
        setattr(place, key, theirs)
        stack.callback(setattr, place, key, ours)
