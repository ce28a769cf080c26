"""Exporting a network as an ONNX graph, whose operators compute the same as its layers.

The graph computes logits in evaluation mode: input "input" float32 (N, 3, H, W) with N free, output "logits".
Initializers have the names of the state dict. https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import inspect
import math
from functools import singledispatch

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .. import Tensor, functional, nn
from ..models.layout import Value, window_of
from ..window import Window

OPSET, IR_VERSION = 17, 8  # of 2022, which runtimes on small devices support as well
_SAME_NAME = {nn.ReLU: "Relu", nn.Sigmoid: "Sigmoid", nn.Tanh: "Tanh"}


class Exported:
    """An ONNX graph under construction: its nodes and initializers, in the order in which they were added."""

    def __init__(self):
        self.nodes, self.initializers = [], {}
        self.shared = {}  # id of a tensor -> the name of its initializer

    def add(self, operator, name, *inputs, **attributes):
        """Add a node.

        operator: name of the ONNX operator.
        name: of the node and of its output.
        inputs: names of its inputs.
        attributes: of the operator.

        Returns `name`.
        """
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def array(self, name, values, dtype=np.float32):
        """Add an initializer `name` with `values`, converted to `dtype`; returns its name."""
        self.initializers[name] = numpy_helper.from_array(np.asarray(values, dtype, order="C"), name)
        return name

    def parameters(self, row, *names):
        """Add initializers for those tensors `names` of row.layer that are not None; returns their names."""
        tensors = ((name, getattr(row.layer, name)) for name in names)
        return [self.tensor(f"{row.name}.{name}", t) for name, t in tensors if t is not None]

    def tensor(self, name, tensor):
        """Add an initializer for a Tensor, unless an earlier layer has it as well; returns its name."""
        if id(tensor) not in self.shared:
            self.shared[id(tensor)] = self.array(name, tensor.numpy())
        return self.shared[id(tensor)]


def to_onnx(rows, metadata):
    """Export a network in evaluation mode.

    rows: its models.layout.layout.
    metadata: {name: text}, the model's metadata properties.

    Returns an onnx.ModelProto.
    Raises ValueError, with the layer's name, for a layer without an exact equivalent in ONNX.
    """
    graph = Exported()
    outputs = {name: "input" for row in rows for name in row.sources}  # of layers; what is none is the input
    for row in rows:
        try:
            outputs[row.name] = _emit(row.layer, graph, row, *(outputs[name] for name in row.sources))
        except ValueError as error:
            raise ValueError(f"layer {row.name} ({type(row.layer).__name__}): {error}") from error
    graph.add("Identity", "logits", outputs[rows[-1].name])
    ends = [
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *shape])]
        for name, shape in (("input", rows[0].input), ("logits", rows[-1].output))
    ]
    made = helper.make_graph(graph.nodes, "minialex", ends[0], ends[1], list(graph.initializers.values()))
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="minialex")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, metadata)
    return model


@singledispatch
def _emit(layer, graph, row, *inputs):
    """Add a layer whose inputs have these names; returns the name of its output."""
    if type(layer) not in _SAME_NAME:
        raise ValueError("this type of layer cannot be exported to ONNX")
    return graph.add(_SAME_NAME[type(layer)], row.name, *inputs)


@_emit.register
def _(layer: Value, graph, row):
    return graph.tensor(row.name, layer.tensor)


@_emit.register(nn.Add)
@_emit.register(nn.Multiply)
def _(layer, graph, row, *inputs):
    """ONNX's operators take two inputs: of n inputs, n - 1 operators."""
    operator, total = "Add" if isinstance(layer, nn.Add) else "Mul", inputs[0]
    for number, x in enumerate(inputs[1:], 1):
        total = graph.add(operator, row.name if number == len(inputs) - 1 else f"{row.name}.sum{number}", total, x)
    return total


@_emit.register
def _(layer: nn.Concat, graph, row, *inputs):
    return graph.add("Concat", row.name, *inputs, axis=layer.dim)


@_emit.register
def _(layer: nn.Reshape, graph, row, x):
    """0 keeps an axis, the batch, as it is."""
    return graph.add("Reshape", row.name, x, graph.array(f"{row.name}.shape", (0, *layer.shape), np.int64))


@_emit.register(nn.Softmax)
def _(layer, graph, row, x):
    if layer.dim is None:
        raise ValueError("ONNX needs the axis: Softmax(dim=1)")
    return graph.add("LogSoftmax" if isinstance(layer, nn.LogSoftmax) else "Softmax", row.name, x, axis=layer.dim)


@_emit.register
def _(layer: nn.Call, graph, row, *inputs):
    """A function: of two operands, of one, of one along axes, or of one with settings."""
    function, arguments, name = layer.function, layer.arguments, row.name
    defaults = inspect.signature(getattr(functional, function)).parameters
    given = {key: arguments.get(key, defaults[key].default) for key in defaults}
    if function in _TWO and given.get("alpha", 1) == 1 and given.get("rounding_mode") is None:
        rest = iter(inputs)
        operands = list(defaults)[:2]
        both = [graph.array(f"{name}.{key}", arguments[key]) if key in arguments else next(rest) for key in operands]
        return graph.add(_TWO[function], name, *both)
    if function in _ONE and set(arguments) <= {"inplace"}:
        return graph.add(_ONE[function], name, *inputs)
    if function == "clone":
        return inputs[0]
    if function == "silu":
        return graph.add("Mul", name, *inputs, graph.add("Sigmoid", f"{name}.sigmoid", *inputs))
    if function == "gelu" and given["approximate"] == "none":
        scaled = graph.add("Mul", f"{name}.scaled", *inputs, graph.array(f"{name}.sqrt_half", 0.5**0.5))
        erf = graph.add("Erf", f"{name}.erf", scaled)
        share = graph.add("Add", f"{name}.share", erf, graph.array(f"{name}.one", 1))
        half = graph.add("Mul", f"{name}.half", *inputs, graph.array(f"{name}.one_half", 0.5))
        return graph.add("Mul", name, half, share)
    if function == "clamp" and len(inputs) == 1:
        bounds = (given[key] for key in ("min", "max"))
        names = ["" if v is None else graph.array(f"{name}.{k}", v) for k, v in zip(("min", "max"), bounds)]
        return graph.add("Clip", name, *inputs, *names)
    if function in ("mean", "sum") and given["dim"] is not None:
        axes = given["dim"] if isinstance(given["dim"], (tuple, list)) else [given["dim"]]
        if function == "mean":
            return graph.add("ReduceMean", name, *inputs, axes=axes, keepdims=int(given["keepdim"]))
        axes = graph.array(f"{name}.axes", axes, np.int64)
        return graph.add("ReduceSum", name, *inputs, axes, keepdims=int(given["keepdim"]))
    if function in ("permute", "transpose"):
        order = list(range(len(row.input) + 1))
        if function == "permute":
            order = [axis % len(order) for axis in given["dims"]]
        else:
            a, b = given["dim0"], given["dim1"]
            order[a], order[b] = order[b], order[a]
        return graph.add("Transpose", name, *inputs, perm=order)
    if function == "pad":
        widths = given["pad"]
        before, after = widths[::2][::-1], widths[1::2][::-1]
        none = [0] * (len(row.input) + 1 - len(before))
        pads = graph.array(f"{name}.pads", [*none, *before, *none, *after], np.int64)
        if given["mode"] == "constant":
            return graph.add("Pad", name, *inputs, pads, graph.array(f"{name}.value", given["value"] or 0))
        if given["mode"] in ("reflect", "replicate"):
            return graph.add("Pad", name, *inputs, pads, mode={"replicate": "edge"}.get(given["mode"], given["mode"]))
        raise ValueError(f"a margin of mode={given['mode']!r} cannot be exported to ONNX")
    if function == "getitem":
        return _slices(graph, row, inputs[0], given["index"])
    if function == "conv2d":
        return _convolution(graph, row, inputs, given)
    if function == "square":
        return graph.add("Mul", name, *inputs, *inputs)
    if function == "flip":
        axes = [axis % (len(row.input) + 1) for axis in np.ravel(given["dims"])]
        ends = (
            ("starts", [-1] * len(axes)),
            ("ends", [-(2**31)] * len(axes)),
            ("axes", axes),
            ("steps", [-1] * len(axes)),
        )
        return graph.add("Slice", name, *inputs, *(graph.array(f"{name}.{k}", v, np.int64) for k, v in ends))
    raise ValueError(f"the function {function} cannot be exported to ONNX")


@_emit.register
def _(layer: nn.GELU, graph, row, x):
    return _emit(nn.Call("gelu", approximate=layer.approximate), graph, row, x)


@_emit.register
def _(layer: nn.SiLU, graph, row, x):
    return _emit(nn.Call("silu"), graph, row, x)


@_emit.register
def _(layer: nn.ELU, graph, row, x):
    return graph.add("Elu", row.name, x, alpha=layer.alpha)


@_emit.register
def _(layer: nn.ConstantPad2d, graph, row, x):
    return _emit(nn.Call("pad", pad=layer.padding, value=layer.value), graph, row, x)


@_emit.register
def _(layer: nn.Upsample, graph, row, x):
    """ONNX computes places by the ratio of the sizes, as a scale factor does only where it gives whole sizes."""
    modes = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}
    if layer.mode not in modes:
        raise ValueError(f"mode={layer.mode!r} cannot be exported to ONNX")
    ratios = [new / old for old, new in zip(row.input[1:], row.output[1:])]
    if (
        layer.scale_factor is not None
        and not layer.recompute_scale_factor
        and set(ratios) != {*np.ravel(layer.scale_factor)}
    ):
        raise ValueError(f"scale_factor={layer.scale_factor} of {row.input[1:]} pixels cannot be exported to ONNX")
    mode = modes[layer.mode]
    attributes: dict = {}
    if mode == "cubic":
        attributes["cubic_coeff_a"] = -0.75
    if mode == "nearest":
        attributes["nearest_mode"] = "floor"
    places = "asymmetric" if mode == "nearest" else "align_corners" if layer.align_corners else "half_pixel"
    shape, name = graph.add("Shape", f"{row.name}.shape", x, start=0, end=1), row.name
    sizes = graph.add("Concat", f"{name}.sizes", shape, graph.array(f"{name}.size", row.output, np.int64), axis=0)
    attributes |= {"mode": mode, "coordinate_transformation_mode": places}
    return graph.add("Resize", name, x, "", "", sizes, **attributes)


@_emit.register
def _(layer: nn.Dropout2d, graph, row, x):
    return x


_TWO = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "matmul": "MatMul", "maximum": "Max",
    "minimum": "Min"}  # fmt: skip
_ONE = {
    "neg": "Neg",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "reciprocal": "Reciprocal",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "sign": "Sign",
    "sin": "Sin",
    "cos": "Cos",
}


def _convolution(graph, row, inputs, given):
    """A Conv by a value, functional.conv2d; inputs: names; given: the function's arguments."""
    if inputs[1] not in graph.initializers:
        raise ValueError("a convolution by what another layer computes cannot be exported to ONNX")
    kernel = tuple(graph.initializers[inputs[1]].dims)[2:]
    window = Window.over(row.input, kernel, given["stride"], given["padding"], given["dilation"])
    (top, bottom), (left, right) = window.padding
    return graph.add(
        "Conv",
        row.name,
        *inputs,
        group=given["groups"],
        strides=window.stride,
        dilations=window.dilation,
        kernel_shape=kernel,
        pads=(top, left, bottom, right),
    )


def _slices(graph, row, x, index):
    """A slice of axes, each with a step of its own."""
    index = index if isinstance(index, tuple) else (index,)
    lists = [axis for axis, part in enumerate(index) if isinstance(part, (tuple, list))]
    if len(lists) == 1 and all(part == slice(None) for axis, part in enumerate(index) if axis not in lists):
        chosen = graph.array(f"{row.name}.index", index[lists[0]], np.int64)
        return graph.add("Gather", row.name, x, chosen, axis=lists[0])
    if not all(isinstance(part, slice) for part in index) or any((part.step or 1) < 1 for part in index):
        raise ValueError("ONNX can export slices, x[:, 1:3], and one list, x[:, [2, 0]], but no other index")
    arrays = {
        "starts": [part.start or 0 for part in index],
        "ends": [2**31 - 1 if part.stop is None else part.stop for part in index],
        "axes": list(range(len(index))),
        "steps": [part.step or 1 for part in index],
    }
    return graph.add("Slice", row.name, x, *(graph.array(f"{row.name}.{k}", v, np.int64) for k, v in arrays.items()))


@_emit.register
def _(layer: nn.Identity, graph, row, x):
    return x


@_emit.register
def _(layer: nn.LeakyReLU, graph, row, x):
    return graph.add("LeakyRelu", row.name, x, alpha=layer.negative_slope)


@_emit.register
def _(layer: nn.Dropout, graph, row, x):
    """In evaluation mode: the paper's form multiplies by 1 - p, the inverted one does nothing."""
    if layer.inverted:
        return x
    return graph.add("Mul", row.name, x, graph.array(f"{row.name}.keep", 1 - layer.p))


@_emit.register
def _(layer: nn.Conv2d, graph, row, x):
    (top, bottom), (left, right) = window_of(layer, row.input).padding
    return graph.add(
        "Conv",
        row.name,
        x,
        *graph.parameters(row, "weight", "bias"),
        group=layer.groups,
        strides=layer.stride,
        dilations=layer.dilation,
        kernel_shape=layer.kernel_size,
        pads=(top, left, bottom, right),
    )


@_emit.register
def _(layer: nn.Local2d, graph, row, x):
    """Columns by a convolution with filters of a single 1, one for each place of the kernel; then products by place."""
    name, groups, taps = row.name, layer.groups, math.prod(layer.kernel_size)
    (top, bottom), (left, right) = window_of(layer, row.input).padding
    places = np.tile(np.eye(taps).reshape(taps, 1, *layer.kernel_size), (layer.in_channels, 1, 1, 1))
    columns = graph.add(
        "Conv",
        f"{name}.columns",
        x,
        graph.array(f"{name}.places", places),
        group=layer.in_channels,
        strides=layer.stride,
        kernel_shape=layer.kernel_size,
        pads=(top, left, bottom, right),
    )
    weight, *bias = graph.parameters(row, "weight", "bias")
    depth, length = layer.in_channels // groups * taps, math.prod(layer.output_size)

    def arranged(part, y, shape, *order):
        shaped = graph.add("Reshape", f"{name}.{part}_shaped", y, graph.array(f"{name}.{part}_shape", shape, np.int64))
        return graph.add("Transpose", f"{name}.{part}", shaped, perm=order)

    columns = arranged("by_place", columns, (-1, groups, depth, length), 3, 1, 0, 2)  # (L, groups, N, K)
    filters = arranged("filters", weight, (length, groups, layer.out_channels // groups, depth), 0, 1, 3, 2)
    products = graph.add("MatMul", f"{name}.products", columns, filters)
    turned = graph.add("Transpose", f"{name}.turned", products, perm=(2, 1, 3, 0))
    shape = graph.array(f"{name}.shape", (-1, *row.output), np.int64)
    y = graph.add("Reshape", f"{name}.maps" if bias else name, turned, shape)
    return graph.add("Add", name, y, *bias) if bias else y


@_emit.register
def _(layer: nn.Linear, graph, row, x):
    """Gemm's input has two axes; with more, a MatMul by the transposed weight."""
    weight, *bias = graph.parameters(row, "weight", "bias")
    if len(row.input) == 1:
        return graph.add("Gemm", row.name, x, weight, *bias, transB=1)
    turned = graph.add("Transpose", f"{row.name}.transposed", weight, perm=(1, 0))
    product = graph.add("MatMul", f"{row.name}.product" if bias else row.name, x, turned)
    return graph.add("Add", row.name, product, *bias) if bias else product


@_emit.register
def _(layer: nn.Flatten, graph, row, x):
    if len(row.output) != 1:
        raise ValueError("ONNX can only flatten all axes but the batch's")
    return graph.add("Flatten", row.name, x, axis=1)


@_emit.register
def _(layer: nn.BatchNorm2d, graph, row, x):
    if not layer.track_running_stats:
        raise ValueError("ONNX's batch normalisation needs running statistics")
    if layer.weight is None or layer.bias is None:
        raise ValueError("ONNX's batch normalisation needs a weight and a bias")
    numbers = graph.parameters(row, "weight", "bias", "running_mean", "running_var")
    return graph.add("BatchNormalization", row.name, x, *numbers, epsilon=layer.eps)


@_emit.register
def _(layer: nn.MaxPool2d, graph, row, x):
    window = window_of(layer, row.input)
    return graph.add("MaxPool", row.name, x, dilations=window.dilation, **_window(window))


@_emit.register
def _(layer: nn.AvgPool2d, graph, row, x):
    """The mean of existing pixels; else one that counts all padding, even ceil mode's, rescaled to the divisors."""
    window = window_of(layer, row.input)
    if not layer.count_include_pad and layer.divisor_override is None:
        return graph.add("AveragePool", row.name, x, count_include_pad=0, **_window(window))
    area = window.kernel[0] * window.kernel[1]
    scale = area / (layer.divisor_override or window.counts(layer.count_include_pad))
    mean = graph.add("AveragePool", f"{row.name}.mean", x, count_include_pad=1, **_window(window))
    return graph.add("Mul", row.name, mean, graph.array(f"{row.name}.scale", scale))


@_emit.register
def _(layer: nn.StochasticPool2d, graph, row, x):
    """The largest, or the means of the squares by those of the numbers, in which the divisors cancel out."""
    name, window = row.name, _window(window_of(layer, row.input))
    positive = graph.add("Relu", f"{name}.positive", x)
    if layer.evaluation == "max":
        return graph.add("MaxPool", name, positive, **window)
    squares = graph.add("Mul", f"{name}.squares", positive, positive)
    upper, lower = (
        graph.add("AveragePool", f"{name}.{word}", y, count_include_pad=1, **window)
        for word, y in (("mean_square", squares), ("mean", positive))
    )
    least = graph.array(f"{name}.least", np.finfo(np.float32).tiny)  # divides the 0 of a window with nothing positive
    return graph.add("Div", name, upper, graph.add("Max", f"{name}.divisor", lower, least))


@_emit.register
def _(layer: nn.AdaptiveAvgPool2d, graph, row, x):
    """To one pixel GlobalAveragePool; else the linear map R x C^T, where R and C are averages of identity matrices."""
    if row.input == row.output:
        return x
    (height, width), (rows, columns) = row.input[1:], row.output[1:]
    if (rows, columns) == (1, 1):
        return graph.add("GlobalAveragePool", row.name, x)
    left = functional.adaptive_avg_pool2d(Tensor(np.eye(height)[None, None]), (rows, None)).numpy()[0, 0]
    right = functional.adaptive_avg_pool2d(Tensor(np.eye(width)[None, None]), (None, columns)).numpy()[0, 0]
    x = graph.add("MatMul", f"{row.name}.down", graph.array(f"{row.name}.rows", left), x)
    return graph.add("MatMul", row.name, x, graph.array(f"{row.name}.columns", right))


@_emit.register
def _(layer: nn.LocalResponseNorm, graph, row, x):
    """Over channels by ONNX's LRN, which divides alpha by n; within a map composed of other operators."""
    name, n = row.name, layer.size
    cells = n * n if layer.within_channel else n
    alpha = layer.alpha * (cells if layer.alpha_over == "element" else 1)
    if layer.within_channel:
        return _divided(graph, name, x, graph.add("Mul", f"{name}.squares", x, x), n, alpha, layer)
    if n % 2 == 0:
        raise ValueError(f"ONNX's window of {n} channels starts one channel later: only odd sizes can be exported")
    groups, (channels, height, width) = layer.groups, row.input
    if groups > 1:  # each group as an image of its own
        apart = graph.array(f"{name}.apart", (-1, channels // groups, height, width), np.int64)
        x = graph.add("Reshape", f"{name}.groups", x, apart)
    last = f"{name}.normalized" if groups > 1 else name
    x = graph.add("LRN", last, x, size=n, alpha=alpha, beta=layer.beta, bias=layer.k)
    if groups > 1:
        x = graph.add("Reshape", name, x, graph.array(f"{name}.joined", (-1, channels, height, width), np.int64))
    return x


@_emit.register
def _(layer: nn.ContrastNorm, graph, row, x):
    name = row.name
    mean = graph.add("AveragePool", f"{name}.mean", x, count_include_pad=0, **_around(layer.size))
    difference = graph.add("Sub", f"{name}.difference", x, mean)
    squares = graph.add("Mul", f"{name}.squares", difference, difference)
    return _divided(graph, name, x, squares, layer.size, layer.alpha, layer)


def _divided(graph, name, x, squares, n, alpha, layer):
    """x (k + alpha / n^2 sum of the squares in n x n pixels around each)^-beta"""
    mean = graph.add("AveragePool", f"{name}.mean_square", squares, count_include_pad=1, **_around(n))
    scaled = graph.add("Mul", f"{name}.scaled", mean, graph.array(f"{name}.alpha", alpha))
    base = graph.add("Add", f"{name}.base", scaled, graph.array(f"{name}.k", layer.k))
    return graph.add("Div", name, x, graph.add("Pow", f"{name}.power", base, graph.array(f"{name}.beta", layer.beta)))


def _around(n):
    """Attributes of a pool over n x n pixels around each, one more before than after where n is even."""
    before, after = n // 2, (n - 1) // 2
    return {"kernel_shape": (n, n), "strides": (1, 1), "pads": (before, before, after, after)}


def _window(window):
    """Attributes of a pool, with explicit padding: ONNX's ceil mode differs between versions."""
    (top, _), (left, _) = window.padding
    bottom, right = (all_of - n - before for all_of, n, before in zip(window.padded, window.size, (top, left)))
    return {"kernel_shape": window.kernel, "strides": window.stride, "pads": (top, left, bottom, right)}
