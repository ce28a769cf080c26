"""Arrays as data of a page, bounded: all numbers of a small one; of a larger one a picture of 8 bits, and facts."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from ..support.types import Array

NUMBERS = 64  # of an array that is kept whole
PIXELS = 48 * 48  # of a picture of a larger one
NOT_FINITE = 255  # the pixel of NaN and infinities; 0 to 254 lead from the smallest finite number to the largest


def captured(array: Array) -> dict[str, Any]:
    """An array as data.

    array: a NumPy array of numbers or truth values.

    Returns {shape, dtype, numbers} of at most NUMBERS elements, in C order, and of more {shape, dtype, low, high, mean,
    std, pixels, tiles, step}: a picture of `tiles` = (count, height, width), every step-th row and column of the last
    two axes, of which the first tiles are kept.
    """
    data: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if array.size <= NUMBERS:
        return {**data, "numbers": [number(x) for x in array.ravel()]}
    with np.errstate(all="ignore"):
        finite = array[np.isfinite(array)].astype(np.float64)
        facts = [float(f(finite)) if finite.size else 0.0 for f in (np.min, np.max, np.mean, np.std)]
    low, high, mean, std = (number(x) for x in facts)
    tiles, step = _tiles(array)
    pixels = _pixels(tiles, *facts[:2])
    picture = {"pixels": base64.b64encode(pixels.tobytes()).decode(), "tiles": list(tiles.shape), "step": step}
    return {**data, "low": low, "high": high, "mean": mean, "std": std, **picture}


def number(x: Any) -> Any:
    """A number as JSON: the shortest decimal that stands for this float32 or float64; a text where it is not finite."""
    if np.asarray(x).dtype.kind in "iub":
        return int(x)
    if not np.isfinite(x):
        return "NaN" if np.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    return float(np.format_float_positional(x, unique=True)) if isinstance(x, np.floating) else float(x)


def _tiles(array):
    """(tiles (count, height, width) of at most PIXELS numbers in all, how many rows are from one to the next)."""
    if array.ndim < 2:  # folded: a vector is no line of a thousand pixels
        width = min(math.isqrt(array.size - 1) + 1, 48)
        array = array.ravel()[: array.size // width * width].reshape(-1, width)
    maps = array.reshape(-1, *array.shape[-2:])
    step = max(1, math.ceil(math.sqrt(maps[0].size / PIXELS)))
    maps = maps[:, ::step, ::step]
    if maps[0].size > PIXELS:  # long and narrow
        maps = maps[:, : max(1, PIXELS // maps.shape[2]), :PIXELS]
    return maps[: max(1, PIXELS // maps[0].size)], step


def _pixels(tiles, low, high):
    with np.errstate(all="ignore"):
        shades = (tiles.astype(np.float64) - low) / (high - low or 1.0) * (NOT_FINITE - 1)
    return np.where(np.isfinite(tiles), np.nan_to_num(shades).round(), NOT_FINITE).astype(np.uint8)
