"""Finding all objects that a function refers to, through its closure, globals and attributes."""

from __future__ import annotations

import dis
import functools
import gc
import sys
import types
import weakref

import numpy as np

_MOST = 100_000  # objects; a function that leads to more refers to the whole program
_HAS_REFERENCES = 1 << 14  # Py_TPFLAGS_HAVE_GC: objects of such a type report to the garbage collector what they hold
_LEAVES = (type, np.generic, np.dtype, np.ufunc, type(np.sum), np.flatiter)
_PLAIN = {type(None), bool, int, float, str, bytes, types.ModuleType, types.CodeType}


class Opaque(TypeError):
    """Raised for an object that may hold arrays that cannot be found."""


def reachable(function, stop=(), *, opaque=False):
    """Every object that a function refers to, directly or through others: arrays, tensors, containers, ...

    Followed are closures, default arguments, global variables that the code names, bound methods, partial functions,
    containers, attributes, iterators and generators: everything that Python's garbage collector sees. Modules and
    classes are not followed.

    function: any callable.
    stop: a tuple of types whose objects are listed, but not followed.
    opaque: whether to list objects that may hold arrays that cannot be found; else they are an error.

    Returns a list of objects.
    Raises Opaque for such an object where `opaque` is false, and for more than 100,000 objects.
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
            stack += gc.get_referents(*thing.__closure__ or ())  # the contents of its cells
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
    """Whether an object may hold arrays that cannot be found: another library's array, or one of compiled code."""
    if isinstance(thing, np.ndarray):
        return False
    shows = type(thing).__flags__ & _HAS_REFERENCES
    ours = type(thing).__module__.partition(".")[0] in sys.stdlib_module_names
    return hasattr(thing, "__dlpack__") or not (shows or ours or isinstance(thing, _LEAVES))


@functools.lru_cache(maxsize=4096)
def _global_names(code):
    """The global variables that a function's code, or the code of functions inside it, may read."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))
