"""Finding all objects that a function refers to, through its closure, globals and attributes."""

from __future__ import annotations

import dis
import gc
import sys
import types
import weakref

import numpy as np

from ..window import Window

_MOST = 100_000  # objects; a function that leads to more refers to the whole program
_HAS_REFERENCES = 1 << 14  # Py_TPFLAGS_HAVE_GC: objects of such a type report to the garbage collector what they hold
_LEAVES = (type, np.generic, np.dtype, np.ufunc, type(np.sum), np.flatiter)
_PLAIN = {type(None), bool, int, float, str, bytes, types.ModuleType, types.CodeType}
_PLAIN |= {np.bool_, np.int32, np.int64, np.float32, np.float64, Window}  # a Window's fields are whole numbers


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
    while stack:  # every operation of a training step is searched: the usual kinds come first
        thing = stack.pop()
        kind, key = type(thing), id(thing)
        if kind in _PLAIN or key in seen:
            continue
        seen[key] = thing
        if kind is tuple or kind is list:
            stack += thing
            if len(seen) > _MOST:
                raise Opaque(f"more than {_MOST:,} objects")
        elif kind is types.FunctionType:
            if thing.__closure__:
                stack += gc.get_referents(*thing.__closure__)  # the contents of its cells
            if names := _global_names(thing.__code__):
                stack += [thing.__globals__.get(name) for name in names]
            stack += thing.__defaults__, thing.__kwdefaults__
            if thing.__dict__:
                stack += thing.__dict__.values()
        elif kind is np.ndarray:
            if thing.dtype.hasobject:
                stack += thing.ravel().tolist()
        elif not isinstance(thing, stop) and not (opaque and _is_opaque(thing)):
            stack += _referents(thing)
            if len(seen) > _MOST:
                raise Opaque(f"more than {_MOST:,} objects")
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


_names: dict[int, tuple[types.CodeType, frozenset[str]]] = {}  # by id: the hash of code goes through all its constants


def _global_names(code):
    """The global variables that a function's code, or the code of functions inside it, may read."""
    known = _names.get(id(code))
    if known is not None:  # the entry keeps its code: nothing else can have this id
        return known[1]
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    names = names.union(*(_global_names(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))
    if len(_names) >= 4096:
        _names.clear()
    return _names.setdefault(id(code), (code, frozenset(names)))[1]
