"""The AlexNets of PyTorch: torchvision's, and the one in articles on PyTorch."""

from __future__ import annotations

from ..nn import AdaptiveAvgPool2d, Conv2d, Flatten, Linear, LocalResponseNorm, MaxPool2d, ReLU
from .preset import Preset, Recipe
from .table import Sequential, dropout_at, features, norm_layer


def alexnet_torchvision(
    num_classes: int = 1000, input_size: int = 224, *, norm: str = "none", dropout: str = "before",
    inverted: bool = True,
) -> Sequential:  # fmt: skip
    """torchvision's `alexnet`: (N, 3, 224, 224) -> logits (N, num_classes).

    num_classes, dropout, inverted: as in alexnet.alexnet.
    input_size: pixels per side of the input; no weight's shape depends on it, because of the adaptive pool.
    norm: "none"; "lrn" or "bn" come after the ReLU of conv1 and conv2, and change the names of the layers after them.

    Returns a Sequential with torchvision's names and torch's initial values; 61,100,840 parameters for 1000 classes.
    Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
    """
    maps = _features((64, 192, 384, 256, 256), norm, (1, 2))
    features(maps, input_size)  # raises where the picture is too small
    return Sequential(
        {
            "features": maps,
            "avgpool": AdaptiveAvgPool2d((6, 6)),
            "flatten": Flatten(),
            "classifier": _classifier(256 * 6 * 6, num_classes, dropout, inverted),
        }
    )


def alexnet_pad2(
    num_classes: int = 1000, input_size: int = 224, *, norm: str = "none", dropout: str = "before",
    inverted: bool = True,
) -> Sequential:  # fmt: skip
    """The paper's widths without groups, `Conv2d(3, 96, 11, 4, padding=2)`: (N, 3, 224, 224) -> (N, num_classes).

    num_classes, input_size, dropout, inverted: as in alexnet.alexnet.
    norm: "none"; "lrn" or "bn", which some articles have, come after the ReLU of conv2, and change the names of the
        layers after them.

    Returns a Sequential with torch's initial values; 62,378,344 parameters for 1000 classes.
    """
    maps = _features((96, 256, 384, 384, 256), norm, (2,))
    return Sequential(
        {
            "features": maps,
            "flatten": Flatten(),
            "classifier": _classifier(features(maps, input_size), num_classes, dropout, inverted),
        }
    )


def _features(channels, norm, normalized):
    """The layers up to pool5. normalized: the numbers of the convolutions that `norm` follows."""

    def normal(number):
        lrn = LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)
        return norm_layer(norm if number in normalized else "none", channels[number - 1], lrn)

    c1, c2, c3, c4, c5 = channels
    return _numbered(
        #                                          index without norm, torchvision's output
        Conv2d(3, c1, 11, stride=4, padding=2),  # 0    64 x 55 x 55
        ReLU(inplace=True),
        normal(1),
        MaxPool2d(3, 2),  # 2    64 x 27 x 27
        Conv2d(c1, c2, 5, padding=2),  # 3   192 x 27 x 27
        ReLU(inplace=True),
        normal(2),
        MaxPool2d(3, 2),  # 5   192 x 13 x 13
        Conv2d(c2, c3, 3, padding=1),  # 6   384 x 13 x 13
        ReLU(inplace=True),
        Conv2d(c3, c4, 3, padding=1),  # 8   256 x 13 x 13
        ReLU(inplace=True),
        Conv2d(c4, c5, 3, padding=1),  # 10  256 x 13 x 13
        ReLU(inplace=True),
        MaxPool2d(3, 2),  # 12  256 x 6 x 6
    )


def _classifier(inputs, num_classes, dropout, inverted):
    drop = dropout_at(dropout, inverted)
    return _numbered(
        drop("before"),
        Linear(inputs, 4096),  # 1
        ReLU(inplace=True),
        drop("after"),
        drop("before"),
        Linear(4096, 4096),  # 4
        ReLU(inplace=True),
        drop("after"),
        Linear(4096, num_classes),  # 6
    )


def _numbered(*layers):
    """A Sequential without the layers that are None; names are numbers from 0."""
    return Sequential(*(layer for layer in layers if layer is not None))


_DIFFERS = (
    "There are no groups: every convolution sees all maps of the layer before it.",
    "There is no normalisation.",
    "Dropout is inverted, and comes before fc6 and fc7.",
    "conv1 pads its 224 x 224 pictures by 2.",
    "Initial values are torch's: uniform between plus and minus 1 / sqrt(fan_in).",
)

ALEXNET_TORCHVISION = Preset(
    alexnet_torchvision,
    input_size=224,
    num_classes=1000,
    summary='torchvision\'s alexnet, of "One weird trick"',
    recipe=Recipe(  # train.py --model alexnet --lr 1e-2 on 8 GPUs with 32 pictures each; its other defaults
        "shapes",
        epochs=90,
        batch_size=256,
        lr=0.01,
        schedule="step:30",
        optimizer="sgd",
        weight_decay=0.0001,
        random_resized_crop=True,
        flip=True,
    ),
    recipe_source="as its authors trained it (torchvision's references/classification)",
    differs=(
        "Its convolutions have 64, 192, 384, 256 and 256 kernels, not 96, 256, 384, 384 and 256.",
        *_DIFFERS,
        "An adaptive average pool before fc6 makes maps of 6 x 6 from pictures of other sizes.",
        "It was trained on random parts of its pictures, 8 to 100 % of their area, resized to 224 x 224.",
        "Its normalisation was by constants: means of 0.485, 0.456 and 0.406, stds of 0.229, 0.224 and 0.225, for "
        "pixels from 0 to 1; training here takes the means and stds of its own pictures.",
    ),
)

ALEXNET_PAD2 = Preset(
    alexnet_pad2,
    input_size=224,
    num_classes=1000,
    summary="articles on PyTorch: conv1 with padding 2, no groups",
    # no recipe was published with it; this is the paper's with torch's SGD
    recipe=Recipe("shapes", 90, 128, lr=0.01, schedule="step:30", optimizer="sgd", flip=True),
    recipe_source="the paper's figures with torch's SGD: none was published with it",
    differs=_DIFFERS,
)
