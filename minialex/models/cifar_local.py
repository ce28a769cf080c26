"""The networks that cuda-convnet published for translated CIFAR-10 images, which end in locally connected layers."""

from __future__ import annotations

from ..nn import Conv2d, Flatten, Linear, Local2d, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from .preset import Preset, Recipe
from .table import features, from_table, side


def cifar_13pct(num_classes: int = 10, input_size: int = 24) -> Sequential:
    """cuda-convnet's `layers-conv-local-13pct.cfg`, "13 % error": (N, 3, 24, 24) -> logits (N, num_classes).

    num_classes: the number of logits.
    input_size: pixels per side of the input, a crop of the images.

    Pools round sizes up. The filters of local3 and local4 differ from place to place.

    Returns a Sequential; 1,116,490 parameters for 10 classes.
    """
    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 64, 5, padding=2), 1e-4, 0),  # 64 x 24 x 24
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(3, 2, ceil_mode=True)),  # 64 x 12 x 12
        ("conv2", Conv2d(64, 64, 5, padding=2), 0.01, 0),
        ("relu2", ReLU()),
        ("pool2", MaxPool2d(3, 2, ceil_mode=True)),  # 64 x 6 x 6
    ]
    return _with_local_layers(maps, 32, num_classes, input_size)


def cifar_11pct(num_classes: int = 10, input_size: int = 24) -> Sequential:
    """cuda-convnet's `layers-conv-local-11pct.cfg`, "11 % error": (N, 3, 24, 24) -> logits (N, num_classes).

    num_classes, input_size: as in `cifar_13pct`, as are the pools and the local layers.

    Normalisation is across the 9 channels around each one, at the same pixel.

    Returns a Sequential; 2,112,970 parameters for 10 classes.
    """
    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 64, 5, padding=2), 1e-4, 0),  # 64 x 24 x 24
        ("relu1", ReLU()),
        ("pool1", MaxPool2d(3, 2, ceil_mode=True)),  # 64 x 12 x 12
        ("rnorm1", _norm()),
        ("conv2", Conv2d(64, 64, 5, padding=2), 0.01, 0),
        ("relu2", ReLU()),
        ("rnorm2", _norm()),
        ("pool2", MaxPool2d(3, 2, ceil_mode=True)),  # 64 x 6 x 6
    ]
    return _with_local_layers(maps, 64, num_classes, input_size)


def _with_local_layers(maps, filters, num_classes, input_size):
    """The network of these maps, two local layers, the first with so many filters, and a fully connected one."""
    maps += [
        ("local3", Local2d(64, filters, 3, side(maps, input_size), padding=1), 0.04, 0),  # filters x 6 x 6
        ("relu3", ReLU()),
        ("local4", Local2d(filters, 32, 3, side(maps, input_size), padding=1), 0.04, 0),  # 32 x 6 x 6
        ("relu4", ReLU()),
    ]
    return from_table(
        [*maps, ("flatten", Flatten()), ("fc10", Linear(features(maps, input_size), num_classes), 0.01, 0)]
    )


def _norm():
    return LocalResponseNorm(9, alpha=1e-3, beta=0.75, k=1.0)


def _recipe(epochs, schedule, decay):
    return Recipe(
        "cifar10",
        epochs=epochs,
        batch_size=128,
        lr=0.001,
        schedule=schedule,
        weight_decay={"conv": 0.0, "local": 0.004, "fc": decay},
        bias_lr=2.0,
        bias_decay=False,
        bias_schedule="constant",
        normalization="mean-image-center",
        flip=True,
    )


_DIFFERS = (
    "It is made for crops of 24 x 24 from the pictures of CIFAR-10, and tested on 9 of them (evaluate --views 9).",
    "Two convolutions of 5 x 5 with 64 kernels are followed by two locally connected layers and one fully connected.",
    "There is no dropout and there are no groups; pools round sizes up.",
)

CIFAR_13PCT = Preset(
    cifar_13pct,
    input_size=24,
    num_classes=10,
    summary="cuda-convnet's CIFAR-10 network with 13 % error, on crops",
    recipe=_recipe(160, "multistep:140,150", 0.004),
    recipe_source="as its authors trained it (their page on methodology), all 50,000 images from the start",
    differs=(*_DIFFERS, "There is no normalisation."),
)

CIFAR_11PCT = Preset(
    cifar_11pct,
    input_size=24,
    num_classes=10,
    summary="cuda-convnet's CIFAR-10 network with 11 % error, on crops",
    recipe=_recipe(520, "multistep:500,510", 0.01),
    recipe_source="as its authors trained it (layer-params-conv-local-11pct.cfg), all 50,000 images from the start",
    differs=(*_DIFFERS, "Normalisation is across 9 channels, before pool2 but after pool1, with alpha 0.001 and k 1."),
)
