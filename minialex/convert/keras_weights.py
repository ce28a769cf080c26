"""Where the weights of each layer stand in Keras's HDF5 files.

    Keras 1, 2      attribute layer_names of a group; in the group of each layer, attribute weight_names and datasets of
                    these names; names too many for an attribute are in layer_names0, layer_names1, ...
    Keras 3         layers/conv2d/vars/0, layers/conv2d/vars/1, layers/conv2d_1/vars/0, ...: the class of the layer in
                    snake_case, counted in the model's order; in a model within it, layers/functional/layers/...

Of both: `inside(entries)` gives the weights of a model's layers, {name: weights}, `arrays()` those of one layer in
Keras's order. keras/src/legacy/saving/legacy_h5_format.py, keras/src/saving/saving_lib.py
"""

from __future__ import annotations

import re
from itertools import islice

import numpy as np

_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")  # the second in files of TensorFlow 2.12 and 2.13
_MOST_PARTS = 1000


def texts(node, name):
    """The texts of an attribute of a Node, whole or in parts; None where there is none."""
    found = node.attribute(name)
    if found is None:
        parts = [node.attribute(f"{name}0")]
        while parts[-1] is not None and len(parts) < _MOST_PARTS:
            parts.append(node.attribute(f"{name}{len(parts)}"))
        if parts[0] is None:
            return None
        found = [text for part in parts[:-1] for text in (part if isinstance(part, list) else [part])]
    if isinstance(found, np.ndarray) and found.size == 0:  # an empty list
        return []
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{node}: its attribute {name} is not a list of names")
    return found


class Old:
    """The weights in a file of Keras 1 or 2, or of a later .h5; group: the Node with layer_names."""

    def __init__(self, group):
        self.group = group

    def inside(self, entries):
        """{name: weights} of a model's layers."""
        return {entry.name: _OldLayer(self.group, entry.name) for entry in entries}

    def every(self):
        """All arrays, in the order of the model's layers."""
        names = texts(self.group, "layer_names") or []
        return [array for name in names for array in _OldLayer(self.group, name).arrays()]


class _OldLayer:
    def __init__(self, group, name):
        self.group, self.name = group, name

    def arrays(self):
        """The arrays of one layer, in Keras's order."""
        if self.name not in self.group:
            return []
        group = self.group[self.name]
        return [group[name].array() for name in texts(group, "weight_names") or []]

    def inside(self, entries):
        """{name: weights} of a model's layers."""
        return _shared_out(self.arrays(), entries)


class _Given:
    """Arrays that were read; those of a model within a model."""

    def __init__(self, arrays):
        self._arrays = arrays

    def arrays(self):
        """The arrays of one layer, in Keras's order."""
        return self._arrays

    def inside(self, entries):
        """{name: weights} of a model's layers."""
        return _shared_out(self._arrays, entries)


def _shared_out(arrays, entries):
    """{name: weights} of a model's layers from one list: first all that are trained, then all that are not."""
    counts = {entry.name: _counts(entry) for entry in entries}
    first, second = iter(arrays), iter(arrays[sum(trained for trained, _ in counts.values()) :])
    return {
        name: _Given([*islice(first, trained), *islice(second, others)]) for name, (trained, others) in counts.items()
    }


def _counts(entry):
    """(arrays that are trained, arrays that are not) of a layer, or of all layers of a model."""
    if entry.is_model:
        inner = [_counts(layer) for layer in entry.opened()]
        return sum(trained for trained, _ in inner), sum(others for _, others in inner)
    config, others = entry.config, 0
    bias = config.get("use_bias", True) is not False
    if entry.kind in ("Conv2D", "Dense", "DepthwiseConv2D"):
        trained = 1 + bias
    elif entry.kind == "SeparableConv2D":
        trained = 2 + bias
    elif entry.kind == "BatchNormalization":
        trained, others = sum(config.get(key, True) is not False for key in ("scale", "center")), 2
    elif entry.kind == "Normalization" and config.get("mean") is None:
        trained, others = 0, 3
    else:
        trained = 0
    return (0, trained + others) if not entry.trainable else (trained, others)


class New:
    """The weights in a file of Keras 3; group: the Node of the model or of a layer, None where there is none."""

    def __init__(self, group):
        self.group = group

    def inside(self, entries):
        """{name: weights} of a model's layers."""
        container = next((self.group[n] for n in _CONTAINERS if self.group is not None and n in self.group), None)
        used: dict[str, int] = {}
        found = {}
        for entry in entries:
            name = snake_case(entry.kind)
            used[name] = used.get(name, -1) + 1
            name = f"{name}_{used[name]}" if used[name] else name
            found[entry.name] = New(container[name] if container is not None and name in container else None)
        return found

    def arrays(self):
        """The arrays of one layer, in Keras's order."""
        if self.group is None or "vars" not in self.group:
            return []
        group = self.group["vars"]
        return [group[str(number)].array() for number in range(len(group.children))]

    def every(self):
        """All arrays, in the order in which they were written, which is that of the model's layers.

        Raises ValueError where that order does not have the layers of a class in the order of their numbers.
        """
        found, todo = [], [self.group]
        while todo:
            group = todo.pop()
            container = next((group[name] for name in _CONTAINERS if name in group), None)
            if container is None:
                continue
            for name in container.children:
                layer = container[name]
                if "vars" in layer and layer["vars"].children:
                    found.append((layer["vars"]["0"].address, layer))
                todo.append(layer)
        found.sort(key=lambda pair: pair[0])
        last: dict[str, int] = {}
        for _, layer in found:
            kind = re.sub(r"_\d{1,6}$", "", layer.path)
            number = int(layer.path[len(kind) + 1 :] or 0)
            if last.setdefault(kind, -1) >= number:
                raise ValueError(f"the order of its layers is not known: {layer} stands behind one of a higher number")
            last[kind] = number
        return [array for _, layer in found for array in New(layer).arrays()]


def snake_case(name):
    """BatchNormalization -> batch_normalization, as keras/src/utils/naming.py does."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
