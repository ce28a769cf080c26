"""The numba backend's kernels for pooling.

A window that moves by a stride s meets, at each of its places, every s-th pixel of every s-th row. So a map is first
dealt out, by row and column, into s x s small maps ("phases"); then each place of the window is one long run through
one of them, for all outputs at once: what the processor's vectors want. Rows of outputs are as long as rows of a phase;
what stands beyond the last output of a row belongs to no window and is dropped at the end.

x, y, gx and gy are maps (N C, H, W); geometry: padded height and width, kernel, stride, dilation and the padding before
the first pixel, a pair each. The last two arguments, `start` and `stop`, say which maps: `threads.parallel` shares
them out.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel


@kernel
def _deal(x, phases, pitch, stride, before):
    """phases[(y % s, x % s), (y // s, x // s)] = pixel (y, x) of the padded map; the margins are left alone."""
    for y in range(x.shape[0]):
        row = (y + before[0]) % stride[0] * stride[1]
        for k in range(stride[1]):
            column = (k - before[1]) % stride[1]  # the first pixel of this phase
            first = (before[1] + column) // stride[1] + (y + before[0]) // stride[0] * pitch
            for t in range((x.shape[1] - column + stride[1] - 1) // stride[1]):
                phases[row + k, first + t] = x[y, column + t * stride[1]]


@kernel
def _collect(phases, x, pitch, stride, before):
    """The transpose of _deal."""
    for y in range(x.shape[0]):
        row = (y + before[0]) % stride[0] * stride[1]
        for k in range(stride[1]):
            column = (k - before[1]) % stride[1]
            first = (before[1] + column) // stride[1] + (y + before[0]) // stride[0] * pitch
            for t in range((x.shape[1] - column + stride[1] - 1) // stride[1]):
                x[y, column + t * stride[1]] = phases[row + k, first + t]


@kernel
def _phases(padded, stride, value, like):
    """(pitch, phases full of `value`): the pitch is the length of a phase's rows."""
    pitch, rows = (padded[1] + stride[1] - 1) // stride[1], (padded[0] + stride[0] - 1) // stride[0]
    return pitch, np.full((stride[0] * stride[1], rows * pitch), value, like.dtype)


@kernel
def _run(phases, pitch, u, v, stride, dilation):
    """The phase that place (u, v) of the window goes through, from the pixel that it meets first."""
    y, x = u * dilation[0], v * dilation[1]
    return phases[y % stride[0] * stride[1] + x % stride[1], y // stride[0] * pitch + x // stride[1] :]


@kernel
def max_pool(x, y, winners, padded, kernel_size, stride, dilation, before, first_inside, start, stop):
    """The largest value of every window, and the number of its place in the kernel unless `winners` is empty.

    Of equals the first wins, NaN over everything; where all is -inf, `first_inside` (OH, OW) says who.
    """
    height, width = y.shape[1:]
    pitch, phases = _phases(padded, stride, -np.inf, x)
    length = (height - 1) * pitch + width
    best, winner = np.empty(length, x.dtype), np.empty(length, np.int32)
    for m in range(start, stop):
        _deal(x[m], phases, pitch, stride, before)
        best[:] = -np.inf
        winner[:] = -1
        for u in range(kernel_size[0]):
            for v in range(kernel_size[1]):
                values, place = _run(phases, pitch, u, v, stride, dilation), np.int32(u * kernel_size[1] + v)
                for q in range(length):
                    value, largest, before_it = values[q], best[q], winner[q]  # read first: see relu_backward
                    wins = (value > largest) | (value != value)
                    winner[q] = place if wins else before_it
                    best[q] = value if wins else largest
        for i in range(height):
            y[m, i] = best[i * pitch : i * pitch + width]
            if len(winners):
                for j in range(width):
                    place = winner[i * pitch + j]
                    winners[m, i, j] = first_inside[i, j] if place < 0 else place


@kernel
def max_pool_backward(gy, winners, gx, columns, stride, dilation, before, start, stop):
    """Each gy is added where its window's winner stood; `columns`: the width of the kernel."""
    for m in range(start, stop):
        gx[m] = 0
        for i in range(gy.shape[1]):
            for j in range(gy.shape[2]):
                u, v = winners[m, i, j] // columns, winners[m, i, j] % columns
                row, column = i * stride[0] + u * dilation[0], j * stride[1] + v * dilation[1]
                gx[m, row - before[0], column - before[1]] += gy[m, i, j]


@kernel
def avg_pool(x, y, scale, padded, kernel_size, stride, dilation, before, start, stop):
    """y = scale * sum over the window; scale (OH, OW)."""
    height, width = y.shape[1:]
    pitch, phases = _phases(padded, stride, 0.0, x)
    total = np.empty((height - 1) * pitch + width, x.dtype)
    for m in range(start, stop):
        _deal(x[m], phases, pitch, stride, before)
        total[:] = 0
        for u in range(kernel_size[0]):
            for v in range(kernel_size[1]):
                values = _run(phases, pitch, u, v, stride, dilation)
                for q in range(len(total)):
                    total[q] += values[q]
        for i in range(height):
            for j in range(width):
                y[m, i, j] = total[i * pitch + j] * scale[i, j]


@kernel
def avg_pool_backward(gy, gx, scale, padded, kernel_size, stride, dilation, before, start, stop):
    """scale * gy added at every place of its window."""
    height, width = gy.shape[1:]
    pitch, phases = _phases(padded, stride, 0.0, gy)
    share = np.zeros((height - 1) * pitch + width, gy.dtype)  # and 0 in what belongs to no window
    for m in range(start, stop):
        phases[...] = 0
        for i in range(height):
            for j in range(width):
                share[i * pitch + j] = gy[m, i, j] * scale[i, j]
        for u in range(kernel_size[0]):
            for v in range(kernel_size[1]):
                values = _run(phases, pitch, u, v, stride, dilation)
                for q in range(len(share)):
                    values[q] += share[q]
        _collect(phases, gx[m], pitch, stride, before)
