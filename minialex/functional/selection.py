"""Functions that select one of several values; the gradient goes to the selected one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..support.mistakes import check_broadcast
from ..support.types import Array
from ..tensor import Operand, Tensor
from .arithmetic import _operands, unbroadcast
from .axes import check_keepdim, keepdims_shape, one_axis


class ValuesAndIndices(NamedTuple):
    """The result of max and min along an axis: two tensors, of which only `values` has a gradient."""

    values: Tensor
    indices: Tensor


def abs(input: Tensor) -> Tensor:
    """Absolute value.

        y = |x|      gx = gy sign(x), 0 at 0

    input: any shape.
    """
    x, xp = input.data, input.backend.xp

    def backward(gy):
        return (gy * xp.sign(x),)

    return Tensor.from_operation(xp.abs(x), backward, input, name="abs")


def maximum(input: Operand, other: Operand) -> Tensor:
    """The larger of each pair of elements.

        y = max(a, b)      ga = gy where a > b, half of it where they are equal; gb likewise

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _larger(input, other, 1, "maximum")


def minimum(input: Operand, other: Operand) -> Tensor:
    """The smaller of each pair of elements.

        y = min(a, b)      ga = gy where a < b, half of it where they are equal; gb likewise

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _larger(input, other, -1, "minimum")


def _larger(input, other, sign, name):
    left, right = _operands(input, other, name=name)
    a, b, xp = left.data, right.data, left.backend.xp

    def backward(gy):
        half, none = gy / 2, gy.dtype.type(0)
        ga = xp.where(a == b, half, xp.where(sign * a < sign * b, none, gy))
        gb = xp.where(a == b, half, xp.where(sign * b < sign * a, none, gy))
        return unbroadcast(ga, a.shape), unbroadcast(gb, b.shape)

    return Tensor.from_operation(getattr(xp, name)(a, b), backward, left, right, name=name)


def where(condition: Tensor | Array, input: Operand, other: Operand) -> Tensor:
    """Elements of `input` where the condition holds, of `other` elsewhere.

        y = a or b      ga = gy where the condition holds, gb = gy elsewhere

    condition: a bool array or Tensor.
    input, other: Tensors, arrays or numbers; all three broadcast together.

    Raises TypeError where the condition is not bool.
    """
    left, right = _operands(input, other)
    a, b, xp = left.data, right.data, left.backend.xp
    chosen = left.backend.asarray(condition.data if isinstance(condition, Tensor) else condition)
    if chosen.dtype != bool:
        raise TypeError(f"where needs a condition of truth values, got {chosen.dtype}; compare with something first")
    check_broadcast("where", chosen.shape, a.shape, b.shape)

    def backward(gy):
        none = gy.dtype.type(0)
        return unbroadcast(xp.where(chosen, gy, none), a.shape), unbroadcast(xp.where(chosen, none, gy), b.shape)

    return Tensor.from_operation(xp.where(chosen, a, b), backward, left, right, name="where")


def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """Values limited to the range from `min` to `max`.

        y = min(max(x, low), high)      gx = gy where low <= x <= high, else 0

    input: any shape.
    min, max: the bounds: numbers, arrays or Tensors that broadcast, or None for no bound. A bound that is a Tensor
        receives
        gy where it replaced x. Where low > high, y = high.

    Raises ValueError where both are None.
    """
    if min is None and max is None:
        raise ValueError("clamp needs min, max or both")
    given = [bound for bound in (min, max) if bound is not None]
    x, *bounds = _operands(input, *given, name="clamp")
    xp, value = x.backend.xp, x.data
    low = bounds[0].data if min is not None else None
    high = bounds[-1].data if max is not None else None
    y = value if low is None else xp.maximum(value, low)
    y = y if high is None else xp.minimum(y, high)

    def backward(gy):
        none = gy.dtype.type(0)
        inside = (True if low is None else value >= low) & (True if high is None else value <= high)
        gradients = [unbroadcast(xp.where(inside, gy, none), value.shape)]
        if low is not None:
            lifted = value < low if high is None else (value < low) & (low < high)
            gradients.append(unbroadcast(xp.where(lifted, gy, none), low.shape))
        if high is not None:
            lowered = value > high if low is None else (value > high) | (high < low)
            gradients.append(unbroadcast(xp.where(lowered, gy, none), high.shape))
        return tuple(gradients)

    return Tensor.from_operation(y, backward, x, *bounds, name="clamp")


clip = clamp


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Largest value: of all elements, along an axis, or of two tensors.

        y = max_i x_i      gx = gy at the largest: shared by equal ones for dim=None, the first of them along an axis

    input: any shape.
    dim: None for the largest of all, an axis, or a Tensor to compare with (then as `maximum`).
    keepdim: whether the axis stays, with length 1.

    Returns a Tensor, or ValuesAndIndices along an axis. Raises ValueError where there are no elements.
    """
    return _extreme(input, dim, keepdim, "max")


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Smallest value: of all elements, along an axis, or of two tensors; otherwise as `max`.

    input, dim, keepdim: as of `max`.
    """
    return _extreme(input, dim, keepdim, "min")


def _extreme(input, dim, keepdim, name):
    check_keepdim(keepdim)
    if isinstance(dim, Tensor):
        return maximum(input, dim) if name == "max" else minimum(input, dim)
    if dim is None:
        return _extreme_of_all(input, name)
    x, xp = input.data, input.backend.xp
    axis = one_axis(dim, x.ndim)
    if not x.ndim:
        return ValuesAndIndices(input, Tensor(xp.zeros((), np.int64), backend=input.backend))
    if not x.shape[axis]:
        raise ValueError(f"{name} along axis {dim} of shape {x.shape}, which has no elements")
    first = xp.expand_dims(getattr(xp, f"arg{name}")(x, axis=axis), axis)
    full_shape = keepdims_shape(x.shape, (axis,))
    shape = full_shape if keepdim else full_shape[:axis] + full_shape[axis + 1 :]

    def backward(gy):
        gx = xp.zeros(x.shape, gy.dtype)
        xp.put_along_axis(gx, first, gy.reshape(full_shape), axis)
        return (gx,)

    values = Tensor.from_operation(xp.take_along_axis(x, first, axis).reshape(shape), backward, input, name=name)
    return ValuesAndIndices(values, Tensor(first.reshape(shape), backend=input.backend))


def _extreme_of_all(input, name):
    x = input.data
    if not x.size:
        raise ValueError(f"{name} of a tensor without elements, of shape {x.shape}")
    y = getattr(x, name)()

    def backward(gy):
        ties = (x == y) | (x != x)  # where there is a NaN, y is NaN and equals nothing
        return (ties * (gy / ties.sum()).astype(x.dtype),)

    return Tensor.from_operation(y, backward, input, name=name)
