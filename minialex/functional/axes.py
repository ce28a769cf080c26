"""Arguments called `dim`: axes numbered from either end."""

from __future__ import annotations

import operator
from typing import Any

from ..support.types import Shape


def one_axis(dim: Any, ndim: int) -> int:
    """The axis `dim`, counted from 0.

    dim: an int, negative from the end.
    ndim: axes of the tensor; a tensor without axes counts as having one, as in torch.

    Raises IndexError for an axis that does not exist, TypeError where dim is not an int.
    """
    try:
        axis = operator.index(dim)
    except TypeError:
        axis = None
    if axis is None or isinstance(dim, bool):
        raise TypeError(f"dim names one axis, a whole number, got {dim!r}")
    if not -max(ndim, 1) <= axis < max(ndim, 1):
        raise IndexError(f"dim {dim} is out of range for a tensor with {ndim} axes")
    return axis % max(ndim, 1)


def all_axes(dim: Any, ndim: int) -> Shape:
    """The axes that `dim` names, counted from 0.

    dim: an int or several; None and () stand for all axes.
    ndim: axes of the tensor.

    Returns a tuple of ints. Raises IndexError as one_axis, ValueError where an axis is named twice.
    """
    if dim is None or dim == ():
        return tuple(range(ndim))
    dims = tuple(dim) if hasattr(dim, "__iter__") else (dim,)
    axes = tuple(one_axis(d, ndim) for d in dims)
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim {dim} names an axis twice")
    return axes if ndim else ()


def keepdims_shape(shape: Shape, axes: Shape) -> Shape:
    """The shape with every reduced axis of length 1: what broadcasts back against x."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
