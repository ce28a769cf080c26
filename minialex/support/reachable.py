"""What a function can still reach: everything that the variables it closed over, or names, lead to."""

from __future__ import annotations

import dis
import functools
import gc
import sys
import types
import weakref

import numpy as np

_MOST = 100_000  # objects; whoever leads to more has hold of a whole program
_HAS_REFERENCES = 1 << 14  # Py_TPFLAGS_HAVE_GC: objects of such a type show the garbage collector what they refer to
_LEAVES = (type, np.generic, np.dtype, np.ufunc, type(np.sum), np.flatiter)
_PLAIN = {type(None), bool, int, float, str, bytes, types.ModuleType, types.CodeType}


class Opaque(TypeError):
    """An object that may hold arrays and does not show them."""


def reachable(function, stop=(), *, opaque=False):
    """Every object that `function` leads to: arrays, tensors, containers, and what these hold in their turn.

    Followed are closures, default arguments, global variables that the code names, bound methods, partial functions,
    containers, attributes, iterators and generators: all that Python's garbage collector sees. Modules and classes are
    not entered.

    function: any callable. stop: a tuple of types whose objects are listed and not entered. opaque: whether an object
    that shows nothing of what it holds is listed too.
    Raises Opaque where there is such an object and `opaque` is false, and where there are more than 100,000.
    """
    seen: dict[int, object] = {}
    stack = [function]
    while stack:
        thing = stack.pop()
        kind = type(thing)
        if kind in _PLAIN or id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if len(seen) > _MOST:
            raise Opaque(f"more than {_MOST:,} objects")
        if kind is np.ndarray:
            if thing.dtype.hasobject:
                stack += thing.ravel().tolist()
        elif isinstance(thing, stop):
            continue
        elif kind is types.FunctionType:
            stack += gc.get_referents(*thing.__closure__ or ())  # what its cells hold
            stack += [thing.__globals__.get(name) for name in _global_names(thing.__code__)]
            stack += [thing.__defaults__, thing.__kwdefaults__, *thing.__dict__.values()]
        elif kind is tuple or kind is list:
            stack += thing
        elif not (opaque and _is_opaque(thing)):
            stack += _referents(thing)
    return list(seen.values())


def _referents(thing):
    if isinstance(thing, np.flatiter):
        return (thing.base,)
    if isinstance(thing, _LEAVES):
        return ()
    if isinstance(thing, weakref.ref):
        return (thing(),)
    if hasattr(thing, "py_func"):  # compiled by Numba, whose objects lead to all of Numba
        return (thing.py_func,)
    if _is_opaque(thing):
        raise Opaque(f"a {type(thing).__module__}.{type(thing).__qualname__}")
    return gc.get_referents(thing)


def _is_opaque(thing):
    """Whether it may hold arrays and does not show them: another library's array, or an object of its compiled code."""
    if isinstance(thing, np.ndarray):
        return False
    shows = type(thing).__flags__ & _HAS_REFERENCES
    ours = type(thing).__module__.partition(".")[0] in sys.stdlib_module_names
    return hasattr(thing, "__dlpack__") or not (shows or ours or isinstance(thing, _LEAVES))


@functools.lru_cache(maxsize=4096)
def _global_names(code):
    """The global variables that a function's code, and the code of functions inside it, may read."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))
