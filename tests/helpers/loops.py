"""The formulas of the docstrings as plain loops: slow, and plain enough to be checked by eye.

Nothing here is shared with minialex.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np

LOW = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 on Python integers (Salmon et al. 2011, section 3.3): four words for four words and two of key."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & LOW, (a >> 32) ^ c3 ^ k1, a & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return c0, c1, c2, c3


def dropout_mask(shape, keep, seed, call):
    """1.0 where an element is kept: word i % 4 of counter (i // 4, call) under the key `seed`, below keep 2^32."""
    kept = [float(word(i, seed, call) < round(keep * 2**32)) for i in range(int(np.prod(shape)))]
    return np.array(kept).reshape(shape)


def word(i, seed, call):
    """Word i % 4 of counter (i // 4, call) under the key `seed`."""
    counter = (i // 4) & LOW, (i // 4) >> 32, call & LOW, call >> 32
    return philox(counter, (seed & LOW, seed >> 32))[i % 4]


def starts(n, extent, stride, before, after, ceil_mode=False):
    """Where the windows begin, 0 being the first pixel of the picture: laid down one after another while they fit.

    ceil_mode: one more if pixels (or padding) are left over, but not one that begins in the padding behind.
    """
    found = [-before]
    assert found[0] + extent <= n + after, "not a single window fits"
    while found[-1] + stride + extent <= n + after:
        found.append(found[-1] + stride)
    if ceil_mode and found[-1] + extent < n + after and found[-1] + stride < n:
        found.append(found[-1] + stride)
    return found


def corners(size, kernel, stride, padding, dilation=(1, 1), ceil_mode=False):
    """(rows, columns) at which windows begin; padding ((top, bottom), (left, right))."""
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    return [starts(n, e, s, *p, ceil_mode) for n, e, s, p in zip(size, extent, stride, padding)]


def pixels(corner, kernel, dilation, size):
    """(u, v, row, column) of the kernel's places over the picture, in C order; those over the padding are left out."""
    for u, v in product(range(kernel[0]), range(kernel[1])):
        row, column = corner[0] + u * dilation[0], corner[1] + v * dilation[1]
        if 0 <= row < size[0] and 0 <= column < size[1]:
            yield u, v, row, column


def conv2d(x, w, b, gy, stride, padding, dilation, groups):
    """(y, gx, gw, gb): every product w x of the definition is met once, and sends its two gradients back at once.

    gy: a function of y's shape.
    """
    rows, columns = corners(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.zeros((len(x), len(w), len(rows), len(columns)))
    gx, gw, gy = np.zeros(x.shape), np.zeros(w.shape), gy(y.shape)
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = b[o]
        first = o // (len(w) // groups) * w.shape[1]  # the first channel of this filter's group
        for c in range(w.shape[1]):
            for u, v, row, column in pixels((rows[i], columns[j]), w.shape[2:], dilation, x.shape[2:]):
                y[n, o, i, j] += w[o, c, u, v] * x[n, first + c, row, column]
                gx[n, first + c, row, column] += gy[n, o, i, j] * w[o, c, u, v]
                gw[o, c, u, v] += gy[n, o, i, j] * x[n, first + c, row, column]
    return y, gx, gw, np.array([gy[:, o].sum() for o in range(len(w))])


def max_pool2d(x, gy, kernel, stride, padding, dilation, ceil_mode):
    """(y, gx): the first of equals wins; a dilated window may miss the picture altogether, and holds -inf then."""
    rows, columns = corners(x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    y, gx = np.zeros((*x.shape[:2], len(rows), len(columns))), np.zeros(x.shape)
    gy = gy(y.shape)
    for n, c, i, j in np.ndindex(y.shape):
        best = None
        for _, _, row, column in pixels((rows[i], columns[j]), kernel, dilation, x.shape[2:]):
            if best is None or x[n, c, row, column] > x[n, c, *best]:
                best = row, column
        y[n, c, i, j] = x[n, c, *best] if best else -np.inf
        if best:
            gx[n, c, *best] += gy[n, c, i, j]
    return y, gx


def avg_pool2d(x, gy, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """(y, gx): the padding counts as pixels of value 0, or not at all; what ceil_mode adds never counts."""
    rows, columns = corners(x.shape[2:], kernel, stride, padding, (1, 1), ceil_mode)
    y, gx = np.zeros((*x.shape[:2], len(rows), len(columns))), np.zeros(x.shape)
    gy = gy(y.shape)
    for n, c, i, j in np.ndindex(y.shape):
        seen = [(r, q) for _, _, r, q in pixels((rows[i], columns[j]), kernel, (1, 1), x.shape[2:])]
        counted = len(seen)
        if count_include_pad:
            high = min(rows[i] + kernel[0], x.shape[2] + padding[0][1]) - rows[i]
            wide = min(columns[j] + kernel[1], x.shape[3] + padding[1][1]) - columns[j]
            counted = high * wide
        for r, q in seen:
            y[n, c, i, j] += x[n, c, r, q] / (divisor or counted)
            gx[n, c, r, q] += gy[n, c, i, j] / (divisor or counted)
    return y, gx


def local_response_norm(x, gy, size, a, beta, k, within_channel, groups):
    """(y, gx): each place i takes x_j^2 of every j in its window, and sends its part of the gradient back there."""
    y, gx = np.zeros(x.shape), np.zeros(x.shape)
    block = x.shape[1] // groups
    for n, c, h, w in np.ndindex(x.shape):
        near = range(-(size // 2), size - size // 2)
        if within_channel:
            window = [
                (n, c, h + dh, w + dw)
                for dh, dw in product(near, near)
                if 0 <= h + dh < x.shape[2] and 0 <= w + dw < x.shape[3]
            ]
        else:
            window = [(n, c + dc, h, w) for dc in near if 0 <= c + dc < x.shape[1] and (c + dc) // block == c // block]
        d = k + a * sum(x[j] ** 2 for j in window)
        y[n, c, h, w] = x[n, c, h, w] * d**-beta
        gx[n, c, h, w] += gy[n, c, h, w] * d**-beta
        for j in window:
            gx[j] -= 2 * a * beta * x[j] * gy[n, c, h, w] * x[n, c, h, w] * d ** (-beta - 1)
    return y, gx


def adaptive_avg_pool2d(x, gy, out):
    """(y, gx): window i of n over a length of m goes from floor(i m / n) to the ceiling of (i + 1) m / n."""
    y, gx = np.zeros((*x.shape[:2], *out)), np.zeros(x.shape)
    gy = gy(y.shape)
    for n, c, i, j in np.ndindex(y.shape):
        rows, columns = (
            range(math.floor(Fraction(k * m, new)), math.ceil(Fraction((k + 1) * m, new)))
            for k, m, new in zip((i, j), x.shape[2:], out)
        )
        for r, q in product(rows, columns):
            y[n, c, i, j] += x[n, c, r, q] / (len(rows) * len(columns))
            gx[n, c, r, q] += gy[n, c, i, j] / (len(rows) * len(columns))
    return y, gx


def batch_norm(x, w, b, gy, eps):
    """(y, gx, gw, gb, mean, unbiased variance): all pairs (i, j) of a channel's values, d y_j / d x_i times gy_j."""
    y, gx, gw, gb, means, variances = np.zeros(x.shape), np.zeros(x.shape), *(np.zeros(x.shape[1]) for _ in range(4))
    for c in range(x.shape[1]):
        places = [i for i in np.ndindex(x.shape) if i[1] == c]
        n = len(places)
        mean = sum(x[i] for i in places) / n
        variance = sum((x[i] - mean) ** 2 for i in places) / n
        root = math.sqrt(variance + eps)
        for j in places:
            z = (x[j] - mean) / root
            y[j] = w[c] * z + b[c]
            gw[c] += gy[j] * z
            gb[c] += gy[j]
            for i in places:
                gx[i] += gy[j] * w[c] / root * ((i == j) - 1 / n - z * (x[i] - mean) / root / n)
        means[c], variances[c] = mean, variance * n / (n - 1)
    return y, gx, gw, gb, means, variances


def cross_entropy(x, target, w, gy, ignore_index, smoothing, reduction):
    """(loss, gx) of rows (N, C): each class c of a row adds -q_c log p_c and sends gy q_c (p_k - [k = c]) to logit k.

    gy: a function of the loss's shape.
    """
    classes, losses, gx = x.shape[1], np.zeros(len(x)), np.zeros(x.shape)
    counted = [n for n in range(len(x)) if target[n] != ignore_index]
    total = sum(w[target[n]] for n in counted) if reduction == "mean" else 1.0
    gy = gy(losses.shape if reduction == "none" else ())
    for n in counted:
        p = [1 / sum(math.exp(other - own) for other in x[n]) for own in x[n]]
        for c in range(classes):
            q = w[c] * ((1 - smoothing) * (c == target[n]) + smoothing / classes) / total
            losses[n] -= q * math.log(p[c])
            for k in range(classes):
                gx[n, k] += (gy[n] if reduction == "none" else gy) * q * (p[k] - (k == c))
    return losses if reduction == "none" else losses.sum(), gx
