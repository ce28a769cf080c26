"""The locally connected layer on the fast CPU: a matrix product for each place, W (O, K) @ columns (K, N).

With the pictures in the last axis, as cuda-convnet has them, every row of columns is one run over memory, and so is
every row of the product. So maps (N, C, H, W) are turned into (C, H, W, N) first, and results back at the end. The
columns of a few places at a time stay in the cache.
"""

from __future__ import annotations

import math

import numpy as np

from ...threads import parallel_for
from .compiled import kernel

_BYTES = 1 << 19  # of columns at a time, for each thread
_LINE = 16  # float32 numbers in a line of the cache


def local2d(x, w, b, window, groups):
    """y = W @ columns + b, each thread with places of its own."""
    layer = _Layer(x.shape, w.shape, x.dtype, window, groups)
    maps, weights = layer.turned(x, window.padded, *layer.corner), layer.weights(w)
    y = np.empty((layer.filters, *window.output, len(x)), x.dtype)
    products = layer.by_place(y)

    def places(start, stop):
        for some, columns in layer.columns(maps, start, stop):
            np.matmul(weights[some], columns, out=products[some])

    parallel_for(places, layer.places)
    result = np.empty((len(x), layer.filters, *window.output), x.dtype)
    parallel_for(lambda start, stop: _turn_back(y, result, 0, 0, start, stop), layer.filters)
    if b is not None:
        result += b
    return result


def local2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gw = gy @ columns^T place by place, gx = col2im(W^T @ gy) channel by channel; None where x, or w, is."""
    layer = _Layer(x_shape, w_shape, gy.dtype, window, groups)
    gradients = layer.by_place(layer.turned(gy, window.output))
    gw = None if x is None else layer.weight_gradient(gradients, x).reshape(w_shape)
    return None if w is None else layer.input_gradient(gradients, layer.weights(w)), gw


class _Layer:
    """The sizes of a layer, and its arrays in the order of the products."""

    def __init__(self, x_shape, w_shape, dtype, window, groups):
        self.x_shape, self.window, self.dtype, self.groups = x_shape, window, dtype, groups
        self.filters, self.places, self.taps = w_shape[2], math.prod(window.output), math.prod(window.kernel)
        self.corner = window.padding[0][0], window.padding[1][0]
        self.channels = x_shape[1] // groups  # of a group

    def turned(self, x, size, top=0, left=0):
        """(N, C, H, W) as (C, *size, N), with the picture's corner at (top, left) and zeros around it."""
        maps = (np.empty if size == x.shape[2:] else np.zeros)((x.shape[1], *size, len(x)), x.dtype)
        parallel_for(lambda start, stop: _turn(x, maps, top, left, start, stop), x.shape[1])
        return maps

    def weights(self, w):
        """(L, groups, O / groups, K)"""
        return w.reshape(self.places, self.groups, self.filters // self.groups, self.channels * self.taps)

    def by_place(self, y):
        """(O, OH, OW, N) as (L, groups, O / groups, N), a view."""
        return y.reshape(self.groups, self.filters // self.groups, self.places, y.shape[-1]).transpose(2, 0, 1, 3)

    def blocks(self, start, stop, rows):
        """Slices of the places, with so many rows of columns each, and room for their columns."""
        pictures = self.x_shape[0]
        size = max(1, min(stop - start, _BYTES // max(1, rows * pictures * np.dtype(self.dtype).itemsize)))
        room = np.empty((size, rows, pictures), self.dtype)
        for first in range(start, stop, size):
            some = slice(first, min(first + size, stop))
            yield some, room[: some.stop - first]

    def columns(self, maps, start, stop):
        """For blocks of places (slices of them), their columns (n, groups, K, N)."""
        for some, room in self.blocks(start, stop, self.x_shape[1] * self.taps):
            shape = len(room), self.x_shape[1], *self.window.kernel, self.x_shape[0]
            _columns(maps, room.reshape(shape), some.start, self.window.output[1], self.window.stride)
            yield some, room.reshape(len(room), self.groups, self.channels * self.taps, self.x_shape[0])

    def weight_gradient(self, gradients, x):
        """gy (O, N) @ columns^T (N, K), each thread with places of its own."""
        maps = self.turned(x, self.window.padded, *self.corner)
        gw = np.empty((self.places, self.groups, self.filters // self.groups, self.channels * self.taps), self.dtype)

        def places(start, stop):
            for some, columns in self.columns(maps, start, stop):
                np.matmul(gradients[some], columns.swapaxes(2, 3), out=gw[some])

        parallel_for(places, self.places)
        return gw

    def input_gradient(self, gradients, weights):
        """W^T (K, O) @ gy (O, N), added to the pixels; places share pixels, so each thread has channels of its own."""
        maps = np.zeros((self.x_shape[1], *self.window.padded, self.x_shape[0]), self.dtype)
        gx = np.empty(self.x_shape, self.dtype)

        def channels(start, stop):
            for group in range(start // self.channels, -(-stop // self.channels)):
                before = group * self.channels
                own = slice(max(start, before), min(stop, before + self.channels))
                rows = slice((own.start - before) * self.taps, (own.stop - before) * self.taps)
                transposed = weights[:, group, :, rows].swapaxes(1, 2)
                for some, room in self.blocks(0, self.places, rows.stop - rows.start):
                    np.matmul(transposed[some], gradients[some, group], out=room)
                    columns = room.reshape(len(room), own.stop - own.start, *self.window.kernel, self.x_shape[0])
                    _add_columns(columns, maps[own], some.start, self.window.output[1], self.window.stride)
            _turn_back(maps, gx, *self.corner, start, stop)

        parallel_for(channels, self.x_shape[1])
        return gx


@kernel
def _turn(x, maps, top, left, start, stop):
    """maps[c, top + i, left + j, n] = x[n, c, i, j] for the channels from `start` to `stop`."""
    for c in range(start, stop):
        for first in range(0, x.shape[0], _LINE):
            last = min(first + _LINE, x.shape[0])
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    for n in range(first, last):
                        maps[c, top + i, left + j, n] = x[n, c, i, j]


@kernel
def _turn_back(maps, x, top, left, start, stop):
    """x[n, c, i, j] = maps[c, top + i, left + j, n]"""
    for c in range(start, stop):
        for first in range(0, x.shape[0], _LINE):
            last = min(first + _LINE, x.shape[0])
            for i in range(x.shape[2]):
                for j in range(x.shape[3]):
                    for n in range(first, last):
                        x[n, c, i, j] = maps[c, top + i, left + j, n]


@kernel
def _columns(maps, columns, first, width, stride):
    """columns[q, c, u, v, n] = maps[c, i s + u, j s + v, n] for the place first + q = i width + j."""
    for q in range(columns.shape[0]):
        i, j = (first + q) // width * stride[0], (first + q) % width * stride[1]
        for c in range(columns.shape[1]):
            for u in range(columns.shape[2]):
                for v in range(columns.shape[3]):
                    for n in range(columns.shape[4]):
                        columns[q, c, u, v, n] = maps[c, i + u, j + v, n]


@kernel
def _add_columns(columns, maps, first, width, stride):
    """The transpose: every number of the columns is added to the pixel that it would be copied from."""
    for q in range(columns.shape[0]):
        i, j = (first + q) // width * stride[0], (first + q) % width * stride[1]
        for c in range(columns.shape[1]):
            for u in range(columns.shape[2]):
                for v in range(columns.shape[3]):
                    for n in range(columns.shape[4]):
                        maps[c, i + u, j + v, n] += columns[q, c, u, v, n]
