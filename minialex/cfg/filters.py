"""Layers with weights: convolutions, locally connected and fully connected layers, each with one input or several.

    y = b + sum over the inputs i of W_i x_i

Of several inputs each has a layer of its own with its weights, the first one of them the bias; their sum is the layer.
The output of a convolution is 1 + ceil((2 padding + size - filter) / stride) wide: where the last filter goes beyond
the picture, zeros are implied at the right and at the bottom. `filters` is the number for each group.

layer.py (parse_conv, parse_local, parse_fc) of both programs; src/layer.cu.
"""

from __future__ import annotations

import math
import re

from ..random import Generator
from .settings import quoted
from .steps import Learned

_CONNECTIONS = 2**62  # the first number of the draws for sparse connections: no others get so far
_FUNCTIONS = {"initWFunc": "makew", "initBFunc": "makeb"}
MOST_FILTERS, MOST_CONNECTIONS, MOST_PIXELS = 1_000_000, 100_000, 1024


def fully_connected(step):
    """y = b + sum of W_i x_i; inputs of maps are flattened, channel by channel, row by row."""
    step.facts["outputs"] = outputs = step.changed.get("outputs") or step.given.whole("outputs", least=1, most=10**7)
    inputs = [step.vector(value) for value in step.inputs]
    modules = [
        ("Linear", {"in_features": n, "out_features": outputs, "bias": i == 0}, [name], n * outputs, n)
        for i, (name, n) in enumerate(inputs)
    ]
    _summed(step, modules, outputs)
    return (outputs,)


def filtering(step):
    """A convolution, or with filters that differ from place to place a locally connected layer."""
    local = step.kind == "local"
    if "modulesX" in step.given and step.given.whole("modulesX") != 0:
        raise step.given.fault("modulesX", " is not known: the number of places follows from size, filter and stride")
    shared = not local and step.given.flag("sharedBiases", True)
    windows = [_Window(step, i) for i in range(len(step.inputs))]
    first = windows[0]
    for window in windows[1:]:
        if (window.filters, window.out) != (first.filters, first.out):
            raise step.fault(
                f"its inputs give different outputs, {first.filters} maps of {first.out} pixels and "
                f"{window.filters} of {window.out}"
            )
    step.facts["windows"] = windows
    modules = []
    for i, window in enumerate(windows):
        arguments = {
            "in_channels": window.inputs,
            "out_channels": window.filters,
            "kernel_size": window.size,
            **({"input_size": window.side} if local else {}),
            "stride": window.stride,
            "padding": window.margins,
            "groups": window.groups,
            "bias": i == 0 and (shared or local),
        }
        places = window.out**2 if local else 1
        filter_size = window.inputs // window.groups * window.size**2
        count = places * window.filters * filter_size
        modules.append(("Local2d" if local else "Conv2d", arguments, [window.source], count, filter_size))
    shape = (first.filters, first.out, first.out)
    _summed(step, modules, first.filters if shared else math.prod(shape), None if shared or local else shape)
    return shape


class _Window:
    """The filters over one input: their numbers, and the margins that they imply."""

    def __init__(self, step, i):
        given, count = step.given, len(step.inputs)

        def at(key, default=None, least=0, most=MOST_PIXELS):
            return given.wholes(key, count, default, least, most)[i]

        self.channels = at("channels", None, 1, 10**6)
        self.groups = at("groups", 1, 1, 10**5)
        self.filters = at("filters", None, 1, MOST_FILTERS) * self.groups
        self.size, self.stride, self.padding = at("filterSize", None, 1), at("stride", 1, 1), at("padding", 0)
        name, (_, self.side, _) = step.maps(step.inputs[i], "channels", self.channels)
        if self.size > self.side + 2 * self.padding:
            raise given.fault("filterSize", f"={self.size} is larger than its input, {self.side} pixels and padding")
        self.out = 1 - (self.size - self.side - 2 * self.padding) // self.stride
        self.beyond = (self.out - 1) * self.stride + self.size - self.side - 2 * self.padding
        p, after = self.padding, self.padding + self.beyond
        self.margins = [[p, after], [p, after]] if self.beyond else p
        self.connections = _connections(step, i, self)
        self.inputs = len(self.connections) if self.connections else self.channels
        if self.inputs % self.groups:
            raise given.fault("groups", f"={self.groups} does not divide {self.channels} channels")
        self.source = name
        if self.connections:
            index = [{"slice": [None, None, None]}, self.connections]
            self.source = step.call("getitem", [name], f"channels{i}" if count > 1 else "channels", index=index)


def _connections(step, i, window):
    """The channels that the groups see, those of all groups in one list; None where all see their own block.

    They are taken in turn from random orders of all channels, so that each channel is seen equally often. Without
    randSparse, filterChannels has no effect.
    """
    count = len(step.inputs)
    if not step.given.flags("randSparse", count, False)[i]:
        return None
    seen = step.given.wholes("filterChannels", count, max(window.channels // window.groups, 1), 1)[i]
    total, channels = seen * window.groups, window.channels
    if total % channels or seen > channels or total > MOST_CONNECTIONS:
        raise step.given.fault(
            "filterChannels",
            f"={seen} times groups={window.groups} should be a multiple of {channels} channels, up "
            f"to {MOST_CONNECTIONS:,}",
        )
    generator = Generator(step.seed)
    generator.call = _CONNECTIONS + 1000 * step.number + i
    draw = generator.numpy()
    return [int(channel) for _ in range(total // channels) for channel in draw.permutation(channels)]


def _summed(step, modules, biases, places=None):
    """Add the modules, their sum, and what is learned.

    modules: for each input (type, arguments, names of inputs, numbers in its weight, numbers in a filter).
    biases: how many there are.
    places: shape of the bias where it is a value of its own; None where the first module has it.
    """
    several, names = len(modules) > 1 or places is not None, []
    stds = step.given.numbers("initW", len(modules), 0.01, 0)
    makes = {key: _function(step, key) for key in _FUNCTIONS}
    for i, (kind, arguments, inputs, count, filter_size) in enumerate(modules):
        names.append(step.add(kind, arguments, inputs, str(i) if several else ""))
        weight = Learned(f"{names[i]}.weight", step.name, i, count, filter_size, stds[i], makes["initWFunc"])
        step.learned.append(weight)
    bias = f"{names[0]}.bias" if places is None else step.add("Parameter", _value(places), [], "bias")
    step.learned.append(Learned(bias, step.name, None, biases, 1, step.given.number("initB", 0.0), makes["initBFunc"]))
    if several:
        step.add("Add", {}, names if places is None else [*names, bias])


def _value(shape):
    return {"shape": list(shape), "dtype": "float32"}


def _function(step, key):
    """(name, parameters) of initWFunc or initBFunc: one of ours of that name, nothing in a file is run."""
    if "weightSource" in step.given:
        raise step.given.fault("weightSource", ": weights that several layers share are not known")
    if key not in step.given:
        return None
    text = step.given.word(key)
    match = re.fullmatch(r"([\w.]+)(?:\(([^()]*)\))?", text)
    known = f"initw.{_FUNCTIONS[key]}"
    if not match or match[1] != known:
        raise step.given.fault(
            key,
            f"={quoted(text)} names a function; {known}(LAYER), which takes the numbers of a layer of another network, "
            "is the only one that is known",
        )
    parameters = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
    if len(parameters) > 1:
        raise step.given.fault(key, f"={quoted(text)}: {known} takes one layer")
    return known, parameters or (step.name,)
