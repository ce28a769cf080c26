"""Sums over axes, and the logarithm of softmax."""

from __future__ import annotations

import math

from ..tensor import Tensor


def _axes(dim, ndim):
    """The axes to reduce, counted from 0: all for None. ValueError for one that is not there or stands twice."""
    dims = range(ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    if any(not -max(ndim, 1) <= d < max(ndim, 1) for d in dims):
        raise ValueError(f"dim {dim} is out of range for a tensor with {ndim} axes")
    axes = tuple(d % ndim for d in dims) if ndim else ()
    if len(set(axes)) != len(axes):
        raise ValueError(f"dim {dim} names an axis twice")
    return axes


def _kept(shape, axes):
    """The shape with every reduced axis of length 1: what broadcasts back against x."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def sum(input, dim=None, keepdim=False):
    """Sum over the axes `dim` (all for None).   y = sum_i x_i      gx_i = gy."""
    shape, axes, xp = input.shape, _axes(dim, input.ndim), input.backend.xp

    def backward(gy):
        return (xp.broadcast_to(gy.reshape(_kept(shape, axes)), shape),)

    return Tensor.from_operation(input.data.sum(axis=axes, keepdims=keepdim), backward, input)


def mean(input, dim=None, keepdim=False):
    """Mean over the axes `dim` (all for None).   y = 1/n sum_i x_i      gx_i = gy / n."""
    shape, axes, xp = input.shape, _axes(dim, input.ndim), input.backend.xp
    count = math.prod(shape[a] for a in axes)

    def backward(gy):
        return (xp.broadcast_to(gy.reshape(_kept(shape, axes)) / max(count, 1), shape),)

    total = input.data.sum(axis=axes, keepdims=keepdim)
    return Tensor.from_operation(total / count if count else total * math.nan, backward, input)


def log_softmax(input, dim):
    """Logarithm of softmax along the axis `dim`.

    y_i = x_i - log sum_j exp(x_j)      gx = gy - softmax(x) sum_j gy_j

    Computed as (x - m) - log sum exp(x - m) with m = max x, so that no exponential overflows.
    """
    (axis,) = _axes(dim, input.ndim) or (0,)
    backend = input.backend
    y, saved = backend.log_softmax(input.data, axis)

    def backward(gy):
        return (backend.log_softmax_backward(gy, saved, axis),)

    return Tensor.from_operation(y, backward, input)
