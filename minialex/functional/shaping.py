"""The same elements in another arrangement. Views share the array of their input, and its version."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from ..support.types import Any, Sequence
from ..tensor import Tensor, common_backend
from . import unusual
from .arithmetic import _operands
from .axes import one_axis


def _shares(y, x):
    """Whether y is a view into x (a reshape copies where it must)."""
    return y is x or (y.base is not None and (y.base is x or y.base is x.base))


def reshape(input: Tensor, shape: int | Sequence[int]) -> Tensor:
    """The same elements, in C order, in another shape.

        y = x      gx = gy in x's shape

    input: any shape.
    shape: ints, one of which may be -1: computed from the others.

    Returns a view where that is possible. Raises ValueError where the numbers of elements differ.
    """
    common_backend(input)
    old = input.shape
    try:
        if np.min(shape, initial=0) < -1:
            raise ValueError  # NumPy takes any negative number for -1
        y = input.data.reshape(shape)
    except ValueError:
        raise ValueError(f"cannot reshape {old}, {input.numel()} elements, into {shape}") from None

    def backward(gy):
        return (gy.reshape(old),)

    return Tensor.from_operation(y, backward, input, view=_shares(y, input.data), name="reshape")


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Join the axes from start_dim to end_dim into one, in C order.

        y = x      gx = gy in x's shape

    input: any shape.
    start_dim, end_dim: the first and the last axis to join, both included.

    Raises ValueError where start_dim comes after end_dim.
    """
    common_backend(input)
    old = input.shape or (1,)
    start, end = one_axis(start_dim, len(old)), one_axis(end_dim, len(old))
    if start > end:
        raise ValueError(f"flatten needs start_dim <= end_dim, got {start_dim} and {end_dim} of {len(old)} axes")
    return reshape(input, (*old[:start], math.prod(old[start : end + 1]), *old[end + 1 :]))


def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Axes in another order.

        axis i of y is axis dims[i] of x      gx = gy with the axes in the old order

    input: any shape.
    dims: every axis once.

    Returns a view. Raises ValueError where an axis is missing or named twice.
    """
    axes = [one_axis(d, input.ndim) for d in dims]
    if sorted(axes) != list(range(input.ndim)):
        raise ValueError(f"permute needs each of the {input.ndim} axes once, got {tuple(dims)}")
    inverse = sorted(range(input.ndim), key=axes.__getitem__)

    def backward(gy):
        return (gy.transpose(inverse),)

    return Tensor.from_operation(input.data.transpose(axes), backward, input, view=True, name="permute")


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged.

        y = x      gx = gy, with the same two axes exchanged

    input: any shape.
    dim0, dim1: the axes.

    Returns a view.
    """
    axes = list(range(input.ndim))
    first, second = one_axis(dim0, input.ndim), one_axis(dim1, input.ndim)
    if axes:
        axes[first], axes[second] = second, first

    def backward(gy):
        return (gy.transpose(axes),)

    return Tensor.from_operation(input.data.transpose(axes), backward, input, view=True, name="transpose")


def getitem(input: Tensor, index: Any) -> Tensor:
    """The elements selected by an index, as in NumPy.

        y = x[index]      gx = 0, with gy added at [index]: an element selected twice receives both gradients

    input: any shape.
    index: slices (of any step), ints, None, ..., integer and bool arrays, lists or Tensors, or a tuple of these.

    Returns a view for slices and ints, else a copy. Raises IndexError where the index does not fit. The cupy backend
    does not check the numbers in a Tensor, which only the GPU knows: there they wrap around.
    """
    index = tuple(_raw(i) for i in index) if isinstance(index, tuple) else _raw(index)
    x, backend = input.data, input.backend
    try:
        y = backend.getitem(x, index)
    except IndexError as error:
        given = f"{index.dtype} of shape {index.shape}" if isinstance(index, np.ndarray) else repr(index)
        raise IndexError(f"a tensor of shape {x.shape} cannot be indexed with {given}: {error}") from None
    view = _shares(y, x) if isinstance(y, backend.xp.ndarray) else False
    shape = x.shape

    def backward(gy):
        gx = backend.xp.zeros(shape, gy.dtype)
        if view:
            gx[index] = gy  # no element twice
        else:
            backend.add_at(gx, index, gy)
        return (gx,)

    return Tensor.from_operation(y, backward, input, view=view, name="getitem")


def _raw(index):
    return index.data if isinstance(index, Tensor) else index


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """A margin around the last axes.

        y = x inside, value in the margin      gx = gy without the margin

    input: any shape.
    pad: (before, after) of the last axis, then of the last but one, and so on: (left, right, top, bottom), in elements.
        A negative number cuts off as many.
    mode: "constant"; or a margin of the input itself: "reflect" mirrors it, without the outermost elements, "replicate"
        repeats those, "circular" continues it at the other end.
    value: of a constant margin, 0 if None.

    Raises ValueError for an odd or too long list, another mode, and where more is cut off, or mirrored, than there is.
    """
    if not isinstance(pad, (tuple, list)) or len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(f"pad needs two numbers for each of the last axes of {input.ndim}, got {pad}")
    pad = [operator.index(n) for n in pad]
    if mode != "constant":
        return unusual.pad(input, pad, mode, value)
    widths = [(0, 0)] * (input.ndim - len(pad) // 2) + [tuple(pad[i : i + 2]) for i in range(len(pad) - 2, -1, -2)]
    shape = tuple(n + before + after for n, (before, after) in zip(input.shape, widths, strict=True))
    if any(n + min(before, 0) + min(after, 0) < 0 for n, (before, after) in zip(input.shape, widths, strict=True)):
        raise ValueError(f"pad={tuple(pad)} cuts more off {input.shape} than there is")
    # where the kept part stands in y, and where it came from in x
    inside = tuple(slice(max(b, 0), n - max(a, 0)) for n, (b, a) in zip(shape, widths, strict=True))
    source = tuple(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(input.shape, widths, strict=True))
    xp, old = input.backend.xp, input.shape
    y = xp.full(shape, 0 if value is None else value, input.dtype)
    y[inside] = input.data[source]

    def backward(gy):
        gx = xp.zeros(old, gy.dtype)
        gx[source] = gy[inside]
        return (gx,)

    return Tensor.from_operation(y, backward, input, name="pad")


def concatenate(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along an existing axis; each receives its part of gy.

    tensors: a sequence of Tensors that agree in all other axes; a tensor of shape (0,) goes with any, as in torch.
    dim: the axis.

    Returns a Tensor of the widest dtype. Raises ValueError where shapes do not fit.
    """
    tensors = _operands(*tensors)
    shapes = [t.shape for t in tensors]
    if not all(shapes) or not shapes:
        raise ValueError("concatenate needs one or more tensors with axes; stack puts single numbers together")
    full = next((s for s in shapes if s != (0,)), (0,))
    axis = one_axis(dim, len(full))
    before, after = full[:axis], full[axis + 1 :]
    arrays = [t.data.reshape(*before, 0, *after) if t.shape == (0,) else t.data for t in tensors]
    if any(x.shape != (*before, *x.shape[axis : axis + 1], *after) for x in arrays):
        raise ValueError(f"concatenate along axis {dim} needs shapes that agree elsewhere, got {shapes}")
    ends = list(itertools.accumulate(x.shape[axis] for x in arrays))
    xp = tensors[0].backend.xp

    def backward(gy):
        return tuple(g.reshape(s) for g, s in zip(xp.split(gy, ends[:-1], axis), shapes, strict=True))

    return Tensor.from_operation(xp.concatenate(arrays, axis), backward, *tensors, name="concatenate")


cat = concatenate


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis; each receives its slice of gy.

    tensors: a sequence of Tensors of one shape.
    dim: where the new axis stands in the result.

    Raises ValueError where the shapes differ.
    """
    tensors = _operands(*tensors)
    shapes = [t.shape for t in tensors]
    if len(set(shapes)) != 1:
        raise ValueError(f"stack needs one or more tensors of one shape, got {shapes}")
    axis = one_axis(dim, len(shapes[0]) + 1)
    xp = tensors[0].backend.xp

    def backward(gy):
        return tuple(xp.moveaxis(gy, axis, 0))

    return Tensor.from_operation(xp.stack([t.data for t in tensors], axis), backward, *tensors, name="stack")
