"""ONNX's operators as layers of minialex.nn: those with weights, windows and normalisation.

https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import numpy as np

from .. import nn
from ..nn import init
from ..tensor import Tensor
from .onnx_graph import Constant, Value, operator
from .onnx_node import decimal_of
from .onnx_tensors import Fault
from .onnx_windows import average_pool, maps, maps_back, max_pool, window

# -------------------------------------------------------------------------------------------------- layers with weights


@operator("Conv")
def conv(node):
    """Cross-correlation, as Conv2d: X (N, C, H, W), W (O, C / group, KH, KW), B (O).

    pads = (top, left, bottom, right), or auto_pad. SAME_UPPER is TensorFlow's rule, padding="same".
    """
    x = node.value(0)
    weight, bias = node.constant(1, "the weight", x), node.constant(2, "the bias", x)
    if weight is None or not 3 <= weight.array.ndim <= 4:
        raise Fault(f"its weight is {weight and weight.shape}; convolutions of one and two spatial axes are read")
    flat = weight.array.ndim == 3  # one spatial axis: images of one row
    outputs, inputs, *kernel = weight.shape
    kernel = [1, *kernel] if flat else kernel
    groups = node.int("group", 1)
    if groups < 1 or outputs % groups:
        raise Fault(f"group={groups} must divide the {outputs} filters of its weight {weight.shape}")
    _check_channels(x, groups * inputs, weight.array.ndim)
    if bias is not None and bias.shape != (outputs,):
        raise Fault(f"its bias is {bias.shape} for {outputs} filters")
    if node.ints("kernel_shape", kernel[flat:], len(kernel) - flat) != kernel[flat:]:
        raise Fault(f"kernel_shape does not fit its weight {weight.shape}")
    x, rank = maps(node, x)
    w = window(node, x, kernel, rank, unknown_same=True)
    with init.skipped():
        layer = nn.Conv2d(groups * inputs, outputs, short(kernel), short(w.stride), w.for_conv(), short(w.dilation),
            groups, bias=bias is not None)  # fmt: skip
    layer.weight = node.network.parameter(weight, *(["2-D", lambda a: a[:, :, None]] if flat else []))
    if bias is not None:
        layer.bias = node.network.parameter(bias)
    return maps_back(node, node.layer(layer, x, shape=w.shape(outputs)), rank)


def short(pair):
    """A pair of equal numbers as one."""
    return pair[0] if pair[0] == pair[1] else tuple(pair)


def _check_channels(x, channels, rank=None):
    """Raise Fault unless a Value has this number of channels, or axes, as far as they are known."""
    if x.shape is None:
        return
    if rank is not None and len(x.shape) != rank:
        raise Fault(f"its input {x.shape} has {len(x.shape)} axes, expected {rank}")
    if len(x.shape) < 2 or (isinstance(x.shape[1], int) and x.shape[1] != channels):
        raise Fault(f"its input {x.shape} should have {channels} channels")


def linear(node, x, weight, bias, form="", changed=None):
    """A Linear of x (..., in) whose weight is (out, in) after `changed`, and whose bias, if any, is (out,)."""
    w = node.network.parameter(weight, form, changed)
    outputs, inputs = w.shape
    if x.shape is not None and (not x.shape or (isinstance(x.shape[-1], int) and x.shape[-1] != inputs)):
        raise Fault(f"its input {x.shape} should have {inputs} features, as its weight has")
    with init.skipped():
        layer = nn.Linear(inputs, outputs, bias=bias is not None)
    layer.weight = w
    if bias is not None:
        layer.bias = bias
    return node.layer(layer, x, shape=None if x.shape is None else (*x.shape[:-1], outputs))


@operator("Gemm")
def gemm(node):
    """y = alpha A B + beta C, as Linear: A (N, in), or its transpose with transA; B (in, out); C broadcasts.

    Linear's weight is (out, in), B's transpose, which exporters avoid with transB = 1. alpha and beta go into the
    weight and the bias.
    """
    a, b, c = node.value(0), node.any(1), node.input(2)
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    turned, as_it_is = node.flag("transA"), node.flag("transB")
    if any(x.shape is not None and len(x.shape) != 2 for x in (a, b)):
        raise Fault(f"its inputs {a.shape} and {b.shape} should be matrices")
    if turned:
        shape = None if a.shape is None else a.shape[::-1]
        a = node.layer(nn.Call("transpose", dim0=0, dim1=1), a, shape=shape, name="transposed")
    if isinstance(b, Value):
        raise Fault("its second matrix must be constant, but it is computed from the image")
    _check_type(b, a)
    form = f"{'' if as_it_is else 'transposed'}{alpha}" if alpha != 1 or not as_it_is else ""
    outputs = b.shape[0 if as_it_is else 1]

    def changed(array):
        array = array if as_it_is else array.T
        with np.errstate(all="ignore"):
            return array if alpha == 1 else array * array.dtype.type(alpha)

    bias = _bias(node, c, beta, outputs, a) if isinstance(c, Constant) else None
    rest = c if bias is None else None
    name = node.name
    node.name = name if rest is None else f"{name}.product"
    y = linear(node, a, b, bias, form, changed if form else None)
    node.name = name
    if rest is None:
        return y
    if beta != 1:
        rest = node.value(2)
        rest = node.layer(nn.Call("mul", other=beta), rest, shape=rest.shape, name="scaled")
    return node.layer(nn.Add(), y, rest, shape=node.broadcast(y.shape, rest.shape))


def _check_type(constant, x):
    if constant.array.dtype != x.dtype:
        raise Fault(f"its weight is {constant.array.dtype} where the input is {x.dtype}")


def _bias(node, constant, beta, outputs, like):
    """The bias (out,) of a Linear that adds beta times a Constant; None where that is another for every row."""
    if constant.shape not in ((), (1,), (1, 1), (outputs,), (1, outputs)):
        return None
    _check_type(constant, like)
    if constant.shape == (outputs,) and beta == 1:
        return node.network.parameter(constant)

    def changed(array):
        with np.errstate(all="ignore"):
            return np.broadcast_to(array.reshape(-1), outputs) * array.dtype.type(beta)

    return node.network.parameter(constant, f"bias {outputs} {beta}", changed)


@operator("MatMul")
def matmul(node):
    """Matrix product; with a constant matrix (in, out) a Linear, whose bias is the vector that an Add adds next."""
    a, b = node.any(0), node.any(1)
    if isinstance(b, Constant) and b.array.ndim == 2 and (isinstance(a, Constant) or a.shape is None or a.shape):
        a = node.value(0)
        _check_type(b, a)
        bias = _added_next(node, b.shape[1], a)
        return linear(node, a, b, bias, "transposed", np.transpose)
    a, b = node.value(0), node.value(1)
    return node.layer(nn.Call("matmul"), a, b, shape=_product_shape(node, a.shape, b.shape))


def _added_next(node, outputs, like):
    """The bias that the only node that takes the product adds, which is then done; None where there is none."""
    user = node.sole_user()
    if user is None or user.op_type != "Add" or len(user.input) != 2 or len(user.output) != 1:
        return None
    name = next((name for name in user.input if name != node.proto.output[0]), "")
    constant = node.constant_named(name)
    if constant is None or constant.shape != (outputs,) or not constant.learned or constant.array.dtype != like.dtype:
        return None
    node.done.append(user)
    if constant.name.endswith(".bias"):
        node.name = constant.name.removesuffix(".bias")
    return node.network.parameter(constant)


def _product_shape(node, a, b):
    if a is None or b is None:
        return None
    if not a or not b:
        raise Fault("its inputs should be matrices or vectors, not numbers")
    inner = a[-1], b[-2] if len(b) > 1 else b[0]
    if all(isinstance(n, int) for n in inner) and inner[0] != inner[1]:
        raise Fault(f"its inputs {a} and {b} do not fit: the last axis of the first is as long as the second's columns")
    lead = node.broadcast(a[:-2], b[:-2])
    return (*lead, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


@operator("PRelu")
def prelu(node):
    """y = x where x > 0, else slope x: max(x, 0) + slope min(x, 0), or LeakyReLU of a single slope."""
    x, slope = node.value(0), node.constant(1, "the slope", node.value(0))
    if slope is None:
        raise Fault("its slope is missing")
    if slope.array.size == 1:
        return node.layer(nn.LeakyReLU(decimal_of(slope)), x, shape=x.shape)
    if x.shape is not None and node.broadcast(x.shape, slope.shape) != x.shape:
        raise Fault(f"its slope {slope.shape} does not fit the input {x.shape}")
    above = node.layer(nn.ReLU(), x, shape=x.shape, name="positive")
    below = node.layer(nn.Call("clamp", max=0), x, shape=x.shape, name="negative")
    slopes = node.constant_value(slope, "weight")
    below = node.layer(nn.Multiply(), below, slopes, shape=x.shape, name="scaled")
    return node.layer(nn.Add(), above, below, shape=x.shape)


# ----------------------------------------------------------------------------------------------------- normalisation


@operator("BatchNormalization")
def batch_normalization(node):
    """y = scale (x - mean) / sqrt(var + epsilon) + B, with stored statistics.

    ONNX keeps `momentum` of the old statistics in training; BatchNorm2d's momentum is the share of the new ones.
    """
    x = node.value(0)
    if node.flag("training_mode") or len([name for name in node.proto.output if name]) > 1:
        raise Fault("it computes with the statistics of the batch, as in training; export after model.eval()")
    if node.opset < 9 and not node.flag("spatial", True):
        raise Fault("spatial=0, statistics of every pixel by itself, is not read")
    parts = ("weight", "bias", "running_mean", "running_var")
    constants = [node.constant(number, f"the {part}", x) for number, part in enumerate(parts, 1)]
    if any(c is None or c.shape != constants[0].shape or c.array.ndim != 1 for c in constants):
        raise Fault(f"its statistics are {[c and c.shape for c in constants]}, expected four vectors of equal length")
    channels = constants[0].shape[0]
    _check_channels(x, channels)
    rank = 4 if x.shape is None else len(x.shape)
    if rank > 4 or channels < 1:
        raise Fault(f"its input has {rank} axes and {channels} channels; (N, C), (N, C, L) and (N, C, H, W) are read")
    kind = nn.BatchNorm2d if rank == 4 else nn.BatchNorm1d
    layer = kind(channels, node.float("epsilon", 1e-5), float(f"{1 - node.float('momentum', 0.9):.6g}"))
    layer.weight, layer.bias = (node.network.parameter(c) for c in constants[:2])
    layer.running_mean, layer.running_var = (Tensor(c.array) for c in constants[2:])
    return node.layer(layer, x, shape=x.shape)


@operator("LRN")
def lrn(node):
    """y = x / (bias + alpha / size sum of squares over size channels)^beta: torch's and Caffe's convention.

    A window of even size begins one channel later than LocalResponseNorm's: the channels are turned round for it.
    """
    x, size = node.value(0), node.int("size", 0)
    if not 1 <= size <= 4096 or (x.shape is not None and len(x.shape) < 3):
        raise Fault(f"size={size} of an input {x.shape}, expected 1 to 4096 channels of (N, C, ...)")
    alpha, beta, k = node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1.0)
    groups = node.network.groups.get(node.proto.output[0], 1)
    layer = nn.LocalResponseNorm(size, alpha, beta, k, groups=groups)
    if size % 2:
        return node.layer(layer, x, shape=x.shape)
    x = node.layer(nn.Call("flip", dims=1), x, shape=x.shape, name="turned")
    x = node.layer(layer, x, shape=x.shape, name="normalized")
    return node.layer(nn.Call("flip", dims=1), x, shape=x.shape)


@operator("Dropout")
def dropout(node):
    """y = x in evaluation. The ratio is an attribute before opset 12, then an input, as is whether to drop."""
    x = node.value(0)
    if node.opset < 12:
        ratio = node.float("ratio", 0.5)
    else:
        given = node.constant(1, "the ratio")
        node.int("seed", 0), node.constant(2, "training_mode")
        if given is not None and (given.array.size != 1 or given.array.dtype.kind != "f"):
            raise Fault(f"its ratio is {given.array.dtype} {given.shape}, expected one number")
        ratio = 0.5 if given is None else decimal_of(given)
    if not 0 <= ratio <= 1:
        raise Fault(f"its ratio is {ratio}, expected a probability from 0 to 1")
    return node.layer(nn.Dropout(ratio), x, shape=x.shape)


# ------------------------------------------------------------------------------------------------------------- pools


@operator("MaxPool")
def max_pool_(node):
    """Largest value of every window, as MaxPool2d; padding is never the largest."""
    node.flag("storage_order")  # of the second output, the places of the maxima, which no layer gives
    return max_pool(node)


@operator("AveragePool")
def average_pool_(node):
    """Mean of every window, as AvgPool2d: of its pixels on the image or, with count_include_pad, of all but what
    ceil_mode adds."""
    return average_pool(node)


@operator("GlobalAveragePool", "GlobalMaxPool")
def global_pool(node):
    """Mean or largest value of every map: (N, C, H, W) -> (N, C, 1, 1)."""
    x, mean = node.value(0), node.op == "GlobalAveragePool"
    if x.shape is None or len(x.shape) == 4:
        layer = nn.AdaptiveAvgPool2d(1) if mean else nn.AdaptiveMaxPool2d(1)
        return node.layer(layer, x, shape=None if x.shape is None else (*x.shape[:2], 1, 1))
    if len(x.shape) < 3:
        raise Fault(f"its input {x.shape} should be (N, C, H, W)")
    axes = tuple(range(2, len(x.shape)))
    call = nn.Call("mean" if mean else "amax", dim=axes, keepdim=True)
    return node.layer(call, x, shape=(*x.shape[:2], *[1] * len(axes)))
