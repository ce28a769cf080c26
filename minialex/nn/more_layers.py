"""Layers that a reader of the core may skip: further activations, dropout of maps, padding, resizing, batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional
from ..random import Generator
from ..support.types import Size
from ..tensor import Tensor
from .layers import BatchNorm2d
from .module import Module


class GELU(Module):
    """Gaussian error linear unit; see functional.gelu.

    approximate: "none" or "tanh".
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class ELU(Module):
    """Exponential linear unit; see functional.elu.

    alpha: minus the limit for x -> -infinity.
    inplace: write the result into the input's array.
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}" + (", inplace=True" if self.inplace else "")


class SiLU(Module):
    """Sigmoid linear unit, also called swish; see functional.silu.

    inplace: write the result into the input's array.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.silu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Softplus(Module):
    """A smooth relu; see functional.softplus.

    beta: how sharply it bends.
    threshold: beta x from which on y = x.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Dropout2d(Module):
    """Zero whole maps at random in training; see functional.dropout2d.

    p: probability from 0 to 1 that a map is dropped.
    inplace: write the result into the input's array.
    generator: a random.Generator for the masks; the default one if None.

    Raises ValueError where p is not a probability.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout2d: p is a probability from 0 to 1, got {p}")
        self.p, self.inplace, self.generator = p, inplace, generator

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout2d(input, self.p, self.training, self.inplace, generator=self.generator)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class AdaptiveMaxPool2d(Module):
    """Largest value of windows chosen so that the result has a given size; see functional.adaptive_max_pool2d.

    output_size: OH = OW, or (OH, OW), where None keeps the size of the input.
    return_indices: whether to return the places of the maxima as well.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Tensor:
        return functional.adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class ConstantPad2d(Module):
    """A margin of a constant around images; see functional.pad.

    padding: pixels on every side, or (left, right, top, bottom); a negative number cuts off as many.
    value: of the margin.
    """

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__()
        self.padding = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
        self.value = value
        if len(self.padding) != 4:
            raise ValueError(f"{type(self).__name__}: padding is a number or four (left, right, top, bottom)")

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ZeroPad2d(ConstantPad2d):
    """A margin of zeros around images.

    padding: pixels on every side, or (left, right, top, bottom); a negative number cuts off as many.
    """

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class Upsample(Module):
    """Images in another size; see functional.interpolate.

    size, scale_factor, mode, align_corners, recompute_scale_factor: as of functional.interpolate.
    """

    def __init__(
        self, size: Size | None = None, scale_factor: Any = None, mode: str = "nearest",
        align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if isinstance(scale_factor, (tuple, list)):
            scale_factor = tuple(float(factor) for factor in scale_factor)
        elif scale_factor is not None:
            scale_factor = float(scale_factor)
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return functional.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        given = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{given}, mode={self.mode!r}"


class BatchNorm1d(BatchNorm2d):
    """Normalise every feature over the batch, as BatchNorm2d does with channels.

    num_features, eps, momentum, affine, track_running_stats, bias: as of BatchNorm2d.

    Raises ValueError for an input that is neither (N, C) nor (N, C, L).
    """

    _takes = "(N, C) or (N, C, L)", (2, 3)
