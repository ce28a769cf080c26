"""Layered graph layout: positions for boxes and lines, so that no line crosses a box and few lines cross each other.

After Sugiyama, Tagawa, Toda, "Methods for visual understanding of hierarchical system structures", 1981: assign boxes
to layers, order each layer by barycentres, then assign positions. `across` is the direction within a layer, `along`
the direction from layer to layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BETWEEN, BETWEEN_LAYERS = 18, 30  # pixels: gap between two boxes of a layer, and between layers
BEND = 6  # pixels across that a line takes in each layer it passes through
SWEEPS = 8  # each once in either direction


@dataclass
class Placed:
    """The layout of a graph, in pixels.

    centres: float (boxes, 2), across and along.
    lines: for each edge its points (across, along), from the box it leaves to the box it enters.
    size: of the whole, (across, along).
    """

    centres: np.ndarray
    lines: list[np.ndarray]
    size: np.ndarray


def place(sizes, edges, loose=()):
    """Lay out the boxes of an acyclic graph; each box is in the layer right before the first that needs it.

    sizes: [(across, along), ...] of the boxes, pixels.
    edges: [(from, to), ...] by index; a repeated edge gets a line for each time.
    loose: indices of boxes that give way to the others, as parameters do to the chain of layers.

    Returns a Placed.
    """
    layer = _layers(len(sizes), edges)
    extents, chains = [across for across, _ in sizes], []
    for source, target in edges:  # a long edge is a chain through invisible boxes, one in each layer it passes
        bends = [len(extents) + n for n in range(layer[target] - layer[source] - 1)]
        extents += [BEND] * len(bends)
        layer += [layer[source] + 1 + n for n in range(len(bends))]
        chains.append([source, *bends, target])
    links = [pair for chain in chains for pair in pairwise(chain)]
    before, after = ([[] for _ in extents] for _ in range(2))
    for source, target in links:
        after[source].append(target)
        before[target].append(source)
    rows = [[box for box in range(len(extents)) if layer[box] == n] for n in range(max(layer) + 1)]
    _order(rows, before, after, links)
    weights = np.ones(len(extents))
    weights[list(loose)] = 1e-3
    across = _positions(rows, before, after, np.array(extents), weights)

    depth = [max((sizes[box][1] for box in row if box < len(sizes)), default=0) for row in rows]
    start = np.cumsum([0, *(d + BETWEEN_LAYERS for d in depth)])
    along = np.array([start[n] + depth[n] / 2 for n in layer])
    ends = [depth[n] / 2 for n in layer]
    lines = [np.zeros((0, 2))] * len(edges)
    for same in {edge: [n for n, e in enumerate(edges) if e == edge] for edge in edges}.values():
        same.sort(key=lambda n: [across[box] for box in chains[n]])
        for position, n in enumerate(same):  # lines between the same two boxes run side by side
            shift = 8 * (position - (len(same) - 1) / 2)
            lines[n] = _line(chains[n], across, along, ends, [size[1] / 2 for size in sizes], shift)
    total = max(across[box] + extents[box] / 2 for box in range(len(extents))), start[-1] - BETWEEN_LAYERS
    return Placed(np.stack([across, along], 1)[: len(sizes)], lines, np.array(total))


def spread(wanted, extents, gap, weights=None):
    """Positions as close to `wanted` as possible, without overlaps.

        min  sum w_i (x_i - wanted_i)^2      x_(i+1) - x_i >= (extent_i + extent_(i+1)) / 2 + gap

    wanted: the preferred centres, in the order that is kept.
    extents: the width of each item.
    gap: free space between neighbours, in the same unit.
    weights: w, 1 for each if None.

    Returns the positions, as an array.
    Pool adjacent violators: items that would overlap become one block at the mean of their preferred positions.
    """
    extents = np.asarray(extents, float)
    weights = np.ones(len(wanted)) if weights is None else weights
    steps = (extents[1:] + extents[:-1]) / 2 + gap
    offsets = np.concatenate([[0.0], np.cumsum(steps)])[: len(extents)]
    blocks = []  # (mean wish, weight, count)
    for wish, weight in zip(np.asarray(wanted) - offsets, weights):
        blocks.append((wish, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((wa * a + wb * b) / (wa + wb), wa + wb, na + nb)]
    return np.concatenate([np.full(count, mean) for mean, _, count in blocks]) + offsets


def _layers(count, edges):
    """The layer of every box, counted back from the last: the edges of the longest path from the box to an end."""
    after = [[] for _ in range(count)]
    waiting = [0] * count  # edges out of a box whose target has no rank yet
    before = [[] for _ in range(count)]
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
        waiting[source] += 1
    rank, ready = [0] * count, [box for box in range(count) if not waiting[box]]
    for box in ready:  # grows during the loop
        rank[box] = max((rank[target] + 1 for target in after[box]), default=0)
        for source in before[box]:
            waiting[source] -= 1
            if not waiting[source]:
                ready.append(source)
    return [max(rank) - r for r in rank]


def _order(rows, before, after, links):
    """Sort every row, in place, by its boxes' neighbours; of all orders tried, keep that with the fewest crossings."""
    place = np.zeros(sum(map(len, rows)))

    def number(row):
        place[row] = np.arange(len(row))

    for row in rows:
        number(row)
    best, fewest = [list(row) for row in rows], _crossings(rows, links, place)
    for sweep in range(2 * SWEEPS):
        neighbours = after if sweep % 2 == 0 else before
        for row in rows[::-1] if sweep % 2 == 0 else rows:
            row.sort(key=lambda box: place[neighbours[box]].mean() if neighbours[box] else place[box])
            number(row)
        crossings = _crossings(rows, links, place)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _crossings(rows, links, place):
    layer = {box: n for n, row in enumerate(rows) for box in row}
    count = 0
    for n in range(len(rows) - 1):
        ends = np.array([(place[a], place[b]) for a, b in links if layer[a] == n])
        if len(ends):
            left = np.sign(ends[:, None] - ends[None]).prod(-1)
            count += int((left < 0).sum()) // 2
    return count


def _positions(rows, before, after, extents, weights):
    """Every box as close to the weighted mean of its neighbours as there is room."""
    across = np.zeros(len(extents))
    for row in rows:
        across[row] = spread(np.zeros(len(row)), extents[row], BETWEEN)
    for sweep in range(2 * SWEEPS + 1):  # the last one moves boxes, such as parameters, towards those that need them
        neighbours = after if sweep % 2 == 0 else before
        for row in rows[::-1] if sweep % 2 == 0 else rows:
            wanted = [
                np.average(across[near], weights=weights[near]) if (near := neighbours[box]) else across[box]
                for box in row
            ]
            across[row] = spread(wanted, extents[row], BETWEEN, weights[row])
    return across - min(across - extents / 2)


def _line(chain, across, along, ends, halves, shift):
    """The points of one edge, which runs straight through each layer and bends only between layers."""
    source, *bends, target = chain
    points = [(across[source] + shift, along[source] + halves[source])]
    if halves[source] < ends[source]:
        points.append((across[source] + shift, along[source] + ends[source]))
    for bend in bends:
        points += [(across[bend], along[bend] - ends[bend]), (across[bend], along[bend] + ends[bend])]
    if halves[target] < ends[target]:
        points.append((across[target] + shift, along[target] - ends[target]))
    points.append((across[target] + shift, along[target] - halves[target]))
    return np.array(points)
