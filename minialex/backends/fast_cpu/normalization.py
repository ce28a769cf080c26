"""The numba backend's kernels for normalisation and the loss: loops over one picture, channel or row at a time.

The last two arguments of a public kernel, `start` and `stop`, say which: `threads.parallel_for` shares them out.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel, reordering_kernel

_ROOM = 1 << 14  # values, of all channels, that LRN takes at a time: they stay in the second cache
_RUN = 2048  # of them at a time, from d to the result: they stay in the first
_VECTORS = 16  # a strip of a map is a multiple of it

# d^-3/4 of float32 without a root: the bits of a number, as an integer, are nearly its logarithm, so that this minus
# three quarters of them are nearly those of the power: 4.4 % off at most, 1.6e-7 after three steps of Newton's method.
_GUESS, _FIVE, _QUARTER = np.int32(0x6F14EC40), np.float32(5), np.float32(0.25)
_SMALL, _LARGE = np.float32(1e-9), np.float32(1e9)  # between these, d^3 is far from both ends of float32


@reordering_kernel
def _power(d, beta, out):
    """out = d^-beta; the paper's 3/4 by Newton's method or two square roots.

    Returns whether it was Newton's method: then d is far from both ends of float32.
    """
    if beta == 0.75:
        if d.itemsize == 4:
            outside = 0
            for q in range(len(d)):
                outside += (d[q] < _SMALL) | (d[q] > _LARGE) | (d[q] != d[q])
            if not outside:
                _newton(d, out)
                return True
        for q in range(len(out)):
            out[q] = 1 / np.sqrt(d[q] * np.sqrt(d[q]))
    else:
        for q in range(len(out)):
            out[q] = d[q] ** -beta
    return False


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
def _window_sum(rows, first, width, size, out):
    """out[q] = sum over j < size of rows[first + j width + q]: each afresh, as what left a running sum would linger."""
    if size == 5:  # the paper's
        a, b, c = rows[first:], rows[first + width :], rows[first + 2 * width :]
        d, e = rows[first + 3 * width :], rows[first + 4 * width :]
        for q in range(len(out)):
            out[q] = a[q] + b[q] + c[q] + d[q] + e[q]
        return
    out[:] = 0
    for j in range(size):
        row = rows[first + j * width :]
        for q in range(len(out)):
            out[q] += row[q]


@reordering_kernel
def _copy(a, at, a_pitch, b, to, b_pitch, rows, width):
    """b[to + i b_pitch + q] = a[at + i a_pitch + q]; both flat."""
    if a_pitch == width and b_pitch == width:
        rows, width = 1, rows * width
    for i in range(rows):
        source, target = np.uint64(at + i * a_pitch), np.uint64(to + i * b_pitch)
        for q in range(np.uint64(width)):
            b[target + q] = a[source + q]


@kernel
def lrn_strip(block, length):
    """How many places of a map, in all channels of a block, LRN takes at a time: all, or strips as even as may be."""
    strips = (block * length + _ROOM - 1) // _ROOM
    return length if strips == 1 else (length + _VECTORS * strips - 1) // (_VECTORS * strips) * _VECTORS


@reordering_kernel
def lrn_across(x, y, gy, gx, size, a, beta, k, block, start, stop):
    """Local response normalisation across channels, for pictures x (N, C, L), windows inside blocks of channels.

    forward, where gx is empty:  y = x d^-beta,   d = k + a * (sum of squares over the window)
    backward:  gx = gy d^-beta - 2 a beta x * (sum of gy x d^(-beta - 1) over the mirrored window)

    The values of a block's channels, in a strip of the map or all of it, stand behind one another, and their squares
    between rows of zeros: then the sums over the windows of all channels are one run over memory. d is computed again
    in backward: that takes less time than to write it to memory and read it back.

    start, stop: of all strips, of all blocks of all pictures.
    """
    length, before, after = x.shape[2], min(size // 2, block - 1), min(size - 1 - size // 2, block - 1)
    size = before + 1 + after  # no more than there is
    backward, strip = gx.size > 0, lrn_strip(block, length)
    strips = (length + strip - 1) // strip
    values, direct = np.empty(block * strip, x.dtype), np.empty(block * strip, x.dtype)
    squares, ratios = np.empty((block + size - 1) * strip, x.dtype), np.empty((block + size - 1) * strip, x.dtype)
    d, power = np.empty(_RUN, x.dtype), np.empty(_RUN, x.dtype)
    pixels, out, gradients = x.reshape(-1), gx.reshape(-1) if backward else y.reshape(-1), gy.reshape(-1)
    twice, before_this = x.dtype.type(2) * a * beta, -1
    for piece in range(start, stop):
        left = piece % strips * strip
        width, here = min(strip, length - left), piece // strips * block * length + left
        total = block * width
        if width != before_this:
            squares[:] = 0
            ratios[:] = 0
            before_this = width
        _copy(pixels, here, length, values, 0, width, block, width)
        inner = squares[before * width :]
        for q in range(total):
            inner[q] = values[q] * values[q]
        if backward:
            _copy(gradients, here, length, direct, 0, width, block, width)
        for at in range(0, total, _RUN):
            run = min(_RUN, total - at)
            _window_sum(squares, at, width, size, d[:run])
            for q in range(run):
                d[q] = k + a * d[q]
            newton = _power(d[:run], beta, power[:run])
            some, result = values[at:], direct[at:]
            if not backward:
                for q in range(run):
                    result[q] = some[q] * power[q]
                continue
            ratio = ratios[after * width + at :]
            if newton:  # 1 / d = d^2 (d^-3/4)^4: multiplications take less time than a division
                for q in range(run):
                    result[q] *= power[q]
                    inverse = d[q] * (power[q] * power[q])
                    ratio[q] = result[q] * some[q] * (inverse * inverse)
            else:
                for q in range(run):
                    result[q] *= power[q]
                    ratio[q] = result[q] * some[q] / d[q]
        if backward:
            for at in range(0, total, _RUN):
                run = min(_RUN, total - at)
                _window_sum(ratios, at, width, size, d[:run])
                some, result = values[at:], direct[at:]
                for q in range(run):
                    result[q] -= twice * some[q] * d[q]
        _copy(direct, 0, width, out, here, length, block, width)


@reordering_kernel
def _box_sum(padded, pitch, size, rows, out):
    """out[q] = sum over i, j < size of padded[i pitch + j + q], first along the rows, then down."""
    _window_sum(padded, 0, 1, size, rows[: len(padded) - size + 1])
    _window_sum(rows, 0, pitch, size, out)


@reordering_kernel
def lrn_within(x, y, gy, gx, size, a, beta, k, start, stop):
    """The same within each map (H, W) of x (maps, H, W), over size x size places.

    Squares stand within margins of zeros, all else in rows of their length, and means nothing beyond the map's width.
    """
    (height, width), most = x.shape[1:], max(x.shape[1], x.shape[2], 1) - 1
    before, after = min(size // 2, most), min(size - 1 - size // 2, most)
    size = before + 1 + after
    backward, pitch = gx.size > 0, x.shape[2] + size - 1
    inside, twice = height * pitch, x.dtype.type(2) * a * beta
    squares, ratios = np.zeros((height + size) * pitch, x.dtype), np.zeros((height + size) * pitch, x.dtype)
    rows, d, power = np.empty(len(squares), x.dtype), np.empty(inside, x.dtype), np.empty(inside, x.dtype)
    pixels, out, gradients = x.reshape(-1), gx.reshape(-1) if backward else y.reshape(-1), gy.reshape(-1)
    wide = np.uint64(width)
    for m in range(start, stop):
        for i in range(height):
            at, to = np.uint64((m * height + i) * width), np.uint64((i + before) * pitch + before)
            for j in range(wide):
                squares[to + j] = pixels[at + j] * pixels[at + j]
        _box_sum(squares, pitch, size, rows, d)
        for q in range(inside):
            d[q] = k + a * d[q]
        _power(d, beta, power)
        if not backward:
            for i in range(height):
                at, row = np.uint64((m * height + i) * width), np.uint64(i * pitch)
                for j in range(wide):
                    out[at + j] = pixels[at + j] * power[row + j]
            continue
        for i in range(height):
            at, row = np.uint64((m * height + i) * width), np.uint64(i * pitch)
            to = np.uint64((i + after) * pitch + after)
            for j in range(wide):
                out[at + j] = gradients[at + j] * power[row + j]
                ratios[to + j] = out[at + j] * pixels[at + j] / d[row + j]
        _box_sum(ratios, pitch, size, rows, d)
        for i in range(height):
            at, row = np.uint64((m * height + i) * width), np.uint64(i * pitch)
            for j in range(wide):
                out[at + j] -= twice * pixels[at + j] * d[row + j]


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
