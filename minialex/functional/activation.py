"""Non-linearities and dropout."""

from __future__ import annotations

from .. import random
from ..tensor import Tensor


def relu(input, inplace=False):
    """Rectified linear unit.   y = max(x, 0)      gx = gy where y > 0, else 0.

    inplace: write over x, as torch does: saves a pass and an array where the operation that made x does not
    need it again (backward raises RuntimeError where it does).
    """
    backend = input.backend
    if inplace:
        input.check_in_place("relu")
    y = backend.relu(input.data, out=input.data if inplace else None)

    def backward(gy):
        return (backend.relu_backward(gy, y),)

    return input.rewritten_by(backward) if inplace else Tensor.from_operation(y, backward, input)


def tanh(input):
    """Hyperbolic tangent.   y = tanh(x)      gx = gy (1 - y^2)."""
    y = input.backend.xp.tanh(input.data)

    def backward(gy):
        return (gy * (1 - y * y),)

    return Tensor.from_operation(y, backward, input)


def dropout(input, p=0.5, training=True, *, inverted=True, generator=None):
    """Zero each element with probability p in training.

                   in training          in evaluation
    inverted       y = x m / (1 - p)    y = x              torch, Keras
    not inverted   y = x m              y = x (1 - p)      Krizhevsky et al. 2012, section 4.2

    m_i = 1 with probability 1 - p, else 0      gx = gy times whatever multiplied x

    generator: where the mask comes from (default: `minialex.random.default_generator`). The mask is a function
    of (seed, call) and is drawn again in backward, so nothing is stored. ValueError unless 0 <= p <= 1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout's p is a probability from 0 to 1, got {p}")
    backend, keep = input.backend, 1 - p
    if training and p > 0:
        generator = generator or random.default_generator
        seed, call = generator.seed, generator.next_call()
        scale = 1 / keep if inverted and keep > 0 else 1.0

        def masked(x):
            return backend.dropout(x, keep, scale, seed, call)
    elif inverted or p == 0:
        return input
    else:

        def masked(x):
            return x * x.dtype.type(keep)

    def backward(gy):
        return (masked(gy),)

    return Tensor.from_operation(masked(input.data), backward, input)
