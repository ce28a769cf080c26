"""Activation functions and dropout."""

from __future__ import annotations

from .. import random
from ..support.types import Any
from ..tensor import Tensor, check_dtypes, common_backend
from .arithmetic import floating


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Rectified linear unit.

        y = max(x, 0)      gx = gy where y > 0, else 0

    input: any shape.
    inplace: write the result into the input's array, as torch does: saves a pass over memory and an array.

    Returns a Tensor of the input's shape. Raises RuntimeError in backward where inplace overwrote a value that the
    operation before needs, and at once on a leaf that requires a gradient.
    Nair and Hinton 2010; Krizhevsky et al. 2012, section 3.1.
    """
    backend = common_backend(input)
    if inplace:
        input.check_in_place("relu")
    y = backend.relu(input.data, out=input.data if inplace else None)

    def backward(gy):
        return (backend.relu_backward(gy, y),)

    if inplace:
        return input.rewritten_by(backward, name="relu")
    return Tensor.from_operation(y, backward, input, name="relu")


def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent.

        y = tanh(x)      gx = gy (1 - y^2)

    input: any shape; integers become float32.
    """
    input = floating(input)
    y = input.backend.xp.tanh(input.data)

    def backward(gy):
        return (gy * (1 - y * y),)

    return Tensor.from_operation(y, backward, input, name="tanh")


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, *, inverted: bool = True,
    generator: Any = None,
) -> Tensor:  # fmt: skip
    """Zero each element with probability p, in training.

                       in training          in evaluation
        inverted       y = x m / (1 - p)    y = x              torch, Keras
        not inverted   y = x m              y = x (1 - p)      Krizhevsky et al. 2012, section 4.2

        m_i = 1 with probability 1 - p, else 0      gx = gy times whatever multiplied x

    input: any shape.
    p: probability from 0 to 1 that an element is dropped.
    training: whether to drop; False computes what evaluation uses.
    inplace: write the result into the input's array, as `relu` does.
    inverted: whether to scale in training rather than in evaluation.
    generator: a random.Generator that the mask comes from; random.default_generator if None.

    Returns a Tensor of the input's shape. The mask depends on (seed, call) of the generator alone and is drawn again in
    backward, so nothing is stored. Raises ValueError where p is not a probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout's p is a probability from 0 to 1, got {p}")
    backend, keep = common_backend(input), 1 - p
    if inverted and not training:
        return input
    check_dtypes("dropout", input)
    if training and p > 0:
        generator = generator or random.default_generator
        seed, call = generator.seed, generator.next_call()
        first = generator.elements_before(input.shape)
        scale = 1 / keep if inverted and keep > 0 else 1.0

        def masked(x):
            return backend.dropout(x, keep, scale, seed, call, *first)
    elif p == 0:
        return input
    else:

        def masked(x):
            return x * x.dtype.type(keep)

    def backward(gy):
        return (masked(gy),)

    return _result(masked(input.data), backward, input, inplace, "dropout")


def _result(y, backward, input, inplace, name):
    """The result of an operation of one input, as a Tensor of its own or in the place of the input."""
    if inplace:
        input.check_in_place(name)
        input.data[...] = y
        return input.rewritten_by(backward, name=name)
    return Tensor.from_operation(y, backward, input, name=name)


def sigmoid(input: Tensor) -> Tensor:
    """Logistic function.

        y = 1 / (1 + e^-x)      gx = gy y (1 - y)

    input: any shape; integers become float32.
    """
    input = floating(input)
    xp, x = input.backend.xp, input.data
    e = xp.exp(-xp.abs(x))  # at most 1, so that nothing overflows
    y = xp.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype, copy=False)

    def backward(gy):
        return (gy * y * (1 - y),)

    return Tensor.from_operation(y, backward, input, name="sigmoid")


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """ReLU with a small slope for negative values.

        y = x where x > 0, else negative_slope x      gx = gy where x > 0, else negative_slope gy

    input: any shape.
    negative_slope: the slope below 0.
    inplace: write the result into the input's array, as `relu` does.

    Raises ValueError for a negative slope with inplace, as torch does.
    """
    check_dtypes("leaky_relu", input)
    x, xp = input.data, input.backend.xp
    if inplace and negative_slope < 0:
        raise ValueError(f"leaky_relu in place needs a slope of at least 0, got {negative_slope}")
    positive = x > 0
    slope = x.dtype.type(negative_slope)
    y = xp.where(positive, x, slope * x)

    def backward(gy):
        return (xp.where(positive, gy, slope * gy),)

    return _result(y, backward, input, inplace, "leaky_relu")
