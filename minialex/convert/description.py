"""Describing bare weights as a Checkpoint: which network they belong to, and the normalisation of its input."""

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

# mean and std of torchvision's transforms, for pixels from 0 to 1: https://docs.pytorch.org/vision/stable/models.html
_TORCHVISION = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
# of bvlc_alexnet, red first: the means over the pixels of caffe's ilsvrc12 mean image, which its examples subtract
_CAFFE = [122.67891434, 116.66876762, 104.00698793]
_RESIZE = 256  # pixels to which networks for ImageNet resize the shorter side of an image
_WRAPPERS = ("module.", "_orig_mod.")
_HOLDERS = ("model.", "net.", "network.", "module.")  # of a network, in a module that trains it
_WITHIN = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # of a part of a network
NO_NORMALIZATION = Normalize(np.zeros((3, 1, 1)))


# By name: (a Normalize for channels in the order RGB, the order that such networks expect or None).
NORMALIZATIONS = {
    "torchvision": (Normalize(*(255 * np.array(values)[:, None, None] for values in _TORCHVISION)), "RGB"),
    "caffe": (Normalize(np.array(_CAFFE)[:, None, None]), "BGR"),
    "none": (NO_NORMALIZATION, None),
}


def state_dict(arrays):
    """A state dict without the names that torch's wrappers put before every other name.

    arrays: {name: array}.

    Removed are "module." of DataParallel and AveragedModel, with the latter's counter, and "_orig_mod." of compile.
    """
    while True:
        named = {name: array for name, array in arrays.items() if name != "n_averaged"}
        prefix = next((p for p in _WRAPPERS if named and all(name.startswith(p) for name in named)), None)
        if prefix is None:
            return arrays
        arrays = {name.removeprefix(prefix): array for name, array in named.items()}


def _unwrapped(arrays):
    """Yield a state dict, then without the first word of its names while it is the same for all, as "model." is.

    Then without the names of wrappers anywhere: torch's ImageNet example wraps AlexNet's features alone. At last, what
    a Lightning module holds as `model` or `net`, beside a loss with class weights or a moving average.
    """
    arrays = whole = state_dict(arrays)
    yield arrays
    while len({name.partition(".")[0] for name in arrays}) == 1 and all(name.partition(".")[2] for name in arrays):
        arrays = {name.partition(".")[2]: array for name, array in arrays.items()}
        yield arrays
    names = [".".join(word for word in name.split(".") if word not in _WITHIN) for name in arrays]
    if names != [*arrays] and len({*names}) == len(names):
        yield dict(zip(names, arrays.values()))
    for word in _HOLDERS:
        part = {name.removeprefix(word): array for name, array in whole.items() if name.startswith(word)}
        if 0 < len(part) < len(whole):
            yield from _unwrapped(part)


def describe(arrays, model=None, *, input_size=None, classes=None, normalization=None, arguments=None):
    """Make a Checkpoint of bare weights.

    arrays: a state dict, {name: array}, or Keras's arrays {"arr_0": array, "arr_1": array, ...}.
    model: name of the preset; by default the only one with these shapes.
    input_size: pixels per side of the input; as published by default.
    classes: a name for each logit; "class 0", "class 1", ... by default.
    normalization: a Normalize; by default that of the published weights of alexnet_torchvision or alexnet_caffe, or
        none.
    arguments: other arguments of the network's function than num_classes and input_size, a dict.

    Returns a Checkpoint.
    Raises ValueError where no preset fits, several do, or the given one does not.
    """
    model = model or guess(arrays, input_size)
    network, options = _loaded(arrays, model, input_size, arguments or {})
    preset = models.get_preset(model)
    if normalization is None:
        normalization = NORMALIZATIONS[known_normalization(model)][0]
    described = Checkpoint(
        model=model,
        arguments=options,
        weights=network.state_dict(),
        input_size=options["input_size"],
        normalization=normalization.to_arrays(),
        classes=[f"class {number}" for number in range(options["num_classes"])],
        configuration={},
        channel_order=preset.channel_order,
        resize=resize_for(preset.input_size, options["input_size"]),
    )
    return described if classes is None else with_classes(described, classes)


def resize_for(published, size):
    """Pixels of the shorter side of photographs before cropping; None for a network that is not for photographs.

    published: input size of the network as published, None if unknown.
    size: that of this one.
    """
    if (published or size) <= 200:
        return None
    return _RESIZE if size <= _RESIZE else round(size * 8 / 7)  # the paper's ratio of 256 to 224


def with_classes(saved, classes):
    """The Checkpoint `saved` with `classes`, a list of names, as its classes; raises ValueError for another number."""
    if len(classes) != len(saved.classes):
        raise ValueError(f"{len(classes)} class names were given for the network's {len(saved.classes)} classes")
    return replace(saved, classes=classes)


def known_normalization(model):
    """The name of the normalisation with which the published weights of a network were trained; model: its name."""
    return {"alexnet_torchvision": "torchvision", "alexnet_caffe": "caffe"}.get(model, "none")


def guess(arrays, input_size=None):
    """The name of the only preset that bare weights fit.

    arrays, input_size: as in `describe`.

    Returns a key of models.PRESETS.
    Raises ValueError where none fits, or several do.
    """
    fitting: list[str] = []
    for unwrapped in _unwrapped(arrays):
        fitting = fitting or [name for name in models.PRESETS if fits(unwrapped, name, input_size)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ValueError(
            f"these weights fit {', '.join(fitting)}, which have the same names and shapes: choose one with model=..."
        )
    raise ValueError("these weights do not fit any network by name and shape: give model=... to see what does not fit")


def fits(arrays, model, input_size=None):
    """Whether weights have the names and shapes of a preset.

    arrays, model, input_size: as in `describe`.
    """
    try:
        network, weights, _ = _fit(arrays, model, input_size, {})
    except ValueError:
        return False
    return {n: a.shape for n, a in weights.items()} == {n: a.shape for n, a in network.state_dict().items()}


def _loaded(arrays, model, input_size, arguments):
    """(the network with these weights, the arguments that build it); raises ValueError where they do not fit."""
    failures: list[ValueError] = []
    for unwrapped in _unwrapped(arrays):
        try:
            network, weights, options = _fit(unwrapped, model, input_size, arguments)
            network.load_state_dict(weights)
            return network, options
        except ValueError as error:
            failures.append(error)
    raise failures[0]  # with the names as they are in the file


def _fit(arrays, model, input_size, arguments):
    """(the network with uninitialised weights, the given weights under its names, the arguments that build it)."""
    size = input_size or models.get_preset(model).input_size
    if size is None:
        raise ValueError(f"{model} does not say for which input size it is: give input_size=...")
    keras = bool(arrays) and all(re.fullmatch(r"arr_\d+", name) for name in arrays)
    listed = [arrays[name] for name in sorted(arrays, key=lambda name: int(name[4:]))] if keras else []
    with init.skipped():
        published = models.build(model, **arguments, input_size=size)
        last = next(row.name for row in reversed(layout(published, (3, size, size))) if has_weights(row.layer))
        head = listed[-1] if keras else arrays.get(f"{last}.bias")
        if head is None or head.ndim != 1:
            raise ValueError(f"these are not the weights of {model}: there is no {last}.bias")
        options = arguments | {"num_classes": len(head), "input_size": size}
        network = models.build(model, **options)
    weights = from_keras(listed, layout(network, (3, size, size))) if keras else arrays
    return network, weights, options
