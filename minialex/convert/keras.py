"""Weights as Keras lists them: what `model.get_weights()` returns and `model.set_weights(...)` takes.

Layer by layer: kernel and bias; for batch normalisation gamma, beta, moving mean and moving variance. What a layer does
not have, such as the bias of Conv2d(..., bias=False), is left out; a layer that is used twice is listed once.
"""

from __future__ import annotations

import numpy as np

from .. import nn
from . import layouts

_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def to_keras(weights, rows):
    """Convert a state dict to Keras's list.

    weights: the state dict, {name: array}.
    rows: the models.layout.layout of its network.

    Returns a list of arrays.
    Raises ValueError for a network that is no sequence of such layers.
    """
    arrays = []
    for name, layer, maps in _layers(rows):
        if isinstance(layer, nn.BatchNorm2d):
            arrays += [layouts.features_to_keras(weights[f"{name}.{part}"], maps) for part in _parts(layer)]
        else:
            weight = weights[f"{name}.weight"]
            convolution = isinstance(layer, nn.Conv2d)
            arrays.append(layouts.kernel_to_keras(weight) if convolution else layouts.dense_to_keras(weight, maps))
            arrays += [weights[f"{name}.{part}"] for part in _parts(layer)[1:]]
    return arrays


def from_keras(arrays, rows):
    """Convert Keras's list to a state dict.

    arrays: a list of arrays.
    rows: the models.layout.layout of the network.

    Returns the state dict, {name: array}.
    Raises ValueError where the number of arrays, or the shape of one, does not fit the network.
    """
    layers = list(_layers(rows))
    count = sum(len(_parts(layer)) for _, layer, _ in layers)
    if len(arrays) != count:
        raise ValueError(f"there are {len(arrays)} arrays where this network has {count} in Keras")
    weights, rest = {}, iter(arrays)
    for name, layer, maps in layers:
        if isinstance(layer, nn.BatchNorm2d):
            weights |= {f"{name}.{part}": layouts.features_from_keras(next(rest), maps) for part in _parts(layer)}
            if layer.track_running_stats:
                weights[f"{name}.num_batches_tracked"] = np.array(0)
            continue
        kernel, convolution = next(rest), isinstance(layer, nn.Conv2d)
        outputs, inputs, *window = layer.weight.shape
        expected = (*window, inputs, outputs)
        if kernel.shape != expected:
            raise ValueError(f"the kernel of {name} has shape {kernel.shape} where Keras has {expected}")
        weights[f"{name}.weight"] = (
            layouts.kernel_from_keras(kernel) if convolution else layouts.dense_from_keras(kernel, maps)
        )
        weights |= {f"{name}.{part}": next(rest) for part in _parts(layer)[1:]}
    return weights


def _parts(layer):
    """The names of a layer's arrays, in Keras's order."""
    parts = _BATCH_NORM if isinstance(layer, nn.BatchNorm2d) else ("weight", "bias")
    return [part for part in parts if getattr(layer, part) is not None]


def _layers(rows):
    """(name, layer, maps) of layers with weights; maps: the shape that Flatten flattened before the layer, or None."""
    maps, seen = None, set()
    for row, before in zip(rows, [None, *rows]):
        if row.sources and before and row.sources != (before.name,):
            raise ValueError(f"layer {row.name}: Keras's list of weights is for a sequence of layers, without branches")
        if isinstance(row.layer, nn.Flatten):
            maps = row.input
        elif isinstance(row.layer, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)):
            if row.layer not in seen:
                yield row.name, row.layer, maps
            maps = None if isinstance(row.layer, nn.Linear) else maps
            seen.add(row.layer)
        elif row.parameters:
            known = "Conv2d, Linear and batch normalisation"
            raise ValueError(f"layer {row.name}: only the weights of {known} can be put into Keras's list")
