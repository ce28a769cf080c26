"""The numba backend's kernels for pooling.

A window that moves by a stride s meets, at each of its places, every s-th pixel of every s-th row. So maps are first
split, by row and column, into s x s small ones ("phases"); then each place of the window is one long run through one of
them, for all outputs at once: what the processor's vectors want. Rows of outputs are as long as rows of a phase; what
stands beyond the last output of a row belongs to no window and is dropped at the end. The phases of a few small maps
stand behind one another, for a run through all of them.

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
def _phases(padded, stride, maps, value, like):
    """Room for so many padded maps, in two arrangements between which columns change places; margins are `value`.

    near[y % s, m, y // s, x] and phases[x % s, y % s, m, y // s, x // s] are pixel (y, x) of map m.
    """
    rows, pitch = (padded[0] + stride[0] - 1) // stride[0], (padded[1] + stride[1] - 1) // stride[1]
    near = np.empty((stride[0], maps, rows, pitch * stride[1]), like.dtype)
    near.reshape(-1)[:] = value
    return near, np.empty((stride[1], stride[0], maps, rows, pitch), like.dtype)


@kernel
def _split(x, first, maps, near, phases, before):
    """Take in maps of x from number `first` on; the margins are left alone."""
    height, width = x.shape[1:]
    pixels, flat, stride = x.reshape(-1), near.reshape(-1), len(phases)
    for m in range(maps):
        for y in range(height):
            source, target = np.uint64(((first + m) * height + y) * width), _row(m, y, near, before)
            for z in range(np.uint64(width)):
                flat[target + z] = pixels[source + z]
    if stride == 2:  # said as a number: then it is vector operations
        even, odd = phases[0].reshape(-1), phases[1].reshape(-1)
        for q in range(len(even)):
            even[q], odd[q] = flat[2 * q], flat[2 * q + 1]
    else:
        for k in range(stride):
            phase = phases[k].reshape(-1)
            for q in range(len(phase)):
                phase[q] = flat[q * stride + k]


@kernel
def _merge(phases, near, x, first, maps, before):
    """The way back."""
    height, width = x.shape[1:]
    pixels, flat, stride = x.reshape(-1), near.reshape(-1), len(phases)
    if stride == 2:
        even, odd = phases[0].reshape(-1), phases[1].reshape(-1)
        for q in range(len(even)):
            flat[2 * q], flat[2 * q + 1] = even[q], odd[q]
    else:
        for k in range(stride):
            phase = phases[k].reshape(-1)
            for q in range(len(phase)):
                flat[q * stride + k] = phase[q]
    for m in range(maps):
        for y in range(height):
            target, source = np.uint64(((first + m) * height + y) * width), _row(m, y, near, before)
            for z in range(np.uint64(width)):
                pixels[target + z] = flat[source + z]


@kernel
def _row(m, y, near, before):
    """Where row y of map m begins in `near`, flat."""
    stride, maps, rows, line = near.shape
    y += before[0]
    return np.uint64(((y % stride * maps + m) * rows + y // stride) * line + before[1])


@kernel
def _runs(phases, kernel_size, dilation):
    """For each place of the window where, in the flat phases, the first pixel is that it meets."""
    across, down, maps, rows, pitch = phases.shape
    runs = np.empty(kernel_size[0] * kernel_size[1], np.int64)
    for u in range(kernel_size[0]):
        for v in range(kernel_size[1]):
            y, x = u * dilation[0], v * dilation[1]
            plane = (x % across * down + y % down) * maps * rows
            runs[u * kernel_size[1] + v] = (plane + y // down) * pitch + x // across
    return runs


@kernel
def _together(padded, stride, count):
    """How many of `count` maps go through the phases at a time."""
    size = (padded[0] + stride[0] - 1) // stride[0] * ((padded[1] + stride[1] - 1) // stride[1])
    return max(1, min(_RUN // size, count))


@kernel
def max_pool(x, y, winners, padded, kernel_size, stride, dilation, before, first_inside, start, stop):
    """The largest value of every window, and the number of its place in the kernel unless `winners` is empty.

    Of equals the first wins, NaN over everything; where all is -inf, `first_inside` (OH, OW) says who.
    """
    height, width = y.shape[1:]
    some, count = _together(padded, stride, stop - start), kernel_size[0] * kernel_size[1]
    near, phases = _phases(padded, stride, some, -np.inf, x)
    runs, flat, pitch = _runs(phases, kernel_size, dilation), phases.reshape(-1), phases.shape[4]
    size = phases.shape[3] * pitch  # of a phase of one map
    # Before and after three places, by turns: in one array, "store the new value or leave the old one" would become a
    # masked store, which takes some processors ten times as long.
    bests, winners_so_far = np.empty((2, some * size), x.dtype), np.empty((2, some * size), np.int32)
    nobody = np.zeros(some * size, np.int32)
    for m in range(some):
        for i in range(height):
            for j in range(width):
                nobody[m * size + i * pitch + j] = first_inside[i, j]
    values_out, winners_out, wide = y.reshape(-1), winners.reshape(-1), np.uint64(width)
    for first in range(start, stop, some):
        maps = min(some, stop - first)
        _split(x, first, maps, near, phases, before)
        length = (maps - 1) * size + (height - 1) * pitch + width
        best, winner = bests[0], winners_so_far[0]
        best[:] = -np.inf
        for q in range(length):
            winner[q] = nobody[q]
        for turn in range((count + 2) // 3):  # the last place may come twice: it does not win over itself
            a, b, c = 3 * turn, min(3 * turn + 1, count - 1), min(3 * turn + 2, count - 1)
            values_a, values_b, values_c = flat[runs[a] :], flat[runs[b] :], flat[runs[c] :]
            next_best, next_winner = bests[(turn + 1) % 2], winners_so_far[(turn + 1) % 2]
            for q in range(length):
                largest, place = best[q], winner[q]
                largest, place = _larger(values_a[q], np.int32(a), largest, place)
                largest, place = _larger(values_b[q], np.int32(b), largest, place)
                next_best[q], next_winner[q] = _larger(values_c[q], np.int32(c), largest, place)
            best, winner = next_best, next_winner
        for m in range(maps):
            for i in range(height):
                source, target = np.uint64(m * size + i * pitch), np.uint64(((first + m) * height + i) * width)
                for j in range(wide):
                    values_out[target + j] = best[source + j]
                if len(winners):
                    for j in range(wide):
                        winners_out[target + j] = winner[source + j]


@kernel
def _larger(value, number, largest, place):
    """The larger value and its place."""
    wins = (value > largest) | (value != value)
    return value if wins else largest, number if wins else place


@kernel
def max_pool_backward(gy, winners, gx, sees, places, columns, stride, dilation, before, start, stop):
    """Each gy is added where its window's winner stood; a window has `places` places, `columns` in a row.

    sees: (OH, OW), whether the window has a pixel at all.
    """
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
                if sees[i, j]:
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
def _scaled(a, at, factors, first, b, to, length):
    """b[to + j] = a[at + j] * factors[first + j]"""
    for j in range(length):
        b[to + j] = a[at + j] * factors[first + j]


@kernel
def avg_pool(x, y, scale, padded, kernel_size, stride, dilation, before, start, stop):
    """y = scale * sum over the window; scale (OH, OW)."""
    height, width = y.shape[1:]
    some = _together(padded, stride, stop - start)
    near, phases = _phases(padded, stride, some, 0.0, x)
    runs, flat, pitch = _runs(phases, kernel_size, dilation), phases.reshape(-1), phases.shape[4]
    size = phases.shape[3] * pitch
    total = np.empty(some * size, x.dtype)
    out, factors, wide = y.reshape(-1), scale.reshape(-1), np.uint64(width)
    for first in range(start, stop, some):
        maps = min(some, stop - first)
        _split(x, first, maps, near, phases, before)
        total[:] = 0
        for run in runs:
            values = flat[run:]
            for q in range((maps - 1) * size + (height - 1) * pitch + width):
                total[q] += values[q]
        for m in range(maps):
            for i in range(height):
                source, target = np.uint64(m * size + i * pitch), np.uint64(((first + m) * height + i) * width)
                _scaled(total, source, factors, np.uint64(i * width), out, target, wide)


@kernel
def avg_pool_backward(gy, gx, scale, padded, kernel_size, stride, dilation, before, start, stop):
    """scale * gy added at every place of its window."""
    height, width = gy.shape[1:]
    some = _together(padded, stride, stop - start)
    near, phases = _phases(padded, stride, some, 0.0, gy)
    runs, flat, pitch = _runs(phases, kernel_size, dilation), phases.reshape(-1), phases.shape[4]
    size = phases.shape[3] * pitch
    share = np.zeros(some * size, gy.dtype)  # and 0 in what belongs to no window
    gradients, factors, wide = gy.reshape(-1), scale.reshape(-1), np.uint64(width)
    for first in range(start, stop, some):
        maps = min(some, stop - first)
        for m in range(maps):
            for i in range(height):
                target, source = np.uint64(m * size + i * pitch), np.uint64(((first + m) * height + i) * width)
                _scaled(gradients, source, factors, np.uint64(i * width), share, target, wide)
        flat[:] = 0
        for run in runs:
            values = flat[run:]
            for q in range((maps - 1) * size + (height - 1) * pitch + width):
                values[q] += share[q]
        _merge(phases, near, gx, first, maps, before)
