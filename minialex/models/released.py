"""AlexNet as it was trained in 2012: the configurations in the source released by the Computer History Museum."""

from __future__ import annotations

from ..nn import Conv2d, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from .preset import Preset, Recipe
from .table import check_side, dropout_at, from_table, fully_connected


def alexnet_2012(
    num_classes: int = 1000, input_size: int = 224, *, norm: str = "lrn", dropout: str = "after", inverted: bool = False
) -> Sequential:
    """`layers-145.cfg`, the network behind the paper's figures: (N, 3, 224, 224) -> logits (N, num_classes).

    num_classes, input_size, dropout, inverted: as in alexnet.alexnet.
    norm: "lrn", or "none" for `layers-148.cfg`, which has none of the three normalisations.

    Returns a Sequential; 60,965,224 parameters for 1000 classes.
    """
    return _released((96, 256, 384, 384, 256), 2, num_classes, input_size, norm, dropout, inverted)


def alexnet_2012_one_gpu(
    num_classes: int = 1000, input_size: int = 224, *, norm: str = "lrn", dropout: str = "after", inverted: bool = False
) -> Sequential:
    """`layers-145-half.cfg`, the paper's network for one GPU (section 3.2): (N, 3, 224, 224) -> (N, num_classes).

    num_classes, input_size, norm, dropout, inverted: as in `alexnet_2012`.

    Half the kernels in conv1 to conv4; conv5 and the fully connected layers are as in `alexnet_2012`.

    Returns a Sequential; 59,798,312 parameters for 1000 classes.
    """
    return _released((48, 128, 192, 192, 256), 1, num_classes, input_size, norm, dropout, inverted)


def _released(channels, gpus, num_classes, input_size, norm, dropout, inverted):
    check_side(input_size)
    if norm not in ("lrn", "none"):
        raise ValueError(f'norm must be "lrn" or "none" in the networks of 2012, got {norm!r}')
    c1, c2, c3, c4, c5 = channels
    # its convolutions round sizes up: the last window of conv1 goes 3 pixels beyond the right and lower edges at 224
    beyond = (11 - input_size) % 4

    def lrn():
        return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, groups=gpus) if norm == "lrn" else None

    def same_map_norm():
        return LocalResponseNorm(5, alpha=1e-3, beta=0.75, k=1.0, within_channel=True) if norm == "lrn" else None

    def pool():
        return MaxPool2d(3, 2, ceil_mode=True)

    maps = [
        # name, layer, std of its weights, bias; behind it the output, of both GPUs
        ("conv1", Conv2d(3, c1, 11, stride=4, padding=((0, beyond), (0, beyond))), 0.01, 0),  # 96 x 55 x 55
        ("rnorm1", lrn()),
        ("pool1", pool()),  # 96 x 27 x 27
        ("relu1", ReLU()),
        ("conv2", Conv2d(c1, c2, 5, padding=2, groups=gpus), 0.01, 1),  # 256 x 27 x 27
        ("relu2", ReLU()),
        ("rnorm2", lrn()),
        ("cnorm2", same_map_norm()),
        ("pool2", pool()),  # 256 x 13 x 13
        ("conv3", Conv2d(c2, c3, 3, padding=1), 0.03, 0),  # 384 x 13 x 13
        ("relu3", ReLU()),
        ("conv4", Conv2d(c3, c4, 3, padding=1, groups=gpus), 0.03, 1),  # 384 x 13 x 13
        ("relu4", ReLU()),
        ("conv5", Conv2d(c4, c5, 3, padding=1, groups=gpus), 0.03, 1),  # 256 x 13 x 13
        ("pool5", pool()),  # 256 x 6 x 6
        ("relu5", ReLU()),
    ]
    drop = dropout_at(dropout, inverted)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden=(0.01, 1), last=(0.01, 0)))


def _recipe(epochs, schedule):
    return Recipe(
        "shapes",
        epochs=epochs,
        batch_size=128,
        lr=0.01,
        schedule=schedule,
        bias_lr=2.0,
        bias_decay=False,
        normalization="mean-image",
        flip=True,
    )


_DIFFERS = (
    "Pictures are 224 x 224; conv1 pads them with three rows and columns of zeros at the lower and right edges.",
    "Layer 1 is conv, normalisation, pool, ReLU: normalisation sees both signs. Layer 5 is conv, pool, ReLU.",
    "Local response normalisation divides alpha by the 5 channels of its window, to 2e-5.",
    "Layer 2 has a second normalisation, over 5 x 5 pixels of the same map.",
    "The weights of conv3, conv4 and conv5 start with a std of 0.03, not 0.01.",
    "Biases have twice the learning rate of the weights, and no weight decay.",
)

ALEXNET_2012 = Preset(
    alexnet_2012,
    input_size=224,
    num_classes=1000,
    gpus=2,
    summary="the released source's layers-145, the network that won in 2012",
    recipe=_recipe(91, "multistep:25,51,79"),
    recipe_file="2012",
    differs=(*_DIFFERS, "Windows of the normalisation stay within the channels of one GPU."),
)

ALEXNET_2012_ONE_GPU = Preset(
    alexnet_2012_one_gpu,
    input_size=224,
    num_classes=1000,
    summary="the released source's layers-145-half, for one GPU",
    recipe=_recipe(96, "multistep:20,48"),
    recipe_file="2012-one-gpu",
    differs=("It has half the kernels in conv1 to conv4, and no groups.", *_DIFFERS),
)
