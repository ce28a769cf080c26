"""Winograd's convolution: 3x3 and 5x5 filters of stride 1 with 4 to 6 times fewer multiplications.

One dimension first. A filter g of r taps over n = m + r - 1 pixels d gives m outputs, in m r multiplications. Read
as polynomials, filter times output gradient is a product of degree n - 1, and a product of polynomials is fixed by
its values at n points: evaluate both, multiply the n values, interpolate. One of the points may be infinity, where the
value is the leading coefficient. The convolution, which is that product transposed, is (Toom, Cook, Winograd)

    y = A^T [(G g) * (B^T d)]          * element by element
    A^T (m, n): rows p^0 ... p^(m-1) of every point p;  at infinity, 1 in the last row: only the highest power counts
    G (n, r):   rows p^0 ... p^(r-1), divided by the product over the other finite points q of p - q
    B^T (n, n): rows with the coefficients of the product over the other finite points q of x - q

B depends on the points alone: the same n serve every m and r with m + r = n + 1, an algorithm called F(m, r). In two
dimensions every matrix works from both sides on tiles of n x n pixels that overlap by r - 1:

    V = B^T d B    U = G g G^T    M = sum over channels of U * V    y = A^T M A

For each of the n^2 places in the tile, the sum over channels for all filters and tiles is one matrix product:
M (O, T) = U (O, C) @ V (C, T). Multiplications for one output, against r^2 of the direct sum:

    F(4, 3): 36 / 16 = 2.25 of 9     F(5, 3): 49 / 25 = 1.96 of 9
    F(3, 5): 49 / 9 = 5.4 of 25      F(4, 5): 64 / 16 = 4 of 25

Backward goes the same way in reverse; every step is linear, so each is replaced by its transpose:

    gM = A gy A^T     gU = gM @ V^T     gV = U^T @ gM     gw = G^T gU G     gx = B gV B^T, added where tiles overlap

What it costs is digits: more points mean higher powers. tests/backends/fast_cpu/test_winograd.py measures the largest
float32 error over the std, over 256 channels (48 for F(4, 5)): 2e-6 directly, F(4, 3) 2e-5, F(5, 3) 4e-5, F(3, 5) 3e-5,
F(4, 5) 4e-5. `ways.py` says where which is used. The transforms are in `tiles.py` and `filters.py`, their matrices in
`transforms.py`.

Sources: Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for convolutional
neural networks", CVPR 2016; Barabasz, Anderson, Soodhalter and Gregg, "Error analysis and improving the accuracy of
Winograd convolution for deep neural networks", 2020.
"""

from __future__ import annotations

import functools

import numpy as np

from ... import threads
from . import filters, tiles

_LANES = 16  # pictures, or bands of pictures, that go through a transform side by side: multiples of it
_RUN = 64  # columns x lanes, at least: shorter loops are mostly beginning and end
_BYTES = 4 << 20  # of V and M together, more or less, for each thread: what stays in the processor's last cache
_SLAB = 256 << 10  # of U's gradient at a time
_FILTERS = 16  # spread at a time, where U is used once
_FEW = 64  # tiles, for which to spread the filters takes as long as to multiply them


class Plan:
    """One convolution's kernels and tiles, and the units of tiles that are computed one after another.

    A unit is a list of blocks (lanes, rows): see `tiles.py`. Its tiles are numbered block by block. Where U is small,
    each thread has units of its own; else all threads share every unit, so that U is read once for all of them.
    """

    def __init__(self, x_shape, w_shape, window, groups, dtype, outputs, backward=False, maps=0):
        self.taps, self.step, self.groups, self.dtype = w_shape[2], outputs, groups, np.dtype(dtype)
        self.places = (outputs + self.taps - 1) ** 2
        self.kernels = tiles.kernels(outputs, self.taps, maps)
        self.spread_kernel, self.gather_kernel = filters.kernels(outputs, self.taps)
        self.rows, self.columns = (-(-n // outputs) for n in window.output)
        self.channels, self.filters = w_shape[1], w_shape[0] // groups
        matrix = self.channels * self.filters * self.dtype.itemsize  # of U, for one place
        self.lanes = _LANES * -(-_RUN // (_LANES * self.columns))
        self.slab = max(1, _SLAB // matrix)
        u, pictures = self.places * matrix, x_shape[0]
        self.parts = threads.count() if u <= _BYTES and pictures >= 2 * threads.count() else 1
        self.unused = np.empty(0, dtype)
        streamed = 2 * u if backward else u  # beside the tiles: U, and its gradient
        room = _BYTES if self.parts > 1 else max(2 * _BYTES, streamed)
        most = room // (self.places * (self.channels + self.filters) * self.dtype.itemsize)
        self.units = self._units(pictures, max(1, most // self.columns))
        self.largest = max(self.count(unit) for part in self.units for unit in part)

    def _units(self, pictures, most):
        """For each part its units, of at most about `most` rows of tiles. Tiles of one picture are in one part: where
        they overlap, gx must not be added to by two threads at once."""
        parts = []
        for part in range(self.parts):
            mine = range(pictures * part // self.parts, pictures * (part + 1) // self.parts)
            if len(mine) >= self.lanes // 2:
                band = max(1, min(self.rows, most // min(self.lanes, len(mine))))
                blocks = [
                    (self._lanes([(n, first) for n in mine[k : k + self.lanes]]), min(band, self.rows - first))
                    for k in range(0, len(mine), self.lanes)
                    for first in range(0, self.rows, band)
                ]
            else:
                every = [(n, row) for row in range(self.rows) for n in mine]
                blocks = [(self._lanes(every[k : k + self.lanes]), 1) for k in range(0, len(every), self.lanes)]
            each = max(1, most // max(len(lanes) * rows for lanes, rows in blocks))
            parts.append([blocks[k : k + each] for k in range(0, len(blocks), each)])
        return parts

    def _lanes(self, pairs):
        """Pictures and rows of tiles as lanes: pictures and rows of pixels."""
        return np.array(pairs, np.int64) * (1, self.step)

    def each_part(self, function):
        """Call function(part, units) for every part, each in a thread if there are several."""
        if self.parts == 1:
            function(0, self.units[0])
        else:
            threads.parallel_for(
                lambda i, j: [function(p, self.units[p]) for p in range(i, j)], self.parts, pieces=self.parts
            )

    def count(self, unit):
        """The number of tiles in a unit."""
        return sum(len(lanes) * rows * self.columns for lanes, rows in unit)

    def buffers(self):
        """Room for V and M of one unit, (n^2, maps T) each. The n^2 matrices stand a little further apart than they are
        large: at a power of two they would all compete for the same lines of the cache."""
        return [np.empty((self.places, maps * self.largest + 16), self.dtype) for maps in (self.channels, self.filters)]

    def matrices_of(self, buffer, maps, unit):
        """What a unit fills of a buffer, as n^2 matrices (maps, T)."""
        count = self.count(unit)
        return buffer[:, : maps * count].reshape(self.places, maps, count)

    def cut(self, kernel, x, group, unit, tiles, top, left, gu=None):
        """tiles = L d L^T for a unit's tiles d of pictures x, L by the kernel; or gU, see `few_channels.py`."""

        def maps(start, stop):
            for lanes, rows, first in self._blocks(unit, top):
                where = x.shape, group * count, lanes, left, rows, self.columns
                kernel(x.reshape(-1), *where, tiles.reshape(-1), tiles.shape[1], total, first, gu, start, stop)

        count, total = x.shape[1] // self.groups, self.count(unit)
        gu = self.unused if gu is None else gu
        threads.parallel_for(maps, count)

    def paste(self, kernel, tiles, x, group, unit, top, left, bias, relu=False, u=None):
        """x = L m L^T + bias, with relu max(x, 0), or x += L m L^T, for a unit's tiles m, L by the kernel."""

        def maps(start, stop):
            for lanes, rows, first in self._blocks(unit, top):
                where = x.shape, group * count, lanes, left
                which = tiles.shape[1], total, first, rows, self.columns
                kernel(tiles.reshape(-1), *which, x.reshape(-1), *where, bias, floor, u, start, stop)

        count, total = x.shape[1] // self.groups, self.count(unit)
        u, floor = self.unused if u is None else u, self.dtype.type(0 if relu else -np.inf)
        threads.parallel_for(maps, count)

    def _blocks(self, unit, top):
        """(lanes, rows, number of the first tile) of every block, for pictures padded by `top` rows."""
        first = 0
        for lanes, rows in unit:
            yield lanes - (0, top), rows, first
            first += len(lanes) * rows * self.columns

    def multiply(self, a, b, out, add=False):
        """out = a @ b, or out += a @ b, for all n^2 matrices."""

        def some(start, stop):
            if not add:
                np.matmul(a[start:stop], b[start:stop], out=out[start:stop])
                return
            for first in range(start, stop, self.slab):  # products that stay in the cache until they are added
                few = slice(first, min(first + self.slab, stop))
                out[few] += np.matmul(a[few], b[few])

        threads.parallel_for(some, self.places)

    def spread_and_multiply(self, w, group, inputs, products):
        """products = U @ inputs, some filters of U at a time: where there is one unit, U is used once, and never need
        leave the cache."""

        def some(start, stop):
            for first in range(start, stop, _FILTERS):
                last = min(first + _FILTERS, stop)
                np.matmul(self.spread_some(mine[first:last]), inputs, out=products[:, first:last])

        mine = w[group * self.filters : (group + 1) * self.filters]
        threads.parallel_for(some, self.filters, at_least=8)

    def spread_some(self, w):
        """U = G g G^T of some filters: (n^2, filters, C)."""
        u, count = np.empty((self.places, len(w), self.channels), w.dtype), len(w) * self.channels
        self.spread_kernel(w.reshape(-1), u.reshape(-1), count, 0, count)
        return u

    def spread(self, w):
        """U = G g G^T for the filters of every group: (groups, n^2, O, C)."""
        count = self.filters * self.channels
        u = np.empty((self.groups, self.places, self.filters, self.channels), w.dtype)
        for group in range(self.groups):
            mine, target = w[group * self.filters : (group + 1) * self.filters].reshape(-1), u[group].reshape(-1)
            threads.parallel_for(functools.partial(self.spread_kernel, mine, target, count), count, at_least=1024)
        return u

    def gather(self, gu):
        """gw = G^T gU G of the sum of gU (groups, parts, n^2, O, C): (groups O, C, r, r)."""
        count = self.filters * self.channels
        gw = np.empty((self.groups * self.filters, self.channels, self.taps, self.taps), gu.dtype)
        for group in range(self.groups):
            target = gw[group * self.filters : (group + 1) * self.filters].reshape(-1)
            kernel = functools.partial(self.gather_kernel, gu[group].reshape(-1), self.parts, count, target)
            threads.parallel_for(kernel, count, at_least=1024)
        return gw


def planned(*shape, **options):
    """The Plan for these arguments, made once: that takes as long as to compute a small layer."""
    return _planned(threads.count(), _BYTES, *shape, **options)


@functools.lru_cache(256)
def _planned(count, room, *shape, **options):
    return Plan(*shape, **options)


def conv2d(x, w, b, window, groups, outputs, relu=False):
    """y = A^T [sum over channels of (G g G^T) * (B^T d B)] A + b, tile by tile, by F(outputs, r).

    relu: whether it is max(y, 0).
    """
    plan = planned(x.shape, w.shape, window, groups, x.dtype, outputs)
    (top, _), (left, _) = window.padding
    y = np.empty((len(x), len(w), *window.output), x.dtype)
    bias = np.zeros(len(w), x.dtype) if b is None else b
    once = plan.parts == 1 and len(plan.units[0]) == 1 and plan.largest <= _FEW
    u = None if once else plan.spread(w)

    def compute(part, units):
        v, m = plan.buffers()
        for unit in units:
            inputs, products = plan.matrices_of(v, plan.channels, unit), plan.matrices_of(m, plan.filters, unit)
            for group in range(groups):
                plan.cut(plan.kernels.bt, x, group, unit, v, top, left)
                if u is None:
                    plan.spread_and_multiply(w, group, inputs, products)
                else:
                    plan.multiply(u[group], inputs, products)
                plan.paste(plan.kernels.at, m, y, group, unit, 0, 0, bias, relu)

    plan.each_part(compute)
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups, outputs):
    """gx and gw; one is None where what it is made from is: w, or x. Each part sums its own share of gw."""
    plan = planned(x_shape, w_shape, window, groups, gy.dtype, outputs, backward=True)
    (top, _), (left, _) = window.padding
    gx = np.zeros(x_shape, gy.dtype) if w is not None else None
    transposed = plan.spread(w).swapaxes(2, 3) if w is not None else np.empty(0)
    shape = groups, plan.parts, plan.places, plan.filters, plan.channels
    gu = np.empty(shape, gy.dtype) if x is not None else None
    no_bias = np.zeros(x_shape[1], gy.dtype)

    def compute(part, units):
        v, m = plan.buffers()
        for unit in units:
            inputs, gm = plan.matrices_of(v, plan.channels, unit), plan.matrices_of(m, plan.filters, unit)
            for group in range(groups):
                plan.cut(plan.kernels.a, gy, group, unit, m, 0, 0)
                if gu is not None:
                    plan.cut(plan.kernels.bt, x, group, unit, v, top, left)
                    plan.multiply(gm, inputs.swapaxes(1, 2), gu[group, part], add=unit is not units[0])
                if gx is not None:
                    plan.multiply(transposed[group], gm, inputs)
                    plan.paste(plan.kernels.b, v, gx, group, unit, top, left, no_bias)

    plan.each_part(compute)
    return gx, plan.gather(gu) if gu is not None else None
