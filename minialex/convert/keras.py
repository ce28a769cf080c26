"""Weights in the order of Keras: the list that `model.get_weights()` returns and `model.set_weights(...)` takes.

Layer by layer: kernel and bias; of a batch normalisation gamma, beta, moving mean and moving variance.
"""

from __future__ import annotations

import numpy as np

from .. import nn
from . import layouts

_BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def to_keras(weights, rows):
    """The list of a state dict. rows: the `layout` of its network."""
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
    """The state dict of a list. ValueError where its number of arrays, or the shape of one, is another network's."""
    layers = list(_layers(rows))
    count = sum(4 if isinstance(layer, nn.BatchNorm2d) else 2 for _, layer, _ in layers)
    if len(arrays) != count:
        raise ValueError(f"there are {len(arrays)} arrays, but this network has {count} in Keras")
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
            raise ValueError(f"the kernel of {name} is {kernel.shape}, but {expected} in this network in Keras")
        weights[f"{name}.weight"] = (
            layouts.kernel_from_keras(kernel) if convolution else layouts.dense_from_keras(kernel, maps)
        )
        weights[f"{name}.bias"] = next(rest)
    return weights


def _layers(rows):
    """(name, layer, maps) of those with weights; maps: what Flatten was given, for the layer behind it, else None."""
    maps = None
    for row in rows:
        if isinstance(row.layer, nn.Flatten):
            maps = row.input
        elif isinstance(row.layer, (nn.Conv2d, nn.BatchNorm2d)):
            yield row.name, row.layer, None
        elif isinstance(row.layer, nn.Linear):
            yield row.name, row.layer, maps
            maps = None
