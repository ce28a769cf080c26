"""Weights as Keras lists them: what `model.get_weights()` returns and `model.set_weights(...)` takes.

Layer by layer: kernel and bias; for batch normalisation gamma, beta, moving mean and moving variance.
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
    """
    arrays = []
    for name, layer, maps in _layers(rows):
        if isinstance(layer, nn.BatchNorm2d):
            arrays += [weights[f"{name}.{part}"] for part in _BATCH_NORM]
        else:
            weight = weights[f"{name}.weight"]
            convolution = isinstance(layer, nn.Conv2d)
            arrays.append(layouts.kernel_to_keras(weight) if convolution else layouts.dense_to_keras(weight, maps))
            arrays.append(weights[f"{name}.bias"])
    return arrays


def from_keras(arrays, rows):
    """Convert Keras's list to a state dict.

    arrays: a list of arrays.
    rows: the models.layout.layout of the network.

    Returns the state dict, {name: array}.
    Raises ValueError where the number of arrays, or the shape of one, does not fit the network.
    """
    layers = list(_layers(rows))
    count = sum(4 if isinstance(layer, nn.BatchNorm2d) else 2 for _, layer, _ in layers)
    if len(arrays) != count:
        raise ValueError(f"there are {len(arrays)} arrays where this network has {count} in Keras")
    weights, rest = {}, iter(arrays)
    for name, layer, maps in layers:
        if isinstance(layer, nn.BatchNorm2d):
            weights |= {f"{name}.{part}": next(rest) for part in _BATCH_NORM}
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
        weights[f"{name}.bias"] = next(rest)
    return weights


def _layers(rows):
    """(name, layer, maps) of layers with weights; maps: the shape that Flatten flattened before the layer, or None."""
    maps = None
    for row, before in zip(rows, [None, *rows]):
        if row.sources and before and row.sources != (before.name,):
            raise ValueError(f"layer {row.name}: Keras's list of weights is for a sequence of layers, without branches")
        if isinstance(row.layer, nn.Flatten):
            maps = row.input
        elif isinstance(row.layer, (nn.Conv2d, nn.BatchNorm2d)):
            yield row.name, row.layer, None
        elif isinstance(row.layer, nn.Linear):
            yield row.name, row.layer, maps
            maps = None
