"""Layers of cuda-convnet, the program of 2012, that other frameworks lack."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import functional
from ..random import Generator
from ..support.types import DType, Padding, Size
from ..tensor import Tensor
from ..window import Window, check_padding, pair
from . import init
from .layers import _at_least_one, _place
from .module import Module, Parameter


class Local2d(Module):
    """Locally connected layer, a convolution whose filters differ from place to place; see functional.local2d.

    in_channels, out_channels: of the input and of the result.
    kernel_size, stride: pixels, an int or (vertical, horizontal).
    input_size: of the images, pixels (H, W), or an int for both.
    padding: pixels of zeros, in all forms of conv2d's.
    groups: equal blocks of channels that are connected apart.
    bias: whether there is one.
    device, dtype: as of Linear.

    weight is (OH, OW, out_channels, in_channels / groups, KH, KW), bias (out_channels, OH, OW): one of each for every
    output pixel. Initially both ~ U(-1/sqrt(fan_in), 1/sqrt(fan_in)), fan_in = in_channels / groups KH KW, as of
    Conv2d. Raises ValueError for sizes below 1, groups that do not divide the channels, and a window that does not fit.
    """

    weight: Parameter
    bias: Parameter | Any  # None without one

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, input_size: Size, stride: Size = 1,
        padding: Padding = 0, groups: int = 1, bias: bool = True, device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        _at_least_one("Local2d", in_channels=in_channels, out_channels=out_channels)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"Local2d: groups={groups} must divide both {in_channels} and {out_channels} channels")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = pair(kernel_size, "kernel_size"), pair(stride, "stride")
        self.input_size, self.padding = pair(input_size, "input_size"), check_padding(padding)
        _at_least_one("Local2d", input_size=self.input_size)
        self.output_size = Window.over(self.input_size, self.kernel_size, self.stride, self.padding).output
        weight = np.empty((*self.output_size, out_channels, in_channels // groups, *self.kernel_size), np.float32)
        self.weight = Parameter(weight)
        self.register_parameter(
            "bias", Parameter(np.empty((out_channels, *self.output_size), np.float32)) if bias else None
        )
        self.reset_parameters()
        _place(self, device, dtype)

    def reset_parameters(self) -> None:
        """Draw the initial weight and bias anew, from the default generator."""
        bound = 1 / math.sqrt(math.prod(self.weight.shape[3:]))
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                init.uniform_(parameter, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return functional.local2d(input, self.weight, self.bias, self.stride, self.padding, self.groups)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", input_size={self.input_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + ("" if self.bias is not None else ", bias=False")


class ContrastNorm(Module):
    """Divide each activation by a power of its neighbours' variance within the channel; see functional.contrast_norm.

        y = x (k + alpha / size^2 sum over neighbours of (x - their mean)^2)^-beta

    size, alpha, beta, k: as of functional.contrast_norm.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        _at_least_one("ContrastNorm", size=size)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return functional.contrast_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class StochasticPool2d(Module):
    """In training an element of every window, drawn in proportion to its value; see functional.stochastic_pool2d.

    kernel_size, stride, padding: pixels, an int or (vertical, horizontal); stride is kernel_size if None.
    ceil_mode: round the output size up.
    evaluation: what is computed in evaluation, "mean" or "max".
    generator: a random.Generator that is drawn from; the default one if None.

    Raises ValueError for another word.
    """

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False, *,
        evaluation: str = "mean", generator: Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if evaluation not in ("mean", "max"):
            raise ValueError(f'StochasticPool2d: evaluation is "mean" or "max", got {evaluation!r}')
        pair(kernel_size, "kernel_size")
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.evaluation, self.generator = padding, ceil_mode, evaluation, generator

    def forward(self, input: Tensor) -> Tensor:
        settings = self.kernel_size, self.stride, self.padding, self.ceil_mode, self.training
        ours: dict[str, Any] = {"evaluation": self.evaluation, "generator": self.generator}
        return functional.stochastic_pool2d(input, *settings, **ours)

    def extra_repr(self) -> str:
        text = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        text += ", ceil_mode=True" if self.ceil_mode else ""
        return text + (f", evaluation={self.evaluation!r}" if self.evaluation != "mean" else "")
