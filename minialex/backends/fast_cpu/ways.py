"""Which way a convolution is computed: directly, or by one of Winograd's algorithms.

The choice is a function of the layer's shape and type and of a table, never of the batch: the same seed gives the same
bits, and a picture alone is computed as in a batch. The table in this file says what one multiplication and the
handling of one number cost on a processor of today; the way that costs least by it is taken. A table of the user's own,
measured by `python -m minialex.doctor --tune FILE`, names the way for each layer instead.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from . import blocks, few_channels, im2col, winograd


@dataclass(frozen=True)
class Way:
    """How to convolve.

    outputs: m of F(m, r), in each direction; 0 to convolve directly.
    taps: r.
    """

    outputs: int = 0
    taps: int = 0

    def __str__(self):
        return f"F({self.outputs},{self.taps})" if self.outputs else "direct"


DIRECT = Way()

# F(m, r): the most channels over which the largest float32 error measured below 5e-5 of the output's std, of y, gx and
# gw (tests/backends/fast_cpu/test_winograd.py). F(6, 3) over 48 channels: 5.6e-5.
CHANNELS = {(4, 3): 1024, (5, 3): 512, (3, 5): 512, (4, 5): 64}
FEW = [(4, 5)]  # for few channels: others were not faster
NAMES = (str(DIRECT), *(str(Way(m, r)) for m, r in CHANNELS))

# ns in one thread, forward, rounded; what costs least by them is what `doctor --tune` found fastest for each layer of
# AlexNet and cifar_quick on AMD EPYC (Zen 3), 2026-11-30, before im2col took several small maps at a time
_DIRECT_PRODUCT, _COLUMN = 0.03, 0.5  # a multiplication and addition; a number copied into im2col's columns
_PRODUCT, _TILE = 0.04, 1.3  # the same in a Winograd product; a number of a tile, transformed there or back
_FEW_PRODUCT, _FEW_TILE = 0.1, 0.3  # the same where there are few channels; a number of M, which is not stored

_LEAST = 16  # channels and filters: with fewer there is little to multiply
_SMALLEST = 6  # rows and columns of outputs: with fewer most of a tile is wasted

enabled = True  # False: every convolution is direct
_table: dict[str, str] = {}  # the user's own, by `key`


def conv2d(x, w, b, window, groups, relu=False):
    """y = x * w + b, the way that `choose` chooses; with relu, max(y, 0)."""
    way = choose(x.shape[1:], w.shape, window, groups, x.dtype)
    if not way.outputs or not len(x):
        return im2col.conv2d(x, w, b, window, groups, relu)
    return _module(w.shape, window).conv2d(x, w, b, window, groups, way.outputs, relu)


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gx and gw, the same way; one is None where what it is made from is: w, or x."""
    if x is None and w is None:  # only the bias is trained
        return None, None
    way = choose(x_shape[1:], w_shape, window, groups, gy.dtype)
    what = gy, x_shape, w_shape, x, w, window, groups
    if not way.outputs or not len(gy):
        return im2col.conv2d_backward(*what)
    few = w is not None and on_the_way(
        w_shape, window
    )  # pictures need no gradient; where something does, it is summed over
    return (winograd if few else _module(w_shape, window)).conv2d_backward(*what, way.outputs)


def _module(w_shape, window):
    """Where Winograd's algorithm for such filters is."""
    if window.stride != (1, 1):
        return blocks
    return few_channels if on_the_way(w_shape, window) else winograd


def on_the_way(w_shape, window):
    """Whether filters have so few channels that their products are made on the way: see `few_channels.py`."""
    return window.stride == (1, 1) and w_shape[1] <= few_channels.MOST


def choose(image, w_shape, window, groups, dtype):
    """The Way for a convolution of images (C, H, W) with filters (O, C / groups, KH, KW)."""
    if not enabled:
        return DIRECT
    way = _table and _table.get(key(image, w_shape, window, groups, dtype))
    return next((w for w in possible(w_shape, window, groups) if str(w) == way), None) or _cheapest(
        w_shape, window, groups
    )


@functools.lru_cache(1024)
def _cheapest(w_shape, window, groups):
    return min(possible(w_shape, window, groups), key=lambda way: cost(way, w_shape, window, groups))


def possible(w_shape, window, groups):
    """All ways for such filters that lose few enough digits, direct first."""
    square = window.kernel[0] == window.kernel[1] and window.stride[0] == window.stride[1]
    if not square or window.dilation != (1, 1) or window.stride[0] > window.kernel[0]:
        return [DIRECT]
    taps, channels = blocks.taps(window), w_shape[1] * window.stride[0] ** 2
    if w_shape[0] < _LEAST or min(window.output) < _SMALLEST:
        return [DIRECT]
    if on_the_way(w_shape, window):
        return [DIRECT] + [Way(m, r) for m, r in FEW if r == taps and groups == 1]
    if channels < _LEAST:
        return [DIRECT]
    return [DIRECT] + [Way(m, r) for (m, r), most in CHANNELS.items() if r == taps and channels <= most]


def cost(way, w_shape, window, groups):
    """What a way costs for one picture, in ns of one thread."""
    filters, channels = w_shape[0], w_shape[1]
    if not way.outputs:
        places, depth = math.prod(window.output), math.prod(w_shape[1:])
        return places * depth * (filters * _DIRECT_PRODUCT + groups * _COLUMN)
    channels *= window.stride[0] ** 2
    tiles = math.prod(-(-n // way.outputs) for n in window.output)
    places = tiles * (way.outputs + way.taps - 1) ** 2
    if on_the_way(w_shape, window):
        return places * (filters * (channels * _FEW_PRODUCT + _FEW_TILE) + channels * _TILE)
    return places * (filters * channels * _PRODUCT + (filters + groups * channels) * _TILE)


def multiplications(way, w_shape, window, groups):
    """How many a way needs for one picture, forward."""
    filters, channels = w_shape[0], w_shape[1]
    if not way.outputs:
        return math.prod(window.output) * filters * math.prod(w_shape[1:])
    tiles = math.prod(-(-n // way.outputs) for n in window.output)
    return tiles * (way.outputs + way.taps - 1) ** 2 * filters * channels * window.stride[0] ** 2


def key(image, w_shape, window, groups, dtype):
    """A layer's name in a table, such as "96x27x27 to 256, 5x5, stride 1, padding 2 2 2 2, groups 2, float32"."""
    kernel, stride, size = ("x".join(map(str, pair)) for pair in (window.kernel, window.stride, image))
    padding = " ".join(str(n) for pair in window.padding for n in pair)
    dilation = "x".join(map(str, window.dilation))
    return (
        f"{size} to {w_shape[0]}, {kernel}, stride {stride}, padding {padding}, dilation {dilation}, groups {groups}, "
        f"{np.dtype(dtype).name}"
    )


def use(table):
    """Take the ways of a table {key: str(Way)} from now on, in this process; None or {} for the built-in choice.

    Raises ValueError for what is no such table.
    """
    if table is not None and not (
        isinstance(table, dict) and all(isinstance(k, str) and v in NAMES for k, v in table.items())
    ):
        raise ValueError(f"a table of convolutions maps layers to one of {', '.join(NAMES)}")
    global _table
    _table = dict(table or {})


def table():
    """The user's table in use, {} without one."""
    return dict(_table)
