"""The network that Keras describes in JSON, a Sequential or a Functional model, as a Graph.

    Sequential    {"class_name": "Sequential", "config": {"layers": [{"class_name", "config"}, ...]}}
    Functional    {"class_name": "Functional", "config": {"layers": [{..., "name", "inbound_nodes"}, ...],
                   "input_layers": [[name, 0, 0]], "output_layers": [[name, 0, 0]]}}

Each inbound node is a call of the layer, with the outputs that it took: in Keras 2 a list of [name, number of the call,
number of the output, {}], in Keras 3 {"args": [...], "kwargs": {}}. No class or function that a file names is
looked up anywhere but in the table of keras_layers.py. keras/src/models/functional.py, functional_from_config.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from ..support.text import printable
from .keras_building import Building, Value, imported
from .keras_layer import Layer
from .keras_layers import SEVERAL, TABLE
from .keras_old import modern

_KERAS = ("keras", "tf_keras")  # packages
_MODELS = ("Sequential", "Functional", "Model")
_DEEPEST = 8  # models within models


def network(described, weights, origin):
    """The network of a file.

    described: the JSON, a dict with class_name and config.
    weights: the weights of the whole model, see keras_weights.py.
    origin: a few words for a note.

    Returns an Imported.
    Raises ValueError, with the layer's name, for what is not read or does not fit.
    """
    model = _Entry(described, "the model")
    if not model.is_model:
        raise ValueError(f"its class is {printable(model.kind[:60])}; Sequential and Functional models are read")
    configs = list(_configurations(model))
    orders = {str(config.get("data_format")) for config in configs} - {"None"}
    if not orders <= {"channels_last", "channels_first"} or len(orders) > 1:
        raise ValueError("some of its layers have channels_last, others channels_first: one order is read")
    double = any(_policy(config) == "float64" for config in configs)
    building = Building(orders == {"channels_first"}, np.dtype(np.float64 if double else np.float32))
    shape = _input_shape(model, building.channels_first)
    outputs = _model(building, model, [Value("input", shape)], weights, "")
    if not building.entries or outputs[0].name == "input":
        raise ValueError("it has no layers")
    output = Layer(building, "Flatten", "output", {}, list).in_keras_order(outputs[0])
    return imported(building, output, shape, origin)


def _class_name(described):
    """The name of a class, which of one that is not Keras's has its module or package before it.

    x + y of tensors is the class Add of keras.src.ops in Keras 3, as the layer Add; other operations are not layers.
    """
    kind, module, registered = (described.get(key) for key in ("class_name", "module", "registered_name"))
    if isinstance(registered, str) and ">" in registered:
        return registered
    package = str(module).split(".")
    if module is None or (package[0] in _KERAS and ("ops" not in package or kind in SEVERAL - {"Average"})):
        return kind
    return f"{module}.{kind}"


def _policy(config):
    """The name of a layer's type of numbers, "float32" or "mixed_float16"; in Keras 3 {"config": {"name": ...}}."""
    policy = config.get("dtype")
    policy = policy.get("config") if isinstance(policy, dict) else policy
    return policy.get("name") if isinstance(policy, dict) else policy


class _Entry:
    """A layer in the JSON: kind, name, config, calls; layers of a model are entries again."""

    def __init__(self, described, where):
        if not isinstance(described, dict) or not isinstance(described.get("class_name"), str):
            raise ValueError(f"{where} is not described by a class_name and a config")
        config = described.get("config")
        config = {"layers": config} if isinstance(config, list) else config  # Keras 1's Sequential
        if not isinstance(config, dict):
            raise ValueError(f"{where} is not described by a class_name and a config")
        self.kind, self.config = modern(_class_name(described), config)
        name = described.get("name") or config.get("name") or self.kind
        if not isinstance(name, str) or len(name) > 1000:
            raise ValueError(f"the name of {where} is not a short text")
        self.name, self.nodes = name, described.get("inbound_nodes", [])
        self.is_model = self.kind in _MODELS
        self.trainable = config.get("trainable") is not False
        self._opened = None

    def opened(self):
        """The entries of a model's layers."""
        if self._opened is None:
            layers, name = self.config.get("layers"), printable(self.name)
            if not isinstance(layers, list) or not layers:
                raise ValueError(f"the model {name} has no list of layers")
            self._opened = [_Entry(layer, f"layer {number} of {name}") for number, layer in enumerate(layers)]
            for entry in self._opened:
                entry.trainable = entry.trainable and self.trainable
            if len({entry.name for entry in self._opened}) < len(layers):
                raise ValueError(f"the model {name} has two layers of the same name")
        return self._opened


def _configurations(model):
    """Yield the configurations of all layers, in models within models too; Flatten's without data_format."""
    todo = [(model, 0)]
    while todo:
        entry, depth = todo.pop()
        if depth > _DEEPEST:
            raise ValueError(f"it has models within models, more than {_DEEPEST} deep")
        if entry.is_model:
            todo += [(inner, depth + 1) for inner in entry.opened()]
        else:
            yield {**entry.config, "data_format": None} if entry.kind == "Flatten" else entry.config


def _input_shape(model, channels_first):
    """(C, H, W) of the images that the model takes."""
    built = None
    while model.is_model:
        entries = model.opened()
        names = [name for name, _, _ in _ends(model.config.get("input_layers"))] or [entries[0].name]
        found = [entry for entry in entries if entry.name == names[0]]
        if len(names) > 1 or not found:
            raise ValueError(f"a network with one input is read; this one has {len(names)}: {', '.join(names)[:200]}")
        built, model = model.config.get("build_input_shape") or built, found[0]
    keys = "batch_shape", "batch_input_shape"
    shape = next((model.config[key] for key in keys if model.config.get(key)), built)
    if not isinstance(shape, list) or len(shape) != 4 or not all(type(n) is int and 1 <= n < 2**16 for n in shape[1:]):
        shown = printable(str(shape)[:80])
        raise ValueError(f"its input should be images of a known size, (height, width, channels), and is {shown}")
    return tuple(shape[1:]) if channels_first else (shape[3], shape[1], shape[2])


def _model(building, model, inputs, weights, prefix):
    """The outputs of a model, a list of Values; prefix: of its layers' names, for a model within a model."""
    entries = model.opened()
    building.spend(1 + len(entries))
    inside = weights.inside(entries)

    def called(entry, values):
        building.spend(1)
        if entry.is_model:
            return _model(building, entry, values, inside[entry.name], f"{prefix}{entry.name}.")
        layer = Layer(building, entry.kind, prefix + entry.name, entry.config, inside[entry.name].arrays)
        if entry.kind not in TABLE:
            layer.refuse("this class of layers is not read; of this model, a file of model.save_weights is")
        if entry.kind not in SEVERAL and len(values) != 1:
            layer.refuse(f"it takes one input, and got {len(values)}")
        if entry.kind in SEVERAL and len(values) < 2:
            layer.refuse(f"it takes several inputs, and got {len(values)}")
        return [TABLE[entry.kind](layer, *values)]

    if model.kind == "Sequential":
        for entry in entries:
            inputs = inputs if entry.kind == "InputLayer" else called(entry, inputs)
        return inputs
    return _functional(model, entries, inputs, called)


def _functional(model, entries, inputs, called):
    """The outputs of a Functional model: each call of a layer is made when its inputs are there."""
    starts, ends = _ends(model.config.get("input_layers")), _ends(model.config.get("output_layers"))
    if len(starts) != len(inputs) or len(ends) != 1:
        count = f"{len(starts)} and {len(ends)}"
        raise ValueError(f"{printable(model.name)} should have one input and one output, and has {count}")
    known: dict = {(start[0], 0, 0): value for start, value in zip(starts, inputs)}
    calls, waiting, missing = [], {}, {}
    for entry in entries:
        if entry.kind == "InputLayer":
            continue
        for number, sources in enumerate(_calls(entry)):
            calls.append((entry, number, sources))
    shifted = _shifted(calls, ends)
    for place, (_, _, sources) in enumerate(calls):
        missing[place] = {source for source in sources if source not in known}
        for source in missing[place]:
            waiting.setdefault(source, []).append(place)
    ready = deque(place for place in missing if not missing[place])
    while ready:
        entry, number, sources = calls[ready.popleft()]
        for index, value in enumerate(called(entry, [known[source] for source in sources])):
            key = entry.name, number + (entry.name in shifted), index
            known[key] = value
            for place in waiting.pop(key, []):
                missing[place].discard(key)
                if not missing[place]:
                    ready.append(place)
    if ends[0] not in known:
        raise ValueError(f"the output of {printable(model.name)}, {printable(str(ends[0])[:100])}, cannot be computed")
    return [known[ends[0]]]


def _shifted(calls, ends):
    """The names of models within a model whose calls are counted from 1: 0 is that when they were made."""
    counts: dict[str, int] = {}
    for entry, _, _ in calls:
        counts[entry.name] = counts.get(entry.name, 0) + 1
    used: dict[str, set] = {}
    for name, number, _ in [*(source for _, _, sources in calls for source in sources), *ends]:
        used.setdefault(name, set()).add(number)
    return {e.name for e, _, _ in calls if e.is_model and 0 not in used.get(e.name, {0})}


def _calls(entry):
    """The inputs of each call of a layer, lists of (name, number of the call, number of the output)."""
    if not isinstance(entry.nodes, list):
        raise ValueError(f"layer {printable(entry.name)}: its inbound_nodes are not a list")
    return [_sources(entry, node) for node in entry.nodes]


def _sources(entry, node):
    where = f"layer {printable(entry.name)} ({printable(entry.kind)})"
    if isinstance(node, dict):  # Keras 3
        args, kwargs = node.get("args"), node.get("kwargs")
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise ValueError(f"{where}: its inbound_nodes are not known")
        _check_named(where, kwargs)
        flat = [part for arg in args for part in (arg if isinstance(arg, list) else [arg])]
        configs = [part.get("config") if isinstance(part, dict) else None for part in flat]
        return [
            _history(where, config.get("keras_history") if isinstance(config, dict) else None) for config in configs
        ]
    if not isinstance(node, list):
        raise ValueError(f"{where}: its inbound_nodes are not known")
    named = [part[3] for part in node if isinstance(part, list) and len(part) == 4 and isinstance(part[3], dict)]
    for kwargs in named:
        _check_named(where, kwargs)
    return [_history(where, part[:3] if isinstance(part, list) else None) for part in node]


def _check_named(where, kwargs):
    """Raise ValueError where a layer is called with more than training=True and the like: with tensors by name."""
    if any(isinstance(value, (dict, list)) for value in kwargs.values()):
        raise ValueError(f"{where}: it is called with {printable(', '.join(kwargs)[:100])}, which is not read")


def _history(where, source) -> tuple[str, int, int]:
    if not isinstance(source, list) or [*map(type, source)] != [str, int, int]:
        raise ValueError(f"{where}: an input should be the name of a layer and two numbers, got {source!r:.80}")
    return tuple(source)


def _ends(found: Any):
    """The inputs or outputs of a Functional model: [["name", 0, 0], ...], or of Keras 3 ["name", 0, 0]."""
    if found is None:
        return []
    found = [found] if isinstance(found, list) and found and isinstance(found[0], str) else found
    if not isinstance(found, list):
        raise ValueError("the model's inputs and outputs are not lists of layers")
    return [_history("the model", source) for source in found]
