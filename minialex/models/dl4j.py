"""The AlexNet in articles on Deeplearning4j, in Java, Scala and Clojure."""

from __future__ import annotations

from ..nn import Conv2d, MaxPool2d, ReLU, Sequential, init
from .preset import Preset, Recipe
from .table import dropout_at, from_table, fully_connected, norm_layer, paper_lrn


def alexnet_dl4j(
    num_classes: int = 1000, input_size: int = 227, *, norm: str = "none", dropout: str = "before",
    inverted: bool = True,
) -> Sequential:  # fmt: skip
    """The paper's widths, but no convolution is padded: (N, 3, 227, 227) -> logits (N, num_classes).

    num_classes, input_size, norm, dropout, inverted: as in alexnet.alexnet.

    The dropOut(0.5) of Deeplearning4j's DenseLayer applies to its input. Initial weights are
    ~ N(0, 2 / (fan_in + fan_out)), Deeplearning4j's XAVIER, and biases 0.

    Returns a Sequential; 28,823,912 parameters for 1000 classes.
    """
    maps = [
        # name     layer                                       output
        ("conv1", Conv2d(3, 96, 11, stride=4)),  # 96 x 55 x 55
        ("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, paper_lrn())),
        ("pool1", MaxPool2d(3, 2)),  # 96 x 27 x 27
        ("conv2", Conv2d(96, 256, 5)),  # 256 x 23 x 23
        ("relu2", ReLU()),
        ("norm2", norm_layer(norm, 256, paper_lrn())),
        ("pool2", MaxPool2d(3, 2)),  # 256 x 11 x 11
        ("conv3", Conv2d(256, 384, 3)),  # 384 x 9 x 9
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3)),  # 384 x 7 x 7
        ("relu4", ReLU()),
        ("conv5", Conv2d(384, 256, 3)),  # 256 x 5 x 5
        ("relu5", ReLU()),
        ("pool5", MaxPool2d(3, 2)),  # 256 x 2 x 2
    ]
    table = maps + fully_connected(maps, input_size, num_classes, dropout_at(dropout, inverted))
    return from_table(table, glorot=init.xavier_normal_)


ALEXNET_DL4J = Preset(
    alexnet_dl4j,
    input_size=227,
    num_classes=1000,
    summary="articles on Deeplearning4j: no convolution is padded",
    recipe=Recipe("shapes", epochs=10, batch_size=128, lr=0.001, optimizer="adam", weight_decay=0.0),
    recipe_source="as in its articles (Adam(0.001))",
    differs=(
        "No convolution is padded: maps shrink to 2 x 2, and fc6 has 1024 inputs, not 9216.",
        "There are no groups: every convolution sees all maps of the layer before it.",
        "There is no normalisation.",
        "Dropout is inverted, and applied to the inputs of fc6 and fc7.",
        "Weights start with Glorot's normal initialisation, biases at zero; it is trained with Adam.",
    ),
)
