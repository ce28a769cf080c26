"""A pair of .cfg files as one thing: the network that they describe, as data, and how it is trained.

    program = cfg.read("layers-80sec.cfg", "layer-params-80sec.cfg")
    network = program.network(32)                                   the layers, for pictures of 32 pixels
    model = models.graph.build(network.description)
    network.initialise(model)
    optimizer = program.optimizer(model, network, total_steps=3910)

What is otherwise than in the programs of 2012 and 2014: the gradient of a largest value goes to the first of equal ones
(there to each), pictures are shuffled for every epoch, and a step divides by the pictures that it has (cuda-convnet2
divides by the nominal batch in an epoch's last, shorter one, too).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .. import functional
from ..models import graph
from ..nn import Graph
from ..tensor import Tensor
from . import definition, initial, keys, neurons, optimizer, parameters, text
from .layers import LAYERS
from .steps import Learned, Settings, Step, Value

CHANNELS = 3  # of pictures
MOST_NUMBERS = 2**30  # of all weights; the largest network of 2012 has 137 million
MOST_ENTRIES, MOST_CONNECTIONS = 10_000, 1_000_000  # of a network
MOST_OUTPUTS = 2**28  # numbers that a layer computes for one picture
LARGE, SMALL = 224, 32  # pixels: of networks whose first filters move by several pixels, and of others


@dataclass
class Network:
    """The network of a Program for one size of pictures.

    description: a models.graph.Description; its inputs are the images, and the labels where layers take them.
    steps: the Steps of its layers.
    learned: {name in the state dict: Learned}, of all weights and biases.
    fixed: {name: numbers} of what is not learned.
    outputs: numbers that it computes for an image.
    """

    description: dict[str, Any]
    steps: list[Step]
    learned: dict[str, Learned]
    fixed: dict[str, Any]
    outputs: int

    @property
    def parameters(self):
        """How many numbers are learned."""
        return sum(one.count for one in self.learned.values())

    @property
    def assumed(self):
        """The settings that were taken to be usual ones, as there is no parameter file: a text, or ""."""
        found = {key: None for step in self.steps for key in step.assumed}
        return ", ".join(found)

    def build(self):
        """The nn.Graph, with its layers' usual first values."""
        if len(self.description["inputs"]) == 1:
            return graph.build(self.description)  # type: ignore[arg-type]  # a dict of a file's values
        entries = [
            (name, graph.layer(kind, arguments), inputs) for name, kind, arguments, inputs in self.description["layers"]
        ]
        return Graph(entries, self.description["inputs"], self.description["output"])

    def initialise(self, model, weights=None):
        """Draw the first values that the file asks for.

        model: the Graph, changed in place.
        weights: state dict of another network, for the functions initw.makew and initw.makeb; or None.

        Raises ValueError where a function has no weights to take, or they do not fit.
        """
        initial.initialise(model, self, weights)


class Program:
    """A definition file and its parameter file.

    definition: a text.Text.
    parameters: another, or None.
    initial_rates: whether to take the learning rates of the beginning, see parameters.with_initial_rates.

    `coefficient` is the factor of the cost, by which all gradients are multiplied: coeff. `topk` is that of the cost: a
    label is also looked for among so many first ones; None if it does not say.
    Raises ValueError, with file and line, for what is not known or does not fit together.
    """

    def __init__(self, definition_text, parameters_text=None, initial_rates=False):
        self.texts = definition_text, parameters_text
        self.definition = definition.read(definition_text)
        self.parameters, self.notes = None, [*self.definition.notes]
        self.version = self.definition.version
        if parameters_text is not None:
            self.parameters = parameters.read(parameters_text, self.definition)
            self.notes += self.parameters.notes
            if self.parameters.is_second:
                self.version = 2
            if initial_rates:
                self.parameters, note = parameters.with_initial_rates(self.parameters, self.definition)
                self.notes.append(note)
            elif self.parameters.is_end:
                self.notes.append(
                    f"{parameters_text.name} has the learning rates of the end of its training, at most "
                    f"{parameters.TRAINED:g}: from random weights they train next to nothing (init_rates=True takes "
                    "those of the beginning)"
                )
        self.notes += keys.without_effect(layer.given.section for layer in self.definition.layers.values())
        for layer in self.definition.layers.values():
            if layer.kind == "local" and "sharedBiases" in layer.given:
                place = layer.given.place("sharedBiases")
                self.notes.append(f"{place}: sharedBiases has no effect: a local layer has a bias for every place")
        self.coefficient, self.topk = self._of_cost()

    @property
    def name(self):
        """The name of the network, see name_of."""
        return name_of(self.texts[0].name)

    @property
    def usual_size(self):
        """Pixels per side of pictures, which the files do not say."""
        strides = [
            stride
            for name, layer in self.definition.layers.items()
            if layer.kind in ("conv", "local") and self.definition.over_images(name)
            for stride in layer.given.wholes("stride", len(layer.inputs), 1)
        ]
        return LARGE if max(strides, default=1) > 1 else SMALL

    @property
    def classes(self):
        """The number of classes that the file has; None where its cost has none."""
        head = self.definition.head
        return head.given.whole("outputs", None, 1, 10**7) if head else None

    @property
    def needs_weights(self):
        """The names of layers whose first values are those of another network."""
        return [
            name
            for name, layer in self.definition.layers.items()
            if "initWFunc" in layer.given or "initBFunc" in layer.given
        ]

    def network(self, size=None, classes=None, seed=0):
        """The network for one size of pictures.

        size: pixels per side; usual_size if None.
        classes: outputs of the last fully connected layer; the file's if None.
        seed: of random connections.

        Returns a Network.
        Raises ValueError, with file and line, where layers do not fit together, or would be too large.
        """
        size, head = size or self.usual_size, self.definition.head
        values: dict[str, Value] = {
            name: Value(name, (CHANNELS, size, size) if index == 0 else None)
            for name, index in self.definition.data.items()
        }
        entries: dict[str, list[Any]] = {}
        steps, total, connections = [], 0, 0
        for number, (name, layer) in enumerate(self.definition.layers.items()):
            rates = self.parameters and self.parameters.settings.get(name, _nothing(self.texts[1].name, name))
            inputs = [values[one] for one in layer.inputs]
            step = Step(number, name, layer.kind, layer.given, rates, inputs, seed, self.version)
            if layer is head and classes:
                step.changed["outputs"] = classes
            values[name] = _converted(step, entries, self.definition)
            connections += sum(len(window.connections or ()) for window in step.facts.get("windows", ()))
            total += sum(one.count for one in step.learned)
            if total > MOST_NUMBERS or math.prod(step.known(values[name])) > MOST_OUTPUTS:
                raise step.fault("is too large: the network would have billions of numbers")
            if len(entries) > MOST_ENTRIES or connections > MOST_CONNECTIONS:
                raise step.fault(
                    f"is one layer too many: networks of up to {MOST_ENTRIES:,} layers and {MOST_CONNECTIONS:,} random "
                    "connections are known"
                )
            steps.append(step)
        network = self._network(steps, entries, values)
        if head is None and classes not in (None, network.outputs):
            raise self.definition.cost.fault(
                "does not take the outputs of one fully connected layer: their number cannot be changed from "
                f"{network.outputs:,} to {classes:,}"
            )
        return network

    def _network(self, steps, entries, values):
        cost, data = self.definition.cost, self.definition.data
        output = values[cost.inputs[-1]].name
        if cost.kind == "cost.logreg" and not any(output in inputs for _, _, _, inputs in entries.values()):
            output = entries.pop(output)[3][0]  # logits: the loss takes their softmax itself
        taken = {one for _, _, _, inputs in entries.values() for one in inputs}
        inputs = [name for name, index in data.items() if index == 0 or name in taken]
        first = next(iter(entries.values()))
        if first[1] == "Tensor":  # the first layer shows what the network takes
            entries = {"images": [f"{inputs[0]}.images", "Identity", {}, [inputs[0]]]} | {
                name: [*entry[:3], [f"{inputs[0]}.images" if one == inputs[0] else one for one in entry[3]]]
                for name, entry in entries.items()
            }
        description = {"name": self.name, "inputs": inputs, "output": output, "layers": list(entries.values())}
        learned = {one.name: one for step in steps for one in step.learned}
        fixed = {name: array for step in steps for name, array in step.fixed.items()}
        return Network(description, steps, learned, fixed, math.prod(values[cost.inputs[-1]].shape))

    def loss(self, outputs, target=None):
        """The mean cost of a batch; its `coeff` multiplies the gradients, in the optimiser.

            cost.logreg      -ln p(label), of logits (N, C) and labels (N,)
            cost.crossent2   -sum of t ln y + (1 - t) ln(1 - y), of outputs and targets (N, C)
            cost.sum2        sum of x^2, of outputs alone

        outputs: a Tensor, what the network computes.
        target: labels, or targets.
        """
        if self.definition.cost.kind == "cost.logreg":
            return functional.cross_entropy(outputs, target)
        if self.definition.cost.kind == "cost.sum2":
            return functional.mul(outputs, outputs).sum() * (1 / outputs.shape[0])
        target = target if isinstance(target, Tensor) else Tensor(target)
        return functional.binary_cross_entropy(outputs, target, reduction="sum") * (1 / outputs.shape[0])

    def _of_cost(self):
        """(coeff, topk or None) of the cost."""
        cost, settings = self.definition.cost, self.parameters.settings if self.parameters else {}
        both = [settings.get(cost.name, cost.given), cost.given]
        where, ranks = (next((one for one in both if key in one), cost.given) for key in ("coeff", "topk"))
        coefficient = where.number("coeff", 1.0, 0)
        if not coefficient:
            raise where.fault("coeff", "=0: without its cost nothing is trained")
        return coefficient, ranks.whole("topk", 1, 1) if "topk" in ranks else None

    def optimizer(self, model, network, total_steps, seed=0):
        """The optimiser of the parameter file, see optimizer.SGD2012.

        model: the Graph; what the file freezes no longer asks for gradients.
        network: the Network that it was built from.
        total_steps: of the whole training, over which the schedules run.
        seed: of the noise of learning rates.

        Raises ValueError where there is no parameter file, or it freezes everything.
        """
        return optimizer.make(self, model, network, total_steps, seed)


def read(path, parameters_path=None, initial_rates=False):
    """The Program of a pair of files.

    path: of the definition file, layers-*.cfg.
    parameters_path: of the parameter file, layer-params-*.cfg, or None: then the network can be described and not
        trained.
    initial_rates: as of Program.

    Raises OSError where a file cannot be read, ValueError as Program does.
    """
    second = None if parameters_path is None else text.read(parameters_path)
    return Program(text.read(path), second, initial_rates)


def name_of(file):
    """The name of a network: that of its definition file without "layers-" and ".cfg". file: its name."""
    return file.removesuffix(".cfg").removeprefix("layers-").removeprefix("layers.") or "cfg"


def _nothing(file, name):
    """The Settings of a layer that the parameter file does not name."""
    return Settings(text.Section(name, text.Place(file, 1)))


def _converted(step, entries, defined):
    """Add a step's entries to those of the network; returns its output, a Value."""
    before = set(entries)
    shape = LAYERS[step.kind](step)
    name = neurons.add(step) if "neuron" in step.given else step.name
    for entry in step.entries:
        if entry[0] in defined.data or (entry[0] in before and entries[entry[0]] != entry):
            raise step.fault(f"becomes several layers, one of which is called {entry[0]}, as another layer is")
        entries[entry[0]] = entry
    step.output = value = Value(name, shape)
    return value
