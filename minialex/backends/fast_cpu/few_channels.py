"""Winograd's convolution of pictures with few channels, such as the first layer of a network sees.

With three channels, three products make each number of M: to store M and read it back takes longer than to make it. So
A^T M A makes the numbers of M where it needs them, and gU is summed while A gy A^T is made.
"""

from __future__ import annotations

import numpy as np

from .winograd import planned

MOST = 4  # channels


def conv2d(x, w, b, window, groups, outputs, relu=False):
    """As `winograd.conv2d`, of one group."""
    plan = planned(x.shape, w.shape, window, groups, x.dtype, outputs, maps=w.shape[1])
    (top, _), (left, _) = window.padding
    y = np.empty((len(x), len(w), *window.output), x.dtype)
    bias = np.zeros(len(w), x.dtype) if b is None else b
    u = plan.spread(w).reshape(-1)

    def compute(part, units):
        v, _ = plan.buffers()
        for unit in units:
            plan.cut(plan.kernels.bt, x, 0, unit, v, top, left)
            plan.paste(plan.kernels.at, v, y, 0, unit, 0, 0, bias, relu, u)

    plan.each_part(compute)
    return y


def conv2d_backward(gy, x_shape, w_shape, x, w, window, groups, outputs):
    """gw, and no gx: pictures need none."""
    plan = planned(x_shape, w_shape, window, groups, gy.dtype, outputs, backward=True, maps=w_shape[1])
    (top, _), (left, _) = window.padding
    gu = np.zeros((1, plan.parts, plan.places, plan.filters, plan.channels), gy.dtype)

    def compute(part, units):
        v, _ = plan.buffers()
        for unit in units:
            plan.cut(plan.kernels.bt, x, 0, unit, v, top, left)
            plan.cut(plan.kernels.a, gy, 0, unit, v, 0, 0, gu[0, part].reshape(-1))

    plan.each_part(compute)
    return None, plan.gather(gu)
