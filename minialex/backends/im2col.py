"""Direct convolution on the fast CPU: im2col and a matrix product, a few rows of one picture at a time.

The columns of a whole batch would fill the memory (AlexNet's conv1 at batch 128: 562 MB). Those of a few output rows
stay in the cache that belongs to one core, and their product W (O, K) @ columns (K, L) is already a piece of y.

With a stride s, neighbours in a row of columns are s pixels apart. So a picture is first dealt out into s pictures, of
the pixels 0, s, 2s ..., of 1, s + 1, ...: then every row of columns is one run over memory.
"""

from __future__ import annotations

import math

import numpy as np

from ..threads import parallel
from .compiled import kernel

_BYTES = 512 << 10  # of columns at a time, for each thread
_PARTS = 8  # of the batch, whose weight gradients are summed apart, in this order whatever the number of threads


def conv2d(x, w, b, window, groups):
    """y = W @ im2col(x) + b, a thread a picture."""
    weights = w.reshape(groups, len(w) // groups, -1)
    y = np.empty((len(x), len(w), *window.output), x.dtype)

    def pictures(start, stop):
        space = _Workspace(x.shape, w.shape, x.dtype, window)
        for n in range(start, stop):
            space.deal(x[n])
            for group, maps, filters in space.groups(y[n]):
                for rows in space.chunks:
                    columns = space.im2col(maps, rows)
                    np.matmul(weights[group], columns, out=filters[:, rows].reshape(len(filters), -1))
            if b is not None:
                y[n] += b[:, None, None]

    parallel(pictures, len(x))
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gx = col2im(W^T @ gy), gw = sum over pictures of gy @ columns^T; one is None where w, or x, is."""
    depth = math.prod(w_shape[1:])
    gx = np.empty(x_shape, gy.dtype) if w is not None else None
    parts = min(_PARTS, len(gy))
    sums = np.zeros((parts, groups, w_shape[0] // groups, depth), gy.dtype) if x is not None else None
    weights = w.reshape(groups, -1, depth).swapaxes(1, 2) if w is not None else None

    def pictures(start, stop):
        space = _Workspace(x_shape, w_shape, gy.dtype, window)
        for part in range(start, stop):
            for n in range(len(gy) * part // parts, len(gy) * (part + 1) // parts):
                if sums is not None:
                    _weight_gradient(space, gy[n], x[n], sums[part])
                if gx is not None:
                    _input_gradient(space, gy[n], weights, gx[n])

    parallel(pictures, parts)
    return gx, sums.sum(axis=0).reshape(w_shape) if sums is not None else None


def _weight_gradient(space, gy, x, total):
    """Add gy @ columns^T of one picture to the total (groups, O, K)."""
    space.deal(x)
    for group, maps, gradient in space.groups(gy):
        for rows in space.chunks:
            total[group] += gradient[:, rows].reshape(len(gradient), -1) @ space.im2col(maps, rows).T


def _input_gradient(space, gy, weights, gx):
    """gx = col2im(W^T @ gy) of one picture, weights (groups, K, O)."""
    space.dealt[...] = 0
    for group, maps, gradient in space.groups(gy):
        for rows in space.chunks:
            columns = space.columns(rows)
            np.matmul(weights[group], gradient[:, rows].reshape(len(gradient), -1), out=columns)
            space.col2im(columns, maps, rows)
    space.collect(gx)


class _Workspace:
    """What one thread works in: a picture, padded and dealt out (C, H, stride, W / stride), and some rows' columns."""

    def __init__(self, x_shape, w_shape, dtype, window):
        self.window, self.channels = window, w_shape[1]
        (height, width), (_, stride) = window.padded, window.stride
        self.dealt = np.zeros((x_shape[1], height, stride, -(-width // stride)), dtype)
        self.depth = math.prod(w_shape[1:])
        lines, length = window.output
        count = max(1, min(lines, _BYTES // max(1, self.depth * length * self.dealt.itemsize)))
        self.chunks = [slice(first, min(first + count, lines)) for first in range(0, lines, count)]
        self.buffer = np.empty(self.depth * count * length, dtype)

    def groups(self, maps):
        """(number, its part of the picture, its part of `maps`) for every group."""
        count = len(self.dealt) // self.channels
        each = len(maps) // count
        return [
            (g, self.dealt[g * self.channels : (g + 1) * self.channels], maps[g * each : (g + 1) * each])
            for g in range(count)
        ]

    def deal(self, x):
        """Take a picture in."""
        (top, _), (left, _) = self.window.padding
        self.dealt[...] = 0
        deal(x, self.dealt, top, left)

    def collect(self, x):
        """Give the picture back."""
        (top, _), (left, _) = self.window.padding
        collect(self.dealt, x, top, left)

    def columns(self, rows):
        """The buffer (K, L) for the columns of these output rows."""
        length = (rows.stop - rows.start) * self.window.output[1]
        return self.buffer[: self.depth * length].reshape(self.depth, length)

    def im2col(self, maps, rows):
        """columns[(c, u, v), (i, j)] = x[c, i s + u d - p, j s + v d - p]"""
        columns, window = self.columns(rows), self.window
        _im2col(maps, columns, rows.start, *window.kernel, window.stride[0], *window.dilation, window.output[1])
        return columns

    def col2im(self, columns, maps, rows):
        """The transpose: every entry of the columns is added to the pixel it was copied from."""
        window = self.window
        _col2im(columns, maps, rows.start, *window.kernel, window.stride[0], *window.dilation, window.output[1])


@kernel
def deal(x, dealt, top, left):
    """dealt[c, y + top, k, t] = x[c, y, t s + k - left]; the margins are left alone."""
    stride = dealt.shape[2]
    for c in range(x.shape[0]):
        for y in range(x.shape[1]):
            for k in range(stride):
                row = dealt[c, y + top, k]
                first = (left - k + stride - 1) // stride
                pixels = x[c, y, first * stride + k - left :]
                for t in range((len(pixels) + stride - 1) // stride):
                    row[first + t] = pixels[t * stride]


@kernel
def collect(dealt, x, top, left):
    """The transpose of deal."""
    stride = dealt.shape[2]
    for c in range(x.shape[0]):
        for y in range(x.shape[1]):
            for k in range(stride):
                row = dealt[c, y + top, k]
                first = (left - k + stride - 1) // stride
                pixels = x[c, y, first * stride + k - left :]
                for t in range((len(pixels) + stride - 1) // stride):
                    pixels[t * stride] = row[first + t]


@kernel
def _im2col(dealt, columns, first, kh, kw, sh, dh, dw, width):
    stride = dealt.shape[2]
    for c in range(dealt.shape[0]):
        for u in range(kh):
            for v in range(kw):
                for i in range(columns.shape[1] // width):
                    row = dealt[c, (first + i) * sh + u * dh, v * dw % stride, v * dw // stride :]
                    column = columns[(c * kh + u) * kw + v, i * width : (i + 1) * width]
                    for j in range(width):
                        column[j] = row[j]


@kernel
def _col2im(columns, dealt, first, kh, kw, sh, dh, dw, width):
    stride = dealt.shape[2]
    for c in range(dealt.shape[0]):
        for u in range(kh):
            for v in range(kw):
                for i in range(columns.shape[1] // width):
                    row = dealt[c, (first + i) * sh + u * dh, v * dw % stride, v * dw // stride :]
                    column = columns[(c * kh + u) * kw + v, i * width : (i + 1) * width]
                    for j in range(width):
                        row[j] += column[j]
