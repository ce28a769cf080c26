"""Shapes, parameters, operations and receptive fields of a network's layers, without running it.

Output sizes are computed by window.Window. For each layer in turn, from a receptive field and a jump of 1, a pixel's:

    receptive field += (window - 1) jump      jump *= stride
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from .. import nn
from ..support import html
from ..support.types import Shape
from ..window import Window, pair

ELEMENTWISE = (nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Identity, nn.Dropout)
ONE_PIXEL = (1, 1)  # window and stride of a layer that works on each pixel by itself


@dataclass(frozen=True)
class Row:
    """A layer of a network; shapes are without the batch.

    name: dotted in a nested Sequential.
    layer: the module.
    input, output: shapes, (C, H, W) or (features,).
    parameters: numbers in the layer, including BatchNorm's running statistics.
    trainable: how many of them are learned.
    macs: multiply-accumulates of the weights for one image, forward.
    receptive_field: height in input pixels of what one output sees.
    jump: input pixels from one output to the next.

    receptive_field and jump are None after Flatten, and after an adaptive pool whose windows differ in size.
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


def layout(model: nn.Module, input_shape: Shape) -> list[Row]:
    """The layers of a Sequential with their shapes and costs.

    model: a Sequential, which may hold others.
    input_shape: of one image, (C, H, W).

    Returns a list of Rows, in order.
    Raises ValueError, with the layer's name, where shapes do not fit or a type of layer is not supported.
    """
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"expected a Sequential, which defines the order of its layers, got {type(model).__name__}")
    rows, shape, field = [], tuple(input_shape), (1, 1)
    for name, layer in _flat(model):
        try:
            output, seen = _step(layer, shape)
        except ValueError as error:
            raise ValueError(f"layer {name} ({type(layer).__name__}): {error}") from error
        field = _wider(field, seen)
        learned = list(layer.parameters())
        statistics = [b for _, b in layer.named_buffers() if b.ndim]  # without num_batches_tracked
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


def known_layout(model: nn.Module) -> Any:
    """The layers of a Module whose input shape is known, as of `layout`; None where it is not, or does not fit.

    model: a Module; its input shape is its attribute `input_shape`, which models.build sets, or follows from a Linear
        as its first layer with weights.
    """
    shape = getattr(model, "input_shape", None)
    if shape is None and isinstance(model, nn.Sequential):
        first = next((layer for _, layer in _flat(model) if not isinstance(layer, (*ELEMENTWISE, nn.Flatten))), None)
        shape = (first.in_features,) if isinstance(first, nn.Linear) else None
    try:
        return layout(model, shape) if shape is not None else None
    except (TypeError, ValueError):
        return None


html.layout_of = known_layout  # for the modules' representation in notebooks


def has_weights(layer: nn.Module) -> bool:
    """Whether a layer is a convolution or a fully connected layer, those that papers count."""
    return isinstance(layer, (nn.Conv2d, nn.Linear))


def window_of(layer: Any, shape: Shape) -> Window:
    """The Window of a convolution or pool over an input.

    layer: a Conv2d, MaxPool2d or AvgPool2d.
    shape: of one input, (C, H, W).

    Returns a window.Window.
    Raises ValueError where the window does not fit.
    """
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
    """The next (receptive field, jump). seen: (height of the window, stride) of the layer; None if there is none."""
    if field is None or seen is None:
        return None
    (size, jump), (extent, stride) = field, seen
    return size + (extent - 1) * jump, jump * stride


@singledispatch
def _step(layer, shape):
    """(output shape, (height of the window, stride) or None) of a layer for one input of `shape`."""
    if isinstance(layer, ELEMENTWISE):
        return shape, ONE_PIXEL
    raise ValueError("the output shape of this type of layer is not known")


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
        raise ValueError(f"output_size must be at least 1 in each direction, got {out}")
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
        raise ValueError(f"expects {layer.in_features} inputs, got {shape[-1]} (shape {shape})")
    return (*shape[:-1], layer.out_features), None


def _need_maps(shape, channels=None):
    if len(shape) != 3 or channels not in (None, shape[0]):
        wanted = "(C, H, W)" if channels is None else f"({channels}, H, W)"
        raise ValueError(f"expects maps {wanted}, got {shape}")


def _seen(window):
    return window.dilation[0] * (window.kernel[0] - 1) + 1, window.stride[0]
