"""What the tape records and runs, step by step: `with explore.trace() as steps:`, then `steps.show()`.

The engine is not changed: within the context the few methods through which all that passes the tape goes (Node.__init__
and Node.run, after_hooks, Arrival's, Optimizer.step) tell a recorder of this thread what they are given and what they
have done.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from types import FrameType
from typing import Any

from .. import tape
from ..optim import Optimizer
from ..support.text import printable
from .notebook import Shown
from .page import document
from .recorder import OPERATIONS, STEPS, Recorder

__all__ = ["OPERATIONS", "STEPS", "Steps", "trace"]

_active = threading.local()  # .recorder: this thread's, the innermost; absent or None without one
_lock, _users = threading.Lock(), 0


class trace(contextlib.AbstractContextManager["Steps"]):
    """Within `with trace() as steps:` all that this thread's tape records and runs is kept, step by step.

        with minialex.explore.trace() as steps:
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        steps.show()

    Kept are every operation that is recorded (under no_grad, and of what requires no gradient, none is), every backward
    in the order in which the tape runs it, every sum of two gradients, what arrives in `.grad`, and what an optimiser's
    step changes. It is for a handful of operations to some hundred: after OPERATIONS of them, or STEPS steps, nothing
    more is kept, and the page says so. Of arrays of more than 64 numbers a picture of 8 bits and facts are kept.
    """

    def __enter__(self) -> Steps:
        self._steps = Steps(sys._getframe(1))
        self._before = getattr(_active, "recorder", None)
        _active.recorder = self._steps._recorder
        _watch(+1)
        return self._steps

    def __exit__(self, *exception: object) -> None:
        _watch(-1)
        _active.recorder = self._before
        self._steps._recorder.finish()


class Steps:
    """The steps of a trace: a notebook shows them as the last value of a cell.

    data: what the page shows, {nodes, steps, arrays, sources, stopped}, complete at the end of the context.
    """

    def __init__(self, frame: FrameType) -> None:
        self._recorder = Recorder(frame)

    @property
    def data(self) -> dict[str, Any]:
        return self._recorder.data

    def __len__(self) -> int:
        """How many steps there are."""
        return len(self.data["steps"])

    def page(self, title: str = "step by step") -> str:
        """The steps as a page: HTML, which holds all that it needs.

        title: of the page.

        Raises ValueError where there are none.
        """
        if not self.data["steps"]:
            raise ValueError(
                "the trace is empty: call what is to be seen within `with trace() as steps:`, with a tensor that "
                "requires a gradient and not under no_grad()"
            )
        return document({"title": printable(title), "trace": self.data}, title)

    def show(self, *, height: int = 900) -> Shown:
        """The page in the output of a notebook's cell.

        height: of the frame, pixels.

        Raises as `page` does.
        """
        return Shown(self.page(), height)

    def _repr_html_(self):
        return self.show()._repr_html_()


def _recorder() -> Recorder | None:
    """This thread's, as long as it has room."""
    recorder = getattr(_active, "recorder", None)
    return None if recorder is None or recorder.data["stopped"] else recorder


def _watch(change):
    """Have the tape tell the recorders, as long as there is one in any thread."""
    global _users
    with _lock:
        _users += change
        for (owner, name), replaced in _REPLACED.items():
            setattr(owner, name, replaced if _users else _ORIGINAL[owner, name])


def _made(node, name, backward, parents, result, saves=None):
    _ORIGINAL[tape.Node, "__init__"](node, name, backward, parents, result, saves)
    if recorder := _recorder():
        recorder.recorded(node, parents, result, sys._getframe(1))


def _ran(node, gy):
    recorder, parents, code = _recorder(), node.parents, getattr(node.backward, "__code__", None)
    wanted = _ORIGINAL[tape.Node, "run"](node, gy)
    if recorder:
        recorder.ran(node, gy, wanted, parents, code)
    return wanted


def _hooked(target, gradient):
    passed = _ORIGINAL[tape, "after_hooks"](target, gradient)
    if recorder := _recorder():
        recorder.hooked(target, gradient, passed)
    return passed


def _began(arrival, gradient, aliased):
    _ORIGINAL[tape.Arrival, "__init__"](arrival, gradient, aliased)
    if recorder := _recorder():
        recorder.began()


def _added(arrival, gradient):
    recorder = _recorder()
    before = recorder.array(arrival.gradient) if recorder else None
    _ORIGINAL[tape.Arrival, "add"](arrival, gradient)
    if recorder:
        recorder.added(before, gradient, arrival.gradient)


def _delivered(arrival, leaf):
    recorder = _recorder()
    before = recorder.array(leaf.grad.data) if recorder and leaf.grad is not None else None
    _ORIGINAL[tape.Arrival, "deliver"](arrival, leaf)
    if recorder:
        recorder.delivered(leaf, before, arrival.gradient)


def _stepped(optimizer, closure=None):
    recorder = _recorder()
    if not recorder:
        return _ORIGINAL[Optimizer, "step"](optimizer, closure)
    loss = None if closure is None else closure()
    before = recorder.parameters_of(optimizer)
    _ORIGINAL[Optimizer, "step"](optimizer)
    recorder.updated(optimizer, before, sys._getframe(1))
    return loss


_REPLACED: dict[tuple[Any, str], Any] = {
    (tape, "after_hooks"): _hooked,
    (tape.Node, "__init__"): _made,
    (tape.Node, "run"): _ran,
    (tape.Arrival, "__init__"): _began,
    (tape.Arrival, "add"): _added,
    (tape.Arrival, "deliver"): _delivered,
    (Optimizer, "step"): _stepped,
}
_ORIGINAL: dict[tuple[Any, str], Any] = {(owner, name): vars(owner)[name] for owner, name in _REPLACED}
