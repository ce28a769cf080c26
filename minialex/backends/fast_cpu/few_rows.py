"""The matrix product of a fully connected layer for few pictures, on the fast CPU.

BLAS first copies both factors into an order that it can read fast. For many pictures that pays, since each weight is
then used many times; for 2 it takes longer than to multiply, for 32 still a quarter of the time. Here the weights are
read once, where they lie, and of the pictures as much at a time as stays in the second cache.
"""

from __future__ import annotations

from .compiled import reordering_kernel

MOST = 32  # rows; one row alone BLAS does not copy
_ROOM = 1 << 16  # numbers of x at a time


@reordering_kernel
def multiply(x, w, y, start, stop):
    """y[:, start:stop] = x @ w[start:stop]^T for x (N, K), w (O, K), y (N, O): four rows of each at a time."""
    rows, length = x.shape
    zero = x.dtype.type(0)
    pieces = max(1, (rows * length + _ROOM - 1) // _ROOM)
    for piece in range(pieces):
        first, last = length * piece // pieces, length * (piece + 1) // pieces
        for o in range(start, stop, 4):
            o1, o2, o3 = min(o + 1, stop - 1), min(o + 2, stop - 1), min(o + 3, stop - 1)
            v0, v1, v2, v3 = w[o, first:last], w[o1, first:last], w[o2, first:last], w[o3, first:last]
            for n in range(0, rows, 4):
                n1, n2, n3 = min(n + 1, rows - 1), min(n + 2, rows - 1), min(n + 3, rows - 1)
                x0, x1, x2, x3 = x[n, first:last], x[n1, first:last], x[n2, first:last], x[n3, first:last]
                a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zero
                for k in range(last - first):
                    a0 += x0[k] * v0[k]
                    b0 += x1[k] * v0[k]
                    c0 += x2[k] * v0[k]
                    d0 += x3[k] * v0[k]
                    a1 += x0[k] * v1[k]
                    b1 += x1[k] * v1[k]
                    c1 += x2[k] * v1[k]
                    d1 += x3[k] * v1[k]
                    a2 += x0[k] * v2[k]
                    b2 += x1[k] * v2[k]
                    c2 += x2[k] * v2[k]
                    d2 += x3[k] * v2[k]
                    a3 += x0[k] * v3[k]
                    b3 += x1[k] * v3[k]
                    c3 += x2[k] * v3[k]
                    d3 += x3[k] * v3[k]
                sums = (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3), (d0, d1, d2, d3)
                for i, row in enumerate(sums):
                    for j, total in enumerate(row):
                        if n + i < rows and o + j < stop:
                            y[n + i, o + j] = total + (y[n + i, o + j] if piece else zero)
