"""Ctrl-C that waits: a context in which a few lines are executed whole, or not at all."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """A context in which, after `hold()`, Ctrl-C waits until the end of the block; before, it raises as ever.

    with Interrupts(hold=True):
        ...      # these lines are executed whole

    hold: whether Ctrl-C waits from the beginning of the block.

    Elsewhere than in the main thread, which alone receives signals, the context does nothing.
    """

    def __init__(self, *, hold: bool = False) -> None:
        self._from_the_beginning = hold
        self._previous: Any = None
        self._waiting: Any = None
        self._holding = False

    def hold(self) -> None:
        """From now on, let a signal wait until the end of the block."""
        self._holding = self._previous is not None

    def __enter__(self) -> Interrupts:
        self._holding, self._waiting, self._previous = False, None, None
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):  # not where the signal is ignored, as in the background
                self._previous, self._holding = previous, self._from_the_beginning
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        if self._previous is None:
            return
        signal.signal(signal.SIGINT, self._previous)
        previous, self._previous, self._holding = self._previous, None, False
        if self._waiting:
            previous(*self._waiting)

    def _handle(self, number, frame):
        if self._holding:
            self._waiting = number, frame
        else:
            self._previous(number, frame)
