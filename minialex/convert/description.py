"""From weights that came without a word to a Checkpoint: which network they are of, and what it was shown."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from .. import models
from ..data import Normalize
from ..models.layout import has_weights, layout
from ..nn import init
from ..runs.checkpoint import Checkpoint
from .keras import from_keras

# torchvision's transforms, on a scale of 0 to 1: https://docs.pytorch.org/vision/stable/models.html
_TORCHVISION = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
_PHOTOGRAPH = 256  # what networks for ImageNet bring the shorter side of a photograph to
NO_NORMALIZATION = Normalize(np.zeros((3, 1, 1)))


def state_dict(arrays):
    """{name: array} without the "module." that torch's DataParallel puts before every name."""
    wrapped = all(name.startswith("module.") for name in arrays)
    return {name.removeprefix("module."): array for name, array in arrays.items()} if wrapped else arrays


def describe(arrays, model=None, *, input_size=None, classes=None, normalization=None):
    """The Checkpoint of a state dict or of Keras's arrays (arr_0, arr_1, ...).

    model: the preset they are of; by default the only one that has these shapes. input_size: pixels a side of its
    pictures (default: as published). classes: a name for each logit (default: "class 0", ...). normalization: a
    Normalize (default: torchvision's for its network, else none).
    ValueError where no preset fits, several do, or the one given does not.
    """
    arrays = state_dict(arrays)
    model = model or guess(arrays, input_size)
    network, weights, options = _fit(arrays, model, input_size)
    network.load_state_dict(weights)
    preset = models.get_preset(model)
    if normalization is None:
        normalization = torchvision_normalization() if model == "alexnet_torchvision" else NO_NORMALIZATION
    described = Checkpoint(
        model=model,
        arguments=options,
        weights=network.state_dict(),
        input_size=options["input_size"],
        normalization=normalization.to_arrays(),
        classes=[f"class {number}" for number in range(options["num_classes"])],
        configuration={},
        channel_order=preset.channel_order,
        resize=_PHOTOGRAPH if preset.input_size > 200 else None,
    )
    return described if classes is None else with_classes(described, classes)


def with_classes(saved, classes):
    """The Checkpoint with other names for its classes. ValueError unless there is one for each."""
    if len(classes) != len(saved.classes):
        raise ValueError(f"there are {len(classes)} names for the network's {len(saved.classes)} classes")
    return replace(saved, classes=classes)


def torchvision_normalization():
    """torchvision's (x / 255 - mean) / std for pixels from 0 to 255."""
    mean, std = (255 * np.array(values)[:, None, None] for values in _TORCHVISION)
    return Normalize(mean, std)


def guess(arrays, input_size=None):
    """The name of the only preset whose weights, here or in Keras, have these names and shapes; else ValueError."""
    fitting = []
    for name in models.PRESETS:
        try:
            network, weights, _ = _fit(arrays, name, input_size)
        except ValueError:
            continue
        if {n: a.shape for n, a in weights.items()} == {n: a.shape for n, a in network.state_dict().items()}:
            fitting.append(name)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ValueError(f"these weights fit {', '.join(fitting)}, which differ in what has no weights: give model=...")
    raise ValueError("these weights fit no network by name and shape: give model=... to learn what does not fit")


def _fit(arrays, model, input_size):
    """(the network without values, the weights under its names, the arguments that build it)."""
    size = input_size or models.get_preset(model).input_size
    keras = bool(arrays) and all(re.fullmatch(r"arr_\d+", name) for name in arrays)
    listed = [arrays[name] for name in sorted(arrays, key=lambda name: int(name[4:]))] if keras else []
    with init.skipped():
        published = models.build(model, input_size=size)
        last = next(row.name for row in reversed(layout(published, (3, size, size))) if has_weights(row.layer))
        head = listed[-1] if keras else arrays.get(f"{last}.bias")
        if head is None or head.ndim != 1:
            raise ValueError(f"these are no weights of {model}: there is no {last}.bias")
        options = {"num_classes": len(head), "input_size": size}
        network = models.build(model, **options)
    weights = from_keras(listed, layout(network, (3, size, size))) if keras else arrays
    return network, weights, options
