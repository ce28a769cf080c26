"""Where the windows of ONNX's convolutions and pools lie, and the layers that have the same windows.

    output = floor or ceil((input + before + after - extent) / stride) + 1,    extent = dilation (kernel - 1) + 1

With ceil_mode, a last window that would begin behind the image and the padding before it is left out. auto_pad gives
ceil(input / stride) windows; of an odd total of padding, the odd pixel is after (SAME_UPPER) or before the image.
Images are (N, C, H, W), or (N, C, L), which are computed as images of one row.
https://onnx.ai/onnx/operators/onnx__MaxPool.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..window import Window
from .onnx_graph import Constant
from .onnx_tensors import Fault

LARGEST = 2**20  # pixels of a kernel, a stride or a padding: more than any image has


@dataclass(frozen=True)
class Placed:
    """The windows of a node. All pairs are (vertical, horizontal), in pixels.

    image: the shape of the input, None if unknown.
    kernel, stride, dilation: pairs.
    padding: ((top, bottom), (left, right)), or None for SAME_UPPER where the size of the images is unknown.
    ceil: whether ceil_mode is on.
    output: a pair, in which None stands for what is unknown.
    """

    image: tuple | None
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: Any
    ceil: bool
    output: tuple

    def shape(self, channels=None):
        """The shape of the result; channels: None for those of the input."""
        if self.image is None:
            return None
        return (self.image[0], self.image[1] if channels is None else channels, *self.output)

    def for_conv(self):
        """The padding as Conv2d takes it."""
        if self.padding is None:
            return "same"
        (top, bottom), (left, right) = self.padding
        if (top, left) != (bottom, right):
            return self.padding
        return top if top == left else (top, left)


def maps(node, x):
    """x as (N, C, H, W), and its number of axes: an image (N, C, L) becomes one of a single row."""
    if x.shape is None or len(x.shape) == 4:
        return x, 4
    if len(x.shape) != 3:
        raise Fault(f"its input {x.shape} should be (N, C, H, W) or (N, C, L)")
    shape = (*x.shape[:2], 1, x.shape[2])
    return node.layer(nn.Call("unsqueeze", dim=2), x, shape=shape, name="rows"), 3


def maps_back(node, y, rank):
    """The inverse of `maps`."""
    if rank == 4:
        return y
    return node.layer(nn.Call("squeeze", dim=2), y, shape=(*y.shape[:2], y.shape[3]), name="row")


def window(node, x, kernel, rank, unknown_same=False):
    """The Placed windows of a node.

    x: a Value (N, C, H, W).
    kernel: a pair.
    rank: what `maps` returned, 4 or 3: how many numbers its attributes have.
    unknown_same: whether padding=None may stand for SAME_UPPER.
    """
    spatial, ones = rank - 2, [1] * (4 - rank)

    def pair(name):
        return (*ones, *node.ints(name, [1] * spatial, spatial))

    stride, dilation = pair("strides"), pair("dilations")
    if not all(1 <= n <= LARGEST for n in (*kernel, *stride, *dilation)):
        raise Fault(f"kernel {kernel}, strides {stride} and dilations {dilation} must be between 1 and {LARGEST:,}")
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    size = (None, None) if x.shape is None else x.shape[2:]
    same, pads = node.text("auto_pad", "NOTSET"), node.ints("pads", [0] * 2 * spatial, 2 * spatial)
    ceil = node.opset >= 10 and node.op != "Conv" and node.flag("ceil_mode")
    if same.startswith("SAME"):
        padding: Any = [_same(*each, same == "SAME_UPPER") for each in zip(size, extent, stride)]
        output = tuple(None if n is None else -(-n // s) for n, s in zip(size, stride))
        if None in padding:
            if not unknown_same or same != "SAME_UPPER":
                raise Fault(f"auto_pad={same} needs to know the size of the images; export with a fixed size")
            padding = None
        return Placed(x.shape, tuple(kernel), stride, dilation, _pairs(padding), False, output)
    if same not in ("NOTSET", "VALID"):
        raise Fault(f"auto_pad={same}, expected NOTSET, VALID, SAME_UPPER or SAME_LOWER")
    if not all(0 <= n <= LARGEST for n in pads):
        raise Fault(f"pads {pads} must be between 0 and {LARGEST:,}")
    pads = [0] * 2 * spatial if same == "VALID" else pads
    padding = [(0, 0)] * len(ones) + list(zip(pads[:spatial], pads[spatial:]))
    output = tuple(_length(*each, ceil) for each in zip(size, extent, stride, padding))
    if any(n is not None and n < 1 for n in output):
        raise Fault(f"a window of {extent} pixels does not fit into images of {size} pixels with padding {padding}")
    return Placed(x.shape, tuple(kernel), stride, dilation, _pairs(padding), ceil, output)


def _pairs(padding):
    return None if padding is None else tuple(map(tuple, padding))


def _same(n, extent, stride, upper):
    """(before, after) for ceil(n / stride) windows, None where that depends on an unknown n."""
    if n is None and stride > 1:
        return None
    total = max((-(-n // stride) - 1) * stride + extent - n, 0) if n is not None else extent - 1
    less, more = total // 2, total - total // 2
    return (less, more) if upper else (more, less)


def _length(n, extent, stride, padding, ceil):
    if n is None:
        return None
    before, after = padding
    span = n + before + after - extent
    if not ceil:
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= n + before else count


def _pooled(node):
    """(x, its axes, the windows) of a pool, whose kernel is an attribute."""
    x, rank = maps(node, node.value(0))
    kernel = node.ints("kernel_shape", None, rank - 2)
    if kernel is None:
        raise Fault("kernel_shape is missing")
    return x, rank, window(node, x, [1] * (4 - rank) + kernel, rank)


def _rounding(placed, size, padding):
    """The ceil_mode with which a layer has these windows, with padding on both sides; None if neither has.

    size: of the images, (None, None) if unknown.
    padding: a pair.
    """
    extent = [d * (k - 1) + 1 for d, k in zip(placed.dilation, placed.kernel)]
    if any(2 * p > e for p, e in zip(padding, extent)):
        return None
    if None in size:
        return placed.ceil if all(p == (q, q) for p, q in zip(placed.padding, padding)) else None
    for ceil in (placed.ceil, not placed.ceil):
        try:
            found = Window.over_pool((1, 1, *size), placed.kernel, placed.stride, padding, placed.dilation, ceil)
        except ValueError:  # not one window fits
            continue
        if found.output == placed.output:
            return ceil
    return None


def _short(pair):
    return pair[0] if pair[0] == pair[1] else tuple(pair)


def _margin(node, x, placed, value):
    """x with the node's padding around it, which may be uneven; and the windows without it."""
    (top, bottom), (left, right) = placed.padding
    size = (None, None) if x.shape is None else x.shape[2:]
    if None not in size:  # as far as the last window reaches, which in ceil_mode is farther or nearer
        places = zip(placed.output, placed.stride, placed.dilation, placed.kernel, placed.padding, size)
        bottom, right = (max((out - 1) * s + d * (k - 1) + 1 - b - n, 0) for out, s, d, k, (b, _), n in places)
    elif placed.ceil:
        raise Fault("ceil_mode with uneven pads needs to know the size of the images; export with a fixed size")
    shape = None
    if x.shape is not None:
        shape = (
            *x.shape[:2],
            *(None if n is None else n + sum(p) for n, p in zip(size, ((top, bottom), (left, right)))),
        )
    return node.layer(nn.ConstantPad2d((left, right, top, bottom), value), x, shape=shape, name="pad")


def max_pool(node):
    """The MaxPool2d of a node. Where its padding is uneven, a margin of -infinity stands before it."""
    x, rank, placed = _pooled(node)
    size = (None, None) if x.shape is None else x.shape[2:]
    padding = tuple(before for before, _ in placed.padding)
    ceil = _rounding(placed, size, padding)
    if ceil is None:
        x, padding, ceil = _margin(node, x, placed, -float("inf")), (0, 0), False
    settings = _short(placed.kernel), _short(placed.stride), _short(padding), _short(placed.dilation)
    y = node.layer(nn.MaxPool2d(*settings, ceil_mode=ceil), x, shape=placed.shape())
    return maps_back(node, y, rank)


def average_pool(node):
    """The AvgPool2d of a node. Where padding counts and is uneven, a margin of zeros stands before it."""
    counted = node.flag("count_include_pad")
    x, rank, placed = _pooled(node)
    if placed.dilation != (1, 1):
        raise Fault(f"dilations={placed.dilation}: AvgPool2d's windows have no holes")
    size = (None, None) if x.shape is None else x.shape[2:]
    padding = tuple(before for before, _ in placed.padding)
    even = all(before == after for before, after in placed.padding)
    ceil = _rounding(placed, size, padding)
    if ceil is not None and (not counted or (even and ceil == placed.ceil)):
        layer = nn.AvgPool2d(_short(placed.kernel), _short(placed.stride), _short(padding), ceil, counted)
        return maps_back(node, node.layer(layer, x, shape=placed.shape()), rank)
    return maps_back(node, _rescaled(node, x, placed, counted), rank)


def _rescaled(node, x, placed, counted):
    """Means of an image with a margin of zeros, rescaled where a window has fewer pixels that count."""
    if x.shape is None or None in placed.output:
        raise Fault(f"uneven pads {placed.padding} need to know the size of the images; export with a fixed size")
    node.network.tensors.reserve(8 * math.prod(placed.output))
    each = zip(x.shape[2:], placed.kernel, placed.stride, placed.padding, placed.output)
    height, width = (_counts(n, k, s, p, out, counted) for n, k, s, p, out in each)
    scale = math.prod(placed.kernel) / np.maximum(np.outer(height, width), 1)
    inner = "mean" if (scale != 1).any() else None
    x = _margin(node, x, placed, 0.0)
    y = node.layer(nn.AvgPool2d(_short(placed.kernel), _short(placed.stride)), x, shape=placed.shape(), name=inner)
    if inner is None:
        return y
    return node.layer(nn.Multiply(), y, Constant(scale.astype(x.dtype)), shape=placed.shape())


def _counts(n, kernel, stride, padding, output, counted):
    """How many places of each window count along an axis: those on the image, or on the padding as well."""
    before, after = padding
    low, high = (0, n + before + after) if counted else (before, before + n)
    starts = np.arange(output) * stride
    return np.maximum(np.minimum(starts + kernel, high) - np.maximum(starts, low), 0)
