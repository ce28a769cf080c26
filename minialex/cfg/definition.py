"""A layer definition file: which layers there are, what they take, and what is trained.

    1. Every section has a type; a layer's inputs stand above it.
    2. What a layer computes is used by another one, or by a cost.
    3. neuron=X puts a function behind a layer, which all that take the layer get: NAME_neuron.

layer.py (parse_layers) of both programs.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import keys
from .layers import LAYERS
from .settings import MOST_INPUTS, Settings, quoted, suggestion
from .text import sections

MOST_LAYERS = 2_000
COSTS = ("cost.logreg", "cost.crossent2", "cost.sum2")
RESERVED = "training"  # whether a module is in training; a layer of this name would take its place
_VERSION_2 = {"dropout", "dropout2", "pass"}  # types that only cuda-convnet2 has


@dataclass
class Layer:
    """A section of the definition file.

    name, kind: of the layer; kind is its type.
    given: its Settings.
    inputs: names of layers.
    """

    name: str
    kind: str
    given: Settings
    inputs: list[str] = field(default_factory=list)

    def fault(self, what, key="type"):
        """The ValueError of this layer; what: a clause after its name; key: for the line."""
        return ValueError(f"{self.given.place(key)}: [{self.name}] {what}")


@dataclass
class Definition:
    """What a definition file says.

    layers: {name: Layer} of those that compute something, in order.
    data: {name: dataIdx} of what comes from the data set: 0 is the images, others are labels.
    cost: the Layer of the cost.
    version: 1, or 2 where the file is for cuda-convnet2.
    notes: sentences on what is ignored.
    """

    layers: dict[str, Layer]
    data: dict[str, int]
    cost: Layer
    version: int
    notes: list[str]

    @property
    def images(self):
        """The name of the images."""
        return next(name for name, index in self.data.items() if index == 0)

    @property
    def head(self):
        """The fully connected layer whose outputs are the classes; None where the cost takes something else."""
        if self.cost.kind != "cost.logreg":
            return None
        below = self.layers[self.layers[self.cost.inputs[1]].inputs[0]] if self._probabilities() else None
        return below if below is not None and below.kind == "fc" else None

    def _probabilities(self):
        name = self.cost.inputs[1]
        return self.layers[name].inputs and self.layers[name].inputs[0] in self.layers

    def over_images(self, name):
        """Whether a layer takes the images themselves. name: of the layer."""
        return self.images in self.layers[name].inputs


def read(text):
    """The Definition in a text.Text.

    Raises ValueError, with the line, for what is not known or does not fit together.
    """
    found, notes = {}, []
    for name, section in sections(text).items():
        given = Settings(section)
        if name == RESERVED:
            raise ValueError(
                f"{section.place}: [{name}] is no name for a layer here: every module has a {name} of its own"
            )
        kind = given.word("type")
        if kind in keys.NOT_READ:
            raise given.fault("type", f"={kind}: this {keys.NOT_READ[kind]} is not known")
        if kind not in keys.DEFINITION:
            raise given.fault("type", f"={quoted(kind)} is no type of layer{suggestion(kind, keys.DEFINITION)}")
        notes += keys.check(section, kind, keys.DEFINITION, "definition")
        found[name] = Layer(name, kind, given, _inputs(given, kind, found))
    if not found or len(found) > MOST_LAYERS:
        raise ValueError(f"{text.name}: it has {len(found):,} layers, expected 1 to {MOST_LAYERS:,}")
    layers = {name: layer for name, layer in found.items() if layer.kind in LAYERS}
    data = _data(found)
    cost = _cost(text, found)
    _check_used(found)
    if not layers:
        raise ValueError(f"{text.name}: there are no layers between the data and the cost, so nothing is trained")
    if 0 not in data.values():
        raise ValueError(f"{text.name}: no layer of type=data has dataIdx=0, the images")
    is_second = any(layer.kind in _VERSION_2 or "sumWidth" in layer.given for layer in found.values())
    return Definition(layers, data, cost, 2 if is_second else 1, notes)


def _inputs(given, kind, above):
    """The names of a layer's inputs, all of them defined above it."""
    if kind == "data":
        return []
    names = given.words("inputs")
    for name in names:
        if name not in above:
            raise given.fault("inputs", f": there is no layer {quoted(name)} above this one{suggestion(name, above)}")
        if above[name].kind.startswith("cost."):
            raise given.fault("inputs", f": {name} is a cost, which no layer takes")
    if len(names) > MOST_INPUTS:
        raise given.fault("inputs", f" are {len(names):,}; at most {MOST_INPUTS} are known")
    return names


def _data(found):
    """{name: dataIdx}; raises ValueError where several are the images, or only a part of the data is taken."""
    for layer in found.values():
        for key in ("start", "end"):
            if layer.kind == "data" and key in layer.given:
                raise layer.given.fault(key, ": a part of the data is not known")
    data = {name: layer.given.whole("dataIdx", None, 0, 9) for name, layer in found.items() if layer.kind == "data"}
    images = [name for name, index in data.items() if index == 0]
    if len(images) > 1:
        raise found[images[1]].given.fault("dataIdx", f"=0: {images[0]} is the images already, labels have dataIdx=1")
    return data


def _cost(text, found):
    """The Layer of the cost; raises ValueError unless there is one, with inputs that it takes."""
    costs = [layer for layer in found.values() if layer.kind in COSTS]
    if not costs:
        raise ValueError(f"{text.name}: there is no cost ({', '.join(COSTS)}), so nothing is trained")
    if len(costs) > 1:
        raise costs[1].fault(f"is a second cost, beside {costs[0].name}; one is known")
    cost = costs[0]
    wanted = 1 if cost.kind == "cost.sum2" else 2
    if len(cost.inputs) != wanted:
        raise cost.fault(f"takes {wanted} inputs, got {len(cost.inputs)}", "inputs")
    if wanted == 2 and (found[cost.inputs[0]].kind != "data" or found[cost.inputs[1]].kind == "data"):
        raise cost.fault("takes the labels and what is compared with them, in this order", "inputs")
    if cost.kind == "cost.logreg" and found[cost.inputs[1]].kind != "softmax":
        raise cost.fault(f"needs probabilities: {cost.inputs[1]} is no layer of type=softmax", "inputs")
    if cost.kind == "cost.logreg" and found[cost.inputs[1]].given.word("neuron", "ident") != "ident":
        raise found[cost.inputs[1]].fault("gives a cost its probabilities, which need no neuron", "neuron")
    if "neuron" in cost.given:
        raise cost.fault("is a cost, which has no neuron", "neuron")
    return cost


def _check_used(found):
    used = {name for layer in found.values() for name in layer.inputs}
    for name, layer in found.items():
        if name not in used and not layer.kind.startswith("cost."):
            raise layer.fault("is no layer's input: nothing uses what it computes")
