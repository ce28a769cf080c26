"""How the numba backend's kernels are compiled, and how a command hears of it.

A kernel is a plain function with loops. Numba compiles it at its first call for the types it is called with, and keeps
the result on disk, beside the source or in the user's cache, if it can. It runs without Python's global lock, so that
`threads.parallel_for` can run it in several threads at once. With NUMBA_DISABLE_JIT=1 it stays plain Python: slow, but
a debugger steps through it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import types
import zlib
from functools import partial
from typing import Any

import numba
import numpy as np
from numba.core import event
from numba.core.caching import FunctionCache, IndexDataCacheFile


class _Files(IndexDataCacheFile):
    """Numba's files, but each compiled function's is named after what it is, and written before the index names it.

    Numba numbers them: two processes that compile a kernel at once, for two types, would both take the first number,
    and one of the two types would find the other's code there.
    """

    def save(self, key, data):
        digest = hashlib.sha256(repr((self._source_stamp, key)).encode()).hexdigest()[:16]
        name = f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"
        self._save_data(name, data)
        self._save_index(self._load_index() | {key: name})


class _Cache(FunctionCache):
    """Numba's cache on disk. Its errors do not matter: what cannot be read is compiled, what cannot be kept is not."""

    def __init__(self, function):
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a file that is damaged, as by a disk that was full
            return None

    def save_overload(self, sig, data):
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


def kernel(function: Any, **options: Any) -> Any:
    """Compile a function when it is first called, and keep the result on disk if there is a place for it.

    function: with loops, of numbers and NumPy arrays.
    options: further ones of numba.njit.
    """
    compiled: Any = numba.njit(function, nogil=True, error_model="numpy", **options)
    if hasattr(compiled, "enable_caching") and _has_place(function):
        with contextlib.suppress(RuntimeError):  # no place can be written to
            compiled._cache = _Cache(compiled.py_func)
            _kept.add(function)
    return compiled


# Sums may be taken in another order, so that they use the processor's vectors. Never told: that there is no NaN or
# infinity, which max-pooling's -inf and a diverging network would turn into nonsense.
reordering_kernel: Any = partial(kernel, fastmath={"reassoc", "contract", "nsz"})

# A part of kernels, compiled with each of them.
part: Any = partial(numba.njit, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})

# As an argument of a part: for the literal 0, Numba would compile the part once more, as a function of its own.
ZERO = np.int64(0)

_kept: set = set()  # functions whose compiled code is kept on disk


def specialised(template, name, sources, sizes):
    """A kernel made of a template: its code, with names in capitals bound to functions and numbers of its own.

    template: a function with names in capitals.
    name: of the kernel.
    sources: Python text of functions so named.
    sizes: {name: number}.
    """
    functions: dict = {}
    exec(compile("\n\n".join(sources), template.__code__.co_filename, "exec"), functions)
    # What is on disk knows its parts by their names alone, so different ones must have different names. And Numba keeps
    # what it compiled until the template's file changes: the kernel's name tells of all else.
    digest = f"{zlib.crc32(''.join(sources).encode() + repr(sizes).encode()):08x}"
    own = dict(sizes)
    for key, function in functions.items():
        if key.isupper():
            function.__qualname__ = f"{key}_{name}_{digest}"
            own[key] = part(function)
    function = types.FunctionType(template.__code__, template.__globals__ | own, name)
    function.__qualname__ = f"{name}_{digest}"
    return reordering_kernel(function)


def _has_place(function):
    """Whether Numba may look for a place on disk: without a home folder, it would make one called "~" right here."""
    beside = os.path.dirname(function.__code__.co_filename)
    return (
        os.path.isabs(os.path.expanduser("~")) or bool(os.environ.get("NUMBA_CACHE_DIR")) or os.access(beside, os.W_OK)
    )


class _Announcement(event.Listener):
    def __init__(self, say):
        self.say, self.said = say, False

    def on_start(self, event):
        if not self.said:
            self.said = True
            once = "compiling the kernels: once, ten seconds to half a minute, then they are on disk"
            always = (
                "compiling the kernels: ten seconds or more at every start, since no folder can be written to that "
                "would keep them; name one with NUMBA_CACHE_DIR"
            )
            self.say(once if _kept else always)

    def on_end(self, event):
        pass


@contextlib.contextmanager
def announcing(say):
    """Within, say(sentence) is called once when something must be compiled that is not on disk yet."""
    listener = _Announcement(say)
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)
