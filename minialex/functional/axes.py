"""Axes named by numbers from either end, as arguments called `dim` are."""

from __future__ import annotations

import operator


def one_axis(dim, ndim):
    """The axis counted from 0; IndexError for one that does not exist (a number without axes counts as having one).

    TypeError for what is no whole number.
    """
    try:
        axis = operator.index(dim)
    except TypeError:
        raise TypeError(f"dim names one axis, a whole number, got {dim!r}") from None
    if not -max(ndim, 1) <= axis < max(ndim, 1):
        raise IndexError(f"dim {dim} is out of range for a tensor with {ndim} axes")
    return axis % max(ndim, 1)


def all_axes(dim, ndim):
    """The axes counted from 0 that `dim`, a number or several, names; all for None and (). IndexError, ValueError."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    dims = tuple(dim) if hasattr(dim, "__iter__") else (dim,)
    axes = tuple(one_axis(d, ndim) for d in dims)
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim {dim} names an axis twice")
    return axes if ndim else ()


def kept(shape, axes):
    """The shape with every reduced axis of length 1: what broadcasts back against x."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))
