"""Which numbers a number is made of, as boxes: for a page that cannot compute, so that it can write out the terms.

    of_value(layers, n, at)         x and w for y = layer_n(x)[at]; gy and w for the gradient at y, of all that use it
    of_parameter(layers, n, name, at)    gy and x for the gradient of a weight or bias

Boxes may hold more than is needed, never less: the page's own formulas choose from them. A box is a list of pairs
[first, end), one for each axis of an array, which for values and gradients are (C, H, W). Layers are those of
`describe`.
"""

from __future__ import annotations

from typing import Any

Box = list[list[int]]
Boxes = list[tuple[str, int, Box]]  # of ("values" | "gradients" | "weight", number of the layer, box)

PIXELWISE = (
    *("relu", "leakyRelu", "sigmoid", "tanh", "gelu", "elu", "silu", "softplus"),
    *("dropout", "identity", "batchNorm"),
    *("affine", "over", "power", "clamp", "absolute", "exponential", "logarithm"),
    *("add", "subtract", "multiply", "divide", "maximum", "minimum"),
)  # each output is made of the inputs at its own place, where these are as large
FILTERS = ("conv2d", "local2d", "linear")  # the layers whose derivative is a weight, not a function of x


def of_value(layers: list[dict[str, Any]], n: int, at: list[int]) -> Boxes:
    """All numbers that explain a value of a layer, and the gradient at it.

    layers: the network, of `describe`.
    n: number of the layer, not that of softmax, all of whose numbers a page has.
    at: place of the value, (c, y, x).
    """
    here = _point(at)
    needed: Boxes = [("values", n, here), ("gradients", n, here), *_inputs(layers, n, here)]
    if layers[n]["kind"] in FILTERS:
        needed.append(("weight", n, _filter(layers[n], at)))
    for user, layer in enumerate(layers[:-1]):
        for k, source in enumerate(layer["sources"]):
            outputs = using(layer, k, at) if source == n else None
            if outputs is None:
                continue
            needed.append(("gradients", user, outputs))
            if layer["kind"] in FILTERS:
                needed.append(("weight", user, _filters(layer, at, outputs)))
            else:
                needed += [("values", user, outputs), *_inputs(layers, user, outputs)]
    return needed


def of_parameter(layers: list[dict[str, Any]], n: int, name: str, at: list[int]) -> Boxes:
    """All numbers that explain the gradient of a weight or bias; name: "weight" or "bias"; at: its place."""
    return [box for user in layers[n][name].get("tied", [n]) for box in _of_use(layers, user, name, at)]


def _of_use(layers, n, name, at):
    """Those of one of the layers that have the parameter."""
    layer = layers[n]
    outputs = _all(layer["output"])
    if layer["kind"] == "local2d":
        o, i, j = at if name == "bias" else (at[2], at[0], at[1])
        outputs = _point([o, i, j])
    else:
        outputs[0] = [at[0], at[0] + 1]
    needed: Boxes = [("gradients", n, outputs)]
    if layer["kind"] == "linear" and name == "weight":
        i, (_, height, width) = at[1], layer["inputs"][0]
        return [
            *needed,
            ("values", layer["sources"][0], _point([i // (height * width), i // width % height, i % width])),
        ]
    return needed + (_inputs(layers, n, outputs) if name == "weight" else [])


def _inputs(layers, n, box):
    """The boxes of values that a box of layer n's output is computed from."""
    layer = layers[n]
    boxes = [seen(layer, k, box) for k in range(len(layer["sources"]))]
    return [("values", source, box) for source, box in zip(layer["sources"], boxes) if box]


def seen(layer: dict[str, Any], k: int, box: Box) -> Box | None:
    """The box of input k that a box of the output is computed from; None where it is computed from other inputs."""
    kind, shape = layer["kind"], layer["inputs"][k]
    if kind in PIXELWISE and shape == layer["output"]:
        return box
    if kind == "flatten":  # (c H W + i W + j)
        return _point(_place(box[0][0], shape))
    if kind == "concat" and layer["axis"] == 0:
        before = _maps_before(layer, k)
        maps = _clipped(box[0][0] - before, box[0][1] - before, shape[0])
        return maps and [maps, *box[1:]]
    if "window" in layer:
        sides = [_under(layer["window"], axis, *box[axis + 1]) for axis in (0, 1)]
        return None if None in sides else [_channels(layer, box[0]), *sides]
    if kind == "localResponseNorm":
        size = layer["size"]
        return _around(layer, box, size // 2, size - 1 - size // 2)
    return _all(shape)


def using(layer: dict[str, Any], k: int, at: list[int]) -> Box | None:
    """The box of outputs that use a place of input k; None where there are none."""
    kind, shape = layer["kind"], layer["output"]
    if kind in PIXELWISE and shape == layer["inputs"][k]:
        return _point(at)
    if kind == "flatten":
        _, height, width = layer["inputs"][0]
        return _point([(at[0] * height + at[1]) * width + at[2], 0, 0])
    if kind == "concat" and layer["axis"] == 0:
        return _point([at[0] + _maps_before(layer, k), *at[1:]])
    if "window" in layer:
        sides = [_above(layer["window"], axis, at[axis + 1]) for axis in (0, 1)]
        return None if None in sides else [_maps_of(layer, at[0]), *sides]
    if kind == "localResponseNorm":
        size = layer["size"]
        return _around(layer, _point(at), size - 1 - size // 2, size // 2)
    return _all(shape)


def _under(window, axis, first, end):
    """The rows (axis 0) or columns of the input under outputs [first, end): i s - p ... + (k - 1) d, as they exist."""
    size = window["size"][axis]
    if window.get("adaptive"):
        out = window["output"][axis]
        return [first * size // out, -(-end * size // out)]
    low = first * window["stride"][axis] - window["padding"][axis][0]
    high = (end - 1) * window["stride"][axis] - window["padding"][axis][0]
    return _clipped(low, high + (window["kernel"][axis] - 1) * window["dilation"][axis] + 1, size)


def _above(window, axis, y):
    """The outputs whose window reaches from a row at most y to one at least y."""
    found = [i for i in range(window["output"][axis]) if _holds(_under(window, axis, i, i + 1), y)]
    return [found[0], found[-1] + 1] if found else None


def _holds(span, y):
    return span is not None and span[0] <= y < span[1]


def _around(layer, box, before, behind):
    """A box with its neighbours in a normalisation: other channels at its pixels, or other pixels of its maps."""
    axes = (1, 2) if layer["withinChannel"] else (0,)
    return [
        _clipped(a - before, b + behind, layer["output"][axis]) if axis in axes else [a, b]
        for axis, (a, b) in enumerate(box)
    ]


def _channels(layer, maps):
    """The input channels that output maps [first, end) see."""
    if layer["kind"] not in FILTERS:
        return maps
    channels, each = _group(layer)
    return [maps[0] // each * channels, ((maps[1] - 1) // each + 1) * channels]


def _maps_of(layer, c):
    """The output maps that see an input channel."""
    if layer["kind"] not in FILTERS:
        return [c, c + 1]
    channels, each = _group(layer)
    return [c // channels * each, (c // channels + 1) * each]


def _group(layer):
    """(the input channels, the output maps) of each group of filters."""
    groups = layer["groups"]
    return layer["inputs"][0][0] // groups, layer["output"][0] // groups


def _filter(layer, at):
    """The box of the weight that computes one output."""
    shape = layer["weight"]["shape"]
    places = [at[1], at[2], at[0]] if layer["kind"] == "local2d" else [at[0]]
    return [*_point(places), *_all(shape[len(places) :])]


def _filters(layer, at, outputs):
    """The box of the weight between a place of the input and a box of outputs."""
    shape = layer["weight"]["shape"]
    if layer["kind"] == "linear":
        _, height, width = layer["inputs"][0]
        return [[0, shape[0]], *_point([(at[0] * height + at[1]) * width + at[2]])]
    channel = _point([at[0] % _group(layer)[0]])
    if layer["kind"] == "local2d":
        return [outputs[1], outputs[2], outputs[0], *channel, *_all(shape[4:])]
    return [outputs[0], *channel, *_all(shape[2:])]


def _maps_before(layer, k):
    return sum(shape[0] for shape in layer["inputs"][:k])


def _clipped(first, end, size):
    first, end = max(first, 0), min(end, size)
    return [first, end] if first < end else None


def _place(index, shape):
    """The place (c, y, x) of an index of an array of this shape."""
    _, height, width = shape
    return [index // (height * width), index // width % height, index % width]


def _all(shape):
    return [[0, n] for n in shape]


def _point(at):
    return [[n, n + 1] for n in at]
