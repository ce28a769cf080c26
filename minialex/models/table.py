"""What the tables of the published networks are made with."""

from __future__ import annotations

import math

from ..nn import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, LocalResponseNorm, ReLU, Sequential, init
from .layout import layout


def from_table(table, glorot=None):
    """A Sequential of rows (name, layer) or (name, layer, std, bias); weights ~ N(0, std^2).

    A row whose layer is None is left out. glorot: init.xavier_uniform_ or xavier_normal_, to set the weights of all
    convolutions and fully connected layers, with biases of 0.
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
    """How many numbers a Sequential, or the rows of a table, make of a picture (3, input_size, input_size).

    ValueError where the picture is too small for a layer, or input_size is no whole number.
    """
    check_side(input_size)
    if not isinstance(maps, Sequential):
        maps = Sequential({name: layer for name, layer, *_ in maps if layer is not None})
    try:
        return math.prod(layout(maps, (3, input_size, input_size))[-1].output)
    except ValueError as error:
        raise ValueError(f"input_size={input_size} leaves no pixels: {error}") from error


def check_side(input_size):
    """ValueError unless input_size is a number of pixels."""
    if not isinstance(input_size, int) or input_size < 1:
        raise ValueError(f"input_size is a whole number of pixels, at least 1, got {input_size!r}")


def fully_connected(maps, input_size, num_classes, drop, hidden=(), last=()):
    """The rows behind the maps of every AlexNet with three fully connected layers.

    maps: the rows before. drop: "before" or "after" -> a layer or None, see `dropout_at`. hidden, last: std and
    bias of fc6 and fc7, of fc8; where they are empty, initial values come from elsewhere.
    """
    return [
        ("flatten", Flatten()),
        ("drop6", drop("before")),
        ("fc6", Linear(features(maps, input_size), 4096), *hidden),
        ("relu6", ReLU()),
        ("drop6", drop("after")),
        ("drop7", drop("before")),
        ("fc7", Linear(4096, 4096), *hidden),
        ("relu7", ReLU()),
        ("drop7", drop("after")),
        ("fc8", Linear(4096, num_classes), *last),
    ]


def dropout_at(place, inverted):
    """A function of "before" or "after" (the linear layer): Dropout(0.5) for `place`, None for the other one."""
    if place not in ("before", "after"):
        raise ValueError(f'dropout stands "before" or "after" the linear layers, got {place!r}')
    return lambda here: Dropout(0.5, inverted=inverted) if here == place else None


def norm_layer(norm, channels, lrn):
    """The layer that `norm` names: "lrn" (the one given), "bn" (with Keras's numbers) or "none" (None)."""
    known = {"lrn": lrn, "bn": BatchNorm2d(channels, eps=1e-3, momentum=0.01), "none": None}
    if norm not in known:
        raise ValueError(f'norm is "lrn", "bn" or "none", got {norm!r}')
    return known[norm]


def paper_lrn():
    """The paper's normalisation, section 3.3: alpha stands before the plain sum of squares."""
    return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, alpha_over="element")
