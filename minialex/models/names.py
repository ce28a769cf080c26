"""The published names of layers, the same for all networks: conv1, conv2, ..., local3, ..., fc6, fc7, ..."""

from __future__ import annotations

from collections.abc import Iterable

from ..nn import Conv2d, Linear, Local2d, Module

_KINDS = {Conv2d: "conv", Local2d: "local", Linear: "fc"}


def published_names(model: Module) -> dict[str, str]:
    """Names for the layers with weights, numbered together in order, as the paper numbers them.

    model: a Module.

    Returns {published name: name of the module}, such as {"conv1": "features.0", ...}; where one of them would be the
    module name of another layer, as "fc3" in a network of conv1, conv2, fc1, fc2 and fc3, all layers have their own.
    """
    weighted = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, tuple(_KINDS))]
    kinds = (next(word for kind, word in _KINDS.items() if isinstance(layer, kind)) for _, layer in weighted)
    names = {f"{kind}{number}": name for number, (kind, (name, _)) in enumerate(zip(kinds, weighted), 1)}
    own = {name: name for name, _ in weighted}
    return own if any(own.get(name, its) != its for name, its in names.items()) else names


def layers_called(model: Module, wanted: Iterable[str]) -> list[str]:
    """The names of the modules that are meant by published names, or by their own.

    model: a Module.
    wanted: names, such as ["conv1", "features.3"].

    Returns the modules' names, a list in the order of `wanted`.
    Raises ValueError for a name that is not a layer with weights.
    """
    published = published_names(model)
    own = set(published.values())
    unknown = [name for name in wanted if name not in published and name not in own]
    if unknown:
        known = (name if name == its else f"{name} ({its})" for name, its in published.items())
        raise ValueError(f"there is no layer {unknown[0]!r} with weights; choose from {', '.join(known)}")
    return [published.get(name, name) for name in wanted]
