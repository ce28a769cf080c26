"""The checks of A3. The matrix products are checked on random columns, so that they do not depend on im2col."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np

from .. import backends
from ..backends import numpy_backend
from ..window import Window
from .declaration import Check


def _normal(rng, *shape):
    return rng.standard_normal(shape)


# ------------------------------------------------------------------------------ im2col and col2im


def _windows(*kinds):
    """draw: a window whose parameters all differ in height and width, and images that it does not fit exactly.

    kinds: of "strided", "padded", "dilated"; the other parameters are 1, or 0 for the padding.
    """

    def draw(rng):
        swap = slice(None, None, int(rng.choice([1, -1])))
        kernel, stride, dilation, padding = np.array([2, 3]), np.array([1, 1]), np.array([1, 1]), np.zeros((2, 2), int)
        if "strided" in kinds:
            kernel, stride = np.array([3, 4]), np.array([2, 3])
        if "dilated" in kinds:
            dilation = np.array([3, 2])
        if "padded" in kinds:
            padding = np.array([[1, 2], [2, 0]])
        kernel, stride, dilation = kernel[swap], stride[swap], dilation[swap]
        outputs = rng.permutation([5, 6])
        extent = (outputs - 1) * stride + (kernel - 1) * dilation + 1
        height, width = (extent - padding.sum(axis=1) + stride - 1).tolist()
        return {
            "height": height,
            "width": width,
            "kernel": kernel,
            "stride": stride,
            "padding": padding,
            "dilation": dilation,
        }

    return draw


def _window(height, width, kernel, stride, padding, dilation):
    return Window.over((height, width), kernel.tolist(), stride.tolist(), padding.tolist(), dilation.tolist())


def _pictures(*kinds, groups=1, pictures=2):
    def draw(rng):
        geometry = _windows(*kinds)(rng)
        shape = pictures, 2 * groups, geometry["height"], geometry["width"]
        return geometry | {"x": _normal(rng, *shape), "groups": groups}

    return draw


def _columns(*kinds, groups=1, pictures=2):
    def draw(rng):
        geometry = _windows(*kinds)(rng)
        window = _window(**geometry)
        shape = pictures, groups, 2 * math.prod(window.kernel), math.prod(window.output)
        return geometry | {"columns": _normal(rng, *shape), "groups": groups}

    return draw


def _buffers(shape, window, groups):
    return numpy_backend._ConvBuffers(np, shape, np.dtype(np.float64), window, groups)


def _im2col_run(x, groups, **geometry):
    return {"columns": _buffers(x.shape, _window(**geometry), groups).im2col(x).copy()}


def _im2col_again_run(x, groups, **geometry):
    """All images, then the last one alone, as at the end of a batch, in the same buffers."""
    buffers = _buffers(x.shape, _window(**geometry), groups)
    return {"all": buffers.im2col(x).copy(), "last": buffers.im2col(x[-1:]).copy()}


def _buffers_of(columns, groups, window):
    channels = groups * columns.shape[2] // math.prod(window.kernel)
    return _buffers((len(columns), channels, *window.size), window, groups)


def _col2im_run(columns, groups, **geometry):
    return {"x": _buffers_of(columns, groups, _window(**geometry)).col2im(columns).copy()}


def _col2im_again_run(columns, groups, **geometry):
    """All images, then the last one alone, in the same buffers: nothing of the first call may remain."""
    buffers = _buffers_of(columns, groups, _window(**geometry))
    return {"all": buffers.col2im(columns).copy(), "last": buffers.col2im(columns[-1:]).copy()}


def _margins_run(columns, groups, **geometry):
    """The margins of the padded images, which im2col expects to be 0."""
    window = _window(**geometry)
    buffers = _buffers_of(columns, groups, window)
    buffers.col2im(columns)
    margins = buffers.padded.copy()
    margins[..., *window.inside] = 0
    return {"margins": margins}


def _teach_im2col(inputs, got, expected):
    """Uses the six axes of the columns: images, channels, two of the kernel, two of the output."""
    geometry = {name: inputs[name] for name in ("height", "width", "kernel", "stride", "padding", "dilation")}
    window = _window(**geometry)
    right = expected["columns"]
    six = right.reshape(len(right), -1, *window.kernel, *window.output)
    mistakes = {
        "this looks like a flipped kernel: tap (0, 0) is the window's first pixel, not its last": six[:, :, ::-1, ::-1],
        "the rows are in the wrong order: (channel, u, v), the channel varies slowest": six.transpose(0, 2, 3, 1, 4, 5),
        "the kernel's u and v are exchanged: v, along the width, varies fastest": six.swapaxes(2, 3),
        "the output's i and j are exchanged: j, along the width, varies fastest": six.swapaxes(4, 5),
    }
    for told, wrong in mistakes.items():
        if np.allclose(got["columns"].ravel(), wrong.ravel()):
            return told
    if inputs["stride"].max() > 1 and np.allclose(got["columns"][..., 0], right[..., 0]):
        return "only the first column is correct: neighbouring windows are a stride apart"
    return None


def _teach_col2im(inputs, got, expected):
    columns = inputs["columns"]
    ones = _col2im_run(**inputs | {"columns": np.ones_like(columns)})[
        "x"
    ]  # the number of windows that contain each pixel
    taps = columns.reshape(-1, math.prod(inputs["kernel"]), columns.shape[-1])[:, ::-1].reshape(columns.shape)
    if np.allclose(got["x"], _col2im_run(**inputs | {"columns": taps})["x"]):
        return "this looks like a flipped kernel: the entries of tap (0, 0) belong to the window's first pixel"
    if np.allclose(got["x"] * ones, expected["x"]):
        return "this is the mean over a pixel's windows: sum their entries"
    if (ones == 1).any() and (ones[~np.isclose(got["x"], expected["x"])] > 1).all():
        return "only pixels in several windows are wrong: entries must be added (+=), not overwritten"
    return None


# ------------------------------------------------------------------------------ convolution


@contextlib.contextmanager
def _given(places, block):
    """A context in which im2col gathers random pixels, so that a convolution is checked without the student's im2col.

    places: (groups, K, L), the index of a pixel for each entry of the columns.
    block: images at a time.
    """

    def im2col(self, pictures):
        self.columns[: len(pictures)] = pictures.reshape(len(pictures), -1)[:, places]
        return self.columns[: len(pictures)]

    def col2im(self, columns):
        gathered = np.zeros((len(columns), self.padded[0].size), columns.dtype)
        np.add.at(gathered.T, places, np.moveaxis(columns, 0, -1))
        return gathered.reshape(len(columns), *self.padded.shape[1:])

    theirs: Any = numpy_backend._ConvBuffers
    before = theirs.im2col, theirs.col2im, numpy_backend._COLUMNS
    theirs.im2col, theirs.col2im, numpy_backend._COLUMNS = im2col, col2im, block * places.size * 8
    try:
        yield
    finally:
        theirs.im2col, theirs.col2im, numpy_backend._COLUMNS = before


def _convolution(groups=1, block=3, dtype=np.float64):
    """draw: three images of 5 x 7 without padding, filters of 2 x 3. block: images at a time."""

    def draw(rng):
        channels, filters = 2 * groups, 3 * groups
        arrays = {
            "x": _normal(rng, 3, channels, 5, 7),
            "w": _normal(rng, filters, 2, 2, 3),
            "b": 1 + _normal(rng, filters),
            "gy": _normal(rng, 3, filters, 4, 5),
        }
        places = rng.integers(0, channels * 5 * 7, (groups, 2 * 2 * 3, 4 * 5))
        return {name: array.astype(dtype) for name, array in arrays.items()} | {"places": places, "block": block}

    return draw


def _forward(x, w, b, places, block, needs=(True, True, True)):
    with _given(places, block):
        return backends.get_backend().conv2d(x, w, b, Window.over(x.shape, w.shape[2:]), len(places), needs)


def _backward(x, w, gy, places, block, needs=(True, True, True), saves=(True, True)):
    """saves: whether x and w were saved, or None in their place."""
    saved = x.shape, w.shape, x if saves[0] else None, w if saves[1] else None
    with _given(places, block):
        window = Window.over(x.shape, w.shape[2:])
        return backends.get_backend().conv2d_backward(gy, saved, window, len(places), needs)


def _conv2d_run(x, w, b, gy, places, block):
    return {"y": _forward(x, w, b, places, block)[0]}


def _no_bias_run(x, w, b, gy, places, block):
    return {"y": _forward(x, w, None, places, block)[0]}


def _saved_run(x, w, b, gy, places, block):
    """Saves only what the requested gradients need: x for gw, w for gx."""
    _, for_gx = _forward(x, w, b, places, block, (True, False, True))
    _, for_gw = _forward(x, w, b, places, block, (False, True, True))
    return {
        "x_shape": for_gx[0],
        "w_shape": for_gx[1],
        "w": for_gx[3],
        "x": for_gw[2],
        "x_left_out": for_gx[2] is None,
        "w_left_out": for_gw[3] is None,
    }


def _gradients(*names):
    """run: some of gx, gw and gb, by name, with all three requested."""

    def run(x, w, b, gy, places, block):
        made = dict(zip(("gx", "gw", "gb"), _backward(x, w, gy, places, block), strict=True))
        return {name: made[name] for name in names}

    return run


def _wanted_run(x, w, b, gy, places, block):
    """One gradient at a time, without what only the other two need."""
    gx = _backward(x, w, gy, places, block, (True, False, False), (False, True))
    gw = _backward(x, w, gy, places, block, (False, True, False), (True, False))
    gb = _backward(x, w, gy, places, block, (False, False, True), (False, False))
    absent = [sum(gradient is None for gradient in gradients) for gradients in (gx, gw, gb)]
    return {"gx": gx[0], "gw": gw[1], "gb": gb[2], "absent": absent}


def _flipped(w):
    return np.ascontiguousarray(w[..., ::-1, ::-1])


def _teach_conv2d(inputs, got, expected):
    if np.allclose(got["y"] + inputs["b"][:, None, None], expected["y"]):
        return "the bias is missing"
    w = inputs["w"]
    mistakes = {
        "this looks like a flipped kernel: w[o, c, 0, 0] belongs to the window's first pixel": _flipped(w),
        "the filters are in the wrong order: rows of W are (channel, u, v), channels slowest": np.ascontiguousarray(
            w.transpose(0, 2, 3, 1)
        ).reshape(w.shape),
    }
    for told, wrong in mistakes.items():
        if np.allclose(got["y"], _conv2d_run(**inputs | {"w": wrong})["y"]):
            return told
    return None


def _teach_groups(inputs, got, expected):
    if np.allclose(got["y"] + inputs["b"][:, None, None], expected["y"]):
        return "the bias is missing"
    w, groups = inputs["w"], len(inputs["places"])
    in_turn = np.arange(len(w)).reshape(-1, groups).T.ravel()
    mistakes = {
        "every group uses the first group's columns": {"places": np.repeat(inputs["places"][:1], groups, axis=0)},
        "the groups use each other's columns": {"places": np.ascontiguousarray(inputs["places"][::-1])},
        "filters are assigned to the groups in turn, but group 0 has the first O / groups of them": {"w": w[in_turn]},
    }
    for told, wrong in mistakes.items():
        if np.allclose(got["y"], _conv2d_run(**inputs | wrong)["y"]):
            return told
    return None


def _teach_gradient(inputs, got, expected):
    for name, count in (("gw", len(inputs["x"])), ("gb", inputs["gy"].size // len(inputs["b"]))):
        if name in got and np.allclose(got[name] * count, expected[name]):
            return "this looks like a mean: gradients are summed over images and positions, only the loss averages"
    if "gw" in got and np.allclose(_flipped(got["gw"]), expected["gw"]):
        return "this looks like a flipped kernel"
    if "gx" in got and np.allclose(got["gx"], _gradients("gx")(**inputs | {"w": _flipped(inputs["w"])})["gx"]):
        return "this looks like a flipped kernel: do not flip the weights, col2im does what is necessary"
    return None


def _hidden(name, points, draw, run, **options):
    return Check(name, points, draw, run, public=False, **options)


CHECKS = (
    Check("im2col", 7, _pictures(), _im2col_run, teach=_teach_im2col),
    Check("im2col stride", 4, _pictures("strided"), _im2col_run, teach=_teach_im2col),
    Check("im2col padding", 3, _pictures("padded"), _im2col_run, teach=_teach_im2col),
    Check("col2im", 7, _columns(), _col2im_run, teach=_teach_col2im),
    Check("col2im stride", 4, _columns("strided"), _col2im_run, teach=_teach_col2im),
    Check("col2im padding", 3, _columns("padded"), _col2im_run, teach=_teach_col2im),
    Check("conv2d", 6, _convolution(), _conv2d_run, teach=_teach_conv2d),
    Check("conv2d groups", 4, _convolution(groups=2), _conv2d_run, teach=_teach_groups),
    Check("conv2d backward weights", 5, _convolution(), _gradients("gw"), teach=_teach_gradient),
    Check("conv2d backward pictures", 5, _convolution(), _gradients("gx"), teach=_teach_gradient),
    Check("conv2d backward bias", 2, _convolution(), _gradients("gb"), teach=_teach_gradient),
    _hidden("im2col dilation", 4, _pictures("dilated"), _im2col_run),
    _hidden("im2col groups", 3, _pictures(groups=3), _im2col_run),
    _hidden("im2col again", 3, _pictures(), _im2col_again_run),
    _hidden("col2im dilation", 4, _columns("dilated"), _col2im_run),
    _hidden("col2im groups", 3, _columns(groups=3), _col2im_run),
    _hidden("col2im again", 2, _columns(), _col2im_again_run),
    _hidden("col2im margins", 1, _columns("padded"), _margins_run),
    _hidden("conv2d without bias", 2, _convolution(), _no_bias_run),
    _hidden("conv2d blocks", 3, _convolution(block=2), _conv2d_run),
    _hidden("conv2d saved", 2, _convolution(), _saved_run),
    _hidden("conv2d float32", 2, _convolution(dtype=np.float32), _conv2d_run, rtol=1e-5),
    _hidden("conv2d backward groups", 4, _convolution(groups=2), _gradients("gx", "gw", "gb")),
    _hidden("conv2d backward blocks", 3, _convolution(block=2), _gradients("gx", "gw", "gb")),
    _hidden("conv2d backward wanted", 3, _convolution(), _wanted_run),
    _hidden("conv2d backward float32", 1, _convolution(dtype=np.float32), _gradients("gx", "gw", "gb"), rtol=1e-5),
)
