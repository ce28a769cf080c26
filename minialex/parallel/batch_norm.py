"""Batch normalisation over a batch that ranks share, as torch's SyncBatchNorm.

With n values of a channel on all ranks together, and the sums over all of them,

    mean = 1/n sum x      var = 1/n sum (x - mean)^2      y = w (x - mean) / sqrt(var + eps) + b

Each sum is the sum over ranks of their own sums, an operation whose gradient is one, too: backward needs no formula
of its own.
"""

from __future__ import annotations

import math

import numpy as np

from ..nn import BatchNorm2d
from ..support.types import Any, Callable
from ..tensor import Tensor, no_grad
from .group import Group
from .operations import all_reduce


class synchronise:
    """Makes a layer of batch normalisation use the statistics of all ranks' pictures, in training.

    layer: the BatchNorm2d, or BatchNorm1d.
    group: the ranks that share each batch; all must be in the layer, also those without pictures.

    `remove()` makes it an ordinary one again.
    """

    def __init__(self, layer: BatchNorm2d, group: Group) -> None:
        self.layer, self.group = layer, group
        self._alone: Callable[[Tensor], Tensor] = layer.forward
        object.__setattr__(layer, "forward", self.forward)

    def remove(self) -> None:
        """Make the layer use the statistics of its own pictures again."""
        object.__delattr__(self.layer, "forward")

    def forward(self, input: Tensor) -> Tensor:
        """y, as above. Raises ValueError where the ranks have a single value of each channel, all together."""
        layer = self.layer
        if not layer.training and layer.track_running_stats:
            return self._alone(input)
        axes = (0, *range(2, input.ndim))
        form = (1, -1, *(1,) * (input.ndim - 2))
        own = np.array([math.prod(input.shape) // input.shape[1]], np.int64)
        count = int(self.group.all_reduce(own)[0])
        if count < 2:
            raise ValueError("batch_norm in training needs more than one value for every channel in the whole batch")
        mean = all_reduce(input.sum(axes), self.group) / count
        centred = input - mean.reshape(form)
        variance = all_reduce((centred * centred).sum(axes), self.group) / count
        y = centred / (variance + layer.eps).sqrt().reshape(form)
        if layer.weight is not None:
            y = y * layer.weight.reshape(form)
        if layer.bias is not None:
            y = y + layer.bias.reshape(form)
        if layer.training and layer.track_running_stats:
            self._remember(mean, variance * (count / (count - 1)))
        return y

    @no_grad()
    def _remember(self, mean: Any, unbiased: Any) -> None:
        """running = (1 - momentum) running + momentum batch"""
        layer = self.layer
        layer.num_batches_tracked.data += 1
        momentum = 1 / layer.num_batches_tracked.item() if layer.momentum is None else layer.momentum
        for running, batch in ((layer.running_mean, mean), (layer.running_var, unbiased)):
            running.data += momentum * (batch.data - running.data)
