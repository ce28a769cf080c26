"""Finding the operation from which a NaN or an infinite value comes, in loops of your own.

with training.find_nonfinite(model):
    loss = functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from .. import tape
from ..nn import Module
from ..tensor import Tensor
from . import diagnose


class NonFiniteError(FloatingPointError):
    """A value became NaN or infinite; the message names the module and the operation, and says what went in."""


_active = threading.local()  # .finders: those of this thread, the innermost last
_lock, _users = threading.Lock(), 0
_originals = {name: vars(Tensor)[name] for name in ("from_operation", "rewritten_by")}


@contextlib.contextmanager
def find_nonfinite(model: Module | None = None, *, infinite: bool = True) -> Iterator[None]:
    """A context in which the first operation with a NaN or infinite result raises, in forward and in backward.

    model: the Module by whose names modules and parameters are called; None for their types alone.
    infinite: whether infinite values count; False where they are meant, as in masks of -inf.

    Every result is looked at, and on a GPU waited for: for finding a fault, not for training. At the end of the block
    the parameters and buffers are looked at, too. NumPy's warnings of overflow are silenced.

    Raises NonFiniteError.
    """
    finder = _Finder(model, infinite)
    _active.finders = [*getattr(_active, "finders", ()), finder]
    _watch(+1)
    try:
        with diagnose.quiet():
            yield
        finder.look_at_state()
    finally:
        _watch(-1)
        _active.finders = _active.finders[:-1]


def _watch(change):
    """Have Tensor tell the finders of every operation, as long as there is one in any thread."""
    global _users
    with _lock:
        _users += change
        for name, replaced in (("from_operation", classmethod(_from_operation)), ("rewritten_by", _rewritten_by)):
            setattr(Tensor, name, replaced if _users else _originals[name])


def _from_operation(cls, data, backward, *parents, name="operation", **options):
    result = _originals["from_operation"].__func__(cls, data, backward, *parents, name=name, **options)
    for finder in getattr(_active, "finders", ())[-1:]:
        finder.look(result, name, parents)
    return result


def _rewritten_by(tensor, backward, name):
    """An operation in place: what it read is overwritten, so only its result can be looked at."""
    result = _originals["rewritten_by"](tensor, backward, name)
    for finder in getattr(_active, "finders", ())[-1:]:
        finder.look(result, name, ())
    return result


class _Finder:
    def __init__(self, model, infinite):
        self.model, self.infinite = model, infinite
        self.modules = {id(m): name for name, m in model.named_modules()} if model is not None else {}
        named = [*model.named_parameters(), *model.named_buffers()] if model is not None else []
        self.tensors = {id(t): name for name, t in named}

    def is_bad(self, array, xp):
        """Whether an array has values that count as not finite."""
        if array.dtype.kind != "f":
            return False
        return bool(xp.isnan(array).any() if not self.infinite else not xp.isfinite(array).all())

    def look(self, result, name, parents):
        """Check the result of an operation, and have backward check its gradients."""
        module, xp = getattr(tape._thread, "module", None), result.backend.xp
        place = self._place(name, module)
        if self.is_bad(result.data, xp):
            raise NonFiniteError(self._about_output(place, result, parents))
        if result.node is not None and result.node.backward is not None:
            result.node.backward = self._checking(result.node.backward, place, xp)

    def _place(self, name, module):
        if module is None:
            return name
        called = self.modules.get(id(module))
        kind = type(module).__name__
        return f"{name} in {f'{called} ({kind})' if called else f'the network ({kind})' if called == '' else kind}"

    def _about_output(self, place, result, parents):
        for parent in parents:
            if parent is not None and self.is_bad(parent.data, parent.backend.xp):
                known = self.tensors.get(id(parent))
                what = known or f"an input of shape {parent.shape}, which was not computed here"
                return f"{place} got values that are not finite: {what}, {self._count(parent.data, parent.backend.xp)}"
        numbers = [p for p in parents if p is not None and p.dtype.kind == "f" and p.numel()]
        low = min((float(p.data.min()) for p in numbers), default=None)
        high = max((float(p.data.max()) for p in numbers), default=None)
        inputs = f", from finite inputs, {low:.4g} to {high:.4g}" if numbers else ""
        counted = self._count(result.data, result.backend.xp)
        return f"{place} is the first operation whose output is not finite: {counted}{inputs}"

    def _count(self, array, xp):
        nan, infinite = int(xp.isnan(array).sum()), int(xp.isinf(array).sum())
        parts = [f"{count:,} {word}" for count, word in ((nan, "NaN"), (infinite, "infinite")) if count]
        return f"{' and '.join(parts)} of {array.size:,} values"

    def _checking(self, backward, place, xp):
        def checked(gy):
            if self.is_bad(gy, xp):
                raise NonFiniteError(
                    f"the gradient that arrives at {place} is not finite: {self._count(gy, xp)}; it was given to "
                    "backward(), or is the sum of several that are too large"
                )
            gradients = backward(gy)
            for number, gradient in enumerate(gradients if isinstance(gradients, (tuple, list)) else (), 1):
                if hasattr(gradient, "dtype") and self.is_bad(gradient, xp):
                    raise NonFiniteError(
                        f"backward of {place} is the first whose gradient is not finite: that of input {number}, "
                        f"{self._count(gradient, xp)}, from a finite gradient of the output"
                    )
            return gradients

        return checked

    def look_at_state(self):
        """Check parameters and buffers, which an optimiser changes without an operation."""
        for name, tensor in (
            [*self.model.named_parameters(), *self.model.named_buffers()] if self.model is not None else ()
        ):
            if self.is_bad(tensor.data, tensor.backend.xp):
                counted = self._count(tensor.data, tensor.backend.xp)
                raise NonFiniteError(
                    f"{name} became NaN or infinite outside of any operation, as in the optimiser's step: {counted}"
                )
