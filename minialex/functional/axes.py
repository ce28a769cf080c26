"""Arguments called `dim`: axes numbered from either end."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

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


def all_axes(dim: Any, ndim: int, keepdim: bool = False) -> Shape:
    """The axes that `dim` names, counted from 0.

    dim: an int or several; None and () stand for all axes.
    ndim: axes of the tensor.
    keepdim: of the function, which is checked.

    Returns a tuple of ints. Raises IndexError as one_axis, ValueError where an axis is named twice, TypeError where
    keepdim is another number, as in sum(0, 1).
    """
    check_keepdim(keepdim)
    if dim is None or dim == ():
        return tuple(range(ndim))
    dims = tuple(dim) if hasattr(dim, "__iter__") else (dim,)
    axes = tuple(one_axis(d, ndim) for d in dims)
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim {dim} names an axis twice")
    return axes if ndim else ()


def check_keepdim(keepdim: Any) -> None:
    """Raise TypeError unless keepdim, of any function, is True or False."""
    if keepdim is not True and keepdim is not False and type(keepdim) is not np.bool_:
        raise TypeError(f"keepdim is True or False, got {keepdim!r}: several axes are a tuple, such as dim=(0, 1)")


def implicit_axis(name: str, ndim: int) -> int:
    """The axis of a softmax that is given none, with a warning, as in torch: 0 for one or three axes, else 1.

    name: of the function, for the warning.
    ndim: axes of the tensor.
    """
    axis = 0 if ndim in (0, 1, 3) else 1
    warnings.warn(f"{name}: give the axis, dim={axis} for {ndim} axes", stacklevel=4)
    return axis


def keepdims_shape(shape: Shape, axes: Shape) -> Shape:
    """The shape with every reduced axis of length 1: what broadcasts back against x."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
