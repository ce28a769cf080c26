"""Graph: a network as a list of named layers with named inputs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..tensor import Tensor
from .module import Module, Parameter


class Layer(NamedTuple):
    """An entry of a Graph.

    name: of the layer, and of its output.
    layer: the Module; or a Parameter or Tensor, which is then a value that other layers take.
    inputs: names of the layers, or of the graph's inputs, whose outputs it takes.
    """

    name: str
    layer: Module | Tensor
    inputs: tuple[str, ...]


class Graph(Module):
    """A network of named layers, each of which names its inputs; read from top to bottom.

        Graph([
            ("conv1", nn.Conv2d(16, 16, 3, padding=1), ["x"]),
            ("relu1", nn.ReLU(), ["conv1"]),
            ("sum", nn.Add(), ["relu1", "x"]),
        ], inputs=["x"])

    layers: a sequence of (name, module, names of its inputs); one input may be given without a list. A Parameter or a
        Tensor in the place of a module is a value, with no inputs.
    inputs: names of what forward takes, in order.
    output: name of the layer whose output forward returns, the last one if None; or a list of names, for a tuple.

    A module may stand under several names; its parameters have the first. Names may have dots. `state_dict` has the
    parameters under the layers' names, "conv1.weight"; a value's own name is that of its parameter or buffer.
    `graph.layers` are the entries again. Without gradients, an output is released after the last layer that takes it.
    Raises ValueError, with the layer's name, for a name that is unknown, defined later or used twice, TypeError for
    what is not a Module.
    """

    def __init__(self, layers: Any, inputs: Sequence[str] = ("x",), output: Any = None) -> None:
        super().__init__()
        self.inputs = _names(inputs)
        layers = [_entry(entry) for entry in layers]
        if not layers:
            raise ValueError("Graph: there are no layers")
        self.output = output if isinstance(output, str) else layers[-1].name if output is None else _names(output)
        self._check(layers)
        kinds = {Parameter: self._parameters, Tensor: self._buffers, Module: self._modules}
        self._first = {}  # name of a layer -> the first name of its module, under which it has its parameters
        for name, layer, _ in layers:
            home = next(home for kind, home in kinds.items() if isinstance(layer, kind))
            self._first[name] = next((other for other, known in home.items() if known is layer), name)
            home[self._first[name]] = layer
        self._sources = {layer.name: layer.inputs for layer in layers}
        self._released = self._last_uses()

    def _check(self, layers):
        """Raise ValueError for names that do not fit together."""
        known, later = set(), {layer.name for layer in layers}
        for name in self.inputs:
            if name in known:
                raise ValueError(f"Graph: the input {name!r} is named twice")
            known.add(name)
        for name, _, sources in layers:
            if name in known:
                raise ValueError(f"Graph: the name {name!r} is used twice; every layer needs a name of its own")
            later.discard(name)
            for source in sources:
                if source in later or source == name:
                    raise ValueError(
                        f"Graph: {name!r} takes {source!r}, which is defined later: "
                        "layers are read from top to bottom, so move it above"
                    )
                if source not in known:
                    raise ValueError(f"Graph: {name!r} takes {source!r}, {_unknown(source, known)}")
            known.add(name)
        for name in _names(self.output):
            if name not in known:
                raise ValueError(f"Graph: the output is {name!r}, {_unknown(name, known)}")

    def _last_uses(self):
        """{layer: names of the outputs that nothing needs after it}."""
        last = {name: name for name in self} | {s: name for name, sources in self._sources.items() for s in sources}
        released = {name: [] for name in self}
        for name, user in last.items():
            if name not in _names(self.output):
                released[user].append(name)
        return released

    @classmethod
    def from_module(cls, module: Module, *examples: Any) -> Graph:
        """The Graph of what a Module computes, see nn.trace. module, examples: as there."""
        from .tracing import trace

        return trace(module, *examples)

    @property
    def layers(self) -> Any:
        """The entries, a list of (name, module or tensor, names of its inputs): what a Graph is made of."""
        homes = (self._modules, self._parameters, self._buffers)
        return [
            Layer(name, next(home[first] for home in homes if (first := self._first[name]) in home), sources)
            for name, sources in self._sources.items()
        ]

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) != len(self.inputs):
            raise ValueError(f"this Graph takes {', '.join(self.inputs)}, got {len(inputs)} inputs")
        values = dict(zip(self.inputs, inputs))
        for name, layer, sources in self.layers:
            if isinstance(layer, Tensor):
                values[name] = layer
                continue
            values[name] = layer(*(values[source] for source in sources))
            for source in self._released[name]:
                del values[source]
        return values[self.output] if isinstance(self.output, str) else tuple(values[name] for name in self.output)

    def get_submodule(self, target: str) -> Any:
        """A module below this one; see Module.get_submodule. target: its name, in which a layer's may have dots."""
        for name, module in self._modules.items():
            if target == name or target.startswith(f"{name}."):
                return module.get_submodule(target[len(name) + 1 :])
        return super().get_submodule(target)

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __repr__(self) -> str:
        lines = [f"inputs: {', '.join(self.inputs)}"]
        for name, layer, sources in self.layers:
            is_value = isinstance(layer, Tensor)
            text = f"{type(layer).__name__} {layer.shape}" if is_value else f"{layer!r}({', '.join(sources)})"
            lines.append(f"{name} = {text}".replace("\n", "\n  "))
        lines.append(f"output: {', '.join(_names(self.output))}")
        return "Graph(\n  " + "\n  ".join(lines) + "\n)"


def _entry(entry):
    """A Layer of what the user wrote; raises where it is no such thing."""
    if not isinstance(entry, (tuple, list)) or len(entry) != 3:
        raise TypeError(f"Graph: a layer is (name, module, names of its inputs), got {entry!r}")
    name, layer, inputs = entry
    if not isinstance(name, str) or not name:
        raise TypeError(f"Graph: the name of a layer is a text, got {name!r}")
    if not isinstance(layer, (Module, Tensor)):
        raise TypeError(f"Graph: {name!r} must be a module, or a Parameter or Tensor, got {type(layer).__name__}")
    inputs = _names(inputs)
    if isinstance(layer, Tensor) == bool(inputs):
        problem = "is a value and takes no inputs" if inputs else "needs the name of at least one input"
        raise ValueError(f"Graph: {name!r} {problem}, got {list(inputs)}")
    return Layer(name, layer, inputs)


def _names(names):
    return (names,) if isinstance(names, str) else tuple(names)


def _unknown(name, known):
    close = difflib.get_close_matches(name, known, 1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(repr, sorted(known)))}"
    return f"which is neither an input nor a layer above it: {advice}"
