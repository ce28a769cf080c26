"""Sums, means and variances over axes; softmax and its relatives."""

from __future__ import annotations

import math

import numpy as np

from ..support.types import Dims
from ..tensor import Tensor, common_backend
from .arithmetic import floating
from .axes import all_axes, keepdims_shape, one_axis


def sum(input: Tensor, dim: Dims | None = None, keepdim: bool = False) -> Tensor:
    """Sum over axes.

        y = sum_i x_i      gx_i = gy

    input: any shape; integers are summed as int64.
    dim: an axis, several, or None for all.
    keepdim: whether reduced axes stay, with length 1.
    """
    shape, axes, xp = input.shape, all_axes(dim, input.ndim), input.backend.xp

    def backward(gy):
        return (xp.broadcast_to(gy.reshape(keepdims_shape(shape, axes)), shape),)

    dtype = None if input.dtype.kind == "f" else np.int64
    return Tensor.from_operation(input.data.sum(axis=axes, dtype=dtype, keepdims=keepdim), backward, input, name="sum")


def mean(input: Tensor, dim: Dims | None = None, keepdim: bool = False) -> Tensor:
    """Mean over axes.

        y = 1/n sum_i x_i      gx_i = gy / n

    input: any shape; integers become float32.
    dim: an axis, several, or None for all.
    keepdim: whether reduced axes stay, with length 1.
    """
    input = floating(input)
    shape, axes, xp = input.shape, all_axes(dim, input.ndim), input.backend.xp
    count = math.prod(shape[a] for a in axes)

    def backward(gy):
        return (xp.broadcast_to(gy.reshape(keepdims_shape(shape, axes)) / max(count, 1), shape),)

    total = input.data.sum(axis=axes, keepdims=keepdim)
    return Tensor.from_operation(total / count if count else total * math.nan, backward, input, name="mean")


def log_softmax(input: Tensor, dim: int | None) -> Tensor:
    """Logarithm of the softmax along an axis.

        y_i = x_i - log sum_j exp(x_j)      gx = gy - softmax(x) sum_j gy_j

    Computed as (x - m) - log sum exp(x - m) with m = max x, so that no exponential overflows.

    input: any shape; integers become float32.
    dim: the axis.
    """
    backend = common_backend(input)
    axis = one_axis(dim, input.ndim)
    input = floating(input)
    y, saved = backend.log_softmax(input.data, axis)

    def backward(gy):
        return (backend.log_softmax_backward(gy, saved, axis),)

    return Tensor.from_operation(y, backward, input, name="log_softmax")


def softmax(input: Tensor, dim: int | None) -> Tensor:
    """Probabilities along an axis.

        y_i = exp(x_i) / sum_j exp(x_j)      gx = y (gy - sum_j gy_j y_j)

    input: logits, any shape; integers become float32.
    dim: the axis along which the probabilities sum to 1.
    """
    backend = common_backend(input)
    axis = one_axis(dim, input.ndim)
    input = floating(input)
    y = backend.xp.exp(backend.log_softmax(input.data, axis)[0])

    def backward(gy):
        return (y * (gy - (gy * y).sum(axis=axis, keepdims=True)),)

    return Tensor.from_operation(y, backward, input, name="softmax")


def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """Logarithm of a sum of exponentials over axes.

        y = log sum_i exp(x_i)      gx_i = gy softmax(x)_i

    Computed as m + log sum exp(x - m) with m = max x, so that no exponential overflows.

    input: any shape; integers become float32.
    dim: an axis or several.
    keepdim: whether reduced axes stay, with length 1.
    """
    input = floating(input)
    x, xp = input.data, input.backend.xp
    axes = all_axes(dim, input.ndim)
    full_shape = keepdims_shape(x.shape, axes)
    m = x.max(axis=axes, keepdims=True) if x.size else xp.zeros(full_shape, x.dtype)  # nothing has no largest value
    m = xp.where(xp.isfinite(m), m, x.dtype.type(0))  # all -inf: their sum is 0 and its logarithm -inf
    exponentials = xp.exp(x - m)
    total = exponentials.sum(axis=axes, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = m + xp.log(total)
        probabilities = exponentials / total  # not exp(x - y), which loses what y was rounded by

    def backward(gy):
        return (gy.reshape(full_shape) * probabilities,)

    shape = full_shape if keepdim else [n for i, n in enumerate(x.shape) if i not in axes]
    return Tensor.from_operation(y.reshape(shape), backward, input, name="logsumexp")


def var(input: Tensor, dim: Dims | None = None, *, correction: float = 1, keepdim: bool = False) -> Tensor:
    """Variance over axes.

        y = 1 / (n - correction) sum_i (x_i - mean)^2      gx_i = gy 2 (x_i - mean) / (n - correction)

    input: any shape; integers become float32.
    dim: an axis, several, or None for all; True or False in its place, as in torch.var(x, unbiased), is the correction.
    correction: 1 for the unbiased estimate, 0 for the variance of these very values.
    keepdim: whether reduced axes stay, with length 1.

    Where n <= correction the divisor is 0, as in torch: NaN for a single value, else infinity.
    """
    if isinstance(dim, bool):
        dim, correction = None, int(dim)  # type: ignore[call-overload]
    input = floating(input)
    x, axes = input.data, all_axes(dim, input.ndim)
    full_shape = keepdims_shape(x.shape, axes)
    n = math.prod(x.shape[a] for a in axes)
    divisor = n - correction
    centred = x - x.sum(axis=axes, keepdims=True) / max(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = (centred * centred).sum(axis=axes, keepdims=keepdim) / x.dtype.type(max(divisor, 0))

    def backward(gy):
        with np.errstate(divide="ignore", invalid="ignore"):
            return (gy.reshape(full_shape) * centred * (2 / x.dtype.type(max(divisor, 0))),)

    return Tensor.from_operation(y, backward, input, name="var")
