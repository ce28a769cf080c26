"""Python's further operators: %, //, &, |, ^, ~."""

from __future__ import annotations

import operator

import numpy as np

from ...tensor import Operand, Tensor
from ..arithmetic import _operands, unbroadcast


def remainder(input: Operand, other: Operand) -> Tensor:
    """Remainder of a division, with the divisor's sign, as Python's %.

        y = a - b floor(a / b)      ga = gy, gb = -gy floor(a / b)

    input, other: Tensors, arrays or numbers that broadcast together.

    Raises ValueError where whole numbers are divided by 0.
    """
    left, right = _dividable("remainder", input, other)
    a, b, xp = left.data, right.data, left.backend.xp
    with np.errstate(divide="ignore", invalid="ignore"):
        y = xp.remainder(a, b)

    def backward(gy):
        with np.errstate(divide="ignore", invalid="ignore"):
            return unbroadcast(gy, a.shape), unbroadcast(-gy * xp.floor_divide(a, b), b.shape)

    return Tensor.from_operation(y, backward, left, right, name="remainder")


def floor_divide(input: Operand, other: Operand) -> Tensor:
    """Quotient, rounded towards -infinity, as Python's //; without a gradient.

    input, other: Tensors, arrays or numbers that broadcast together.

    Raises ValueError where whole numbers are divided by 0.
    """
    a, b = _dividable("floor_divide", input, other)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Tensor(a.backend.xp.floor_divide(a.data, b.data), backend=a.backend)


def _dividable(name, input, other):
    a, b = _operands(input, other, name=name)
    if a.dtype == bool:
        raise TypeError("truth values cannot be divided: convert with .long() first")
    if a.dtype.kind != "f" and bool((b.data == 0).any()):
        raise ValueError("a whole number was divided by 0: convert with .float() first, which gives infinity")
    return a, b


def bitwise_and(input: Operand, other: Operand) -> Tensor:
    """Both of two truth values, or the common bits of whole numbers.

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _bitwise(operator.and_, "&", input, other)


def bitwise_or(input: Operand, other: Operand) -> Tensor:
    """Either of two truth values, or the bits of either of whole numbers.

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _bitwise(operator.or_, "|", input, other)


def bitwise_xor(input: Operand, other: Operand) -> Tensor:
    """One of two truth values, or the bits of one of whole numbers.

    input, other: Tensors, arrays or numbers that broadcast together.
    """
    return _bitwise(operator.xor, "^", input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """The opposite of truth values, or of every bit of whole numbers.

    input: any shape.
    """
    return _bitwise(operator.invert, "~", input)


def _bitwise(compute, sign, *operands):
    tensors = _operands(*operands, name=sign)
    if tensors[0].dtype.kind == "f":
        raise TypeError(f"{sign} takes truth values or whole numbers, got {tensors[0].dtype}: compare first, (x > 0)")
    return Tensor(compute(*(t.data for t in tensors)), backend=tensors[0].backend)
