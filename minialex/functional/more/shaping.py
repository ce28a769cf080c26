"""Further arrangements of the same elements: squeeze to masked_fill."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...support.mistakes import check_broadcast
from ...support.types import Array, Dims
from ...tensor import Tensor, common_backend
from ..arithmetic import to, unbroadcast
from ..axes import all_axes, one_axis
from ..selection import where
from ..shaping import getitem, reshape


def squeeze(input: Tensor, dim: Dims | None = None) -> Tensor:
    """Without axes of length 1.

    input: any shape.
    dim: an axis or several, which go if their length is 1; all of that length if None.

    Returns a view.
    """
    axes = range(input.ndim) if dim is None else _named_axes(dim, input.ndim)
    return reshape(input, [n for i, n in enumerate(input.shape) if n != 1 or i not in axes])


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a new axis of length 1.

    input: any shape.
    dim: where the new axis stands in the result.

    Returns a view.
    """
    axis = one_axis(dim, input.ndim + 1)
    return reshape(input, (*input.shape[:axis], 1, *input.shape[axis:]))


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy, in C order.

        y = x      gx = gy

    input: any shape.
    memory_format: torch's channels_last, by its name or the object, for images that lie in memory as (N, H, W, C); its
        contiguous_format and preserve_format, and None, for C order.

    Raises ValueError for another format, and for channels_last of other than (N, C, H, W).
    """
    y, xp = input.data, input.backend.xp
    if channels_last(memory_format, input.ndim):
        y = xp.moveaxis(xp.moveaxis(y, 1, -1).copy(), -1, 1)
    else:
        y = y.copy()

    def backward(gy):
        return (gy,)

    return Tensor.from_operation(y, backward, input, name="clone")


def channels_last(memory_format: Any, ndim: int) -> bool:
    """Whether a memory_format asks for channels last.

    memory_format: as of clone.
    ndim: axes of the tensor.

    Raises ValueError as clone does.
    """
    name = str(memory_format).removeprefix("torch.")
    if name in ("None", "contiguous_format", "preserve_format"):
        return False
    if name != "channels_last" or ndim != 4:
        raise ValueError(
            f"memory_format={memory_format} of {ndim} axes: there are contiguous_format and, of 4 axes, channels_last"
        )
    return True


def expand(input: Tensor, sizes: Sequence[int]) -> Tensor:
    """Axes of length 1 stretched, and new ones in front, without a copy.

        y = x, repeated      gx = the sum of gy over what was repeated

    input: any shape.
    sizes: the new shape; -1 for the length that an axis has.

    Returns a view, which cannot be written to. Raises ValueError where an axis of another length than 1 would change.
    """
    old, sizes = input.shape, _whole_numbers(sizes)
    new = len(sizes) - len(old)
    shape = tuple(old[i - new] if n == -1 and i >= new else n for i, n in enumerate(sizes))
    if new < 0 or min(shape, default=0) < 0 or any(m not in (1, n) for m, n in zip(old, shape[new:])):
        raise ValueError(f"expand: a tensor of shape {old} cannot become {sizes}; only axes of length 1 are stretched")
    y = input.data if shape == old else input.backend.xp.broadcast_to(input.data, shape)

    def backward(gy):
        return (unbroadcast(gy, old),)

    return Tensor.from_operation(y, backward, input, view=True, name="expand")


def repeat(input: Tensor, repeats: Sequence[int]) -> Tensor:
    """Copies of a tensor side by side, as numpy.tile.

        y = x, repeated      gx = the sum of gy over the copies

    input: any shape.
    repeats: how often along each axis; where there are more numbers than axes, new axes stand in front.

    Raises ValueError for a negative number, and for fewer numbers than axes.
    """
    repeats = _whole_numbers(repeats)
    if len(repeats) < input.ndim or min(repeats, default=0) < 0:
        raise ValueError(f"repeat needs a number of copies, 0 or more, for each of {input.ndim} axes, got {repeats}")
    old = input.shape
    lengths = (*[1] * (len(repeats) - len(old)), *old)
    apart = [n for pair in zip(repeats, lengths) for n in pair]  # copies and elements, an axis each

    def backward(gy):
        return (gy.reshape(apart).sum(axis=tuple(range(0, len(apart), 2))).reshape(old),)

    return Tensor.from_operation(input.backend.xp.tile(input.data, repeats), backward, input, name="repeat")


def flip(input: Tensor, dims: Dims) -> Tensor:
    """The elements in the opposite order along axes, copied.

        y = x, flipped      gx = gy, flipped

    input: any shape.
    dims: an axis or several.
    """
    xp, axes = input.backend.xp, _named_axes(dims, input.ndim)

    def backward(gy):
        return (xp.flip(gy, axes),)

    return Tensor.from_operation(xp.flip(input.data, axes).copy(), backward, input, name="flip")


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Parts along an axis.

    tensor: one or more axes.
    split_size_or_sections: the length of each part, of which the last may be shorter; or a list of all lengths.
    dim: the axis.

    Returns a tuple of views. Raises ValueError where the lengths do not add up to the axis.
    """
    if not tensor.ndim:
        raise ValueError("split and chunk need a tensor with axes, this one is a single number")
    axis = one_axis(dim, tensor.ndim)
    n, sizes = tensor.shape[axis], split_size_or_sections
    if not isinstance(sizes, (tuple, list)):
        size = operator.index(sizes)  # type: ignore[arg-type]
        if size < 0 or (n and not size):
            raise ValueError(f"split along axis {dim} of {tensor.shape} needs a length of at least 1, got {sizes}")
        sizes = [min(size, n - start) for start in range(0, n, max(size, 1))] or [0]
    if min(sizes, default=0) < 0 or sum(sizes) != n:
        raise ValueError(f"split along axis {dim} of {tensor.shape}: the lengths {sizes} do not add up to {n}")
    ends = itertools.accumulate(sizes)
    return tuple(getitem(tensor, (*[slice(None)] * axis, slice(e - s, e))) for s, e in zip(sizes, ends))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most so many parts along an axis, all of one length but the last.

    input: one or more axes.
    chunks: how many; there are fewer where rounding the length up leaves none for the last.
    dim: the axis.

    Returns a tuple of views. Raises ValueError for fewer than one part.
    """
    if operator.index(chunks) < 1:
        raise ValueError(f"chunk makes one part or more, got chunks={chunks}")
    n = input.shape[one_axis(dim, input.ndim)] if input.ndim else 0
    return split(input, -(-n // chunks) if n else [0] * chunks, dim)


def gather(input: Tensor, dim: int, index: Tensor | Array, *, sparse_grad: bool = False) -> Tensor:
    """Elements picked along an axis, for dim = 1 of three axes:

        y[i, j, k] = x[i, index[i, j, k], k]      gx = gy added there

    input: any shape.
    dim: the axis.
    index: whole numbers, a Tensor or array with as many axes, none but `dim` longer than the input's.
    sparse_grad: torch's, False only: gradients are dense.

    Returns a Tensor of the index's shape. Raises IndexError where there is no such element; the cupy backend does not
    check this.
    """
    if sparse_grad:
        raise ValueError("gather: gradients are dense, leave sparse_grad=True out")
    axis, xp = one_axis(dim, input.ndim), input.backend.xp
    index = index if isinstance(index, Tensor) else Tensor(index, backend=input.backend)
    common_backend(input, index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"gather needs an index of whole numbers, got {index.dtype}")
    if not index.numel():
        return reshape(getitem(reshape(input, (-1,)), slice(0, 0)), index.shape)
    if not (index.ndim and input.ndim) and index.ndim + input.ndim < 2:  # a number counts as an axis of length 1
        return reshape(gather(reshape(input, (-1,)), 0, reshape(index, (-1,))), index.shape)
    if index.ndim != input.ndim or any(n > m for i, (n, m) in enumerate(zip(index.shape, input.shape)) if i != axis):
        raise ValueError(f"gather along axis {dim}: an index of shape {index.shape} does not fit into {input.shape}")
    if xp is np and index.data.min() < 0:
        raise IndexError(f"gather takes indices from 0 on, got {index.data.min()}")
    places = [xp.arange(n).reshape(-1, *[1] * (input.ndim - 1 - i)) for i, n in enumerate(index.shape)]
    places[axis] = index.data
    return getitem(input, tuple(places))


def masked_fill(input: Tensor, mask: Tensor | Array, value: Any) -> Tensor:
    """A number in the place of the elements where a mask is true.

        y = value where mask, else x      gx = 0 where mask, else gy

    input: any shape.
    mask: a bool array or Tensor that broadcasts with the input.
    value: a number, or a Tensor without axes, which receives the sum of gy where mask.

    Raises TypeError where the mask is not bool, or the input's type cannot hold the value.
    """
    shape, xp, dtype = input.shape, input.backend.xp, input.dtype
    if np.ndim(value.data if isinstance(value, Tensor) else value):
        raise ValueError(f"masked_fill takes one value, got shape {tuple(value.shape)}; functional.where takes many")
    if isinstance(value, Tensor):
        return where(mask, to(value, dtype), input)
    hidden = input.backend.asarray(mask.data if isinstance(mask, Tensor) else mask)
    if hidden.dtype != bool:
        raise TypeError(f"masked_fill needs a mask of truth values, got {hidden.dtype}; compare with something first")
    check_broadcast("masked_fill", shape, hidden.shape)
    if dtype.kind != "f" and not float(value).is_integer():
        raise TypeError(f"masked_fill: a tensor of {dtype} cannot hold {value}: convert it with .to() first")

    def backward(gy):
        return unbroadcast(xp.where(hidden, dtype.type(0), gy), shape), None

    y = xp.where(hidden, dtype.type(value), input.data)
    watched = mask if isinstance(mask, Tensor) else None  # backward needs it as it is now
    return Tensor.from_operation(y, backward, input, watched, name="masked_fill")


def _named_axes(dim, ndim):
    """The axes that `dim` names, of which () names none."""
    return all_axes(list(dim) if isinstance(dim, (tuple, list)) else [dim], ndim)


def _whole_numbers(sizes):
    return tuple(operator.index(n) for n in sizes)
