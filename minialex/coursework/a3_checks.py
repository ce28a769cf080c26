"""The checks of A3. The matrix products are checked on random columns, so that they do not depend on im2col."""

from __future__ import annotations

import contextlib
import math

import numpy as np

from ..backends import numpy_backend
from ..window import Window
from .declaration import Check

GEOMETRY = ("height", "width", "kernel", "stride", "padding", "dilation")
EVERY = "strided", "padded", "dilated"


def normal(rng, *shape, dtype=np.float64):
    """Standard normal numbers."""
    return rng.standard_normal(shape).astype(dtype)


# ------------------------------------------------------------------------------ im2col and col2im


def windows(*kinds):
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
            padding = np.array([[1, 2], [3, 0]])
        kernel, stride, dilation = kernel[swap], stride[swap], dilation[swap]
        outputs = rng.permutation([5, 6])
        extent = (outputs - 1) * stride + (kernel - 1) * dilation + 1
        height, width = (extent - padding.sum(axis=1) + stride - 1).tolist()
        sizes = height, width, kernel, stride, padding, dilation
        return dict(zip(GEOMETRY, sizes, strict=True))

    return draw


def window_of(kind, height, width, kernel, stride, padding, dilation):
    """The window of a geometry. kind: the class Window, the library's or the student's process's."""
    return kind.over((height, width), kernel.tolist(), stride.tolist(), padding.tolist(), dilation.tolist())


def pictures(*kinds, groups=1, images=2, dtype=np.float64):
    """draw: images, and a window over them."""

    def draw(rng):
        geometry = windows(*kinds)(rng)
        shape = images, 2 * groups, geometry["height"], geometry["width"]
        return geometry | {"x": normal(rng, *shape, dtype=dtype), "groups": groups}

    return draw


def columns(*kinds, groups=1, images=2, dtype=np.float64):
    """draw: columns, and the window that they are of."""

    def draw(rng):
        geometry = windows(*kinds)(rng)
        window = window_of(Window, **geometry)
        shape = images, groups, 2 * math.prod(window.kernel), math.prod(window.output)
        return geometry | {"columns": normal(rng, *shape, dtype=dtype), "groups": groups}

    return draw


def buffers_for(lib, x, groups, **geometry):
    """The buffers of a convolution of images x."""
    window = window_of(lib.window.Window, **geometry)
    return lib.backends.numpy_backend._ConvBuffers(lib.numpy, x.shape, x.dtype, window, groups)


def buffers_of(lib, columns, groups, **geometry):
    """The buffers of a convolution that has these columns."""
    channels = groups * columns.shape[2] // math.prod(geometry["kernel"].tolist())
    images = np.empty((len(columns), channels, geometry["height"], geometry["width"]), columns.dtype)
    return buffers_for(lib, images, groups, **geometry)


def im2col_run(lib, x, groups, **geometry):
    """The columns."""
    return {"columns": lib.value(buffers_for(lib, x, groups, **geometry).im2col(x))}


def col2im_run(lib, columns, groups, **geometry):
    """The images."""
    return {"x": lib.value(buffers_of(lib, columns, groups, **geometry).col2im(columns))}


def _teach_im2col(inputs, got, expected):
    """Uses the six axes of the columns: images, channels, two of the kernel, two of the output."""
    window = window_of(Window, **{name: inputs[name] for name in GEOMETRY})
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
    def images(columns):
        window, channels = window_of(Window, **{name: inputs[name] for name in GEOMETRY}), expected["x"].shape[1]
        shape = len(columns), channels, *window.size
        buffers = numpy_backend._ConvBuffers(np, shape, columns.dtype, window, inputs["groups"])
        return buffers.col2im(columns)

    columns = inputs["columns"]
    seen = images(np.ones_like(columns))  # the number of windows that contain each pixel
    flipped = columns.reshape(-1, math.prod(inputs["kernel"]), columns.shape[-1])[:, ::-1].reshape(columns.shape)
    if np.allclose(got["x"], images(flipped)):
        return "this looks like a flipped kernel: the entries of tap (0, 0) belong to the window's first pixel"
    if np.allclose(got["x"] * seen, expected["x"]):
        return "this is the mean over a pixel's windows: sum their entries"
    if (seen == 1).any() and (seen[~np.isclose(got["x"], expected["x"])] > 1).all():
        return "only pixels in several windows are wrong: entries must be added (+=), not overwritten"
    return None


# ------------------------------------------------------------------------------ convolution


def _call(lib, function, *arguments):
    return function(*arguments)


class Convolution:
    """A convolution whose columns are random pixels, so that it is checked without the student's im2col and col2im.

    lib: the library.
    x, w: images and filters.
    places: (groups, K, L), the index of a pixel for each entry of the columns.
    geometry: of the window; kernel_size alone by default.
    """

    def __init__(self, lib, x, w, places, **geometry):
        self.lib, self.x, self.w, self.places = lib, x, w, places
        kind, size = lib.window.Window, w.shape[2:]
        self.window = window_of(kind, **geometry) if geometry else kind.over(x.shape, size)
        self.seen = []  # of the window that im2col and col2im work with

    def im2col(self, buffers, pictures):
        """In place of _ConvBuffers.im2col: like it, returns the buffer that the next call overwrites."""
        self._observe(buffers)
        gathered = pictures.reshape(len(pictures), -1)[:, self.places]
        columns = self.lib.reference(buffers, "columns")
        columns[: len(gathered)] = gathered
        return columns if len(columns) == len(gathered) else gathered

    def col2im(self, buffers, columns):
        """In place of _ConvBuffers.col2im."""
        self._observe(buffers)
        gathered = np.zeros((len(columns), math.prod(self.x.shape[1:])), columns.dtype)
        np.add.at(gathered.T, self.places, np.moveaxis(columns.reshape(len(columns), *self.places.shape), 0, -1))
        return gathered.reshape(len(columns), *self.x.shape[1:])

    def _observe(self, buffers):
        if not self.seen:
            window = buffers.window
            for sizes in (window.size, window.kernel, window.stride, *window.padding, window.dilation):
                self.seen += [int(number) for number in sizes]

    @contextlib.contextmanager
    def _in_place(self, block):
        """A context with this im2col and col2im. block: images at a time."""
        module = self.lib.backends.numpy_backend
        self.lib.replaced("backends.numpy_backend._ConvBuffers.im2col", self.im2col)
        self.lib.replaced("backends.numpy_backend._ConvBuffers.col2im", self.col2im)
        before = module._COLUMNS
        module._COLUMNS = block * self.places.size * self.x.itemsize
        try:
            yield self.lib.backends.get_backend()
        finally:
            module._COLUMNS = before

    def forward(self, b, block, needs=(True, True, True), call=_call):
        """(y, saved) of conv2d. call: call(lib, function, *arguments) calls it."""
        with self._in_place(block) as backend:
            return call(self.lib, backend.conv2d, self.x, self.w, b, self.window, len(self.places), needs)

    def backward(self, gy, block, needs=(True, True, True), only_needed=False, call=_call):
        """{name: gradient} of conv2d_backward.

        only_needed: whether what is not needed has not been saved.
        call: call(lib, function, *arguments) calls it.
        """
        x, w = (None if only_needed and not need else a for a, need in ((self.x, needs[1]), (self.w, needs[0])))
        saved = self.x.shape, self.w.shape, x, w
        with self._in_place(block) as backend:
            gradients = call(self.lib, backend.conv2d_backward, gy, saved, self.window, len(self.places), needs)
        return dict(zip(("gx", "gw", "gb"), gradients, strict=True))


def convolution(groups=1, block=3, dtype=np.float64):
    """draw: three images of 5 x 7 without padding, filters of 2 x 3. block: images at a time."""

    def draw(rng):
        channels, filters = 2 * groups, 3 * groups
        made = {
            "x": normal(rng, 3, channels, 5, 7, dtype=dtype),
            "w": normal(rng, filters, 2, 2, 3, dtype=dtype),
            "b": (1 + normal(rng, filters)).astype(dtype),
            "gy": normal(rng, 3, filters, 4, 5, dtype=dtype),
        }
        places = rng.integers(0, channels * 5 * 7, (groups, 2 * 2 * 3, 4 * 5))
        return made | {"places": places, "block": block}

    return draw


def conv2d_run(lib, x, w, b, gy, places, block):
    """The result."""
    return {"y": Convolution(lib, x, w, places).forward(b, block)[0]}


def gradients_run(*names):
    """run: some of gx, gw and gb, by name, with all three requested."""

    def run(lib, x, w, b, gy, places, block):
        made = Convolution(lib, x, w, places).backward(gy, block)
        return {name: made[name] for name in names}

    return run


def _convolved(x, w, b, places):
    """y with the columns that `places` say."""
    product = w.reshape(*places.shape[:1], -1, places.shape[1]) @ x.reshape(len(x), -1)[:, places]
    return product.reshape(len(x), len(w), 4, 5) + b[:, None, None]


def _flipped(w):
    return np.ascontiguousarray(w[..., ::-1, ::-1])


def _teach_conv2d(inputs, got, expected):
    if np.allclose(got["y"] + inputs["b"][:, None, None], expected["y"]):
        return "the bias is missing"
    x, w, b, places = (inputs[name] for name in ("x", "w", "b", "places"))
    permuted = np.ascontiguousarray(w.transpose(0, 2, 3, 1)).reshape(w.shape)
    mistakes = {
        "this looks like a flipped kernel: w[o, c, 0, 0] belongs to the window's first pixel": _flipped(w),
        "the filters are in the wrong order: rows of W are (channel, u, v), channels slowest": permuted,
    }
    return next(
        (told for told, wrong in mistakes.items() if np.allclose(got["y"], _convolved(x, wrong, b, places))), None
    )


def _teach_groups(inputs, got, expected):
    if np.allclose(got["y"] + inputs["b"][:, None, None], expected["y"]):
        return "the bias is missing"
    arguments = {name: inputs[name] for name in ("x", "w", "b", "places")}
    w, places, groups = inputs["w"], inputs["places"], len(inputs["places"])
    in_turn = np.arange(len(w)).reshape(-1, groups).T.ravel()
    mistakes = {
        "every group uses the first group's columns": {"places": np.repeat(places[:1], groups, axis=0)},
        "the groups use each other's columns": {"places": np.ascontiguousarray(places[::-1])},
        "filters are assigned to the groups in turn, but group 0 has the first O / groups of them": {"w": w[in_turn]},
    }
    for told, wrong in mistakes.items():
        if np.allclose(got["y"], _convolved(**arguments | wrong)):
            return told
    return None


def _teach_gradient(inputs, got, expected):
    for name, count in (("gw", len(inputs["x"])), ("gb", inputs["gy"].size // len(inputs["b"]))):
        if name in got and np.allclose(got[name] * count, expected[name]):
            return "this looks like a mean: gradients are summed over images and positions, only the loss averages"
    if "gw" in got and np.allclose(_flipped(got["gw"]), expected["gw"]):
        return "this looks like a flipped kernel"
    if "gx" in got:
        gy, w, places = inputs["gy"], _flipped(inputs["w"]), inputs["places"]
        columns = w.reshape(len(w), -1).T @ gy.reshape(*gy.shape[:2], -1)
        gathered = np.zeros((len(gy), expected["gx"][0].size))
        np.add.at(gathered.T, places[0], np.moveaxis(columns, 0, -1))
        if np.allclose(got["gx"].reshape(gathered.shape), gathered):
            return "this looks like a flipped kernel: do not flip the weights, col2im does what is necessary"
    return None


CHECKS = (
    Check("im2col", 7, pictures(), im2col_run, teach=_teach_im2col),
    Check("im2col stride", 4, pictures("strided"), im2col_run, teach=_teach_im2col),
    Check("im2col padding", 3, pictures("padded"), im2col_run, teach=_teach_im2col),
    Check("col2im", 7, columns(), col2im_run, teach=_teach_col2im),
    Check("col2im stride", 4, columns("strided"), col2im_run, teach=_teach_col2im),
    Check("col2im padding", 3, columns("padded"), col2im_run, teach=_teach_col2im),
    Check("conv2d", 6, convolution(), conv2d_run, teach=_teach_conv2d),
    Check("conv2d groups", 4, convolution(groups=2), conv2d_run, teach=_teach_groups),
    Check("conv2d backward weights", 5, convolution(), gradients_run("gw"), teach=_teach_gradient),
    Check("conv2d backward pictures", 5, convolution(), gradients_run("gx"), teach=_teach_gradient),
    Check("conv2d backward bias", 2, convolution(), gradients_run("gb"), teach=_teach_gradient),
)
