"""Reading Caffe's networks: a .caffemodel, with the .prototxt and the mean image that belong to it.

A network is a list of layers, each of which reads blobs, its bottoms, and writes others, its tops; one that writes the
blob it reads works in place. What Caffe computes in its phase TEST becomes an nn.Graph: the layers that the rules
`include` and `exclude` leave, without losses and accuracies; the layer or the field that gives the images, its input.

src/caffe/net.cpp (which layers, which blobs), src/caffe/util/upgrade_proto.cpp (V1), src/caffe/data_transformer.cpp
(y = scale (x - mean)) of BVLC's Caffe. Nothing that a file names is opened.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

from .. import nn
from ..support.text import printable
from . import caffe_blobs, caffe_input
from .caffe_blobs import read_mean
from .caffe_layers import LAYERS
from .caffe_messages import parse, parse_text, string, unknown_fields
from .caffe_steps import Step, Value
from .formats import library
from .imported import Imported

__all__ = ["read", "read_mean"]

_MOST_ENTRIES = 10_000  # of a Graph
_MOST_BOTTOMS = 1_000  # of a layer
_OF_TRAINING = {"SoftmaxWithLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss", "ContrastiveLoss", "Accuracy", "Silence", "HDF5Output"}  # fmt: skip
_V1_MESSAGE = "V1LayerParameter"
_V1 = {"ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN", "MVN": "MVN", "RELU": "ReLU", "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH"}  # fmt: skip


@dataclass(eq=False)
class Layer:
    """A layer of a network.

    name, type, bottoms, tops: as in Caffe, of V1 too.
    message: its LayerParameter or V1LayerParameter.
    blobs: its arrays in the file.
    """

    name: str
    type: str
    bottoms: list[str]
    tops: list[str]
    message: Any
    blobs: list[caffe_blobs.Blob]

    def __str__(self):
        return f"layer {self.name[:100]} ({self.type[:100]})"


def read(path, prototxt=None, mean=None):
    """Read a .caffemodel.

    path: of the file.
    prototxt: path of a text that describes the network, for deployment or for training; the weights are found by the
        names of the layers. Without it, the network is the one that the .caffemodel describes, that of training.
    mean: path of a mean image, .binaryproto.

    Returns an Imported; its state dict has the layers' names. Where the files name no size of the input, input_shape is
    None; where they name a mean image that is not given, normalization is None.
    Raises FileNotFoundError where there is no such file, ValueError where one is damaged or cannot be read.
    """
    for file in (path, prototxt, mean):
        if file is not None and not os.path.isfile(file):
            raise FileNotFoundError(f"there is no file {file}")
    shown = printable(str(path))
    if shown.lower().endswith((".prototxt", ".binaryproto")):
        raise ValueError(f"{shown} holds no weights: read the .caffemodel, and this file with prototxt=... or mean=...")
    library("google.protobuf")  # so that its absence is no fault of the file
    image = None if mean is None else read_mean(mean)
    described = None if prototxt is None else parse_text(prototxt)
    try:
        settings, stored = caffe_blobs.read_network(path)
        net = parse("NetParameter", settings)
        trained = layers = [_stored(one, number) for number, one in enumerate(stored, 1)]
        if not any(layer.blobs for layer in layers):
            raise ValueError("it holds no weights, as Caffe writes them in training")
    except ValueError as error:
        raise ValueError(f"{shown} is damaged, or not a .caffemodel that can be read: {error}") from error
    try:
        if described is not None:
            net, shown, weights = described, printable(str(prototxt)), {layer.name: layer.blobs for layer in layers}
            messages = [*net.layers] or [*net.layer]
            layers = [_layer(message, weights, number) for number, message in enumerate(messages, 1)]
            if not layers:
                raise ValueError("it describes no layers; a solver's text names the file that does")
        return _imported(net, layers, trained, image)
    except ValueError as error:
        raise ValueError(f"{shown}: {error}") from error


def _stored(stored, number):
    """The Layer of a caffe_blobs.Layer."""
    message = parse(_V1_MESSAGE if stored.v1 else "LayerParameter", stored.settings)
    layer = _layer(message, {}, number)
    layer.blobs = stored.blobs
    return layer


def _layer(message, weights, number):
    """The Layer of a message; weights: {name of a layer: its blobs}; number: its place in the network."""
    v1 = message.DESCRIPTOR.name == _V1_MESSAGE
    if v1 and message.HasField("layer"):
        raise ValueError(
            f"layer {number} is of Caffe's first format, V0, which is not read: "
            "convert it with Caffe's upgrade_net_proto_text"
        )
    kind = message.LayerType.Name(message.type) if v1 else string(message.type)
    if v1:
        kind = _V1.get(kind, kind.title().replace("_", ""))
    bottoms, tops = ([string(name) for name in names] for names in (message.bottom, message.top))
    name = string(message.name) or (tops[0] if tops else f"layer{number}")
    return Layer(name, kind, bottoms, tops, message, weights.get(name, []))


def _imported(net, layers, trained, mean):
    """The Imported of a NetParameter and its Layers; trained: the Layers of the .caffemodel; mean: a mean image."""
    stages = {*net.state.stage}
    used = [layer for layer in layers if _in_test(layer, net.state.level, stages)]
    if not net.input and not any(layer.type in caffe_input.DATA for layer in used):
        used = [layer for layer in layers if layer.type in caffe_input.DATA] + used  # only training's has data
    wiring = _Wiring(net, used)
    source = wiring.source()
    giving = next((one for one in used if one.type in caffe_input.DATA and source in one.tops), None)
    image = caffe_input.of(net, giving, source)
    if image.raw:  # a network for deployment does not say what was subtracted in training
        image.take_from(next((one for one in trained if one.type in caffe_input.PIXELS), None))
    name = _free(source, wiring.layers)
    entries, output = _entries(wiring, Value(name, image.shape), source)
    channels = image.shape[0]
    if channels is None:  # a layer that reads files does not say how many there are
        first = next((module for _, module, names in entries if names == [name]), None)
        channels = first.in_channels if isinstance(first, nn.Conv2d) else None
    shape = (channels, *image.shape[1:])
    known = None if None in shape else shape
    normalization, resize = caffe_input.normalization(image, shape, mean)
    version = 1 if layers[0].message.DESCRIPTOR.name == _V1_MESSAGE else 2
    origin = ", ".join(filter(None, [f"Caffe, V{version} layers", string(net.name)[:100]]))
    if normalization is None and image.mean_file:
        origin += f"; its mean image {image.mean_file} is not given"
    graph, order = nn.Graph(entries, [name], output), "BGR" if channels == 3 else None
    return Imported(graph, known, order, normalization, None, resize, origin)


def _in_test(layer, level, stages):
    """Whether a layer is in the network in phase TEST, at a level and with stages."""
    include, exclude = layer.message.include, layer.message.exclude
    if len(include) and len(exclude):
        raise ValueError(f"{layer} has rules of both kinds, include and exclude; Caffe takes one kind")
    if len(include):
        return any(_meets(rule, level, stages) for rule in include)
    return not any(_meets(rule, level, stages) for rule in exclude)


def _meets(rule, level, stages):
    test = rule.DESCRIPTOR.fields_by_name["phase"].enum_type.values_by_name["TEST"].number
    return (
        (not rule.HasField("phase") or rule.phase == test)
        and (not rule.HasField("min_level") or level >= rule.min_level)
        and (not rule.HasField("max_level") or level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )


class _Wiring:
    """Which layer computes what a layer reads.

    inputs: {name of a layer: what its bottoms hold}, each the name of a layer, or (name of an input,).
    output: name of the layer that computes the network's output.
    """

    def __init__(self, net, layers):
        self.layers, self.inputs, self.users = {}, {}, Counter()
        self._now = {name: (name,) for name in map(string, net.input)}
        beside = set()  # what losses compare with, such as labels
        for layer in sorted(layers, key=lambda one: one.type not in caffe_input.DATA):
            held = [self._held(layer, bottom) for bottom in layer.bottoms]
            if layer.type in caffe_input.DATA:
                self._now |= {top: (top,) for top in layer.tops}
            elif layer.type in _OF_TRAINING:
                beside |= {*(held if layer.type == "Silence" else held[1:])}
            elif layer.type == "Split" and held:
                self._now |= dict.fromkeys(layer.tops, held[0])
            else:
                self._add(layer, held)
        ends = [name for name in self.inputs if not self.users[name] and name not in beside]
        if len(ends) != 1:
            names = f"{len(ends)}, {', '.join(name[:50] for name in ends[:9])}" if ends else "none"
            raise ValueError(f"a network with one output is needed, but it has {names}: give a prototxt with one")
        self.output = ends[0]

    def _held(self, layer, bottom):
        if bottom not in self._now:
            raise ValueError(
                f"{layer} reads {bottom[:100]}, which no layer before it computes in phase TEST: "
                "give the prototxt of the whole network"
            )
        return self._now[bottom]

    def _add(self, layer, held):
        if len(layer.tops) != 1 or not 1 <= len(layer.bottoms) <= _MOST_BOTTOMS:
            raise ValueError(f"{layer} should have bottoms and one top, got {len(layer.bottoms)} and {len(layer.tops)}")
        if layer.name in self.layers:
            raise ValueError(f"{layer} is there twice; every layer needs a name of its own")
        if layer.tops[0] in self._now and layer.tops[0] not in layer.bottoms:
            raise ValueError(f"{layer} writes {layer.tops[0][:100]}, which another layer writes, too")
        self.layers[layer.name], self.inputs[layer.name] = layer, held
        self.users.update({*held})
        self._now[layer.tops[0]] = layer.name

    def needed(self):
        """The Layers that the output needs, in order."""
        found = {self.output}
        for name in reversed(self.inputs):
            if name in found:
                found |= {*self.inputs[name]}
        return [layer for name, layer in self.layers.items() if name in found]

    def source(self):
        """Name of the input; raises ValueError unless there is one."""
        names = {held[0] for layer in self.needed() for held in self.inputs[layer.name] if isinstance(held, tuple)}
        if len(names) != 1:
            shown = ", ".join(sorted(name[:50] for name in names)[:9])
            raise ValueError(f"a network with one input is needed, but it has {len(names)}, {shown}")
        return names.pop()


def _free(name, taken):
    """A name for the input that no layer has."""
    while name in taken or not name:
        name += "_input"
    return name


def _entries(wiring, image, source):
    """(the entries of the Graph, the name of its output); image: the Value of the input, source: its name in Caffe."""
    values: dict[Any, Value] = {(source,): image}
    entries: list[Any] = []
    norms: dict[Any, Any] = {}  # batch normalisations, which take the weight and bias of a Scale layer behind them
    with nn.init.skipped():
        for layer in wiring.needed():
            held = wiring.inputs[layer.name]
            norm = norms.get(held[0]) if len(held) == 1 and wiring.users[held[0]] == 1 else None
            step = Step(layer.name, None, layer.blobs, [values[one] for one in held], norm)
            try:
                shape = _convert(layer, step)
            except ValueError as error:
                raise ValueError(f"{layer}: {error}") from error
            entries += step.entries
            names = {name for name, _, _ in step.entries[:-1]}
            if names & wiring.layers.keys() or len(entries) > _MOST_ENTRIES:
                raise ValueError(f"{layer} becomes several layers, whose names others have, or too many")
            values[layer.name] = Value(layer.name if step.entries else step.input.name, shape)
            if layer.type == "BatchNorm":
                norms[layer.name] = step.entries[0][1]
    return entries, values[wiring.output].name


def _convert(layer, step):
    """Add a layer's entries to a Step; returns the shape of its output."""
    if layer.type not in LAYERS:
        raise ValueError(f"this type of layer is not known, only {', '.join(LAYERS)}")
    attribute, convert = LAYERS[layer.type]
    if attribute:
        message = layer.message if hasattr(layer.message, attribute) else parse("LayerParameter", b"")
        step.param = getattr(message, attribute)  # what V1 has no settings for has the defaults: Flatten
        if unknown := unknown_fields(step.param):
            raise ValueError(f"its {attribute} has the field {unknown[0]}, which Caffe does not have")
    return convert(step)
