"""Winograd's transforms of filters, U = G g G^T, and of their gradients, gw = G^T gU G, for `winograd.py`.

A filter stands in r^2 neighbouring numbers, a transformed one in n^2 matrices far apart. So some filters at a time are
turned round, each of their taps side by side, and what follows are long runs over memory, as in `tiles.py`.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .compiled import ZERO, specialised
from .transforms import matrices, over_runs

TAPS = SIZE = RUN = 0  # in a kernel: r, n and the filters at a time
TIMES: Any = None  # in a kernel: G, or G^T, times the columns, or the rows, of filters

_RUN = np.int64(64)


def _spread(w, u, plane, start, stop):
    """u[(i n + j) plane + f] = (G g G^T)[i, j] of the filters g number `start` to `stop` of w, all flat."""
    taps, half = np.zeros(TAPS * TAPS * RUN, w.dtype), np.empty(SIZE * TAPS * RUN, w.dtype)
    line = TAPS * RUN
    for first in range(start, stop, RUN):
        many = min(RUN, stop - first)
        source = np.uint64(first * TAPS * TAPS)
        for f in range(np.uint64(many)):
            for k in range(np.uint64(TAPS * TAPS)):
                taps[k * np.uint64(RUN) + f] = w[source + f * np.uint64(TAPS * TAPS) + k]
        TIMES(taps, ZERO, line, ZERO, half, ZERO, line, ZERO, line)
        for i in range(SIZE):
            TIMES(half, i * line, RUN, ZERO, u, i * SIZE * plane + first, plane, ZERO, many)


def _gather(gu, parts, plane, gw, start, stop):
    """gw = G^T gU G of those filters; gu has `parts` shares of gU, one after the other, to be summed."""
    taps, half = np.empty(TAPS * TAPS * RUN, gw.dtype), np.empty(SIZE * TAPS * RUN, gw.dtype)
    line = TAPS * RUN
    for first in range(start, stop, RUN):
        many = min(RUN, stop - first)
        half[:] = taps[:] = 0
        for i in range(SIZE):
            for part in range(parts):
                source = (part * SIZE + i) * SIZE * plane + first
                TIMES(gu, source, plane, ZERO, half, i * line, RUN, ZERO, many)
        TIMES(half, ZERO, line, ZERO, taps, ZERO, line, ZERO, line)
        target = np.uint64(first * TAPS * TAPS)
        for f in range(np.uint64(many)):
            for k in range(np.uint64(TAPS * TAPS)):
                gw[target + f * np.uint64(TAPS * TAPS) + k] = taps[k * np.uint64(RUN) + f]


@functools.cache
def kernels(outputs, taps):
    """(spread, gather) of F(m, r). outputs, taps: m and r."""
    _, g, _ = matrices(outputs, taps)
    name, sizes = f"{outputs}_{taps}", {"TAPS": taps, "SIZE": len(g), "RUN": _RUN}
    there = over_runs("TIMES", g, len(g))
    back = over_runs("TIMES", g.T, len(g), True, added=True)
    return specialised(_spread, f"spread_{name}", [there], sizes), specialised(_gather, f"gather_{name}", [back], sizes)
