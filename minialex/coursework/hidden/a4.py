"""The hidden checks of A4: equal maxima, margins, unusual windows and flags, float32, and functions called in turn."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import a4_checks as a4
from ..cases import each, together
from ..declaration import Check


def hidden(name, points, draw_and_run, **options):
    """A hidden Check of a (draw, run)."""
    return dataclasses.replace(a4.check(name, points, draw_and_run, **options), public=False)


# ------------------------------------------------------------------------------ values and windows


def _below_zero(x):
    return -np.abs(x)


def _few_values(x):
    """Values 0, 1 and 2, so that nearly every window has several maxima."""
    return np.minimum(np.round(np.abs(x)), 2)


def _equal(x):
    """All values of a map are the same, also at the margins, which must not win."""
    return 0 * x + x[..., :1, :1]


def _late(x):
    """The largest value is the last of the last window."""
    x[..., -1, -1] = 9
    return x


PADDED: list[dict] = [
    {"kernel": (3, 5), "stride": (2, 3), "padding": (1, 2)},
    {"kernel": (4, 2), "stride": (1, 2), "padding": (2, 1)},
    {"kernel": (2, 3), "stride": (3, 2), "padding": (0, 1)},
]
OVER_THE_EDGE: list[dict] = [
    {"kernel": (3, 5), "stride": (2, 3), "ceil": True},
    {"kernel": (4, 3), "stride": (3, 2), "padding": (1, 1), "ceil": True},
]
DILATED: dict = {"kernel": (2, 3), "stride": (1, 2), "dilation": (3, 2)}
ONE: dict = {"kernel": (4, 3), "stride": (2, 2), "least": (1, 1), "exact": True, "images": (1, 1)}
MANY_TAPS: dict = {
    "kernel": (17, 16),
    "stride": (1, 1),
    "least": (1, 2),
    "images": (1, 2),
}  # 272, more than a byte counts
EDGES = [*PADDED[:2], *OVER_THE_EDGE, DILATED | {"padding": (1, 2)}]
FLOAT32 = [case | {"dtype": np.float32} for case in (PADDED[0], a4.OVERLAPPING[1])]
MARGINS = [case | {"scales": True} for case in EDGES]


# ------------------------------------------------------------------------------ in turn


def _turns_draw(rng):
    """Two images of the same shape, and gradients."""
    x = rng.standard_normal((2, 2, 4, 7, 6))
    return {"x": x[0], "other": x[1], "g": rng.standard_normal(2)}


def _in_turn(lib, operation, x, other, g):
    """Two outputs and two gradients of an operation; neither is read before both outputs are computed."""
    tensors = [lib.Tensor(array, requires_grad=True) for array in (x, other)]
    outputs = [operation(tensor) for tensor in tensors]
    arrays = [output.numpy() for output in outputs]
    upstream = [
        np.cos(factor * np.arange(array.size)).reshape(array.shape) for factor, array in zip(g, arrays, strict=True)
    ]
    gradients = [output.node.backward(gy)[0] for output, gy in zip(outputs, upstream, strict=True)]
    return {"y": arrays[0], "y_other": arrays[1], "gx": gradients[0], "gx_other": gradients[1]}


def _pooling_run(lib, x, other, g):
    functional = lib.functional
    made = _in_turn(lib, lambda t: functional.max_pool2d(t, (2, 3), (2, 1), (0, 1), 1, True), x, other, g)
    means = _in_turn(lib, lambda t: functional.avg_pool2d(t, (2, 3), (1, 2), (0, 1), True, False), x, other, g)
    return made | {f"{name}_of_the_mean": value for name, value in means.items()}


def _norm_run(lib, x, other, g):
    """Without replacing anything: the normalisation with the student's own sums."""
    normalise = lib.functional.local_response_norm
    across = _in_turn(lib, lambda t: normalise(t, 2, 3.0, 0.6, 1.5, groups=2), x, other, g)
    within = _in_turn(lib, lambda t: normalise(t, 4, 2.0, 0.75, 2.0, within_channel=True), x, other, g)
    return across | {f"{name}_within": value for name, value in within.items()}


_SINGLE: dict = {"dtype": np.float32}
_FLOAT32_CHECKS = together(
    maximum=a4.maximum(True, *FLOAT32),
    gmaximum=a4.maximum_backward(*FLOAT32),
    mean=a4.mean(FLOAT32[0], FLOAT32[1] | {"scales": True}),
    gmean=a4.mean_backward(FLOAT32[0], FLOAT32[1] | {"scales": True}),
    sums=a4.sums({"size": 3} | _SINGLE, {"size": 4, "within": True, "mirrored": True} | _SINGLE),
    norm=a4.norm({"size": 3} | _SINGLE),
    gnorm=a4.norm_backward({"size": 3} | _SINGLE),
)

CHECKS: tuple[Check, ...] = (
    hidden("max_pool2d ties", 3, a4.maximum(True, *each(a4.OVERLAPPING, change=_few_values)), teach=a4.teach_maximum),
    hidden(
        "max_pool2d padding",
        3,
        a4.maximum(True, *each(PADDED, change=_below_zero), *each(PADDED, change=_equal, images=(1, 3))),
        teach=a4.teach_maximum,
    ),
    hidden(
        "max_pool2d ceil mode",
        3,
        a4.maximum(True, *each(OVER_THE_EDGE, change=_below_zero), *each(OVER_THE_EDGE, change=_equal, images=(1, 3))),
    ),
    hidden("max_pool2d windows", 2, a4.maximum(True, DILATED, ONE, MANY_TAPS | {"change": _late})),
    hidden("max_pool2d_backward edges", 3, a4.maximum_backward(*EDGES, ONE, MANY_TAPS)),
    hidden("avg_pool2d scales", 3, a4.mean(*MARGINS, ONE)),
    hidden("avg_pool2d_backward scales", 3, a4.mean_backward(*MARGINS, ONE)),
    hidden("_neighbours even size", 2, a4.sums({"size": 4}, {"size": 6, "channels": 7}, {"size": 2, "channels": 5})),
    hidden("_neighbours mirrored", 2, a4.sums(*({"size": n, "mirrored": True} for n in (4, 6, 3)))),
    hidden(
        "_neighbours groups",
        2,
        a4.sums(
            {"size": 3, "groups": 2},
            {"size": 5, "channels": 10, "groups": 5},
            {"size": 4, "channels": 9, "groups": 3, "mirrored": True},
        ),
    ),
    hidden(
        "_neighbours within channel",
        3,
        a4.sums(
            {"size": 3, "channels": 5, "within": True},
            {"size": 4, "channels": 6, "within": True, "mirrored": True},
            {"size": 4, "channels": 4, "within": True, "groups": 2},
            {"size": 9, "channels": 1, "within": True},
        ),
    ),
    hidden(
        "_neighbours size above C",
        2,
        a4.sums(
            {"size": 9, "channels": 3},
            {"size": 12, "channels": 4, "pixels": (3, 1)},
            {"size": 5, "channels": 6, "groups": 3},
            {"size": 1, "channels": 1},
        ),
    ),
    hidden(
        "local_response_norm arguments",
        2,
        a4.norm({"size": 3, "within": True}, {"size": 4, "groups": 2}, {"size": 2, "groups": 3, "shape": (1, 3, 2, 5)}),
    ),
    hidden(
        "local_response_norm_backward arguments",
        2,
        a4.norm_backward(
            {"size": 4, "within": True}, {"size": 4, "groups": 2}, {"size": 2, "groups": 3, "shape": (1, 3, 2, 5)}
        ),
    ),
    hidden("pooling in turn", 1, (_turns_draw, _pooling_run)),
    hidden("local_response_norm in turn", 2, (_turns_draw, _norm_run)),
    hidden("float32", 2, _FLOAT32_CHECKS, rtol=1e-5),
)
