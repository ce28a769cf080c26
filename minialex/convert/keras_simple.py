"""Layers of Keras without weights: activations, shapes, what joins several inputs, and values of pixels.

Each function takes a Layer, of keras_layer.py, and the Value of its input, or several; it adds to the graph what the
layer does, and returns the Value of its output. See keras_layers.py. https://keras.io/api/layers/
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .. import nn

# ---------------------------------------------------------------------------------------------------------- activations


def activated(layer, x):
    """What the argument `activation` of a layer does to its output; a layer of its own."""
    return activation(layer, x, "_{}")


def activation(layer, x, suffix=""):
    """The layer Activation; suffix: of the name, in which {} is the function's."""
    given = layer.config.get("activation")
    if isinstance(given, dict) and given.get("class_name") == "function":
        given = given.get("config")
    if isinstance(given, dict):  # an activation layer
        return layer.inner(given, x)
    if given in (None, "linear"):
        return x
    if not isinstance(given, str) or given not in _FUNCTIONS:
        layer.refuse(f"the activation {given!r:.60} is not read; {', '.join(_FUNCTIONS)} are")
    module = nn.Softmax(layer.axis(x, -1)) if given == "softmax" else _FUNCTIONS[given]()
    return layer.add(module, x, suffix.format(given))


_FUNCTIONS: dict[str, Callable] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": nn.Softmax,
    "elu": nn.ELU,
    "leaky_relu": lambda: nn.LeakyReLU(0.2),
    "relu6": lambda: nn.Call("clamp", min=0, max=6),
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "softplus": nn.Softplus,
    "exponential": lambda: nn.Call("exp"),
}


def relu(layer, x):
    """max(x, 0), at most max_value; or with a slope below 0."""
    slope, most = layer.number("negative_slope", 0.0), layer.config.get("max_value")
    if layer.number("threshold", 0.0) != 0 or (most is not None and slope != 0):
        layer.refuse("of ReLU, threshold, and max_value together with negative_slope, are not read")
    if most is not None:
        return layer.add(nn.Call("clamp", min=0, max=layer.number("max_value", None, 0)), x)
    return layer.add(nn.LeakyReLU(slope) if slope else nn.ReLU(), x)


def leaky_relu(layer, x):
    """LeakyReLU; its slope is negative_slope, alpha in Keras 2."""
    return layer.add(nn.LeakyReLU(layer.number("negative_slope" if "alpha" not in layer.config else "alpha", 0.3)), x)


def elu(layer, x):
    """ELU."""
    return layer.add(nn.ELU(layer.number("alpha", 1.0)), x)


def softmax(layer, x):
    """Probabilities along one of Keras's axes."""
    return layer.add(nn.Softmax(layer.axis(x, layer.axis_of("axis", -1))), x)


def dropout(layer, x):
    """Dropout, or SpatialDropout2D of whole maps."""
    rate = layer.number("rate", None, 0, 1)
    return layer.add(nn.Dropout(rate) if layer.kind == "Dropout" or len(x.shape) == 1 else nn.Dropout2d(rate), x)


def identity(layer, x):
    """Layers that do something in training only are left out."""
    return x


# -------------------------------------------------------------------------------------------------------------- shapes


def flatten(layer, x):
    """Flatten; its Value remembers the maps where Keras has another order of numbers."""
    if len(x.shape) == 1:
        return x
    channels, height, width = x.shape
    channels_last = not layer.channels_first or layer.config.get("data_format") == "channels_first"
    reordered = channels_last and channels > 1 and height * width > 1
    return layer.add(nn.Flatten(), x, shape=(math.prod(x.shape),), maps=x.shape if reordered else None)


def reshape(layer, x):
    """Reshape follows Keras's order of numbers, so images are turned to it before, and back after."""
    flat = x if len(x.shape) == 1 else flatten(layer.renamed("_flat"), x)
    flat, target = layer.in_keras_order(flat), layer.shape_of("target_shape", x)
    if len(target) == 1:
        return flat
    if layer.channels_first:
        return layer.add(nn.Reshape(*target), flat, shape=target)
    height, width, channels = target
    y = layer.add(nn.Reshape(*target), flat, "_reshape", target)
    return layer.add(nn.Call("permute", dims=(0, 3, 1, 2)), y, shape=(channels, height, width))


def permute(layer, x):
    """dims: the axes, from 1, in Keras's order of them."""
    dims = layer.config.get("dims")
    if len(x.shape) == 1 or not isinstance(dims, list) or sorted(map(repr, dims)) != ["1", "2", "3"]:
        layer.refuse(f"Permute is read for images and dims such as (2, 1, 3), got {dims!r:.60}")
    ours = [1, 2, 3] if layer.channels_first else [3, 1, 2]  # our axis a is Keras's ours[a - 1]
    order = [ours.index(dims[axis - 1]) + 1 for axis in ours]
    return layer.add(nn.Call("permute", dims=(0, *order)), x, shape=tuple(x.shape[axis - 1] for axis in order))


def margin(layer, x):
    """Zeros around images, or pixels cut off; ((top, bottom), (left, right))."""
    cut = layer.kind == "Cropping2D"
    sides = layer.sides("cropping" if cut else "padding")
    (top, bottom), (left, right) = (tuple(-n if cut else n for n in side) for side in sides)
    channels, height, width = layer.maps(x).shape
    shape = (channels, height + top + bottom, width + left + right)
    if min(shape) < 1:
        layer.refuse(f"cropping leaves no pixels of {height} x {width}")
    return layer.add(nn.ZeroPad2d((left, right, top, bottom)), x, shape=shape)


def up_sampling(layer, x):
    """Images that are a whole number of times larger."""
    mode, (down, across) = layer.config.get("interpolation", "nearest"), layer.pair("size", 2)
    if mode not in ("nearest", "bilinear"):
        layer.refuse(f"the interpolation {mode!r:.60} is not read; nearest and bilinear are")
    channels, height, width = layer.maps(x).shape
    shape = (channels, height * down, width * across)
    return layer.add(nn.Upsample(scale_factor=(down, across), mode=mode), x, shape=shape)


# ------------------------------------------------------------------------------------------------------------- several


def joined(layer, *inputs):
    """Sums, products and others, element by element; shapes may broadcast along axes of length 1."""
    if len({value.maps for value in inputs}) > 1:
        inputs = tuple(layer.in_keras_order(value) for value in inputs)
    if len({len(value.shape) for value in inputs}) > 1:
        layer.refuse(f"its inputs have different numbers of axes: {', '.join(str(v.shape) for v in inputs)}")
    for sizes in zip(*(value.shape for value in inputs)):
        if len({*sizes} - {1}) > 1:
            layer.refuse(f"its inputs do not fit together: {', '.join(str(v.shape) for v in inputs)}")
    shape = tuple(map(max, zip(*(value.shape for value in inputs))))
    maps = inputs[0].maps
    if layer.kind in ("Add", "Multiply", "Average"):
        kind = nn.Multiply if layer.kind == "Multiply" else nn.Add
        y = layer.add(kind(), inputs, "_sum" if layer.kind == "Average" else "", shape, maps)
        return layer.add(nn.Call("div", other=len(inputs)), y) if layer.kind == "Average" else y
    if len(inputs) != 2:
        layer.refuse(f"it has {len(inputs)} inputs; of {layer.kind}, two are read")
    function = {"Subtract": "sub", "Maximum": "maximum", "Minimum": "minimum"}[layer.kind]
    return layer.add(nn.Call(function), inputs, "", shape, maps)


def concatenate(layer, *inputs):
    """Inputs joined along one of Keras's axes."""
    inputs = tuple(layer.in_keras_order(value) for value in inputs)
    if len({len(value.shape) for value in inputs}) > 1:
        layer.refuse("its inputs have different numbers of axes")
    axis = layer.axis(inputs[0], layer.axis_of("axis", -1)) - 1
    shapes = [list(value.shape) for value in inputs]
    if len({(*s[:axis], *s[axis + 1 :]) for s in shapes}) > 1:
        layer.refuse(f"its inputs do not fit together: {', '.join(map(str, shapes))}")
    shape = [*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :]]
    return layer.add(nn.Concat(axis + 1), inputs, shape=tuple(shape))


# --------------------------------------------------------------------------------------------------- values of pixels


def rescaling(layer, x):
    """y = scale x + offset."""
    return _affine(layer, x, layer.numbers("scale", x), layer.numbers("offset", x, 0.0))


def normalization(layer, x):
    """y = (x - mean) / max(sqrt(variance), 1e-7), with mean and variance from the weights or the constructor."""
    if layer.config.get("invert"):
        layer.refuse("invert=True is not read")
    if layer.config.get("mean") is not None:
        mean, variance = layer.numbers("mean", x), layer.numbers("variance", x)
    else:
        together = layer.config.get("axis", -1) in (None, [])  # one mean of all numbers
        if not together and layer.axis(x, layer.axis_of("axis", -1)) != 1:
            layer.refuse("Normalization is read along the channels only")
        shape = () if together else (x.shape[0],)
        mean, variance = (layer.weight(place, shape).astype(np.float64) for place in (0, 1))
    if not (np.isfinite(variance).all() and np.isfinite(mean).all() and np.all(variance >= 0)):
        layer.refuse("the mean or the variance is infinite, NaN or negative")
    scale = 1 / np.maximum(np.sqrt(variance), 1e-7)
    return _affine(layer, x, scale, -mean * scale)


def _affine(layer, x, scale, offset):
    """y = scale x + offset, with numbers for each channel, or one for all of them."""
    x = layer.in_keras_order(x)
    form = (1, -1, 1, 1)[: len(x.shape) + 1]
    scaled = layer.add(nn.Multiply(), (x, layer.value(scale, form, "_scale")), "_scaled")
    y = layer.add(nn.Add(), (scaled, layer.value(offset, form, "_offset")))
    layer.of.affine[y.name] = x.name, np.ravel(scale), np.ravel(offset)
    return y
