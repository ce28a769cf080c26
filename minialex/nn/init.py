"""Initialisation of parameters, in place. Names and arguments are those of torch.nn.init.

Random numbers come from `generator`, a random.Generator; by default from `minialex.random.default_generator`, so
`manual_seed` makes them reproducible.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator

from .. import random
from ..random import Generator
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
    if not _skipping.get():
        tensor.data[...] = tensor.backend.asarray(values(), tensor.dtype)
        tensor.bump_version()
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
