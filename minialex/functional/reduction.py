"""Sums, means and variances over axes; softmax and its relatives."""

from __future__ import annotations

import math

import numpy as np

from ..support.types import Dims, DType
from ..tensor import Tensor, check_dtypes, common_backend
from .arithmetic import converted, floating
from .axes import all_axes, implicit_axis, keepdims_shape, one_axis


def sum(input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Sum over axes.

        y = sum_i x_i      gx_i = gy

    input: any shape; integers are summed as int64.
    dim: an axis, several, or None for all.
    keepdim: whether reduced axes stay, with length 1.
    dtype: what to convert the input to first.
    """
    input = converted(input, dtype)
    shape, axes, xp = input.shape, all_axes(dim, input.ndim, keepdim), input.backend.xp

    def backward(gy):
        return (xp.broadcast_to(gy.reshape(keepdims_shape(shape, axes)), shape),)

    dtype = input.dtype if dtype is not None else None if input.dtype.kind == "f" else np.int64
    return Tensor.from_operation(input.data.sum(axis=axes, dtype=dtype, keepdims=keepdim), backward, input, name="sum")


def mean(input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Mean over axes.

        y = 1/n sum_i x_i      gx_i = gy / n

    input: any shape of floating-point numbers.
    dim: an axis, several, or None for all.
    keepdim: whether reduced axes stay, with length 1.
    dtype: what to convert the input to first, such as np.float32 for integers.
    """
    input = converted(input, dtype)
    check_dtypes("mean", input)
    shape, axes, xp = input.shape, all_axes(dim, input.ndim, keepdim), input.backend.xp
    count = math.prod(shape[a] for a in axes)

    def backward(gy):
        return (xp.broadcast_to(gy.reshape(keepdims_shape(shape, axes)) / max(count, 1), shape),)

    total = input.data.sum(axis=axes, keepdims=keepdim)
    return Tensor.from_operation(total / count if count else total * math.nan, backward, input, name="mean")


def log_softmax(input: Tensor, dim: int | None = None, dtype: DType | None = None) -> Tensor:
    """Logarithm of the softmax along an axis.

        y_i = x_i - log sum_j exp(x_j)      gx = gy - softmax(x) sum_j gy_j

    Computed as (x - m) - log sum exp(x - m) with m = max x, so that no exponential overflows.

    input: any shape of floating-point numbers.
    dim: the axis. None for torch's old choice, with a warning: 0 for one or three axes, else 1.
    dtype: what to convert the input to first, such as np.float32 for integers.
    """
    backend = common_backend(input)
    axis, input = _softmax_input("log_softmax", input, dim, dtype)
    y, saved = backend.log_softmax(input.data, axis)

    def backward(gy):
        return (backend.log_softmax_backward(gy, saved, axis),)

    return Tensor.from_operation(y, backward, input, name="log_softmax")


def _softmax_input(name, input, dim, dtype):
    axis = one_axis(implicit_axis(name, input.ndim) if dim is None else dim, input.ndim)
    input = converted(input, dtype)
    check_dtypes(name, input)
    return axis, input


def softmax(input: Tensor, dim: int | None = None, dtype: DType | None = None) -> Tensor:
    """Probabilities along an axis.

        y_i = exp(x_i) / sum_j exp(x_j)      gx = y (gy - sum_j gy_j y_j)

    input: logits, any shape of floating-point numbers.
    dim: the axis along which the probabilities sum to 1; None as of log_softmax.
    dtype: what to convert the input to first, such as np.float32 for integers.
    """
    backend = common_backend(input)
    axis, input = _softmax_input("softmax", input, dim, dtype)
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
    axes = all_axes(dim, input.ndim, keepdim)
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


def _correction(name, dim, unbiased, correction):
    """(dim, correction) of the calls that torch has: var(dim, unbiased, keepdim), var(unbiased), var(correction=)."""
    if isinstance(dim, bool):
        if unbiased is not None:
            raise TypeError(f"{name}: dim is an axis, a tuple of them or None, got {dim} and unbiased={unbiased}")
        dim, unbiased = None, dim
    if unbiased is None:
        return dim, 1 if correction is None else correction
    if not isinstance(unbiased, bool):
        raise TypeError(f"{name}: unbiased is True or False, got {unbiased!r}: several axes are a tuple, dim=(0, 1)")
    if correction != 1:
        raise TypeError(f"{name} takes unbiased or correction, not both")
    return dim, int(unbiased)


def var(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float = 1,
) -> Tensor:  # fmt: skip
    """Variance over axes.

        y = 1 / (n - correction) sum_i (x_i - mean)^2      gx_i = gy 2 (x_i - mean) / (n - correction)

    input: any shape of floating-point numbers.
    dim: an axis, several, or None for all; True or False in its place, as in torch.var(x, unbiased), is `unbiased`.
    unbiased: True or False for a correction of 1 or 0.
    keepdim: whether reduced axes stay, with length 1.
    correction: 1, or None, for the unbiased estimate, 0 for the variance of these very values.

    Where n <= correction the divisor is 0, as in torch: NaN for a single value, else infinity.
    Raises TypeError where both unbiased and correction are given.
    """
    dim, correction = _correction("var", dim, unbiased, correction)
    check_dtypes("var", input)
    x, axes = input.data, all_axes(dim, input.ndim, keepdim)
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
