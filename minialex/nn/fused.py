"""A convolution and the ReLU behind it in one pass, where the backend can do that and nobody looks in between.

The numba backend writes a convolution's result piece by piece. Written as max(y, 0), it needs no second pass through
memory, and no second array. The tape is the same: an operation conv2d and an operation relu, whose derivative needs its
result alone. `Sequential.forward` asks `steps` what to call; everywhere else each layer is called by itself.

Whatever is not as this package wrote it (hooks, classes and functions of the user's own), and whatever conv2d would not
simply compute, takes the ordinary way: both layers, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any

from .. import functional, tape
from ..tensor import Tensor, records_grad
from ..window import Window
from .layers import Conv2d, ReLU
from .module import Module
from .naming import name_layer

# What the two layers would run. Who replaces one of these expects it to be called, and with each layer's own result.
_CALLED: tuple[tuple[Any, str], ...] = (
    (Conv2d, "__call__"),
    (Conv2d, "forward"),
    (ReLU, "__call__"),
    (ReLU, "forward"),
    (functional, "conv2d"),
    (functional, "relu"),
    (Tensor, "from_operation"),
    (Tensor, "rewritten_by"),
    (tape.Node, "__init__"),
)


def _called():
    return [getattr(owner, name) for owner, name in _CALLED]


_AS_WRITTEN = _called()


def steps(layers: Sequence[Module]) -> Iterator[Callable[[Any], Any]]:
    """What a Sequential calls one after another: its layers, or for two of them a function that computes both.

    layers: its modules.
    """
    done = False
    for layer, following in zip_longest(layers, layers[1:]):
        if done:
            done = False
        elif type(layer) is Conv2d and type(following) is ReLU:
            done = True
            yield partial(_conv2d_relu, layer, following)
        else:
            yield layer


def _conv2d_relu(conv, relu, input):
    seen = _watched(conv) or _watched(relu) or not hasattr(relu, "inplace") or _called() != _AS_WRITTEN
    window = None if seen else _window(conv, input)
    if window is None:
        return relu(conv(input))
    backend, weight, bias, groups = input.backend, conv.weight, conv.bias, conv.groups
    needs = records_grad(input, weight, bias)

    def conv_backward(gy):
        return backend.conv2d_backward(gy, saved, window, groups, needs)

    def relu_backward(gy):
        return (backend.relu_backward(gy, y),)

    with tape.recording_module(conv) as caller:
        try:
            b = None if bias is None else bias.data
            y, saved = backend.conv2d_relu(input.data, weight.data, b, window, groups, needs)
        except Exception as error:
            name_layer(error, conv, outermost=caller is None)
            raise
        hidden = Tensor.from_operation(y, conv_backward, input, weight, bias, name="conv2d")
    with tape.recording_module(relu):
        if relu.inplace:
            return hidden.rewritten_by(relu_backward, name="relu")
        return Tensor.from_operation(y, relu_backward, hidden, name="relu")


def _window(conv, input):
    """The convolution's Window, or None where the two layers may not be one, or where conv2d would refuse."""
    if not all(hasattr(conv, name) for name in ("weight", "bias", "stride", "padding", "dilation", "groups")):
        return None
    weight, bias, groups = conv.weight, conv.bias, conv.groups
    tensors = [input, weight] if bias is None else [input, weight, bias]
    if not all(isinstance(t, Tensor) and t.backend is input.backend and t.dtype == input.dtype for t in tensors):
        return None
    if not getattr(type(input.backend), "fuses_relu", False) or not input.backend.fuses_relu:
        return None
    if input.ndim != 4 or weight.ndim != 4 or input.dtype.kind != "f":
        return None
    if groups < 1 or input.shape[1] != groups * weight.shape[1] or not len(weight) or len(weight) % groups:
        return None
    if bias is not None and bias.shape != weight.shape[:1]:
        return None
    try:
        return Window.over(input.shape, weight.shape[2:], conv.stride, conv.padding, conv.dilation)
    except (ValueError, TypeError):
        return None


def _watched(layer):
    """Whether it has hooks, or a forward of its own."""
    return any((vars(layer).get("_hooks") or {}).values()) or "forward" in vars(layer)
