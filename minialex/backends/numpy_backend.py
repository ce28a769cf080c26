"""The reference backend: forward and backward of every layer on raw arrays, as plainly as NumPy allows.

Other backends are measured against this file and override what they do faster. It is written with `self.xp`, the array
module, so that it also runs on other modules with NumPy's interface. Convolution and normalisation work through the
batch one image or a few at a time: the pieces stay in the processor's cache, and one buffer serves them all.
"""

from __future__ import annotations

import math

import numpy as np

from .. import random
from .more_layers import MoreLayers

_COLUMNS = 1 << 20  # bytes of columns that a convolution makes at a time, if more than one picture's
_CHUNK = 1 << 15  # elements an optimiser updates at a time: its temporaries stay in the cache


class NumPyBackend(MoreLayers):
    """The methods of every backend, in pairs `f` and `f_backward`.

    A forward whose backward needs something returns (y, saved); only that pair knows what `saved` holds. `needs` says,
    for each input, whether its gradient is wanted. Shapes: x (N, C, H, W), w (O, C / groups, KH, KW), b (O,), unless
    given otherwise.
    """

    name = "numpy"
    xp = np

    def asarray(self, data, dtype=None):
        """An array of this backend, C-contiguous.

        data: an array, number or nested list.
        dtype: if None, arrays keep theirs and Python floats become float32.

        Raises TypeError for what is not numbers.
        """
        array = self.xp.asarray(data, order="C")
        if dtype is None and array.dtype == np.float64 and not hasattr(data, "dtype"):
            dtype = np.float32
        for wanted in (array.dtype, np.dtype(dtype or array.dtype)):
            if wanted not in (np.float32, np.float64) and wanted.kind not in "biu":
                raise TypeError(f"minialex computes in float32 and float64, got {wanted}; use .astype(np.float32)")
        return array if dtype is None else array.astype(dtype, copy=False)

    def to_numpy(self, array):
        """The array as a NumPy array; may share memory."""
        return array

    def getitem(self, array, index):
        """array[index]; IndexError where the index does not fit."""
        return array[index]

    def add_at(self, target, index, values):
        """target[index] += values, in place, where an element that the index names twice receives both."""
        self.xp.add.at(target, index, values)

    # ------------------------------------------------------------------------------ activation

    def relu(self, x, out=None):
        """y = max(x, 0); NaN stays NaN."""
        return self.xp.maximum(x, x.dtype.type(0), out=out)

    def relu_backward(self, gy, y):
        """gx = gy [y > 0 or NaN]"""
        return self.xp.where(y <= 0, gy.dtype.type(0), gy)  # so that a NaN does not end a gradient unseen

    def dropout(self, x, keep, scale, seed, call, first=0):
        """y_i = scale x_i where word first + i of Philox (seed, call) is below keep 2^32, else 0; its own backward."""
        xp = self.xp
        words = random.words(x.size, seed, call, xp, first)
        mask = (words < xp.uint64(round(keep * 2**32))).reshape(x.shape)
        return x * mask * x.dtype.type(scale)

    # ------------------------------------------------------------------------------ layers with weights

    def linear(self, x, w, b):
        """y = x W^T + b"""
        y = x @ w.T
        return y if b is None else y + b

    def linear_backward(self, gy, x, w, needs):
        """gx = gy W, gW = gy^T x, gb = sum gy; `needs` says which of them are wanted."""
        count = math.prod(gy.shape[:-1])
        rows = gy.reshape(count, gy.shape[-1])
        gx = gy @ w if needs[0] else None
        gw = rows.T @ x.reshape(count, x.shape[-1]) if needs[1] else None
        gb = rows.sum(axis=0) if needs[2] else None
        return gx, gw, gb

    def conv2d(self, x, w, b, window, groups, needs):
        """A matrix product for each picture and group: W (O, K) @ columns (K, L), K = C KH KW, L = OH OW.

        `needs` says which of gx, gw and gb backward will be asked for: what none of them takes is not saved.
        """
        xp, filters, rows = self.xp, len(w), math.prod(w.shape[1:])
        y = xp.empty((len(x), groups, filters // groups, math.prod(window.output)), x.dtype)
        weights = w.reshape(groups, filters // groups, rows)
        buffers = _ConvBuffers(xp, x.shape, x.dtype, window, groups)
        for some in buffers.blocks:
            xp.matmul(weights, buffers.im2col(x[some]), out=y[some])
        y = y.reshape(len(x), filters, *window.output)
        if b is not None:
            y += b[:, None, None]
        return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)

    def conv2d_backward(self, gy, saved, window, groups, needs):
        """Columns are made again rather than kept: gW = sum over pictures of gy @ columns^T, gx = col2im(W^T @ gy)."""
        xp, (x_shape, w_shape, x, w) = self.xp, saved
        filters, rows = w_shape[0], math.prod(w_shape[1:])
        gx = xp.empty(x_shape, gy.dtype) if needs[0] else None
        gw = xp.zeros((groups, filters // groups, rows), gy.dtype) if needs[1] else None
        gb = gy.sum(axis=(0, 2, 3)) if needs[2] else None
        transposed = w.reshape(groups, filters // groups, rows).swapaxes(1, 2) if needs[0] else None
        gy = gy.reshape(len(gy), groups, filters // groups, math.prod(window.output))
        buffers = _ConvBuffers(xp, x_shape, gy.dtype, window, groups)
        for some in buffers.blocks:
            if gw is not None:
                gw += xp.matmul(gy[some], buffers.im2col(x[some]).swapaxes(2, 3)).sum(axis=0)
            if gx is not None:
                gx[some] = buffers.col2im(xp.matmul(transposed, gy[some]))
        return gx, gw if gw is None else gw.reshape(w_shape), gb

    # ------------------------------------------------------------------------------ pooling

    def max_pool2d(self, x, window, save):
        """The maximum over the places of the kernel; then, for backward, the number of the place where it stood."""
        xp = self.xp
        padded = _pad(xp, x, window, -np.inf)
        y = xp.full((*x.shape[:2], *window.output), -np.inf, x.dtype)
        for tap in window.taps():
            xp.maximum(y, padded[..., *tap], out=y)
        if not save:
            return y, None
        winners = xp.zeros(y.shape, np.min_scalar_type(math.prod(window.kernel)))
        for place, tap in reversed([*enumerate(window.taps())]):  # of equals the first is written last
            xp.copyto(winners, place, where=padded[..., *tap] == y)
        if xp.isnan(y).any():  # NaN, where it is the maximum, equals nothing
            for place, tap in enumerate(window.taps()):
                xp.copyto(winners, place, where=xp.isnan(padded[..., *tap]))
        if (y == -np.inf).any():  # equals the padding, too, which must not win
            xp.copyto(winners, xp.asarray(window.first_inside(), winners.dtype), where=y == -np.inf)
        return y, winners

    def max_pool2d_backward(self, gy, winners, window):
        """Each gradient is added where its window's winner stood; windows overlap, so a pixel may win several times."""
        xp = self.xp
        padded = xp.zeros((*gy.shape[:2], *window.padded), gy.dtype)
        for place, tap in enumerate(window.taps()):
            padded[..., *tap] += xp.where(winners == place, gy, gy.dtype.type(0))
        return padded[..., *window.inside]

    def avg_pool2d(self, x, scale, window):
        """y = scale * sum over the window; scale is a number or one for each output place."""
        padded = _pad(self.xp, x, window, 0)
        y = self.xp.zeros((*x.shape[:2], *window.output), x.dtype)
        for tap in window.taps():
            y += padded[..., *tap]
        return y * scale

    def avg_pool2d_backward(self, gy, scale, window):
        """scale * gy added at every place of its window."""
        padded = self.xp.zeros((*gy.shape[:2], *window.padded), gy.dtype)
        share = gy * scale
        for tap in window.taps():
            padded[..., *tap] += share
        return padded[..., *window.inside]

    # ------------------------------------------------------------------------------ normalisation

    def local_response_norm(self, x, size, a, beta, k, within_channel, groups, save):
        """y = x d^-beta, d = k + a * (sum of squares over the window)"""
        y = self.xp.empty_like(x)
        d = self.xp.empty_like(x) if save else None
        for n in range(len(x)):
            scale = k + a * _neighbours(self.xp, x[n] * x[n], size, within_channel, groups)
            y[n] = x[n] * _power(self.xp, scale, beta)
            if d is not None:
                d[n] = scale
        return y, (x, d)

    def local_response_norm_backward(self, gy, saved, size, a, beta, k, within_channel, groups):
        """gx = gy d^-beta - 2 a beta x * (sum of gy x d^(-beta - 1) over the mirrored window)"""
        xp, (x, d) = self.xp, saved
        gx = xp.empty_like(x)
        for n in range(len(x)):
            direct = gy[n] * _power(xp, d[n], beta)
            cross = _neighbours(xp, direct * x[n] / d[n], size, within_channel, groups, mirrored=True)
            gx[n] = direct - (2 * a * beta) * x[n] * cross
        return gx

    def batch_norm(self, x, statistics, w, b, eps):
        """(y, mean, biased variance, saved) with the batch's statistics, or those given."""
        xp = self.xp
        axes, column = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
        mean, variance = statistics or (x.mean(axis=axes), x.var(axis=axes))
        std = xp.sqrt(variance + x.dtype.type(eps))
        z = (x - mean.reshape(column)) / std.reshape(column)
        y = z if w is None else z * w.reshape(column)
        y = y if b is None else y + b.reshape(column)
        return y, mean, variance, (z, std)

    def batch_norm_backward(self, gy, saved, w, training):
        """gx = (gz - mean gz - z mean(gz z)) / std in training, gz / std otherwise; gw, gb"""
        z, std = saved
        axes, column = (0, *range(2, z.ndim)), (-1, *[1] * (z.ndim - 2))
        gb, gw = gy.sum(axis=axes), (gy * z).sum(axis=axes)
        gz = gy if w is None else gy * w.reshape(column)
        if training:
            gz = gz - gz.mean(axis=axes, keepdims=True) - z * (gz * z).mean(axis=axes, keepdims=True)
        return gz / std.reshape(column), gw, gb

    # ------------------------------------------------------------------------------ softmax and loss

    def log_softmax(self, x, axis):
        """y = (x - m) - log sum exp(x - m), m = max x"""
        with np.errstate(divide="ignore", invalid="ignore"):  # infinite logits: NaN, as in torch; an axis of length 0
            shifted = x - x.max(axis=axis, keepdims=True) if x.size else x
            y = shifted - self.xp.log(self.xp.exp(shifted).sum(axis=axis, keepdims=True))
        return y, y

    def log_softmax_backward(self, gy, y, axis):
        """gx = gy - softmax sum gy"""
        return gy - self.xp.exp(y) * gy.sum(axis=axis, keepdims=True)

    def cross_entropy(self, x, labels, w, valid, smoothing):
        """loss_n = -sum_c q_nc log p_nc for rows (N, C); what backward needs of it is log p."""
        xp, rows = self.xp, self.xp.arange(len(x))
        logp, _ = self.log_softmax(x, 1)
        losses = -(1 - smoothing) * w[labels] * logp[rows, labels]
        if smoothing:
            losses = losses - smoothing / x.shape[1] * (logp @ w)
        return xp.where(valid, losses, 0), logp

    def cross_entropy_backward(self, gy, logp, labels, w, valid, smoothing):
        """gx = gy (p sum q - q), q = w ((1 - s) [c = label] + s / C)"""
        xp, rows = self.xp, self.xp.arange(len(logp))
        share = smoothing / logp.shape[1]
        gx = self.xp.exp(logp) * ((1 - smoothing) * w[labels] + share * w.sum())[:, None]
        gx[rows, labels] -= (1 - smoothing) * w[labels]
        if smoothing:
            gx -= share * w
        return gx * xp.where(valid, gy, 0)[:, None]

    # ------------------------------------------------------------------------------ optimiser

    def sgd(self, p, g, v, lr, momentum, dampening, weight_decay, nesterov, rate_inside):
        """One step of gradient descent, in place: parameter p, gradient g, velocity v (None without momentum).

        g' = g + weight_decay p
        rate outside (torch):   v = momentum v + (1 - dampening) g'        p = p - lr v
        rate inside (paper):    v = momentum v + (1 - dampening) lr g'     p = p - v
        nesterov: the step is g' + momentum v (torch), lr g' + momentum v (paper) in place of v
        """
        p, g, v = p.reshape(-1), g.reshape(-1), None if v is None else v.reshape(-1)
        for start in range(0, p.size, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            part = p[chunk]
            step = g[chunk] + weight_decay * part if weight_decay else g[chunk]
            if rate_inside:
                step = lr * step
            if v is not None:
                velocity = v[chunk]
                velocity *= momentum
                velocity += (1 - dampening) * step if dampening else step
                step = step + momentum * velocity if nesterov else velocity
            part -= step if rate_inside else lr * step

    def adam(self, p, g, m, v, t, lr, b1, b2, eps, weight_decay, decoupled):
        """Step t of Adam, in place: parameter p, gradient g, moving averages m of g and v of g^2.

        m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  p = p - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
        weight decay: added to g, or, decoupled, p = p (1 - lr weight_decay) first
        """
        p, g, m, v = (array.reshape(-1) for array in (p, g, m, v))
        for start in range(0, p.size, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            part, first, second, gradient = p[chunk], m[chunk], v[chunk], g[chunk]
            if decoupled:
                part *= 1 - lr * weight_decay
            elif weight_decay:
                gradient = gradient + weight_decay * part
            first += (1 - b1) * (gradient - first)
            second *= b2
            second += (1 - b2) * gradient * gradient
            part -= lr / (1 - b1**t) * first / (self.xp.sqrt(second / (1 - b2**t)) + eps)


def _pad(xp, x, window, value):
    """The pictures with the margins that the window reaches into; themselves where it reaches into none."""
    if window.padded == window.size:
        return x
    padded = xp.full((*x.shape[:2], *window.padded), value, x.dtype)
    padded[..., *window.inside] = x
    return padded


class _ConvBuffers:
    """What a convolution works in: the padded pictures and their columns, a block of pictures at a time.

    A block is as many pictures as have columns of _COLUMNS bytes: one for a large network, whose columns of a whole
    batch would fill the memory; a few for a small one, where calling NumPy for each would take longer than it computes.
    """

    def __init__(self, xp, shape, dtype, window, groups):
        pictures, channels = shape[:2]
        rows, length = channels * math.prod(window.kernel), math.prod(window.output)
        block = max(1, min(pictures, _COLUMNS // max(1, rows * length * np.dtype(dtype).itemsize)))
        self.blocks = [slice(start, min(start + block, pictures)) for start in range(0, pictures, block)]
        self.xp, self.window = xp, window
        self.padded = xp.zeros((block, channels, *window.padded), dtype)
        self.columns = xp.empty((block, groups, rows // groups, length), dtype)
        self.window_shape = (block, channels, *window.kernel, *window.output)

    def im2col(self, pictures):
        """columns[n, (c, u, v), (i, j)] = the pixel of channel c that tap (u, v) of output place (i, j) meets."""
        count = len(pictures)
        self.padded[:count, :, *self.window.inside] = pictures
        n, c, h, w = self.padded.strides
        (sh, sw), (dh, dw) = self.window.stride, self.window.dilation
        # seen[n, c, u, v, i, j] is padded[n, c, i s + u d, j s + v d]: six axes over four, by strides alone
        seen = self.xp.lib.stride_tricks.as_strided(
            self.padded, self.window_shape, (n, c, h * dh, w * dw, h * sh, w * sw)
        )
        self.columns.reshape(self.window_shape)[:count] = seen[:count]
        return self.columns[:count]

    def col2im(self, columns):
        """The adjoint of im2col: every column entry is added back to the pixel it was copied from."""
        pictures = self.xp.zeros((len(columns), *self.padded.shape[1:]), self.padded.dtype)
        taps = columns.reshape(len(columns), self.window_shape[1], math.prod(self.window.kernel), *self.window.output)
        for place, tap in enumerate(self.window.taps()):
            pictures[:, :, *tap] += taps[:, :, place]
        return pictures[:, :, *self.window.inside]


def _neighbours(xp, values, size, within_channel, groups, mirrored=False):
    """Sum over the window of every place, each window's values added afresh (C, H, W).

    window(i) = i - n//2 ... i - n//2 + n - 1, cut off at the edges; mirrored: the c with i in window(c).
    """
    before, after = size // 2, size - 1 - size // 2
    if mirrored:
        before, after = after, before
    if within_channel:
        return _slide(xp, _slide(xp, values, 1, before, after), 2, before, after)
    blocks = values.reshape(groups, len(values) // groups, *values.shape[1:])
    return _slide(xp, blocks, 1, before, after).reshape(values.shape)


def _slide(xp, values, axis, before, after):
    """total[i] = values[i - before] + ... + values[i + after] along the axis, as far as they exist."""
    values = xp.moveaxis(values, axis, 0)
    total = values.copy()
    for offset in range(1, before + 1):
        total[offset:] += values[:-offset]
    for offset in range(1, after + 1):
        total[:-offset] += values[offset:]
    return xp.moveaxis(total, 0, axis)


def _power(xp, d, beta):
    """d^-beta; the paper's beta = 3/4 by two square roots, several times faster than a power."""
    return 1 / xp.sqrt(d * xp.sqrt(d)) if beta == 0.75 else d**-beta
