"""Loss functions as modules."""

from __future__ import annotations

from .. import functional
from ..tensor import Tensor
from .module import Module


class CrossEntropyLoss(Module):
    """Softmax and negative log-likelihood of logits; see functional.cross_entropy.

    weight, size_average, ignore_index, reduce, reduction, label_smoothing: as in functional.cross_entropy.
    """

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
    ):
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.options = (size_average, ignore_index, reduce, reduction, label_smoothing)

    def forward(self, input, target):
        """The loss of logits `input` (N, C) for the classes `target` (N,)."""
        return functional.cross_entropy(input, target, self.weight, *self.options)


class NLLLoss(Module):
    """Negative log-likelihood of log-probabilities; see functional.nll_loss.

    weight, size_average, ignore_index, reduce, reduction: as in functional.nll_loss.
    """

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.options = (size_average, ignore_index, reduce, reduction)

    def forward(self, input, target):
        """The loss of log-probabilities `input` (N, C) for the classes `target` (N,)."""
        return functional.nll_loss(input, target, self.weight, *self.options)


class MSELoss(Module):
    """Mean squared error; see functional.mse_loss.

    size_average, reduce, reduction: as in functional.mse_loss.
    """

    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        super().__init__()
        self.options = (size_average, reduce, reduction)

    def forward(self, input, target):
        """The loss of `input` for a `target` that broadcasts with it."""
        return functional.mse_loss(input, target, *self.options)
