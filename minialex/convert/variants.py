"""Equivalent networks: a Checkpoint as another one with the same predictions."""

from __future__ import annotations

import inspect
from dataclasses import replace

from .. import models
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
    Raises ValueError for another order.
    """
    if order not in ("RGB", "BGR"):
        raise ValueError(f"the channel order must be RGB or BGR, got {order!r}")
    if order == saved.channel_order:
        return saved
    with init.skipped():
        layers = saved.build_model().named_modules()
    first = next(f"{name}.weight" for name, layer in layers if has_weights(layer))
    weights = saved.weights | {first: reverse_channels(saved.weights[first])}
    return replace(saved, channel_order=order, weights=weights, trainer_state={})


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
