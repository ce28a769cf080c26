"""The numba backend's kernels for normalisation and the loss: loops over one picture, channel or row at a time.

The last two arguments of a public kernel, `start` and `stop`, say which: `threads.parallel_for` shares them out.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel, reordering_kernel

_STRIP = 512  # places of a map that LRN takes at a time: their values in all channels stay in the second cache
_VECTORS = 64  # places that the processor takes at a time: rounded up to it, a short map has no slow rest

# d^-3/4 of float32 without a root: the bits of a number, as an integer, are nearly its logarithm, so that this minus
# three quarters of them are nearly those of the power: 4.4 % off at most, 1.6e-7 after three steps of Newton's method.
_GUESS, _FIVE, _QUARTER = np.int32(0x6F14EC40), np.float32(5), np.float32(0.25)
_SMALL, _LARGE = np.float32(1e-9), np.float32(1e9)  # between these, d^3 is far from both ends of float32


@reordering_kernel
def _power(d, beta, out):
    """out = d^-beta; the paper's 3/4 by Newton's method or two square roots."""
    if beta == 0.75:
        if d.itemsize == 4:
            outside = 0
            for q in range(len(d)):
                outside += (d[q] < _SMALL) | (d[q] > _LARGE) | (d[q] != d[q])
            if not outside:
                _newton(d, out)
                return
        for q in range(len(out)):
            out[q] = 1 / np.sqrt(d[q] * np.sqrt(d[q]))
    else:
        for q in range(len(out)):
            out[q] = d[q] ** -beta


@reordering_kernel
def _newton(d, out):
    """out = d^-3/4 for float32: r <- r (5 - d^3 r^4) / 4, whose error is 5/2 of its square."""
    bits, guess = d.view(np.int32), out.view(np.int32)
    for q in range(len(d)):
        guess[q] = _GUESS - (bits[q] - (bits[q] >> 2))
    for q in range(len(d)):
        cube, r = d[q] * d[q] * d[q], out[q]
        for _ in range(3):
            r = r * (_FIVE - cube * (r * r) * (r * r)) * _QUARTER
        out[q] = r


@reordering_kernel
def _window_sum(values, low, high, out):
    """out = the sum of values[low] ... values[high - 1], each window's afresh: what left a running sum would linger."""
    if high - low == 5:  # the paper's, away from the first and last channels
        a, b, c, d, e = values[low], values[low + 1], values[low + 2], values[low + 3], values[low + 4]
        for q in range(len(out)):
            out[q] = a[q] + b[q] + c[q] + d[q] + e[q]
        return
    out[:] = 0
    for j in range(low, high):
        for q in range(len(out)):
            out[q] += values[j, q]


@reordering_kernel
def lrn_across(x, y, gy, gx, size, a, beta, k, block, start, stop):
    """Local response normalisation across channels, for pictures x (N, C, L), windows inside blocks of channels.

    forward, where gx is empty:  y = x d^-beta,   d = k + a * (sum of squares over the window)
    backward:  gx = gy d^-beta - 2 a beta x * (sum of gy x d^(-beta - 1) over the mirrored window)

    d is computed again in backward: that takes less time than to write it to memory and read it back.
    """
    channels, length = x.shape[1:]
    before, after = size // 2, size - 1 - size // 2
    backward = gx.size > 0
    strips = (length + _STRIP - 1) // _STRIP
    strip = (length + _VECTORS * strips - 1) // (_VECTORS * strips) * _VECTORS  # strips as even as vectors allow
    squares = np.zeros((channels, strip), x.dtype)
    ratios = np.zeros((channels, strip), x.dtype)
    direct = np.empty((channels, strip), x.dtype)
    d, power = np.empty(strip, x.dtype), np.empty(strip, x.dtype)
    twice = x.dtype.type(2) * a * beta
    for n in range(start, stop):
        for left in range(0, length, strip):
            width = min(strip, length - left)
            for c in range(channels):
                values = x[n, c, left : left + width]
                for q in range(width):
                    squares[c, q] = values[q] * values[q]
                squares[c, width:] = 0
            for c in range(channels):
                first = c // block * block
                _window_sum(squares, max(first, c - before), min(first + block, c + after + 1), d)
                for q in range(strip):
                    d[q] = k + a * d[q]
                _power(d, beta, power)
                values = x[n, c, left : left + width]
                if backward:
                    gradient = gy[n, c, left : left + width]
                    if beta == 0.75:  # 1 / d = d^2 (d^-3/4)^4: multiplications take less time than a division
                        for q in range(width):
                            direct[c, q] = gradient[q] * power[q]
                            inverse = d[q] * (power[q] * power[q])
                            ratios[c, q] = direct[c, q] * values[q] * (inverse * inverse)
                    else:
                        for q in range(width):
                            direct[c, q] = gradient[q] * power[q]
                            ratios[c, q] = direct[c, q] * values[q] / d[q]
                else:
                    out = y[n, c, left : left + width]
                    for q in range(width):
                        out[q] = values[q] * power[q]
            if backward:
                for c in range(channels):
                    first = c // block * block
                    low, high = max(first, c - after), min(first + block, c + before + 1)
                    _window_sum(ratios, low, high, d)
                    values, out = x[n, c, left : left + width], gx[n, c, left : left + width]
                    for q in range(width):
                        out[q] = direct[c, q] - twice * values[q] * d[q]


@reordering_kernel
def _box_sum(values, before, after, rows, out):
    """Sums over windows of (before + 1 + after) squared in one map (H, W), first along its rows, then down."""
    height, width = values.shape
    for i in range(height):
        for j in range(width):
            rows[i, j] = 0
            for z in range(max(0, j - before), min(width, j + after + 1)):
                rows[i, j] += values[i, z]
    for i in range(height):
        _window_sum(rows, max(0, i - before), min(height, i + after + 1), out[i])


@reordering_kernel
def lrn_within(x, y, gy, gx, size, a, beta, k, start, stop):
    """The same within each map (H, W) of x (maps, H, W), over size x size places."""
    before, after = size // 2, size - 1 - size // 2
    backward = gx.size > 0
    values, rows = np.empty(x.shape[1:], x.dtype), np.empty(x.shape[1:], x.dtype)
    d, direct = np.empty(x.shape[1:], x.dtype), np.empty(x.shape[1:], x.dtype)
    twice = x.dtype.type(2) * a * beta
    for m in range(start, stop):
        values[...] = x[m] * x[m]
        _box_sum(values, before, after, rows, d)
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                d[i, j] = k + a * d[i, j]
            _power(d[i], beta, rows[i])
        if not backward:
            y[m] = x[m] * rows
            continue
        direct[...] = gy[m] * rows
        values[...] = direct * x[m] / d
        _box_sum(values, after, before, rows, d)
        gx[m] = direct - twice * x[m] * d


@reordering_kernel
def channel_statistics(x, mean, variance, start, stop):
    """Mean and biased variance of every channel of x (N, C, L), summed in double precision."""
    count = x.shape[0] * x.shape[2]
    for c in range(start, stop):
        total = 0.0
        for n in range(x.shape[0]):
            for q in range(x.shape[2]):
                total += x[n, c, q]
        centre = total / count
        total = 0.0
        for n in range(x.shape[0]):
            for q in range(x.shape[2]):
                total += (x[n, c, q] - centre) ** 2
        mean[c], variance[c] = centre, total / count


@reordering_kernel
def batch_norm(x, y, mean, std, w, b, start, stop):
    """y = w (x - mean) / std + b, channel by channel."""
    for c in range(start, stop):
        for n in range(x.shape[0]):
            for q in range(x.shape[2]):
                y[n, c, q] = (x[n, c, q] - mean[c]) / std[c] * w[c] + b[c]


@reordering_kernel
def batch_norm_backward(gy, x, mean, std, w, training, gx, gw, gb, start, stop):
    """gx = w (gy - mean gy - z mean(gy z)) / std in training, w gy / std otherwise; gw, gb"""
    count = x.shape[0] * x.shape[2]
    for c in range(start, stop):
        total = product = 0.0
        for n in range(x.shape[0]):
            for q in range(x.shape[2]):
                total += gy[n, c, q]
                product += gy[n, c, q] * ((x[n, c, q] - mean[c]) / std[c])
        gw[c], gb[c] = product, total
        mean_gradient, mean_product = (gb[c] / count, gw[c] / count) if training else (gb[c] * 0, gw[c] * 0)
        for n in range(x.shape[0]):
            for q in range(x.shape[2]):
                z = (x[n, c, q] - mean[c]) / std[c]
                gx[n, c, q] = w[c] * (gy[n, c, q] - mean_gradient - z * mean_product) / std[c]


@reordering_kernel
def channel_sums(gy, out, start, stop):
    """The sum of every channel of gy (N, C, L), in double precision."""
    for c in range(start, stop):
        total = 0.0
        for n in range(gy.shape[0]):
            for q in range(gy.shape[2]):
                total += gy[n, c, q]
        out[c] = total


@kernel
def cross_entropy(x, labels, w, valid, smoothing, logp, losses, start, stop):
    """log p and loss of the rows x (rows, classes): log p = (x - m) - log sum exp(x - m), m = max x."""
    classes = x.shape[1]
    for n in range(start, stop):
        largest = x[n, 0]
        for c in range(classes):
            if x[n, c] > largest or x[n, c] != x[n, c]:
                largest = x[n, c]
        total = 0.0
        for c in range(classes):
            total += np.exp(x[n, c] - largest)
        for c in range(classes):
            logp[n, c] = (x[n, c] - largest) - np.log(total)
        spread = 0.0
        if smoothing:
            for c in range(classes):
                spread += logp[n, c] * w[c]
        c = labels[n]
        losses[n] = -(1 - smoothing) * w[c] * logp[n, c] - smoothing / classes * spread if valid[n] else 0.0


@kernel
def cross_entropy_backward(gy, logp, labels, w, valid, smoothing, gx, start, stop):
    """gx = gy (p sum q - q), q = w ((1 - s) [c = label] + s / C)"""
    classes = logp.shape[1]
    share = smoothing / classes
    spread = 0.0
    for c in range(classes):
        spread += share * w[c]
    for n in range(start, stop):
        weight = (1 - smoothing) * w[labels[n]]
        factor = gy[n] if valid[n] else gy.dtype.type(0)  # not 0 gy, which may be NaN
        for c in range(classes):
            q = share * w[c] + (weight if c == labels[n] else 0.0)
            gx[n, c] = (np.exp(logp[n, c]) * (weight + spread) - q) * factor
