"""Direct convolution on the fast CPU: im2col and a matrix product, piece by piece.

The columns of a whole batch would fill the memory (AlexNet's conv1 at batch 128: 562 MB). Those of a few output rows
stay in the cache, and their product W (O, K) @ columns (K, L) is already a piece of y. Where pictures are small, a
piece is several of them: between two steps a thread needs Python's lock, and could wait for it longer than it computes.

With a stride s, neighbours in a row of columns are s pixels apart. So a picture is first phases out into s pictures, of
the pixels 0, s, 2s ..., of 1, s + 1, ...: then every row of columns is one run over memory.
"""

from __future__ import annotations

import math

import numpy as np

from ...threads import parallel_for
from .compiled import kernel

_BYTES = 2 << 20  # of columns at a time, for each thread
_PARTS = 8  # of the batch, whose weight gradients are summed apart, in this order whatever the number of threads


def conv2d(x, w, b, window, groups):
    """y = W @ im2col(x) + b, each thread with pictures of its own."""
    tiling = _Tiling(x.shape, w.shape, x.dtype, window)
    filters = len(w) // groups
    weights = w.reshape(groups, filters, -1)
    y = np.empty((len(x), len(w), *window.output), x.dtype)

    def pictures(start, stop):
        workspace = tiling.workspace()
        for some, rows in tiling.pieces(start, stop):
            if rows.start == 0:
                tiling.split_phases(workspace, x[some])
            for group in range(groups):
                columns = tiling.im2col(workspace, group, some, rows)
                here = y[some, group * filters : (group + 1) * filters, rows]
                np.matmul(weights[group], columns, out=here.reshape(len(here), filters, -1))
                if b is not None:
                    here += b[group * filters : (group + 1) * filters, None, None]

    parallel_for(pictures, len(x), at_least=tiling.block)
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gx = col2im(W^T @ gy), gw = sum over pictures of gy @ columns^T; one is None where w, or x, is."""
    tiling = _Tiling(x_shape, w_shape, gy.dtype, window)
    filters, depth = w_shape[0] // groups, math.prod(w_shape[1:])
    gx = np.empty(x_shape, gy.dtype) if w is not None else None
    parts = max(1, min(_PARTS, len(gy)))
    sums = np.zeros((parts, groups, filters, depth), gy.dtype) if x is not None else None
    transposed = w.reshape(groups, filters, depth).swapaxes(1, 2) if w is not None else np.empty(0)

    def share(part):
        workspace = tiling.workspace(gradient=gx is not None)
        for some, rows in tiling.pieces(len(gy) * part // parts, len(gy) * (part + 1) // parts):
            length = (rows.stop - rows.start) * window.output[1]
            if rows.start == 0 and x is not None:
                tiling.split_phases(workspace, x[some])
            if rows.start == 0 and gx is not None:
                workspace.gradient[...] = 0
            for group in range(groups):
                gradient = gy[some, group * filters : (group + 1) * filters, rows].reshape(-1, filters, length)
                if sums is not None:
                    columns = tiling.im2col(workspace, group, some, rows)
                    sums[part, group] += np.matmul(gradient, columns.swapaxes(1, 2)).sum(axis=0)
                if gx is not None:
                    columns = np.matmul(transposed[group], gradient, out=tiling.columns(workspace, some, rows))
                    tiling.col2im(columns, workspace, group, rows)
            if rows.stop == window.output[0] and gx is not None:
                tiling.merge_phases(workspace, gx[some])

    parallel_for(lambda start, stop: [share(part) for part in range(start, stop)], parts, pieces=parts)
    return gx, sums.sum(axis=0).reshape(w_shape) if sums is not None else None


class _Workspace:
    """What one thread works in: pictures, or gradients of pictures, padded and split into phases; and columns."""

    def __init__(self, phases_shape, columns, dtype, gradient):
        self.pictures = np.zeros(phases_shape, dtype)  # the margins stay 0
        self.gradient = np.empty(phases_shape if gradient else 0, dtype)
        self.columns = np.empty(columns, dtype)


class _Tiling:
    """How a convolution is cut into pieces: some rows of one picture or, where pictures are small, several of them."""

    def __init__(self, x_shape, w_shape, dtype, window):
        self.window, self.dtype, self.channels = window, dtype, w_shape[1]
        self.depth = math.prod(w_shape[1:])
        rows, length = window.output
        fit = _BYTES // max(1, self.depth * length * np.dtype(dtype).itemsize)  # rows whose columns do
        self.rows, self.block = max(1, min(rows, fit)), max(1, min(-(-x_shape[0] // _PARTS), fit // rows))
        (height, width), stride = window.padded, window.stride[1]
        self.phases_shape = self.block, x_shape[1], height, stride, -(-width // stride)

    def workspace(self, gradient=False):
        numbers = self.depth * self.block * self.rows * self.window.output[1]
        return _Workspace(self.phases_shape, numbers, self.dtype, gradient)

    def pieces(self, start, stop):
        """(pictures, output rows), in slices, of the pictures from `start` to `stop`."""
        lines = self.window.output[0]
        for n in range(start, stop, self.block):
            for first in range(0, lines, self.rows):
                yield slice(n, min(n + self.block, stop)), slice(first, min(first + self.rows, lines))

    def split_phases(self, workspace, x):
        """Take pictures in."""
        (top, _), (left, _) = self.window.padding
        split_phases(x, workspace.pictures, top, left)

    def merge_phases(self, workspace, x):
        """Give their gradients back."""
        (top, _), (left, _) = self.window.padding
        merge_phases(workspace.gradient, x, top, left)

    def columns(self, workspace, some, rows):
        """Room for the columns (n, K, L) of a piece."""
        shape = some.stop - some.start, self.depth, (rows.stop - rows.start) * self.window.output[1]
        return workspace.columns[: math.prod(shape)].reshape(shape)

    def im2col(self, workspace, group, some, rows):
        """columns[n, (c, u, v), (i, j)] = x[n, c, i s + u d - p, j s + v d - p]"""
        columns = self.columns(workspace, some, rows)
        _im2col(self.maps(workspace.pictures, group), columns, *self.geometry(rows))
        return columns

    def col2im(self, columns, workspace, group, rows):
        """The transpose: every entry of the columns is added to the pixel it was copied from."""
        _col2im(columns, self.maps(workspace.gradient, group), *self.geometry(rows))

    def maps(self, phases, group):
        return phases[:, group * self.channels : (group + 1) * self.channels]

    def geometry(self, rows):
        window = self.window
        kernel_size, stride, dilation = window.kernel, window.stride[0], window.dilation
        return rows.start, rows.stop - rows.start, *kernel_size, stride, *dilation, window.output[1]


@kernel
def split_phases(x, phases, top, left):
    """phases[n, c, y + top, k, t] = x[n, c, y, t s + k - left]; the margins are left alone."""
    stride = phases.shape[3]
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for y in range(x.shape[2]):
                for k in range(stride):
                    row = phases[n, c, y + top, k]
                    first = (left - k + stride - 1) // stride
                    pixels = x[n, c, y, first * stride + k - left :]
                    for t in range((len(pixels) + stride - 1) // stride):
                        row[first + t] = pixels[t * stride]


@kernel
def merge_phases(phases, x, top, left):
    """The transpose of split_phases."""
    stride = phases.shape[3]
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for y in range(x.shape[2]):
                for k in range(stride):
                    row = phases[n, c, y + top, k]
                    first = (left - k + stride - 1) // stride
                    pixels = x[n, c, y, first * stride + k - left :]
                    for t in range((len(pixels) + stride - 1) // stride):
                        pixels[t * stride] = row[first + t]


@kernel
def _im2col(phases, columns, first, rows, kh, kw, sh, dh, dw, width):
    stride = phases.shape[3]
    for n in range(len(columns)):
        for c in range(phases.shape[1]):
            for u in range(kh):
                for v in range(kw):
                    for i in range(rows):
                        row = phases[n, c, (first + i) * sh + u * dh, v * dw % stride, v * dw // stride :]
                        column = columns[n, (c * kh + u) * kw + v, i * width : (i + 1) * width]
                        for j in range(width):
                            column[j] = row[j]


@kernel
def _col2im(columns, phases, first, rows, kh, kw, sh, dh, dw, width):
    stride = phases.shape[3]
    for n in range(len(columns)):
        for c in range(phases.shape[1]):
            for u in range(kh):
                for v in range(kw):
                    for i in range(rows):
                        row = phases[n, c, (first + i) * sh + u * dh, v * dw % stride, v * dw // stride :]
                        column = columns[n, (c * kh + u) * kw + v, i * width : (i + 1) * width]
                        for j in range(width):
                            row[j] += column[j]
