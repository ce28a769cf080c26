"""ONNX's operators that work on each element, and those that sum up axes, as layers of minialex.nn.

Operands broadcast as in NumPy. A constant of one element becomes an argument of the layer, any other one a value of the
Graph: a Parameter where the file has it among its weights. https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math

from .. import nn
from .onnx_graph import BATCH, Constant, Value, operator
from .onnx_node import decimal_of
from .onnx_tensors import Fault


def chain(node, x, *layers):
    """Layers one after another; the last one has the node's name."""
    for number, layer in enumerate(layers, 1):
        x = node.layer(layer, x, shape=x.shape, name=None if number == len(layers) else str(number))
    return x


# ------------------------------------------------------------------------------------------------------- activations


@operator("Relu", "Sigmoid", "Tanh", "Softplus")
def activation(node):
    """y = max(x, 0); 1 / (1 + e^-x); tanh(x); log(1 + e^x)."""
    layer = {"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh, "Softplus": nn.Softplus}[node.op]
    return chain(node, node.value(0), layer())


_CALLS = {"Neg": "neg", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Abs": "abs", "Reciprocal": "reciprocal",
    "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign", "Sin": "sin", "Cos": "cos"}  # fmt: skip


@operator(*_CALLS)
def function(node):
    """The function of that name; Round takes the even one of two neighbours."""
    return chain(node, node.value(0), nn.Call(_CALLS[node.op]))


@operator("LeakyRelu")
def leaky_relu(node):
    """y = x where x > 0, else alpha x."""
    return chain(node, node.value(0), nn.LeakyReLU(node.float("alpha", 0.01)))


@operator("Elu")
def elu(node):
    """y = x where x > 0, else alpha (e^x - 1)."""
    return chain(node, node.value(0), nn.ELU(node.float("alpha", 1.0)))


@operator("Selu")
def selu(node):
    """y = gamma elu(x)."""
    alpha = node.float("alpha", 1.67326319217681884765625)
    gamma = node.float("gamma", 1.05070102214813232421875)
    return chain(node, node.value(0), nn.ELU(alpha), nn.Call("mul", other=gamma))


@operator("Celu")
def celu(node):
    """y = alpha elu(x / alpha), with an elu of alpha 1."""
    alpha = node.float("alpha", 1.0)
    if not alpha:
        raise Fault("alpha is 0, by which x is divided")
    return chain(node, node.value(0), nn.Call("div", other=alpha), nn.ELU(), nn.Call("mul", other=alpha))


@operator("HardSigmoid")
def hard_sigmoid(node):
    """y = min(max(alpha x + beta, 0), 1)."""
    return chain(node, node.value(0), *_hard_sigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)))


def _hard_sigmoid(alpha, beta):
    return nn.Call("mul", other=alpha), nn.Call("add", other=beta), nn.Call("clamp", min=0, max=1)


def _gated(node, *layers):
    """y = x g(x); layers: g."""
    x = gate = node.value(0)
    for number, layer in enumerate(layers, 1):
        gate = node.layer(layer, gate, shape=x.shape, name=f"gate{number}")
    return node.layer(nn.Multiply(), x, gate, shape=x.shape)


@operator("HardSwish")
def hard_swish(node):
    """y = x min(max(x / 6 + 1/2, 0), 1)."""
    return _gated(node, *_hard_sigmoid(1 / 6, 0.5))


@operator("Mish")
def mish(node):
    """y = x tanh(log(1 + e^x))."""
    return _gated(node, nn.Softplus(), nn.Tanh())


@operator("Swish")
def swish(node):
    """y = x / (1 + e^(-alpha x))."""
    alpha = node.float("alpha", 1.0)
    if alpha == 1:
        return chain(node, node.value(0), nn.SiLU())
    return _gated(node, nn.Call("mul", other=alpha), nn.Sigmoid())


@operator("Softsign")
def softsign(node):
    """y = x / (1 + |x|)."""
    x = node.value(0)
    size = node.layer(nn.Call("abs"), x, shape=x.shape, name="abs")
    size = node.layer(nn.Call("add", other=1), size, shape=x.shape, name="one_more")
    return node.layer(nn.Call("div"), x, size, shape=x.shape)


@operator("Gelu")
def gelu(node):
    """y = x Phi(x), the share of a normal distribution below x; approximate="tanh" for its approximation."""
    approximate = node.text("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise Fault(f"approximate={approximate}, expected none or tanh")
    return chain(node, node.value(0), nn.GELU(approximate))


@operator("Clip")
def clip(node):
    """y = min(max(x, low), high): attributes before opset 11, then inputs; one that is left out limits nothing."""
    x = node.value(0)
    if node.opset < 11:
        bounds = {key: node.float(key, None) for key in ("min", "max")}
    else:
        given = {key: node.constant(number, key) for number, key in enumerate(("min", "max"), 1)}
        if any(c is not None and c.array.size != 1 for c in given.values()):
            raise Fault("its bounds should be single numbers")
        bounds = {key: None if c is None else decimal_of(c) for key, c in given.items()}
    bounds = {key: number for key, number in bounds.items() if number is not None and abs(number) < 3.4028234e38}
    return chain(node, x, nn.Call("clamp", **bounds) if bounds else nn.Identity())


@operator("Softmax", "LogSoftmax")
def softmax(node):
    """Probabilities, or their logarithms, along an axis; before opset 13 along all axes from `axis` on, as one."""
    x, kind = node.value(0), nn.Softmax if node.op == "Softmax" else nn.LogSoftmax
    joined = node.opset < 13
    axis = node.int("axis", 1 if joined else -1)
    if x.shape is None:
        if joined:
            raise Fault("its input has an unknown number of axes; export with a fixed size of images")
        return node.layer(kind(axis), x, shape=None)
    rank = len(x.shape)
    axis = one_axis(axis, rank)
    if not joined or all(n == 1 for n in x.shape[axis + 1 :]):
        return node.layer(kind(axis), x, shape=x.shape)
    if axis == 0 or x.shape[0] is not BATCH or None in x.shape:
        raise Fault(f"axis={axis} joins axes of {x.shape}, which cannot be told apart again; use opset 13")
    flat = node.layer(nn.Flatten(axis), x, shape=(*x.shape[:axis], math.prod(x.shape[axis:])), name="flat")
    flat = node.layer(kind(-1), flat, shape=flat.shape, name="joined")
    return node.layer(nn.Reshape(*x.shape[1:]), flat, shape=x.shape)


def one_axis(axis, rank):
    """An axis as a number from 0 on; raises Fault where there is none of this number."""
    if not -rank <= axis < rank:
        raise Fault(f"axis {axis} of {rank} axes")
    return axis % rank


# -------------------------------------------------------------------------------------------------------- arithmetic


def _is_number(constant, other):
    """Whether a Constant is one number, which makes a value of this shape no larger."""
    fits = other.shape is not None and constant.array.ndim <= len(other.shape)
    return constant.array.size == 1 and (fits or constant.array.ndim == 0)


_TWO = {"Add": ("add", "input", "other"), "Sub": ("sub", "input", "other"), "Mul": ("mul", "input", "other"),
    "Div": ("div", "input", "other"), "Pow": ("pow", "input", "exponent")}  # fmt: skip


@operator(*_TWO)
def arithmetic(node):
    """a + b, a - b, a b, a / b, a^b."""
    a, b = node.any(0), node.any(1)
    name, *arguments = _TWO[node.op]
    if node.op == "Pow" and isinstance(b, Constant) and b.array.dtype.kind in "iu":  # may be of another type than a
        b = Constant(b.array.astype(node.value(0).dtype), b.name, b.learned)
    for number, other, argument in ((b, a, arguments[1]), (a, b, arguments[0])):
        if isinstance(number, Constant) and isinstance(other, Value) and _is_number(number, other):
            return _with_number(node, nn.Call(name, **{argument: decimal_of(number)}), number, other)
    layer = {"Add": nn.Add, "Mul": nn.Multiply}.get(node.op, lambda: nn.Call(name))()
    return node.layer(layer, a, b, shape=node.broadcast(a.shape, b.shape))


def _with_number(node, layer, number, x):
    """A layer of x and one number; minialex's exporter writes the paper's dropout in evaluation as such a product."""
    if number.name.endswith(".keep") and node.op == "Mul" and 0 <= decimal_of(number) <= 1:
        layer = nn.Dropout(1 - decimal_of(number), inverted=False)
    return node.layer(layer, x, shape=x.shape)


@operator("Sum", "Mean", "Max", "Min")
def together(node):
    """The sum, mean, largest or smallest of any number of operands."""
    operands = [node.any(number) for number in range(len(node.inputs))]
    if not operands:
        raise Fault("it has no inputs")
    if len(operands) == 1:
        return chain(node, node.value(0), nn.Identity())
    shape = node.broadcast(*(x.shape for x in operands))
    if node.op in ("Sum", "Mean"):
        mean = node.op == "Mean"
        total = node.layer(nn.Add(), *operands, shape=shape, name="sum" if mean else None)
        return chain(node, total, nn.Call("div", other=len(operands))) if mean else total
    largest, last = operands[0], len(operands) - 1
    for number, x in enumerate(operands[1:], 1):
        call = nn.Call("maximum" if node.op == "Max" else "minimum")
        between = node.broadcast(largest.shape, x.shape)
        largest = node.layer(call, largest, x, shape=between, name=None if number == last else str(number))
    return largest


@operator("Identity")
def identity(node):
    """y = x: no layer."""
    return node.any(0)


# -------------------------------------------------------------------------------------------------------- reductions

_REDUCTIONS = {
    "ReduceMean": ("mean", 18), "ReduceSum": ("sum", 13), "ReduceMax": ("amax", 18), "ReduceMin": ("amin", 18),
    "ReduceL1": ("norm", 18), "ReduceL2": ("norm", 18), "ReduceSumSquare": ("sum", 18), "ReduceLogSum": ("sum", 18),
    "ReduceLogSumExp": ("logsumexp", 18),
}  # fmt: skip


@operator(*_REDUCTIONS)
def reduction(node):
    """Mean, sum, largest, norm, ... over axes: an attribute, in later opsets an input; all axes without one."""
    x = node.value(0)
    name, since = _REDUCTIONS[node.op]
    axes, keepdim = node.either("axes", 1, since), node.flag("keepdims", True)
    nothing = node.opset >= since and node.flag("noop_with_empty_axes")
    if nothing and not axes:
        return chain(node, x, nn.Identity())
    if x.shape is None:
        raise Fault("its input has an unknown number of axes; export with a fixed size of images")
    rank = len(x.shape)
    axes = tuple(sorted({one_axis(axis, rank) for axis in axes})) if axes else tuple(range(rank))
    kept = [n for axis, n in enumerate(x.shape) if axis not in axes]
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape)) if keepdim else tuple(kept)
    if (node.op, axes, keepdim, rank) == ("ReduceMean", (2, 3), True, 4):
        return node.layer(nn.AdaptiveAvgPool2d(1), x, shape=shape)
    if node.op == "ReduceSumSquare":
        x = node.layer(nn.Call("square"), x, shape=x.shape, name="squares")
    more = {"p": int(node.op[-1])} if name == "norm" else {}
    last = node.op != "ReduceLogSum"
    y = node.layer(nn.Call(name, dim=axes, keepdim=keepdim, **more), x, shape=shape, name=None if last else "sum")
    return y if last else node.layer(nn.Call("log"), y, shape=shape)
