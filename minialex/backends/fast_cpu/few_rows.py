"""The matrix product of a fully connected layer for few pictures, on the fast CPU.

BLAS first copies both factors into an order that it can read fast. For many pictures that pays, since each weight is
then used many times; for 2 to 8 it takes longer than to multiply. Here the weights are read once, where they lie.
"""

from __future__ import annotations

from .compiled import reordering_kernel

MOST = 8  # rows; one row alone BLAS does not copy


@reordering_kernel
def multiply(x, w, y, start, stop):
    """y[:, start:stop] = x @ w[start:stop]^T for x (N, K), w (O, K), y (N, O): two rows of w by four of x at a time."""
    rows, length = x.shape
    zero = x.dtype.type(0)
    for o in range(start, stop, 2):
        v0, v1 = w[o], w[min(o + 1, stop - 1)]
        for n in range(0, rows, 4):
            x0, x1 = x[n], x[min(n + 1, rows - 1)]
            x2, x3 = x[min(n + 2, rows - 1)], x[min(n + 3, rows - 1)]
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            for k in range(length):
                a0 += x0[k] * v0[k]
                a1 += x1[k] * v0[k]
                a2 += x2[k] * v0[k]
                a3 += x3[k] * v0[k]
                b0 += x0[k] * v1[k]
                b1 += x1[k] * v1[k]
                b2 += x2[k] * v1[k]
                b3 += x3[k] * v1[k]
            for m, a, b in ((0, a0, b0), (1, a1, b1), (2, a2, b2), (3, a3, b3)):
                if n + m < rows:
                    y[n + m, o] = a
                    if o + 1 < stop:
                        y[n + m, o + 1] = b
