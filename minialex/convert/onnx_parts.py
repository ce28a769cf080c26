"""ONNX's operators that join, cut and pad along axes, as layers of minialex.nn. https://onnx.ai/onnx/operators/"""

from __future__ import annotations

import itertools

import numpy as np

from .. import nn
from .onnx_arithmetic import one_axis
from .onnx_graph import BATCH, operator
from .onnx_node import decimal_of
from .onnx_shaping import known
from .onnx_tensors import Fault
from .onnx_windows import LARGEST


@operator("Concat")
def concat(node):
    """Its inputs joined along an axis."""
    parts, axis = [node.any(number) for number in range(len(node.inputs))], node.int("axis", None)
    shapes = [part.shape for part in parts]
    if axis is None or not parts:
        raise Fault("its axis, or all its inputs, are missing")
    if None in shapes:
        return node.layer(nn.Concat(axis), *parts, shape=None)
    axis = one_axis(axis, len(shapes[0]))
    if any(len(s) != len(shapes[0]) for s in shapes):
        raise Fault(f"its inputs {shapes} have different numbers of axes")
    rest = node.broadcast(*((*s[:axis], 1, *s[axis + 1 :]) for s in shapes))
    if any(n == 1 != m for s in shapes for n, m, a in zip(s, rest, range(len(rest))) if a != axis):
        raise Fault(f"its inputs {shapes} do not agree in all axes but {axis}")
    lengths = [s[axis] for s in shapes]
    length = sum(lengths) if all(isinstance(n, int) for n in lengths) else None
    return node.layer(nn.Concat(axis), *parts, shape=(*rest[:axis], length, *rest[axis + 1 :]))


def _indexed(node, x, axis, places, name=None):
    """x[:, ..., places] along an axis."""
    length = x.shape[axis]
    after = range(length)[places] if isinstance(length, int) and isinstance(places, slice) else None
    shape = (*x.shape[:axis], None if after is None else len(after), *x.shape[axis + 1 :])
    return node.layer(nn.Call("getitem", index=(*[slice(None)] * axis, places)), x, shape=shape, name=name)


@operator("Split")
def split(node):
    """Consecutive parts along an axis, of given lengths or equal ones; the last of equal ones may be shorter."""
    x, axis, parts = node.value(0), node.int("axis", 0), len(node.proto.output)
    axis = one_axis(axis, len(known(node, x)))
    lengths = node.either("split", 1, 13)
    count = node.int("num_outputs", parts) if node.opset >= 18 else parts
    whole = x.shape[axis]
    if not isinstance(whole, int) or count != parts or not 1 <= parts <= 1000:
        raise Fault(f"axis {axis} of {x.shape} cannot be split into {parts} parts")
    each = -(-whole // parts)
    lengths = [max(min(each, whole - i * each), 0) for i in range(parts)] if lengths is None else lengths
    if sum(lengths) != whole or min(lengths) < 0 or len(lengths) != parts:
        raise Fault(f"its parts {lengths} are not axis {axis} of its input {x.shape}")
    ends = np.cumsum([0, *lengths]).tolist()
    return [_indexed(node, x, axis, slice(a, b), str(i)) for i, (a, b) in enumerate(itertools.pairwise(ends))]


@operator("Slice")
def slice_(node):
    """x[start:end:step] of some axes, as in Python; attributes before opset 10, without steps."""
    x = node.value(0)
    places = slices(node, len(known(node, x)))
    shape = tuple(
        n if place == slice(None) else len(range(n)[place]) if isinstance(n, int) else None
        for n, place in zip(x.shape, places)
    )
    while len(places) > 1 and places[-1] == slice(None):
        places.pop()
    return node.layer(nn.Call("getitem", index=tuple(places)), x, shape=shape)


def slices(node, rank):
    """A slice for each axis, of a Slice."""
    starts, ends, axes = (node.either(name, number, 10) for number, name in enumerate(("starts", "ends", "axes"), 1))
    steps = node.integers(4, "steps") if node.opset >= 10 else None
    axes = [*range(len(starts or ()))] if axes is None else axes
    steps = [1] * len(axes) if steps is None else steps
    if not starts or not ends or {len(starts), len(ends), len(axes), len(steps)} != {len(starts)} or 0 in steps:
        raise Fault(f"its starts, ends, axes and steps are {starts}, {ends}, {axes} and {steps}")
    places = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps):
        far = end >= 2**31 - 1 if step > 0 else end <= -(2**31) + 1
        begin = None if start == 0 and step > 0 else start
        place = slice(begin, None if far else end, None if step == 1 else step)
        places[one_axis(axis, rank)] = place
    return places


@operator("Gather")
def gather(node):
    """The elements at constant places along an axis: all channels in another order, or one place without its axis."""
    x, axis, places = node.value(0), node.int("axis", 0), node.constant(1, "the indices")
    axis = one_axis(axis, len(known(node, x)))
    if places is None or places.array.dtype.kind not in "iu" or places.array.ndim > 1 or places.array.size > 2**16:
        raise Fault("its indices should be an integer, or a list of them")
    length = node.network.batch if x.shape[axis] is BATCH else x.shape[axis]
    if length is None or any(not -length <= place < length for place in places.array.reshape(-1)):
        raise Fault(f"its indices lead out of axis {axis} of its input {x.shape}")
    index = (*[slice(None)] * axis, places.array.tolist())
    return node.layer(nn.Call("getitem", index=index), x, shape=(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :]))


_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


@operator("Pad")
def pad(node):
    """A margin: `pads` has what to add before each axis, then after each; a negative number cuts off as many.

    pads and value are attributes before opset 11, then inputs; opset 18 can name the axes.
    """
    x = node.value(0)
    rank, pads = len(known(node, x)), node.either("pads", 1, 11)
    axes = node.either("axes", 3, 18) if node.opset >= 18 else None
    axes = [*range(rank)] if axes is None else [one_axis(axis, rank) for axis in axes]
    if node.opset < 11:
        value = node.float("value", 0.0)
    else:
        given = node.constant(2, "the value")
        if given is not None and given.array.size > 1:
            raise Fault(f"its value has the shape {given.shape}, expected one number")
        value = decimal_of(given) if given is not None and given.array.size else 0.0
    mode = _MODES.get(node.text("mode", "constant"))
    if mode is None or pads is None or len(pads) != 2 * len(axes) or max(map(abs, pads), default=0) > LARGEST:
        raise Fault(f"its mode is {node.text('mode', 'constant')}, its pads are {pads} for the axes {axes}")
    widths = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :])))
    shape = tuple(n if not any(w := widths.get(axis, (0, 0))) else n + sum(w) if isinstance(n, int) else None
        for axis, n in enumerate(x.shape))  # fmt: skip
    if any(isinstance(n, int) and n < 0 for n in shape):
        raise Fault(f"its pads {pads} cut more off {x.shape} than there is")
    if x.shape[0] is BATCH and shape[0] is not BATCH and node.network.batch is None:
        raise Fault(f"its pads {pads} pad the batch")
    first = min((axis for axis, width in widths.items() if any(width)), default=rank)
    if mode == "constant" and rank == 4 and first >= 2:
        sides = (*widths.get(3, (0, 0)), *widths.get(2, (0, 0)))
        return node.layer(nn.ConstantPad2d(sides, value) if value else nn.ZeroPad2d(sides), x, shape=shape)
    sides = tuple(n for axis in reversed(range(first, rank)) for n in widths.get(axis, (0, 0)))
    more = {"value": value} if mode == "constant" else {"mode": mode}
    return node.layer(nn.Call("pad", pad=sides, **more), x, shape=shape)
