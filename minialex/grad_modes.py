"""Recording on the tape, switched on and off by a value: torch's enable_grad and set_grad_enabled."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from . import tape


class enable_grad(tape.no_grad):
    """Within `with enable_grad():`, or a function decorated with it, operations are recorded, also inside no_grad()."""

    def __enter__(self) -> None:
        super().__enter__()
        tape._thread.grad_enabled = True


class set_grad_enabled(contextlib.ContextDecorator):
    """Switch recording on or off, until the end of a `with set_grad_enabled(mode):` block where it begins one.

    mode: whether operations of this thread are recorded.
    """

    def __init__(self, mode: bool) -> None:
        self._before, self._mode = tape.is_grad_enabled(), bool(mode)
        tape._thread.grad_enabled = self._mode

    def __call__(self, function: Callable[..., Any]) -> Any:
        """As a decorator: the function runs in this mode; outside nothing has changed."""
        tape._thread.grad_enabled = self._before
        return super().__call__(function)

    def _recreate_cm(self) -> set_grad_enabled:
        return set_grad_enabled(self._mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        tape._thread.grad_enabled = self._before
