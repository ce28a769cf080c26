"""Winograd's convolution: 3x3 and 5x5 filters of stride 1 with 2.2 to 2.8 times fewer multiplications.

One dimension first. A filter g of r taps over n = m + r - 1 pixels d gives m outputs, in m r multiplications. Read
as polynomials, filter times output gradient is a product of degree n - 1, and a product of polynomials is fixed by
its values at n points: evaluate both, multiply the n values, interpolate. Five numbers and infinity (the leading
coefficient) make n = 6 multiplications, and the convolution, which is a product transposed, is (Toom, Cook, Winograd)

    y = A^T [(G g) * (B^T d)]          * element by element
    A^T (m, 6): rows p^0 ... p^(m-1) of every point p;  last column: infinity only counts for the highest power
    G (6, r):   rows p^0 ... p^(r-1), divided by the product over the other points q of p - q
    B^T (6, 6): rows with the coefficients of the product over the other points q of x - q

B depends on the points alone: the same 6 pixels serve m = 4 outputs of 3 taps, F(4, 3), and m = 2 of 5, F(2, 5). In two
dimensions every matrix works from both sides on tiles of 6x6 pixels that overlap by r - 1:

    V = B^T d B    U = G g G^T    M = sum over channels of U * V    y = A^T M A

36 multiplications for 16 outputs of 9 taps each (144), or for 4 of 25 (100). For each of the 36 places in the
tile, the sum over channels for all filters and tiles is one matrix product: M (O, T) = U (O, C) @ V (C, T).

Backward goes the same way in reverse; every step is linear, so each is replaced by its transpose:

    gM = A gy A^T     gU = gM @ V^T     gV = U^T @ gM     gw = G^T gU G     gx = B gV B^T, added where tiles overlap

High powers cost digits. With the usual points 0, 1, -1, 2, -2 the largest float32 error over 256 channels was 6e-5 of
the output's std for F(4, 3); with 0, 3/4, -3/4, 3/2, -3/2, whose powers stay closer to 1, it is 1.5e-5. A direct
sum shows 2e-6.

Sources: Winograd, "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for convolutional
neural networks", CVPR 2016.
"""

from __future__ import annotations

import math

import numpy as np

from ... import threads
from .compiled import kernel, reordering_kernel

enabled = True  # False: every convolution is direct
TILE = 6
_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
_LANES = 16  # pictures that go through a transform side by side: the innermost loops run over them
_BYTES = 4 << 20  # of V and M together at a time, more or less, or as many as U has: less would stream U too often
_SLAB = 256 << 10  # of U's gradient at a time


def matrices(outputs, taps):
    """A^T (m, 6), G (6, r), B^T (6, 6) for m outputs and r taps, m + r = 7."""
    others = [[q for q in _POINTS if q != p] for p in _POINTS]
    at = np.zeros((outputs, TILE))
    g = np.zeros((TILE, taps))
    bt = np.zeros((TILE, TILE))
    for j, (p, rest) in enumerate(zip(_POINTS, others, strict=True)):
        at[:, j] = p ** np.arange(outputs)
        g[j] = p ** np.arange(taps) / math.prod(p - q for q in rest)
        bt[j, :5] = np.poly(rest)[::-1]
    at[-1, 5] = g[5, -1] = 1
    bt[5] = np.poly(_POINTS)[::-1]
    return at, g, bt


def fits(shape, window, groups):
    """Whether this way pays: square filters of 3 or 5 at stride 1, and enough pictures, channels and places."""
    return (
        enabled
        and window.kernel in ((3, 3), (5, 5))
        and window.stride == window.dilation == (1, 1)
        and shape[0] >= 8
        and shape[1] // groups >= 32
        and min(window.output) >= 8
    )


class _Plan:
    """One convolution's matrices and tiles, and the blocks of pictures that threads take one at a time."""

    def __init__(self, x_shape, w_shape, window, groups, dtype):
        self.taps, self.groups, self.window = w_shape[2], groups, window
        self.step = TILE + 1 - self.taps  # between tiles; the outputs of one, in each direction
        self.at, self.g, self.bt = (m.astype(dtype) for m in matrices(self.step, self.taps))
        self.rows, self.columns = (-(-n // self.step) for n in window.output)
        self.channels, self.filters = w_shape[1], w_shape[0] // groups
        lanes = min(_LANES, -(-x_shape[0] // threads.count()))
        blocks = [slice(n, min(n + lanes, x_shape[0])) for n in range(0, x_shape[0], lanes)]
        self.units = [(pictures, group) for pictures in blocks for group in range(groups)]
        row = TILE**2 * (self.channels + self.filters) * self.columns * lanes * self.at.itemsize
        place = self.channels * self.filters * self.at.itemsize  # of U, for one of the 36 places in a tile
        slab = max(1, _SLAB // place)
        self.slabs = [slice(first, first + slab) for first in range(0, TILE**2, slab)]
        budget = max(_BYTES, TILE**2 * place)
        count = max(1, min(self.rows, budget // row))
        self.strips = [(first, min(count, self.rows - first)) for first in range(0, self.rows, count)]
        self.largest = count * self.columns * lanes

    def buffers(self):
        """Room for V and M of one strip of tiles, each (6, 6, maps T). The 36 matrices stand a little further apart
        than they are large: at a power of two they would all compete for the same lines of the cache."""
        return [
            np.empty((TILE, TILE, maps * self.largest + 16), self.at.dtype) for maps in (self.channels, self.filters)
        ]

    def stack(self, buffer, maps, pictures, rows):
        """The part of a buffer that these tiles fill, as 36 matrices (maps, T), T = rows x columns x pictures."""
        count = rows * self.columns * (pictures.stop - pictures.start)
        return buffer.reshape(TILE**2, -1)[:, : maps * count].reshape(TILE**2, maps, count)

    def maps(self, x, pictures, group):
        """The maps of one group, of a block of pictures: a view."""
        count = x.shape[1] // self.groups
        return x[pictures, group * count : (group + 1) * count]

    def spread(self, w):
        """U = G g G^T for the filters of every group: (groups, 36, O, C), as one product with G (x) G (36, r r)."""
        both = np.kron(self.g, self.g)
        flat = w.reshape(self.groups, -1, self.taps**2)
        u = np.empty((self.groups, TILE**2, flat.shape[1]), w.dtype)

        def columns(start, stop):
            np.matmul(both, flat[:, start:stop].swapaxes(1, 2), out=u[:, :, start:stop])

        threads.parallel(columns, flat.shape[1], at_least=1024)
        return u.reshape(self.groups, TILE**2, self.filters, self.channels)

    def gather(self, gu):
        """gw = G^T gU G of the sum of gU (parts, groups, 36, O, C): (groups O, C, r, r)."""
        both = np.kron(self.g, self.g)
        flat = gu.reshape(len(gu), self.groups, TILE**2, -1)
        gw = np.empty((self.groups, flat.shape[3], self.taps**2), gu.dtype)

        def rows(start, stop):
            for first in range(start, stop, 4096):  # sums that stay in the cache
                some = slice(first, min(first + 4096, stop))
                np.matmul(flat[..., some].sum(axis=0).swapaxes(1, 2), both, out=gw[:, some])

        threads.parallel(rows, flat.shape[3], at_least=1024)
        return gw.reshape(self.groups * self.filters, self.channels, self.taps, self.taps)


def conv2d(x, w, b, window, groups):
    """y = A^T [sum over channels of (G g G^T) * (B^T d B)] A, tile by tile."""
    plan = _Plan(x.shape, w.shape, window, groups, x.dtype)
    (top, _), (left, _) = window.padding
    y = np.empty((len(x), len(w), *window.output), x.dtype)
    u = plan.spread(w)

    def blocks(start, stop):
        v, m = plan.buffers()
        for pictures, group in plan.units[start:stop]:
            maps, filters = plan.maps(x, pictures, group), plan.maps(y, pictures, group)
            filters[...] = 0 if b is None else b.reshape(groups, -1, 1, 1)[group]
            for first, rows in plan.strips:
                cut(maps, v, plan.bt, plan.step, plan.columns, rows, first, top, left)
                stacks = plan.stack(v, plan.channels, pictures, rows), plan.stack(m, plan.filters, pictures, rows)
                np.matmul(u[group], stacks[0], out=stacks[1])
                paste(m, filters, plan.at, plan.step, plan.columns, rows, first, 0, 0)

    threads.parallel(blocks, len(plan.units))
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups):
    """gx and gw; one is None where what it is made from is: w, or x. Each thread sums its own share of gw."""
    plan = _Plan(x_shape, w_shape, window, groups, gy.dtype)
    (top, _), (left, _) = window.padding
    a, b = plan.at.T.copy(), plan.bt.T.copy()
    parts = min(threads.count(), len(plan.units))
    gx = np.zeros(x_shape, gy.dtype) if w is not None else None
    transposed = plan.spread(w).swapaxes(2, 3) if w is not None else np.empty(0)
    gu = np.zeros((parts, groups, TILE**2, plan.filters, plan.channels), gy.dtype) if x is not None else None

    def share(part):
        v, m = plan.buffers()
        begun = set()
        for pictures, group in plan.units[len(plan.units) * part // parts : len(plan.units) * (part + 1) // parts]:
            for first, rows in plan.strips:
                tiles = plan.step, plan.columns, rows, first
                gm = plan.stack(m, plan.filters, pictures, rows)
                cut(plan.maps(gy, pictures, group), m, a, *tiles, 0, 0)
                if gu is not None:
                    cut(plan.maps(x, pictures, group), v, plan.bt, *tiles, top, left)
                    inputs = plan.stack(v, plan.channels, pictures, rows)
                    if group in begun:
                        for some in plan.slabs:  # products that stay in the cache until they are added
                            gu[part, group, some] += np.matmul(gm[some], inputs[some].swapaxes(1, 2))
                    else:
                        np.matmul(gm, inputs.swapaxes(1, 2), out=gu[part, group])
                        begun.add(group)
                if gx is not None:
                    gv = plan.stack(v, plan.channels, pictures, rows)
                    np.matmul(transposed[group], gm, out=gv)
                    paste(v, plan.maps(gx, pictures, group), b, *tiles, top, left)

    threads.parallel(lambda start, stop: [share(part) for part in range(start, stop)], parts, pieces=parts)
    return gx, plan.gather(gu) if gu is not None else None


# The kernels keep a strip of pictures as lanes[y, z % step, (z // step, picture)]. The pictures lie innermost, and the
# columns z that tiles have in the same place stand side by side, so that every loop below is one long run over memory.


@kernel
def _together(x):
    """How many pictures to read side by side: at a power of two apart, more than 8 would drive each other out of the
    processor's first cache, where an address leaves them 8 places."""
    return 8 if x.strides[0] % 4096 == 0 else len(x)


@reordering_kernel
def cut(x, tiles, transform, step, columns, rows, first, top, left):
    """Transformed tiles (6, 6, maps, T) of pictures x (n, maps, H, W): L d L^T, L = transform (6, size).

    Tile (ti, tj) begins at pixel (step ti - top, step tj - left); pixels outside are 0. T counts (ti, tj, picture).
    """
    n, _, height, width = x.shape
    size, run = transform.shape[1], columns * n
    lanes = np.zeros((step * (rows - 1) + size, step, run + (size - 1) // step * n), x.dtype)
    half = np.empty((TILE, step, lanes.shape[2]), x.dtype)
    together = _together(x)
    low, high = max(0, left), min(step * (columns - 1) + size, left + width)
    for c in range(x.shape[1]):
        for i in range(max(0, top - step * first), min(len(lanes), height + top - step * first)):
            row = x[:, c, i + step * first - top]
            for few in range(0, n, together):
                for z in range(low, high):
                    pixel = lanes[i, z % step, z // step * n :]
                    for l in range(few, min(few + together, n)):
                        pixel[l] = row[l, z - left]
        for ti in range(rows):
            strip = lanes[step * ti : step * ti + size]
            for i in range(TILE):
                for y in range(0, size, 2):
                    above, below = transform[i, y], transform[i, y + 1]
                    for k in range(step):
                        for q in range(half.shape[2]):
                            term = above * strip[y, k, q] + below * strip[y + 1, k, q]
                            half[i, k, q] = term if y == 0 else half[i, k, q] + term
            for i in range(TILE):
                for z in range(0, size, 2):
                    even, odd = half[i, z % step, z // step * n :], half[i, (z + 1) % step, (z + 1) // step * n :]
                    for j in range(TILE):
                        left_factor, right_factor = transform[j, z], transform[j, z + 1]
                        out = tiles[i, j, (c * rows + ti) * run : (c * rows + ti + 1) * run]
                        for q in range(run):
                            term = left_factor * even[q] + right_factor * odd[q]
                            out[q] = term if z == 0 else out[q] + term


@reordering_kernel
def paste(tiles, x, transform, step, columns, rows, first, top, left):
    """The transpose of cut: x += what the tiles turn into, by transform (size, 6), each at its place."""
    n, _, height, width = x.shape
    size, run = transform.shape[0], columns * n
    lanes = np.empty((step * (rows - 1) + size, step, run + (size - 1) // step * n), x.dtype)
    half = np.empty((TILE, step, lanes.shape[2]), x.dtype)
    together = _together(x)
    low, high = max(0, left), min(step * (columns - 1) + size, left + width)
    for c in range(x.shape[1]):
        lanes[...] = 0
        for ti in range(rows):
            half[...] = 0
            for i in range(TILE):
                for j in range(0, TILE, 2):
                    even = tiles[i, j, (c * rows + ti) * run : (c * rows + ti + 1) * run]
                    odd = tiles[i, j + 1, (c * rows + ti) * run : (c * rows + ti + 1) * run]
                    for z in range(size):
                        left_factor, right_factor = transform[z, j], transform[z, j + 1]
                        part = half[i, z % step, z // step * n :]
                        for q in range(run):
                            part[q] += left_factor * even[q] + right_factor * odd[q]
            strip = lanes[step * ti : step * ti + size]
            for y in range(size):
                for i in range(0, TILE, 2):
                    above, below = transform[y, i], transform[y, i + 1]
                    for k in range(step):
                        for q in range(half.shape[2]):
                            strip[y, k, q] += above * half[i, k, q] + below * half[i + 1, k, q]
        for i in range(max(0, top - step * first), min(len(lanes), height + top - step * first)):
            row = x[:, c, i + step * first - top]
            for few in range(0, n, together):
                for z in range(low, high):
                    pixel = lanes[i, z % step, z // step * n :]
                    for l in range(few, min(few + together, n)):
                        row[l, z - left] += pixel[l]
