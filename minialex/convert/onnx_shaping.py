"""ONNX's operators that arrange elements, as layers of minialex.nn that leave the batch size free.

Exporters compute shapes within the network: Shape, Gather, Concat, Reshape. onnx_constants.py computes them while the
file is read, with BATCH in the place of the batch size. https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

import math

from .. import nn
from .onnx_arithmetic import one_axis
from .onnx_graph import BATCH, Value, operator
from .onnx_tensors import TYPES, Fault


def product(numbers):
    """The product of lengths; None where one is not a plain number."""
    numbers = list(numbers)
    return math.prod(numbers) if all(isinstance(n, int) for n in numbers) else None


def known(node, x):
    """The shape of a Value; raises Fault where its number of axes is unknown."""
    if x.shape is None:
        raise Fault("its input has an unknown number of axes; export with a fixed size of images")
    return x.shape


@operator("Flatten")
def flatten(node):
    """(a, b, c, d) -> (a b, c d) for axis=2: all axes before `axis`, and all from it on, become one each."""
    x, axis = node.value(0), node.int("axis", 1)
    if x.shape is None:
        if axis != 1:
            known(node, x)
        return node.layer(nn.Flatten(), x, shape=None)
    rank = len(x.shape)
    axis = rank if axis == rank else one_axis(axis, rank)
    shape = (_joined(x.shape[:axis]), _joined(x.shape[axis:]))
    if axis == 1 and rank > 1:
        return node.layer(nn.Flatten(), x, shape=shape)
    if axis == 0:
        return node.layer(nn.Call("reshape", shape=(1, -1)), x, shape=shape)
    if axis > 1:
        x = node.layer(nn.Call("flatten", start_dim=0, end_dim=axis - 1), x, shape=shape[:1], name="rows")
    return node.layer(nn.Call("unsqueeze", dim=-1) if axis == rank else nn.Flatten(), x, shape=shape)


def _joined(lengths):
    return lengths[0] if len(lengths) == 1 else product(lengths)


@operator("Reshape")
def reshape(node):
    """The elements in C order in a constant shape: 0 copies an axis, -1 stands for what is left.

    The first axis is the batch where it is copied, or where the others hold the elements of one image.
    """
    x, target = node.value(0), node.integers(1, "the shape")
    exact = node.opset >= 14 and node.flag("allowzero")
    if target is None:
        raise Fault("its shape is missing")
    new = [_copied(x, axis) if n == 0 and not exact else n for axis, n in enumerate(target)]
    if any(n is None for n in new) or (exact and 0 in new):
        raise Fault(f"its shape {target} depends on the size of the images; export with a fixed size")
    if any(isinstance(n, int) and not -1 <= n <= 2**40 for n in new) or new.count(-1) > 1 or BATCH in new[1:]:
        raise Fault(f"its shape {target} is impossible, or does not begin with the batch")
    image = None if x.shape is None else product(x.shape[1:])
    of_images = x.shape is None or x.shape[:1] == (BATCH,)
    if new and of_images and _is_batch(node, new, image):
        return _of_each_image(node, x, new[1:], image)
    if BATCH in new:
        raise Fault(f"its shape {target} begins with the batch, but its input {x.shape} does not")
    if _groups_of_lrn(node, x, new):
        return x
    if of_images and node.network.batch is None and -1 not in new[:1]:
        raise Fault(f"its shape {target} joins the images of a batch; let its first number be -1 or 0")
    total = None if x.shape is None else product(node.network.batch if n is BATCH else n for n in x.shape)
    rest = product(n for n in new if n != -1)
    if total is not None and (total % rest if -1 in new and rest else total != rest):
        raise Fault(f"its shape {target} does not fit the {total:,} elements of its input {x.shape}")
    shape = tuple((None if of_images or total is None else total // rest) if n == -1 else n for n in new)
    return node.layer(nn.Call("reshape", shape=tuple(new)), x, shape=shape)


def _copied(x, axis):
    if x.shape is None:
        return BATCH if axis == 0 else None
    if axis >= len(x.shape):
        raise Fault(f"its shape copies axis {axis} of its input {x.shape}, which has no such axis")
    return x.shape[axis]


def _is_batch(node, new, image):
    """Whether the first axis of a shape is the batch, of images with so many elements (None: unknown)."""
    if new[0] is BATCH:
        return True
    rest = product(new[1:])
    if new[0] == -1:
        return image is None or image == rest
    return new[0] == node.network.batch and (image is None or -1 in new or image == rest)


def _of_each_image(node, x, rest, image):
    """A Reshape that keeps the batch. rest: the other axes, one of which may be -1."""
    others = product(n for n in rest if n != -1)
    if image is not None:
        if (image % others if others else image) if -1 in rest else image != others:
            raise Fault(f"its shape (N, {', '.join(map(str, rest))}) does not fit its input {x.shape}")
        rest = [image // max(others, 1) if n == -1 else n for n in rest]
    shape = (BATCH, *(None if n == -1 else n for n in rest))
    if shape == x.shape and None not in shape:
        return x
    if len(rest) == 1 and x.shape is not None and len(x.shape) > 1:
        return node.layer(nn.Flatten(), x, shape=shape)
    return node.layer(nn.Reshape(*rest) if rest else nn.Call("reshape", shape=(-1,)), x, shape=shape)


def _groups_of_lrn(node, x, new):
    """Whether this splits the channels into groups for an LRN, after which they are joined again.

    So minialex's exporter writes an LRN whose windows do not cross the groups of channels. If so, the LRN is told.
    """
    user = node.sole_user()
    if x.shape is None or len(x.shape) != 4 or len(new) != 4 or new[0] != -1 or user is None or user.op_type != "LRN":
        return False
    back = node.sole_user(user.output[0]) if user.output else None
    joined = node.constant_named(back.input[1]) if back and back.op_type == "Reshape" and len(back.input) > 1 else None
    channels, groups = x.shape[1], 0
    if isinstance(channels, int) and new[1] > 0 and channels % new[1] == 0:
        groups = channels // new[1]
    if joined is None or [*joined.array.reshape(-1)][1:] != [*x.shape[1:]] or new[2:] != [*x.shape[2:]]:
        return False
    node.network.groups[user.output[0]] = groups
    return groups > 0


def rearranged(node, x, shape, call):
    """x in a shape of the same elements: a Flatten or Reshape where it is known, else `call`."""
    if shape[:1] == (BATCH,) and x.shape[:1] == (BATCH,) and len(shape) > 1 and None not in shape:
        layer = nn.Flatten() if len(shape) == 2 and len(x.shape) > 2 else nn.Reshape(*shape[1:])
        return node.layer(layer, x, shape=shape)
    return call()


@operator("Squeeze")
def squeeze(node):
    """Without axes of length 1: those that are named, an attribute before opset 13; without names all but the batch."""
    x, axes = node.value(0), node.either("axes", 1, 13)
    rank = len(known(node, x))
    if axes is None:
        if None in x.shape:
            raise Fault("which axes it leaves out depends on the size of the images")
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    axes = sorted({one_axis(axis, rank) for axis in axes})
    wrong = [
        axis for axis in axes if x.shape[axis] not in (1, None) and (x.shape[axis], node.network.batch) != (BATCH, 1)
    ]
    if wrong:
        raise Fault(f"axis {wrong[0]} of its input {x.shape} is not of length 1")
    shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    return rearranged(node, x, shape, lambda: node.layer(nn.Call("squeeze", dim=tuple(axes)), x, shape=shape))


@operator("Unsqueeze")
def unsqueeze(node):
    """With new axes of length 1, numbered as in the result; an attribute before opset 13."""
    x, axes = node.value(0), node.either("axes", 1, 13)
    if axes is None:
        raise Fault("its axes are missing")
    rank = len(known(node, x)) + len(axes)
    axes = sorted({one_axis(axis, rank) for axis in axes})
    shape = list(x.shape)
    for axis in axes:
        shape.insert(axis, 1)
    if len(shape) != rank:
        raise Fault(f"it names an axis twice: {axes}")

    def one_by_one():
        y, before = x, list(x.shape)
        for number, axis in enumerate(axes, 1):
            before.insert(axis, 1)
            name = None if number == len(axes) else str(number)
            y = node.layer(nn.Call("unsqueeze", dim=axis), y, shape=tuple(before), name=name)
        return y

    return rearranged(node, x, tuple(shape), one_by_one) if axes else x


@operator("Transpose")
def transpose(node):
    """Axes in the order `perm`, by default the reverse; one that undoes another is left out with it."""
    x = node.value(0)
    rank = None if x.shape is None else len(x.shape)
    perm = node.ints("perm", None, rank)
    if perm is None:
        perm = [*range(len(known(node, x)))][::-1]
    if sorted(perm) != [*range(len(perm))]:
        raise Fault(f"perm={perm} does not name each axis once")
    shape = None if x.shape is None else tuple(x.shape[axis] for axis in perm)
    layer, sources = node.network.layers.get(x.name, (None, ()))
    if getattr(layer, "function", None) == "permute":
        before = layer.arguments["dims"]
        if [before[axis] for axis in perm] == [*range(len(perm))]:
            return Value(sources[0], shape, x.dtype)
    return node.layer(nn.Call("permute", dims=tuple(perm)), x, shape=shape)


@operator("Cast")
def cast(node):
    """Another type. float16 and bfloat16 are computed in float32, and so only float64 makes a difference."""
    x, number = node.value(0), node.int("to", 0)
    kind = TYPES.get(number, ("another type",))[0]
    node.int("saturate", 1)  # of types of 8 bits
    if kind not in ("float16", "bfloat16", "float32", "float64"):
        raise Fault(f"it converts to {kind}; only floating-point numbers are computed")
    dtype = "float64" if kind == "float64" else "float32"
    if x.dtype == dtype:
        return x
    return node.layer(nn.Call("to", target=dtype), x, shape=x.shape, dtype=dtype)
