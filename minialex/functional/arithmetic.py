"""Element-wise arithmetic with broadcasting, and the matrix product."""

from __future__ import annotations

import numpy as np

from .. import backends
from ..support.mistakes import broadcast, check_broadcast
from ..support.types import Any, DType, Shape
from ..tensor import Operand, Tensor, common_backend
from . import unusual


def unbroadcast(gradient: Any, shape: Shape) -> Any:
    """Sum a gradient over the axes that broadcasting had repeated, so that it has its operand's shape again.

    Broadcasting copies a value along new and stretched axes; the gradient of a copied value is the sum over its copies.

    gradient: an array of the broadcast shape.
    shape: of the operand.

    Returns an array of that shape: the gradient itself where nothing was broadcast.
    """
    new = gradient.ndim - len(shape)
    stretched = tuple(new + i for i, n in enumerate(shape) if n == 1 and gradient.shape[new + i] != 1)
    axes = (*range(new), *stretched)
    return gradient.sum(axis=axes, keepdims=True).reshape(shape) if axes else gradient


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}
_NUMBERS = {"b": np.bool_, "u": np.int64, "i": np.int64, "f": np.float32}


def _operands(*operands, name=None, fractions=False):
    """The operands as tensors of one backend and one dtype.

    name: of the operation, if their shapes must broadcast together.
    fractions: whether the dtype must be a floating-point one.
    """
    tensors = [x for x in operands if isinstance(x, Tensor)]
    backend = common_backend(*tensors) if tensors else backends.get_backend()
    dtype = _common_dtype(backend, operands)
    if fractions and dtype.kind != "f":
        dtype = np.dtype(np.float32)
    made = [x if isinstance(x, Tensor) else Tensor(x, dtype=dtype, backend=backend) for x in operands]
    if name:
        check_broadcast(name, *(x.shape for x in made))
    return [x if x.dtype == dtype else to(x, dtype) for x in made]


def _common_dtype(backend, operands):
    """torch's rule: floats win over integers, integers over truth values, and of one kind the wider wins.

    Arrays without axes, and after them plain numbers, count only where they are of a higher kind than the rest.
    """
    ranks: tuple = ([], [], [])
    for x in operands:
        array = x if isinstance(x, Tensor) else backend.asarray(x)
        if isinstance(x, (bool, int, float, np.generic)):
            ranks[2].append(np.dtype(_NUMBERS[array.dtype.kind]))
        else:
            ranks[0 if array.ndim else 1].append(array.dtype)
    kind, dtype = -1, None
    for dtypes in ranks:
        highest = max((_KINDS[d.kind] for d in dtypes), default=-1)
        if highest > kind:
            kind, dtype = highest, np.result_type(*(d for d in dtypes if _KINDS[d.kind] == highest))
    return dtype


def floating(input: Tensor) -> Tensor:
    """The tensor itself, or converted to float32 where it holds integers, as torch does before an exponential.

    input: any shape.
    """
    common_backend(input)
    return input if input.dtype.kind == "f" else to(input, np.float32)


def converted(input: Tensor, dtype: DType | None) -> Tensor:
    """The tensor as it is, or converted to a dtype: the `dtype=` of other functions.

    input: any shape.
    dtype: a dtype, or None to leave it.

    Raises TypeError where a gradient would be lost in integers.
    """
    y = input if dtype is None else to(input, dtype)
    if y.dtype.kind != "f" and input.records_grad:
        raise TypeError(f"dtype={y.dtype} has no gradient: detach() the tensor first, if that is meant")
    return y


def add(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """Sum.

        y = a + alpha b      ga = gy, gb = alpha gy

    input, other: Tensors, arrays or numbers that broadcast together.
    alpha: a number.
    """
    a, b = _operands(input, other, name="add")
    shape_a, shape_b = a.shape, b.shape
    alpha = alpha if alpha == 1 else _alpha(alpha, b.dtype)
    y = a.data + b.data if alpha == 1 else a.data + alpha * b.data

    def backward(gy):
        return unbroadcast(gy, shape_a), unbroadcast(gy if alpha == 1 else alpha * gy, shape_b)

    return Tensor.from_operation(y, backward, a, b, name="add")


def _alpha(alpha, dtype):
    """alpha as a factor for an array: of whole numbers a whole number, which wraps around as they do."""
    if dtype.kind == "f":
        return alpha
    if not isinstance(alpha, (int, np.integer)):
        raise TypeError(f"alpha={alpha} goes with floating-point numbers, these are {dtype}: convert with .float()")
    return np.array(alpha).astype(dtype)[()]


def _check_no_truth(sign, x):
    if x.dtype.kind == "b":
        raise TypeError(f"{sign} of truth values: ~x is the opposite, x ^ y where they differ, x.long() are numbers")


def sub(input: Operand, other: Operand, *, alpha: float = 1) -> Tensor:
    """Difference.

        y = a - alpha b      ga = gy, gb = -alpha gy

    input, other: Tensors, arrays or numbers that broadcast together.
    alpha: a number.
    """
    a, b = _operands(input, other, name="sub")
    shape_a, shape_b = a.shape, b.shape
    alpha = alpha if alpha == 1 else _alpha(alpha, b.dtype)
    _check_no_truth("-", a)
    y = a.data - b.data if alpha == 1 else a.data - alpha * b.data

    def backward(gy):
        return unbroadcast(gy, shape_a), unbroadcast(-alpha * gy, shape_b)

    return Tensor.from_operation(y, backward, a, b, name="sub")


def mul(input: Operand, other: Operand) -> Tensor:
    """Product.

        y = a b      ga = gy b, gb = gy a

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    left, right = _operands(input, other, name="mul")
    shape_a, shape_b = left.shape, right.shape
    a = left.data if right.requires_grad else None  # what the other's gradient does not need is not kept
    b = right.data if left.requires_grad else None

    def backward(gy):
        ga = None if b is None else unbroadcast(gy * b, shape_a)
        gb = None if a is None else unbroadcast(gy * a, shape_b)
        return ga, gb

    return Tensor.from_operation(left.data * right.data, backward, left, right, name="mul")


def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """Quotient.

        y = a / b      ga = gy / b, gb = -gy a / b^2

    input, other: Tensors, arrays or numbers that broadcast together; integers become float32.
    rounding_mode: "floor" rounds down, "trunc" towards 0: integers stay integers then, and the gradient is 0.
    """
    if rounding_mode is not None:
        return unusual.div(input, other, rounding_mode)
    left, right = _operands(input, other, name="div", fractions=True)
    a, b, shape_a = left.data, right.data, left.shape
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        y = a / b

    def backward(gy):
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            return unbroadcast(gy / b, shape_a), unbroadcast(-gy * y / b, b.shape)

    return Tensor.from_operation(y, backward, left, right, name="div")


def neg(input: Tensor) -> Tensor:
    """Negative.

        y = -x      gx = -gy

    input: any shape.
    """
    _check_no_truth("-", input)

    def backward(gy):
        return (-gy,)

    return Tensor.from_operation(-input.data, backward, input, name="neg")


def pow(input: Operand, exponent: Operand) -> Tensor:
    """Power.

        y = a^b      ga = gy b a^(b-1), gb = gy a^b ln(a)

    input, exponent: Tensors, arrays or numbers that broadcast together.

    As in torch, ga is 0 where b = 0, and gb is 0 where a = 0 and b >= 0.
    """
    left, right = _operands(input, exponent, name="pow")
    if left.dtype.kind != "f":
        return unusual.pow(left, right, not hasattr(exponent, "dtype"))
    a, b, xp = left.data, right.data, left.backend.xp
    needs_a, needs_b = left.requires_grad, right.requires_grad
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        y = a**b

    def backward(gy):
        ga = gb = None
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            if needs_a:
                ga = unbroadcast(xp.where(b == 0, a.dtype.type(0), gy * b * a ** (b - 1)), a.shape)
            if needs_b:
                gb = unbroadcast(xp.where((a == 0) & (b >= 0), a.dtype.type(0), gy * y * xp.log(a)), b.shape)
        return ga, gb

    return Tensor.from_operation(y, backward, left, right, name="pow")


def exp(input: Tensor) -> Tensor:
    """Exponential.

        y = e^x      gx = gy y

    input: any shape; integers become float32.
    """
    input = floating(input)
    with np.errstate(over="ignore"):
        y = input.backend.xp.exp(input.data)

    def backward(gy):
        return (gy * y,)

    return Tensor.from_operation(y, backward, input, name="exp")


def log(input: Tensor) -> Tensor:
    """Natural logarithm: -inf at 0 and NaN below, as in torch.

        y = ln(x)      gx = gy / x

    input: any shape; integers become float32.
    """
    input = floating(input)
    x, xp = input.data, input.backend.xp
    with np.errstate(divide="ignore", invalid="ignore"):
        y = xp.log(x)

    def backward(gy):
        with np.errstate(divide="ignore", invalid="ignore"):
            return (gy / x,)

    return Tensor.from_operation(y, backward, input, name="log")


def sqrt(input: Tensor) -> Tensor:
    """Square root: NaN below 0, as in torch.

        y = x^(1/2)      gx = gy / (2 y)

    input: any shape; integers become float32.
    """
    input = floating(input)
    with np.errstate(invalid="ignore"):
        y = input.backend.xp.sqrt(input.data)

    def backward(gy):
        with np.errstate(divide="ignore", invalid="ignore"):
            return (gy / (2 * y),)

    return Tensor.from_operation(y, backward, input, name="sqrt")


def matmul(input: Operand, other: Operand) -> Tensor:
    """Matrix product.

        Y = A B      gA = gY B^T, gB = A^T gY

    input: (..., n, k); a vector (k,) stands for a row.
    other: (..., k, m); a vector (k,) stands for a column.

    Returns (..., n, m), where the leading axes broadcast and a vector's axis is left out. Raises ValueError where the k
    differ.
    """
    left, right = _operands(input, other)
    a, b = left.data, right.data
    if not a.ndim or not b.ndim or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(
            f"matmul of {a.shape} and {b.shape}: the last axis of the first must be as long as the last but one "
            "of the second"
        )
    if not broadcast(a.shape[:-2], b.shape[:-2]):
        raise ValueError(f"matmul of {a.shape} and {b.shape}: the axes before the last two must be equal or 1")
    needs_a, needs_b = left.requires_grad, right.requires_grad
    row, column = a.ndim == 1, b.ndim == 1

    def backward(gy):
        if column:
            gy = gy[..., None]
        if row:
            gy = gy[..., None, :]
        rows, columns = (a[None] if row else a), (b[:, None] if column else b)
        ga = gb = None
        if needs_a:
            ga = unbroadcast(gy @ columns.swapaxes(-1, -2), rows.shape).reshape(a.shape)
        if needs_b:
            gb = unbroadcast(rows.swapaxes(-1, -2) @ gy, columns.shape).reshape(b.shape)
        return ga, gb

    return Tensor.from_operation(a @ b, backward, left, right, name="matmul")


def to(input: Tensor, target: Any) -> Tensor:
    """The same values in another dtype or on another backend.

        y = x      gx = gy, moved back

    input: any shape.
    target: a dtype, a backend, or the name of one.

    Returns the input itself where there is nothing to change; a dtype of integers ends the gradient. Raises ValueError
    for any other target.
    """
    home, dtype = input.backend, input.dtype
    if hasattr(target, "asarray") or backends.is_name(target):
        away = backends.get_backend(target)
        moved = away.asarray(home.to_numpy(input.data))
    else:
        try:
            named = str(target).startswith("torch.")  # one of torch's own means NumPy's of the same name
            wanted = np.dtype(str(target).removeprefix("torch.") if named else target)
        except TypeError:
            known = ", ".join(backends.available())
            raise ValueError(f"cannot move to {target!r}: it is no dtype, and the backends are {known}") from None
        away, moved = home, home.asarray(input.data, wanted)
        if moved.dtype.kind != "f":
            return Tensor(moved, backend=home)

    def backward(gy):
        return (home.asarray(away.to_numpy(gy)).astype(dtype, copy=False),)

    if moved is input.data and away is home:
        return input
    return Tensor.from_operation(moved, backward, input, view=moved is input.data, backend=away, name="to")
