"""NumPyBackend's methods for layers that a reader of the core may skip."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import random
from ..window import Window
from .base import Backend


class MoreLayers(Backend):
    """Methods in pairs `f` and `f_backward`, as NumPyBackend's own, and written with `self.xp` as those are."""

    xp: Any
    asarray: Any
    avg_pool2d: Any
    avg_pool2d_backward: Any

    # ------------------------------------------------------------------------------ the locally connected layer

    def local2d(self, x, w, b, window, groups, needs):
        """A matrix product for each place and group: columns (N, K) @ W^T (K, O), K = C KH KW.

        The columns of all places together are N / O times as many numbers as the weights.
        """
        xp, filters = self.xp, w.shape[2]
        y = xp.matmul(self._local_columns(x, window, groups), _by_place(w, groups).swapaxes(2, 3))
        y = xp.ascontiguousarray(y.transpose(2, 1, 3, 0)).reshape(len(x), filters, *window.output)
        if b is not None:
            y += b
        return y, (x.shape, w.shape, x if needs[1] else None, w if needs[0] else None)

    def local2d_backward(self, gy, saved, window, groups, needs):
        """gW = gy^T @ columns, and gx = gy @ W, each number of it added to the pixel that it belongs to."""
        xp, (x_shape, w_shape, x, w) = self.xp, saved
        gx = gw = None
        gb = gy.sum(axis=0) if needs[2] else None
        shape = len(gy), groups, w_shape[2] // groups, math.prod(window.output)
        gy = xp.ascontiguousarray(gy.reshape(shape).transpose(3, 1, 0, 2))  # (L, groups, N, O)
        if needs[1]:
            gw = xp.matmul(gy.swapaxes(2, 3), self._local_columns(x, window, groups)).reshape(w_shape)
        if needs[0]:
            gx = self._from_local_columns(xp.matmul(gy, _by_place(w, groups)), x_shape, window)
        return gx, gw, gb

    def _local_columns(self, x, window, groups):
        """columns[(i, j), g, n, (c, u, v)] = x[n, (g, c), i s + u - p, j s + v - p]"""
        (pictures, channels), taps = x.shape[:2], math.prod(window.kernel)
        padded = self.xp.zeros((pictures, channels, *window.padded), x.dtype)
        padded[..., *window.inside] = x
        by_group = padded.reshape(pictures, groups, channels // groups, *window.padded)
        columns = self.xp.empty((*window.output, groups, pictures, channels // groups, taps), x.dtype)
        for place, tap in enumerate(window.taps()):
            columns[..., place] = by_group[..., *tap].transpose(3, 4, 1, 0, 2)
        return columns.reshape(math.prod(window.output), groups, pictures, channels // groups * taps)

    def _from_local_columns(self, columns, x_shape, window):
        """The adjoint of _local_columns: every entry is added to the pixel that it was copied from."""
        groups, (pictures, channels) = columns.shape[1], x_shape[:2]
        padded = self.xp.zeros((pictures, groups, channels // groups, *window.padded), columns.dtype)
        taps = columns.reshape(*window.output, groups, pictures, channels // groups, math.prod(window.kernel))
        for place, tap in enumerate(window.taps()):
            padded[..., *tap] += taps[..., place].transpose(3, 2, 4, 0, 1)
        return padded.reshape(pictures, channels, *window.padded)[..., *window.inside]

    # ------------------------------------------------------------------------------ stochastic pooling

    def stochastic_pool2d(self, a, window, seed, call, first=0):
        """(an element of every window, drawn; whether any was; its place, a number in the kernel), of a >= 0.

        Backward is max_pool2d_backward. Sums are in double precision, where 2^-32 is not lost beside 1: the last of
        them is above every bound.
        """
        xp, shape = self.xp, (*a.shape[:2], *window.output)
        padded = xp.zeros((*shape[:2], *window.padded), a.dtype)
        padded[..., *window.inside] = a
        total = sum(padded[..., *tap].astype(np.float64) for tap in window.taps())
        bound = total * (random.words(total.size, seed, call, xp, first).reshape(shape) / 2**32)
        with np.errstate(invalid="ignore"):
            y = (0 * total).astype(a.dtype)  # NaN where an element is, or is infinite
        places, reached = xp.empty(shape, np.min_scalar_type(math.prod(window.kernel))), xp.zeros_like(total)
        places[...] = xp.asarray(window.first_inside())  # a pixel of the image, where nothing is drawn
        for place, tap in enumerate(window.taps()):
            earlier, reached = reached, reached + padded[..., *tap]
            here = (earlier <= bound) & (bound < reached)
            xp.copyto(y, padded[..., *tap], where=here)
            xp.copyto(places, place, where=here)
        return y, total > 0, places

    # ------------------------------------------------------------------------------ local contrast normalisation

    def contrast_norm(self, x, size, a, beta, k, save):
        """y = x D^-beta, D = k + a * (sum over the window of d^2), d = x - its mean over the window"""
        d = x - self._sums(x, size) / self._counts(x, size)
        scale = k + a * self._sums(d * d, size)
        return x * scale**-beta, (x, d, scale) if save else None

    def contrast_norm_backward(self, gy, saved, size, a, beta, k):
        """gd = -2 a beta d * (sum of gy x D^(-beta - 1)), gx = gy D^-beta + gd - (sum of gd / c), sums mirrored"""
        x, d, scale = saved
        direct = gy * scale**-beta
        gd = (-2 * a * beta) * d * self._sums(direct * x / scale, size, mirrored=True)
        return direct + gd - self._sums(gd / self._counts(x, size), size, mirrored=True)

    def _sums(self, x, size, mirrored=False):
        """Sums over size x size pixels, down and then along the rows; mirrored: over the i whose window holds j."""
        pool, one = self.avg_pool2d_backward if mirrored else self.avg_pool2d, self.asarray(1, x.dtype)
        around = size // 2, size - 1 - size // 2
        for kernel, padding in (((size, 1), (around, (0, 0))), ((1, size), ((0, 0), around))):
            x = pool(x, one, Window.over(x.shape, kernel, 1, padding))
        return x

    def _counts(self, x, size):
        """How many pixels of each window exist, (H, W)."""
        around = size // 2, size - 1 - size // 2
        return self.asarray(Window.over(x.shape, size, 1, (around, around)).counts(False), x.dtype)


def _by_place(w, groups):
    """Weights (OH, OW, O, ...) as (L, groups, O / groups, K)."""
    return w.reshape(math.prod(w.shape[:2]), groups, w.shape[2] // groups, math.prod(w.shape[3:]))
