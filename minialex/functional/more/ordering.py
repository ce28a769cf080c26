"""Sorting."""

from __future__ import annotations

import operator

from ...tensor import Tensor
from ..axes import one_axis
from ..selection import ValuesAndIndices
from ..shaping import getitem
from .shaping import gather


def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """Indices that sort along an axis. NaN counts as the largest, as in torch.

    input: any shape.
    dim: the axis.
    descending: whether the largest comes first.
    stable: whether equal ones stay in order; here they always do.

    Returns an int64 Tensor of the input's shape.
    """
    xp, axis = input.backend.xp, one_axis(dim, input.ndim)
    x = input.data.reshape(input.shape or (1,))
    if descending:  # equal ones stay in order where the last of the ascending order of the flipped comes first
        order = x.shape[axis] - 1 - xp.flip(xp.argsort(xp.flip(x, axis), axis=axis, kind="stable"), axis)
    else:
        order = xp.argsort(x, axis=axis, kind="stable")
    return Tensor(order.reshape(input.shape), backend=input.backend)


def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> ValuesAndIndices:
    """Values in ascending order along an axis, and their indices; the gradient goes back to where they were.

    input, dim, descending, stable: as of argsort.

    Returns ValuesAndIndices.
    """
    order = argsort(input, dim, descending)
    return ValuesAndIndices(gather(input, dim, order), order)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """The k largest values along an axis, the largest first, and their indices.

    input: any shape.
    k: how many, at most the length of the axis.
    dim: the axis.
    largest: False for the smallest, the smallest first.
    sorted: whether the values are in order; here they always are.

    Returns ValuesAndIndices. Raises ValueError where the axis is shorter than k.
    """
    axis, shape, k = one_axis(dim, input.ndim), input.shape or (1,), operator.index(k)
    if not 0 <= k <= shape[axis]:
        raise ValueError(f"topk: there are no {k} values along axis {dim} of shape {input.shape}")
    order = argsort(input, dim, largest)
    if input.ndim:
        order = getitem(order, (*[slice(None)] * axis, slice(k)))
    return ValuesAndIndices(gather(input, dim, order), order)
