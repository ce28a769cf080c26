"""Images in other sizes."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ...support.types import Size
from ...tensor import Tensor, check_dtypes, common_backend
from ..arithmetic import matmul
from ..pooling import _averaging, adaptive_avg_pool2d
from ..shaping import transpose

_LINEAR = {"linear": 3, "bilinear": 4, "trilinear": 5, "bicubic": 4}  # axes of the input


def interpolate(
    input: Tensor, size: Size | None = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    """Enlarge or reduce images, one direction after the other:

        y_i  = sum over the taps k of  w_k(i) x_j,  j = j_k(i)
        gx_j = sum of w_k(i) gy_i over the i and k with j_k(i) = j

        place p of output pixel i in the input, with scale = in / out or 1 / scale_factor:
            (i + 1/2) scale - 1/2, or i (in - 1) / (out - 1) with align_corners
        nearest         x at floor(i scale)
        nearest-exact   x at floor((i + 1/2) scale)
        bilinear        the two pixels beside p, 1 - their distance each
        bicubic         the four beside p, Keys' weights with a = -3/4
        area            means, as adaptive_avg_pool2d

    input: (N, C, H, W); for all but bilinear and bicubic one or three directions as well ("linear", "trilinear"); for
        nearest and nearest-exact whole numbers, too.
    size: OH = OW, or (OH, OW), in pixels.
    scale_factor: instead of size: a number or one for each direction; the size is rounded down.
    mode: one of the above.
    align_corners: whether the corner pixels of both stand for the same place; for bilinear and bicubic.
    recompute_scale_factor: whether the scale is in / out although a scale_factor is given.
    antialias: torch's, refused.

    Returns (N, C, OH, OW). Raises ValueError for another mode, size and scale_factor both or neither, an input of
    other axes, and a size below 1.
    """
    common_backend(input)
    if not str(mode).startswith("nearest"):
        check_dtypes("interpolate", input)
    if antialias:
        raise ValueError("interpolate has no antialias: avg_pool2d first, or mode='area', averages what is left out")
    if mode not in ("nearest", "nearest-exact", "area", *_LINEAR):
        raise ValueError(f"interpolate: mode is nearest, nearest-exact, bilinear, bicubic or area, got {mode!r}")
    if not 3 <= input.ndim <= 5 or input.ndim != _LINEAR.get(mode, input.ndim):
        raise ValueError(f"interpolate with mode={mode!r} cannot take an input of shape {input.shape}")
    if align_corners is not None and mode not in _LINEAR:
        raise ValueError(f"interpolate: align_corners is for bilinear and bicubic, not for {mode}")
    old = input.shape[2:]
    new, factors = _sizes(old, size, scale_factor, bool(recompute_scale_factor))
    if min(*new, *old) < 1:
        raise ValueError(f"interpolate needs images and sizes of at least one pixel, got {old} and {new}")
    if mode == "area":
        if input.ndim == 4:
            return adaptive_avg_pool2d(input, new)
        for axis, (m, n) in enumerate(zip(old, new), 2):
            means = Tensor(_averaging(m, n).T.astype(input.dtype), backend=input.backend)
            input = transpose(matmul(transpose(input, axis, -1), means), axis, -1)
        return input
    xp, dtype = input.backend.xp, input.dtype.type if input.dtype.kind == "f" else np.float32
    directions = [_taps(m, n, factor, dtype, mode, align_corners) for m, n, factor in zip(old, new, factors)]
    y = input.data
    for axis, taps in enumerate(directions, 2):
        first, *others = [_weighted(y.take(xp.asarray(j), axis), w, axis, xp) for j, w in taps]
        for other in others:
            first += other
        y = first

    def backward(gy):
        for axis, taps in reversed(list(enumerate(directions, 2))):
            gx = xp.zeros((*gy.shape[:axis], old[axis - 2], *gy.shape[axis + 1 :]), gy.dtype)
            for j, w in taps:
                _add_at(gx, j, _weighted(gy, w, axis, xp), axis, xp)
            gy = gx
        return (gy,)

    return Tensor.from_operation(y, backward, input, name="interpolate")


def _sizes(old, size, scale_factor, recompute):
    """(new size, a scale factor for each direction or None)."""
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate needs either size or scale_factor")
    given = size if scale_factor is None else scale_factor
    each = tuple(given) if np.iterable(given) else (given,) * len(old)
    if len(each) != len(old):
        raise ValueError(f"interpolate of {len(old)} directions needs as many numbers, got {given}")
    if size is not None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor goes with scale_factor, not with size")
        return tuple(operator.index(n) for n in each), (None,) * len(old)
    return tuple(math.floor(n * factor) for n, factor in zip(old, each)), (None,) * len(old) if recompute else each


def _taps(m, n, factor, dtype, mode, align_corners):
    """[(indices (n,), weights (n,) or None for 1)] of one direction from m to n pixels; dtype: of the arithmetic."""
    if mode == "nearest" and n in (m, 2 * m):  # whatever the factor was, as in torch
        return [(np.arange(n) * m // n, None)]
    i = np.arange(n).astype(dtype)
    if n == m and mode in ("linear", "bilinear", "trilinear"):
        factor, align_corners = 1, True
    if align_corners:
        place = i * (dtype(m - 1) / dtype(n - 1) if n > 1 else dtype(0))
    else:
        scale = dtype(1 / factor) if factor else dtype(m) / dtype(n)
        if mode.startswith("nearest"):
            place = i * scale if mode == "nearest" else (i + dtype(0.5)) * scale
            return [(np.minimum(np.floor(place).astype(np.int64), m - 1), None)]
        place = (i + dtype(0.5)) * scale - dtype(0.5)
    if mode != "bicubic":
        place = np.maximum(place, dtype(0))
        low = np.minimum(np.floor(place).astype(np.int64), m - 1)
        share = np.clip(place - low.astype(dtype), dtype(0), dtype(1))
        return [(low, dtype(1) - share), (np.minimum(low + 1, m - 1), share)]
    low = np.floor(place).astype(np.int64)
    t = place - low.astype(dtype)
    return [(np.clip(low + k, 0, m - 1), _keys(np.abs(t - dtype(k)), dtype)) for k in (-1, 0, 1, 2)]


def _keys(distance, dtype):
    """Weights of cubic convolution (Keys 1981) at distances from 0 to 2."""
    a, d = dtype(-0.75), distance
    near = ((a + dtype(2)) * d - (a + dtype(3))) * d * d + dtype(1)
    far = ((a * d - dtype(5) * a) * d + dtype(8) * a) * d - dtype(4) * a
    return np.where(d <= 1, near, far)


def _weighted(x, w, axis, xp):
    return x if w is None else x * xp.asarray(w).reshape(-1, *[1] * (x.ndim - 1 - axis))


def _add_at(x, j, values, axis, xp):
    """x[j] += values along an axis, where equal ones of the ascending j add up."""
    repeated = np.arange(len(j)) - np.searchsorted(j, j)  # how often this j stood before
    for k in range(repeated.max() + 1):
        places = np.flatnonzero(repeated == k)
        x[(*[slice(None)] * axis, xp.asarray(j[places]))] += values.take(xp.asarray(places), axis)
