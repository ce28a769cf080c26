"""The hidden checks of A3: dilation, groups, buffers used again, blocks of images, float32, gradients not needed."""

from __future__ import annotations

import itertools
import math

import numpy as np

from .. import a3_checks as a3
from ..declaration import Check
from .again import after_another

SINGLE = {"dtype": np.float32}
ALL = "gx", "gw", "gb"


# ------------------------------------------------------------------------------ im2col and col2im


def im2col_again_run(lib, x, groups, **geometry):
    """All images, then the last one alone, as at the end of a batch, then others, while other buffers are in use."""
    buffers = a3.buffers_for(lib, x, groups, **geometry)
    between = a3.buffers_for(lib, x, groups, **geometry | {"stride": 3 * geometry["stride"]})
    return {
        "all": lib.value(buffers.im2col(x)),
        "of_another_window": lib.value(between.im2col(x)),
        "last": lib.value(buffers.im2col(x[-1:])),
        "others": lib.value(buffers.im2col(x[::-1])),
    }


def col2im_again_run(lib, columns, groups, **geometry):
    """All images, then the last one alone, then others, in the same buffers: nothing of earlier calls may remain."""
    buffers = a3.buffers_of(lib, columns, groups, **geometry)
    return {
        "all": lib.value(buffers.col2im(columns)),
        "last": lib.value(buffers.col2im(columns[-1:])),
        "others": lib.value(buffers.col2im(columns[::-1])),
    }


def margins_run(lib, columns, groups, **geometry):
    """The margins of the padded images, which im2col expects to be 0."""
    window = a3.window_of(a3.Window, **geometry)
    buffers = a3.buffers_of(lib, columns, groups, **geometry)
    made = {"x": lib.value(buffers.col2im(columns))}
    margins = lib.value(buffers.padded)
    margins[..., *window.inside] = 0
    return made | {"margins": margins}


def _small(kernel, size):
    return {
        "height": size[0],
        "width": size[1],
        "kernel": np.array(kernel),
        "stride": np.array([1, 2]),
        "padding": np.zeros((2, 2), int),
        "dilation": np.array([2, 1]),
    }


EXTREMES = {"one_pixel": ((1, 1), (4, 5)), "all_pixels": ((2, 5), (3, 5)), "a_row": ((1, 3), (4, 3))}


def extreme_pictures(rng):
    """One image of one channel for each of EXTREMES."""
    return {name: a3.normal(rng, 1, 1, *size) for name, (_, size) in EXTREMES.items()}


def extreme_im2col_run(lib, **images):
    """A kernel of one pixel, one as large as the image, and one as wide."""
    made = {}
    for name, (kernel, size) in EXTREMES.items():
        made[name] = a3.im2col_run(lib, images[name], 1, **_small(kernel, size))["columns"]
    return made


def extreme_columns(rng):
    """Columns of one image of one channel for each of EXTREMES."""
    made = {}
    for name, (kernel, size) in EXTREMES.items():
        window = a3.window_of(a3.Window, **_small(kernel, size))
        made[name] = a3.normal(rng, 1, 1, math.prod(kernel), math.prod(window.output))
    return made


def extreme_col2im_run(lib, **columns):
    """A kernel of one pixel, one as large as the image, and one as wide."""
    made = {}
    for name, (kernel, size) in EXTREMES.items():
        made[name] = a3.col2im_run(lib, columns[name], 1, **_small(kernel, size))["x"]
    return made


# ------------------------------------------------------------------------------ convolution


def no_bias_run(lib, x, w, b, gy, places, block):
    """Without a bias."""
    return {"y": a3.Convolution(lib, x, w, places).forward(None, block)[0]}


def saved_run(lib, x, w, b, gy, places, block):
    """Saves only what the requested gradients need: x for gw, w for gx; the result is the same."""
    made = {}
    for needs in itertools.product((True, False), repeat=2):
        kind = "".join("01"[need] for need in needs)
        y, saved = a3.Convolution(lib, x, w, places).forward(b, block, (*needs, True))
        x_shape, w_shape, kept_x, kept_w = saved
        made |= {f"y_{kind}": y, f"shapes_{kind}": [*x_shape, *w_shape]}
        made[f"w_{kind}"] = kept_w if needs[0] else kept_w is None
        made[f"x_{kind}"] = kept_x if needs[1] else kept_x is None
    return made


def wanted_run(lib, x, w, b, gy, places, block):
    """Every choice of gradients, without what only the others need."""
    made = {}
    for needs in itertools.product((True, False), repeat=3):
        kind = "".join("01"[need] for need in needs)
        gradients = a3.Convolution(lib, x, w, places).backward(gy, block, needs, only_needed=True)
        for need, (name, gradient) in zip(needs, gradients.items(), strict=True):
            made[f"{name}_{kind}"] = gradient if need else gradient is None
    return made


def windowed(rng):
    """A window with stride, padding and dilation; two groups, an odd number of images."""
    geometry = a3.windows(*a3.EVERY)(rng)
    window = a3.window_of(a3.Window, **geometry)
    shape = 4, geometry["height"], geometry["width"]
    rows, length = 2 * math.prod(window.kernel), math.prod(window.output)
    return geometry | {
        "x": a3.normal(rng, 3, *shape),
        "w": a3.normal(rng, 6, 2, *window.kernel),
        "b": 1 + a3.normal(rng, 6),
        "gy": a3.normal(rng, 3, 6, *window.output),
        "places": rng.integers(0, math.prod(shape), (2, rows, length)),
    }


def window_run(lib, x, w, b, gy, places, **geometry):
    """The result, and the window that im2col was called with."""
    convolution = a3.Convolution(lib, x, w, places, **geometry)
    y, _ = convolution.forward(b, 2)
    return {"y": y, "window": convolution.seen}


def window_backward_run(lib, x, w, b, gy, places, **geometry):
    """The gradients, and the window that im2col was called with."""
    convolution = a3.Convolution(lib, x, w, places, **geometry)
    return convolution.backward(gy, 2) | {"window": convolution.seen}


SEVERAL = (1, 3, False), (2, 3, False), (1, 1, False), (1, 3, True)  # groups, images, whether with DILATED
DILATED = {
    "height": 5,
    "width": 7,
    "kernel": np.array([2, 3]),
    "stride": np.array([1, 1]),
    "padding": np.array([[1, 0], [0, 0]]),
    "dilation": np.array([2, 1]),
}


def several(rng):
    """Images of one shape, without and with groups, one image, another window with outputs of this size; filters."""
    made = {}
    for number, (groups, images, _) in enumerate(SEVERAL):
        made |= {
            f"x{number}": a3.normal(rng, images, 4, 5, 7),
            f"w{number}": a3.normal(rng, 6, 4 // groups, 2, 3),
            f"b{number}": 1 + a3.normal(rng, 6),
            f"gy{number}": a3.normal(rng, images, 6, 4, 5),
            f"places{number}": rng.integers(0, 4 * 5 * 7, (groups, 24 // groups, 20)),
        }
    return made


def _several(lib, inputs):
    for i, (_, _, dilated) in enumerate(SEVERAL):
        arrays = (inputs[f"{name}{i}"] for name in ("x", "w", "places"))
        yield i, a3.Convolution(lib, *arrays, **DILATED if dilated else {})


def several_run(lib, **inputs):
    """Several convolutions by one backend, and the window that im2col was called with."""
    made = {}
    for i, convolution in _several(lib, inputs):
        made[f"y{i}"] = convolution.forward(inputs[f"b{i}"], 2)[0]
        made[f"window{i}"] = convolution.seen
    return made


def several_backward_run(lib, **inputs):
    """The gradients of several convolutions by one backend, and the window that im2col was called with."""
    made = {}
    for i, convolution in _several(lib, inputs):
        made |= {f"{name}{i}": g for name, g in convolution.backward(inputs[f"gy{i}"], 2).items()}
        made[f"window{i}"] = convolution.seen
    return made


def lasting_run(lib, x, w, b, gy, places, block):
    """The result, after another batch of the same shape."""
    return {"y": a3.Convolution(lib, x, w, places).forward(b, block, call=after_another)[0]}


def lasting_backward_run(lib, x, w, b, gy, places, block):
    """The gradients, after those of another batch of the same shape."""
    return a3.Convolution(lib, x, w, places).backward(gy, block, call=after_another)


def hidden(name, points, draw, run, **options):
    """A hidden Check."""
    return Check(name, points, draw, run, public=False, **options)


CHECKS: tuple[Check, ...] = (
    hidden("im2col dilation", 3, a3.pictures("dilated"), a3.im2col_run),
    hidden("im2col groups", 2, a3.pictures(groups=3), a3.im2col_run),
    hidden("im2col again", 2, a3.pictures("padded"), im2col_again_run),
    hidden("im2col all at once", 1, a3.pictures(*a3.EVERY, groups=2, images=3), a3.im2col_run),
    hidden("im2col extremes", 1, extreme_pictures, extreme_im2col_run),
    hidden("im2col float32", 1, a3.pictures(**SINGLE), a3.im2col_run),
    hidden("col2im dilation", 3, a3.columns("dilated"), a3.col2im_run),
    hidden("col2im groups", 2, a3.columns(groups=3), a3.col2im_run),
    hidden("col2im again", 1, a3.columns(), col2im_again_run),
    hidden("col2im all at once", 1, a3.columns(*a3.EVERY, groups=2, images=3), a3.col2im_run),
    hidden("col2im extremes", 1, extreme_columns, extreme_col2im_run),
    hidden("col2im float32", 1, a3.columns(**SINGLE), a3.col2im_run, rtol=1e-5),
    hidden("col2im margins", 1, a3.columns("padded"), margins_run),
    hidden("conv2d without bias", 1, a3.convolution(**SINGLE), no_bias_run, rtol=1e-5),
    hidden("conv2d blocks", 2, a3.convolution(block=2), a3.conv2d_run),
    hidden("conv2d window", 2, windowed, window_run),
    hidden("conv2d again", 1, several, several_run),
    hidden("conv2d saved", 2, a3.convolution(), saved_run),
    hidden("conv2d float32", 1, a3.convolution(**SINGLE), lasting_run, rtol=1e-5),
    hidden("conv2d backward groups", 3, a3.convolution(groups=2), a3.gradients_run(*ALL)),
    hidden("conv2d backward blocks", 2, a3.convolution(block=2), a3.gradients_run(*ALL)),
    hidden("conv2d backward window", 2, windowed, window_backward_run),
    hidden("conv2d backward again", 1, several, several_backward_run),
    hidden("conv2d backward wanted", 2, a3.convolution(), wanted_run),
    hidden("conv2d backward float32", 1, a3.convolution(**SINGLE), lasting_backward_run, rtol=1e-5),
)
