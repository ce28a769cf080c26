"""The network of the default run: AlexNet in miniature, for images of 32 x 32."""

from __future__ import annotations

from ..nn import Conv2d, Dropout, Flatten, Linear, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from .preset import Preset, Recipe
from .table import features, from_table


def shapes_net(num_classes: int = 10, input_size: int = 32) -> Sequential:
    """A small AlexNet: (N, 3, 32, 32) -> logits (N, num_classes).

    A strided first convolution, a second in two groups, both normalised; overlapping pools; dropout before the last
    layer.

    num_classes: the number of logits.
    input_size: pixels per side of the input.

    Initial stds are sqrt(2 / fan_in), so that activations keep their size (He et al. 2015); conv1's is smaller, so that
    its filters show what was learned rather than their initial noise.

    Returns a Sequential; 123,786 parameters for 10 classes.
    """
    maps = [
        # name, layer, std of its weights, bias; behind it the output
        ("conv1", Conv2d(3, 32, 5, stride=2, padding=2), 0.1, 0),  # 32 x 16 x 16
        ("relu1", ReLU()),
        ("norm1", _lrn()),
        ("pool1", MaxPool2d(3, 2)),  # 32 x 7 x 7
        ("conv2", Conv2d(32, 64, 3, padding=1, groups=2), (2 / 144) ** 0.5, 0),  # 64 x 7 x 7
        ("relu2", ReLU()),
        ("norm2", _lrn()),
        ("pool2", MaxPool2d(3, 2)),  # 64 x 3 x 3
        ("conv3", Conv2d(64, 64, 3, padding=1), (2 / 576) ** 0.5, 0),  # 64 x 3 x 3
        ("relu3", ReLU()),
    ]
    inputs = features(maps, input_size)
    return from_table(
        [
            *maps,
            ("flatten", Flatten()),
            ("fc4", Linear(inputs, 128), (2 / inputs) ** 0.5, 0),
            ("relu4", ReLU()),
            ("drop4", Dropout(0.5, inverted=False)),
            ("fc5", Linear(128, num_classes), 0.01, 0),
        ]
    )


def _lrn():
    """For pixels with a std of 1: to the paper's alpha, made for those of 60 or so, all of them would be quiet."""
    return LocalResponseNorm(5, alpha=0.02, beta=0.75, k=1.0, alpha_over="element")


SHAPES_NET = Preset(
    shapes_net,
    input_size=32,
    num_classes=10,
    summary="AlexNet in miniature, for the default run",
    recipe=Recipe("shapes", epochs=8, batch_size=64, lr=0.02, schedule="multistep:5,7"),
    recipe_source="minialex's own, for this network",
    differs=(
        "It is made for pictures of 32 x 32 and ten classes: three convolutions, two fully connected layers.",
        "Its first convolution has windows of 5 x 5 and a stride of 2; all layers are much narrower.",
        "Its normalisation has alpha = 0.02 and k = 1, for pixels with a std of 1: quiet ones pass, loud ones shrink.",
        "Weights start with stds that keep the size of activations (He et al. 2015), biases at zero.",
    ),
)
