"""What is timed: three networks, their batches, and their layers with the shapes that reach them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import models, nn
from ..models.names import published_names
from ..tensor import Tensor, no_grad

RECIPE = models.PRESETS["alexnet"].recipe  # momentum 0.9, weight decay 0.0005: the optimiser of every network here


@dataclass(frozen=True)
class Workload:
    """A network, the side of its pictures in pixels, its classes and the batches it is timed with unless told."""

    name: str
    build: Callable[..., nn.Module]
    size: int
    classes: int
    batch_sizes: tuple[int, ...]

    def batch(self, batch_size):
        """Random pictures (N, 3, size, size) and labels (N), the same at every call."""
        labels = np.random.default_rng(0).integers(0, self.classes, batch_size)
        return noise((batch_size, 3, self.size, self.size)), labels


def noise(shape, seed=0):
    """Normally distributed float32 numbers, the same at every call."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def flattened(model):
    """A Sequential of all layers of nested ones, so that each can be timed: conv1, relu1, maxpool2d1, conv2, ..."""
    published, layers, number = {its: name for name, its in published_names(model).items()}, {}, 0
    for name, layer in model.named_modules():
        if not isinstance(layer, nn.Sequential):
            number += name in published
            layers[published.get(name, f"{type(layer).__name__.lower()}{number}")] = layer
    return nn.Sequential(layers)


def _preset(name, *batch_sizes, arrange=lambda model: model):
    preset = models.PRESETS[name]
    return Workload(name, lambda: arrange(preset.build()), preset.input_size, preset.num_classes, batch_sizes)


WORKLOADS = {
    "alexnet": _preset("alexnet", 32, 128),
    "alexnet_torchvision": _preset("alexnet_torchvision", 32, arrange=flattened),
    "cifar_quick": _preset("cifar_quick", 128),
}


@dataclass(frozen=True)
class Layer:
    """A layer of a network: its name, its module, and the shapes of its input and output, batch first.

    first: whether the pictures are its input, which need no gradient.
    """

    name: str
    module: nn.Module
    input: tuple[int, ...]
    output: tuple[int, ...]
    first: bool


def layers(model, workload, batch_size):
    """The layers of a Sequential that move or compute anything, in order. One picture is sent through to see shapes."""
    seen = []
    x = Tensor(workload.batch(1)[0])
    model.eval()
    with no_grad():
        for name, module in model.named_children():
            y = module(x)
            if not isinstance(module, nn.Flatten):  # a view: no work
                shapes = [(batch_size, *t.shape[1:]) for t in (x, y)]
                seen.append(Layer(name, module, shapes[0], shapes[1], first=not seen))
            x = y
    model.train()
    return seen
