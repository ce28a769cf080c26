"""Initialisation of parameters, in place. Names and arguments are those of torch.nn.init.

A tensor may also be a raw array, such as `layer.weight.data`: it is written to, and returned, as a Tensor is.

Random numbers come from `generator`, a random.Generator; by default from `minialex.random.default_generator`, so
`manual_seed` makes them reproducible.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .. import backends, random
from ..random import Generator
from ..support import absent
from ..tensor import Tensor

_skipping = contextvars.ContextVar("_skipping", default=False)


@contextlib.contextmanager
def skipped() -> Iterator[None]:
    """A context in which the functions below do nothing: `with init.skipped():`.

    For networks whose weights are not read, such as for counting parameters. Layers allocate their arrays with
    numpy.empty, and memory that is never written takes no space.
    """
    token = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(token)


def _fill(tensor, values):
    """tensor = values(), a function that is not called where initialisation is skipped."""
    if _skipping.get():
        return tensor
    if isinstance(tensor, Tensor):
        tensor.data[...] = tensor.backend.asarray(values(), tensor.dtype)
        tensor.bump_version()
    else:  # an array, of NumPy or CuPy
        tensor[...] = backends.get_backend("numpy" if isinstance(tensor, np.ndarray) else "cupy").asarray(
            values(), tensor.dtype
        )
    return tensor


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with normally distributed numbers.

        w ~ N(mean, std^2)

    tensor: of any shape.
    mean, std: of the distribution.
    generator: see the module's docstring.

    Returns the tensor.
    Krizhevsky et al. 2012, section 5: mean 0 and std 0.01 in every layer.
    """

    def values():
        draw = (generator or random.default_generator).numpy()
        return draw.standard_normal(tensor.shape, dtype=tensor.dtype) * tensor.dtype.type(std) + mean

    return _fill(tensor, values)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with uniformly distributed numbers.

        w ~ U(a, b)

    tensor: of any shape.
    a, b: the bounds.
    generator: see the module's docstring.

    Returns the tensor.
    """

    def values():
        draw = (generator or random.default_generator).numpy()
        return draw.random(tensor.shape, dtype=tensor.dtype) * tensor.dtype.type(b - a) + a

    return _fill(tensor, values)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill a tensor with a number.

        w = val

    tensor: of any shape.
    val: the number.

    Returns the tensor.
    Krizhevsky et al. 2012, section 5: biases are 1 in conv2, conv4, conv5 and the hidden linear layers, else 0.
    """
    return _fill(tensor, lambda: val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill a tensor with 0; returns it. tensor: of any shape."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill a tensor with 1; returns it. tensor: of any shape."""
    return constant_(tensor, 1.0)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Fill a tensor with normally distributed numbers, those outside of a ... b drawn again.

        w ~ N(mean, std^2), given that a <= w <= b

    tensor: of any shape.
    mean, std: of the distribution that is cut off.
    a, b: the bounds, values of w: they do not scale with std.
    generator: see the module's docstring.

    Returns the tensor.
    Raises ValueError where fewer than one number in 1,000 lies within the bounds.
    """
    low, high = (math.erf((bound - mean) / (std * math.sqrt(2))) for bound in (a, b))
    if high - low < 2e-3:
        raise ValueError(f"trunc_normal_: {a} to {b} holds next to nothing of a distribution of {mean} +- {std}")

    def values():
        draw = (generator or random.default_generator).numpy()
        w = draw.standard_normal(tensor.shape) * std + mean
        while (outside := (w < a) | (w > b)).any():
            w[outside] = draw.standard_normal(int(outside.sum())) * std + mean
        return w

    return _fill(tensor, values)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with a random orthogonal matrix: its rows, or columns if there are fewer, have the length gain.

        w w^T = gain^2 I, or w^T w = gain^2 I, of the smaller size

    tensor: a weight (out, in, ...), taken as a matrix (out, in ...).
    gain: see `calculate_gain`.
    generator: see the module's docstring.

    Returns the tensor.
    Raises ValueError for a tensor of fewer than two axes.
    Saxe, McClelland and Ganguli 2014.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_ needs a weight of at least two axes (out, in), got shape {tensor.shape}")

    def values():
        draw = (generator or random.default_generator).numpy()
        rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
        q, r = np.linalg.qr(draw.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diag(r) < 0, -1, 1)  # as likely as any other orthogonal matrix
        return gain * (q if rows >= columns else q.T).reshape(tensor.shape)

    return _fill(tensor, values)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """He's normal initialisation: keeps the std of activations, or of gradients, from layer to layer.

        w ~ N(0, gain^2 / fan)

    tensor: a weight (out, in, ...).
    a: slope of the leaky ReLU, for the gain.
    mode: "fan_in" keeps the std of activations, "fan_out" that of gradients.
    nonlinearity: for the gain, see `calculate_gain`.
    generator: see the module's docstring.

    Returns the tensor.
    Raises ValueError for another mode or nonlinearity, or a tensor of fewer than two axes.
    He et al. 2015, equations 10 and 14.
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """He's uniform initialisation: the std of `kaiming_normal_`, without its tails.

        w ~ U(-b, b), b = gain sqrt(3 / fan)

    tensor, a, mode, nonlinearity, generator: as in `kaiming_normal_`.

    Returns the tensor.
    Raises ValueError as `kaiming_normal_` does.
    """
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Glorot's normal initialisation: a compromise between keeping the std of activations and that of gradients.

        w ~ N(0, gain^2 2 / (fan_in + fan_out))

    tensor: a weight (out, in, ...).
    gain: see `calculate_gain`.
    generator: see the module's docstring.

    Returns the tensor.
    Raises ValueError for a tensor of fewer than two axes.
    Glorot and Bengio 2010.
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (_fan(tensor, "fan_in") + _fan(tensor, "fan_out"))), generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Glorot's uniform initialisation: the std of `xavier_normal_`, without its tails.

        w ~ U(-b, b), b = gain sqrt(6 / (fan_in + fan_out))

    tensor, gain, generator: as in `xavier_normal_`.

    Returns the tensor.
    Raises ValueError for a tensor of fewer than two axes.
    """
    bound = gain * math.sqrt(6 / (_fan(tensor, "fan_in") + _fan(tensor, "fan_out")))
    return uniform_(tensor, -bound, bound, generator)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor on the std of weights that makes up for a non-linearity.

        linear, conv2d, sigmoid: 1    tanh: 5/3    relu: sqrt 2    leaky_relu: sqrt(2 / (1 + a^2))

    nonlinearity: one of these names.
    param: a, the slope of leaky_relu; 0.01 if None.

    Returns a number.
    Raises ValueError for another name.
    """
    if nonlinearity in ("linear", "conv2d", "sigmoid"):
        return 1.0
    if nonlinearity == "tanh":
        return 5 / 3
    if nonlinearity == "relu":
        return math.sqrt(2)
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    known = "linear, conv2d, sigmoid, tanh, relu, leaky_relu"
    raise ValueError(f"unknown nonlinearity {nonlinearity!r}; choose one of {known}")


def _fan(tensor, mode):
    """Inputs of one output (fan_in) or outputs of one input (fan_out) of a weight (out, in, ...)."""
    if tensor.ndim < 2:
        raise ValueError(f"fan_in and fan_out need a weight of at least two axes (out, in), got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    fans = {"fan_in": tensor.shape[1] * field, "fan_out": tensor.shape[0] * field}
    if mode not in fans:
        raise ValueError(f"mode must be fan_in or fan_out, got {mode!r}")
    return fans[mode]


if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "nn.init")
