"""What a network looks like from the sizes of its input alone: maps, weights, operations, receptive fields.

Nothing is computed: output sizes are window.Window's.

receptive field = before it + (window - 1) jump      jump = before it x stride      from (1, 1), the pixel itself
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import singledispatch

from .. import nn
from ..window import Window, pair

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Identity, nn.Dropout)
ONE_PIXEL = (1, 1)  # what a layer that works on each place by itself sees, and its stride


@dataclass(frozen=True)
class Row:
    """A layer in its place: name (dotted in a nested Sequential), the module, shapes without the batch.

    parameters: numbers it holds, BatchNorm's running statistics among them; trainable: those that are learned.
    macs: multiply-accumulates of the weights for one picture, forward. receptive_field: height in pixels of the
    input that one output sees, jump: pixels from one output to the next; None behind Flatten, and behind an adaptive
    pool whose windows are not all alike.
    """

    name: str
    layer: nn.Module
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int
    trainable: int
    macs: int
    receptive_field: int | None
    jump: int | None


def layout(model, input_shape):
    """A Row for every layer of a Sequential; input_shape: of one picture, (C, H, W).

    ValueError, with the layer's name, where shapes do not fit or a layer is of a type unknown here.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"the order of layers is known of a Sequential only, not of {type(model).__name__}")
    rows, shape, field = [], tuple(input_shape), (1, 1)
    for name, layer in _flat(model):
        try:
            output, seen = _step(layer, shape)
        except ValueError as error:
            raise ValueError(f"layer {name} ({type(layer).__name__}): {error}") from error
        field = _wider(field, seen)
        learned = list(layer.parameters())
        statistics = [b for _, b in layer.named_buffers() if b.ndim]  # not the counter of batches
        rows.append(
            Row(
                name,
                layer,
                shape,
                output,
                parameters=sum(t.numel() for t in learned + statistics),
                trainable=sum(p.numel() for p in learned if p.requires_grad),
                macs=math.prod(output) * math.prod(layer.weight.shape[1:]) if has_weights(layer) else 0,
                receptive_field=field and field[0],
                jump=field and field[1],
            )
        )
        shape = output
    return rows


def has_weights(layer):
    """Whether a layer is one that papers count: a convolution or a fully connected layer."""
    return isinstance(layer, (nn.Conv2d, nn.Linear))


def window_of(layer, shape):
    """The Window of a convolution or pool over one picture of `shape` (C, H, W); ValueError where it does not fit."""
    if isinstance(layer, nn.Conv2d):
        return Window.over(shape, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    dilation = getattr(layer, "dilation", 1)
    return Window.over_pool((1, *shape), layer.kernel_size, layer.stride, layer.padding, dilation, layer.ceil_mode)


def _flat(model, prefix=""):
    for name, layer in model.named_children():
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer, f"{prefix}{name}.")
        else:
            yield prefix + name, layer


def _wider(field, seen):
    """field: (receptive field, jump); seen: (window's height, stride) of the next layer; None where there is none."""
    if field is None or seen is None:
        return None
    (size, jump), (extent, stride) = field, seen
    return size + (extent - 1) * jump, jump * stride


@singledispatch
def _step(layer, shape):
    """(output shape, (window's height, stride) or None) of a layer given one picture of `shape`."""
    if isinstance(layer, ELEMENTWISE):
        return shape, ONE_PIXEL
    raise ValueError("no rule is known for the output of this type of layer")


@_step.register
def _(layer: nn.Conv2d, shape):
    _need_maps(shape, layer.in_channels)
    window = window_of(layer, shape)
    return (layer.out_channels, *window.output), _seen(window)


@_step.register(nn.MaxPool2d)
@_step.register(nn.AvgPool2d)
def _(layer, shape):
    _need_maps(shape)
    window = window_of(layer, shape)
    return (shape[0], *window.output), _seen(window)


@_step.register
def _(layer: nn.AdaptiveAvgPool2d, shape):
    _need_maps(shape)
    wanted = layer.output_size if isinstance(layer.output_size, (tuple, list)) else (layer.output_size,) * 2
    out = pair([old if n is None else n for n, old in zip(wanted, shape[1:])], "output_size")
    if min(out) < 1:
        raise ValueError(f"output_size {out} leaves nothing")
    height, rows = shape[1], out[0]
    return (shape[0], *out), (height // rows, height // rows) if height % rows == 0 else None


@_step.register
def _(layer: nn.BatchNorm2d, shape):
    _need_maps(shape, layer.num_features)
    return shape, ONE_PIXEL


@_step.register
def _(layer: nn.LocalResponseNorm, shape):
    _need_maps(shape)
    if shape[0] % layer.groups:
        raise ValueError(f"groups={layer.groups} must divide {shape[0]} channels")
    return shape, (layer.size, 1) if layer.within_channel else ONE_PIXEL


@_step.register
def _(layer: nn.Flatten, shape):
    axes = len(shape) + 1  # the batch is axis 0
    start, end = (axis + axes if axis < 0 else axis for axis in (layer.start_dim, layer.end_dim))
    if not 1 <= start <= end < axes:
        raise ValueError(f"cannot join axes {layer.start_dim} to {layer.end_dim} of (N, {', '.join(map(str, shape))})")
    return (*shape[: start - 1], math.prod(shape[start - 1 : end]), *shape[end:]), None


@_step.register
def _(layer: nn.Linear, shape):
    if shape[-1] != layer.in_features:
        raise ValueError(f"needs {layer.in_features} inputs, but is given {shape[-1]} (shape {shape})")
    return (*shape[:-1], layer.out_features), None


def _need_maps(shape, channels=None):
    if len(shape) != 3 or channels not in (None, shape[0]):
        wanted = "(C, H, W)" if channels is None else f"({channels}, H, W)"
        raise ValueError(f"needs maps {wanted}, but is given {shape}")


def _seen(window):
    return window.dilation[0] * (window.kernel[0] - 1) + 1, window.stride[0]
