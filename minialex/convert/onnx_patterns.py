"""Several nodes of an ONNX file that are one layer: local response normalisation, as torch and minialex export it.

    y = x / (k + alpha mean of x^2 over the window)^beta        Mul, AveragePool, Mul, Add, Pow, Div

Across channels, torch's exporters put an axis before them, (N, 1, C, H, W), pad them, and average over (n, 1, 1):
Mul, Reshape or Unsqueeze, Pad, AveragePool, Squeeze, Reshape, ... Within a channel, the mean is of n x n pixels.
"""

from __future__ import annotations

import onnx

from .. import nn
from .onnx_graph import BATCH
from .onnx_node import decimal_of
from .onnx_shaping import product
from .onnx_tensors import Fault

_SHAPING = ("Reshape", "Squeeze", "Unsqueeze", "If")
_LONGEST = 8  # nodes from the mean to the squares


def nodes(graph):
    """The nodes that the output of a GraphProto needs, in order, as (NodeProto, function or None).

    A function, such as `local_response_norm`, is what a node stands for that takes the place of several.
    """
    producers = {name: node for node in graph.node for name in node.output}
    replaced = {node.output[0]: found for node in graph.node if (found := _normalization(node, producers))}
    needed, waiting, kept = set(), [value.name for value in graph.output], []
    while waiting:
        name = waiting.pop()
        if name in producers and name not in needed:
            node = producers[name]
            needed.update(node.output)
            waiting += replaced.get(node.output[0], node).input
    for node in graph.node:
        if not node.output or needed.intersection(node.output):
            first = node.output[0] if node.output else ""
            kept.append((replaced[first], local_response_norm) if first in replaced else (node, None))
    return kept


def _normalization(division, producers):
    """A NodeProto in the place of a normalisation whose last node is `division`; None where it is none.

    Its inputs are x, alpha, k, beta, the Pad's numbers, and those of what puts an axis before the channels; its
    attributes are those of the AveragePool.
    """
    if division.op_type != "Div" or len(division.input) != 2 or len(division.output) != 1:
        return None
    x, name = division.input
    numbers = []
    for op in ("Pow", "Add", "Mul"):
        node = producers.get(name)
        if node is None or node.op_type != op or len(node.input) != 2:
            return None
        name = node.input[0]
        numbers.append(node.input[1])
    pool, pads, before, own = None, "", "", []
    for _ in range(_LONGEST):
        node = producers.get(name)
        if node is None or not node.input:
            return None
        if node.op_type == "Mul" and [*node.input] == [x, x]:
            break
        name = node.input[0]
        if node.op_type == "AveragePool" and pool is None:
            pool = node
        elif node.op_type == "Pad" and not (pads or own) and _pads_with_zeros(node):
            pads = [*node.input, ""][1]
            own = [a for a in node.attribute if a.name == "pads" and any(a.ints)]  # before opset 11
        elif node.op_type in _SHAPING:
            before = node.input[1] if len(node.input) > 1 and pool is not None else ""
            name = _through(node)
        else:
            return None
    if pool is None or not name:
        return None
    made = onnx.NodeProto(op_type="Div", name=division.name, input=[x, *reversed(numbers), pads, before])
    made.output.extend(division.output)
    made.attribute.extend(pool.attribute)
    for attribute in own:
        made.attribute.add().CopyFrom(attribute)
        made.attribute[-1].name = "padded"
    return made


def _pads_with_zeros(node):
    """Whether a Pad has neither a value other than 0 nor a mode of its own."""
    modes = {attribute.s for attribute in node.attribute if attribute.name == "mode"}
    values = {attribute.f for attribute in node.attribute if attribute.name == "value"}
    return not any(node.input[2:]) and modes <= {b"constant"} and values <= {0.0}


def _through(node):
    """The tensor that a node rearranges. torch exports squeeze(1) as an If whose branches squeeze, or do nothing."""
    if node.op_type != "If":
        return node.input[0]
    inner = [inner for attribute in node.attribute for inner in attribute.g.node if inner.op_type != "Constant"]
    names = {inner.input[0] for inner in inner if inner.op_type in ("Squeeze", "Identity") and inner.input}
    return names.pop() if len(names) == 1 and len(inner) == 2 else ""


def local_response_norm(node):
    """The LocalResponseNorm of a node that stands for several."""
    x = node.value(0)
    alpha, k, beta = (node.constant(number, "a number of the normalisation") for number in (1, 2, 3))
    pads, before = node.either("padded", 4, 11), node.integers(5, "the shape")
    if x.shape is None or len(x.shape) != 4 or any(c is None or c.array.size != 1 for c in (alpha, k, beta)):
        raise Fault(f"its input {x.shape} should be (N, C, H, W), and alpha, k and beta numbers")
    kernel = node.ints("kernel_shape", [])
    within = len(kernel) == 2
    size = kernel[0] if kernel else 0
    sides = [size // 2, (size - 1) // 2]
    own = node.ints("pads", [0] * 2 * len(kernel))
    fits = 1 <= size <= 4096 and set(node.ints("strides", [1])) == {1} and not node.flag("ceil_mode")
    fits = fits and node.text("auto_pad", "NOTSET") == "NOTSET" and set(node.ints("dilations", [1])) == {1}
    fits = fits and (node.flag("count_include_pad") or not any(own))
    if within:
        fits = fits and kernel[1] == size and own == [sides[0]] * 2 + [sides[1]] * 2 and pads is None and before is None
    else:
        given = pads if pads is not None else [0, 0, own[0], 0, 0, 0, 0, own[3], 0, 0] if len(own) == 6 else []
        fits = fits and kernel[1:] == [1, 1] and given == [0, 0, sides[0], 0, 0, 0, 0, sides[1], 0, 0]
        fits = fits and _axis_before_channels(x.shape, before) and (pads is None or not any(own))
    if not fits:
        raise Fault(f"a normalisation by an AveragePool of kernel {kernel} and pads {pads or own} is not read")
    layer = nn.LocalResponseNorm(
        size, decimal_of(alpha), decimal_of(beta), decimal_of(k), alpha_over="window", within_channel=within
    )
    return node.layer(layer, x, shape=x.shape)


def _axis_before_channels(shape, numbers):
    """Whether an Unsqueeze's axes, or a Reshape's shape, make (N, 1, C, ...) of (N, C, H, W)."""
    if numbers in ([1], [-4]):
        return True
    if numbers is None or len(numbers) != 5 or numbers[1] != 1 or shape[0] is not BATCH:
        return False
    image, rest = product(shape[1:]), product(n for n in numbers[3:] if n != -1)
    return numbers[2] == shape[1] and image is not None and bool(rest) and (-1 in numbers or image == shape[1] * rest)
