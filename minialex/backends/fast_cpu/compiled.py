"""How the numba backend's kernels are compiled, and how a command hears of it.

A kernel is a plain function with loops. Numba compiles it at its first call for the types it is called with, and
keeps the result on disk beside the source. It runs without Python's global lock, so that `threads.parallel` can run
it in several threads at once. With NUMBA_DISABLE_JIT=1 it stays plain Python: slow, but a debugger steps through it.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import numba
from numba.core import event

kernel: Any = partial(numba.njit, nogil=True, cache=True, error_model="numpy")
# Sums may be taken in another order, so that they use the processor's vectors. Never told: that there is no NaN or
# infinity, which max-pooling's -inf and a diverging network would turn into nonsense.
reordering_kernel: Any = partial(kernel, fastmath={"reassoc", "contract", "nsz"})


class _Announcement(event.Listener):
    def __init__(self, say):
        self.say, self.said = say, False

    def on_start(self, event):
        if not self.said:
            self.said = True
            self.say("compiling the kernels: once, about ten seconds, then they are on disk")

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
