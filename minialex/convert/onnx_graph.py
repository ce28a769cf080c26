"""The Graph into which an ONNX file is read: its layers, and what is known of the tensors between them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn
from ..tensor import Tensor
from .onnx_tensors import Fault, shown


class _Batch:
    """The batch size, which no file fixes, in a shape."""

    def __repr__(self):
        return "N"


BATCH = _Batch()
OPERATORS: dict[str, Any] = {}


def operator(*names):
    """A decorator that puts a function into OPERATORS, under the names of operators.

    The function takes a Node, and returns the Value or Constant of its first output, or a list of those of all. Only
    what it reads is known: a node with other inputs or attributes is refused.
    """

    def add(function):
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return add


@dataclass(frozen=True)
class Value:
    """What a layer of the network computes, or its input.

    name: of the layer in the Graph.
    shape: of ints; None in the place of one that the file does not say, BATCH for the batch size; None if the number
        of axes is unknown.
    dtype: "float32" or "float64".
    """

    name: str
    shape: tuple | None
    dtype: str


@dataclass(frozen=True)
class Constant:
    """Numbers that are known when the file is read.

    array: of numbers; of objects where it is a shape in which BATCH or None stands.
    name: of the initializer that it comes from, "" if none.
    learned: whether it is an initializer, as weights are, rather than a number within the computation.
    """

    array: np.ndarray
    name: str = ""
    learned: bool = False

    @property
    def shape(self):
        """That of the array."""
        return self.array.shape


class Network:
    """A nn.Graph under construction.

    tensors: the Tensors, whose memory new arrays count against.
    batch: the batch size that the file has fixed, or None.
    """

    def __init__(self, tensors, batch):
        self.tensors, self.batch = tensors, batch
        self.layers: dict[str, tuple] = {}  # name -> (layer, names of its inputs)
        self._taken: set[str] = set()  # names of layers and keys of the state dict
        self._counts: Counter = Counter()
        self._parameters: dict[tuple, tuple[Tensor, Constant]] = {}
        self._values: dict[Any, str] = {}
        self.groups: dict[Any, int] = {}  # output of an LRN -> its groups, where a Reshape before it tells them apart

    def unique(self, name):
        """A name that no layer has, as it can stand in a state dict: printable, with no dots at its ends."""
        name = re.sub(r"[./]+", ".", shown(name)).strip(". ") or "layer"
        wanted = name
        while name in self._taken:
            self._counts[wanted] += 1
            name = f"{wanted}_{self._counts[wanted] + 1}"
        self._taken.add(name)
        return name

    def add(self, name, layer, sources):
        """Add a layer; returns the name that it got. sources: names of its inputs."""
        name = self.unique(name)
        self.layers[name] = layer, tuple(sources)
        if not isinstance(layer, Tensor):
            self._taken.update(f"{name}.{key}" for key, _ in (*layer.named_parameters(), *layer.named_buffers()))
        return name

    def parameter(self, constant, form="", changed=None):
        """The Parameter of a Constant, the same one for all layers that take it in this form.

        form: a name for what `changed` does.
        changed: a function of the array.
        """
        key = (id(constant), form)
        if key not in self._parameters:
            array = constant.array
            if array.dtype.kind != "f":
                raise Fault(f"its weights are {array.dtype}, not floating-point numbers")
            if changed is not None:
                array = changed(array)
                self.tensors.reserve(array.nbytes)
            array = np.ascontiguousarray(array)
            made = nn.Parameter(array) if constant.learned else Tensor(array)
            self._parameters[key] = made, constant  # kept, so that its id stays its own
        return self._parameters[key][0]

    def value(self, constant, name):
        """The name of a Constant as a value in the Graph. name: for one that has none, or one of torch's numbers."""
        tensor = self.parameter(constant)
        if id(tensor) not in self._values:
            own = "" if "::" in constant.name else constant.name
            self._values[id(tensor)] = self.add(own or name, tensor, ())
        return self._values[id(tensor)]

    def graph(self, given, output):
        """The Graph, without layers that its output does not need. given, output: names of its ends."""
        needed = {output}
        for name, (_, sources) in reversed(self.layers.items()):
            if name in needed:
                needed.update(sources)
        layers = [(name, layer, sources) for name, (layer, sources) in self.layers.items() if name in needed]
        if not layers or isinstance(layers[0][1], Tensor):  # the first layer shows what the network takes
            first = self.unique("images")
            layers = [(name, layer, [first if s == given else s for s in sources]) for name, layer, sources in layers]
            layers.insert(0, (first, nn.Identity(), [given]))
        return nn.Graph(layers, [given])
