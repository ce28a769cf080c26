"""Running sums, standard deviation and norms."""

from __future__ import annotations

import math

import numpy as np

from ...support.types import Dims, DType
from ...tensor import Tensor, check_dtypes
from ..arithmetic import converted
from ..axes import all_axes, keepdims_shape, one_axis
from ..reduction import _correction


def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Running sum along an axis.

        y_i = x_0 + ... + x_i      gx_i = gy_i + ... + gy_n, the running sum from the end

    input: any shape; integers are summed as int64.
    dim: the axis.
    dtype: what to convert the input to first.
    """
    input = converted(input, dtype)
    xp, axis, old = input.backend.xp, one_axis(dim, input.ndim), input.shape
    shape = old or (1,)
    dtype = input.dtype if dtype is not None else None if input.dtype.kind == "f" else np.int64

    def backward(gy):
        from_the_end = xp.cumsum(xp.flip(gy.reshape(shape), axis), axis=axis)
        return (xp.flip(from_the_end, axis).reshape(old),)

    y = xp.cumsum(input.data.reshape(shape), axis=axis, dtype=dtype).reshape(old)
    return Tensor.from_operation(y, backward, input, name="cumsum")


def std(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float = 1,
) -> Tensor:  # fmt: skip
    """Standard deviation over axes.

        y = sqrt(1 / (n - correction) sum_i (x_i - mean)^2)
        gx_i = gy (x_i - mean) / ((n - correction) y), 0 where y = 0, as in torch

    input: any shape of floating-point numbers.
    dim: an axis, several, or None for all; True or False in its place, as in torch.std(x, unbiased), is `unbiased`.
    unbiased: True or False for a correction of 1 or 0.
    keepdim: whether reduced axes stay, with length 1.
    correction: 1, or None, for the unbiased estimate, 0 for the standard deviation of these very values.

    Where n <= correction the divisor is 0: NaN for a single value, else infinity.
    Raises TypeError where both unbiased and correction are given.
    """
    dim, correction = _correction("std", dim, unbiased, correction)
    check_dtypes("std", input)
    x, axes, xp = input.data, all_axes(dim, input.ndim, keepdim), input.backend.xp
    full_shape = keepdims_shape(x.shape, axes)
    n = math.prod(x.shape[a] for a in axes)
    divisor = x.dtype.type(max(n - correction, 0))
    centred = x - x.sum(axis=axes, keepdims=True) / max(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = xp.sqrt((centred * centred).sum(axis=axes, keepdims=True) / divisor)

    def backward(gy):
        with np.errstate(divide="ignore", invalid="ignore"):
            gx = gy.reshape(full_shape) * centred / (divisor * y)
        return (xp.where(y == 0, y.dtype.type(0), gx),)

    shape = full_shape if keepdim else [n for i, n in enumerate(x.shape) if i not in axes]
    return Tensor.from_operation(y.reshape(shape), backward, input, name="std")


def norm(
    input: Tensor, p: float | str = "fro", dim: Dims | None = None, keepdim: bool = False, out: None = None,
    dtype: DType | None = None,
) -> Tensor:  # fmt: skip
    """Norm of all elements, or along axes.

        y = (sum_i |x_i|^p)^(1/p)      gx_i = gy sign(x_i) (|x_i| / y)^(p - 1), 0 where y = 0, as in torch

        p = inf, -inf   the largest |x_i|, the smallest; equal ones share the gradient
        p = 0           how many x_i are not 0; gradient 0

    input: floating-point numbers, any shape.
    p: a number; "fro" is 2.
    dim: an axis, several, or None for all.
    keepdim: whether reduced axes stay, with length 1.
    out: torch's, refused.
    dtype: what to convert the input to first.

    Raises ValueError for another word than "fro", and for no elements where p is infinite or negative.
    """
    if out is not None:
        raise ValueError("norm writes into no tensor: leave out= out, and write out.copy_(norm(x)) instead")
    check_dtypes("norm", input)
    input = converted(input, dtype)
    check_dtypes("norm", input)
    if isinstance(p, str) and p != "fro":
        raise ValueError(f'norm takes a number or "fro" as p, got {p!r}')
    p = 2.0 if p in ("fro", None) else float(p)
    x, axes, xp = input.data, all_axes(dim, input.ndim, keepdim), input.backend.xp
    full_shape, zero = keepdims_shape(x.shape, axes), x.dtype.type(0)
    size = xp.abs(x)
    if (math.isinf(p) or p < 0) and not all(x.shape[a] for a in axes):
        raise ValueError(f"norm with p={p} over axes without elements, of shape {x.shape}")
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if math.isinf(p):
            y = (size.max if p > 0 else size.min)(axis=axes, keepdims=True)
        elif p == 0:
            y = (x != 0).sum(axis=axes, keepdims=True, dtype=x.dtype)
        elif p == 2:
            y = xp.sqrt((x * x).sum(axis=axes, keepdims=True))
        else:
            y = (size**p).sum(axis=axes, keepdims=True) ** (1 / p)

    def backward(gy):
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if math.isinf(p):
                ties = (size == y) | (x != x)  # where there is a NaN, y is NaN and equals nothing
                share = ties / ties.sum(axis=axes, keepdims=True, dtype=x.dtype)
            elif p == 0:
                share = xp.zeros_like(x)
            else:
                flat = (y == 0) | (x == 0) if p < 1 else y == 0
                share = xp.where(flat, zero, (size / y) ** (p - 1))
            return (gy.reshape(full_shape) * xp.sign(x) * share,)

    shape = full_shape if keepdim else [n for i, n in enumerate(x.shape) if i not in axes]
    return Tensor.from_operation(y.reshape(shape), backward, input, name="norm")
