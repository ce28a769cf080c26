"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", 2012."""

from __future__ import annotations

from ..nn import Conv2d, Dropout, Flatten, Linear, LocalResponseNorm, MaxPool2d, ReLU
from .preset import Preset, Training, from_table


def alexnet(num_classes=1000):
    """The network of the paper, its two GPUs written as groups: (N, 3, 227, 227) -> logits (N, num_classes).

    Section 3.5 (layers), 3.3 (normalisation), 4.2 (dropout: masked in training, halved in evaluation), 5 (initial
    values). 60,965,224 parameters for 1000 classes. The paper says 224 pixels; 55 x 55 maps need 227.
    """

    def norm():
        return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, alpha_over="element")

    return from_table([
        # name     layer                                            deviation, bias    output
        ("conv1", Conv2d(3, 96, 11, stride=4), 0.01, 0),                             # 96 x 55 x 55
        ("relu1", ReLU()),
        ("norm1", norm()),
        ("pool1", MaxPool2d(3, 2)),                                                  # 96 x 27 x 27
        ("conv2", Conv2d(96, 256, 5, padding=2, groups=2), 0.01, 1),                 # 256 x 27 x 27
        ("relu2", ReLU()),
        ("norm2", norm()),
        ("pool2", MaxPool2d(3, 2)),                                                  # 256 x 13 x 13
        ("conv3", Conv2d(256, 384, 3, padding=1), 0.01, 0),                          # 384 x 13 x 13
        ("relu3", ReLU()),
        ("conv4", Conv2d(384, 384, 3, padding=1, groups=2), 0.01, 1),                # 384 x 13 x 13
        ("relu4", ReLU()),
        ("conv5", Conv2d(384, 256, 3, padding=1, groups=2), 0.01, 1),                # 256 x 13 x 13
        ("relu5", ReLU()),
        ("pool5", MaxPool2d(3, 2)),                                                  # 256 x 6 x 6
        ("flatten", Flatten()),
        ("fc6", Linear(256 * 6 * 6, 4096), 0.01, 1),
        ("relu6", ReLU()),
        ("drop6", Dropout(0.5, inverted=False)),
        ("fc7", Linear(4096, 4096), 0.01, 1),
        ("relu7", ReLU()),
        ("drop7", Dropout(0.5, inverted=False)),
        ("fc8", Linear(4096, num_classes), 0.01, 0),
    ])


ALEXNET = Preset(
    alexnet,
    input_size=227,
    num_classes=1000,
    summary="the paper's network, its two GPUs written as groups",
    training=Training("shapes", epochs=90, batch_size=128, lr=0.01, schedule="plateau:5", flip=True),
)
