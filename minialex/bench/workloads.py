"""What is timed: three networks, their batches, and their layers with the shapes that reach them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import models, nn
from ..tensor import Tensor, no_grad

RECIPE = models.PRESETS["alexnet"].training  # momentum 0.9, weight decay 0.0005: the optimiser of every network here


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


def alexnet_torchvision(num_classes=1000):
    """torchvision's AlexNet, of "One weird trick for parallelizing convolutional neural networks" (2014).

    (N, 3, 224, 224) -> logits (N, num_classes). 61,100,840 parameters for 1000 classes, torch's initial values.
    """
    return nn.Sequential({
        "conv1": nn.Conv2d(3, 64, 11, stride=4, padding=2), "relu1": nn.ReLU(inplace=True),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": nn.Conv2d(64, 192, 5, padding=2), "relu2": nn.ReLU(inplace=True),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": nn.Conv2d(192, 384, 3, padding=1), "relu3": nn.ReLU(inplace=True),
        "conv4": nn.Conv2d(384, 256, 3, padding=1), "relu4": nn.ReLU(inplace=True),
        "conv5": nn.Conv2d(256, 256, 3, padding=1), "relu5": nn.ReLU(inplace=True),
        "pool5": nn.MaxPool2d(3, 2),
        "average": nn.AdaptiveAvgPool2d(6), "flatten": nn.Flatten(),
        "drop6": nn.Dropout(0.5), "fc6": nn.Linear(256 * 6 * 6, 4096), "relu6": nn.ReLU(inplace=True),
        "drop7": nn.Dropout(0.5), "fc7": nn.Linear(4096, 4096), "relu7": nn.ReLU(inplace=True),
        "fc8": nn.Linear(4096, num_classes),
    })  # fmt: skip


def _preset(name, *batch_sizes):
    preset = models.PRESETS[name]
    return Workload(name, preset.build, preset.input_size, preset.num_classes, batch_sizes)


WORKLOADS = {
    "alexnet": _preset("alexnet", 32, 128),
    "alexnet_torchvision": Workload("alexnet_torchvision", alexnet_torchvision, 224, 1000, (32,)),
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
