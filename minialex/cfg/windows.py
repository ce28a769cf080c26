"""Pooling: the largest, the mean or a random one of every window; and what samples a picture.

    outputs = ceil((size - start - sizeX) / stride) + 1      or outputsX

Windows begin at `start`, which may be before the picture, and are clipped to it: a mean divides by the pixels that
exist.
layer.py (parse_pool); cudaconv3/include/conv_util.cuh of cuda-convnet2.
"""

from __future__ import annotations

import math

import numpy as np

from ..window import Window
from .filters import MOST_PIXELS

_POOLS = {"max": "MaxPool2d", "avg": "AvgPool2d", "rand": "StochasticPool2d"}
_ALL = {"slice": [None, None, None]}


def pooling(step):
    """Pooling; source of the sizes above."""
    given = step.given
    kind = given.word("pool")
    if kind not in _POOLS:
        raise given.fault("pool", f" is {kind[:30]!r}; {', '.join(_POOLS)} are known")
    if given.flag("sum", False):
        raise given.fault("sum", "=true is not known: pool=avg divides by the pixels of the window")
    size, stride = given.whole("sizeX", None, 1, MOST_PIXELS), given.whole("stride", None, 1, MOST_PIXELS)
    channels = given.whole("channels", None, 1) if "channels" in given else None
    name, (channels, side, _) = step.maps(step.input, "channels", channels)
    start, wanted = given.whole("start", 0, -MOST_PIXELS, MOST_PIXELS), given.whole("outputsX", 0, 0, MOST_PIXELS)
    if start > 0:
        name = step.call("getitem", [name], "started", index=[_ALL, _ALL, *[{"slice": [start, None, None]}] * 2])
        side, start = side - start, 0
    if not stride <= size <= side - start:
        raise given.fault(
            "sizeX", f"={size} should be from stride={stride} to the input's {max(side - start, 0)} pixels"
        )
    out = wanted or math.ceil((side - start - size) / stride) + 1
    step.facts |= {"size": size, "stride": stride, "out": out, "pool": kind, "start": start}
    step.facts["beyond"] = max((out - 1) * stride + size + start - side, 0)
    if -start > size // 2:
        return _pooled_with_margins(step, name, channels, side)
    arguments = {"kernel_size": size, "stride": stride, "padding": -start, "ceil_mode": True}
    if kind == "avg":
        arguments["count_include_pad"] = False
    if kind == "rand":
        chosen = step.rates if step.rates is not None and "doMax" in step.rates else given
        arguments["evaluation"] = "max" if chosen.flag("doMax", False) else "mean"
    try:
        possible = Window.over_pool((1, 1, side, side), size, stride, -start, 1, True).output[0]
    except ValueError as error:
        raise given.fault("start", f"={start}: {error}") from None
    if out > possible:
        raise given.fault("outputsX", f"={out}: the last of {out} windows would lie outside of the picture")
    pooled = step.add(_POOLS[kind], arguments, [name], "pool" if out < possible else "")
    if out < possible:
        step.call("getitem", [pooled], index=[_ALL, _ALL, *[{"slice": [0, out, None]}] * 2])
    return channels, out, out


def _pooled_with_margins(step, name, channels, side):
    """Pooling that begins further outside than a pooling module's padding may be, which is half a window.

    With margins of the lowest number the largest value is the same; with margins of 0 the mean of a window of S^2
    pixels, n of them in the picture, is that of all its pixels times S^2 / n.
    """
    size, stride, out, start = (step.facts[key] for key in ("size", "stride", "out", "start"))
    kind, last = step.facts["pool"], start + (out - 1) * stride
    if kind == "rand" or -start >= size:
        raise step.given.fault("start", f"={start} should be from {1 - size} on, or {-(size // 2)} with pool=rand")
    if last >= side:
        raise step.given.fault("outputsX", f"={out}: the last of {out} windows would lie outside of the picture")
    lowest = float(np.finfo(np.float32).min) if kind == "max" else 0.0
    margins = [-start, last + size - side] * 2
    padded = step.add("ConstantPad2d", {"padding": margins, "value": lowest}, [name], "padded")
    pooled = step.add(_POOLS[kind], {"kernel_size": size, "stride": stride}, [padded], "" if kind == "max" else "pool")
    if kind == "avg":
        first = start + stride * np.arange(out)
        inside = np.minimum(first + size, side) - np.maximum(first, 0)
        factors = (size**2 / np.outer(inside, inside)).astype(np.float32)[None, None]
        weight = step.add("Tensor", {"shape": list(factors.shape), "dtype": "float32"}, [], "factors")
        step.fixed[weight] = factors
        step.call("mul", [pooled, weight])
    return channels, out, out


def blur(step):
    """Every channel convolved with a Gaussian, first along rows, then along columns; outside the picture are zeros.

    taps(i) ~ exp(-i^2 / (2 stdev^2)), i = -r ... r, with the sum 1
    """
    given = step.given
    size, stdev = given.whole("filterSize", None, 1, 99), given.number("stdev", None, 1e-6)
    name, (channels, side, _) = _channels(step)
    if size % 2 == 0 or size > side:
        raise given.fault("filterSize", f"={size} should be an odd number up to the input's {side} pixels")
    taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * stdev**2))
    taps /= taps.sum()
    for part, shape in (("rows", (1, size)), ("", (size, 1))):
        values = np.broadcast_to(taps.reshape(shape), (channels, 1, *shape)).astype(np.float32)
        weight = step.add("Tensor", {"shape": list(values.shape), "dtype": "float32"}, [], f"taps_{part or 'columns'}")
        step.fixed[weight] = values
        name = step.call("conv2d", [name, weight], part, padding=[n // 2 for n in shape], groups=channels)
    step.facts |= {"size": size, "stdev": stdev}
    return channels, side, side


def nailbed(step):
    """Every stride-th pixel in both directions, ceil(size / stride) of them, from the middle of what is left over."""
    stride = step.given.whole("stride", None, 1, MOST_PIXELS)
    name, (channels, side, _) = _channels(step)
    out = math.ceil(side / stride)
    start = (side - stride * (out - 1)) // 2
    pixels = {"slice": [start, start + stride * (out - 1) + 1, stride]}
    step.call("getitem", [name], index=[_ALL, _ALL, pixels, pixels])
    step.facts |= {"stride": stride, "start": start, "out": out}
    return channels, out, out


def mirror(step):
    """Every picture mirrored, left to right."""
    name, shape = _channels(step)
    step.call("flip", [name], dims=[3])
    return shape


def _channels(step):
    channels = step.given.whole("channels", None, 1) if "channels" in step.given else None
    return step.maps(step.input, "channels", channels)
