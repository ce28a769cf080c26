"""The AlexNets in articles on Keras: without groups, with batch normalisation or none."""

from __future__ import annotations

import dataclasses

from ..nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, init
from .preset import Preset, Recipe
from .table import dropout_at, features, from_table, fully_connected, norm_layer, paper_lrn


def alexnet_merged(
    num_classes: int = 1000, input_size: int = 227, *, norm: str = "none", dropout: str = "after", inverted: bool = True
) -> Sequential:
    """The paper's widths without groups and normalisation, "62.3 million parameters": (N, 3, 227, 227) -> logits.

    num_classes, input_size, norm, dropout, inverted: as in alexnet.alexnet.

    Returns a Sequential with outputs (N, num_classes); 62,378,344 parameters for 1000 classes.
    """
    return _three_linear(_maps("valid", norm, (1, 2)), input_size, num_classes, dropout, inverted)


def alexnet_keras_bn(
    num_classes: int = 1000, input_size: int = 227, *, norm: str = "bn", dropout: str = "after", inverted: bool = True
) -> Sequential:
    """conv1 with padding="same", batch normalisation after the ReLU of conv1 and conv2: (N, 3, 227, 227) -> logits.

    num_classes, input_size, norm, dropout, inverted: as in alexnet.alexnet.

    Returns a Sequential with outputs (N, num_classes); 62,379,752 parameters for 1000 classes, of which 704 are
    running statistics.
    """
    return _three_linear(_maps("same", norm, (1, 2)), input_size, num_classes, dropout, inverted)


def alexnet_keras_bn10(
    num_classes: int = 10, input_size: int = 227, *, norm: str = "bn", dropout: str = "after", inverted: bool = True
) -> Sequential:
    """Batch normalisation after the ReLU of all convolutions, one hidden linear layer: (N, 3, 227, 227) -> logits.

    num_classes, input_size, norm, dropout, inverted: as in alexnet.alexnet.

    Returns a Sequential with outputs (N, num_classes); 41,546,506 parameters for 10 classes, of which 2,752 are
    running statistics.
    """
    maps, drop = _maps("valid", norm, (1, 2, 3, 4, 5)), dropout_at(dropout, inverted)
    table = [
        *maps,
        ("flatten", Flatten()),
        ("drop6", drop("before")),
        ("fc6", Linear(features(maps, input_size), 4096)),
        ("relu6", ReLU()),
        ("drop6", drop("after")),
        ("fc7", Linear(4096, num_classes)),
    ]
    return from_table(table, glorot=init.xavier_uniform_)


def _maps(padding, norm, normalized):
    """The rows up to pool5. padding: of conv1; normalized: the numbers of the convolutions that `norm` follows."""

    def normal(number, channels):
        return norm_layer(norm if number in normalized else "none", channels, paper_lrn())

    return [
        # name     layer                                       output: valid, same
        ("conv1", Conv2d(3, 96, 11, stride=4, padding=padding)),  # 96 x 55 x 55, 57 x 57
        ("relu1", ReLU()),
        ("norm1", normal(1, 96)),
        ("pool1", MaxPool2d(3, 2)),  # 96 x 27 x 27, 28 x 28
        ("conv2", Conv2d(96, 256, 5, padding="same")),  # 256 x 27 x 27, 28 x 28
        ("relu2", ReLU()),
        ("norm2", normal(2, 256)),
        ("pool2", MaxPool2d(3, 2)),  # 256 x 13 x 13
        ("conv3", Conv2d(256, 384, 3, padding="same")),  # 384 x 13 x 13
        ("relu3", ReLU()),
        ("norm3", normal(3, 384)),
        ("conv4", Conv2d(384, 384, 3, padding="same")),  # 384 x 13 x 13
        ("relu4", ReLU()),
        ("norm4", normal(4, 384)),
        ("conv5", Conv2d(384, 256, 3, padding="same")),  # 256 x 13 x 13
        ("relu5", ReLU()),
        ("norm5", normal(5, 256)),
        ("pool5", MaxPool2d(3, 2)),  # 256 x 6 x 6
    ]


def _three_linear(maps, input_size, num_classes, dropout, inverted):
    table = maps + fully_connected(maps, input_size, num_classes, dropout_at(dropout, inverted))
    return from_table(table, glorot=init.xavier_uniform_)


# the defaults of compile(SGD()) and fit(), except for the epochs, of which fit() makes one
_RECIPE = Recipe("shapes", epochs=10, batch_size=32, lr=0.01, momentum=0.0, optimizer="sgd", weight_decay=0.0)
_SOURCE = "as in its articles (Keras's defaults, compile(SGD()) and fit())"

_DIFFERS = (
    "There are no groups: every convolution sees all maps of the layer before it.",
    "Dropout is inverted: activations are doubled in training and not scaled in evaluation.",
    "Initial values are Keras's: Glorot's uniform initialisation for weights, zero for biases.",
)

ALEXNET_MERGED = Preset(
    alexnet_merged,
    input_size=227,
    num_classes=1000,
    summary="articles on Keras and layer tables: no groups, no normalisation",
    recipe=_RECIPE,
    recipe_source=_SOURCE,
    differs=(*_DIFFERS, "There is no normalisation."),
)

ALEXNET_KERAS_BN = Preset(
    alexnet_keras_bn,
    input_size=227,
    num_classes=1000,
    summary='articles on Keras: padding="same", batch normalisation twice',
    recipe=_RECIPE,
    recipe_source=_SOURCE,
    differs=(
        *_DIFFERS,
        'conv1 has padding="same": its maps are 57 x 57.',
        "Batch normalisation (2015) takes the place of local response normalisation.",
    ),
)

ALEXNET_KERAS_BN10 = Preset(
    alexnet_keras_bn10,
    input_size=227,
    num_classes=10,
    summary="articles on Keras: batch normalisation five times, one hidden layer, ten classes",
    recipe=dataclasses.replace(_RECIPE, lr=0.001),
    recipe_source="as in its article (SGD(lr=0.001), else Keras's defaults)",
    differs=(
        *_DIFFERS,
        "Batch normalisation (2015) follows all five convolutions.",
        "There is one hidden fully connected layer, not two, and there are ten classes.",
    ),
)
