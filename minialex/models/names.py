"""One way to name the layers of all networks, as the paper counts them: conv1, conv2, ..., fc6, fc7, ..."""

from __future__ import annotations

from ..nn import Conv2d, Linear


def published_names(model):
    """{"conv1": "features.0", ...}: the layers with weights in order, numbered together, and their own names.

    What is meant by conv1 or fc6 is then the same layer in networks that give it another name, or only a number.
    """
    weighted = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, (Conv2d, Linear))]
    kinds = ("conv" if isinstance(layer, Conv2d) else "fc" for _, layer in weighted)
    return {f"{kind}{number}": name for number, (kind, (name, _)) in enumerate(zip(kinds, weighted), 1)}


def layers_called(model, wanted):
    """The modules' names for names that a person gave, published or the network's own, in the order given.

    ValueError, with those that there are, for a name that the network does not have.
    """
    published = published_names(model)
    own = set(published.values())
    unknown = [name for name in wanted if name not in published and name not in own]
    if unknown:
        known = (name if name == its else f"{name} ({its})" for name, its in published.items())
        raise ValueError(f"there is no layer {unknown[0]!r} with weights; there are {', '.join(known)}")
    return [published.get(name, name) for name in wanted]
