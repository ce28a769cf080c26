"""Other arrangements of the same elements. Results are views: they share the array and its version."""

from __future__ import annotations

import math

from ..tensor import Tensor


def _shares(y, x):
    """Whether y is a view into x (a reshape copies where it must)."""
    return y is x or (y.base is not None and (y.base is x or y.base is x.base))


def reshape(input, shape):
    """The same elements in C order under another shape; one entry may be -1, to be worked out.

    y = x      gx = gy in x's shape      ValueError where the counts differ.
    """
    old = input.shape
    try:
        y = input.data.reshape(shape)
    except ValueError:
        raise ValueError(f"cannot reshape {old}, {input.numel()} elements, into {tuple(shape)}") from None

    def backward(gy):
        return (gy.reshape(old),)

    return Tensor.from_operation(y, backward, input, view=_shares(y, input.data))


def flatten(input, start_dim=0, end_dim=-1):
    """Join the axes start_dim ... end_dim into one, in C order.   y = x      gx = gy in x's shape."""
    old = input.shape or (1,)
    start, end = start_dim % len(old), end_dim % len(old)
    if start > end:
        raise ValueError(f"flatten needs start_dim <= end_dim, got {start_dim} and {end_dim} of {len(old)} axes")
    return reshape(input, (*old[:start], math.prod(old[start : end + 1]), *old[end + 1 :]))


def permute(input, dims):
    """Axes in a new order: axis i of y is axis dims[i] of x.   gx = gy, put back in order."""
    axes = [d % input.ndim for d in dims]
    if sorted(axes) != list(range(input.ndim)):
        raise ValueError(f"permute needs each of the {input.ndim} axes once, got {tuple(dims)}")
    inverse = sorted(range(input.ndim), key=axes.__getitem__)

    def backward(gy):
        return (gy.transpose(inverse),)

    return Tensor.from_operation(input.data.transpose(axes), backward, input, view=True)


def transpose(input, dim0, dim1):
    """Two axes exchanged.   gx = gy with the same two exchanged."""

    def backward(gy):
        return (gy.swapaxes(dim0, dim1),)

    return Tensor.from_operation(input.data.swapaxes(dim0, dim1), backward, input, view=True)
