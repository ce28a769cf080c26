"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012.

The network of the paper, and Caffe's widely used version of it. The one that ran in 2012 is in released.py.
"""

from __future__ import annotations

from ..nn import Conv2d, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from .preset import Preset, Recipe
from .table import dropout_at, from_table, fully_connected, norm_layer, paper_lrn


def alexnet(
    num_classes: int = 1000, input_size: int = 227, *, norm: str = "lrn", dropout: str = "after", inverted: bool = False
) -> Sequential:
    """The network of the paper, its two GPUs written as groups: (N, 3, 227, 227) -> logits (N, num_classes).

    num_classes: the number of logits.
    input_size: pixels per side of the input. The paper says 224, but its maps of 55 x 55 need 227.
    norm: "lrn", "bn" (batch normalisation) or "none".
    dropout: whether it stands "before" or "after" fc6 and fc7.
    inverted: whether dropout scales in training; the paper's masks in training and halves in evaluation.

    Returns a Sequential; 60,965,224 parameters for 1000 classes.
    Section 3.5 (layers), 3.3 (normalisation), 4.2 (dropout), 5 (initial values).
    """
    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 96, 11, stride=4), 0.01, 0),  # 96 x 55 x 55
        ("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, paper_lrn())),
        ("pool1", MaxPool2d(3, 2)),  # 96 x 27 x 27
        ("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 1),  # 256 x 27 x 27
        ("relu2", ReLU()),
        ("norm2", norm_layer(norm, 256, paper_lrn())),
        ("pool2", MaxPool2d(3, 2)),  # 256 x 13 x 13
        ("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0),  # 384 x 13 x 13
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1),  # 384 x 13 x 13
        ("relu4", ReLU()),
        ("conv5", Conv2d(384, 256, 3, padding=1, groups=2), 0.01, 1),  # 256 x 13 x 13
        ("relu5", ReLU()),
        ("pool5", MaxPool2d(3, 2)),  # 256 x 6 x 6
    ]
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.01, 1), last=(0.01, 0)))


def alexnet_caffe(
    num_classes: int = 1000, input_size: int = 227, *, norm: str = "lrn", dropout: str = "after", inverted: bool = True
) -> Sequential:
    """Caffe's `models/bvlc_alexnet/train_val.prototxt`: (N, 3, 227, 227), channels BGR -> logits (N, num_classes).

    num_classes, input_size, norm, dropout, inverted: as in `alexnet`.

    Pools round sizes up, which makes no difference at 227 pixels.

    Returns a Sequential; 60,965,224 parameters for 1000 classes.
    """

    def lrn():
        return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

    def pool():
        return MaxPool2d(3, 2, ceil_mode=True)

    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 96, 11, stride=4), 0.01, 0),  # 96 x 55 x 55
        ("relu1", ReLU()),
        ("norm1", norm_layer(norm, 96, lrn())),
        ("pool1", pool()),  # 96 x 27 x 27
        ("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 0.1),  # 256 x 27 x 27
        ("relu2", ReLU()),
        ("norm2", norm_layer(norm, 256, lrn())),
        ("pool2", pool()),  # 256 x 13 x 13
        ("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0),  # 384 x 13 x 13
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 0.1),  # 384 x 13 x 13
        ("relu4", ReLU()),
        ("conv5", Conv2d(384, 256, 3, padding=1, groups=2), 0.01, 0.1),  # 256 x 13 x 13
        ("relu5", ReLU()),
        ("pool5", pool()),  # 256 x 6 x 6
    ]
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.005, 0.1), last=(0.01, 0)))


ALEXNET = Preset(
    alexnet,
    input_size=227,
    num_classes=1000,
    gpus=2,
    summary="the paper's network, its two GPUs written as groups",
    recipe=Recipe("shapes", epochs=90, batch_size=128, lr=0.01, schedule="plateau:5", flip=True),
    recipe_file="paper",
    differs=(
        "It is the paper's network. The paper says that pictures are 224 x 224, but its maps of 55 x 55 need 227.",
        "The paper counts 253,440 neurons in the first layer, but 55 x 55 x 96 is 290,400.",
    ),
)

ALEXNET_CAFFE = Preset(
    alexnet_caffe,
    input_size=227,
    num_classes=1000,
    gpus=2,
    summary="Caffe's bvlc_alexnet",
    recipe=Recipe(  # solver.prototxt: 450,000 steps, a tenth every 100,000: 89.9 and 20.0 epochs of ImageNet
        "shapes",
        epochs=90,
        batch_size=256,
        lr=0.01,
        schedule="step:20",
        bias_lr=2.0,
        bias_decay=False,
        normalization="mean-image",
        flip=True,
    ),
    recipe_source="as its authors trained it (solver.prototxt)",
    channel_order="BGR",
    differs=(
        "Pictures have their channels in the order blue, green, red.",
        "Local response normalisation divides alpha by the 5 channels of its window, and k is 1, not 2.",
        "Dropout is inverted: activations are doubled in training and not scaled in evaluation.",
        "Biases initialised to 1 in the paper start at 0.1, and the weights of fc6 and fc7 with a std of 0.005.",
    ),
)
