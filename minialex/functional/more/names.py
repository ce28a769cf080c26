"""torch's names of what an operator, an index or another function does here, and of what NumPy does to each element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...support.types import Dims
from ...tensor import Operand, Tensor
from ..arithmetic import div, floating, matmul, mul, to
from ..axes import all_axes, keepdims_shape, one_axis
from ..selection import clamp
from ..shaping import cat, flatten, getitem, permute, reshape
from .reduction import norm
from .shaping import expand, unsqueeze

# ------------------------------------------------------------------------------------------ comparisons


def eq(input: Tensor, other: Operand) -> Tensor:
    """input == other, element by element; without a gradient. input, other: a Tensor, and what broadcasts with it."""
    return input == other


def ne(input: Tensor, other: Operand) -> Tensor:
    """input != other, element by element; without a gradient. input, other: as of eq."""
    return input != other


def lt(input: Tensor, other: Operand) -> Tensor:
    """input < other, element by element; without a gradient. input, other: as of eq."""
    return input < other


def le(input: Tensor, other: Operand) -> Tensor:
    """input <= other, element by element; without a gradient. input, other: as of eq."""
    return input <= other


def gt(input: Tensor, other: Operand) -> Tensor:
    """input > other, element by element; without a gradient. input, other: as of eq."""
    return input > other


def ge(input: Tensor, other: Operand) -> Tensor:
    """input >= other, element by element; without a gradient. input, other: as of eq."""
    return input >= other


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two Tensors have one shape and equal elements: True or False. input, other: Tensors."""
    return input.shape == other.shape and bool((input == other).all())


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are equal to rounding: |a - b| <= atol + rtol |b|; True or False.

    input, other: Tensors that broadcast together.
    rtol, atol: the relative and the absolute tolerance.
    equal_nan: whether NaN equals NaN.
    """
    return bool(np.allclose(input.numpy(), other.numpy(), rtol, atol, equal_nan))


def isnan(input: Tensor) -> Tensor:
    """Whether each element is NaN. input: any shape."""
    return _tested("isnan", input)


def isinf(input: Tensor) -> Tensor:
    """Whether each element is infinite. input: any shape."""
    return _tested("isinf", input)


def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither NaN nor infinite. input: any shape."""
    return _tested("isfinite", input)


def _tested(name, input):
    return Tensor(getattr(input.backend.xp, name)(input.data), backend=input.backend)


# ------------------------------------------------------------------------------------------ element by element


def square(input: Tensor) -> Tensor:
    """x * x. input: any shape; truth values become int64."""
    return input * input if input.dtype != bool else to(input, np.int64)


def reciprocal(input: Tensor) -> Tensor:
    """1 / x. input: any shape; integers become float32."""
    return 1 / floating(input)


def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(x). input: any shape; integers become float32."""
    return floating(input) ** -0.5


def sin(input: Tensor) -> Tensor:
    """Sine.

        y = sin(x)      gx = gy cos(x)

    input: any shape; integers become float32.
    """
    input = floating(input)
    x, xp = input.data, input.backend.xp

    def backward(gy):
        return (gy * xp.cos(x),)

    return Tensor.from_operation(xp.sin(x), backward, input, name="sin")


def cos(input: Tensor) -> Tensor:
    """Cosine.

        y = cos(x)      gx = -gy sin(x)

    input: any shape; integers become float32.
    """
    input = floating(input)
    x, xp = input.data, input.backend.xp

    def backward(gy):
        return (-gy * xp.sin(x),)

    return Tensor.from_operation(xp.cos(x), backward, input, name="cos")


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1, in the type of the input, 0 of NaN; its gradient is 0. input: any shape of numbers."""
    x = input.data
    if x.dtype.kind == "b":
        return _step(x.copy(), input, "sign")
    return _step((x > 0).astype(x.dtype) - (x < 0).astype(x.dtype), input, "sign")


def floor(input: Tensor) -> Tensor:
    """The next whole number below; its gradient is 0. input: any shape of numbers."""
    return _rounded("floor", input)


def ceil(input: Tensor) -> Tensor:
    """The next whole number above; its gradient is 0. input: any shape of numbers."""
    return _rounded("ceil", input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number of so many decimals, of two the even one; its gradient is 0.

    input: any shape of numbers.
    decimals: 0 for whole numbers, below 0 for tens, hundreds ...
    """
    if not decimals or input.dtype.kind != "f":
        return _rounded("rint", input)
    scale = 10.0 ** abs(decimals)
    larger, back = (mul, div) if decimals > 0 else (div, mul)
    return back(_rounded("rint", larger(input, scale)), scale)


def _rounded(name, input):
    x = input.data
    return _step(getattr(input.backend.xp, name)(x) if x.dtype.kind == "f" else x.copy(), input, name)


def _step(y, input, name):
    """A function that is constant in pieces: it passes 0 on, as torch's does, rather than no gradient."""
    zeros_like = input.backend.xp.zeros_like
    return Tensor.from_operation(y, lambda gy: (zeros_like(gy),), input, name=name)


# ------------------------------------------------------------------------------------------ matrices


def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector or number as it is. input: at most two axes. Returns a view."""
    if input.ndim > 2:
        raise ValueError(f"t takes a matrix, got {input.ndim} axes: use transpose or permute")
    return permute(input, range(input.ndim)[::-1])


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices. input, mat2: (n, m) and (m, p)."""
    return _product("mm", input, mat2, 2)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of many pairs of matrices. input, mat2: (b, n, m) and (b, m, p)."""
    if input.shape[:1] != mat2.shape[:1]:
        raise ValueError(f"bmm takes as many matrices as matrices, got {input.shape} and {mat2.shape}")
    return _product("bmm", input, mat2, 3)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The scalar product of two vectors. input, tensor: of one length, one axis each."""
    return _product("dot", input, tensor, 1)


def _product(name, a, b, axes):
    if (a.ndim, b.ndim) != (axes, axes):
        raise ValueError(f"{name} takes two tensors of {axes} axes, got {a.shape} and {b.shape}: @ broadcasts")
    return matmul(a, b)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every product of an element of one vector and one of the other. input, vec2: (n,) and (m,). Returns (n, m)."""
    if (input.ndim, vec2.ndim) != (1, 1):
        raise ValueError(f"outer takes two vectors, got {input.shape} and {vec2.shape}")
    return unsqueeze(input, 1) * vec2


def normalize(input: Tensor, p: float = 2.0, dim: Dims = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along an axis divided by their norm.

        y = x / max(|x|_p, eps)

    input: floating-point numbers.
    p: of the norm.
    dim: the axis.
    eps: keeps the divisor above 0.
    """
    return input / clamp(norm(input, p, dim, True), min=eps)


# ------------------------------------------------------------------------------------------ along axes


def amax(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Largest value over axes; equal ones share the gradient, where max gives it to the first.

        y = max_i x_i      gx_i = gy / n where x_i = y, of which there are n; else 0

    input: any shape.
    dim: an axis or several, all if ().
    keepdim: whether reduced axes stay, with length 1.
    """
    return _extreme("amax", input, dim, keepdim)


def amin(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
    """Smallest value over axes; otherwise as amax. input, dim, keepdim: as of amax."""
    return _extreme("amin", input, dim, keepdim)


def _extreme(name, input, dim, keepdim):
    x, axes = input.data, all_axes(dim, input.ndim)
    y = getattr(input.backend.xp, name)(x, axis=axes, keepdims=True)
    shape = tuple(n for i, n in enumerate(y.shape) if keepdim or i not in axes)
    full_shape = keepdims_shape(x.shape, axes)

    def backward(gy):
        here = (x == y).astype(gy.dtype)
        return (gy.reshape(full_shape) * here / here.sum(axis=axes, keepdims=True),)

    return Tensor.from_operation(y.reshape(shape), backward, input, name=name)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the largest value; see Tensor.argmax. input: a Tensor. dim, keepdim: as there."""
    return input.argmax(dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the smallest value; see Tensor.argmax. input: a Tensor. dim, keepdim: as there."""
    return input.argmin(dim, keepdim)


def all(input: Tensor, dim: Dims | None = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are true, or not 0; see Tensor.all. input: a Tensor. dim, keepdim: as there."""
    return input.all(dim, keepdim)


def any(input: Tensor, dim: Dims | None = None, keepdim: bool = False) -> Tensor:
    """Whether any element is true, or not 0; see Tensor.any. input: a Tensor. dim, keepdim: as there."""
    return input.any(dim, keepdim)


def bincount(input: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 on occurs.

    input: (n,), whole numbers from 0 on.
    weights: (n,), what each counts; 1 if None.
    minlength: the smallest length of the result.

    Returns int64, or with weights floating-point numbers.
    """
    if input.ndim != 1 or input.dtype.kind not in "iu":
        raise TypeError(f"bincount takes a vector of whole numbers, got {input.dtype} of shape {input.shape}")
    if weights is not None and weights.requires_grad:
        raise RuntimeError("bincount has no gradient: pass weights.detach()")
    w = None if weights is None else weights.data
    y = input.backend.xp.bincount(input.data, w, minlength)
    return Tensor(
        y if w is None else y.astype(np.float32 if w.dtype == np.float32 else np.float64), backend=input.backend
    )


# ------------------------------------------------------------------------------------------ parts


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The tuple of the parts input[:, i], without the axis. input: a Tensor. dim: the axis. Returns views."""
    axis = one_axis(dim, input.ndim)
    return tuple(getitem(input, (*[slice(None)] * axis, i)) for i in range(input.shape[axis]))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The parts of an axis that an index names.

    input: one or more axes.
    dim: the axis.
    index: (n,), whole numbers.
    """
    if index.ndim > 1 or index.dtype.kind not in "iu":
        raise TypeError(f"index_select takes a vector of whole numbers, got {index.dtype} of shape {index.shape}")
    axis = one_axis(dim, input.ndim)
    if not input.ndim:  # counts as an axis of length 1
        return reshape(getitem(reshape(input, (1,)), index), ())
    return getitem(input, (*[slice(None)] * axis, index))


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a mask is true, one after another. input, mask: Tensors that broadcast together."""
    shape = np.broadcast_shapes(input.shape, mask.shape)
    return getitem(expand(input, shape), expand(mask, shape))


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: along axis 1, vectors along axis 0. tensors: Tensors."""
    tensors = [flatten(x) if x.ndim == 0 else x for x in tensors]
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors one below the other: along axis 0, a vector as a row. tensors: Tensors."""
    return cat([unsqueeze(flatten(x), 0) if x.ndim < 2 else x for x in tensors], 0)
