"""AlexNet as it was trained in 2012: the configurations in the source released by the Computer History Museum."""

from __future__ import annotations

from ..nn import Conv2d, Dropout, LocalResponseNorm, MaxPool2d, Sequential
from .preset import Preset, Recipe
from .table import activation, check_side, dropout_at, from_table, fully_connected

NORMS = ("lrn", "layer1", "signed", "none")
COLUMNS = ("joined", "merged", "apart")


def alexnet_2012(
    num_classes: int = 1000, input_size: int = 224, *, norm: str = "lrn", dropout: str = "after",
    inverted: bool = False, overlap: bool = True, nonlinearity: str = "relu", columns: str = "joined",
    conv_dropout: float = 0.0,
) -> Sequential:  # fmt: skip
    """`layers-145.cfg`, the network behind the paper's figures: (N, 3, 224, 224) -> logits (N, num_classes).

    num_classes, input_size, inverted: as in alexnet.alexnet.
    norm: "lrn"; "layer1" for `layers-167.cfg`, without the two normalisations of layer 2; "signed" for
        `layers-166.cfg`, in which they stand before its ReLU; "none" for `layers-148.cfg`, without all three.
    dropout: whether it stands "before" or "after" fc6 and fc7; or "none".
    overlap: whether pools are of 3 x 3 pixels in steps of 2; False for `layers-147.cfg`: pools of 2 x 2, and padding of
        1 in conv2 and 0 in conv5, so that maps of 13 x 13 and 6 x 6 come out again.
    nonlinearity: "relu" or "tanh".
    columns: the maps of the two GPUs are "joined" in conv3 and from fc6 on; "merged": conv2, conv4, conv5 and
        normalisation see the maps of both; "apart": conv3 sees those of its own GPU alone, and conv2 has 160 maps on
        each. So it is in `layers-150.cfg`, whose fc6 and fc7, too, are apart: 4096 and 2048 units on each GPU.
    conv_dropout: the probability that dropout sets an output of conv4 to 0; 0.2 in configuration 177.

    Returns a Sequential; 60,965,224 parameters for 1000 classes.
    """
    if columns not in COLUMNS:
        raise ValueError(f'columns must be "joined", "merged" or "apart", got {columns!r}')
    channels = (96, 320 if columns == "apart" else 256, 384, 384, 256)
    groups = {"joined": (2, 1), "merged": (1, 1), "apart": (2, 2)}[columns]
    return _released(
        channels, groups, num_classes, input_size, norm, dropout, inverted, overlap, nonlinearity, conv_dropout
    )


def alexnet_2012_one_gpu(
    num_classes: int = 1000, input_size: int = 224, *, norm: str = "lrn", dropout: str = "after",
    inverted: bool = False, overlap: bool = True, nonlinearity: str = "relu", conv_dropout: float = 0.0,
) -> Sequential:  # fmt: skip
    """`layers-145-half.cfg`, the paper's network for one GPU (section 3.2): (N, 3, 224, 224) -> (N, num_classes).

    num_classes, input_size, norm, dropout, inverted, overlap, nonlinearity, conv_dropout: as in `alexnet_2012`.

    Half the kernels in conv1 to conv4; conv5 and the fully connected layers are as in `alexnet_2012`.

    Returns a Sequential; 59,798,312 parameters for 1000 classes.
    """
    channels = (48, 128, 192, 192, 256)
    return _released(
        channels, (1, 1), num_classes, input_size, norm, dropout, inverted, overlap, nonlinearity, conv_dropout
    )


def _released(channels, groups, num_classes, input_size, norm, dropout, inverted, overlap, nonlinearity, conv_dropout):
    """groups: of conv2, conv4, conv5 and the windows of normalisation; and of conv3."""
    check_side(input_size)
    if norm not in NORMS:
        raise ValueError(f'norm must be "lrn", "layer1", "signed" or "none" in the networks of 2012, got {norm!r}')
    c1, c2, c3, c4, c5 = channels
    groups, groups3 = groups
    bend = activation(nonlinearity)
    # its convolutions round sizes up: the last window of conv1 goes 3 pixels beyond the right and lower edges at 224
    beyond = (11 - input_size) % 4

    def lrn():
        return LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0, groups=groups)

    def same_map_norm():
        return LocalResponseNorm(5, alpha=1e-3, beta=0.75, k=1.0, within_channel=True)

    def pool():
        return MaxPool2d(3 if overlap else 2, 2, ceil_mode=True)

    def only(layer, *norms):
        return layer if norm in norms else None

    maps = [
        # name, layer, std of its weights, bias; behind it the output, of both GPUs
        ("conv1", Conv2d(3, c1, 11, stride=4, padding=((0, beyond), (0, beyond))), 0.01, 0),  # 96 x 55 x 55
        ("rnorm1", only(lrn(), "lrn", "layer1", "signed")),
        ("pool1", pool()),  # 96 x 27 x 27
        (f"{nonlinearity}1", bend()),
        ("conv2", Conv2d(c1, c2, 5, padding=2 if overlap else 1, groups=groups), 0.01, 1),  # 256 x 27 x 27
        (f"{nonlinearity}2", only(bend(), "lrn", "layer1", "none")),
        ("rnorm2", only(lrn(), "lrn", "signed")),
        ("cnorm2", only(same_map_norm(), "lrn", "signed")),
        ("pool2", pool()),  # 256 x 13 x 13
        (f"{nonlinearity}2", only(bend(), "signed")),
        ("conv3", Conv2d(c2, c3, 3, padding=1, groups=groups3), 0.03, 0),  # 384 x 13 x 13
        (f"{nonlinearity}3", bend()),
        ("conv4", Conv2d(c3, c4, 3, padding=1, groups=groups), 0.03, 1),  # 384 x 13 x 13
        (f"{nonlinearity}4", bend()),
        ("drop4", Dropout(conv_dropout, inverted=inverted) if conv_dropout else None),
        ("conv5", Conv2d(c4, c5, 3, padding=1 if overlap else 0, groups=groups), 0.03, 1),  # 256 x 13 x 13
        ("pool5", pool()),  # 256 x 6 x 6
        (f"{nonlinearity}5", bend()),
    ]
    drop, hidden, last = dropout_at(dropout, inverted), (0.01, 1), (0.01, 0)
    return from_table(maps + fully_connected(maps, input_size, num_classes, drop, hidden, last, nonlinearity))


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
