"""Exporting the layers of cuda-convnet as ONNX operators, which has none of them itself."""

from __future__ import annotations

import numpy as np

from .. import nn
from ..models.layout import window_of
from ..window import Window
from .graph import _emit, _window


@_emit.register
def _(layer: nn.Local2d, graph, row, x):
    """For every output pixel a product of its own: (places, filters, taps) by (places, taps, N).

    A Slice for each tap of the window takes the pixel that it sees at all places; together they are (N, C taps, H, W).
    """
    name, window, (filters, height, width) = row.name, window_of(layer, row.input), row.output
    (top, bottom), (left, right) = window.padding
    margins = graph.array(f"{name}.margins", (0, 0, top, left, 0, 0, bottom, right), np.int64)
    x = graph.add("Pad", f"{name}.padded", x, margins)
    seen = layer.in_channels // layer.groups
    axes = graph.array(f"{name}.axes", (1, 2, 3), np.int64)
    outputs = []
    for group in range(layer.groups):
        taps = []
        for i, tap in enumerate(window.taps()):
            parts = (slice(group * seen, (group + 1) * seen, 1), *tap)
            bounds = ([getattr(part, end) for part in parts] for end in ("start", "stop", "step"))
            starts, ends, steps = (
                graph.array(f"{name}.{group}.{i}.{end}", values, np.int64)
                for end, values in zip(("starts", "ends", "steps"), bounds)
            )
            taps.append(graph.add("Slice", f"{name}.{group}.{i}", x, starts, ends, axes, steps))
        own = filters // layer.groups
        weight = layer.weight.numpy()[:, :, group * own : (group + 1) * own]
        weight = weight.reshape(height * width, own, seen, len(taps)).transpose(0, 1, 3, 2)  # as the taps stand
        outputs.append(_products(graph, f"{name}.{group}", taps, weight.reshape(height * width, own, -1)))
    flat = graph.add("Concat", f"{name}.groups", *outputs, axis=1) if len(outputs) > 1 else outputs[0]
    shape = graph.array(f"{name}.shape", (0, filters, height, width), np.int64)
    if layer.bias is None:
        return graph.add("Reshape", name, flat, shape)
    maps = graph.add("Reshape", f"{name}.maps", flat, shape)
    return graph.add("Add", name, maps, *graph.parameters(row, "bias"))


def _products(graph, name, taps, weight):
    """weight (places, filters, taps C) times what the taps see: (N, filters, places)."""
    places = len(weight)
    seen = graph.add("Concat", f"{name}.seen", *taps, axis=1)
    columns = graph.add("Reshape", f"{name}.columns", seen, graph.array(f"{name}.flat", (0, 0, places), np.int64))
    turned = graph.add("Transpose", f"{name}.places", columns, perm=(2, 1, 0))
    product = graph.add("MatMul", f"{name}.product", graph.array(f"{name}.weight", weight), turned)
    return graph.add("Transpose", f"{name}.filters", product, perm=(2, 1, 0))


@_emit.register
def _(layer: nn.ContrastNorm, graph, row, x):
    """x (k + alpha mean of d^2)^-beta, d = x - mean; the second mean counts the margin, so it is the sum over n^2."""
    name, n = row.name, layer.size
    before, after = n // 2, (n - 1) // 2
    window = {"kernel_shape": (n, n), "strides": (1, 1), "pads": (before, before, after, after)}
    mean = graph.add("AveragePool", f"{name}.mean", x, count_include_pad=0, **window)
    apart = graph.add("Sub", f"{name}.apart", x, mean)
    squares = graph.add("Mul", f"{name}.squares", apart, apart)
    around = graph.add("AveragePool", f"{name}.around", squares, count_include_pad=1, **window)
    scaled = graph.add("Mul", f"{name}.scaled", around, graph.array(f"{name}.alpha", layer.alpha))
    base = graph.add("Add", f"{name}.base", scaled, graph.array(f"{name}.k", layer.k))
    return graph.add("Div", name, x, graph.add("Pow", f"{name}.power", base, graph.array(f"{name}.beta", layer.beta)))


@_emit.register
def _(layer: nn.StochasticPool2d, graph, row, x):
    """In evaluation, with a = max(0, x): the largest a of a window, or the mean weighted by itself, of a^2 over a."""
    name, window = row.name, window_of(layer, row.input)
    a = graph.add("Relu", f"{name}.positive", x)
    if layer.evaluation == "max":
        return graph.add("MaxPool", name, a, dilations=window.dilation, **_window(window))
    squares = graph.add("Mul", f"{name}.squares", a, a)
    sums = [
        graph.add("AveragePool", f"{name}.{part}", one, count_include_pad=1, **_window(window))
        for part, one in (("of_squares", squares), ("of_values", a))
    ]
    least = graph.array(f"{name}.least", np.finfo(np.float32).tiny)  # where no element is positive, 0 / tiny
    return graph.add("Div", name, sums[0], graph.add("Max", f"{name}.divisor", sums[1], least))


def convolution(graph, row, inputs, given):
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
