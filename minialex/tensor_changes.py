"""Methods of Tensor that a reader of the engine may skip: hooks of gradients, and changes in place.

A change in place writes into the tensor's own array, so that every other name of it and every view sees the change,
and bumps its version, so that a backward that needs the old value refuses. Where it would lose a gradient it raises.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .support.handle import Handle
from .support.types import Array
from .tape import Version, is_grad_enabled, no_grad

if TYPE_CHECKING:
    from .tensor import Operand, Tensor

_KINDS = "biuf"  # a value is stored in an array of its own or of a later kind
_IN_GRAPH = (
    "{name} would lose a gradient: this tensor, or the value, is recorded on the tape; "
    "make a new tensor (x = x * 2, functional.where), or write under no_grad()"
)
_RETAIN = "retain_grad"


class _GradientHooks(dict):
    """Hooks by number, in the order in which they were added; retain_grad's own stays the last.

    `accumulated` holds those that are called afterwards, when the gradient is in the leaf's `.grad`.
    """

    def __init__(self):
        super().__init__()
        self.accumulated = {}

    def call_accumulated(self, leaf):
        with no_grad():
            for hook in tuple(self.accumulated.values()):
                hook(leaf)

    def __setitem__(self, number, hook):
        super().__setitem__(number, hook)
        if number != _RETAIN and _RETAIN in self:
            super().__setitem__(_RETAIN, self.pop(_RETAIN))


class TensorChanges:
    """The base class of TensorMethods that holds them; it has no attributes of its own."""

    __slots__ = ()

    # The attributes that Tensor has.
    _data: Any
    _version: Any
    backend: Any
    dtype: Any
    grad: Any
    _hooks: Any
    node: Any
    records_grad: Any
    shape: Any
    _requires_grad: Any

    # ------------------------------------------------------------------------------ gradients on their way

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Handle:
        """Call hook(gradient) in every backward(), with the gradient of this tensor; its result replaces the gradient.

        hook: a function of a Tensor, summed over all paths; it returns a Tensor or array of the same shape, or None,
            which leaves the gradient as it is.

        Of a computed tensor the gradient goes on as the hook leaves it, of a leaf it is added to `.grad`.
        Returns a handle: `handle.remove()` removes the hook. Raises RuntimeError where no gradient is required.
        """
        return Handle(self._gradient_hooks("register_hook"), self._checked_hook(hook))

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> Handle:
        """Call hook(tensor) in every backward(), when the gradient of this leaf is complete and in its `.grad`.

        hook: a function of the tensor; what it returns is ignored.

        Returns a handle: `handle.remove()` removes the hook. Raises RuntimeError for a computed tensor, and where no
        gradient is required.
        """
        if self.node is not None:
            raise RuntimeError("register_post_accumulate_grad_hook is for leaves: a computed tensor has no .grad")
        return Handle(self._gradient_hooks("register_post_accumulate_grad_hook").accumulated, hook)

    def retain_grad(self) -> None:
        """Have backward() leave the gradient of a computed tensor in `.grad`, too; after all hooks, as in torch."""
        hooks = self._gradient_hooks("retain_grad")
        if self.node is None or _RETAIN in hooks:
            return
        this = weakref.ref(self)

        def retain(gradient):
            tensor = this()
            if tensor is not None:
                array = tensor.backend.xp.asarray(gradient)  # NumPy makes scalars of arrays without axes
                tensor.grad = array.copy() if tensor.grad is None else tensor.grad + array
            return gradient

        hooks[_RETAIN] = retain

    @property
    def retains_grad(self) -> bool:
        """Whether retain_grad() was called on this computed tensor."""
        return self.node is not None and _RETAIN in (self.node._hooks or ())

    def _gradient_hooks(self, name):
        if not self._requires_grad:
            raise RuntimeError(
                f"{name}: this tensor requires no gradient, so that none arrives: requires_grad_() first"
            )
        target = self.node or self
        if target._hooks is None:
            target._hooks = _GradientHooks()
        return target._hooks

    def _checked_hook(self, hook):
        """The hook as a function of arrays. Without a reference to this tensor, which may move to another backend."""
        this, backend, holding = weakref.ref(self), self.backend, self._holding  # type: ignore[attr-defined]

        def checked(gradient):
            here = getattr(this(), "backend", backend)
            given = holding(gradient, here, Version())
            with no_grad():
                answer = hook(given)
            if answer is None:
                return given._data
            new = here.asarray(answer._data if isinstance(answer, TensorChanges) else answer, given.dtype)
            if new.shape != given.shape:
                raise ValueError(
                    f"a hook returned a gradient of shape {new.shape}, expected the tensor's {given.shape}"
                )
            return new

        return checked

    def _keep_retaining(self, before):
        """After a change in place: what retain_grad() asked for is the gradient of the new value."""
        if before is not None and before._hooks and _RETAIN in before._hooks:
            del before._hooks[_RETAIN]
            self.retain_grad()

    # ------------------------------------------------------------------------------ arithmetic in place

    def add_(self, other: Operand, *, alpha: float = 1) -> Self:
        """x = x + alpha y, in place; returns the tensor itself.

        other: a Tensor, array or number that broadcasts to this shape.
        alpha: a number.

        Raises RuntimeError where a gradient would be lost or the shape would change, TypeError where the result is of
        another kind, such as floats for an array of integers.
        """
        return self._computed_in_place("add_", lambda f, x: f.add(x, other, alpha=alpha))

    def sub_(self, other: Operand, *, alpha: float = 1) -> Self:
        """x = x - alpha y, in place; as add_. other, alpha: as of add_."""
        return self._computed_in_place("sub_", lambda f, x: f.sub(x, other, alpha=alpha))

    def mul_(self, other: Operand) -> Self:
        """x = x y, in place; as add_. other: as of add_."""
        return self._computed_in_place("mul_", lambda f, x: f.mul(x, other))

    def div_(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """x = x / y, in place; as add_. other: as of add_. rounding_mode: as of functional.div."""
        return self._computed_in_place("div_", lambda f, x: f.div(x, other, rounding_mode=rounding_mode))

    def pow_(self, exponent: Operand) -> Self:
        """x = x ** exponent, in place; as add_. exponent: as other of add_."""
        return self._computed_in_place("pow_", lambda f, x: f.pow(x, exponent))

    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """x = min(max(x, min), max), in place; as add_. min, max: numbers, Tensors or None."""
        return self._computed_in_place("clamp_", lambda f, x: f.clamp(x, min, max))

    def __iand__(self, other: Operand) -> Self:
        return self._computed_in_place("&=", lambda f, x: f.bitwise_and(x, other))

    def __ior__(self, other: Operand) -> Self:
        return self._computed_in_place("|=", lambda f, x: f.bitwise_or(x, other))

    def __ixor__(self, other: Operand) -> Self:
        return self._computed_in_place("^=", lambda f, x: f.bitwise_xor(x, other))

    def __ifloordiv__(self, other: Operand) -> Self:
        return self._computed_in_place("//=", lambda f, x: f.floor_divide(x, other))

    def __imod__(self, other: Operand) -> Self:
        return self._computed_in_place("%=", lambda f, x: f.remainder(x, other))

    def __iadd__(self, other: Operand) -> Self:
        return self.add_(other)

    def __isub__(self, other: Operand) -> Self:
        return self.sub_(other)

    def __imul__(self, other: Operand) -> Self:
        return self.mul_(other)

    def __itruediv__(self, other: Operand) -> Self:
        return self.div_(other)

    def __ipow__(self, exponent: Operand) -> Self:
        return self.pow_(exponent)

    def _computed_in_place(self, name: str, compute: Callable[[Any, Any], Any]) -> Self:
        """Write what compute(functional, this tensor as it was) gives, and continue the tape from there."""
        self.check_in_place(name)  # type: ignore[attr-defined]
        self._check_writable(name)
        before = self._holding(self._data, self.backend, self._version)  # type: ignore[attr-defined]
        before.node, before._requires_grad = self.node, self._requires_grad
        result = compute(functional, before)
        if result.shape != self.shape:
            raise RuntimeError(f"{name} cannot change the shape in place: {self.shape} would become {result.shape}")
        if _KINDS.index(result.dtype.kind) > _KINDS.index(self.dtype.kind):
            raise TypeError(f"{name} gives {result.dtype}, which an array of {self.dtype} cannot hold: use .to() first")
        if result.dtype != self.dtype:
            result = functional.to(result, self.dtype)
        if result.requires_grad and self._version.viewed:
            raise RuntimeError(_IN_GRAPH.format(name=f"{name} in memory that a view shares"))
        self._data[...] = result.data
        self._version.count += 1
        if result.requires_grad:
            before_it, self.node, self._requires_grad = self.node, result.node, True
            self._keep_retaining(before_it)
        return self

    # ------------------------------------------------------------------------------ other changes in place

    def _checked_grad(self, value):
        """The Tensor that is to be this one's gradient, of a Tensor or an array; TypeError, ValueError if it cannot."""
        tensor = isinstance(value, TensorChanges)
        if not tensor and not isinstance(value, (self.backend.xp.ndarray, np.generic)):
            raise TypeError(
                f"a gradient is a Tensor, an array of the {self.backend.name} backend or None, not {value!r}"
            )
        if tensor and value.backend is not self.backend:
            raise ValueError(
                f"this tensor is on {self.backend.name}, the gradient on {value.backend.name}: move it first"
            )
        if value.shape != self.shape or value.dtype != self.dtype:
            raise (ValueError if value.shape != self.shape else TypeError)(
                f"the gradient of a tensor of {self.dtype} and shape {self.shape} has them too, "
                f"got {value.dtype} and {value.shape}"
            )
        if tensor and value.requires_grad:
            raise ValueError("a gradient that requires a gradient itself is not supported: assign value.detach()")
        return value if tensor else self._holding(value, self.backend, type(self._version)())  # type: ignore[attr-defined]

    def __setitem__(self, index: Any, value: Any) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        raw = tuple(i._data if isinstance(i, TensorChanges) else i for i in parts)
        self.backend.getitem(self._data, raw)  # IndexError where the index does not fit
        self._written("t[index] = value", raw, value)

    def fill_(self, value: Any) -> Self:
        """Set every element, in place; returns the tensor itself. value: a number. Raises as add_."""
        return self._filled("fill_", value)

    def zero_(self) -> Self:
        """Set every element to 0, in place; returns the tensor itself. Raises as add_."""
        return self._filled("zero_", self.dtype.type(0))

    def _filled(self, name, value):
        if not self.records_grad or getattr(value, "requires_grad", False):
            return self._written(name, ..., value)
        self.check_in_place(name)  # type: ignore[attr-defined]
        with no_grad():
            self._written(name, ..., value)
        xp = self.backend.xp
        return self.rewritten_by(lambda gy: (xp.zeros_like(gy),), name=name)  # type: ignore[attr-defined]

    def copy_(self, src: Tensor | Array, non_blocking: bool = False) -> Self:
        """Set the elements to another tensor's, in place; returns the tensor itself.

        src: a Tensor or array that broadcasts to this shape; of another dtype, or on another backend, it is converted.
        non_blocking: torch's; the copy is complete when it returns.

        Raises as add_.
        """
        if isinstance(src, TensorChanges):
            if src.records_grad:
                raise RuntimeError(_IN_GRAPH.format(name="copy_"))
            src = self.backend.asarray(src.data if src.backend is self.backend else src.numpy(), self.dtype)
        return self._written("copy_", ..., self.backend.asarray(src, self.dtype))

    def _check_writable(self, name):
        if not getattr(self._data.flags, "writeable", True):
            raise RuntimeError(f"{name} cannot write into an expanded tensor, whose elements share memory: clone() it")

    def _written(self, name: str, index: Any, value: Any) -> Self:
        self._check_writable(name)
        if is_grad_enabled() and (self._requires_grad or getattr(value, "requires_grad", False)):
            raise RuntimeError(_IN_GRAPH.format(name=name))
        if isinstance(value, TensorChanges):
            value = value._data if value.backend is self.backend else value.numpy()  # type: ignore[attr-defined]
        array = self.backend.asarray(value)
        if _KINDS.index(array.dtype.kind) > _KINDS.index(self.dtype.kind):
            raise TypeError(f"{name}: an array of {self.dtype} cannot hold {array.dtype}: convert with .to() first")
        try:
            self._data[index] = array.astype(self.dtype, copy=False)
        except ValueError as error:
            raise ValueError(f"{name}: a value of shape {array.shape} does not fit ({error})") from None
        self._version.count += 1
        return self


if TYPE_CHECKING:
    functional: Any  # takes Tensors, and what these methods have is their base class
else:
    from . import functional  # the functions need Tensor, and its methods are the functions
