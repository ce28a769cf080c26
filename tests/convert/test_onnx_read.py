"""ONNX files that others write, read by us and run by onnxruntime, node by node and as whole networks."""

from __future__ import annotations

import converting
import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
import onnx
from onnx import helper, numpy_helper
from onnx_graphs import Graph, difference, saved, session

from minialex import Tensor, nn, no_grad
from minialex.convert import formats
from minialex.convert.graph import to_onnx
from minialex.data import Normalize
from minialex.models.layout import layout

# ------------------------------------------------------------------------------------------------ operators, one by one


def rows(g):
    """The image as (N, C, L)."""
    return g("Reshape", "x", np.array([0, 4, -1], np.int64))


def conv(g, weight=(6, 4, 3, 2), x="x", bias=True, **attributes):
    arrays = [g.random(*weight), *([g.random(weight[0])] if bias else [])]
    return g("Conv", x, *arrays, **attributes)


def gemm(g, c=(5,), **attributes):
    inner = 4 * 9 * 8
    b = g.random(5, inner) if attributes.get("transB") else g.random(inner, 5)
    return g("Gemm", g("Flatten", "x"), b, *([g.random(*c)] if c is not None else []), **attributes)


def pooled(g, op, **attributes):
    return g(op, "x", **attributes)


def bounds(g, **given):
    """A Clip as its opset has it."""
    if g.opset < 11:
        return g("Clip", "x", **given)
    return g("Clip", "x", *(np.float32(given[key]) if key in given else "" for key in ("min", "max")))


def torch_lrn(g):
    """Local response normalisation by torch's exporter, before opset 11, where a Pad has attributes."""
    squares = g("Reshape", g("Mul", "x", "x"), np.array([-1, 1, 4, 9, 8], np.int64))
    pads = [[0, 0, 1, 0, 0, 0, 0, 1, 0, 0], [0] * 10]
    for numbers in pads:
        squares = g("Pad", squares, pads=numbers, mode="constant")
    mean = g("AveragePool", squares, kernel_shape=[3, 1, 1], strides=[1, 1, 1], pads=[0] * 6)
    mean = g("Reshape", g("Squeeze", mean, axes=[1]), np.array([-1, 4, 9, 8], np.int64))
    base = g("Add", g("Mul", mean, np.float32(0.5)), np.float32(1.5))
    return g("Div", "x", g("Pow", base, np.float32(0.6)))


def axes(g, op, x, *numbers, since=13, **attributes):
    """An operator whose axes are an attribute, or an input."""
    if g.opset < since:
        return g(op, x, axes=numbers, **attributes)
    return g(op, x, np.array(numbers, np.int64), **attributes)


def padded(g, pads, mode="constant", value=0.0):
    if g.opset < 11:
        return g("Pad", "x", pads=pads, mode=mode, value=value)
    return g("Pad", "x", np.array(pads, np.int64), np.float32(value), mode=mode)


def norm(g, channels, x="x"):
    arrays = [*(g.random(channels) for _ in range(3)), g.random(channels, low=0.1)]
    return g("BatchNormalization", x, *arrays, epsilon=0.3)


def tail(g, flat):
    """The batch size of Shape, Gather and Concat before a Reshape, as exporters of torch's view(x.size(0), -1)."""
    n = g("Gather", g("Shape", "x"), np.int64(0))
    n = axes(g, "Unsqueeze", n, 0)
    rest = g.array(np.array([flat], np.int64))
    return g("Reshape", "x", g("Concat", n, rest, axis=0))


def sliced_tail(g):
    """The sizes of an image as a slice of the shape, multiplied and converted."""
    sizes = g("Slice", g("Shape", "x"), *(np.array([n], np.int64) for n in (1, 4)))
    count = g("ReduceProd", sizes, axes=[0], keepdims=1)
    count = g("Cast", count, to=7)
    batch = g("Slice", g("Shape", "x"), *(np.array([n], np.int64) for n in (0, 1)))
    return g("Reshape", "x", g("Concat", batch, count, axis=0))


def halves(g):
    a, b = g("Split", "x", axis=1, outputs=2) if g.opset < 18 else g("Split", "x", axis=1, outputs=2, num_outputs=2)
    return g("Concat", g("Neg", b), a, axis=1)


def parts(g):
    lengths = [1, 3]
    given = {"split": lengths} if g.opset < 13 else {}
    a, b = g("Split", "x", *([] if given else [np.array(lengths, np.int64)]), axis=-3, outputs=2, **given)
    return g("Mul", a, b)


BACK = (0, -9), (2, -100), (-1, 0), (100, 1)  # from, to
SAME, LOWER = {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}
ALL = 7, 9, 11, 13, 17, 21
OPERATORS = {  # name: (what to build, opsets, the shape of an image)
    "conv": (conv, ALL),
    "conv, uneven pads": (lambda g: conv(g, strides=[2, 1], pads=[0, 3, 2, 1], dilations=[2, 1], bias=False), (7, 21)),
    "conv, groups": (lambda g: conv(g, (6, 2, 3, 2), group=2, kernel_shape=[3, 2], pads=[1, 1, 1, 1]), (7, 21)),
    "conv, depthwise": (lambda g: conv(g, (8, 1, 3, 3), group=4), (11,)),
    "conv, same": (lambda g: conv(g, (3, 4, 4, 3), strides=[3, 2], **SAME), (7, 21)),
    "conv, same below": (lambda g: conv(g, (3, 4, 4, 3), strides=[3, 2], **LOWER), (7, 21)),
    "conv, valid": (lambda g: conv(g, auto_pad="VALID", strides=[1, 3]), (7,)),
    "conv of rows": (lambda g: conv(g, (5, 4, 3), rows(g), pads=[2, 1], strides=[2]), (11,)),
    "gemm": (lambda g: gemm(g), (7, 11, 21)),
    "gemm, transposed": (lambda g: gemm(g, transB=1), (9,)),
    "gemm, all": (lambda g: gemm(g, alpha=0.3, beta=-0.7, transB=1), (13,)),
    "gemm, alpha": (lambda g: gemm(g, (1,), alpha=0.3, beta=2.0), (13,)),
    "gemm, no bias": (lambda g: gemm(g, None), (11,)),
    "gemm, a row": (lambda g: gemm(g, (1, 5)), (13,)),
    "gemm, a column": (lambda g: gemm(g, (1, 1), transB=1, beta=0.5), (13,)),
    "matmul": (lambda g: g("MatMul", "x", g.random(8, 5)), (7, 13)),
    "matmul and a bias": (lambda g: g("Add", g("MatMul", "x", g.random(8, 5)), g.random(5)), (7, 13)),
    "a bias and matmul": (lambda g: g("Add", g.random(5), g("MatMul", g("Flatten", "x"), g.random(288, 5))), (7, 13)),
    "matmul and a constant": (
        lambda g: g("Add", g("Constant", value=numpy_helper.from_array(g.random(5))), g("MatMul", "x", g.random(8, 5))),
        (13,),
    ),
    "matmul from the left": (lambda g: g("MatMul", g.random(5, 9), "x"), (13,)),
    "matmul twice used": (lambda g: g("Mul", y := g("MatMul", "x", g.random(8, 5)), g("Add", y, g.random(5))), (13,)),
    "matmul of two": (lambda g: g("MatMul", "x", g("Transpose", "x", perm=[0, 1, 3, 2])), (13,)),
    "batch norm": (lambda g: norm(g, 4), (7, 9, 14, 21)),
    "batch norm of rows": (lambda g: norm(g, 4, rows(g)), (9,)),
    "batch norm of features": (lambda g: norm(g, 288, g("Flatten", "x")), (7, 15)),
    "LRN": (lambda g: g("LRN", "x", size=3, alpha=0.5, beta=0.6, bias=1.5), (7, 13)),
    "LRN as torch exports it": (lambda g: torch_lrn(g), (7, 9, 10)),
    "LRN, wider than the channels": (lambda g: g("LRN", "x", size=9, alpha=2.0, beta=0.75), (13,)),
    "relu": (lambda g: g("Relu", "x"), ALL),
    "leaky": (lambda g: g("LeakyRelu", "x", alpha=0.3), (7, 16)),
    "elu": (lambda g: g("Elu", "x", alpha=0.7), (7,)),
    "selu": (lambda g: g("Selu", "x", alpha=1.2, gamma=0.8), (7,)),
    "selu, defaults": (lambda g: g("Selu", "x"), (7,)),
    "celu": (lambda g: g("Celu", "x", alpha=0.4), (12,)),
    "prelu": (lambda g: g("PRelu", "x", g.random(4, 1, 1)), (7, 16)),
    "prelu, one slope": (lambda g: g("PRelu", "x", g.random(1, 1, 1)), (9,)),
    "hard sigmoid": (lambda g: g("HardSigmoid", "x", alpha=0.3, beta=0.4), (7,)),
    "hard swish": (lambda g: g("HardSwish", "x"), (14,)),
    "mish": (lambda g: g("Mish", "x"), (18,)),
    "softplus": (lambda g: g("Softplus", "x"), (7,)),
    "softsign": (lambda g: g("Softsign", "x"), (7,)),
    "gelu": (lambda g: g("Gelu", "x"), (20,)),
    "gelu, tanh": (lambda g: g("Gelu", "x", approximate="tanh"), (20,)),
    "sigmoid and tanh": (lambda g: g("Sigmoid", g("Tanh", "x")), (7, 13)),
    "clip": (lambda g: bounds(g, min=-0.4, max=0.6), (7, 11, 13)),
    "clip, one side": (lambda g: g("Add", bounds(g, min=-0.4), bounds(g, max=0.3)), (7, 12)),
    "clip, nothing": (lambda g: g("Relu", bounds(g)), (7, 13)),
    "dropout": (lambda g: g("Dropout", "x", ratio=0.3), (7, 10)),
    "dropout, inputs": (lambda g: g("Dropout", "x", np.float32(0.3), np.bool_(False)), (12, 13)),
    "functions": (
        lambda g: g("Log", g("Exp", g("Sqrt", g("Abs", g("Neg", g("Reciprocal", g("Add", "x", np.float32(9)))))))),
        (7, 13),
    ),
    "steps": (lambda g: g("Add", g("Floor", "x"), g("Mul", g("Ceil", "x"), g("Sign", g("Round", "x")))), (11, 13)),
    "arithmetic": (
        lambda g: g("Div", g("Sub", g.random(4, 1, 1), g("Mul", "x", g.random(8))), g.random(1, 9, 1, low=0.5)),
        (7, 13, 14),
    ),
    "numbers": (
        lambda g: g(
            "Div", np.float32(3), g("Add", g("Pow", g("Sub", np.float32(1), "x"), np.float32(2)), g.random(1, low=1))
        ),
        (7, 13),
    ),
    "a number of more axes": (lambda g: axes(g, "Squeeze", g("Add", g("Flatten", "x"), g.random(1, 1, 1)), 0), (13,)),
    "a power of an integer": (lambda g: g("Pow", "x", np.int64(3)), (13,)),
    "sum": (lambda g: g("Sum", "x", g("Relu", "x"), g.random(9, 1)), (8, 13)),
    "sum of one": (lambda g: g("Sum", "x"), (8,)),
    "mean, max, min": (
        lambda g: g("Mean", "x", g("Max", "x", g.random(8), g("Neg", "x")), g("Min", "x", g.random(4, 1, 1))),
        (8, 13),
    ),
    "identity": (lambda g: g("Identity", g("Cast", "x", to=1)), (7, 13)),
    "double": (lambda g: g("Cast", g("Mul", g("Cast", "x", to=11), np.float64(1 / 3)), to=1), (13,)),
    "max pool": (lambda g: pooled(g, "MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]), (7, 8, 12)),
    "max pool, uneven": (
        lambda g: pooled(g, "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 2, 0]),
        (7, 12),
    ),
    "max pool, at the end": (
        lambda g: pooled(g, "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        (8,),
    ),
    "max pool, much padding": (lambda g: pooled(g, "MaxPool", kernel_shape=[3, 3], pads=[2, 2, 2, 2]), (8,)),
    "max pool, same": (lambda g: pooled(g, "MaxPool", kernel_shape=[4, 3], strides=[3, 2], **SAME), (8, 12)),
    "max pool, same below": (lambda g: pooled(g, "MaxPool", kernel_shape=[4, 3], strides=[3, 2], **LOWER), (8, 12)),
    "max pool, valid": (lambda g: pooled(g, "MaxPool", kernel_shape=[4, 3], strides=[3, 2], auto_pad="VALID"), (8,)),
    "max pool, ceil": (lambda g: pooled(g, "MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), (10, 12)),
    "max pool, ceil without the last": (
        lambda g: pooled(g, "MaxPool", kernel_shape=[2, 2], strides=[5, 5], ceil_mode=1),
        (12,),
    ),
    "max pool, ceil and uneven": (
        lambda g: pooled(g, "MaxPool", kernel_shape=[2, 3], strides=[3, 3], ceil_mode=1, pads=[1, 0, 0, 1]),
        (12,),
    ),
    "max pool, dilated": (
        lambda g: pooled(g, "MaxPool", kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 1], strides=[1, 2]),
        (10, 12),
    ),
    "max pool, columns": (lambda g: pooled(g, "MaxPool", kernel_shape=[2, 2], storage_order=1), (8, 12)),
    "max pool of rows": (lambda g: g("MaxPool", rows(g), kernel_shape=[3], strides=[2], pads=[1, 1]), (12,)),
    "average pool": (
        lambda g: pooled(g, "AveragePool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
        (7, 11, 19),
    ),
    "average pool, counted": (
        lambda g: pooled(g, "AveragePool", kernel_shape=[3, 2], pads=[1, 1, 1, 1], count_include_pad=1),
        (7, 11, 19),
    ),
    "average pool, uneven": (lambda g: pooled(g, "AveragePool", kernel_shape=[3, 3], pads=[0, 1, 2, 0]), (7, 11)),
    "average pool, uneven and counted": (
        lambda g: pooled(g, "AveragePool", kernel_shape=[3, 3], pads=[0, 1, 2, 0], count_include_pad=1, strides=[2, 2]),
        (7, 11),
    ),
    "average pool, much padding": (lambda g: pooled(g, "AveragePool", kernel_shape=[3, 3], pads=[2, 2, 2, 2]), (11,)),
    "average pool, same": (lambda g: pooled(g, "AveragePool", kernel_shape=[4, 3], strides=[3, 2], **SAME), (7, 11)),
    "average pool, same below": (
        lambda g: pooled(g, "AveragePool", kernel_shape=[4, 3], strides=[3, 2], **LOWER),
        (11,),
    ),
    "average pool, ceil": (
        lambda g: pooled(g, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        (10, 19),
    ),
    "average pool, ceil and counted": (
        lambda g: pooled(
            g, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, count_include_pad=1, pads=[1, 1, 1, 1]
        ),
        (19,),
    ),
    "global pools": (lambda g: g("Mul", g("GlobalAveragePool", "x"), g("GlobalMaxPool", "x")), (7, 13)),
    "global pools of rows": (lambda g: g("Add", g("GlobalAveragePool", rows(g)), g("GlobalMaxPool", rows(g))), (13,)),
    "softmax": (lambda g: g("Softmax", "x"), (7, 11, 13)),
    "softmax, channels": (lambda g: g("Softmax", "x", axis=1), (7, 13)),
    "softmax, rows": (lambda g: g("LogSoftmax", "x", axis=2), (7, 12, 13)),
    "softmax, from the end": (lambda g: g("LogSoftmax", "x", axis=-2), (11, 13)),
    "softmax of classes": (lambda g: g("Softmax", g("GlobalAveragePool", "x")), (9,)),
    "flatten": (lambda g: g("Flatten", "x"), (7, 13)),
    "flatten, from the end": (lambda g: g("Flatten", "x", axis=-3), (11, 13)),
    "reshape": (lambda g: g("Reshape", "x", np.array([0, 2, -1, 8], np.int64)), (7, 13)),
    "reshape, the batch left over": (lambda g: g("Reshape", "x", np.array([-1, 36, 8], np.int64)), (7, 13)),
    "reshape, copies": (lambda g: g("Reshape", "x", np.array([0, 0, -1], np.int64)), (7, 14)),
    "reshape, the shape of a Constant": (lambda g: g("Reshape", "x", g("Constant", value_ints=[-1, 8, 36])), (13,)),
    "tail": (lambda g: tail(g, -1), (7, 11, 13)),
    "tail, a number": (lambda g: tail(g, 288), (9, 13)),
    "tail, divided": (
        lambda g: g("Reshape", "x", g("Concat", np.array([0, 4]), g("Div", np.array([-3]), np.array([2])), axis=0)),
        (13,),
    ),
    "tail of a part of the shape": (
        lambda g: g(
            "Reshape", "x", g("Concat", g("Shape", "x", end=-3), np.array([-1]), g("Shape", "x", start=-1), axis=0)
        ),
        (15, 19),
    ),
    "tail of slices": (sliced_tail, (11, 13)),
    "transpose": (lambda g: g("Transpose", "x", perm=[0, 3, 1, 2]), (7, 13)),
    "transpose twice": (lambda g: g("Transpose", g("Transpose", "x", perm=[0, 3, 1, 2]), perm=[0, 3, 1, 2]), (13,)),
    "transpose there and back": (
        lambda g: g("Transpose", g("Transpose", "x", perm=[0, 3, 1, 2]), perm=[0, 2, 3, 1]),
        (13,),
    ),
    "concat": (lambda g: g("Concat", "x", g("Relu", "x"), g("Neg", "x"), axis=-2), (11, 13)),
    "concat with numbers": (lambda g: g("Concat", "x", "x", axis=1), (7,)),
    "split": (halves, (7, 13, 18)),
    "split in uneven parts": (parts, (7, 12, 13)),
    "slice": (lambda g: g("Slice", "x", starts=[1, -3], ends=[1000, -1], axes=[1, 3]), (7, 9)),
    "slice with steps": (
        lambda g: g("Slice", "x", *(np.array(n, np.int64) for n in ([-1, 1], [-(2**31), 7], [1, 2], [-1, 2]))),
        (10, 13),
    ),
    "slice backwards from the first": (
        lambda g: g(
            "Concat", *(g("Slice", "x", *(np.array([n], np.int64) for n in (a, b, 1, -1))) for a, b in BACK), axis=1
        ),
        (11, 13),
    ),
    "gather channels": (lambda g: g("Gather", "x", np.array([2, 1, 0, -1], np.int64), axis=1), (7, 13)),
    "gather a row": (lambda g: g("Gather", "x", np.int64(-2), axis=2), (7, 13)),
    "pad": (lambda g: padded(g, [0, 0, 1, 2, 0, 0, 3, 0], value=0.5), (7, 11, 13)),
    "pad, zeros": (lambda g: padded(g, [0, 0, 1, 2, 0, 0, 3, 0]), (7, 13)),
    "pad, channels": (lambda g: padded(g, [0, 1, 0, 0, 0, 2, 0, 0]), (7, 13)),
    "pad, cut off": (lambda g: padded(g, [0, 0, -1, 2, 0, -1, -2, -3]), (7, 13)),
    "pad, reflected": (lambda g: padded(g, [0, 0, 1, 2, 0, 0, 3, 0], "reflect"), (7, 13)),
    "pad, edge": (lambda g: padded(g, [0, 1, 1, 2, 0, 0, 3, 0], "edge"), (7, 13)),
    "pad, round": (lambda g: padded(g, [0, 0, 1, 2, 0, 0, 3, 0], "wrap"), (19,)),
    "pad, axes": (
        lambda g: g("Pad", "x", np.array([1, 2, 0, 3], np.int64), np.float32(1), np.array([-1, 2], np.int64)),
        (18,),
    ),
    "squeeze": (lambda g: axes(g, "Squeeze", g("GlobalMaxPool", "x"), 2, -1), (11, 13)),
    "unsqueeze": (lambda g: axes(g, "Unsqueeze", "x", -1, 1), (11, 13)),
    "unsqueeze before opset 11": (lambda g: axes(g, "Unsqueeze", "x", 4, 1), (7,)),
    **{
        f"Reduce{kind}": (
            lambda g, op=f"Reduce{kind}", since=13 if kind == "Sum" else 18: g(
                "Add", axes(g, op, "x", 2, 3, since=since, keepdims=1), axes(g, op, "x", 1, since=since, keepdims=1)
            ),
            (7, 13, 18),
        )
        for kind in ("Mean", "Sum", "Max", "Min", "L1", "L2", "SumSquare", "LogSumExp")
    },
    "mean of channels, kept": (lambda g: g("Mul", "x", axes(g, "ReduceMean", "x", 1, since=18)), (11, 18)),
    "mean of maps": (lambda g: axes(g, "ReduceMean", "x", -1, -2, since=18, keepdims=0), (11, 18)),
}


def assert_same(folder, name, opset):
    g = Graph(opset, seed=opset)
    assert difference(folder / "a.onnx", g.model(OPERATORS[name][0](g)))[0] < 1e-5


LIGHT = ("conv", "gemm", "matmul", "batch", "LRN", "prelu", "clip", "max", "average", "softmax", "tail", "pad", "split")


@pytest.mark.parametrize(
    "name", [name if name.startswith(LIGHT) else pytest.param(name, marks=pytest.mark.heavy) for name in OPERATORS]
)
def test_an_operator(tmp_path, name):
    assert_same(tmp_path, name, OPERATORS[name][1][-1])


@pytest.mark.heavy
@pytest.mark.parametrize(("name", "opset"), [(name, n) for name, (_, opsets) in OPERATORS.items() for n in opsets[:-1]])
def test_an_operator_of_earlier_opsets(tmp_path, name, opset):
    assert_same(tmp_path, name, opset)


def layers(read):
    """[(name, type of the layer)] of what was read."""
    return [(name, type(layer).__name__) for name, layer, _ in read.network.layers]


# ------------------------------------------------------------------------------------- which layers, under which names


def test_the_layers_that_a_reader_expects(tmp_path):
    """Names of weights give the layers' names; a product and a sum are one Linear; dead nodes are left out."""
    g = Graph(13, (3, 12, 12))
    arrays = {
        "features.0.weight": g.random(4, 3, 3, 3),
        "features.0.bias": g.random(4),
        "bn_gamma": g.random(4),
        "bn_beta": g.random(4),
        "fc.bias": g.random(5),
        "shift": g.random(4, 1, 1),
    }
    for name, values in arrays.items():
        g.array(values, name)
    y = g("Conv", "x", "features.0.weight", "features.0.bias", name="/features/features.0/Conv")
    y = g("Relu", y, name="/features/features.1/Relu")
    y = g("BatchNormalization", y, "bn_gamma", "bn_beta", g.random(4), g.random(4, low=0.1), name="", momentum=0.75)
    y = g("Add", y, "shift", name="..odd/\n")
    g("Erf", y, name="dead")
    y = g("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2], name="/features/MaxPool")
    y = g("Flatten", g("Dropout", y, name="drop"), name="/Flatten")
    y = g(
        "Add", g("MatMul", y, g.array(g.random(100, 5), "onnx::MatMul_7"), name="/fc/MatMul"), "fc.bias", name="/fc/Add"
    )
    worst, read = difference(tmp_path / "a.onnx", g.model(g("Softmax", y)))
    assert worst < 1e-5
    assert read.network.get_submodule("bn").momentum == 0.25  # the share of the new statistics, as in torch
    named = dict(layers(read))
    assert named == {
        "features.0": "Conv2d", "features.1": "ReLU", "bn": "BatchNorm2d", "shift": "Parameter", "odd.\\n": "Add",
        "features": "MaxPool2d", "drop": "Dropout", "Flatten": "Flatten", "fc": "Linear", "n11": "Softmax",
    }  # fmt: skip
    state = read.network.state_dict()
    for name, values in arrays.items():
        name = name.replace("bn_gamma", "bn.weight").replace("bn_beta", "bn.bias")
        assert state[name].tobytes() == values.tobytes(), name
    assert [name for name, p in read.network.named_parameters() if p.requires_grad] == [
        "shift", "features.0.weight", "features.0.bias", "bn.weight", "bn.bias", "fc.weight", "fc.bias",
    ]  # fmt: skip
    assert read.input_shape == (3, 12, 12) and read.channel_order is read.normalization is read.classes is None


def test_weights_that_two_nodes_share(tmp_path):
    g = Graph(13, (4, 7, 7))
    kernel, factor = g.array(g.random(4, 4, 3, 3), "conv.weight"), g.array(g.random(4, 1, 1), "gain")
    y = g("Mul", g("Conv", "x", kernel, pads=[1] * 4), factor)
    worst, read = difference(tmp_path / "a.onnx", g.model(g("Mul", g("Conv", y, kernel, pads=[1] * 4), factor)))
    assert worst < 1e-5
    assert len([*read.network.parameters()]) == 2 and [name for name, _ in layers(read)].count("gain_2") == 0
    assert sorted(read.network.state_dict()) == ["conv.weight", "conv_2.weight", "gain"]


def test_weights_that_are_used_in_two_forms(tmp_path):
    """A matrix and its transpose; names that differ late; one array as a weight and as a summand."""
    g = Graph(13, (4, 9, 8))
    w = g.array(g.random(8, 8), "w")
    long = [g.array(g.random(8), "b" * 150 + end) for end in "xy"]
    y = g("Add", g("MatMul", "x", w), g("MatMul", "x", g("Transpose", w)))
    y = g("Add", g("Mul", y, long[0]), g("MatMul", g("Mul", y, long[1]), g("Add", w, g("Transpose", w))))
    assert (
        difference(
            tmp_path / "a.onnx",
            g.model(g("Concat", y, g("MatMul", w, g("Slice", y, *(np.array([n]) for n in (0, 8, 2)))), axis=2)),
        )[0]
        < 1e-5
    )


def test_a_mean_image_before_the_first_layer(tmp_path):
    """The first row of a layout shows what the network takes, not a value that its first layer needs."""
    g = Graph(13, (3, 6, 5))
    worst, read = difference(tmp_path / "a.onnx", g.model(g("Relu", g("Sub", "x", g.array(g.random(3, 1, 1), "mean")))))
    assert worst < 1e-5 and layers(read)[:2] == [("images", "Identity"), ("mean", "Parameter")]
    assert layout(read.network, (3, 6, 5))[0].input == (3, 6, 5)


def test_training_changes_what_was_read(tmp_path):
    """Parameters are of the network: a step changes its output, and nothing of the file's arrays is read-only."""
    g = Graph(17, (3, 6, 6))
    y = g("Gemm", g("Flatten", g("Relu", conv(g, (4, 3, 3, 3)))), g.random(5, 64), g.random(5), transB=1)
    g.nodes[0].ClearField("name")
    read = difference(tmp_path / "a.onnx", g.model(y))[1]
    x = Tensor(g.random(2, 3, 6, 6))
    before = read.network.train()(x)
    (before * before).sum().backward()
    for p in read.network.parameters():
        assert np.abs(p.grad.numpy()).max() > 0
        p.data -= 0.01 * p.grad.numpy()
    assert np.abs(read.network(x).numpy() - before.numpy()).max() > 1e-3


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_precisions(tmp_path, dtype):
    g = Graph(13, (4, 7, 7), dtype=dtype)
    y = g("MatMul", g("Mul", g("Relu", "x"), np.asarray(0.3, dtype)), g.random(7, 5))
    y = g("Add", g("MaxPool", y, kernel_shape=[2, 2]), g.random(4, 1, 1))
    worst, read = difference(tmp_path / "a.onnx", g.model(y))
    assert worst < {"float16": 2e-3, "float64": 1e-13}[dtype]
    assert {array.dtype.name for array in read.network.state_dict().values()} == {dtype.replace("16", "32")}


def test_tensors_in_every_form_and_type(tmp_path):
    """Lists of numbers in the place of raw bytes; bfloat16; integers of all sizes as the numbers of a Gather."""
    for kind in (
        "FLOAT",
        "FLOAT16",
        "BFLOAT16",
        "DOUBLE",
        "INT8",
        "INT16",
        "INT32",
        "INT64",
        "UINT8",
        "UINT16",
        "UINT32",
        "UINT64",
    ):
        for raw in (False, True):
            number = getattr(onnx.TensorProto, kind)
            values = [1, 0, 3] if "INT" in kind else [1.5, -0.25, 3.0, 0.0]
            values = np.array(values, helper.tensor_dtype_to_np_dtype(number))
            tensor = helper.make_tensor("w", number, values.shape, values.tobytes() if raw else values, raw=raw)
            g = Graph(13, (4, 3, 3))
            g.initializers.append(tensor)
            y = g("Gather", "x", g("Cast", "w", to=7), axis=1)
            if "INT" not in kind:
                to = 11 if kind == "DOUBLE" else 1
                y = g("Add", g("Cast", "x", to=to), g("Cast", g("Reshape", "w", np.array([4, 1, 1])), to=to))
            read = formats.read(saved(tmp_path / "a.onnx", g.model(y)))
            x = g.random(2, 4, 3, 3)
            expected = x[:, values.astype(int)] if "INT" in kind else x + values.astype(np.float64)[:, None, None]
            np.testing.assert_allclose(read.network(Tensor(x)).numpy(), expected, rtol=1e-6, err_msg=kind)


# ------------------------------------------------------------------------------------------------------ whole networks


def vgg(g):
    y, channels = "x", 3
    for width in (6, 8):
        for _ in range(2):
            y = g("Relu", g("Conv", y, g.random(width, channels, 3, 3), g.random(width), pads=[1] * 4))
            channels = width
        y = g("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = g("Relu", g("Gemm", g("Flatten", y), g.random(10, 8 * 8 * 7), g.random(10), transB=1))
    return g("Softmax", g("Gemm", g("Dropout", y), g.random(5, 10), g.random(5), transB=1))


def squeezenet(g):
    """Fire modules, and a convolution as the classifier, as in SqueezeNet 1.1."""
    y = g("Relu", g("Conv", "x", g.random(8, 3, 3, 3), g.random(8), strides=[2, 2]))
    y = g("MaxPool", y, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    for channels in (8, 12):
        squeezed = g("Relu", g("Conv", y, g.random(4, channels, 1, 1), g.random(4)))
        left = g("Relu", g("Conv", squeezed, g.random(6, 4, 1, 1), g.random(6)))
        right = g("Relu", g("Conv", squeezed, g.random(6, 4, 3, 3), g.random(6), pads=[1] * 4))
        y = g("Concat", left, right, axis=1)
    y = g("Relu", g("Conv", g("Dropout", y), g.random(5, 12, 1, 1), g.random(5)))
    return g("Softmax", tail_of(g, g("GlobalAveragePool", y)))


def tail_of(g, y):
    n = g("Slice", g("Shape", y), *(np.array([i], np.int64) for i in (0, 1)))
    return g("Reshape", y, g("Concat", n, np.array([-1], np.int64), axis=0))


def residual(g):
    """Residual blocks with squeeze and excitation, groups, and a sum with what skips them."""
    y = g("Conv", "x", g.random(8, 3, 3, 3), pads=[1] * 4, strides=[2, 2])
    for _ in range(2):
        z = g("BatchNormalization", y, *(g.random(8) for _ in range(3)), g.random(8, low=0.5))
        z = g("Conv", g("Relu", z), g.random(8, 2, 3, 3), pads=[1] * 4, group=4)
        gate = axes(g, "ReduceMean", z, 2, 3, since=18, keepdims=0)
        gate = g("Gemm", gate, g.random(3, 8), g.random(3), transB=1)
        gate = g("Sigmoid", g("Gemm", g("Relu", gate), g.random(8, 3), g.random(8), transB=1))
        gate = g("Unsqueeze", gate, axes=[2, 3]) if g.opset < 13 else g("Unsqueeze", gate, np.array([2, 3], np.int64))
        y = g("Add", y, g("Mul", z, gate))
    return g("Gemm", g("Flatten", g("GlobalAveragePool", y)), g.random(5, 8), g.random(5), transB=1)


@pytest.mark.parametrize("opset", [7, 18])
@pytest.mark.parametrize("build", [vgg, squeezenet, residual])
def test_whole_networks(tmp_path, build, opset):
    if build is squeezenet and opset < 10:
        opset = 11
    g = Graph(opset, (3, 32, 31))
    worst, read = difference(tmp_path / "a.onnx", g.model(build(g)))
    assert worst < 1e-5
    assert layout(read.network, read.input_shape)[-1].output == (5,)


@pytest.mark.parametrize("name", ["one layer", "squeezenet"])
def test_images_whose_size_the_file_does_not_say(tmp_path, name):
    g = Graph(13, (3, None, None))
    y = squeezenet(g) if name == "squeezenet" else g("GlobalMaxPool", conv(g, (4, 3, 3, 3), pads=[0, 1, 2, 1]))
    model = g.model(y)
    for image in ((3, 32, 32), (3, 37, 40)):
        worst, read = difference(tmp_path / "a.onnx", model, image=image)
        assert worst < 1e-5 and read.input_shape is None


def test_channels_last_as_of_tensorflow(tmp_path):
    """The graph takes (N, C, H, W); where the file's first node turns the axes to that as well, nothing is turned."""
    for early in (True, False):
        g = Graph(13, (32, 28, 3), batch="N")
        y = "x" if early else g("Sub", "x", g.random(3))
        y = g("Transpose", y, perm=[0, 3, 1, 2])
        y = g("Flatten", g("Transpose", conv(g, (4, 3, 3, 3), y, strides=[9, 9]), perm=[0, 2, 3, 1]))
        model = g.model(g("Gemm", y, g.random(5, 48), transB=1))
        read = formats.read(saved(tmp_path / "a.onnx", model))
        assert read.input_shape == (3, 32, 28)
        x = g.random(2, 32, 28, 3)
        (right,) = session(model).run(None, {"x": x})
        y = read.network(Tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))).numpy()
        np.testing.assert_allclose(y, right, rtol=1e-4, atol=1e-4)
        assert [name for name, _ in layers(read)].count("channels_last") == (0 if early else 1)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_batch_is_free_again(tmp_path, batch):
    g = Graph(13, (4, 6, 5), batch=batch)
    y = g("Reshape", "x", np.array([batch, 120], np.int64))
    y = g("Reshape", g("Gemm", y, g.random(120, 6), g.random(6)), np.array([batch, 2, 3], np.int64))
    model = g.model(g("Concat", y, y, axis=1))
    worst, read = difference(tmp_path / "a.onnx", model, batches=(batch,))
    assert worst < 1e-5
    x = g.random(5, 4, 6, 5)
    all_at_once = read.network(Tensor(x)).numpy()
    one_by_one = [read.network(Tensor(image[None])).numpy() for image in x]
    np.testing.assert_allclose(all_at_once, np.concatenate(one_by_one), rtol=1e-5, atol=1e-5)


def test_an_even_lrn(tmp_path):
    """onnxruntime has none; ONNX's reference implementation begins the window at -(size - 1) // 2 as the text says."""
    g = Graph(13, (7, 3, 2))
    model = g.model(g("LRN", "x", size=4, alpha=2.0, beta=0.6, bias=1.5))
    x = g.random(2, 7, 3, 2)
    squares = np.pad(x.astype(np.float64) ** 2, ((0, 0), (1, 2), (0, 0), (0, 0)))
    sums = sum(squares[:, i : i + 7] for i in range(4))
    read = formats.read(saved(tmp_path / "a.onnx", model))
    np.testing.assert_allclose(read.network(Tensor(x)).numpy(), x / (1.5 + 2.0 / 4 * sums) ** 0.6, rtol=1e-5)


def torch_networks(torch):
    """As users write AlexNet in torch, with every kind of normalisation; and more of what its exporters write."""
    t = torch.nn

    class AlexNet(t.Module):
        def __init__(self):
            super().__init__()
            self.features = t.Sequential(
                t.Conv2d(3, 8, 11, 4, 2), t.ReLU(True), t.LocalResponseNorm(5, 1e-2, 0.75, 2.0), t.MaxPool2d(3, 2),
                t.Conv2d(8, 12, 5, padding=2, groups=2), t.ReLU(True), t.LocalResponseNorm(4, 0.1), t.MaxPool2d(3, 2),
                t.Conv2d(12, 10, 3, padding=1), t.PReLU(10), t.BatchNorm2d(10), t.MaxPool2d(3, 2),
            )  # fmt: skip
            self.avgpool = t.AvgPool2d(3, 1)  # TorchScript's exporter knows no shapes after an LRN
            self.classifier = t.Sequential(
                t.Dropout(), t.Linear(90, 16), t.ReLU(True), t.Dropout(), t.Linear(16, 7), t.LogSoftmax(1)
            )

        def forward(self, x):
            return self.classifier(self.avgpool(self.features(x)).view(x.size(0), -1))

    class Functions(t.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gain = t.Conv2d(3, 8, 3, 2, 1), t.Parameter(torch.randn(8, 1, 1))
            self.squeeze, self.fc = t.Conv2d(8, 8, 1), t.Linear(16, 7)

        def forward(self, x):
            f = t.functional
            x = f.hardswish(self.conv(f.pad(x, (1, 2, 0, 1)))) * self.gain
            x = x * torch.sigmoid(self.squeeze(f.adaptive_avg_pool2d(x, 1)))
            a, b = x.chunk(2, 1)
            x = torch.cat([b.clamp(-1, 2), a - 1, x[:, ::1]], 1).mean((2, 3))
            return f.softmax(f.elu(self.fc(x)) / 0.3, -1)

    return AlexNet(), Functions()


@pytest.mark.heavy
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("new", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_networks_that_torch_exports(tmp_path, torch, new, dynamic):
    if new:
        pytest.importorskip("onnxscript", reason="onnxscript, torch's new exporter, is not installed")
    for network in torch_networks(torch):
        for p in network.parameters():
            p.data.mul_(1.5)
        x, path = torch.randn(2, 3, 195, 195), tmp_path / "t.onnx"
        options = {"dynamic_shapes": ({0: "n"},)} if new else {"input_names": ["i"], "dynamic_axes": {"i": {0: "n"}}}
        torch.onnx.export(network.eval(), (x,), path, dynamo=new, verbose=False, **(options if dynamic else {}))
        read = formats.read(path)
        x = torch.randn(3, 3, 195, 195)
        with torch.no_grad(), no_grad():
            right, ours = network(x).numpy(), read.network.eval()(Tensor(x.numpy())).numpy()
        assert np.abs(ours - right).max() < 1e-5 * np.ptp(right)
        assert read.input_shape == (3, 195, 195) and "pytorch" in read.origin
        assert layout(read.network, (3, 195, 195))[-1].output == (7,)
        state = read.network.state_dict()
        kept = {
            n: v
            for n, v in network.state_dict().items()
            if not n.startswith(("features.8", "features.9", "features.10"))
        }
        assert {n for n in kept if n in state and np.array_equal(state[n], kept[n].numpy())} == set(kept)
        if "features.0.weight" in state:
            kinds = [kind for _, kind in layers(read)]
            assert kinds.count("LocalResponseNorm") == 2 and "AvgPool2d" in kinds


# -------------------------------------------------------------------------------- what our own exporter has written


LARGE = [pytest.param(name, marks=pytest.mark.heavy) for name in ("alexnet", "alexnet_2012", "alexnet_keras_bn10")]


@pytest.mark.parametrize("name", ["shapes_net", "cifar_quick", "cifar_18pct", *LARGE])
def test_a_preset_comes_back(tmp_path, name):
    """The arrays bit for bit, the same layers, and, since they are the same, the same logits bit for bit."""
    model = converting.build(name)
    rows, size = converting.rows_of(name, model), converting.size_of(name)
    read = formats.read(saved(tmp_path / "a.onnx", to_onnx(rows, {})))
    state, found = model.state_dict(), read.network.state_dict()
    converting.assert_same({key: found[key] for key in state}, state)
    x = Tensor(converting.pictures(2, size))
    with no_grad():
        ours, again = model(x).numpy(), read.network.eval()(x).numpy()
    assert np.abs(ours - again).max() <= 1e-6 * np.ptp(ours)
    assert read.input_shape == (3, size, size) and read.origin == "ONNX, opset 17, by minialex"
    kinds = [type(row.layer) for row in rows if not (isinstance(row.layer, nn.Dropout) and row.layer.inverted)]
    assert [type(layer) for _, layer, _ in read.network.layers] == kinds and len(found) == len(state)


def test_layers_that_the_exporter_takes_apart(tmp_path):
    """LRN in groups and within a channel, the paper's dropout, pools that round up, a bias of features."""
    model = converting.filled(
        nn.Sequential(
            nn.LocalResponseNorm(3, 0.4, groups=2),
            nn.LocalResponseNorm(3, 0.3, 0.6, 1.5, within_channel=True),
            nn.LocalResponseNorm(4, 0.2, within_channel=True),
            nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Dropout(0.25, inverted=False),
            nn.Flatten(),
            nn.Linear(24, 5),
        )
    )
    rows = layout(model, (4, 10, 9))
    read = formats.read(saved(tmp_path / "a.onnx", to_onnx(rows, {})))
    assert [type(layer) for _, layer, _ in read.network.layers] == [type(row.layer) for row in rows]
    groups, within, even, mean, largest, drop, *_ = (layer for _, layer, _ in read.network.layers)
    assert groups.groups == 2 and within.within_channel and even.size == 4 and even.alpha == 0.2
    assert mean.ceil_mode and not mean.count_include_pad and largest.ceil_mode and drop.p == 0.25 and not drop.inverted
    x = Tensor(np.random.default_rng(0).standard_normal((3, 4, 10, 9)).astype(np.float32))
    np.testing.assert_allclose(read.network.eval()(x).numpy(), model(x).numpy(), rtol=1e-5, atol=1e-6)


def test_what_the_exporter_says_about_the_data_comes_back(tmp_path):
    checkpoint = converting.a_checkpoint("shapes_net", mean_image=True)
    formats.write(tmp_path / "a.onnx", checkpoint)
    read = formats.read(tmp_path / "a.onnx")
    assert read.classes == checkpoint.classes and read.channel_order == checkpoint.channel_order
    converting.assert_same(read.normalization.to_arrays(), Normalize(**checkpoint.normalization).to_arrays())
    converting.assert_same(dict(read.network.state_dict()), dict(checkpoint.weights))
