"""A layer of a .cfg file on its way into a described network: its settings, its inputs, the entries that it becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .settings import Settings


class Value(NamedTuple):
    """What a layer computes.

    name: of the entry.
    shape: for one image, (C, H, W) or (features,); None for labels, whose number follows from what they are used for.
    """

    name: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Learned:
    """A weight or a bias.

    name: in the network's state dict, such as "conv2a.0.weight".
    layer: of the file.
    input: number of the input, from 0, that a weight belongs to; None for the bias.
    count: numbers in it.
    filter: numbers in one filter.
    initial: standard deviation of a weight's first values, N(0, initial^2); a bias's first value.
    function: (name, parameters) of the function that gives the first values instead, or None.
    """

    name: str
    layer: str
    input: int | None
    count: int
    filter: int
    initial: float
    function: tuple[str, tuple[str, ...]] | None = None


@dataclass
class Step:
    """A layer that becomes entries of a models.graph.Description.

    number: of the layer in the file, from 0.
    name, kind: of the layer; kind is its type.
    given: its Settings in the definition file.
    rates: its Settings in the parameter file, or None.
    inputs: its inputs, Values.
    seed: of what is drawn while a network is built.
    version: 1 or 2, the program that the files are for.
    changed: other numbers than the file's, {"outputs": n}.
    assumed: names of settings of the parameter file that were taken to be usual ones, since there is no such file.
    entries: [name, type, arguments, names of inputs], which are added here.
    learned: the Learned of its weights and bias.
    fixed: {name of a value: numbers}, of those that are not learned.
    output: its Value, in the end.
    facts: numbers for an explanation.
    """

    number: int
    name: str
    kind: str
    given: Settings
    rates: Settings | None
    inputs: list[Value]
    seed: int = 0
    version: int = 1
    changed: dict[str, int] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    entries: list[list[Any]] = field(default_factory=list)
    learned: list[Learned] = field(default_factory=list)
    fixed: dict[str, Any] = field(default_factory=dict)
    output: Value | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def fault(self, what, key=None):
        """The ValueError of this layer; what: a clause after its name; key: of the definition, for the line."""
        place = self.given.place(key) if key else self.given.section.place
        return ValueError(f"{place}: [{self.name}] {what}")

    @property
    def input(self):
        """The only input; raises ValueError where there are others."""
        if len(self.inputs) != 1:
            raise self.fault(f"a layer of type {self.kind} has one input, got {len(self.inputs)}", "inputs")
        return self.inputs[0]

    def add(self, kind, arguments=None, inputs=None, part=""):
        """Add an entry.

        kind, arguments: the type of a module and its constructor's arguments; or a value, see models.graph.
        inputs: names of its inputs, that of the only input if None.
        part: of the layer, where it becomes several; the last one has none.

        Returns its name.
        """
        name = f"{self.name}.{part}" if part else self.name
        self.entries.append([name, kind, arguments or {}, [self.input.name] if inputs is None else list(inputs)])
        return name

    def call(self, function, inputs=None, part="", **arguments):
        """Add a function of minialex.functional; function: its name; arguments: of it. Returns the entry's name."""
        return self.add("Call", {"function": function, **arguments}, inputs, part)

    def setting(self, key, usual, least=-math.inf):
        """A number of the parameter file, or of the definition file, where older ones have it.

        key: its name.
        usual: the number where there is no parameter file; None if the layer does without it then.
        least: the smallest that is allowed.

        Raises ValueError where neither file has it.
        """
        place = next((one for one in (self.rates, self.given) if one is not None and key in one), None)
        if place is not None:
            return place.number(key, least=max(least, -1e30))
        if self.rates is not None or usual is None:
            where = "" if self.rates is None else f" in {self.rates.section.place.file}"
            raise self.fault(f"needs {key}, which stands neither here nor in a section [{self.name}]{where}")
        self.assumed.append(key)
        return usual

    def maps(self, value, key="channels", channels=None):
        """A Value as maps (C, H, W): a vector is taken apart into square maps.

        value: the Value.
        key, channels: what says how many maps there are, and how many; those of the value if None.

        Returns (name, (C, H, W)). Raises ValueError where it does not fit.
        """
        shape = self.known(value)
        if len(shape) == 3:
            if channels not in (None, shape[0]):
                raise self.fault(f"{key}={channels}, but its input {value.name} has {shape[0]} channels", key)
            return value.name, shape
        side = math.isqrt(shape[0] // channels) if channels else 0
        if not channels or channels * side * side != shape[0] or not side:
            what = f"{shape[0]:,} numbers, which are not {channels or 'a known number of'} square maps"
            raise self.fault(f"its input {value.name} has {what}", key)
        shape = (channels, side, side)
        return self._once("Reshape", {"shape": list(shape)}, value, f"maps{channels}"), shape

    def vector(self, value):
        """A Value as a vector. Returns (name, numbers)."""
        shape = self.known(value)
        if len(shape) == 1:
            return value.name, shape[0]
        return self._once("Flatten", {}, value, "flat"), math.prod(shape)

    def _once(self, kind, arguments, value, part):
        """Another form of an input, under its own name, which all layers share that need it."""
        name = f"{value.name}.{part}"
        self.entries.append([name, kind, arguments, [value.name]])
        return name

    def known(self, value):
        """The shape of a Value; raises ValueError for labels."""
        if value.shape is None:
            raise self.fault(f"its input {value.name} holds labels, which a layer of type {self.kind} does not take")
        return value.shape
