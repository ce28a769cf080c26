"""Caffe's layers as modules of minialex.nn, computing what Caffe does in its phase TEST.

Each function adds a layer's modules to its Step and returns the shape of its output. Source of all rules: BVLC's
src/caffe/layers/*.cpp. Those that surprise:

    Pooling     the output size is rounded up, ceil((H + 2 pad - kernel) / stride) + 1; with padding, the last window
                must begin in the image or in the padding before it; a mean divides by the pixels of the window that
                lie in the padded image
    LRN         alpha is divided by the pixels of the window; WITHIN_CHANNEL ignores k, which is 1
    BatchNorm   blobs: mean, variance, and a factor that both are divided by (0: they are 0); Scale has weight and bias
    InnerProduct, Softmax, Concat ...       axes count from the batch, which is 0; negative ones from the last
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import nn
from ..data.pipeline import LARGEST_SIDE
from ..tensor import Tensor
from ..window import Window
from .caffe_steps import finite, pixels, shown


def _convolution(step):
    param, (channels, *size) = step.param, step.maps
    if step.axis(param.axis) != 1:
        raise ValueError(f"axis is {param.axis}; only convolutions of (N, C, H, W) over axis 1 are known")
    kernel = pixels(param, "kernel_size", "kernel", 1)
    stride, dilation = pixels(param, "stride", "stride", 1, 1), pixels(param, "dilation", "dilation", 1, 1)
    padding = pixels(param, "pad", "pad", 0, 0)
    step.expect_blobs(2 if param.bias_term else 1)
    weight = step.array(0, param.num_output, None, *kernel)
    inputs = weight.shape[1] * param.group
    if channels not in (None, inputs):
        raise ValueError(f"its weights {weight.shape} are for {inputs} channels, but its bottom has {channels}")
    layer = nn.Conv2d(
        inputs, param.num_output, kernel, stride, padding, dilation, groups=param.group, bias=param.bias_term
    )
    _fill(step, layer, weight)
    step.add(layer)
    if None in size:
        return param.num_output, None, None
    return param.num_output, *Window.over(size, kernel, stride, padding, dilation).output


def _fill(step, layer, weight):
    layer.weight = nn.Parameter(weight)
    if layer.bias is not None:
        layer.bias = nn.Parameter(step.array(1, step.param.num_output))


def _inner_product(step):
    param = step.param
    axis = step.axis(param.axis)
    kept, joined = step.input.shape[: axis - 1], step.input.shape[axis - 1 :]
    inputs = None if None in joined else math.prod(joined)
    step.expect_blobs(2 if param.bias_term else 1)
    if param.transpose:
        weight = np.ascontiguousarray(step.array(0, inputs, param.num_output).T)
    else:
        weight = step.array(0, param.num_output, inputs)
    layer = nn.Linear(weight.shape[1], param.num_output, bias=param.bias_term)
    _fill(step, layer, weight)
    step.chain({"flatten": nn.Flatten(axis), "": layer} if len(joined) > 1 else {"": layer})
    return *kept, param.num_output


def _pooling(step):
    param, (channels, *size) = step.param, step.maps
    means = param.pool == param.AVE
    if param.pool == param.STOCHASTIC:
        raise ValueError("stochastic pooling is not known, only MAX and AVE")
    padding, stride = pixels(param, "pad", "pad", 0, 0), pixels(param, "stride", "stride", 1, 1)
    if param.global_pooling:
        if padding != (0, 0) or stride != (1, 1) or param.kernel_size or param.HasField("kernel_h"):
            raise ValueError("global_pooling takes no kernel, padding or stride")
        step.add(nn.AdaptiveAvgPool2d(1) if means else nn.AdaptiveMaxPool2d(1))
        return channels, 1, 1
    kernel, ceil = pixels(param, "kernel_size", "kernel", 1), param.round_mode == param.CEIL
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise ValueError(f"padding {padding} of more than half the window {kernel} is not known")
    known = None not in size
    window = Window.over_pool((1, 1, *size), kernel, stride, padding, 1, ceil) if known else None
    if ceil and padding == (0, 0) and any(s > k for s, k in zip(stride, kernel)):
        sizes = [-((k - n) // s) + 1 for n, k, s in zip(size, kernel, stride)] if known else None
        if window is None or sizes != [*window.output]:
            raise ValueError(f"stride {stride} is larger than window {kernel}: Caffe's last window may have no pixels")
    kind: Any = nn.AvgPool2d if means else nn.MaxPool2d
    step.add(kind(*(n[0] if n[0] == n[1] else n for n in (kernel, stride, padding)), ceil_mode=ceil))
    return channels, *(window.output if window else (None, None))


def _lrn(step):
    param, within = step.param, step.param.norm_region == step.param.WITHIN_CHANNEL
    if param.local_size % 2 == 0 or param.local_size > LARGEST_SIDE:
        raise ValueError(f"local_size should be an odd number up to {LARGEST_SIDE:,}, got {param.local_size:,}")
    alpha, beta, k = map(finite, (param.alpha, param.beta, param.k))
    step.add(nn.LocalResponseNorm(param.local_size, alpha, beta, 1.0 if within else k, within_channel=within))
    return step.maps


def _relu(step):
    slope = finite(step.param.negative_slope)
    step.add(nn.LeakyReLU(slope) if slope else nn.ReLU())
    return step.input.shape


def _dropout(step):
    step.add(nn.Dropout(finite(step.param.dropout_ratio), inverted=step.param.scale_train))
    return step.input.shape


def _elu(step):
    step.add(nn.ELU(finite(step.param.alpha)))
    return step.input.shape


def _power(step):
    """y = (shift + scale x)^power"""
    power, scale, shift = map(finite, (step.param.power, step.param.scale, step.param.shift))
    modules: dict[str, nn.Module] = {} if scale == 1 else {"scale": nn.Call("mul", other=scale)}
    modules |= {} if shift == 0 else {"shift": nn.Call("add", other=shift)}
    modules |= {} if power == 1 else {"power": nn.Call("pow", exponent=power)}
    step.chain(modules or {"": nn.Identity()})
    return step.input.shape


def _plain(module, *arguments):
    """The function of a layer type that has no settings."""

    def convert(step):
        step.add(module(*arguments))
        return step.input.shape

    return convert


def _softmax(step):
    step.add(nn.Softmax(step.axis(step.param.axis)))
    return step.input.shape


def _flatten(step):
    start, end, shape = step.axis(step.param.axis), step.axis(step.param.end_axis), step.input.shape
    if start > end:
        raise ValueError(f"axes {start} to {end} cannot be joined")
    step.add(nn.Flatten(start, end))
    joined = shape[start - 1 : end]
    return *shape[: start - 1], None if None in joined else math.prod(joined), *shape[end:]


def _reshape(step):
    """0 stands for the number of the same axis, -1 for what is left."""
    old, dims = step.input.shape, list(step.param.shape.dim)
    if step.param.axis != 0 or step.param.num_axes != -1 or not 2 <= len(dims) <= 8 or dims[0] != 0:
        raise ValueError("only shapes of all axes that begin with 0, the batch, are known")
    new = [old[i] if n == 0 and i < len(old) else n for i, n in enumerate(dims[1:])]
    count = None if None in old else math.prod(old)
    rest = math.prod(n for n in new if n and n > 0)
    if None in new or new.count(-1) > 1 or min(new) < -1 or 0 in new:
        raise ValueError(f"the shape {dims} cannot be made of {shown(old)}")
    if count is not None and (count % rest if -1 in new else count != rest):
        raise ValueError(f"the shape {dims} cannot be made of {shown(old)}")
    step.add(nn.Reshape(*new))
    return tuple(n if n > 0 else None if count is None else count // rest for n in new)


def _concat(step):
    param, shapes = step.param, [bottom.shape for bottom in step.bottoms]
    axis = step.axis(param.concat_dim if param.HasField("concat_dim") else param.axis, shapes[0] if shapes else ())
    rest = [(*shape[: axis - 1], *shape[axis:]) for shape in shapes]
    _same(rest)
    step.add(nn.Concat(axis), [bottom.name for bottom in step.bottoms])
    along = [shape[axis - 1] for shape in shapes]
    return *shapes[0][: axis - 1], None if None in along else sum(along), *shapes[0][axis:]


def _same(shapes):
    """The shape that several have; raises ValueError where they differ."""
    fitting = len({*map(len, shapes)}) == 1 and all(len({*numbers} - {None}) <= 1 for numbers in zip(*shapes))
    if not fitting:
        raise ValueError(f"its bottoms do not fit together: {', '.join(map(shown, shapes[:9]))}")
    return tuple(next((n for n in numbers if n is not None), None) for numbers in zip(*shapes))


def _eltwise(step):
    """SUM: sum of coefficient times bottom; PROD: product; MAX: the largest."""
    param, names = step.param, [bottom.name for bottom in step.bottoms]
    shape = _same([bottom.shape for bottom in step.bottoms])
    factors = [finite(value) for value in param.coeff] or [1.0] * len(names)
    if len(names) < 2 or len(factors) != len(names):
        raise ValueError(f"it should have two bottoms or more, and as many coefficients, got {len(names)}")
    if param.operation == param.SUM:
        for i, factor in enumerate(factors):
            if factor != 1:
                names[i] = step.add(nn.Call("mul", other=factor), [names[i]], f"scaled{i}")
        step.add(nn.Add(), names)
    elif any(factor != 1 for factor in factors):
        raise ValueError("only a sum takes coefficients")
    elif param.operation == param.PROD:
        step.add(nn.Multiply(), names)
    else:
        largest = names[0]
        for i, name in enumerate(names[1:], 1):
            largest = step.add(nn.Call("maximum"), [largest, name], f"max{i}" if i < len(names) - 1 else "")
    return shape


def _batch_norm(step):
    param, shape = step.param, step.input.shape
    if param.HasField("use_global_stats") and not param.use_global_stats:
        raise ValueError("use_global_stats: false means the statistics of each batch; set it to true in a prototxt")
    step.expect_blobs(3)
    factor = step.array(2, 1)[0]
    mean, variance = step.array(0, shape[0]), step.array(1, shape[0])
    kind: Any = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    momentum = finite(1 - finite(param.moving_average_fraction))
    layer = kind(len(mean), finite(param.eps), momentum, affine=False)
    with np.errstate(all="ignore"):
        scale = np.float32(0) if factor == 0 else 1 / factor
        layer.running_mean, layer.running_var = Tensor(mean * scale), Tensor(variance * scale)
    step.add(layer)
    return len(mean), *shape[1:]


def _scale(step):
    """y = weight x + bias, of one number for each channel, or of other axes; a batch normalisation takes them over."""
    param = step.param
    step.expect_blobs(2 if param.bias_term else 1)
    weight = step.blobs[0]
    axis = step.axis(param.axis) if weight.shape else 1
    if step.norm is not None and axis == 1 and weight.shape == (step.norm.num_features,):
        bias = step.array(1, *weight.shape) if param.bias_term else np.zeros(weight.shape, np.float32)
        step.norm.affine, step.norm.weight, step.norm.bias = True, nn.Parameter(weight.array()), nn.Parameter(bias)
        return step.input.shape
    product = [step.input.name, _along(step, 0, axis, "weight")]
    if not param.bias_term:
        step.add(nn.Multiply(), product)
    else:
        scaled = step.add(nn.Multiply(), product, "scaled")
        step.add(nn.Add(), [scaled, _along(step, 1, axis, "bias")])
    return step.input.shape


def _bias(step):
    step.expect_blobs(1)
    axis = step.axis(step.param.axis) if step.blobs[0].shape else 1
    step.add(nn.Add(), [step.input.name, _along(step, 0, axis, "bias")])
    return step.input.shape


def _along(step, number, axis, part):
    """Add a blob as a Parameter that broadcasts along an axis and those behind it; returns its name."""
    shape, blob = step.input.shape, step.blobs[number]
    after = len(shape) - (axis - 1) - len(blob.shape)
    if after < 0:
        raise ValueError(f"its array {number} {shown(blob.shape)} does not fit axis {axis} of {shown(shape)}")
    array = step.array(number, *shape[axis - 1 : axis - 1 + len(blob.shape)])
    return step.add(nn.Parameter(array.reshape(*array.shape, *[1] * after)), [], part)


LAYERS = {
    "AbsVal": ("", _plain(nn.Call, "abs")),
    "BatchNorm": ("batch_norm_param", _batch_norm),
    "Bias": ("bias_param", _bias),
    "Concat": ("concat_param", _concat),
    "Convolution": ("convolution_param", _convolution),
    "Dropout": ("dropout_param", _dropout),
    "ELU": ("elu_param", _elu),
    "Eltwise": ("eltwise_param", _eltwise),
    "Flatten": ("flatten_param", _flatten),
    "InnerProduct": ("inner_product_param", _inner_product),
    "LRN": ("lrn_param", _lrn),
    "Pooling": ("pooling_param", _pooling),
    "Power": ("power_param", _power),
    "ReLU": ("relu_param", _relu),
    "Reshape": ("reshape_param", _reshape),
    "Scale": ("scale_param", _scale),
    "Sigmoid": ("", _plain(nn.Sigmoid)),
    "Softmax": ("softmax_param", _softmax),
    "TanH": ("", _plain(nn.Tanh)),
}
