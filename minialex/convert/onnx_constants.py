"""What can be computed while an ONNX file is read: shapes, and nodes of constants alone, which become no layers.

A shape is an array in which BATCH stands for the batch size, and None for what the file does not say.
"""

from __future__ import annotations

import inspect
import math
import operator as operators

import numpy as np

from .onnx_arithmetic import one_axis
from .onnx_graph import BATCH, Constant, operator
from .onnx_parts import slices
from .onnx_tensors import TYPES, Fault

FOLDED: dict = {}


def folded(*names):
    """A decorator that puts a function of (Node, arrays) into FOLDED: computes what a node of constants alone gives."""

    def add(function):
        FOLDED.update(dict.fromkeys(names, function))
        return function

    return add


def fold(node):
    """The Constant that a node of Constants alone gives; None for an operator that is not computed here."""
    function = FOLDED.get(node.op)
    if function is None:
        return None
    constants = [node.input(number) for number in range(len(node.inputs))]
    code = function.__code__
    least = code.co_argcount - 1  # its inputs, without the node
    if len(constants) < least or None in constants[:least]:
        raise Fault(f"it needs {least} inputs")
    if len(constants) > least and not code.co_flags & inspect.CO_VARARGS:
        raise Fault(f"it has {len(constants)} inputs, more than {node.op} has")
    result = function(node, *(None if constant is None else constant.array for constant in constants))
    if not isinstance(result, np.ndarray):  # an element of an array of objects
        result, element = np.empty((), object), result
        result[()] = element
    if not np.may_share_memory(result, constants[0].array):
        node.network.tensors.reserve(result.nbytes)
    return Constant(result, constants[0].name if node.op in _KEEPING else "", constants[0].learned)


_KEEPING = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Cast")  # whose result is the same weights


@operator("Shape")
def shape(node):
    """The shape of its input, from axis `start` to before `end`; a list of integers."""
    x = node.any(0)
    if x.shape is None:
        raise Fault("its input has an unknown shape; export with a fixed size of images")
    start, end = (node.int(name, None) if node.opset >= 15 else None for name in ("start", "end"))
    lengths = x.shape[slice(start, end)]
    array = np.empty(len(lengths), object)
    array[:] = lengths
    return Constant(array if any(not isinstance(n, int) for n in lengths) else array.astype(np.int64))


@operator("Constant")
def constant(node):
    """A tensor, a number or a list of numbers that is an attribute."""
    array = node.tensor("value")
    if node.has("value_float"):
        array = np.float32(node.float("value_float", 0.0))
    elif node.has("value_int"):
        array = np.int64(node.int("value_int", 0))
    elif node.has("value_floats"):
        array = np.array(node.floats("value_floats"), np.float32)
    elif node.has("value_ints"):
        array = np.array(node.ints("value_ints", []), np.int64)
    if array is None:
        raise Fault("it has no tensor; only numbers can be read")
    return Constant(np.asarray(array))


# ------------------------------------------------------------------------------------------------------- of constants


@folded("Cast")
def _cast(node, a):
    kind = TYPES.get(node.int("to", 0), ("",))[0].replace("bfloat16", "float32").replace("float16", "float32")
    if not kind:
        raise Fault("it converts to a type that is not read")
    with np.errstate(invalid="ignore", over="ignore"):
        return a if a.dtype == object else a.astype(kind, copy=False)


@folded("Gather")
def _gather(node, a, places):
    axis = one_axis(node.int("axis", 0), a.ndim)
    length = a.shape[axis]
    if places.dtype.kind not in "iu" or (places.size and not (-length <= places.min() and places.max() < length)):
        raise Fault(f"its indices lead out of axis {axis} of {a.shape}")
    node.network.tensors.reserve(places.size * a.nbytes // length)
    return np.take(a, places, axis)


@folded("Slice")
def _slice(node, a, *rest):
    return a[tuple(slices(node, a.ndim))]


@folded("Concat")
def _concat(node, *arrays):
    axis = one_axis(node.int("axis", 0), arrays[0].ndim)
    shapes = {a.shape[:axis] + a.shape[axis + 1 :] for a in arrays}
    if len(shapes) > 1 or len({a.ndim for a in arrays}) > 1:
        raise Fault(f"its inputs {[a.shape for a in arrays]} do not agree in all axes but {axis}")
    return np.concatenate(arrays, axis)


@folded("ConstantOfShape")
def _constant_of_shape(node, lengths):
    value, new = node.tensor("value"), node.integers(0, "the shape")
    value = np.zeros(1, np.float32) if value is None else value
    if any(not isinstance(n, int) or not 0 <= n < 2**40 for n in new) or value.size != 1:
        raise Fault(f"its shape {new} depends on the size of the images or of the batch")
    node.network.tensors.reserve(math.prod(new) * value.itemsize)
    return np.full(new, value.reshape(()), value.dtype)


@folded("Unsqueeze")
def _unsqueeze(node, a, *rest):
    axes = node.either("axes", 1, 13) or []
    rank = a.ndim + len(axes)
    axes = {one_axis(axis, rank) for axis in axes}
    lengths = iter(a.shape)
    return a.reshape([1 if axis in axes else next(lengths, 1) for axis in range(rank)])


@folded("Squeeze")
def _squeeze(node, a, *rest):
    axes = node.either("axes", 1, 13)
    axes = {axis for axis, n in enumerate(a.shape) if n == 1} if axes is None else {one_axis(i, a.ndim) for i in axes}
    if any(a.shape[axis] != 1 for axis in axes):
        raise Fault(f"axes {sorted(axes)} of {a.shape} are not of length 1")
    return a.reshape([n for axis, n in enumerate(a.shape) if axis not in axes])


@folded("Reshape")
def _reshape(node, a, target):
    new = node.integers(1, "the shape")
    if (node.opset >= 14 and node.flag("allowzero")) or any(not isinstance(n, int) or not -1 <= n < 2**40 for n in new):
        raise Fault(f"its shape {new} is not known, or allowzero=1")
    new = [a.shape[axis] if n == 0 and axis < a.ndim else n for axis, n in enumerate(new)]
    rest = math.prod(n for n in new if n != -1)
    if new.count(-1) > 1 or (a.size % rest if -1 in new and rest else a.size != rest):
        raise Fault(f"its shape {new} does not fit {a.shape}")
    return a.reshape([a.size // rest if n == -1 else n for n in new])


@folded("Transpose")
def _transpose(node, a):
    perm = node.ints("perm", [*range(a.ndim)][::-1], a.ndim)
    if sorted(perm) != [*range(a.ndim)]:
        raise Fault(f"perm={perm} does not name each axis once")
    return a.transpose(perm)


def _divided(a, b):
    """A quotient of integers, cut off towards 0."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_COMPUTE = {"Add": operators.add, "Sub": operators.sub, "Mul": operators.mul, "Div": operators.truediv}
_NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}


@folded(*_COMPUTE)
def _arithmetic(node, a, b):
    shape = node.broadcast(a.shape, b.shape)
    node.network.tensors.reserve(math.prod(shape) * 8)
    compute = _COMPUTE[node.op]
    if object not in (a.dtype, b.dtype) and "f" in (a.dtype.kind, b.dtype.kind):
        with np.errstate(all="ignore"):
            return np.asarray(compute(a, b))
    if math.prod(shape) > 64:
        raise Fault("it computes with many integers; only short shapes are computed")

    def each(x, y):
        if x is None or y is None:
            return None
        if x is BATCH or y is BATCH:
            if x is BATCH and y == _NEUTRAL[node.op]:
                return BATCH
            raise Fault("it computes with the batch size; only shapes that copy it can be read")
        if node.op == "Div" and not y:
            raise Fault("it divides by 0")
        result = _divided(int(x), int(y)) if node.op == "Div" else compute(int(x), int(y))
        if abs(result) > 2**62:
            raise Fault(f"its result {result} is too large")
        return result

    result = np.empty(shape, object)
    result.reshape(-1)[:] = [
        each(x, y) for x, y in zip(*(np.broadcast_to(z, shape).reshape(-1).tolist() for z in (a, b)))
    ]
    return result if any(not isinstance(n, int) for n in result.reshape(-1)) else result.astype(np.int64)


@folded("ReduceProd")
def _product(node, a):
    node.ints("axes", None), node.flag("keepdims", True)
    if a.ndim != 1 or a.size > 64 or any(not isinstance(n, int) for n in a.tolist()):
        raise Fault(f"only a product of lengths is computed, but its input is {a.dtype} {a.shape}")
    total = math.prod(a.tolist())
    if abs(total) > 2**62:
        raise Fault("its result is too large")
    return np.full((1,) if node.flag("keepdims", True) else (), total, np.int64)


@folded("Floor", "Ceil", "Sqrt", "Neg")
def _each(node, a):
    if a.dtype == object or a.dtype.kind not in "if":
        raise Fault("it computes with the size of the images or of the batch")
    with np.errstate(all="ignore"):
        return {"Floor": np.floor, "Ceil": np.ceil, "Sqrt": np.sqrt, "Neg": np.negative}[node.op](a)
