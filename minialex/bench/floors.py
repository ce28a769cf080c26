"""The floor: the time below which a piece of work cannot be done by the direct algorithm on this machine.

floor = max(2 macs / GEMM peak, bytes / bandwidth) for each layer, summed over the layers

macs: multiply-accumulates of the weights; what has no weights is taken to compute for nothing. bytes: every array that
comes in or goes out, once. Winograd's convolution does fewer multiplications, and arrays that stay in the cache need
no bandwidth: both may go below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import nn

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Cost:
    """Multiply-accumulates, and bytes to and from memory."""

    macs: int
    bytes: int

    @property
    def operations(self):
        """A multiplication and an addition each."""
        return 2 * self.macs


@dataclass(frozen=True)
class Limits:
    """gemm_peak in operations/s, bandwidth in bytes/s."""

    gemm_peak: float
    bandwidth: float


@dataclass(frozen=True)
class Floor:
    """seconds: the floor; computing: those of them that are spent where the operations are what takes long."""

    seconds: float
    computing: float


def of_layer(layer, training):
    """The Cost of a layer's forward pass or, in training, of its forward and backward.

    forward: x W and y once. backward: as many MACs again for gW and, unless the layer is the first, for gx; gradients
    of x, W and y once.
    """
    x, y, w, macs = math.prod(layer.input), math.prod(layer.output), parameters(layer.module), _macs(layer)
    if training:
        gx = 0 if layer.first else x
        return Cost(macs * (2 if layer.first else 3), FLOAT * (x + w + y + gx + w + y))
    if isinstance(layer.module, nn.Dropout) and layer.module.inverted:  # hands its input on as it is
        return Cost(0, 0)
    return Cost(macs, FLOAT * (x + w + y))


def _macs(layer):
    """For every number that comes out, as many as it has weights."""
    weighted = isinstance(layer.module, (nn.Conv2d, nn.Linear))
    return math.prod(layer.output) * math.prod(layer.module.weight.shape[1:]) if weighted else 0


def parameters(model):
    """How many numbers a model learns."""
    return sum(p.numel() for p in model.parameters())


def of_loss(rows, classes):
    """The Cost of softmax and cross-entropy, there and back: logits in, their gradient out."""
    return Cost(0, FLOAT * 2 * rows * classes)


def of_update(model):
    """The Cost of SGD with momentum: weights, gradients and velocities read, weights and velocities written."""
    return Cost(0, FLOAT * 5 * parameters(model))


def floor(costs, limits):
    """The Floor of pieces of work done one after another; limits: Limits, or a machine.Machine."""
    computing, moving = 0.0, 0.0
    for cost in costs:
        operations, traffic = cost.operations / limits.gemm_peak, cost.bytes / limits.bandwidth
        computing += operations if operations >= traffic else 0
        moving += traffic if traffic > operations else 0
    return Floor(computing + moving, computing)
