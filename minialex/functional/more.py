"""Functions of torch that a reader of the core may skip: shapes, order, norms, further activations and a loss."""

from __future__ import annotations

import itertools
import math
import operator

import numpy as np

from ..tensor import Tensor, check_dtypes, common_backend
from .activation import _result, sigmoid
from .arithmetic import _operands, converted, to, unbroadcast
from .axes import all_axes, keepdims_shape, one_axis
from .loss import _check_reduction
from .reduction import _correction
from .selection import ValuesAndIndices, where
from .shaping import getitem, reshape

# ------------------------------------------------------------------------------------------ the same elements


def squeeze(input, dim=None):
    """Without axes of length 1.

    input: any shape.
    dim: an axis or several, which go if their length is 1; all of that length if None.

    Returns a view.
    """
    axes = range(input.ndim) if dim is None else _named_axes(dim, input.ndim)
    return reshape(input, [n for i, n in enumerate(input.shape) if n != 1 or i not in axes])


def unsqueeze(input, dim):
    """With a new axis of length 1.

    input: any shape.
    dim: where the new axis stands in the result.

    Returns a view.
    """
    axis = one_axis(dim, input.ndim + 1)
    return reshape(input, (*input.shape[:axis], 1, *input.shape[axis:]))


def clone(input, *, memory_format=None):
    """A copy, in C order.

        y = x      gx = gy

    input: any shape.
    memory_format: torch's channels_last, by its name or the object, for images that lie in memory as (N, H, W, C); its
        contiguous_format and preserve_format, and None, for C order.

    Raises ValueError for another format, and for channels_last of other than (N, C, H, W).
    """
    y, xp = input.data, input.backend.xp
    if channels_last(memory_format, input.ndim):
        y = xp.moveaxis(xp.moveaxis(y, 1, -1).copy(), -1, 1)
    else:
        y = y.copy()

    def backward(gy):
        return (gy,)

    return Tensor.from_operation(y, backward, input, name="clone")


def channels_last(memory_format, ndim):
    """Whether a memory_format asks for channels last.

    memory_format: as of clone.
    ndim: axes of the tensor.

    Raises ValueError as clone does.
    """
    name = str(memory_format).removeprefix("torch.")
    if name in ("None", "contiguous_format", "preserve_format"):
        return False
    if name != "channels_last" or ndim != 4:
        raise ValueError(
            f"memory_format={memory_format} of {ndim} axes: there are contiguous_format and, of 4 axes, channels_last"
        )
    return True


def expand(input, sizes):
    """Axes of length 1 stretched, and new ones in front, without a copy.

        y = x, repeated      gx = the sum of gy over what was repeated

    input: any shape.
    sizes: the new shape; -1 for the length that an axis has.

    Returns a view, which cannot be written to. Raises ValueError where an axis of another length than 1 would change.
    """
    old, sizes = input.shape, _whole_numbers(sizes)
    new = len(sizes) - len(old)
    shape = tuple(old[i - new] if n == -1 and i >= new else n for i, n in enumerate(sizes))
    if new < 0 or min(shape, default=0) < 0 or any(m not in (1, n) for m, n in zip(old, shape[new:])):
        raise ValueError(f"expand: a tensor of shape {old} cannot become {sizes}; only axes of length 1 are stretched")
    y = input.data if shape == old else input.backend.xp.broadcast_to(input.data, shape)

    def backward(gy):
        return (unbroadcast(gy, old),)

    return Tensor.from_operation(y, backward, input, view=True, name="expand")


def repeat(input, repeats):
    """Copies of a tensor side by side, as numpy.tile.

        y = x, repeated      gx = the sum of gy over the copies

    input: any shape.
    repeats: how often along each axis; where there are more numbers than axes, new axes stand in front.

    Raises ValueError for a negative number, and for fewer numbers than axes.
    """
    repeats = _whole_numbers(repeats)
    if len(repeats) < input.ndim or min(repeats, default=0) < 0:
        raise ValueError(f"repeat needs a number of copies, 0 or more, for each of {input.ndim} axes, got {repeats}")
    old = input.shape
    lengths = (*[1] * (len(repeats) - len(old)), *old)
    apart = [n for pair in zip(repeats, lengths) for n in pair]  # copies and elements, an axis each

    def backward(gy):
        return (gy.reshape(apart).sum(axis=tuple(range(0, len(apart), 2))).reshape(old),)

    return Tensor.from_operation(input.backend.xp.tile(input.data, repeats), backward, input, name="repeat")


def flip(input, dims):
    """The elements in the opposite order along axes, copied.

        y = x, flipped      gx = gy, flipped

    input: any shape.
    dims: an axis or several.
    """
    xp, axes = input.backend.xp, _named_axes(dims, input.ndim)

    def backward(gy):
        return (xp.flip(gy, axes),)

    return Tensor.from_operation(xp.flip(input.data, axes).copy(), backward, input, name="flip")


def split(tensor, split_size_or_sections, dim=0):
    """Parts along an axis.

    tensor: one or more axes.
    split_size_or_sections: the length of each part, of which the last may be shorter; or a list of all lengths.
    dim: the axis.

    Returns a tuple of views. Raises ValueError where the lengths do not add up to the axis.
    """
    if not tensor.ndim:
        raise ValueError("split and chunk need a tensor with axes, this one is a single number")
    axis = one_axis(dim, tensor.ndim)
    n, sizes = tensor.shape[axis], split_size_or_sections
    if not isinstance(sizes, (tuple, list)):
        size = operator.index(sizes)
        if size < 0 or (n and not size):
            raise ValueError(f"split along axis {dim} of {tensor.shape} needs a length of at least 1, got {sizes}")
        sizes = [min(size, n - start) for start in range(0, n, max(size, 1))] or [0]
    if min(sizes, default=0) < 0 or sum(sizes) != n:
        raise ValueError(f"split along axis {dim} of {tensor.shape}: the lengths {sizes} do not add up to {n}")
    ends = itertools.accumulate(sizes)
    return tuple(getitem(tensor, (*[slice(None)] * axis, slice(e - s, e))) for s, e in zip(sizes, ends))


def chunk(input, chunks, dim=0):
    """At most so many parts along an axis, all of one length but the last.

    input: one or more axes.
    chunks: how many; there are fewer where rounding the length up leaves none for the last.
    dim: the axis.

    Returns a tuple of views. Raises ValueError for fewer than one part.
    """
    if operator.index(chunks) < 1:
        raise ValueError(f"chunk makes one part or more, got chunks={chunks}")
    n = input.shape[one_axis(dim, input.ndim)] if input.ndim else 0
    return split(input, -(-n // chunks) if n else [0] * chunks, dim)


def gather(input, dim, index, *, sparse_grad=False):
    """Elements picked along an axis, for dim = 1 of three axes:

        y[i, j, k] = x[i, index[i, j, k], k]      gx = gy added there

    input: any shape.
    dim: the axis.
    index: whole numbers, a Tensor or array with as many axes, none but `dim` longer than the input's.
    sparse_grad: torch's, False only: gradients are dense.

    Returns a Tensor of the index's shape. Raises IndexError where there is no such element; the cupy backend does not
    check this.
    """
    if sparse_grad:
        raise ValueError("gather: gradients are dense, leave sparse_grad=True out")
    axis, xp = one_axis(dim, input.ndim), input.backend.xp
    index = index if isinstance(index, Tensor) else Tensor(index, backend=input.backend)
    common_backend(input, index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"gather needs an index of whole numbers, got {index.dtype}")
    if not index.numel():
        return reshape(getitem(reshape(input, (-1,)), slice(0, 0)), index.shape)
    if not (index.ndim and input.ndim) and index.ndim + input.ndim < 2:  # a number counts as an axis of length 1
        return reshape(gather(reshape(input, (-1,)), 0, reshape(index, (-1,))), index.shape)
    if index.ndim != input.ndim or any(n > m for i, (n, m) in enumerate(zip(index.shape, input.shape)) if i != axis):
        raise ValueError(f"gather along axis {dim}: an index of shape {index.shape} does not fit into {input.shape}")
    if xp is np and index.data.min() < 0:
        raise IndexError(f"gather takes indices from 0 on, got {index.data.min()}")
    places = [xp.arange(n).reshape(-1, *[1] * (input.ndim - 1 - i)) for i, n in enumerate(index.shape)]
    places[axis] = index.data
    return getitem(input, tuple(places))


def masked_fill(input, mask, value):
    """A number in the place of the elements where a mask is true.

        y = value where mask, else x      gx = 0 where mask, else gy

    input: any shape.
    mask: a bool array or Tensor that broadcasts with the input.
    value: a number, or a Tensor without axes, which receives the sum of gy where mask.

    Raises TypeError where the mask is not bool, or the input's type cannot hold the value.
    """
    shape, xp, dtype = input.shape, input.backend.xp, input.dtype
    if np.ndim(value.data if isinstance(value, Tensor) else value):
        raise ValueError(f"masked_fill takes one value, got shape {tuple(value.shape)}; functional.where takes many")
    if isinstance(value, Tensor):
        return where(mask, to(value, dtype), input)
    hidden = input.backend.asarray(mask.data if isinstance(mask, Tensor) else mask)
    if hidden.dtype != bool:
        raise TypeError(f"masked_fill needs a mask of truth values, got {hidden.dtype}; compare with something first")
    if dtype.kind != "f" and not float(value).is_integer():
        raise TypeError(f"masked_fill: a tensor of {dtype} cannot hold {value}: convert it with .to() first")

    def backward(gy):
        return unbroadcast(xp.where(hidden, dtype.type(0), gy), shape), None

    y = xp.where(hidden, dtype.type(value), input.data)
    watched = mask if isinstance(mask, Tensor) else None  # backward needs it as it is now
    return Tensor.from_operation(y, backward, input, watched, name="masked_fill")


def _named_axes(dim, ndim):
    """The axes that `dim` names, of which () names none."""
    return all_axes(list(dim) if isinstance(dim, (tuple, list)) else [dim], ndim)


def _whole_numbers(sizes):
    return tuple(operator.index(n) for n in sizes)


# ------------------------------------------------------------------------------------------ in order


def argsort(input, dim=-1, descending=False, *, stable=False):
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


def sort(input, dim=-1, descending=False, *, stable=False):
    """Values in ascending order along an axis, and their indices; the gradient goes back to where they were.

    input, dim, descending, stable: as of argsort.

    Returns ValuesAndIndices.
    """
    order = argsort(input, dim, descending)
    return ValuesAndIndices(gather(input, dim, order), order)


def topk(input, k, dim=-1, largest=True, sorted=True):
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


# ------------------------------------------------------------------------------------------ along axes


def cumsum(input, dim, *, dtype=None):
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


def std(input, dim=None, unbiased=None, keepdim=False, *, correction=1):
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


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
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


# ------------------------------------------------------------------------------------------ element by element


def remainder(input, other):
    """Remainder of a division, with the divisor's sign, as Python's %.

        y = a - b floor(a / b)      ga = gy, gb = -gy floor(a / b)

    input, other: Tensors, arrays or numbers that broadcast together.

    Raises ZeroDivisionError where whole numbers are divided by 0.
    """
    left, right = _dividable(input, other)
    a, b, xp = left.data, right.data, left.backend.xp
    with np.errstate(divide="ignore", invalid="ignore"):
        y = xp.remainder(a, b)

    def backward(gy):
        with np.errstate(divide="ignore", invalid="ignore"):
            return unbroadcast(gy, a.shape), unbroadcast(-gy * xp.floor_divide(a, b), b.shape)

    return Tensor.from_operation(y, backward, left, right, name="remainder")


def floor_divide(input, other):
    """Quotient, rounded towards -infinity, as Python's //; without a gradient.

    input, other: Tensors, arrays or numbers that broadcast together.

    Raises ZeroDivisionError where whole numbers are divided by 0.
    """
    a, b = _dividable(input, other)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Tensor(a.backend.xp.floor_divide(a.data, b.data), backend=a.backend)


def _dividable(input, other):
    a, b = _operands(input, other)
    if a.dtype == bool:
        raise TypeError("truth values cannot be divided: convert with .long() first")
    if a.dtype.kind != "f" and bool((b.data == 0).any()):
        raise ZeroDivisionError("a whole number was divided by 0: convert with .float() first, which gives infinity")
    return a, b


def bitwise_and(input, other):
    """Both of two truth values, or the common bits of whole numbers.

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _bitwise(operator.and_, "&", input, other)


def bitwise_or(input, other):
    """Either of two truth values, or the bits of either of whole numbers.

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _bitwise(operator.or_, "|", input, other)


def bitwise_xor(input, other):
    """One of two truth values, or the bits of one of whole numbers.

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _bitwise(operator.xor, "^", input, other)


def bitwise_not(input):
    """The opposite of truth values, or of every bit of whole numbers.

    input: any shape.
    """
    return _bitwise(operator.invert, "~", input)


def _bitwise(compute, sign, *operands):
    tensors = _operands(*operands)
    if tensors[0].dtype.kind == "f":
        raise TypeError(f"{sign} takes truth values or whole numbers, got {tensors[0].dtype}: compare first, (x > 0)")
    return Tensor(compute(*(t.data for t in tensors)), backend=tensors[0].backend)


# ------------------------------------------------------------------------------------------ activations


def gelu(input, approximate="none"):
    """Gaussian error linear unit.

        y = x P(x)      gx = gy (P(x) + x P'(x))

        "none"   P(x) = (1 + erf(x / sqrt(2))) / 2, the share of a normal distribution below x
        "tanh"   P(x) = (1 + tanh(u)) / 2,  u = sqrt(2 / pi) (x + 0.044715 x^3)

    input: any shape of floating-point numbers.
    approximate: "none" or "tanh".

    Hendrycks and Gimpel 2016.
    """
    check_dtypes("gelu", input)
    x, xp = input.data, input.backend.xp
    if approximate == "tanh":
        scale = math.sqrt(2 / math.pi)
        t = xp.tanh(scale * (x + 0.044715 * x**3))
        below = 0.5 * (1 + t)
        slope = 0.5 * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x)
    elif approximate == "none":
        below = 0.5 * _erfc(xp, x * -math.sqrt(0.5))
        slope = xp.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    else:
        raise ValueError(f'gelu: approximate is "none" or "tanh", got {approximate!r}')
    derivative = below + x * slope

    def backward(gy):
        return (gy * derivative,)

    return Tensor.from_operation(x * below, backward, input, name="gelu")


def _log_erfc(t):
    """log(erfc(z) / t) + z^2 where t = 2 / (2 + z): smooth, so that a polynomial has it to the last digit."""
    z = 2 / t - 2
    return np.log([math.erfc(v) for v in z] / t) + z * z


_FIRST = 2 / (2 + 6)  # erfc(6) = 2e-17: beyond, only its size counts
_ERFC = np.polynomial.chebyshev.chebinterpolate(lambda s: _log_erfc((1 + _FIRST + s * (1 - _FIRST)) / 2), 27).tolist()


def _erfc(xp, x):
    """1 - erf(x), which NumPy has not: 2 / sqrt(pi) times the integral of exp(-z^2) from x on."""
    z = xp.abs(x)
    t = 2 / (2 + z)
    s = (2 * t - 1 - _FIRST) / (1 - _FIRST)
    b, before = xp.zeros_like(s), xp.zeros_like(s)
    for coefficient in _ERFC[:0:-1]:  # Clenshaw's sum of Chebyshev polynomials
        b, before = 2 * s * b - before + coefficient, b
    y = t * xp.exp(s * b - before + _ERFC[0] - z * z)
    return xp.where(x < 0, 2 - y, y)


def elu(input, alpha=1.0, inplace=False):
    """Exponential linear unit.

        y = x where x > 0, else alpha (e^x - 1)      gx = gy where x > 0, else gy alpha e^x

    input: any shape of floating-point numbers.
    alpha: minus the limit for x -> -infinity.
    inplace: write the result into the input's array, as `relu` does.
    """
    check_dtypes("elu", input)
    x, xp, alpha = input.data, input.backend.xp, float(alpha)
    negative = xp.minimum(x, x.dtype.type(0))
    y = xp.where(x > 0, x, alpha * xp.expm1(negative))
    slope = xp.where(x > 0, x.dtype.type(1), alpha * xp.exp(negative))
    return _activated(input, y, slope, inplace, "elu")


def silu(input, inplace=False):
    """Sigmoid linear unit, also called swish.

        y = x s(x)      gx = gy (s + x s (1 - s)),   s(x) = 1 / (1 + e^-x)

    input: any shape of floating-point numbers.
    inplace: write the result into the input's array, as `relu` does.
    """
    check_dtypes("silu", input)
    x, s = input.data, sigmoid(input.detach()).data
    return _activated(input, x * s, s * (1 + x * (1 - s)), inplace, "silu")


def softplus(input, beta=1.0, threshold=20.0):
    """A smooth relu.

        y = log(1 + e^(beta x)) / beta      gx = gy / (1 + e^(-beta x))

    input: any shape of floating-point numbers.
    beta: how sharply it bends.
    threshold: beta x from which on y = x and gx = gy.
    """
    check_dtypes("softplus", input)
    x, xp, beta = input.data, input.backend.xp, float(beta)
    linear = beta * x > threshold
    z = xp.where(linear, x.dtype.type(0), beta * x)
    e = xp.exp(-xp.abs(z))  # at most 1, so that nothing overflows
    y = xp.where(linear, x, (xp.maximum(z, x.dtype.type(0)) + xp.log1p(e)) / beta)
    slope = xp.where(linear, x.dtype.type(1), xp.where(z >= 0, 1 / (1 + e), e / (1 + e)))
    return _activated(input, y, slope, False, "softplus")


def _activated(input, y, slope, inplace, name):
    def backward(gy):
        return (gy * slope,)

    return _result(y, backward, input, inplace, name)


# ------------------------------------------------------------------------------------------ classes


def one_hot(tensor, num_classes=-1):
    """1 at the place that a label names, 0 elsewhere.

    tensor: labels, whole numbers of any shape: a Tensor or an array.
    num_classes: how many there are; the largest label and 1 if -1.

    Returns an int64 Tensor (..., num_classes). Raises TypeError for other than whole numbers, ValueError for a label
    that is no class.
    """
    labels = tensor if isinstance(tensor, Tensor) else Tensor(tensor)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot takes labels, which are whole numbers, got {labels.dtype}")
    if num_classes == -1 and not labels.numel():
        raise ValueError("one_hot of no labels: give num_classes")
    low, high = (int(labels.data.min()), int(labels.data.max())) if labels.numel() else (0, -1)
    classes = high + 1 if num_classes == -1 else operator.index(num_classes)
    if low < 0 or high >= classes or classes < 1:
        raise ValueError(f"one_hot: labels from {low} to {high} for {classes} classes, 0 to {classes - 1}")
    y = labels.data[..., None] == labels.backend.xp.arange(classes)
    return Tensor(y.astype(np.int64), backend=labels.backend)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """Sigmoid and the cross-entropy of yes-or-no questions in one, exact for logits of +-1e4 too.

        loss = w ((1 - t) x + l log(1 + e^-x)),   l = 1 + (pos_weight - 1) t
        gx   = gy w ((1 - t) - l s(-x)),          s(-x) = 1 / (1 + e^x)
        gt   = gy w ((pos_weight - 1) log(1 + e^-x) - x)

    input: logits x, any shape.
    target: t, the probability of yes: a Tensor or array of the input's shape.
    weight: w, a Tensor or array that broadcasts to that shape; 1 if None.
    size_average, reduce: torch's old arguments, refused.
    reduction: "mean", "sum" or "none".
    pos_weight: how much a yes counts, likewise; 1 if None.

    Returns the loss in nats. Raises ValueError where the shapes differ.
    """
    name = "binary_cross_entropy_with_logits"
    _check_reduction(size_average, reduce, reduction, name)
    check_dtypes(name, input)
    backend, dtype, shape = input.backend, input.dtype, input.shape
    target = to(target, dtype) if isinstance(target, Tensor) else Tensor(target, dtype=dtype, backend=backend)
    common_backend(input, target)
    if target.shape != shape:
        raise ValueError(f"{name} needs a target of the logits' shape {shape}, got {target.shape}: reshape it")
    xp, x, t = backend.xp, input.data, target.data
    w, positive = (
        xp.ones((), dtype) if v is None else backend.asarray(v.data if isinstance(v, Tensor) else v, dtype)
        for v in (weight, pos_weight)
    )
    e = xp.exp(-xp.abs(x))  # at most 1, so that nothing overflows
    log_term = xp.maximum(-x, dtype.type(0)) + xp.log1p(e)
    factor = 1 + (positive - 1) * t
    losses = w * ((1 - t) * x + factor * log_term)
    if losses.shape != shape:
        raise ValueError(f"{name}: weights of shape {w.shape} and {positive.shape} do not broadcast to {shape}")
    scale = math.nan if not x.size else 1 / x.size
    scale = scale if reduction == "mean" else 1.0

    def backward(gy):
        gy = gy * scale * w
        no = xp.where(x >= 0, e / (1 + e), 1 / (1 + e))
        return gy * ((1 - t) - factor * no), gy * ((positive - 1) * log_term - x)

    y = losses if reduction == "none" else losses.sum() * scale
    return Tensor.from_operation(y, backward, input, target, name="binary_cross_entropy_with_logits")
