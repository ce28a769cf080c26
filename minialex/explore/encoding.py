"""Arrays as data of a page: float32 as it is, maps in 8 bits, and what is known about the numbers of an array.

    q = 1 + round(254 (x - low) / (high - low))      of values: x is known to (high - low) / 508
    q = 128 + round(127 g / most),  most = max |g|   of gradients, so that 0 stays 0

q = 0 stands for a number that is not finite. The bytes are deflated (zlib), and written as base64.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from ..support.types import Array

BINS = 41  # of a histogram, as in web/engine/summary.js
_AT_ONCE = 1 << 20  # numbers that a summary takes at a time: they stay in the cache


def encoded(array: Array) -> str:
    """The numbers of an array as base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def eight_bits(x: Array, signed: bool = False) -> dict[str, Any]:
    """An array in 8 bits, see above: {"bytes", "range": [low, high]}; signed: whether it is of gradients."""
    finite = np.isfinite(x)
    whole = bool(finite.all())
    known = x if whole else x[finite]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if signed:
        high = max(-low, high)
        low = -high
    scale = 254 / (high - low) if high > low else 0.0
    q = np.rint((x.astype(np.float64) - low) * scale) + 1 if whole else _with_gaps(x, finite, low, scale)
    packed = zlib.compress(q.astype(np.uint8).tobytes(), 6)
    return {"bytes": base64.b64encode(packed).decode(), "range": [low, high]}


def _with_gaps(x, finite, low, scale):
    return np.where(finite, np.rint((np.where(finite, x, low).astype(np.float64) - low) * scale) + 1, 0)


def summary_of(x: Array) -> dict[str, Any]:
    """How many numbers are of which size: {"count", "smallest", "largest", "mean", "std", "zeros", "bins"}.

    bins: how many are in each of BINS equal parts between the smallest and the largest finite number. A mean or std
    that is not finite is None: JSON has no word for it.
    """
    parts = [np.ravel(x)[start : start + _AT_ONCE] for start in range(0, x.size, _AT_ONCE)]
    finite = [part if np.isfinite(part).all() else part[np.isfinite(part)] for part in parts]
    low = float(min((part.min() for part in finite if part.size), default=0))
    high = float(max((part.max() for part in finite if part.size), default=0))
    bins = np.zeros(BINS, np.int64)
    for part in finite:
        place = (part.astype(np.float64) - low) / (high - low or 1) * BINS
        bins += np.bincount(np.minimum(place.astype(np.int64), BINS - 1), minlength=BINS)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = sum(float(part.sum(dtype=np.float64)) for part in parts) / x.size
        std = (sum(float(((part - mean) ** 2).sum(dtype=np.float64)) for part in parts) / x.size) ** 0.5
    zeros = sum(part.size - np.count_nonzero(part) for part in parts)
    known = {"mean": mean, "std": std, "smallest": low, "largest": high}
    facts = {name: value if np.isfinite(value) else None for name, value in known.items()}
    return {"count": x.size, **facts, "zeros": int(zeros), "bins": bins.tolist()}
