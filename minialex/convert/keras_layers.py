"""Layers of Keras as layers of minialex.nn: a table with a function for each class of layer.

Keras's images are (H, W, C), unless data_format is "channels_first"; here they are always (C, H, W). Flatten therefore
puts numbers into another order, which the weights of the Dense after it follow (layouts.dense_from_keras).
https://keras.io/api/layers/
"""

from __future__ import annotations

import math

import numpy as np

from .. import nn
from ..window import Window
from . import keras_simple as simple
from . import layouts
from .keras_building import Value
from .keras_layer import Layer

# -------------------------------------------------------------------------------------------------- layers with weights


def _conv2d(layer: Layer, x: Value):
    return simple.activated(layer, _convolution(layer, layer.maps(x), layer.whole("filters"), layer.whole("groups", 1)))


def _depthwise(layer, x):
    """A kernel (H, W, C, M) has M filters for each channel."""
    channels = layer.maps(x).shape[0]
    return simple.activated(layer, _convolution(layer, x, channels * layer.whole("depth_multiplier", 1), channels))


def _separable(layer, x):
    """A depthwise convolution, then one of 1 x 1 pixels with the bias."""
    (channels, _, _), filters = layer.maps(x).shape, layer.whole("filters")
    many = channels * layer.whole("depth_multiplier", 1)
    x = _convolution(layer, x, many, channels, bias=False, suffix="_depthwise", count=1)
    weight = layouts.kernel_from_keras(layer.weight(1, (1, 1, many, filters)))
    bias = layer.bias(2, filters)
    module = layer.module(nn.Conv2d, many, filters, 1, bias=bias is not None, state={"weight": weight, "bias": bias})
    return simple.activated(layer, layer.add(module, x, shape=(filters, *x.shape[1:])))


def _convolution(layer, x, filters, groups, bias=True, suffix="", count=None):
    channels, kernel = x.shape[0], layer.pair("kernel_size")
    if channels % groups or filters % groups:
        layer.refuse(f"{groups} groups do not divide {channels} channels and {filters} filters")
    stride, dilation, padding = layer.pair("strides", 1), layer.pair("dilation_rate", 1), layer.padding()
    if groups == channels and layer.kind != "Conv2D":
        weight = layer.weight(0, (*kernel, channels, filters // channels), count)
        weight = weight.transpose(2, 3, 0, 1).reshape(filters, 1, *kernel)
    else:
        weight = layouts.kernel_from_keras(layer.weight(0, (*kernel, channels // groups, filters), count))
    values = layer.bias(1, filters) if bias else None
    options = {"groups": groups, "bias": values is not None}
    state = {"weight": weight, "bias": values}
    module = layer.module(nn.Conv2d, channels, filters, kernel, stride, padding, dilation, state=state, **options)
    window = layer.window(x, kernel, stride, padding, dilation)
    return layer.add(module, x, suffix, (filters, *window.output))


def _dense(layer, x):
    units = layer.whole("units")
    if len(x.shape) == 3:  # of each pixel by itself
        if layer.channels_first:
            layer.refuse("a Dense layer of images with data_format='channels_first' works along their rows")
        weight = layer.weight(0, (x.shape[0], units)).T[:, :, None, None]
        bias = layer.bias(1, units)
        module = layer.module(
            nn.Conv2d, x.shape[0], units, 1, bias=bias is not None, state={"weight": weight, "bias": bias}
        )
        return simple.activated(layer, layer.add(module, x, shape=(units, *x.shape[1:])))
    weight = layouts.dense_from_keras(layer.weight(0, (x.shape[0], units)), x.maps)
    bias = layer.bias(1, units)
    state = {"weight": weight, "bias": bias}
    module = layer.module(nn.Linear, x.shape[0], units, bias=bias is not None, state=state, key=x.maps)
    return simple.activated(layer, layer.add(module, x, shape=(units,), maps=None))


def _batch_norm(layer, x):
    """Keras's momentum is the share that stays: 0.99 is 0.01 here. A layer without gamma has ones."""
    x = layer.in_keras_order(x)
    if layer.axis(x, layer.axis_of("axis", -1)) != 1:
        layer.refuse("batch normalisation is read along the channels only")
    if layer.config.get("renorm"):
        layer.refuse("batch renormalisation is not read")
    channels, scale, center = x.shape[0], layer.flag("scale", True), layer.flag("center", True)
    names = [*["weight"] * scale, *["bias"] * center, "running_mean", "running_var"]
    state = {name: layer.weight(place, (channels,), len(names)) for place, name in enumerate(names)}
    if center and not scale:
        state["weight"] = np.ones_like(state["bias"])
    state["num_batches_tracked"] = np.array(0)
    kind = nn.BatchNorm2d if len(x.shape) == 3 else nn.BatchNorm1d
    momentum = 1 - layer.number("momentum", 0.99, 0, 1)
    options = {"affine": scale or center, "bias": center}
    eps = layer.number("epsilon", 1e-3, 0)
    return layer.add(layer.module(kind, channels, eps, momentum, state=state, **options), x)


# --------------------------------------------------------------------------------------------------------------- pools


def _pool(layer, x):
    """A pool; with padding="same" the margin is never the maximum, and does not count in the mean."""
    x, kernel = layer.maps(x), layer.pair("pool_size", 2)
    stride = layer.pair("strides", kernel) if layer.config.get("strides") is not None else kernel
    window = layer.window(x, kernel, stride, layer.padding(), 1)
    largest, shape = layer.kind.startswith("Max"), (x.shape[0], *window.output)
    options = {} if largest else {"count_include_pad": False}
    kind = nn.MaxPool2d if largest else nn.AvgPool2d
    before = tuple(first for first, _ in window.padding)
    for ceil_mode in (False, True):
        like = Window.over_pool((1, *x.shape), kernel, stride, before, 1, ceil_mode)
        if like.output == window.output:
            return layer.add(kind(kernel, stride, before, ceil_mode=ceil_mode, **options), x, shape=shape)
    (top, bottom), (left, right) = window.padding
    padded = (x.shape[0], x.shape[1] + top + bottom, x.shape[2] + left + right)
    margin = nn.ConstantPad2d((left, right, top, bottom), -math.inf if largest else 0.0)
    y = layer.add(margin, x, "_pad", padded)
    if largest:
        return layer.add(kind(kernel, stride), y, shape=shape)
    y = layer.add(kind(kernel, stride), y, "_mean", shape)
    for axis, name in enumerate(("_rows", "_columns")):  # from the mean with the margin to that without
        places = np.arange(window.output[axis]) * stride[axis] - window.padding[axis][0]
        inside = np.minimum(places + kernel[axis], x.shape[1 + axis]) - np.maximum(places, 0)
        factor = layer.value(kernel[axis] / inside, (1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1), f"{name}_factor")
        y = layer.add(nn.Multiply(), (y, factor), name if axis == 0 else "", shape)
    return y


def _adaptive_pool(layer, x):
    size = layer.pair("output_size")
    return layer.add(nn.AdaptiveAvgPool2d(size), layer.maps(x), shape=(x.shape[0], *size))


def _global_pool(layer, x):
    kind = nn.AdaptiveMaxPool2d if "Max" in layer.kind else nn.AdaptiveAvgPool2d
    keep, channels = layer.flag("keepdims", False), layer.maps(x).shape[0]
    y = layer.add(kind(1), x, "" if keep else "_pool", (channels, 1, 1))
    return y if keep else layer.add(nn.Flatten(), y, shape=(channels,))


_RANDOM = ("Flip", "Rotation", "Zoom", "Translation", "Contrast", "Brightness")  # augmentation, in training only
TABLE = {
    "Conv2D": _conv2d,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "MaxPooling2D": _pool,
    "AveragePooling2D": _pool,
    "AdaptiveAveragePooling2D": _adaptive_pool,
    "GlobalAveragePooling2D": _global_pool,
    "GlobalMaxPooling2D": _global_pool,
    "Activation": simple.activation,
    "ReLU": simple.relu,
    "LeakyReLU": simple.leaky_relu,
    "ELU": simple.elu,
    "Softmax": simple.softmax,
    "Dropout": simple.dropout,
    "SpatialDropout2D": simple.dropout,
    **dict.fromkeys(("GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"), simple.identity),
    **dict.fromkeys((f"Random{what}" for what in _RANDOM), simple.identity),
    "Flatten": simple.flatten,
    "Reshape": simple.reshape,
    "Permute": simple.permute,
    "ZeroPadding2D": simple.margin,
    "Cropping2D": simple.margin,
    "UpSampling2D": simple.up_sampling,
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), simple.joined),
    "Concatenate": simple.concatenate,
    "Rescaling": simple.rescaling,
    "Normalization": simple.normalization,
}
SEVERAL = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"}  # take several inputs
