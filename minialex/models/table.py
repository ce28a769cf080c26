"""Building networks from tables of layers."""

from __future__ import annotations

import math

from .. import nn
from ..nn import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, LocalResponseNorm, ReLU, Tanh, init
from ..tensor import Tensor
from .layout import layout


class Sequential(nn.Sequential):
    """A network of images: nn.Sequential that takes one image without the axis of the batch, too.

        (N, C, H, W) -> (N, num_classes)      (C, H, W) -> (num_classes,)

    layers: as of nn.Sequential.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim == 3:  # convolutions and pools would take it, but Flatten's first axis is the batch
            return super().forward(input.unsqueeze(0)).squeeze(0)
        return super().forward(input)


def from_table(table, glorot=None):
    """Build a Sequential from a table.

    table: rows (name, layer), or (name, layer, std, bias) for weights ~ N(0, std^2) and constant biases. A row whose
        layer is None is left out.
    glorot: init.xavier_uniform_ or init.xavier_normal_, for the weights of all convolutions and fully connected layers
        without a std; their biases are then 0.

    Returns a Sequential.
    """
    layers = {}
    for name, layer, *initial in table:
        if layer is None:
            continue
        layers[name] = layer
        if initial:
            std, bias = initial
            init.normal_(layer.weight, std=std)
            init.constant_(layer.bias, bias)
        elif glorot and isinstance(layer, (Conv2d, Linear)):
            glorot(layer.weight)
            init.constant_(layer.bias, 0)
    return Sequential(layers)


def features(maps, input_size):
    """The number of outputs of some layers for an input (3, input_size, input_size).

    maps: a Sequential, or the rows of a table.
    input_size: pixels per side of the input.

    Returns an int.
    Raises ValueError where the input is too small for a layer, or input_size is not a positive integer.
    """
    return math.prod(_output(maps, input_size))


def side(maps, input_size):
    """The pixels per side of some layers' output, an int. maps, input_size: as of `features`, as is what it raises."""
    return _output(maps, input_size)[1]


def _output(maps, input_size):
    check_side(input_size)
    if not isinstance(maps, Sequential):
        maps = Sequential({name: layer for name, layer, *_ in maps if layer is not None})
    try:
        return layout(maps, (3, input_size, input_size))[-1].output
    except ValueError as error:
        raise ValueError(f"input_size={input_size} leaves no pixels: {error}") from error


def check_side(input_size):
    """Raises ValueError unless input_size is a positive integer."""
    if not isinstance(input_size, int) or input_size < 1:
        raise ValueError(f"input_size must be an integer, at least 1 pixel, got {input_size!r}")


def fully_connected(maps, input_size, num_classes, drop, hidden=(), last=(), nonlinearity="relu"):
    """The rows after the maps, for an AlexNet with three fully connected layers.

    maps: the rows before.
    input_size: pixels per side of the input.
    num_classes: the number of logits.
    drop: a function of "before" or "after" that returns a layer or None, see `dropout_at`.
    hidden: (std, bias) of fc6 and fc7; () to leave their initial values to `from_table`.
    last: (std, bias) of fc8, likewise.
    nonlinearity: of fc6 and fc7, see `activation`.

    Returns a list of rows.
    """
    bend = activation(nonlinearity)
    return [
        ("flatten", Flatten()),
        ("drop6", drop("before")),
        ("fc6", Linear(features(maps, input_size), 4096), *hidden),
        (f"{nonlinearity}6", bend()),
        ("drop6", drop("after")),
        ("drop7", drop("before")),
        ("fc7", Linear(4096, 4096), *hidden),
        (f"{nonlinearity}7", bend()),
        ("drop7", drop("after")),
        ("fc8", Linear(4096, num_classes), *last),
    ]


def activation(nonlinearity):
    """The class of a nonlinearity's layers: nn.ReLU for "relu", nn.Tanh for "tanh".

    Raises ValueError for another name.
    """
    known = {"relu": ReLU, "tanh": Tanh}
    if nonlinearity not in known:
        raise ValueError(f'nonlinearity must be "relu" or "tanh", got {nonlinearity!r}')
    return known[nonlinearity]


def dropout_at(place, inverted):
    """Where dropout is applied: a function of "before" or "after" a linear layer that returns Dropout(0.5) or None.

    place: "before" or "after", for which alone the function returns a layer; or "none".
    inverted: the form of dropout, see nn.Dropout.

    Raises ValueError for another place.
    """
    if place not in ("before", "after", "none"):
        raise ValueError(f'dropout must be "before" or "after" (the linear layers), or "none", got {place!r}')
    return lambda here: Dropout(0.5, inverted=inverted) if here == place else None


def norm_layer(norm, channels, lrn):
    """A normalisation layer by name.

    norm: "lrn", "bn" (batch normalisation with Keras's eps and momentum) or "none".
    channels: of the maps.
    lrn: the layer to return for "lrn".

    Returns a layer, or None for "none".
    Raises ValueError for another name.
    """
    known = {"lrn": lrn, "bn": BatchNorm2d(channels, eps=1e-3, momentum=0.01), "none": None}
    if norm not in known:
        raise ValueError(f'norm must be "lrn", "bn" or "none", got {norm!r}')
    return known[norm]


def paper_lrn():
    """The paper's local response normalisation (section 3.3): alpha multiplies the sum of squares, not their mean."""
    return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, alpha_over="element")
