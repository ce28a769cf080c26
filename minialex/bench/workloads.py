"""The workloads that are timed: four networks, their batches, and their layers with input and output shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import models, nn
from ..models.layout import layout
from ..models.names import published_names

RECIPE = models.PRESETS["alexnet"].recipe  # momentum 0.9, weight decay 0.0005: the optimiser of every network here


@dataclass(frozen=True)
class Workload:
    """A network to be timed.

    name: of its preset.
    build: build() makes it.
    size: height and width of its images in pixels.
    classes: how many.
    batch_sizes: the defaults, in images per batch.
    layers_batch_size: the one of them that each layer is timed alone with.
    """

    name: str
    build: Callable[..., nn.Module]
    size: int
    classes: int
    batch_sizes: tuple[int, ...]
    layers_batch_size: int

    def batch(self, batch_size):
        """batch_size = N random images (N, 3, size, size) and labels (N,), the same at every call."""
        labels = np.random.default_rng(0).integers(0, self.classes, batch_size)
        return noise((batch_size, 3, self.size, self.size)), labels


def noise(shape, seed=0):
    """Normally distributed float32 numbers of a shape, the same at every call with the same seed."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def flattened(model):
    """A flat Sequential of all layers of a model, so that each can be timed: conv1, relu1, maxpool2d1, conv2, ..."""
    published, layers, number = {its: name for name, its in published_names(model).items()}, {}, 0
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Sequential):
            number += name in published
            layers[published.get(name, f"{type(layer).__name__.lower()}{number}")] = layer
    return nn.Sequential(layers)


def _preset(name, batch_sizes, layers_batch_size, arrange=lambda model: model):
    preset, sizes = models.PRESETS[name], (batch_sizes, layers_batch_size)
    return Workload(name, lambda: arrange(preset.build()), preset.input_size, preset.num_classes, *sizes)


WORKLOADS = {
    "alexnet": _preset("alexnet", (1, 4, 32, 128), 32),
    "alexnet_torchvision": _preset("alexnet_torchvision", (32,), 32, flattened),
    "cifar_quick": _preset("cifar_quick", (128,), 128),
    "cifar_13pct": _preset("cifar_13pct", (128,), 128),
}
TWO_GPUS = _preset("alexnet_2012", (32,), 32)  # as two GPUs divided it: measured with --parallel only
SHARED_OUT = {TWO_GPUS.name: TWO_GPUS, **WORKLOADS}


@dataclass(frozen=True)
class Layer:
    """A layer of a network, for one batch.

    name: in the network.
    module: the layer.
    input, output: shapes, batch first.
    macs: multiply-accumulates of the weights, forward.
    first: whether its input is the images, which need no gradient.
    """

    name: str
    module: nn.Module
    input: tuple[int, ...]
    output: tuple[int, ...]
    macs: int
    first: bool


def layers(model, workload, batch_size):
    """The layers of a network, in order, without Flatten, which is a view and costs nothing.

    model: a Sequential.
    workload: the Workload that it belongs to.
    batch_size: images per batch.

    Returns a list of Layer.
    """
    rows = layout(model, (3, workload.size, workload.size))
    working = [row for row in rows if not isinstance(row.layer, nn.Flatten)]
    return [
        Layer(
            row.name,
            row.layer,
            (batch_size, *row.input),
            (batch_size, *row.output),
            batch_size * row.macs,
            first=row is working[0],
        )
        for row in working
    ]
