"""The hidden checks of A5: more elements than threads, NaN, margins, unusual windows, float, nothing to save."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import a5
from ..cases import each, together
from ..declaration import Check


def hidden(name, points, draw_and_run, **options):
    """A hidden Check of a (draw, run)."""
    return dataclasses.replace(a5.check(name, points, draw_and_run, **options), public=False)


# ------------------------------------------------------------------------------------------ values


def _few(rng, *shape):
    return rng.integers(0, 3, shape).astype(np.float64)


def _some_nan(rng, *shape):
    """Two NaN in a window of every map: the last wins."""
    x = rng.standard_normal(shape)
    row, column = rng.integers(2, shape[2] - 2), rng.integers(2, shape[3] - 2)
    x[:, :, row, column : column + 2] = np.nan
    return x


def _late(rng, *shape):
    """The largest value is the last."""
    x = rng.standard_normal(shape)
    x[..., -1, -1] = 9
    return x


def _infinite(rng, *shape):
    """Most windows contain nothing but minus infinity."""
    x = np.full(shape, -np.inf)
    x[..., 0, 0], x[..., -1, -1] = rng.standard_normal(), np.inf
    return x


# ------------------------------------------------------------------------------------------ cases


def _relu(*cases):
    return together(y=a5.relu(*cases), in_place=a5.relu_in_place(*cases), g=a5.relu_backward(*cases))


def _pool(*cases):
    return together(y=a5.pool(*cases), g=a5.pool_backward(*cases))


def _lrn(*cases):
    return together(y=a5.lrn(*cases), g=a5.lrn_backward(*cases))


def _across_and_within(shape, size, **options):
    """Cases for both pairs of kernels."""
    return [{"shape": shape, "size": size, "within": within} | options for within in (False, True)]


MANY = {"count": 300}
NOT_A_NUMBER = {"count": 40, "special": (np.nan, np.inf, -np.inf, 0.0)}
PADDED: list[dict] = [
    {"shape": (1, 2, 6, 7), "kernel": (2, 3), "stride": (1, 2), "padding": (1, 0), "values": a5.negative},
    {"shape": (1, 2, 7, 6), "kernel": (3, 2), "stride": (2, 1), "padding": (0, 1), "values": a5.negative},
]
DILATED: list[dict] = [
    {"shape": (1, 2, 8, 9), "kernel": (2, 3), "dilation": (2, 1), "padding": (1, 1), "values": a5.negative},
    {"shape": (1, 1, 9, 7), "kernel": (3, 2), "dilation": (1, 3), "stride": (2, 1), "padding": (1, 2)},
]
UNUSUAL: list[dict] = [
    {"shape": (1, 2, 6, 10), "kernel": (3, 2), "stride": (2, 3), "ceil": True, "values": a5.negative},
    {"shape": (2, 1, 7, 8), "kernel": (2, 1), "stride": (3, 2)},  # pixels in no window
    {"shape": (1, 1, 2, 3), "kernel": (2, 3)},
    {"shape": (1, 1, 14, 12), "kernel": (13, 11), "values": _late},
    {"shape": (1, 2, 6, 7), "kernel": (2, 3), "values": _infinite},
]
MANY_MAPS = {"shape": (2, 4, 12, 15), "kernel": (3, 2), "stride": (2, 1)}
RAGGED = [{"shape": shape} for shape in ((19, 37, 21), (3, 1, 40), (33, 16, 5))]
GROUPS: list[dict] = [{"shape": (2, 10, 2, 3), "size": 3, "groups": 2}, {"shape": (1, 6, 1, 5), "size": 5, "groups": 3}]
EVEN: list[dict] = [
    *_across_and_within((1, 7, 6, 5), 4, beta=0.6),
    *_across_and_within((1, 5, 3, 4), 2, beta=1.0),
    *_across_and_within((1, 3, 2, 4), 8),  # beyond both edges
]
MANY_PLACES = _across_and_within((2, 6, 9, 10), 5)
SINGLE = {"dtype": np.float32}
IN_FLOAT = together(
    relu=_relu({"count": 45} | SINGLE),
    pool=_pool(PADDED[0] | SINGLE),
    product=a5.matmul({"shape": (16, 32, 48)} | SINGLE),
    lrn=_lrn(*_across_and_within((1, 6, 4, 3), 3, **SINGLE)),
)
WITHOUT_SAVING = together(
    pool=a5.pool(*a5.OVERLAPPING, save=False), lrn=a5.lrn(*_across_and_within((1, 6, 4, 3), 3), save=False)
)

CHECKS: tuple[Check, ...] = (
    hidden("relu, more elements than threads", 4, _relu(MANY)),
    hidden("relu of NaN", 3, _relu(NOT_A_NUMBER)),
    hidden("max pool with padding", 3, _pool(*PADDED)),
    hidden("max pool of equals", 3, a5.pool(*each(a5.OVERLAPPING, values=_few))),
    hidden("max pool of NaN", 2, _pool(*each(a5.OVERLAPPING, values=_some_nan))),
    hidden("max pool, many maps", 4, _pool(MANY_MAPS)),
    hidden("max pool, dilated", 3, _pool(*DILATED)),
    hidden("max pool, unusual windows", 2, _pool(*UNUSUAL)),
    hidden("matmul, ragged", 4, a5.matmul(*RAGGED)),
    hidden("lrn across, in groups", 3, _lrn(*GROUPS)),
    hidden("lrn, even window", 3, _lrn(*EVEN)),
    hidden("lrn, many places", 2, _lrn(*MANY_PLACES)),
    hidden("in float", 2, IN_FLOAT, rtol=1e-5),
    hidden("without saving", 2, WITHOUT_SAVING),
)
