"""Direct convolution on the fast CPU: im2col and a matrix product, piece by piece.

The columns of a whole batch would fill the memory (AlexNet's conv1 at batch 128: 562 MB). Those of a few output rows
stay in the cache, and their product W (O, K) @ columns (K, L) is already a piece of y. A product of few columns hardly
uses the processor: where maps are small, a piece is several pictures, with the columns of all of them in one product.

In a piece the pictures stand innermost: neighbours in memory are one pixel's values in all of them, and what a row of
columns is copied from is one long run, even where maps have three pixels in a row. With a stride s, neighbours in a row
of columns are s pixels apart, so that each row of pixels is first split into s rows, of the pixels 0, s, 2s ..., of
1, s + 1, ... ("phases").
"""

from __future__ import annotations

import math

import numpy as np

from ...threads import parallel_for
from .compiled import kernel

_BYTES = 2 << 20  # of columns at a time, for each thread
_LENGTH = 1024  # of the columns' rows, about, where one picture has fewer
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
        workspace = tiling.workspace()
        for some, rows in tiling.pieces(start * tiling.lanes, min(stop * tiling.lanes, len(x))):
            if rows.start == 0:
                tiling.take_in(workspace, x[some])
            for group in range(groups):
                columns = tiling.im2col(workspace, group, some, rows)
                products = tiling.products(workspace, some, rows, filters)
                np.matmul(weights[group], columns, out=products.reshape(filters, -1))
                _write(products, y[some], group * filters, rows.start * window.output[1], bias, floor)

    parallel_for(blocks, -(-len(x) // tiling.lanes))
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gx = col2im(W^T @ gy), gw = gy @ columns^T, summed over pieces; one is None where w, or x, is."""
    tiling = _Tiling(x_shape, w_shape, gy.dtype, window)
    filters, depth = w_shape[0] // groups, math.prod(w_shape[1:])
    gx = np.empty(x_shape, gy.dtype) if w is not None else None
    parts = max(1, min(_PARTS, len(gy)))
    sums = np.zeros((parts, groups, filters, depth), gy.dtype) if x is not None else None
    transposed = w.reshape(groups, filters, depth).swapaxes(1, 2) if w is not None else np.empty(0)

    def share(part):
        workspace = tiling.workspace(gradient=gx is not None)
        for some, rows in tiling.pieces(len(gy) * part // parts, len(gy) * (part + 1) // parts):
            if rows.start == 0 and x is not None:
                tiling.take_in(workspace, x[some])
            if rows.start == 0 and gx is not None:
                tiling.padded(workspace.gradient, some)[...] = 0
            for group in range(groups):
                gradient = tiling.products(workspace, some, rows, filters)
                _read(gy[some], gradient, group * filters, rows.start * window.output[1])
                gradient = gradient.reshape(filters, -1)
                if sums is not None:
                    sums[part, group] += gradient @ tiling.im2col(workspace, group, some, rows).T
                if gx is not None:
                    columns = np.matmul(transposed[group], gradient, out=tiling.columns(workspace, some, rows))
                    tiling.col2im(columns, workspace, group, some, rows)
            if rows.stop == window.output[0] and gx is not None:
                tiling.give_back(workspace, gx[some])

    parallel_for(lambda start, stop: [share(part) for part in range(start, stop)], parts, pieces=parts)
    return gx, sums.sum(axis=0).reshape(w_shape) if sums is not None else None


class _Workspace:
    """What one thread works in: padded pictures, or gradients of pictures, columns, and products with them."""

    def __init__(self, pictures, columns, products, dtype, gradient):
        self.pictures, self.lanes = np.empty(pictures, dtype), 0  # how many pictures are in it
        self.gradient = np.empty(pictures if gradient else 0, dtype)
        self.columns, self.products = np.empty(columns, dtype), np.empty(products, dtype)


class _Tiling:
    """How a convolution is cut into pieces: some rows of one picture or, where maps are small, several pictures."""

    def __init__(self, x_shape, w_shape, dtype, window):
        self.window, self.dtype, self.channels, self.filters = window, dtype, w_shape[1], w_shape[0]
        self.depth = math.prod(w_shape[1:])
        rows, length = window.output
        fit = _BYTES // max(1, self.depth * length * np.dtype(dtype).itemsize)  # rows whose columns do
        several = min(-(-x_shape[0] // _PARTS), fit // rows, _LENGTH // (rows * length))
        self.rows, self.lanes = max(1, min(rows, fit)), max(1, several)
        (height, width), stride = window.padded, window.stride[1]
        self.image = x_shape[1], height, stride, -(-width // stride)

    def workspace(self, gradient=False):
        places = self.lanes * self.rows * self.window.output[1]
        pictures = math.prod(self.image) * self.lanes
        return _Workspace(pictures, self.depth * places, self.filters * places, self.dtype, gradient)

    def pieces(self, start, stop):
        """(pictures, output rows), in slices, of the pictures from `start` to `stop`."""
        lines = self.window.output[0]
        for n in range(start, stop, self.lanes):
            for first in range(0, lines, self.rows):
                yield slice(n, min(n + self.lanes, stop)), slice(first, min(first + self.rows, lines))

    def padded(self, room, some):
        """Pictures [c, y, k, t, n], or their gradients: pixel (y, t s + k) of picture n."""
        shape = *self.image, some.stop - some.start
        return room[: math.prod(shape)].reshape(shape)

    def take_in(self, workspace, x):
        """Pad pictures and split them into phases."""
        pictures = self.padded(workspace.pictures, slice(0, len(x)))
        if workspace.lanes != len(x):
            pictures[...] = 0  # the margins stay so
            workspace.lanes = len(x)
        (top, _), (left, _) = self.window.padding
        _take_in(x, pictures, top, left)

    def give_back(self, workspace, gx):
        """The way back, of gradients."""
        (top, _), (left, _) = self.window.padding
        _give_back(self.padded(workspace.gradient, slice(0, len(gx))), gx, top, left)

    def columns(self, workspace, some, rows):
        """Room for the columns (K, L) of a piece."""
        length = (rows.stop - rows.start) * self.window.output[1] * (some.stop - some.start)
        return workspace.columns[: self.depth * length].reshape(self.depth, length)

    def products(self, workspace, some, rows, filters):
        """Room for y or gy of a piece, the pictures innermost: (O, pixels, pictures)."""
        shape = filters, (rows.stop - rows.start) * self.window.output[1], some.stop - some.start
        return workspace.products[: math.prod(shape)].reshape(shape)

    def im2col(self, workspace, group, some, rows):
        """columns[(c, u, v), (i, j, n)] = x[n, c, i s + u d - p, j s + v d - p]"""
        columns, pictures = self.columns(workspace, some, rows), self.padded(workspace.pictures, some)
        _im2col(pictures, columns, *self.geometry(group, rows))
        return columns

    def col2im(self, columns, workspace, group, some, rows):
        """The transpose: every entry of the columns is added to the pixel it was copied from."""
        _col2im(columns, self.padded(workspace.gradient, some), *self.geometry(group, rows))

    def geometry(self, group, rows):
        window, maps = self.window, (group * self.channels, (group + 1) * self.channels)
        return *maps, rows.start, rows.stop, *window.kernel, window.stride[0], *window.dilation, window.output[1]


# The kernels take indices into flat arrays, unsigned ones, as those of `tiles.py` do.


@kernel
def _take_in(x, pictures, top, left):
    """pictures[c, y + top, k, t, n] = x[n, c, y, t s + k - left]; the margins are left alone."""
    channels, height, stride, length, lanes = pictures.shape
    pixels, padded, step, wide = x.reshape(-1), pictures.reshape(-1), np.uint64(stride), np.uint64(lanes)
    for n in range(lanes):
        for c in range(channels):
            for y in range(x.shape[2]):
                for k in range(stride):
                    column = (k - left) % stride  # the first pixel of this phase
                    source = np.uint64(((n * channels + c) * x.shape[2] + y) * x.shape[3] + column)
                    row = ((c * height + y + top) * stride + k) * length
                    target = np.uint64((row + (left + column) // stride) * lanes + n)
                    for t in range(np.uint64((x.shape[3] - column + stride - 1) // stride)):
                        padded[target + t * wide] = pixels[source + t * step]


@kernel
def _give_back(pictures, x, top, left):
    """The transpose of _take_in."""
    channels, height, stride, length, lanes = pictures.shape
    pixels, padded, step, wide = x.reshape(-1), pictures.reshape(-1), np.uint64(stride), np.uint64(lanes)
    for n in range(lanes):
        for c in range(channels):
            for y in range(x.shape[2]):
                for k in range(stride):
                    column = (k - left) % stride
                    target = np.uint64(((n * channels + c) * x.shape[2] + y) * x.shape[3] + column)
                    row = ((c * height + y + top) * stride + k) * length
                    source = np.uint64((row + (left + column) // stride) * lanes + n)
                    for t in range(np.uint64((x.shape[3] - column + stride - 1) // stride)):
                        pixels[target + t * step] = padded[source + t * wide]


@kernel
def _im2col(pictures, columns, low, high, first, last, kh, kw, sh, dh, dw, width):
    """Of the channels from `low` to `high` and the output rows from `first` to `last`."""
    _, height, stride, length, lanes = pictures.shape
    pixels, entries, run, to = pictures.reshape(-1), columns.reshape(-1), np.uint64(width * lanes), np.uint64(0)
    for c in range(low, high):
        for u in range(kh):
            for v in range(kw):
                for i in range(first, last):
                    row = (c * height + i * sh + u * dh) * stride + v * dw % stride
                    at = np.uint64((row * length + v * dw // stride) * lanes)
                    for q in range(run):
                        entries[to + q] = pixels[at + q]
                    to += run


@kernel
def _col2im(columns, pictures, low, high, first, last, kh, kw, sh, dh, dw, width):
    _, height, stride, length, lanes = pictures.shape
    pixels, entries, run, to = pictures.reshape(-1), columns.reshape(-1), np.uint64(width * lanes), np.uint64(0)
    for c in range(low, high):
        for u in range(kh):
            for v in range(kw):
                for i in range(first, last):
                    row = (c * height + i * sh + u * dh) * stride + v * dw % stride
                    at = np.uint64((row * length + v * dw // stride) * lanes)
                    for q in range(run):
                        pixels[at + q] += entries[to + q]
                    to += run


@kernel
def _write(products, y, first_filter, first_pixel, bias, floor):
    """y[n, o, pixel] = products[o, pixel, n] + bias[o], or `floor` where that is more; NaN stays NaN."""
    filters, count, lanes = products.shape
    size, numbers, out, wide = y.shape[2] * y.shape[3], products.reshape(-1), y.reshape(-1), np.uint64(lanes)
    for n in range(lanes):
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
    for n in range(lanes):
        for o in range(filters):
            source = np.uint64((n * gy.shape[1] + first_filter + o) * size + first_pixel)
            target = np.uint64(o * count * lanes + n)
            for q in range(np.uint64(count)):
                numbers[target + q * wide] = source_of[source + q]
