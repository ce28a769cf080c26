"""The layers: each keeps its settings and parameters, and calls its function in minialex.functional."""

from __future__ import annotations

import math

import numpy as np

from .. import functional
from ..random import Generator
from ..support.arguments import refuse
from ..support.types import Any, DType, Padding, Size
from ..tensor import Tensor
from ..window import check_padding, pair
from . import init
from .module import Module, Parameter
from .module_methods import BatchNormMethods


class _Initialised(Module):
    """A layer that begins with torch's initial values."""

    weight: Parameter
    bias: Parameter | Any  # None without one

    def reset_parameters(self):
        """Draw the initial weight and bias anew, from the default generator."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)


class Linear(_Initialised):
    """Fully connected layer.

        y = x W^T + b

    in_features, out_features: sizes of the last axis of the input and of the result.
    bias: whether there is a b.
    device, dtype: what Module.to takes: a backend and a floating-point dtype, the default one and float32 if None.

    weight is (out_features, in_features). Initially weight and bias ~ U(-1/sqrt(in), 1/sqrt(in)), as in torch. Raises
    ValueError for sizes below 1.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: DType | None = None
    ) -> None:
        super().__init__()
        _at_least_one("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_features, np.float32)) if bias else None)
        self.reset_parameters()
        _place(self, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Conv2d(_Initialised):
    """Convolution of images; see functional.conv2d.

    in_channels, out_channels: of the input and of the result.
    kernel_size, stride, padding, dilation: pixels, an int or (vertical, horizontal); padding in all forms of conv2d.
    groups: equal blocks of channels that are convolved apart.
    bias: whether there is one.
    padding_mode: "zeros" only: functional.pad has torch's other margins.
    device, dtype: as of Linear.

    weight is (out_channels, in_channels / groups, KH, KW). Initially weight and bias ~ U(-1/sqrt(fan_in),
    1/sqrt(fan_in)), as in torch. Raises ValueError for sizes below 1 and groups that do not divide the channels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1, padding: Padding = 0,
        dilation: Size = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        instead = "functional.pad(x, (left, right, top, bottom), mode) before it"
        refuse("Conv2d", instead, padding_mode=(padding_mode, "zeros"))
        _at_least_one("Conv2d", in_channels=in_channels, out_channels=out_channels)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"Conv2d: groups={groups} must divide both {in_channels} and {out_channels} channels")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair(kernel_size, "kernel_size")
        self.stride, self.dilation = pair(stride, "stride"), pair(dilation, "dilation")
        _at_least_one("Conv2d", kernel_size=self.kernel_size, stride=self.stride, dilation=self.dilation)
        self.padding = check_padding(padding)
        self.weight = Parameter(np.empty((out_channels, in_channels // groups, *self.kernel_size), np.float32))
        self.register_parameter("bias", Parameter(np.empty(out_channels, np.float32)) if bias else None)
        self.reset_parameters()
        _place(self, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return functional.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += f", dilation={self.dilation}" if self.dilation != (1, 1) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + ("" if self.bias is not None else ", bias=False")


def _at_least_one(name, **numbers):
    for setting, value in numbers.items():
        if np.min(value) < 1:
            raise ValueError(f"{name}: {setting} must be at least 1, got {value}")


def _place(layer, device, dtype):
    for target in (device, dtype):
        if target is not None:
            layer.to(target)


class ReLU(Module):
    """Rectified linear unit, y = max(x, 0); see functional.relu.

    inplace: write the result into the input's array.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.relu(input, self.inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """y = x where x > 0, else negative_slope x; see functional.leaky_relu.

    negative_slope: the slope below 0.
    inplace: write the result into the input's array.
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class Sigmoid(Module):
    """Logistic function, y = 1 / (1 + e^-x)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.sigmoid(input)


class Identity(Module):
    """y = x, whatever arguments it was made with: stands in the place of a layer that was removed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Tanh(Module):
    """Hyperbolic tangent, y = tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.tanh(input)


class MaxPool2d(Module):
    """Largest value in every window; see functional.max_pool2d.

    kernel_size, stride, padding, dilation: pixels, an int or (vertical, horizontal); stride is kernel_size if None.
    return_indices: also return the pixels where the maxima stood.
    ceil_mode: round the output size up.
    """

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        pair(kernel_size, "kernel_size")
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.ceil_mode = padding, dilation, ceil_mode
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor:
        settings = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        return functional.max_pool2d(input, *settings)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class AvgPool2d(Module):
    """Mean of every window; see functional.avg_pool2d.

    kernel_size, stride, padding: pixels, an int or (vertical, horizontal); stride is kernel_size if None.
    ceil_mode: round the output size up.
    count_include_pad: whether padding counts in the mean.
    divisor_override: a number to divide by instead.
    """

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        pair(kernel_size, "kernel_size")
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return functional.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Means of windows chosen so that the result has a given size; see functional.adaptive_avg_pool2d.

    output_size: OH = OW, or (OH, OW), where None keeps the size of the input.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class BatchNorm2d(BatchNormMethods, Module):
    """Normalise every channel over the batch, then scale and shift it by learned weights; see functional.batch_norm.

        running = (1 - momentum) running + momentum batch

    num_features: channels C.
    eps: keeps the divisor above 0.
    momentum: how far the running statistics move in a batch; None averages all batches alike.
    affine: whether there are a weight and a bias (C).
    track_running_stats: whether there are running statistics; without them evaluation uses the batch's too.
    device, dtype: as of Linear.
    bias: whether there is a bias.

    Buffers: running_mean and running_var (C), num_batches_tracked. Raises ValueError for an input that is not (N, C, H,
        W).
    """

    _takes: tuple[str, tuple[int, ...]] = ("(N, C, H, W)", (4,))

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: DType | None = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        _at_least_one(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        ones, zeros = np.ones(num_features, np.float32), np.zeros(num_features, np.float32)
        self.register_parameter("weight", Parameter(ones) if affine else None)
        self.register_parameter("bias", Parameter(zeros) if affine and bias else None)
        self.register_buffer("running_mean", Tensor(zeros.copy()) if track_running_stats else None)
        self.register_buffer("running_var", Tensor(ones.copy()) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor(np.array(0)) if track_running_stats else None)
        _place(self, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        if np.ndim(input) not in self._takes[1]:
            raise ValueError(f"{type(self).__name__} needs input {self._takes[0]}, got {input.shape}")
        momentum, by_batch = self.momentum, self.training or not self.track_running_stats
        if self.training and self.track_running_stats:
            self.num_batches_tracked.data += 1
            momentum = 1 / self.num_batches_tracked.item() if momentum is None else momentum
        statistics = (self.running_mean, self.running_var)
        return functional.batch_norm(input, *statistics, self.weight, self.bias, by_batch, momentum, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class LocalResponseNorm(Module):
    """Divide each activation by a power of the energy of its neighbours; see functional.local_response_norm.

        y = x / (k + a sum of squares over neighbours)^beta

    size, alpha, beta, k, alpha_over, within_channel, groups: as of functional.local_response_norm.
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0, *, alpha_over: str = "window",
        within_channel: bool = False, groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        if alpha_over not in ("window", "element"):
            raise ValueError(f'LocalResponseNorm: alpha_over is "window" or "element", got {alpha_over!r}')
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.alpha_over, self.within_channel, self.groups = alpha_over, within_channel, groups

    def forward(self, input: Tensor) -> Tensor:
        return functional.local_response_norm(
            input,
            self.size,
            self.alpha,
            self.beta,
            self.k,
            alpha_over=self.alpha_over,
            within_channel=self.within_channel,
            groups=self.groups,
        )

    def extra_repr(self) -> str:
        text = f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
        text += f", alpha_over={self.alpha_over}" if self.alpha_over != "window" else ""
        text += f", within_channel={self.within_channel}" if self.within_channel else ""
        return text + (f", groups={self.groups}" if self.groups != 1 else "")


class Dropout(Module):
    """Zero activations at random in training; see functional.dropout.

    p: probability from 0 to 1 that an activation is dropped.
    inplace: write the result into the input's array.
    inverted: scale in training, as torch does; False scales in evaluation, as the paper does.
    generator: a random.Generator for the masks; the default one if None.

    Raises ValueError where p is not a probability.
    """

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, inverted: bool = True, generator: Generator | None = None
    ) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is a probability from 0 to 1, got {p}")
        self.p, self.inplace, self.inverted, self.generator = p, inplace, inverted, generator

    def forward(self, input: Tensor) -> Tensor:
        ours: dict[str, Any] = {"inverted": self.inverted, "generator": self.generator}
        return functional.dropout(input, self.p, self.training, self.inplace, **ours)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}" + ("" if self.inverted else ", inverted=False")


class Flatten(Module):
    """Join axes into one: from maps to the fully connected layers.

    start_dim, end_dim: the first and the last axis to join, both included.
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return functional.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
