"""Direct convolution on the fast CPU: im2col and a matrix product, piece by piece.

The columns of a whole batch would fill the memory (AlexNet's conv1 at batch 128: 562 MB). Those of a few output rows
stay in the cache, and their product W (O, K) @ columns (K, L) is already a piece of y. A product of few columns hardly
uses the processor: where maps are small, a piece is several pictures, with the columns of all of them in one product.

In a piece the pictures stand innermost, in lanes: neighbours in memory are one pixel's values in all of them, and what
a row of columns is copied from is one long run, even where maps have three pixels in a row. There are as many lanes
whatever the batch, if need be empty ones, and a power of two: so a pixel stands at the same place in BLAS's blocks in
every lane, and a picture's result has the same bits in every batch. With a stride s, neighbours in a row of columns are
s pixels apart, so that each row of pixels is first split into s rows, of the pixels 0, s, 2s ..., of 1, s + 1, ...
("phases").
"""

from __future__ import annotations

import math

import numpy as np

from ...threads import parallel_for
from .compiled import kernel

_BYTES = 2 << 20  # of columns at a time, for each thread
_LENGTH = 1024  # of the columns' rows, about, where one picture has fewer
_LANES = 8  # pictures at a time, at most
_PARTS = 8  # of the batch, whose weight gradients are summed apart, in this order whatever the number of threads


def conv2d(x, w, b, window, groups, relu=False):
    """y = W @ im2col(x) + b, each thread with pictures of its own; with relu, max(y, 0)."""
    tiling = _Tiling(x.shape, w.shape, x.dtype, window)
    filters = len(w) // groups
    weights = w.reshape(groups, filters, -1)
    y = np.empty((len(x), len(w), *window.output), x.dtype)
    bias = np.zeros(len(w), x.dtype) if b is None else b
    floor = x.dtype.type(0 if relu else -np.inf)

    def blocks(start, stop):
        work = None
        for some, rows in tiling.pieces(start * tiling.lanes, min(stop * tiling.lanes, len(x))):
            work = tiling.workspace(rows, filters, work)
            if rows.start == 0:
                work.pictures[..., some.stop - some.start :] = 0
                _take_in(x[some], work.pictures, *tiling.before)
            for group in range(groups):
                _im2col(work.pictures, work.columns, *tiling.geometry(group, rows))
                np.matmul(weights[group], work.columns, out=work.product)
                _write(work.outputs, y[some], group * filters, rows.start * window.output[1], bias, floor)

    parallel_for(blocks, -(-len(x) // tiling.lanes))
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gx = col2im(W^T @ gy), gw = gy @ columns^T, summed over pieces; one is None where w, or x, is."""
    tiling = _Tiling(x_shape, w_shape, gy.dtype, window)
    filters, depth = w_shape[0] // groups, math.prod(w_shape[1:])
    gx = np.empty(x_shape, gy.dtype) if w is not None else None
    count = -(-len(gy) // tiling.lanes)
    parts = max(1, min(_PARTS, count))
    sums = np.zeros((parts, groups, filters, depth), gy.dtype) if x is not None else None
    transposed = w.reshape(groups, filters, depth).swapaxes(1, 2) if w is not None else np.empty(0)

    def share(part):
        work = None
        first, last = (tiling.lanes * (count * p // parts) for p in (part, part + 1))
        for some, rows in tiling.pieces(first, min(last, len(gy))):
            work = tiling.workspace(rows, filters, work)
            work.outputs[..., some.stop - some.start :] = 0
            if rows.start == 0 and x is not None:
                work.pictures[..., some.stop - some.start :] = 0
                _take_in(x[some], work.pictures, *tiling.before)
            if rows.start == 0 and gx is not None:
                work.gradient[...] = 0
            for group in range(groups):
                geometry = tiling.geometry(group, rows)
                _read(gy[some], work.outputs, group * filters, rows.start * window.output[1])
                if sums is not None:
                    _im2col(work.pictures, work.columns, *geometry)
                    sums[part, group] += work.product @ work.columns.T
                if gx is not None:
                    np.matmul(transposed[group], work.product, out=work.columns)
                    _col2im(work.columns, work.gradient, *geometry)
            if rows.stop == window.output[0] and gx is not None:
                _give_back(work.gradient, gx[some], *tiling.before)

    parallel_for(lambda start, stop: [share(part) for part in range(start, stop)], parts, pieces=parts)
    return gx, sums.sum(axis=0).reshape(w_shape) if sums is not None else None


class _Workspace:
    """What one thread works in.

    pictures, gradient: [c, y, k, t, n], padded; pixel (y, t s + k) of the picture in lane n and its gradient.
    columns: (K, L).
    product, outputs: y or gy of a group, (O, L) and (O, pixels, pictures): one array.
    """

    def __init__(self, pictures, columns, outputs, dtype):
        self.pictures = np.zeros(pictures, dtype)  # the margins stay so
        self.gradient = np.empty(pictures, dtype)
        self.columns, self.outputs = np.empty(columns, dtype), np.empty(outputs, dtype)
        self.product = self.outputs.reshape(outputs[0], -1)


class _Tiling:
    """How a convolution is cut into pieces: some rows of one picture or, where maps are small, several pictures."""

    def __init__(self, x_shape, w_shape, dtype, window):
        self.window, self.dtype, self.channels = window, dtype, w_shape[1]
        self.depth = math.prod(w_shape[1:])
        rows, length = window.output
        fit = _BYTES // max(1, self.depth * length * np.dtype(dtype).itemsize)  # rows whose columns do
        several = max(1, min(_LANES, fit // rows, _LENGTH // (rows * length)))
        self.rows, self.lanes = max(1, min(rows, fit)), 1 << several.bit_length() - 1
        (height, width), stride = window.padded, window.stride[1]
        self.image = x_shape[1], height, stride, -(-width // stride)
        self.before = window.padding[0][0], window.padding[1][0]

    def pieces(self, start, stop):
        """(pictures, output rows), in slices, of the pictures from `start` to `stop`."""
        lines = self.window.output[0]
        for n in range(start, stop, self.lanes):
            for first in range(0, lines, self.rows):
                yield slice(n, min(n + self.lanes, stop)), slice(first, min(first + self.rows, lines))

    def workspace(self, rows, filters, before):
        """A _Workspace for so many rows: `before`, if that has the size."""
        pixels = (rows.stop - rows.start) * self.window.output[1]
        outputs = filters, pixels, self.lanes
        if before is not None and before.outputs.shape == outputs:
            return before
        work = _Workspace((*self.image, self.lanes), (self.depth, pixels * self.lanes), outputs, self.dtype)
        if before is not None:  # other rows, perhaps of the same pictures
            work.pictures, work.gradient = before.pictures, before.gradient
        return work

    def geometry(self, group, rows):
        """The channels of a group, the output rows of a piece, and the window."""
        window, maps = self.window, (group * self.channels, (group + 1) * self.channels)
        return *maps, rows.start, rows.stop, *window.kernel, window.stride[0], *window.dilation, window.output[1]


# The kernels take indices into flat arrays, unsigned ones, as those of `tiles.py` do. A division takes as long as a row
# of a small map: none is in a loop over rows.


@kernel
def _phases(stride, left, width):
    """For each phase the column of its first pixel, where in its row that stands, and how many pixels it has."""
    phases = np.empty((stride, 3), np.int64)
    for k in range(stride):
        column = (k - left) % stride
        phases[k, 0], phases[k, 1] = column, (left + column) // stride
        phases[k, 2] = (width - column + stride - 1) // stride
    return phases


@kernel
def _take_in(x, pictures, top, left):
    """pictures[c, y + top, k, t, n] = x[n, c, y, t s + k - left]; the margins are left alone."""
    channels, height, stride, length, lanes = pictures.shape
    pixels, padded, step, wide = x.reshape(-1), pictures.reshape(-1), np.uint64(stride), np.uint64(lanes)
    phases = _phases(stride, left, x.shape[3])
    for n in range(x.shape[0]):
        for c in range(channels):
            for y in range(x.shape[2]):
                row, padded_row = (n * channels + c) * x.shape[2] + y, (c * height + y + top) * stride
                for k in range(stride):
                    source = np.uint64(row * x.shape[3] + phases[k, 0])
                    target = np.uint64(((padded_row + k) * length + phases[k, 1]) * lanes + n)
                    for t in range(np.uint64(phases[k, 2])):
                        padded[target + t * wide] = pixels[source + t * step]


@kernel
def _give_back(pictures, x, top, left):
    """The transpose of _take_in."""
    channels, height, stride, length, lanes = pictures.shape
    pixels, padded, step, wide = x.reshape(-1), pictures.reshape(-1), np.uint64(stride), np.uint64(lanes)
    phases = _phases(stride, left, x.shape[3])
    for n in range(x.shape[0]):
        for c in range(channels):
            for y in range(x.shape[2]):
                row, padded_row = (n * channels + c) * x.shape[2] + y, (c * height + y + top) * stride
                for k in range(stride):
                    target = np.uint64(row * x.shape[3] + phases[k, 0])
                    source = np.uint64(((padded_row + k) * length + phases[k, 1]) * lanes + n)
                    for t in range(np.uint64(phases[k, 2])):
                        pixels[target + t * step] = padded[source + t * wide]


@kernel
def _im2col(pictures, columns, low, high, first, last, kh, kw, sh, dh, dw, width):
    """Of the channels from `low` to `high` and the output rows from `first` to `last`."""
    _, height, stride, length, lanes = pictures.shape
    pixels, entries, run, to = pictures.reshape(-1), columns.reshape(-1), np.uint64(width * lanes), np.uint64(0)
    line = stride * length * lanes  # from one row of pixels to the next
    for c in range(low, high):
        for u in range(kh):
            for v in range(kw):
                at = (c * height + u * dh) * line + (v * dw % stride * length + v * dw // stride) * lanes
                for i in range(first, last):
                    row = np.uint64(at + i * sh * line)
                    for q in range(run):
                        entries[to + q] = pixels[row + q]
                    to += run


@kernel
def _col2im(columns, pictures, low, high, first, last, kh, kw, sh, dh, dw, width):
    _, height, stride, length, lanes = pictures.shape
    pixels, entries, run, to = pictures.reshape(-1), columns.reshape(-1), np.uint64(width * lanes), np.uint64(0)
    line = stride * length * lanes
    for c in range(low, high):
        for u in range(kh):
            for v in range(kw):
                at = (c * height + u * dh) * line + (v * dw % stride * length + v * dw // stride) * lanes
                for i in range(first, last):
                    row = np.uint64(at + i * sh * line)
                    for q in range(run):
                        pixels[row + q] += entries[to + q]
                    to += run


@kernel
def _write(products, y, first_filter, first_pixel, bias, floor):
    """y[n, o, pixel] = products[o, pixel, n] + bias[o], or `floor` where that is more; NaN stays NaN."""
    filters, count, lanes = products.shape
    size, numbers, out, wide = y.shape[2] * y.shape[3], products.reshape(-1), y.reshape(-1), np.uint64(lanes)
    for n in range(y.shape[0]):
        for o in range(filters):
            added = bias[first_filter + o]
            target = np.uint64((n * y.shape[1] + first_filter + o) * size + first_pixel)
            source = np.uint64(o * count * lanes + n)
            for q in range(np.uint64(count)):
                value = numbers[source + q * wide] + added
                out[target + q] = floor if value <= floor else value


@kernel
def _read(gy, gradient, first_filter, first_pixel):
    """gradient[o, pixel, n] = gy[n, o, pixel]"""
    filters, count, lanes = gradient.shape
    size, numbers, source_of, wide = gy.shape[2] * gy.shape[3], gradient.reshape(-1), gy.reshape(-1), np.uint64(lanes)
    for n in range(gy.shape[0]):
        for o in range(filters):
            source = np.uint64((n * gy.shape[1] + first_filter + o) * size + first_pixel)
            target = np.uint64(o * count * lanes + n)
            for q in range(np.uint64(count)):
                numbers[target + q * wide] = source_of[source + q]
