"""The CUDA kernels' host code: what is launched for each layer, on a GPU and on the emulator alike.

Everything that a kernel does not do better is inherited and runs on the array module, CuPy or NumPy. This file never
imports cupy: it is given a launcher (`launch.py`), and the launcher's arrays.
"""

from __future__ import annotations

import math

import numpy as np

from ..numpy_backend import NumPyBackend
from ..raw_images import RawImages
from .images import Preprocessor

_SUMMING = 256  # threads of a block that adds up a channel or a row: THREADS in the sources
_BLOCKS = 132 * 8  # of so many threads: they fill the largest GPU
_ACROSS = 32  # columns of a block of column_sums, a warp's: ACROSS in bias.cu
_LOADS = 16  # that a thread makes at least, where work is shared out: a second block would cost more than it helps
_CHANNELS = 64  # that a thread of lrn_registers makes at least: it reads up to four more, on either side
_ENTRIES = 32  # of the columns that a thread of im2col makes at least, to divide so much the less often


class CudaBackend(NumPyBackend):
    """columns: bytes of convolution columns at a time, if more than one picture's: they never fill the memory.
    in_registers: sizes of LRN's window across channels for which there are the kernels of lrn_registers.cu.
    """

    columns = 1 << 20
    in_registers: tuple[int, ...] = (2, 3, 4, 5)

    def __init__(self, xp, launcher):
        self.xp, self.launch, self.empty, self._solid = xp, launcher, launcher.empty, launcher.solid
        self.preprocess = Preprocessor(self)

    def upload(self, batches):
        return ((self.preprocess(x) if isinstance(x, RawImages) else x, labels) for x, labels in batches)

    # ------------------------------------------------------------------------------ activation

    def relu(self, x, out=None):
        x = self._solid(x)
        if out is x:
            self.launch.elements("relu_in_place", x.size, x, x.size)
            return x
        y = self.empty(x.shape, x.dtype)
        self.launch.elements("relu", x.size, x, y, x.size)
        return y if out is None else _into(out, y)

    def relu_backward(self, gy, y):
        gy, y = self._solid(gy), self._solid(y)
        gx = self.empty(gy.shape, gy.dtype)
        self.launch.elements("relu_backward", gy.size, gy, y, gx, gy.size)
        return gx

    def dropout(self, x, keep, scale, seed, call, first=0):
        if first % 4:  # the first counter has words for elements that are not here
            room = self.xp.zeros(first % 4 + x.size, x.dtype)
            room[first % 4 :] = x.reshape(-1)
            return self.dropout(room, keep, scale, seed, call, first - first % 4)[first % 4 :].reshape(x.shape)
        x = self._solid(x)
        x = x if self.launch.aligned(x) else x.copy()
        y = self.empty(x.shape, x.dtype)
        below = round(keep * 2**32)
        self.launch.elements("dropout", -(-x.size // 4), x, y, below, scale, seed, call, x.size, first // 4)
        return y

    # ------------------------------------------------------------------------------ layers with weights

    def linear(self, x, w, b):
        x = self._solid(x)
        rows, outputs = _rows(x), len(w)
        y = self.empty((*x.shape[:-1], outputs), x.dtype)
        self.launch.gemm(rows, self._solid(w), _rows(y), transpose_b=True)
        if b is not None:
            count = len(rows)
            self.launch.planes("add_bias", outputs, count, y, self._solid(b), count, outputs)
        return y

    def linear_backward(self, gy, x, w, needs):
        gy = self._solid(gy)
        rows, gx, gw, gb = _rows(gy), None, None, None
        if needs[0]:
            gx = self.empty((*gy.shape[:-1], w.shape[1]), gy.dtype)
            self.launch.gemm(rows, self._solid(w), _rows(gx))
        if needs[1]:
            gw = self.empty((gy.shape[-1], x.shape[-1]), gy.dtype)
            self.launch.gemm(rows, _rows(self._solid(x)), gw, transpose_a=True)
        if needs[2]:
            gb = self._channel_sums(rows)
        return gx, gw, gb

    def conv2d(self, x, w, b, window, groups, needs):
        """W (G, O/G, K) @ columns (G, K, n L) for n pictures at a time, then back into the order of a batch."""
        x, w = self._solid(x), self._solid(w)
        filters, places = len(w), math.prod(window.output)
        y = self.empty((len(x), filters, *window.output), x.dtype)
        weights, bias = w.reshape(groups, filters // groups, -1), w if b is None else self._solid(b)
        for first, pictures in self._chunks(x, window):
            columns = self.empty((groups, math.prod(w.shape[1:]), pictures * places), x.dtype)
            self._im2col(x, columns, window, first, pictures)
            product = self.empty((groups, filters // groups, pictures * places), x.dtype)
            self.launch.gemm(weights, columns, product)
            given = product, bias, int(b is not None), y, filters, places, first, pictures
            self.launch.planes("to_pictures", places, pictures * filters, *given)
        return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)

    def conv2d_backward(self, gy, saved, window, groups, needs):
        """Columns are made again rather than kept: gW = gy @ columns^T, gx = col2im(W^T @ gy)."""
        (x_shape, w_shape, x, w), gy = saved, self._solid(gy)
        filters, places, depth = w_shape[0], math.prod(window.output), math.prod(w_shape[1:])
        gx = self.empty(x_shape, gy.dtype) if needs[0] else None
        # the first product writes there, later ones add
        new = self.empty if len(gy) else self.xp.zeros
        gw = new((groups, filters // groups, depth), gy.dtype) if needs[1] else None
        for first, pictures in self._chunks(gx if x is None else x, window) if needs[0] or needs[1] else ():
            gradient = self.empty((groups, filters // groups, pictures * places), gy.dtype)
            columns = self.empty((groups, depth, pictures * places), gy.dtype)  # of x first, then of gx
            extent = filters, places, first, pictures
            self.launch.planes("from_pictures", places, pictures * filters, gy, gradient, *extent)
            if gw is not None:
                self._im2col(x, columns, window, first, pictures)
                self.launch.gemm(gradient, columns, gw, transpose_b=True, add=first > 0)
            if gx is not None:
                self.launch.gemm(w.reshape(groups, filters // groups, depth), gradient, columns, transpose_a=True)
                channels, given = x_shape[1], (window, first, pictures)
                self.launch.planes("col2im", math.prod(window.size), pictures * channels, columns, gx, channels, *given)
        gb = self._channel_sums(gy) if needs[2] else None
        return gx, gw if gw is None else gw.reshape(w_shape), gb

    def _chunks(self, x, window):
        """(first picture, how many) of the parts whose columns fit into the buffer."""
        one = x.shape[1] * math.prod(window.kernel) * math.prod(window.output) * x.dtype.itemsize
        most = max(1, self.columns // max(1, one))
        if 0 < len(x) <= most:
            return ((0, len(x)),)
        return [(first, min(most, len(x) - first)) for first in range(0, len(x), most)]

    def _im2col(self, x, columns, window, first, pictures):
        channels = x.shape[1]
        rows = _pieces(channels, _pieces(_ENTRIES, math.prod(window.kernel)))
        places = pictures * math.prod(window.output)
        self.launch.planes("im2col", places, rows, x, columns, channels, window, first, pictures)

    def _channel_sums(self, gy):
        (pictures, channels), places = gy.shape[:2], math.prod(gy.shape[2:])
        if places == 1:
            return self._column_sums(gy, pictures, channels)
        team = next(team for team in (32, 64, 128, _SUMMING) if places <= _LOADS * team or team == _SUMMING)
        parts = max(1, min(_pieces(pictures, _SUMMING // team), _BLOCKS // max(1, channels)))
        partial = self.empty((parts, channels) if parts > 1 else channels, gy.dtype)
        self.launch("channel_sums", (channels, parts), _SUMMING, gy, partial, team, pictures, channels, places)
        return partial if parts == 1 else self._column_sums(partial, parts, channels)

    def _column_sums(self, matrix, rows, columns):
        """Where there are many rows, sums of parts of them first, which are then added up likewise."""
        warps, blocks = _SUMMING // _ACROSS, _pieces(columns, _ACROSS)
        parts = max(1, min(_pieces(rows, warps * _LOADS), _BLOCKS // max(1, blocks)))
        sums = self.empty((parts, columns) if parts > 1 else columns, matrix.dtype)
        self.launch("column_sums", (blocks, parts), (_ACROSS, warps), matrix, sums, rows, columns)
        return sums if parts == 1 else self._column_sums(sums, parts, columns)

    # ------------------------------------------------------------------------------ pooling

    def max_pool2d(self, x, window, save):
        if math.prod(window.kernel) > 256:  # places are numbered in bytes
            return super().max_pool2d(x, window, save)
        x, maps = self._solid(x), math.prod(x.shape[:2])
        y = self.empty((*x.shape[:2], *window.output), x.dtype)
        winners = self.empty(y.shape if save else 0, np.uint8)
        self.launch.planes("max_pool2d", math.prod(window.output), maps, x, y, winners, int(save), window, maps)
        return y, winners if save else None

    def max_pool2d_backward(self, gy, winners, window):
        if winners.dtype != np.uint8:
            return super().max_pool2d_backward(gy, winners, window)
        gy, gx = self._solid(gy), self.empty((*gy.shape[:2], *window.size), gy.dtype)
        maps = math.prod(gy.shape[:2])
        self.launch.planes("max_pool2d_backward", math.prod(window.size), maps, gy, winners, gx, window, maps)
        return gx

    def avg_pool2d(self, x, scale, window):
        x, scale, maps = self._solid(x), self._scale(scale, window), math.prod(x.shape[:2])
        y = self.empty((*x.shape[:2], *window.output), x.dtype)
        self.launch.planes("avg_pool2d", math.prod(window.output), maps, x, scale, y, window, maps)
        return y

    def avg_pool2d_backward(self, gy, scale, window):
        gy, scale, maps = self._solid(gy), self._scale(scale, window), math.prod(gy.shape[:2])
        gx = self.empty((*gy.shape[:2], *window.size), gy.dtype)
        self.launch.planes("avg_pool2d_backward", math.prod(window.size), maps, gy, scale, gx, window, maps)
        return gx

    def _scale(self, scale, window):
        return self.xp.ascontiguousarray(self.xp.broadcast_to(scale, window.output))

    # ------------------------------------------------------------------------------ normalisation

    def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
        x = self._solid(x)
        y, numbers = self.empty(x.shape, x.dtype), (size, float(a), float(beta), float(k))
        if not within_channel and size in self.in_registers:
            self._lrn_registers("lrn_registers", groups, x, y, *numbers)
            return y, (x, None) if save else None
        scale = self.empty(x.shape if save else 0, x.dtype)
        self._lrn("", x.shape, within_channel, groups, (x, y, scale, int(save), *numbers))
        return y, (x, scale) if save else None

    def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
        (x, scale), gy = saved, self._solid(gy)
        gx, numbers = self.empty(x.shape, x.dtype), (size, float(a), float(beta))
        if scale is None:
            self._lrn_registers("lrn_registers_backward", groups, gy, x, gx, *numbers, float(k))
        else:
            self._lrn("_backward", x.shape, within_channel, groups, (gy, x, scale, gx, *numbers))
        return gx

    def _lrn(self, direction, shape, within_channel, groups, given):
        (pictures, channels), places = shape[:2], math.prod(shape[2:])
        if within_channel:
            maps = pictures * channels
            self.launch.planes(f"lrn_within{direction}", places, maps, *given, *shape[2:], maps)
        else:
            extent = channels, channels // groups, places, pictures
            self.launch.planes(f"lrn_across{direction}", places, pictures * groups, *given, *extent)

    def _lrn_registers(self, kernel, groups, x, *given):
        (pictures, channels), places = x.shape[:2], math.prod(x.shape[2:])
        threads, block = max(1, pictures * groups * places), channels // groups
        parts = max(1, min(_pieces(_BLOCKS * _SUMMING, threads), block // _CHANNELS))
        extent = channels, block, max(1, _pieces(block, parts)), places, pictures
        self.launch.planes(kernel, places, pictures * groups * parts, x, *given, *extent)

    def batch_norm(self, x, statistics, w, b, eps):
        x, channels = self._solid(x), x.shape[1]
        extent = len(x), channels, math.prod(x.shape[2:])
        mean, variance = statistics or (self.empty(channels, x.dtype), self.empty(channels, x.dtype))
        if statistics is None:
            self.launch("channel_statistics", channels, _SUMMING, x, mean, variance, *extent)
        std, y = self.xp.sqrt(variance + x.dtype.type(eps)), self.empty(x.shape, x.dtype)
        optional = self._or_none(w, mean) + self._or_none(b, mean)
        self.launch.planes("batch_norm", extent[2], len(x) * channels, x, mean, std, *optional, y, *extent)
        return y, mean, variance, (x, mean, std)

    def batch_norm_backward(self, gy, saved, w, training):
        (x, mean, std), gy = saved, self._solid(gy)
        extent = len(x), x.shape[1], math.prod(x.shape[2:])
        gx = self.empty(x.shape, x.dtype)
        gw, gb = self.empty(x.shape[1], x.dtype), self.empty(x.shape[1], x.dtype)
        self.launch("batch_norm_sums", x.shape[1], _SUMMING, gy, x, mean, std, gw, gb, *extent)
        given = (*self._or_none(w, mean), gw, gb, int(training))
        maps = len(x) * x.shape[1]
        self.launch.planes("batch_norm_backward", extent[2], maps, gy, x, mean, std, *given, gx, *extent)
        return gx, gw, gb

    def _or_none(self, array, instead):
        """(array, 1), or for None (any array, 0): a kernel takes no missing argument."""
        return (instead, 0) if array is None else (self._solid(array), 1)

    # ------------------------------------------------------------------------------ softmax and loss

    def cross_entropy(self, x, labels, w, valid, smoothing):
        x = self._solid(x)
        logp, losses = self.empty(x.shape, x.dtype), self.empty(len(x), x.dtype)
        target = self._target(labels, w, valid, smoothing)
        self.launch("cross_entropy", len(x), _SUMMING, x, *target, logp, losses, x.shape[1])
        return losses, logp

    def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
        gx, target = self.empty(logp.shape, logp.dtype), self._target(labels, w, valid, smoothing)
        self.launch("cross_entropy_backward", len(logp), _SUMMING, self._solid(gy), logp, *target, gx, logp.shape[1])
        return gx

    def _target(self, labels, w, valid, smoothing):
        labels = self._solid(labels.astype(np.int64, copy=False))
        return labels, self._solid(w), self._solid(valid).view(np.uint8), smoothing

    # ------------------------------------------------------------------------------ optimiser

    def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
        g = self._solid(g)
        size, fast = p.size, self.launch.aligned(p, g, p if v is None else v)
        numbers = float(lr), float(momentum), float(1 - dampening), float(weight_decay)
        velocity = (self.empty(0, p.dtype), 0) if v is None else (v, 1)
        flags = int(nesterov), int(rate_inside), int(fast)
        self.launch.elements("sgd", -(-size // 4), p, g, *velocity, *numbers, *flags, size)

    def adam(self, p, g, m, v, t, lr, b1, b2, eps, weight_decay, decoupled):
        shrink, added = (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)
        numbers = lr / (1 - b1**t), b1, b2, 1 - b2**t, eps, shrink, added
        self.launch.elements("adam", p.size, p, self._solid(g), m, v, *map(float, numbers), p.size)


def _rows(x):
    """A matrix, with all axes but the last as one."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _pieces(n, size):
    return -(-n // size)


def _into(out, y):
    out[...] = y
    return out
