"""The fast CPU backend: the NumPy backend's methods, compiled, fused and spread over threads.

This file says what is computed where. The loops are in `elementwise.py`, `normalization.py` and `pooling.py`, the ways
to convolve in `im2col.py`, `winograd.py` and `blocks.py`, between which `ways.py` chooses, the threads in
`minialex/threads.py`. What is not overridden here, NumPy does.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ... import threads
from ..numpy_backend import NumPyBackend
from . import elementwise, few_rows, local, normalization, pooling, ways
from .compiled import announcing
from .memory import keep_freed_memory

_FEW = 1 << 15  # elements below which a second thread costs more than it saves


class NumbaBackend(NumPyBackend):
    """NumPyBackend by compiled kernels, which work on contiguous arrays: each method makes sure of that."""

    name, thread_owner = "numba", "minialex's pool"

    def on_selected(self):
        pass  # it takes the cores with every kernel

    def __init__(self):
        keep_freed_memory()

    def announcing(self, say):
        return announcing(say)

    def set_conv_ways(self, table):
        ways.use(table)

    # ------------------------------------------------------------------------------ activation

    def relu(self, x, out=None):
        if out is not None and not out.flags.c_contiguous:
            return super().relu(x, out)
        x = np.asarray(x, order="C")
        y = np.empty_like(x) if out is None else out
        _elements(elementwise.relu, x, y)
        return y

    def relu_backward(self, gy, y):
        gy, y = np.asarray(gy, order="C"), np.asarray(y, order="C")
        gx = np.empty_like(gy)
        _elements(elementwise.relu_backward, gy, y, gx)
        return gx

    def dropout(self, x, keep, scale, seed, call, first=0):
        if first % 4:  # the first counter has words for elements that are not here
            room = np.zeros(first % 4 + x.size, x.dtype)
            room[first % 4 :] = x.reshape(-1)
            return self.dropout(room, keep, scale, seed, call, first - first % 4)[first % 4 :].reshape(x.shape)
        x = np.asarray(x, order="C")
        y, one = np.empty_like(x), x.dtype.type
        numbers = np.uint64(round(keep * 2**32)), one(scale), np.uint64(seed), np.uint64(call)
        flat_x, flat_y = x.reshape(-1), y.reshape(-1)

        def counters(start, stop):  # each gives four elements their words
            some = slice(4 * start, 4 * stop)
            elementwise.dropout(flat_x[some], flat_y[some], *numbers, first // 4 + start)

        threads.parallel_for(counters, -(-x.size // 4), max(1, _FEW // 4))
        return y

    # ------------------------------------------------------------------------------ layers with weights

    def linear(self, x, w, b):
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        y = np.empty((len(rows), len(w)), x.dtype)

        few = 1 < len(rows) <= few_rows.MOST and w.flags.c_contiguous and rows.dtype == w.dtype
        rows = np.ascontiguousarray(rows) if few else rows

        def neurons(start, stop):
            if few:
                few_rows.multiply(rows, w, y, start, stop)
            else:
                np.matmul(rows, w[start:stop].T, out=y[:, start:stop])
            if b is not None:
                y[:, start:stop] += b[start:stop]

        threads.parallel_for(neurons, len(w), at_least=64)
        return y.reshape(*x.shape[:-1], len(w))

    def linear_backward(self, gy, x, w, needs):
        count = math.prod(gy.shape[:-1])
        rows = gy.reshape(count, gy.shape[-1])
        gx: Any = None
        gw = None
        if needs[0]:
            gx = np.empty((count, w.shape[1]), gy.dtype)
            threads.parallel_for(lambda i, j: np.matmul(rows, w[:, i:j], out=gx[:, i:j]), w.shape[1], at_least=64)
            gx = gx.reshape(*gy.shape[:-1], w.shape[1])
        if needs[1]:
            inputs = x.reshape(count, x.shape[-1])
            gw = np.empty((rows.shape[1], inputs.shape[1]), gy.dtype)
            threads.parallel_for(lambda i, j: np.matmul(rows[:, i:j].T, inputs, out=gw[i:j]), len(gw), at_least=64)
        return gx, gw, rows.sum(axis=0) if needs[2] else None

    def conv2d(self, x, w, b, window, groups, needs):
        """By Winograd where that pays, by im2col otherwise: see `ways.py`."""
        return self._conv2d(x, w, b, window, groups, needs, relu=False)

    @property
    def fuses_relu(self):
        """Whether conv2d_relu does what conv2d and relu do: not where one of them was replaced."""
        return (type(self).conv2d, type(self).relu) == _AS_WRITTEN and not {"conv2d", "relu"} & vars(self).keys()

    def conv2d_relu(self, x, w, b, window, groups, needs):
        """max(y, 0) for the y of conv2d."""
        return self._conv2d(x, w, b, window, groups, needs, relu=True)

    def _conv2d(self, x, w, b, window, groups, needs, relu):
        x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
        y = ways.conv2d(x, w, b, window, groups, relu)
        return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)

    def conv2d_backward(self, gy, saved, window, groups, needs):
        x_shape, w_shape, x, w = saved
        gy, gb = np.ascontiguousarray(gy), None
        gx, gw = ways.conv2d_backward(gy, x_shape, w_shape, x, w, window, groups)
        if needs[2]:
            maps, gb = gy.reshape(*gy.shape[:2], math.prod(gy.shape[2:])), np.empty(gy.shape[1], gy.dtype)
            _share(normalization.channel_sums, gy.shape[1], maps, gb)
        return gx, gw, gb

    def local2d(self, x, w, b, window, groups, needs):
        x, w = np.ascontiguousarray(x), np.ascontiguousarray(w)
        y = local.local2d(x, w, b, window, groups)
        return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)

    def local2d_backward(self, gy, saved, window, groups, needs):
        (x_shape, w_shape, x, w), gy = saved, np.ascontiguousarray(gy)
        gx, gw = local.local2d_backward(gy, x_shape, w_shape, x, w, window, groups)
        return gx, gw, gy.sum(axis=0) if needs[2] else None

    # ------------------------------------------------------------------------------ pooling

    def max_pool2d(self, x, window, save):
        y = np.empty((*x.shape[:2], *window.output), x.dtype)
        winners = np.empty(y.shape if save else (0, *y.shape), np.min_scalar_type(math.prod(window.kernel)))
        _share(
            pooling.max_pool,
            math.prod(x.shape[:2]),
            _maps(x),
            _maps(y),
            _maps(winners),
            window.padded,
            window.kernel,
            window.stride,
            window.dilation,
            _before(window),
            window.first_inside(),
        )
        return y, winners if save else None

    def max_pool2d_backward(self, gy, winners, window):
        gx = np.empty((*gy.shape[:2], *window.size), gy.dtype)
        _share(
            pooling.max_pool_backward,
            math.prod(gy.shape[:2]),
            _maps(gy),
            _maps(winners),
            _maps(gx),
            _sees(window),
            math.prod(window.kernel),
            window.kernel[1],
            window.stride,
            window.dilation,
            _before(window),
        )
        return gx

    def avg_pool2d(self, x, scale, window):
        y = np.empty((*x.shape[:2], *window.output), x.dtype)
        scale = np.array(
            np.broadcast_to(scale, window.output), order="C"
        )  # read-only, it would have a kernel of its own
        _share(
            pooling.avg_pool,
            math.prod(x.shape[:2]),
            _maps(x),
            _maps(y),
            scale,
            window.padded,
            window.kernel,
            window.stride,
            window.dilation,
            _before(window),
        )
        return y

    def avg_pool2d_backward(self, gy, scale, window):
        gx = np.empty((*gy.shape[:2], *window.size), gy.dtype)
        scale = np.array(
            np.broadcast_to(scale, window.output), order="C"
        )  # read-only, it would have a kernel of its own
        _share(
            pooling.avg_pool_backward,
            math.prod(gy.shape[:2]),
            _maps(gy),
            _maps(gx),
            scale,
            window.padded,
            window.kernel,
            window.stride,
            window.dilation,
            _before(window),
        )
        return gx

    def stochastic_pool2d(self, a, window, seed, call, first=0):
        y = np.empty((*a.shape[:2], *window.output), a.dtype)
        places = np.empty(y.shape, np.min_scalar_type(math.prod(window.kernel)))
        drawn = np.empty(y.shape, bool)
        _share(
            pooling.stochastic_pool,
            math.prod(a.shape[:2]),
            _maps(a),
            _maps(y),
            _maps(places),
            _maps(drawn),
            window.kernel,
            window.stride,
            _before(window),
            window.first_inside(),
            np.uint64(seed),
            np.uint64(call),
            first,
        )
        return y, drawn, places

    # ------------------------------------------------------------------------------ normalisation

    def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
        x = np.ascontiguousarray(x)
        y, none = np.empty_like(x), np.empty((0, *x.shape[1:]), x.dtype)
        _lrn(x, y, none, none, size, a, beta, k, within_channel, groups)
        return y, x if save else None

    def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
        gx, none = np.empty_like(saved), np.empty((0, *saved.shape[1:]), saved.dtype)
        _lrn(saved, none, np.ascontiguousarray(gy), gx, size, a, beta, k, within_channel, groups)
        return gx

    def batch_norm(self, x, statistics, w, b, eps):
        channels, x = x.shape[1], np.ascontiguousarray(x)
        maps = x.reshape(len(x), channels, math.prod(x.shape[2:]))
        mean, variance = statistics or (np.empty(channels, x.dtype), np.empty(channels, x.dtype))
        if statistics is None:
            _share(normalization.channel_statistics, channels, maps, mean, variance)
        std = np.sqrt(variance + x.dtype.type(eps))
        y = np.empty_like(x)
        w = np.ones(channels, x.dtype) if w is None else w
        b = np.zeros(channels, x.dtype) if b is None else b
        _share(normalization.batch_norm, channels, maps, y.reshape(maps.shape), mean, std, w, b)
        return y, mean, variance, (x, mean, std)

    def batch_norm_backward(self, gy, saved, w, training):
        (x, mean, std), gy = saved, np.ascontiguousarray(gy)
        channels, gx = x.shape[1], np.empty_like(x)
        maps = (len(x), channels, math.prod(x.shape[2:]))
        gw, gb = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        w = np.ones(channels, x.dtype) if w is None else w
        _share(
            normalization.batch_norm_backward,
            channels,
            gy.reshape(maps),
            x.reshape(maps),
            mean,
            std,
            w,
            training,
            gx.reshape(maps),
            gw,
            gb,
        )
        return gx, gw, gb

    # ------------------------------------------------------------------------------ softmax and loss

    def cross_entropy(self, x, labels, w, valid, smoothing):
        x = np.ascontiguousarray(x)
        logp, losses = np.empty_like(x), np.empty(len(x), x.dtype)
        _share(normalization.cross_entropy, len(x), x, labels, w, valid, smoothing, logp, losses)
        return losses, logp

    def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
        gx = np.empty_like(logp)
        gy = np.array(gy, order="C")  # as the scale of avg_pool2d
        _share(normalization.cross_entropy_backward, len(logp), gy, logp, labels, w, valid, smoothing, gx)
        return gx

    # ------------------------------------------------------------------------------ optimiser

    def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
        one, v = p.dtype.type, np.empty(0, p.dtype) if v is None else v
        numbers = one(lr), one(momentum), one(1 - dampening), one(weight_decay)
        _elements(elementwise.sgd, p, np.ascontiguousarray(g), v, *numbers, nesterov, rate_inside)

    def adam(self, p, g, m, v, t, lr, b1, b2, eps, weight_decay, decoupled):
        shrink, added = (1 - lr * weight_decay, 0) if decoupled else (1, weight_decay)
        numbers = (lr / (1 - b1**t), b1, b2, 1 - b2**t, eps, shrink, added)
        _elements(elementwise.adam, p, np.ascontiguousarray(g), m, v, *map(p.dtype.type, numbers))


_AS_WRITTEN = NumbaBackend.conv2d, NumbaBackend.relu


def _elements(kernel, *arguments):
    """Run a kernel over the elements of its arrays, which all are contiguous, each thread with pieces of them."""
    flat = [a.reshape(-1) if isinstance(a, np.ndarray) else a for a in arguments]

    def piece(start, stop):
        kernel(*(a[start:stop] if isinstance(a, np.ndarray) else a for a in flat))

    threads.parallel_for(piece, flat[0].size, _FEW)


def _share(kernel, count, *arguments):
    """Run a kernel for `count` pictures, maps, channels or rows, in several threads."""
    largest = max(a.size for a in arguments if isinstance(a, np.ndarray))
    at_least = max(1, count * _FEW // max(1, largest))
    threads.parallel_for(lambda start, stop: kernel(*arguments, start, stop), count, at_least)


def _maps(x):
    """(N, C, H, W) as (N C, H, W), contiguous."""
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


@functools.lru_cache(256)
def _sees(window):
    """For each output whether its window has a pixel of the image: one with dilation may have none."""
    return window.counts(False) > 0


def _before(window):
    """Padding at the top and on the left."""
    return window.padding[0][0], window.padding[1][0]


def _lrn(x, y, gy, gx, size, a, beta, k, within_channel, groups):
    numbers = size, *(x.dtype.type(number) for number in (a, beta, k))
    if within_channel:
        arrays = [_maps(array) for array in (x, y, gy, gx)]
        _share(normalization.lrn_within, math.prod(x.shape[:2]), *arrays, *numbers)
    else:
        block, length = x.shape[1] // groups, math.prod(x.shape[2:])
        arrays = [array.reshape(*array.shape[:2], length) for array in (x, y, gy, gx)]
        strips = -(-length // normalization.lrn_strip(block, length)) if x.size else 0
        _share(normalization.lrn_across, len(x) * groups * strips, *arrays, *numbers, block)
