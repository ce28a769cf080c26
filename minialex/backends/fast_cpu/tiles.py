"""Winograd's transforms: from pictures to tiles and back, for `winograd.py`.

A block is tiles that go through a transform side by side: `rows` rows of `columns` tiles in each of several lanes. A
lane is a picture, from one of its rows on; where pictures are few, several lanes share one. A block's pixels stand as
[y, z % step, (z // step, lane)]: the lanes innermost, and the columns z that tiles have in the same place side by side,
so that every transform is a few long runs over memory.

Arrays come flat, and each index is computed: a view of an array within a loop would count its users, which takes as
long as the loop. Indices are unsigned where they can be: a signed one would be tested for counting from the end.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import numpy as np

from .compiled import ZERO, part, specialised
from .transforms import matrices, over_gradients, over_products, over_runs

IN = OUT = STEP = 0  # in a kernel: the shape (OUT, IN) of its matrix L, and the pixels from one tile to the next
TIMES: Any = None  # in a kernel: L times the columns, or the rows, of its tiles
TIMES_OVER: Any = None  # the outputs that overlap with the next tile's
MAPS = 0  # of the input, where products are made on the way rather than kept: see `few_channels.py`
PRODUCTS: Any = None  # then: L times the rows of tiles of products
GRADIENTS: Any = None  # then: gU, from L times the rows of tiles of gy


@part
def _places(low, high, step, extent, many):
    """Where the columns low ... high - 1 stand in a row of a block's pixels."""
    places = np.empty(high - low, np.uint64)
    for z in range(low, high):
        places[z - low] = z % step * extent + z // step * many
    return places


def _cut(x, shape, first_map, lanes, left, rows, columns, tiles, plane, total, first, gu, start, stop):
    """tiles = L d L^T for the tiles d of a block.

    x, shape: pictures (N, C, H, W), flat.
    first_map: of the group.
    lanes: (lanes, 2), a picture and the row where its first tile begins, negative in the padding.
    left: the padding there, in pixels.
    tiles, plane, total, first: entry (i, j) of tile t of map c goes to tiles[(i OUT + j) plane + c total + first + t].
    gu: with MAPS, gU (n^2, C, MAPS) to be added to, where `tiles` are V; else not used.
    start, stop: the maps of the group.
    """
    many = len(lanes)
    run = columns * many
    extent = run + (IN - 1) // STEP * many
    line, height = STEP * extent, STEP * (rows - 1) + IN
    pixels, half = np.zeros(height * line, x.dtype), np.empty(OUT * line, x.dtype)
    low, high = max(0, left), min(STEP * (columns - 1) + IN, left + shape[3])
    places = _places(low, high, STEP, extent, many)
    for c in range(start, stop):
        for i in range(height):
            for l in range(many):
                y = lanes[l, 1] + i
                if 0 <= y < shape[2]:  # others stay 0
                    source = np.uint64(
                        ((lanes[l, 0] * shape[1] + first_map + c) * shape[2] + y) * shape[3] + low - left
                    )
                    target = np.uint64(i * line + l)
                    for z in range(np.uint64(len(places))):
                        pixels[target + places[z]] = x[source + z]
        for ti in range(rows):
            TIMES(pixels, STEP * ti * line, line, STEP * line, half, ZERO, line, STEP * line, line)
            to = c * total + first + ti * run
            for i in range(OUT):
                if MAPS > 0:
                    there = i * OUT * plane + first + ti * run
                    which, gap = (i * OUT * shape[1] + first_map + c) * MAPS, shape[1] * MAPS
                    GRADIENTS(half, i * line, extent, many, tiles, there, plane, total, gu, which, gap, run)
                else:
                    TIMES(half, i * line, extent, many, tiles, i * OUT * plane + to, plane, STEP * plane, run)


def _paste(tiles, plane, total, first, rows, columns, x, shape, first_map, lanes, left, bias, floor, u, start, stop):
    """The transpose: L m L^T of the tiles m of a block, each at its place in x; arguments as for _cut.

    Where outputs do not overlap (OUT = STEP), x = max(that + bias, floor); else x += that. With MAPS, `tiles` are V,
    and m is made of them and of U, `u` (n^2, C, MAPS).
    """
    many = len(lanes)
    run = columns * many
    extent = run + (OUT - 1) // STEP * many
    line, height = STEP * extent, STEP * (rows - 1) + OUT
    pixels, half = np.empty(height * line, x.dtype), np.empty(IN * line, x.dtype)
    low, high = max(0, left), min(STEP * (columns - 1) + OUT, left + shape[3])
    places = _places(low, high, STEP, extent, many)
    for c in range(start, stop):
        if OUT > STEP:
            pixels[:] = 0
        for ti in range(rows):
            at, to = c * total + first + ti * run, STEP * ti * line
            if OUT > STEP:
                half[:] = 0
            for i in range(IN):
                source = i * IN * plane + at
                if MAPS > 0:
                    there = i * IN * plane + first + ti * run
                    which, gap = (i * IN * shape[1] + first_map + c) * MAPS, shape[1] * MAPS
                    PRODUCTS(tiles, there, plane, total, u, which, gap, half, i * line, extent, many, run)
                else:
                    TIMES(tiles, source, plane, STEP * plane, half, i * line, extent, many, run)
                if OUT > STEP:
                    TIMES_OVER(tiles, source, plane, STEP * plane, half, i * line, extent, many, run)
            TIMES(half, ZERO, line, STEP * line, pixels, to, line, STEP * line, line)
            if OUT > STEP:
                TIMES_OVER(half, ZERO, line, STEP * line, pixels, to, line, STEP * line, line)
        added = bias[first_map + c]
        for i in range(height):
            for l in range(many):
                y = lanes[l, 1] + i
                if 0 <= y < shape[2]:
                    target = np.uint64(
                        ((lanes[l, 0] * shape[1] + first_map + c) * shape[2] + y) * shape[3] + low - left
                    )
                    pixel = np.uint64(i * line + l)
                    for z in range(np.uint64(len(places))):
                        if OUT > STEP:
                            x[target + z] += pixels[pixel + places[z]]
                        else:
                            value = pixels[pixel + places[z]] + added
                            x[target + z] = floor if value <= floor else value  # NaN stays NaN


@functools.cache
def kernels(outputs, taps, maps=0):
    """The four kernels of F(m, r), each named after the matrix L that it multiplies by from both sides.

    outputs, taps: m and r.
    maps: of the input, to make products on the way in `at` and `a`; 0 to keep them.

    Returns a namespace: bt and a cut tiles, V = B^T d B and gM = A gy A^T; at and b paste them, y = A^T M A and
    gx = B gV B^T.
    """
    at, _, bt = matrices(outputs, taps)

    def made(template, name, matrix, *sources):
        sizes = {"OUT": matrix.shape[0], "IN": matrix.shape[1], "STEP": outputs, "MAPS": maps}
        return specialised(template, f"{name}_{outputs}_{taps}_{maps}", sources, sizes)

    from_gy, to_y = over_runs("TIMES", at.T, outputs), over_runs("TIMES", at, outputs, True)
    if maps:
        same = kernels(outputs, taps)
        a = made(_cut, "cut_a", at.T, from_gy, over_gradients("GRADIENTS", at.T, outputs, maps))
        at = made(_paste, "paste_at", at, to_y, over_products("PRODUCTS", at, outputs, maps))
        return types.SimpleNamespace(bt=same.bt, a=a, at=at, b=same.b)
    main, over = range(outputs), range(outputs, len(bt))
    halves = (
        over_runs("TIMES", bt.T, outputs, True, main, added=True),
        over_runs("TIMES_OVER", bt.T, outputs, True, over, added=True),
    )
    return types.SimpleNamespace(
        bt=made(_cut, "cut_bt", bt, over_runs("TIMES", bt, outputs)),
        a=made(_cut, "cut_a", at.T, from_gy),
        at=made(_paste, "paste_at", at, to_y),
        b=made(_paste, "paste_b", bt.T, *halves),
    )
