"""The numba backend's kernels that go through arrays once, element by element: activation, dropout, optimisers.

All arrays are flat, and of one length: the piece of larger ones that `threads.parallel_for` gives this call. A loop
over len(x) becomes vector operations; over range(start, stop) it does not, since a negative index would count from the
end.
Numbers must come in the arrays' own type: a Python float would make every float32 loop a double one.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel, part

_M0, _M1, _W0, _W1 = (np.uint64(n) for n in (0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85))
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


@kernel
def relu(x, y):
    """y = max(x, 0); NaN stays NaN."""
    zero = x.dtype.type(0)
    for i in range(len(x)):
        y[i] = zero if x[i] <= 0 else x[i]


@kernel
def relu_backward(gy, y, gx):
    """gx = gy [y > 0 or NaN]"""
    zero = gy.dtype.type(0)
    for i in range(len(gx)):
        g = gy[i]  # read either way: a choice between two values is a vector operation, a jump around a read is not
        gx[i] = zero if y[i] <= 0 else g


@part(inline="always")  # as a function of its own it would make dropout a fifth slower
def philox(block, seed, call):
    """The four words of Philox at counter (block, call); `minialex/random.py` explains the generator."""
    c0, c1 = np.uint64(block) & _LOW, np.uint64(block) >> _HALF
    c2, c3 = call & _LOW, call >> _HALF
    k0, k1 = seed & _LOW, seed >> _HALF
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0 = (p1 >> _HALF) ^ c1 ^ k0
        c2 = (p0 >> _HALF) ^ c3 ^ k1
        c1, c3 = p1 & _LOW, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@kernel
def dropout(x, y, below, scale, seed, call, first):
    """y_i = scale x_i where word i % 4 of Philox at counter (first + i // 4, call) is smaller than `below`, else 0."""
    for block in range((len(x) + 3) // 4):
        words = philox(first + block, seed, call)
        for i in range(min(4, len(x) - 4 * block)):
            y[4 * block + i] = x[4 * block + i] * scale if words[i] < below else x[4 * block + i] * (scale - scale)


@kernel
def sgd(p, g, v, lr, momentum, fresh, weight_decay, nesterov, rate_inside):
    """One step of gradient descent, see NumPyBackend.sgd; v is empty without momentum, fresh = 1 - dampening."""
    for i in range(len(p)):
        step = g[i] + weight_decay * p[i]
        if rate_inside:
            step = lr * step
        if len(v):
            v[i] = momentum * v[i] + fresh * step
            step = step + momentum * v[i] if nesterov else v[i]
        p[i] -= step if rate_inside else lr * step


@kernel
def adam(p, g, m, v, rate, b1, b2, correction, eps, shrink, weight_decay):
    """One step of Adam, see NumPyBackend.adam.

    rate = lr / (1 - b1^t), correction = 1 - b2^t; shrink = 1 - lr weight_decay if that is decoupled, else 1.
    """
    one = p.dtype.type(1)
    for i in range(len(p)):
        gradient = g[i] + weight_decay * p[i]
        m[i] += (one - b1) * (gradient - m[i])
        v[i] = b2 * v[i] + (one - b2) * gradient * gradient
        p[i] = p[i] * shrink - rate * m[i] / (np.sqrt(v[i] / correction) + eps)
