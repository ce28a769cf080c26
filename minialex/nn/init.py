"""Initial values of parameters, written in place. Names and arguments are torch's; each returns its tensor.

Numbers come from `minialex.random.default_generator` or the generator given, so `manual_seed` decides all of them.
"""

from __future__ import annotations

import contextlib
import contextvars
import math

from .. import random

_skipping = contextvars.ContextVar("_skipping", default=False)


@contextlib.contextmanager
def skipped():
    """Within `with init.skipped():` the functions below draw no number and leave their tensors as they are.

    For layers whose weights nobody will read, as where a network is only counted: they allocate their arrays with
    numpy.empty, and memory that is never touched is never taken from the machine.
    """
    token = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(token)


def _fill(tensor, values):
    """tensor = values(), which is not called where initial values are skipped."""
    if not _skipping.get():
        tensor.data[...] = tensor.backend.asarray(values(), tensor.dtype)
        tensor.bump_version()
    return tensor


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """w ~ N(mean, std^2). Krizhevsky et al. 2012, section 5: mean 0, std 0.01 in every layer."""

    def values():
        draw = (generator or random.default_generator).numpy()
        return draw.standard_normal(tensor.shape, dtype=tensor.dtype) * tensor.dtype.type(std) + mean

    return _fill(tensor, values)


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """w ~ U(a, b)."""

    def values():
        draw = (generator or random.default_generator).numpy()
        return draw.random(tensor.shape, dtype=tensor.dtype) * tensor.dtype.type(b - a) + a

    return _fill(tensor, values)


def constant_(tensor, val):
    """w = val. The paper's biases are 1 in conv2, conv4, conv5 and the hidden fully connected layers, 0 elsewhere."""
    return _fill(tensor, lambda: val)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """w ~ N(0, gain^2 / fan): keeps the std of activities (fan_in) or gradients (fan_out) from layer to layer.

    He et al. 2015, equations 10 and 14. gain: see `calculate_gain`.
    """
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """w ~ U(-b, b), b = gain sqrt(3 / fan): the std of `kaiming_normal_`, without its tails."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """w ~ N(0, gain^2 2 / (fan_in + fan_out)): a compromise for both ways (Glorot, Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / (_fan(tensor, "fan_in") + _fan(tensor, "fan_out"))), generator)


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """w ~ U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)): the std of `xavier_normal_`, without its tails."""
    bound = gain * math.sqrt(6 / (_fan(tensor, "fan_in") + _fan(tensor, "fan_out")))
    return uniform_(tensor, -bound, bound, generator)


def calculate_gain(nonlinearity, param=None):
    """By how much weights must be larger to make up for what the non-linearity takes away.

    linear, conv2d, sigmoid: 1      tanh: 5/3      relu: sqrt 2      leaky_relu with slope a: sqrt(2 / (1 + a^2))
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
    raise ValueError(f"unknown nonlinearity {nonlinearity!r}; there are {known}")


def _fan(tensor, mode):
    """Inputs of one output (fan_in) or outputs of one input (fan_out) of a weight (out, in, ...)."""
    if tensor.ndim < 2:
        raise ValueError(f"a fan needs a weight of at least two axes (out, in), got shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    fans = {"fan_in": tensor.shape[1] * field, "fan_out": tensor.shape[0] * field}
    if mode not in fans:
        raise ValueError(f"mode is fan_in or fan_out, got {mode!r}")
    return fans[mode]
