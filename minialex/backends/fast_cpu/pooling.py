"""The numba backend's kernels for pooling.

A window that moves by a stride s meets, at each of its places, every s-th pixel of every s-th row. So a map is first
split, by row and column, into s x s small maps ("phases"); then each place of the window is one long run through
one of them, for all outputs at once: what the processor's vectors want. Rows of outputs are as long as rows of a phase;
what stands beyond the last output of a row belongs to no window and is dropped at the end.

x, y, gx and gy are maps (N C, H, W); geometry: padded height and width, kernel, stride, dilation and the padding before
the first pixel, a pair each. The last two arguments, `start` and `stop`, say which maps: `threads.parallel_for` shares
them out.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .elementwise import philox

_RUN = 1024  # pixels of a phase at a time, of as many maps as they are: a run over few pixels hardly uses vectors


@kernel
def _split_phases(x, phases, pitch, stride, before):
    """phases[(y % s, x % s), (y // s, x // s)] = pixel (y, x) of the padded map; the margins are left alone."""
    for r in range(stride[0]):
        for k in range(stride[1]):
            top, column = (r - before[0]) % stride[0], (k - before[1]) % stride[1]  # the first pixel of this phase
            first = (before[0] + top) // stride[0] * pitch + (before[1] + column) // stride[1]
            for i in range((x.shape[0] - top + stride[0] - 1) // stride[0]):
                pixels, phase = x[top + i * stride[0], column:], phases[r * stride[1] + k, first + i * pitch :]
                if stride[1] == 2:  # said as a number: then it is vector operations
                    for t in range((len(pixels) + 1) // 2):
                        phase[t] = pixels[2 * t]
                else:
                    for t in range((len(pixels) + stride[1] - 1) // stride[1]):
                        phase[t] = pixels[t * stride[1]]


@kernel
def _merge_phases(phases, x, pitch, stride, before):
    """The transpose of _split_phases."""
    for r in range(stride[0]):
        for k in range(stride[1]):
            top, column = (r - before[0]) % stride[0], (k - before[1]) % stride[1]
            first = (before[0] + top) // stride[0] * pitch + (before[1] + column) // stride[1]
            for i in range((x.shape[0] - top + stride[0] - 1) // stride[0]):
                pixels, phase = x[top + i * stride[0], column:], phases[r * stride[1] + k, first + i * pitch :]
                if stride[1] == 2:
                    for t in range((len(pixels) + 1) // 2):
                        pixels[2 * t] = phase[t]
                else:
                    for t in range((len(pixels) + stride[1] - 1) // stride[1]):
                        pixels[t * stride[1]] = phase[t]


@kernel
def _phases(padded, stride, value, like):
    """(pitch, phases full of `value`): the pitch is the length of a phase's rows."""
    pitch, rows = (padded[1] + stride[1] - 1) // stride[1], (padded[0] + stride[0] - 1) // stride[0]
    return pitch, np.full((stride[0] * stride[1], rows * pitch), value, like.dtype)


@kernel
def _runs(pitch, kernel_size, stride, dilation):
    """For each place of the window: the phase that it goes through, and the pixel there that it meets first."""
    runs = np.empty((kernel_size[0] * kernel_size[1], 2), np.int64)
    for u in range(kernel_size[0]):
        for v in range(kernel_size[1]):
            y, x = u * dilation[0], v * dilation[1]
            runs[u * kernel_size[1] + v, 0] = y % stride[0] * stride[1] + x % stride[1]
            runs[u * kernel_size[1] + v, 1] = y // stride[0] * pitch + x // stride[1]
    return runs


@kernel
def max_pool(x, y, winners, padded, kernel_size, stride, dilation, before, first_inside, start, stop):
    """The largest value of every window, and the number of its place in the kernel unless `winners` is empty.

    Of equals the first wins, NaN over everything; where all is -inf, `first_inside` (OH, OW) says who.
    """
    height, width = y.shape[1:]
    pitch, phases = _phases(padded, stride, -np.inf, x)
    size = phases.shape[1]  # of a phase of one map; those of several stand behind one another, for one long run
    some = max(1, min(_RUN // size, stop - start))
    phases = np.full((len(phases), some * size), -np.inf, x.dtype)
    runs, near = _runs(pitch, kernel_size, stride, dilation), np.empty(x.shape[1:], x.dtype)
    # Before and after a place, by turns: in one array, "store the new value or leave the old one" would become a masked
    # store, which takes some processors ten times as long.
    bests, winners_so_far = np.empty((2, some * size), x.dtype), np.empty((2, some * size), np.int32)
    for first in range(start, stop, some):
        maps = min(some, stop - first)
        for m in range(maps):
            near[:] = x[first + m]  # one run over memory, fetched ahead; the phases' many short ones would wait for it
            _split_phases(near, phases[:, m * size : (m + 1) * size], pitch, stride, before)
        length = (maps - 1) * size + (height - 1) * pitch + width
        best, winner = bests[0], winners_so_far[0]
        best[:] = -np.inf
        winner[:] = -1
        for place in range(len(runs)):
            values, number = phases[runs[place, 0], runs[place, 1] :], np.int32(place)
            next_best, next_winner = bests[(place + 1) % 2], winners_so_far[(place + 1) % 2]
            for q in range(length):
                value, largest, earlier = values[q], best[q], winner[q]  # read first: see relu_backward
                wins = (value > largest) | (value != value)
                next_best[q] = value if wins else largest
                next_winner[q] = number if wins else earlier
            best, winner = next_best, next_winner
        for m in range(maps):
            for i in range(height):
                row = m * size + i * pitch
                y[first + m, i] = best[row : row + width]
                if len(winners):
                    for j in range(width):
                        place = winner[row + j]
                        winners[first + m, i, j] = first_inside[i, j] if place < 0 else place


@kernel
def max_pool_backward(gy, winners, gx, places, columns, stride, dilation, before, start, stop):
    """Each gy is added where its window's winner stood; a window has `places` places, `columns` in a row."""
    width = gx.shape[2]
    steps = np.empty(places, np.int64)  # from where the window begins; computed once, since divisions take long
    for place in range(places):
        steps[place] = place // columns * dilation[0] * width + place % columns * dilation[1]
    flat = gx.reshape(-1)
    for m in range(start, stop):
        gx[m] = 0
        for i in range(gy.shape[1]):
            first = (m * gx.shape[1] + i * stride[0] - before[0]) * width - before[1]
            for j in range(gy.shape[2]):
                flat[np.uint64(first + j * stride[1] + steps[winners[m, i, j]])] += gy[m, i, j]


@kernel
def stochastic_pool(a, y, places, drawn, kernel_size, stride, before, first_inside, seed, call, first, start, stop):
    """One of every window's elements, drawn, its place, and whether there is any; see NumPyBackend.stochastic_pool2d.

    Each sum is taken in the order in which NumPy takes it, so that both draw the same.
    """
    (height, width), (rows, columns) = y.shape[1:], a.shape[1:]
    words = philox(0, seed, call)
    for m in range(start, stop):
        for i in range(height):
            for j in range(width):
                number = first + (m * height + i) * width + j
                if number % 4 == 0 or (m == start and i + j == 0):
                    words = philox(number // 4, seed, call)
                top, left = i * stride[0] - before[0], j * stride[1] - before[1]
                total = 0.0
                for u in range(max(0, -top), min(kernel_size[0], rows - top)):
                    for v in range(max(0, -left), min(kernel_size[1], columns - left)):
                        total += a[m, top + u, left + v]
                bound, reached = total * (words[number % 4] / 2.0**32), 0.0
                y[m, i, j], places[m, i, j], drawn[m, i, j] = 0 * total, first_inside[i, j], total > 0
                for u in range(max(0, -top), min(kernel_size[0], rows - top)):
                    for v in range(max(0, -left), min(kernel_size[1], columns - left)):
                        earlier, reached = reached, reached + a[m, top + u, left + v]
                        if earlier <= bound < reached:
                            y[m, i, j], places[m, i, j] = a[m, top + u, left + v], u * kernel_size[1] + v


@kernel
def avg_pool(x, y, scale, padded, kernel_size, stride, dilation, before, start, stop):
    """y = scale * sum over the window; scale (OH, OW)."""
    height, width = y.shape[1:]
    pitch, phases = _phases(padded, stride, 0.0, x)
    runs, near = _runs(pitch, kernel_size, stride, dilation), np.empty(x.shape[1:], x.dtype)
    total = np.empty((height - 1) * pitch + width, x.dtype)
    for m in range(start, stop):
        near[:] = x[m]
        _split_phases(near, phases, pitch, stride, before)
        total[:] = 0
        for place in range(len(runs)):
            values = phases[runs[place, 0], runs[place, 1] :]
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
    runs = _runs(pitch, kernel_size, stride, dilation)
    share = np.zeros((height - 1) * pitch + width, gy.dtype)  # and 0 in what belongs to no window
    for m in range(start, stop):
        phases[...] = 0
        for i in range(height):
            for j in range(width):
                share[i * pitch + j] = gy[m, i, j] * scale[i, j]
        for place in range(len(runs)):
            values = phases[runs[place, 0], runs[place, 1] :]
            for q in range(len(share)):
                values[q] += share[q]
        _merge_phases(phases, gx[m], pitch, stride, before)
