"""A convolution of stride s as one of stride 1, which Winograd's algorithm can compute.

A filter that moves by s pixels sees each block of s x s pixels always in the same way. So the pixels of a block become
channels, and a filter of k x k taps becomes one of ceil(k / s) x ceil(k / s) over s^2 times as many channels:

    x'[n, (c, u, v), i, j] = x[n, c, s i + u - p, s j + v - p]      w'[o, (c, u, v), a, b] = w[o, c, s a + u, s b + v]

with zeros beyond the edges. AlexNet's conv1, 11x11 of stride 4 over 3 channels, is 3x3 of stride 1 over 48: 12^2 / 11^2
= 19 % more multiplications, of which F(5, 3) saves 4.6 of 5.6.
"""

from __future__ import annotations

import numpy as np

from ...threads import parallel_for
from ...window import Window
from . import winograd
from .compiled import kernel


def taps(window):
    """Of the filters over blocks, in each direction."""
    return -(-window.kernel[0] // window.stride[0])


def conv2d(x, w, b, window, groups, outputs, relu=False):
    """y by F(outputs, taps) over blocks; with relu, max(y, 0)."""
    inner, size = _inner(x.shape, window)
    return winograd.conv2d(_split(x, window, size), _split_filters(w, window), b, inner, groups, outputs, relu)


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups, outputs):
    """gx and gw; one is None where what it is made from is: w, or x."""
    inner, size = _inner(x_shape, window)
    stride, edge = window.stride[0], taps(window)
    blocks = _split(x, window, size) if x is not None else None
    filters = _split_filters(w, window) if w is not None else None
    shape = x_shape[0], x_shape[1] * stride**2, *size
    wide = w_shape[0], w_shape[1] * stride**2, edge, edge
    gx, gw = winograd.conv2d_backward(gy, shape, wide, blocks, filters, inner, groups, outputs)
    if gx is not None:
        gx = _merge(gx, x_shape, window)
    if gw is not None:
        apart = gw.reshape(*w_shape[:2], stride, stride, edge, edge).transpose(0, 1, 4, 2, 5, 3)
        gw = apart.reshape(*w_shape[:2], edge * stride, edge * stride)[..., : w_shape[2], : w_shape[3]].copy()
    return gx, gw


def _inner(x_shape, window):
    """The window of stride 1 over blocks, and how many blocks there are in each direction."""
    size = tuple(output + taps(window) - 1 for output in window.output)
    return Window.over((*x_shape[:2], *size), taps(window)), size


def _split(x, window, size):
    stride, before = window.stride[0], [pair[0] for pair in window.padding]
    blocks = np.zeros((len(x), x.shape[1] * stride**2, *size), x.dtype)
    x = x if x.flags.writeable else x.copy()  # Numba compiles nothing that could write to it
    parallel_for(lambda i, j: _copy(x[i:j], blocks[i:j], stride, *before, False), len(x))
    return blocks


def _merge(blocks, x_shape, window):
    stride, before = window.stride[0], [pair[0] for pair in window.padding]
    x = np.zeros(x_shape, blocks.dtype)
    parallel_for(lambda i, j: _copy(x[i:j], blocks[i:j], stride, *before, True), len(x))
    return x


def _split_filters(w, window):
    stride, edge = window.stride[0], taps(window)
    whole = np.zeros((*w.shape[:2], edge * stride, edge * stride), w.dtype)
    whole[:, :, : w.shape[2], : w.shape[3]] = w
    apart = whole.reshape(*w.shape[:2], edge, stride, edge, stride).transpose(0, 1, 3, 5, 2, 4)
    return apart.reshape(len(w), -1, edge, edge)  # a copy, since the axes change places


@kernel
def _copy(x, blocks, stride, top, left, back):
    """blocks = the pixels of x, or back."""
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for y in range(min(x.shape[2], blocks.shape[2] * stride - top)):
                for v in range(stride):
                    first = (left - v + stride - 1) // stride  # the first block whose pixel v is inside
                    line = blocks[n, (c * stride + (y + top) % stride) * stride + v, (y + top) // stride, first:]
                    pixels = x[n, c, y, first * stride + v - left :]
                    length = min((len(pixels) + stride - 1) // stride, len(line))
                    if back:
                        for t in range(length):
                            pixels[t * stride] = line[t]
                    else:
                        for t in range(length):
                            line[t] = pixels[t * stride]
