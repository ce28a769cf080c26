"""Roofline lower bounds: the least time that the direct algorithm needs on this machine.

    floor = max(2 macs / GEMM peak, bytes / bandwidth) for each layer, summed over the layers

macs: multiply-accumulates of the weights (models.layout's); layers without weights count as no computation. bytes:
every input and output array, once. Winograd convolution does fewer multiplications, and arrays that stay in the cache
need no bandwidth: both can be faster than the floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import nn

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
    """The Cost of a layer's forward pass or, in training, of its forward and backward pass.

    Forward moves x, W and y once. Backward takes as many MACs again for gW and, unless the layer is the first, for gx,
    and moves the gradients of x, W and y once.

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
