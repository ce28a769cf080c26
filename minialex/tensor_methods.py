"""Methods of Tensor that a reader of the engine may skip: changes in place, copies, what protocols of Python need.

A change in place writes into the tensor's own array, so that every other name of it and every view sees the change,
and bumps its version, so that a backward that needs the old value refuses. Where it would lose a gradient it raises.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_KINDS = "biuf"  # a value is stored in an array of its own or of a later kind
_IN_GRAPH = (
    "{name} would lose a gradient: this tensor, or the value, is recorded on the tape; "
    "make a new tensor (x = x * 2, functional.where), or write under no_grad()"
)


class TensorMethods:
    """The base class of Tensor that holds them; it has no attributes of its own."""

    __slots__ = ()

    # The attributes that Tensor has.
    _data: Any
    _version: Any
    backend: Any
    dtype: Any
    grad: Any
    node: Any
    records_grad: Any
    shape: Any
    _requires_grad: Any

    # ------------------------------------------------------------------------------ arithmetic in place

    def add_(self, other, *, alpha=1):
        """x = x + alpha y, in place; returns the tensor itself.

        other: a Tensor, array or number that broadcasts to this shape.
        alpha: a number.

        Raises RuntimeError where a gradient would be lost or the shape would change, TypeError where the result is of
        another kind, such as floats for an array of integers.
        """
        return self._computed_in_place("add_", lambda f, x: f.add(x, other, alpha=alpha))

    def sub_(self, other, *, alpha=1):
        """x = x - alpha y, in place; as add_. other, alpha: as of add_."""
        return self._computed_in_place("sub_", lambda f, x: f.sub(x, other, alpha=alpha))

    def mul_(self, other):
        """x = x y, in place; as add_. other: as of add_."""
        return self._computed_in_place("mul_", lambda f, x: f.mul(x, other))

    def div_(self, other):
        """x = x / y, in place; as add_. other: as of add_."""
        return self._computed_in_place("div_", lambda f, x: f.div(x, other))

    def pow_(self, exponent):
        """x = x ** exponent, in place; as add_. exponent: as other of add_."""
        return self._computed_in_place("pow_", lambda f, x: f.pow(x, exponent))

    def clamp_(self, min=None, max=None):
        """x = min(max(x, min), max), in place; as add_. min, max: numbers, Tensors or None."""
        return self._computed_in_place("clamp_", lambda f, x: f.clamp(x, min, max))

    def __iadd__(self, other):
        return self.add_(other)

    def __isub__(self, other):
        return self.sub_(other)

    def __imul__(self, other):
        return self.mul_(other)

    def __itruediv__(self, other):
        return self.div_(other)

    def __ipow__(self, exponent):
        return self.pow_(exponent)

    def _computed_in_place(self, name, compute):
        """Write what compute(functional, this tensor as it was) gives, and continue the tape from there."""
        from . import functional

        self.check_in_place(name)  # type: ignore[attr-defined]
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
            self.node, self._requires_grad = result.node, True
        return self

    # ------------------------------------------------------------------------------ other changes in place

    def __setitem__(self, index, value):
        parts = index if isinstance(index, tuple) else (index,)
        raw = tuple(i._data if isinstance(i, TensorMethods) else i for i in parts)
        self.backend.getitem(self._data, raw)  # IndexError where the index does not fit
        self._written("t[index] = value", raw, value)

    def fill_(self, value):
        """Set every element, in place; returns the tensor itself. value: a number. Raises as add_."""
        return self._written("fill_", ..., value)

    def zero_(self):
        """Set every element to 0, in place; returns the tensor itself. Raises as add_."""
        return self._written("zero_", ..., 0)

    def copy_(self, src):
        """Set the elements to another tensor's, in place; returns the tensor itself.

        src: a Tensor or array that broadcasts to this shape; of another dtype, or on another backend, it is converted.

        Raises as add_.
        """
        if isinstance(src, TensorMethods):
            if src.records_grad:
                raise RuntimeError(_IN_GRAPH.format(name="copy_"))
            src = self.backend.asarray(src.data if src.backend is self.backend else src.numpy(), self.dtype)  # type: ignore[attr-defined]
        return self._written("copy_", ..., self.backend.asarray(src, self.dtype))

    def _written(self, name, index, value):
        from .tape import is_grad_enabled

        if is_grad_enabled() and (self._requires_grad or getattr(value, "requires_grad", False)):
            raise RuntimeError(_IN_GRAPH.format(name=name))
        if isinstance(value, TensorMethods):
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

    # ------------------------------------------------------------------------------ copies and protocols

    def __iter__(self):
        if not self.shape:
            raise TypeError("a tensor without axes cannot be iterated over: item() is its value")
        return (self[i] for i in range(self.shape[0]))  # type: ignore[index]

    def __getstate__(self):
        """For copy.deepcopy and pickle: values as NumPy arrays, the backend by its name. Only of leaves, as torch."""
        if self.node is not None:
            raise RuntimeError("only leaf tensors can be pickled or copied deeply: call detach() on a computed one")
        grad = None if self.grad is None else np.array(self.backend.to_numpy(self.grad))
        data = np.array(self.backend.to_numpy(self._data))
        return {"data": data, "backend": self.backend.name, "requires_grad": self._requires_grad, "grad": grad}

    def __setstate__(self, state):
        self.__init__(state["data"], state["requires_grad"], backend=state["backend"])  # type: ignore[misc]
        if state["grad"] is not None:
            self.grad = self.backend.asarray(state["grad"])
