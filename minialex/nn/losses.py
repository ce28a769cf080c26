"""Loss functions as modules."""

from __future__ import annotations

from .. import functional
from ..support.types import Array
from ..tensor import Tensor
from .module import Module


class CrossEntropyLoss(Module):
    """Softmax and negative log-likelihood of logits; see functional.cross_entropy.

    weight, size_average, ignore_index, reduce, reduction, label_smoothing: as in functional.cross_entropy.
    """

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | Array | None = None, size_average: bool | None = None, ignore_index: int = -100,
        reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.options = (size_average, ignore_index, reduce, reduction, label_smoothing)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of logits `input` (N, C) for the classes `target` (N,)."""
        return functional.cross_entropy(input, target, self.weight, *self.options)


class NLLLoss(Module):
    """Negative log-likelihood of log-probabilities; see functional.nll_loss.

    weight, size_average, ignore_index, reduce, reduction: as in functional.nll_loss.
    """

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | Array | None = None, size_average: bool | None = None, ignore_index: int = -100,
        reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.options = (size_average, ignore_index, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of log-probabilities `input` (N, C) for the classes `target` (N,)."""
        return functional.nll_loss(input, target, self.weight, *self.options)


class MSELoss(Module):
    """Mean squared error; see functional.mse_loss.

    size_average, reduce, reduction: as in functional.mse_loss.
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.options = (size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of `input` for a `target` that broadcasts with it."""
        return functional.mse_loss(input, target, *self.options)


class L1Loss(Module):
    """Mean absolute error; see functional.l1_loss.

    size_average, reduce, reduction: as in functional.l1_loss.
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.options = (size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of `input` for a `target` that broadcasts with it."""
        return functional.l1_loss(input, target, *self.options)


class SmoothL1Loss(Module):
    """Absolute error with a parabola in the place of the kink; see functional.smooth_l1_loss.

    size_average, reduce, reduction, beta: as in functional.smooth_l1_loss.
    """

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__()
        self.options = (size_average, reduce, reduction, beta)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of `input` for a `target` that broadcasts with it."""
        return functional.smooth_l1_loss(input, target, *self.options)


class HuberLoss(Module):
    """Squared error of small differences, absolute error of large ones; see functional.huber_loss.

    reduction, delta: as in functional.huber_loss.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__()
        self.options = (reduction, delta)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of `input` for a `target` that broadcasts with it."""
        return functional.huber_loss(input, target, *self.options)


class BCELoss(Module):
    """Cross-entropy of yes-or-no questions, of probabilities; see functional.binary_cross_entropy.

    weight, size_average, reduce, reduction: as in functional.binary_cross_entropy.
    """

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | Array | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.options = (size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of probabilities `input` for a `target` of the same shape."""
        return functional.binary_cross_entropy(input, target, self.weight, *self.options)


class BCEWithLogitsLoss(Module):
    """Sigmoid and the cross-entropy of yes-or-no questions in one; see functional.binary_cross_entropy_with_logits.

    weight, size_average, reduce, reduction, pos_weight: as in functional.binary_cross_entropy_with_logits.
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | Array | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean", pos_weight: Tensor | Array | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.register_buffer("weight", None if weight is None else Tensor(weight))
        self.register_buffer("pos_weight", None if pos_weight is None else Tensor(pos_weight))
        self.options = (size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor | Array) -> Tensor:
        """The loss of logits `input` for a `target` of the same shape."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, *self.options, pos_weight=self.pos_weight
        )
