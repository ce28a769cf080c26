"""The same network in another form, as a Checkpoint whose predictions are the same."""

from __future__ import annotations

import inspect
from dataclasses import replace

from .. import models
from ..models.layout import has_weights
from ..nn import Conv2d, init
from .layouts import merge_groups, reverse_channels, split_groups

GROUPED, MERGED = "alexnet", "alexnet_merged"  # the one pair of presets with the same layers, but for the groups


def merged(saved):
    """A Checkpoint of the paper's network as one of `alexnet_merged`, with zeros between the groups."""
    _check(saved, GROUPED, "merge")
    return _other(saved, MERGED, _groups(saved.model), merge_groups)


def grouped(saved):
    """A Checkpoint of `alexnet_merged` as one of the paper's network.

    ValueError, with the layer and the largest weight that would be lost, unless all weights between groups are 0.
    """
    _check(saved, MERGED, "group")
    return _other(saved, GROUPED, _groups(GROUPED), split_groups)


def in_channel_order(saved, order):
    """A Checkpoint whose first convolution expects "RGB" or "BGR".

    Only its weights change: a normalisation, mean image or not, is kept in the order RGB and applied before pictures
    are reversed (data/pipeline.py).
    """
    if order not in ("RGB", "BGR"):
        raise ValueError(f"the order of channels is RGB or BGR, got {order!r}")
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
            f"cannot {verb} {saved.model}: only {GROUPED} and {MERGED} are the same network with groups and without"
        )


def _groups(model):
    """{name of a weight: groups} of its convolutions in more than one."""
    with init.skipped():
        modules = models.build(model).named_modules()
    return {f"{name}.weight": layer.groups for name, layer in modules if isinstance(layer, Conv2d) and layer.groups > 1}


def _other(saved, model, groups, change):
    """The Checkpoint of another preset, with `change(weight, groups)` made to its grouped convolutions."""
    weights = dict(saved.weights)
    for name, count in groups.items():
        try:
            weights[name] = change(weights[name], count)
        except ValueError as error:
            raise ValueError(f"{name.removesuffix('.weight')}: {error}") from None
    parameters = inspect.signature(models.get_preset(saved.model).build).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}
    return replace(saved, model=model, arguments=defaults | saved.arguments, weights=weights, trainer_state={})
