"""A convolution and the ReLU behind it in one pass, where the backend can do that and nobody looks in between.

The numba backend writes a convolution's result piece by piece. Written as max(y, 0), it needs no second pass through
memory, and no second array. The tape is the same: an operation conv2d and an operation relu, whose derivative needs its
result alone. `Sequential.forward` asks `steps` what to call; everywhere else each layer is called by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

from .. import functional, tape
from ..tensor import Tensor
from .layers import Conv2d, ReLU
from .module import Module

# What must be as it was written: a user who replaces one of these expects it to be called.
_CALLED: tuple[tuple[Any, str], ...] = (
    (Module, "__call__"),
    (Conv2d, "forward"),
    (ReLU, "forward"),
    (functional, "conv2d"),
    (functional, "relu"),
)
_AS_WRITTEN = [vars(owner)[name] for owner, name in _CALLED]


def steps(layers: Sequence[Module], input: Any) -> Iterable[Any]:
    """What a Sequential calls one after another: its layers, or for two of them a function that computes both.

    layers: its modules.
    input: of the first.
    """
    # Of the class itself: one that inherits from it may have a relu of its own.
    fuses = isinstance(input, Tensor) and vars(type(input.backend)).get("fuses_relu", False)
    if not fuses or [vars(owner)[name] for owner, name in _CALLED] != _AS_WRITTEN:
        return layers
    return _pairs(layers)


def _pairs(layers):
    done = False
    for layer, following in zip_longest(layers, layers[1:]):
        if done:
            done = False
        elif type(layer) is Conv2d and type(following) is ReLU and not _watched(layer) and not _watched(following):
            done = True
            yield partial(_conv2d_relu, layer, following)
        else:
            yield layer


def _watched(layer):
    """Whether it has hooks, or a forward of its own."""
    return any(layer._hooks.values()) or "forward" in vars(layer)


def _conv2d_relu(conv, relu, input):
    backend = input.backend
    with backend.relu_follows() as fused:
        hidden = conv(input)
    if not fused:
        return relu(hidden)
    y = hidden.data

    def backward(gy):
        return (backend.relu_backward(gy, y),)

    with tape.recording_module(relu):
        return Tensor.from_operation(y, backward, hidden, name="relu")
