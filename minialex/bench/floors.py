"""Roofline lower bounds: the least time that an algorithm needs on this machine.

    floor = max(2 macs / GEMM peak, bytes / bandwidth) for each layer, summed over the layers

macs: multiply-accumulates with the weights; layers without weights count as no computation. bytes: every input and
output array, once, and what Winograd's algorithm puts down in between. The CPU's floors are those of the algorithms
that the numba backend chooses (`as_computed`), the GPU's those of the direct ones (`of_layer`). Arrays that stay in the
cache need no bandwidth, and can be faster than the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import nn
from ..models.layout import window_of

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Cost:
    """The work of one operation.

    macs: multiply-accumulates.
    bytes: to and from memory.
    """

    macs: int
    bytes: int

    @property
    def operations(self):
        """Floating-point operations: a multiplication and an addition for each multiply-accumulate."""
        return 2 * self.macs


@dataclass(frozen=True)
class Limits:
    """The speed of a machine.

    gemm_peak: floating-point operations/s in matrix products.
    bandwidth: bytes/s.
    """

    gemm_peak: float
    bandwidth: float


@dataclass(frozen=True)
class Floor:
    """A lower bound on time.

    seconds: the bound.
    computing: the seconds of it in compute-bound layers.
    """

    seconds: float
    computing: float


def of_layer(layer, training):
    """The Cost of a layer's forward pass or, in training, of its forward and backward pass, computed directly.

    MACs are models.layout's. Forward moves x, W and y once. Backward takes as many MACs again for gW and, unless the
    layer is the first, for gx, and moves the gradients of x, W and y once.

    layer: a workloads.Layer.
    training: whether to include the backward pass.
    """
    x, y, w, macs = math.prod(layer.input), math.prod(layer.output), parameters(layer.module), layer.macs
    if training:
        gx = 0 if layer.first else x
        return Cost(macs * (2 if layer.first else 3), FLOAT * (x + w + y + gx + w + y))
    if isinstance(layer.module, nn.Dropout) and layer.module.inverted:  # the identity in evaluation
        return Cost(0, 0)
    return Cost(macs, FLOAT * (x + w + y))


def as_computed(layer, training):
    """The Cost of a layer by the algorithm that the numba backend chooses: of_layer's, except for Winograd's.

        macs   n^2 T O C / groups, for each of forward, gw and, unless the layer is the first, gx
        bytes  of_layer's, and each of these arrays once written and once read:
               forward V, M, U;  gw: V again, gM, gU;  gx: U again, gV
        V, gV  n^2 T C numbers, the tiles of x
        M, gM  n^2 T O, those of y; none where they are made on the way (fast_cpu/few_channels.py)
        U, gU  n^2 O C / groups, the filters

    T tiles of n x n in the batch, O filters, C channels: with a stride s, s^2 times those of x (fast_cpu/blocks.py).
    The transforms' arithmetic is not counted, nor, with a stride, the copies into blocks and back.

    layer: a workloads.Layer.
    training: whether to include the backward pass.
    """
    direct = of_layer(layer, training)
    if not isinstance(layer.module, nn.Conv2d):
        return direct
    try:
        from ..backends.fast_cpu import ways
    except ImportError:  # without Numba
        return direct
    w_shape, groups = layer.module.weight.shape, layer.module.groups
    window = window_of(layer.module, layer.input[1:])
    way = ways.choose(layer.input[1:], w_shape, window, groups, np.float32)
    if not way.outputs:
        return direct
    filters, depth = w_shape[0], w_shape[1] * window.stride[0] ** 2  # C / groups
    macs = layer.input[0] * ways.multiplications(way, w_shape, window, groups)
    places, square = macs // (filters * depth), (way.outputs + way.taps - 1) ** 2  # n^2 T, n^2
    v, u = places * depth * groups, square * filters * depth
    m = 0 if ways.on_the_way(w_shape, window) else places * filters
    passes = (2 if layer.first else 3) if training else 1
    return Cost(passes * macs, direct.bytes + FLOAT * 2 * (passes * (v + u) + min(passes, 2) * m))


def parameters(model):
    """The number of a model's parameters."""
    return sum(p.numel() for p in model.parameters())


def of_loss(rows, classes):
    """The Cost of softmax and cross-entropy, forward and backward: (rows, classes) logits in, their gradient out."""
    return Cost(0, FLOAT * 2 * rows * classes)


def of_update(model):
    """The Cost of a model's SGD step with momentum: reads w, g and v, writes w and v."""
    return Cost(0, FLOAT * 5 * parameters(model))


def floor(costs, limits):
    """The Floor of operations that run one after another.

    costs: their Costs.
    limits: Limits, or a machine.Machine.
    """
    computing, moving = 0.0, 0.0
    for cost in costs:
        operations, traffic = cost.operations / limits.gemm_peak, cost.bytes / limits.bandwidth
        computing += operations if operations >= traffic else 0
        moving += traffic if traffic > operations else 0
    return Floor(computing + moving, computing)
