"""The small networks that cuda-convnet published for CIFAR-10."""

from __future__ import annotations

from ..nn import AvgPool2d, Conv2d, Flatten, Linear, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from .preset import Preset, Recipe
from .table import activation, features, from_table


def cifar_quick(num_classes: int = 10, input_size: int = 32) -> Sequential:
    """cuda-convnet's `layers-80sec.cfg`, "26 % error in 80 seconds": (N, 3, 32, 32) -> logits (N, num_classes).

    num_classes: the number of logits.
    input_size: pixels per side of the input.

    Pools round sizes up; average pools do not count padding.

    Returns a Sequential; 145,578 parameters for 10 classes.
    """
    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 32, 5, padding=2), 1e-4, 0),  # 32 x 32 x 32
        ("pool1", MaxPool2d(3, 2, ceil_mode=True)),  # 32 x 16 x 16
        ("relu1", ReLU()),
        ("conv2", Conv2d(32, 32, 5, padding=2), 0.01, 0),
        ("relu2", ReLU()),
        ("pool2", _average()),  # 32 x 8 x 8
        ("conv3", Conv2d(32, 64, 5, padding=2), 0.01, 0),
        ("relu3", ReLU()),
        ("pool3", _average()),  # 64 x 4 x 4
    ]
    return from_table(
        [
            *maps,
            ("flatten", Flatten()),
            ("fc64", Linear(features(maps, input_size), 64), 0.1, 0),
            ("relu4", ReLU()),
            ("fc10", Linear(64, num_classes), 0.1, 0),
        ]
    )


def cifar_18pct(
    num_classes: int = 10, input_size: int = 32, *, norm: str = "lrn", overlap: bool = True, nonlinearity: str = "relu"
) -> Sequential:
    """cuda-convnet's `layers-18pct.cfg`, "18 % error in 20 minutes": (N, 3, 32, 32) -> logits (N, num_classes).

    num_classes, input_size: as in `cifar_quick`, as are the pools.
    norm: "lrn", or "none" for a network without normalisation, as in `layers-19pct.cfg`.
    overlap: whether pools are of 3 x 3 pixels in steps of 2; else of 2 x 2, which leaves maps of the same sizes.
    nonlinearity: "relu" or "tanh".

    Normalisation is within a map, over the 3 x 3 pixels around each one.

    Returns a Sequential; 89,578 parameters for 10 classes.
    """
    if norm not in ("lrn", "none"):
        raise ValueError(f'norm must be "lrn" or "none" in cifar_18pct, got {norm!r}')
    bend, side = activation(nonlinearity), 3 if overlap else 2

    def same_map_norm():
        return LocalResponseNorm(3, alpha=5e-5, beta=0.75, k=1.0, within_channel=True) if norm == "lrn" else None

    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 32, 5, padding=2), 1e-4, 0),  # 32 x 32 x 32
        ("pool1", MaxPool2d(side, 2, ceil_mode=True)),  # 32 x 16 x 16
        (f"{nonlinearity}1", bend()),
        ("rnorm1", same_map_norm()),
        ("conv2", Conv2d(32, 32, 5, padding=2), 0.01, 0),
        (f"{nonlinearity}2", bend()),
        ("pool2", _average(side)),  # 32 x 8 x 8
        ("rnorm2", same_map_norm()),
        ("conv3", Conv2d(32, 64, 5, padding=2), 0.01, 0),
        (f"{nonlinearity}3", bend()),
        ("pool3", _average(side)),  # 64 x 4 x 4
    ]
    return from_table(
        [*maps, ("flatten", Flatten()), ("fc10", Linear(features(maps, input_size), num_classes), 0.01, 0)]
    )


def _average(side=3):
    return AvgPool2d(side, 2, ceil_mode=True, count_include_pad=False)


def _recipe(epochs, schedule, decay):
    return Recipe(
        "cifar10",
        epochs=epochs,
        batch_size=128,
        lr=0.001,
        schedule=schedule,
        weight_decay=decay,
        bias_lr=2.0,
        bias_decay=False,
        normalization="mean-image",
    )


_DIFFERS = (
    "It is made for the 32 x 32 pictures of CIFAR-10: three convolutions of 5 x 5 with 32, 32 and 64 kernels.",
    "The pools after conv2 and conv3 are average pools; all pools round sizes up.",
    "There is no dropout and there are no groups.",
)

CIFAR_QUICK = Preset(
    cifar_quick,
    input_size=32,
    num_classes=10,
    summary="cuda-convnet's quick CIFAR-10 network, 26 % error in 80 seconds on the GPU of 2011",
    recipe=_recipe(10, "multistep:8", {"conv": 0.004, "fc": 0.03}),
    recipe_source="as its authors trained it (layer-params-80sec.cfg)",
    differs=(*_DIFFERS, "There is no normalisation."),
)

CIFAR_18PCT = Preset(
    cifar_18pct,
    input_size=32,
    num_classes=10,
    summary="cuda-convnet's CIFAR-10 network with 18 % error",
    recipe=_recipe(140, "multistep:120,130", {"conv": 0.004, "fc": 1.0}),
    recipe_source="as its authors trained it (layer-params-18pct.cfg)",
    differs=(*_DIFFERS, "Normalisation is over 3 x 3 pixels of the same map, after pool1 and pool2."),
)
