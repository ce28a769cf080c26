"""Equivalent networks: a Checkpoint as another one with the same predictions."""

from __future__ import annotations

import inspect
from dataclasses import replace

from .. import models, nn
from ..models.layout import has_weights
from ..nn import Conv2d, init
from .layouts import merge_groups, reverse_channels, split_groups

GROUPED, MERGED = "alexnet", "alexnet_merged"  # the only two presets that differ in their groups alone


def merged(saved):
    """Convert a Checkpoint of `alexnet` to one of `alexnet_merged`, with zeros between the groups.

    saved: a Checkpoint.

    Returns a Checkpoint without training state.
    Raises ValueError for another model.
    """
    _check(saved, GROUPED, "merge")
    return _other(saved, MERGED, _groups(saved.model), merge_groups)


def grouped(saved):
    """Convert a Checkpoint of `alexnet_merged` to one of `alexnet`.

    saved: a Checkpoint.

    Returns a Checkpoint without training state.
    Raises ValueError for another model, and unless all weights between the groups are 0.
    """
    _check(saved, MERGED, "group")
    return _other(saved, GROUPED, _groups(GROUPED), split_groups)


def in_channel_order(saved, order):
    """Convert a Checkpoint to another order of the channels.

    saved: a Checkpoint.
    order: "RGB" or "BGR", what the first convolution is to expect.

    Only its weights change: the normalisation is always in the order RGB, and is applied before the channels are
    reversed (data/pipeline.py).

    Returns `saved` if it has this order, else a Checkpoint without training state.
    Raises ValueError for another order, and where other layers than convolutions take the image.
    """
    if order not in ("RGB", "BGR"):
        raise ValueError(f"the channel order must be RGB or BGR, got {order!r}")
    if order == saved.channel_order:
        return saved
    with init.skipped():
        model = saved.build_model()
    if isinstance(model, nn.Graph):
        entries = [entry for entry in model.layers if model.inputs[0] in entry.inputs]
        if wrong := next((e for e in entries if not isinstance(e.layer, nn.Conv2d) or e.layer.groups > 1), None):
            raise ValueError(
                f"the channel order cannot be changed: {wrong.name}, which takes the image, is no convolution"
            )
        first = [entry.name for entry in entries]
    else:
        first = [next(name for name, layer in model.named_modules() if has_weights(layer))]
    changed = {f"{name}.weight": reverse_channels(saved.weights[f"{name}.weight"]) for name in first}
    return replace(saved, channel_order=order, weights=saved.weights | changed, trainer_state={})


def _check(saved, model, verb):
    if saved.model != model:
        raise ValueError(
            f"cannot {verb} {saved.model}: only {GROUPED} and {MERGED} are the same network with and without groups"
        )


def _groups(model):
    """{name of the weight: groups} for convolutions with more than one group."""
    with init.skipped():
        modules = models.build(model).named_modules()
    return {f"{name}.weight": layer.groups for name, layer in modules if isinstance(layer, Conv2d) and layer.groups > 1}


def _other(saved, model, groups, change):
    """The Checkpoint of another preset, with `change(weight, groups)` applied to the convolutions in `groups`."""
    weights = dict(saved.weights)
    for name, count in groups.items():
        try:
            weights[name] = change(weights[name], count)
        except ValueError as error:
            raise ValueError(f"{name.removesuffix('.weight')}: {error}") from None
    parameters = inspect.signature(models.get_preset(saved.model).build).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}
    return replace(saved, model=model, arguments=defaults | saved.arguments, weights=weights, trainer_state={})
