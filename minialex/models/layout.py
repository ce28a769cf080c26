"""Shapes, parameters, operations and receptive fields of a network's layers.

Output sizes are computed by window.Window, without running a published network; a Module with a forward of its own is
traced (nn.trace). For each layer in turn, from a receptive field and a jump of 1, a pixel's:

    receptive field += (window - 1) jump      jump *= stride

Where branches meet, the largest receptive field counts.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from .. import nn
from ..nn.more import evaluating
from ..nn.tracing import is_layer
from ..support import html
from ..support.types import Shape
from ..tensor import Tensor, no_grad
from ..window import Window, pair

ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.ELU, nn.SiLU, nn.Softplus)
ELEMENTWISE = (*ACTIVATIONS, nn.Identity, nn.Dropout, nn.Dropout2d)
WINDOWED = (nn.Conv2d, nn.Local2d, nn.MaxPool2d, nn.AvgPool2d, nn.StochasticPool2d)  # those of which window_of tells
JOINING = (nn.Add, nn.Multiply, nn.Concat)
# Functions that work on each pixel by itself.
PIXEL_BY_PIXEL = [
    "abs", "add", "clamp", "clone", "div", "exp", "log", "maximum", "minimum", "mul", "neg",
    "pow", "remainder", "sqrt", "sub",
]  # fmt: skip
ONE_PIXEL = (1, 1)  # window and stride of a layer that works on each pixel by itself


@dataclass(frozen=True)
class Row:
    """A layer of a network; shapes are without the batch.

    name: dotted in a nested Sequential.
    layer: the module.
    input, output: shapes, (C, H, W) or (features,); of several inputs, the first.
    parameters: numbers in the layer, including BatchNorm's running statistics; 0 where an earlier row has them.
    trainable: how many of them are learned.
    macs: multiply-accumulates of the weights for one image, forward.
    receptive_field: height in input pixels of what one output sees.
    jump: input pixels from one output to the next.
    sources: names of the layers whose outputs it takes, or the network's input.

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
    sources: tuple[str, ...] = ()


class Value(nn.Module):
    """A Parameter or buffer that a Graph's layers take, as the layer of a Row.

    tensor: the value.
    """

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        if isinstance(tensor, nn.Parameter):
            self.tensor = tensor
        else:
            self.register_buffer("tensor", tensor)

    def forward(self) -> Tensor:
        return self.tensor


def layout(model: nn.Module, input_shape: Shape, most: float = math.inf) -> list[Row]:
    """The layers of a network with their shapes and costs.

    model: a Sequential, a Graph, or a Module with a forward of its own, which is traced.
    input_shape: of one image, (C, H, W).
    most: numbers that a layer's output for one image may have, for a network from a file.

    Returns a list of Rows, in order.
    Raises ValueError, with the layer's name, where shapes do not fit or an output is larger; and as nn.trace does.
    """
    if not isinstance(input_shape, (tuple, list)) or not all(isinstance(n, (int, np.integer)) for n in input_shape):
        raise ValueError(f"the shape of one image is needed, such as (3, 32, 32), got {input_shape!r}")
    graph = as_graph(model, input_shape)
    known: dict = {graph.inputs[0]: tuple(input_shape)}  # name -> shape; of a value, the tensor itself
    fields: dict = {graph.inputs[0]: ONE_PIXEL}
    rows, counted = [], set()
    if not isinstance(graph.output, str) or len(graph.inputs) > 1:
        raise ValueError(f"expected a network with one input and one output, got {graph.inputs} and {graph.output}")
    end = list(graph).index(graph.output) + 1  # layers below it are not needed for the output
    layer: Any
    for name, layer, sources in graph.layers[:end]:
        inputs = [known[source] for source in sources]
        try:
            _check_size(layer, inputs, most)
            output, seen = _output(layer, inputs)
            _check_size(nn.Identity(), [output], most)
        except ValueError as error:
            raise ValueError(f"layer {name} ({type(layer).__name__}): {error}") from error
        known[name] = layer if isinstance(layer, Tensor) else output
        layer = Value(layer) if isinstance(layer, Tensor) else layer
        field = _wider(_joined([fields[source] for source in sources if source in fields]), seen)
        if sources:
            fields[name] = field
        new = [t for t in (*layer.parameters(), *_statistics(layer)) if id(t) not in counted]
        counted |= {id(t) for t in new}
        rows.append(
            Row(
                name,
                layer,
                next((x for x in inputs if not isinstance(x, Tensor)), output),
                output,
                parameters=sum(t.numel() for t in new),
                trainable=sum(t.numel() for t in new if t.requires_grad),
                macs=math.prod(output) * math.prod(of_one_output(layer)) if has_weights(layer) else 0,
                receptive_field=field and field[0],
                jump=field and field[1],
                sources=sources,
            )
        )
    return rows


def as_graph(model: nn.Module, input_shape: Shape) -> Any:
    """A network as a Graph, whose layers are modules of minialex.nn.

    model: a Sequential of such layers, or of Sequentials of them, is taken as it is; any other Module is traced.
    input_shape: of one image, (C, H, W).

    Raises ValueError for what is not a Module, and as nn.trace does.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"expected a Module, got {type(model).__name__}")
    if isinstance(model, nn.Graph) and all(isinstance(x, Tensor) or is_layer(x) for _, x, _ in model.layers):
        return model
    layers = list(_flat(model)) if isinstance(model, nn.Sequential) else []
    if layers and all(is_layer(layer) for _, layer in layers):
        before = ["input", *(name for name, _ in layers)]
        return nn.Graph([(name, layer, source) for (name, layer), source in zip(layers, before)], ["input"])
    first = next(model.parameters(), None)
    like = {} if first is None else {"dtype": first.dtype, "backend": first.backend}
    noise = np.random.default_rng(0).standard_normal((2, *input_shape))
    return nn.trace(model, Tensor(noise, **like) if like else Tensor(noise.astype(np.float32)))


def in_order(model: nn.Module, input_shape: Shape) -> Any:
    """A network as a Graph, so that its layers, and their published names, have the order in which they run.

    model, input_shape: as of as_graph.

    Returns the model itself where it cannot be traced: then the order is that of definition.
    """
    try:
        return as_graph(model, input_shape)
    except nn.Untraceable:
        return model


def _statistics(layer):
    return [b for _, b in layer.named_buffers() if b.ndim]  # without num_batches_tracked


def _joined(fields):
    """The (receptive field, jump) where branches meet; None where they do not fit together."""
    if None in fields or len({jump for _, jump in fields}) != 1:
        return None
    return max(fields)


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
    except Exception:  # whatever a forward raises while it is traced: a representation must not fail
        return None


html.layout_of = known_layout  # for the modules' representation in notebooks


def has_weights(layer: nn.Module) -> bool:
    """Whether a layer is a convolution, a locally or a fully connected layer, those that papers count."""
    return isinstance(layer, (nn.Conv2d, nn.Local2d, nn.Linear))


def of_one_output(layer: Any) -> Shape:
    """The shape of the weights that one output of a layer is computed with. layer: one that has_weights."""
    return layer.weight.shape[3 if isinstance(layer, nn.Local2d) else 1 :]


def window_of(layer: Any, shape: Shape) -> Window:
    """The Window of a convolution or pool over an input.

    layer: one of WINDOWED.
    shape: of one input, (C, H, W).

    Returns a window.Window.
    Raises ValueError where the window does not fit.
    """
    dilation = getattr(layer, "dilation", 1)
    if has_weights(layer):
        return Window.over(shape, layer.kernel_size, layer.stride, layer.padding, dilation)
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


def _check_size(layer, inputs, most):
    """Raise ValueError where an output would be larger than that, before a layer is run to find its shape."""
    if most == math.inf:
        return
    shapes = [x.shape[1:] if isinstance(x, Tensor) else x for x in inputs]
    sizes, function = [math.prod(shape) for shape in shapes], getattr(layer, "function", "")
    size = max(sizes, default=0)
    if isinstance(layer, nn.Concat):
        size = sum(sizes)
    elif isinstance(layer, nn.ConstantPad2d) or function == "pad":
        widths = layer.padding if isinstance(layer, nn.ConstantPad2d) else np.ravel(layer.arguments.get("pad", 0))
        sides = [*shapes[0]]
        for axis, around in enumerate(zip(widths[::2], widths[1::2]), 1):
            sides[-axis] += int(sum(around))
        size = math.prod(sides)
    elif function in ("matmul", "bmm", "mm"):
        size = math.prod(sizes)
    elif function == "conv2d":
        size = math.prod(_convolved(layer, inputs)[0])
    elif len(shapes) > 1:
        size = math.prod(map(max, itertools.zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1)))
    if size > most:
        raise ValueError(
            f"its output for one image would have {size:,} numbers, far more than a network of this size needs"
        )


def _output(layer, inputs):
    """(output shape, (height of the window, stride) or None) of a layer for inputs: shapes, or tensors of values."""
    if isinstance(layer, Tensor):
        return layer.shape, None
    if len(inputs) == 1 and not isinstance(inputs[0], Tensor):
        return _step(layer, inputs[0])
    if getattr(layer, "function", None) == "conv2d":
        return _convolved(layer, inputs)
    pixelwise = isinstance(layer, JOINING) or getattr(layer, "function", None) in PIXEL_BY_PIXEL
    return _run(layer, inputs), ONE_PIXEL if pixelwise else None


def _convolved(layer, inputs):
    """As _output, for a convolution by a value: its filters are no layer's."""
    shape, weight, *bias = (x.shape if isinstance(x, Tensor) else x for x in inputs)
    wrong = isinstance(inputs[0], Tensor) or not all(isinstance(x, Tensor) for x in inputs[1:])
    if wrong or len(shape) != 3 or len(weight) != 4 or len(bias) > 1:
        raise ValueError("expects maps (C, H, W), filters (O, C, KH, KW) and a bias")
    settings = (layer.arguments.get(name, usual) for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1)))
    window = Window.over(shape, weight[2:], *settings)
    return (weight[0], *window.output), _seen(window)


def _run(layer, inputs):
    """The output shape of a layer, by running it on two images of zeros."""
    given = [x if isinstance(x, Tensor) else Tensor(np.zeros((2, *x), np.float32)) for x in inputs]
    first = next((p for p in (*layer.parameters(), *(x for x in inputs if isinstance(x, Tensor)))), None)
    if first is not None:
        given = [x.to(first.dtype).to(first.backend) for x in given]
    try:
        with no_grad(), evaluating(layer):
            output = layer(*given)
    except TypeError as error:
        raise ValueError(f"the output shape of this type of layer is not known ({error})") from error
    if output.shape[:1] != (2,):
        raise ValueError(f"the output {output.shape} for two images does not keep them apart")
    return output.shape[1:]


@singledispatch
def _step(layer, shape):
    """(output shape, (height of the window, stride) or None) of a layer for one input of `shape`."""
    if isinstance(layer, ELEMENTWISE):
        return shape, ONE_PIXEL
    return _run(layer, [shape]), _seen_by(layer)


def _seen_by(layer):
    """(height of the window, stride) of a function of one input; None where it is not known."""
    index = layer.arguments.get("index") if getattr(layer, "function", "") == "getitem" else None
    if isinstance(index, tuple) and len(index) == 4 and isinstance(index[2], slice):  # every so many pixels
        return 1, index[2].step or 1
    return ONE_PIXEL if getattr(layer, "function", None) in PIXEL_BY_PIXEL else None


@_step.register
def _(layer: nn.Conv2d, shape):
    _need_maps(shape, layer.in_channels)
    window = window_of(layer, shape)
    return (layer.out_channels, *window.output), _seen(window)


@_step.register
def _(layer: nn.Local2d, shape):
    _need_maps(shape, layer.in_channels)
    if shape[1:] != layer.input_size:
        raise ValueError(f"has filters for maps of {layer.input_size} pixels, got {shape}")
    return (layer.out_channels, *layer.output_size), _seen(window_of(layer, shape))


@_step.register(nn.MaxPool2d)
@_step.register(nn.StochasticPool2d)
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
def _(layer: nn.BatchNorm1d, shape):
    if len(shape) > 2 or shape[0] != layer.num_features:
        raise ValueError(f"expects ({layer.num_features},) or ({layer.num_features}, L), got {shape}")
    return shape, ONE_PIXEL


@_step.register
def _(layer: nn.LocalResponseNorm, shape):
    _need_maps(shape)
    if shape[0] % layer.groups:
        raise ValueError(f"groups={layer.groups} must divide {shape[0]} channels")
    return shape, (layer.size, 1) if layer.within_channel else ONE_PIXEL


@_step.register
def _(layer: nn.ContrastNorm, shape):
    """A pixel sees the neighbours of its neighbours, whose means are taken from them."""
    _need_maps(shape)
    return shape, (2 * layer.size - 1, 1)


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
