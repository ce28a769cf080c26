"""The small networks that cuda-convnet published for CIFAR-10."""

from __future__ import annotations

from ..nn import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU
from .preset import Preset, Training, from_table


def cifar_quick(num_classes=10):
    """cuda-convnet's `layers-80sec.cfg`, "26 % error in 80 seconds": (N, 3, 32, 32) -> logits (N, num_classes).

    145,578 parameters for 10 classes. Its pools round sizes up and average over the pixels that exist.
    """

    def average():
        return AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False)

    return from_table([
        # name     layer                                deviation, bias    output
        ("conv1", Conv2d(3, 32, 5, padding=2), 1e-4, 0),                 # 32 x 32 x 32
        ("pool1", MaxPool2d(3, 2, ceil_mode=True)),                      # 32 x 16 x 16
        ("relu1", ReLU()),
        ("conv2", Conv2d(32, 32, 5, padding=2), 0.01, 0),
        ("relu2", ReLU()),
        ("pool2", average()),                                            # 32 x 8 x 8
        ("conv3", Conv2d(32, 64, 5, padding=2), 0.01, 0),
        ("relu3", ReLU()),
        ("pool3", average()),                                            # 64 x 4 x 4
        ("flatten", Flatten()),
        ("fc64", Linear(64 * 4 * 4, 64), 0.1, 0),
        ("relu4", ReLU()),
        ("fc10", Linear(64, num_classes), 0.1, 0),
    ])


CIFAR_QUICK = Preset(
    cifar_quick,
    input_size=32,
    num_classes=10,
    summary="cuda-convnet's quick CIFAR-10 network, 26 % error in 80 seconds on the GPU of 2011",
    training=Training(
        "cifar10",
        epochs=10,
        batch_size=128,
        lr=0.001,
        schedule="multistep:8",
        weight_decay={"conv": 0.004, "fc": 0.03},
        bias_lr=2.0,
        bias_decay=False,
        normalization="mean-image",
    ),
)
