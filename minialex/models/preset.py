"""What a published network comes with: how to build it, and how its authors trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from ..nn import Module
from ..support.schema import AtLeast, Below, Finite, OneOf


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    dataset: its usual data set. epochs; batch_size, in pictures. lr: learning rate of the weights; biases have bias_lr
    times that. optimizer: "sgd" or "sgd_paper" (the rate stands outside or inside the velocity, see optim.SGD; momentum
    is theirs), "adam", "adamw". weight_decay: one number, or one by beginning of a parameter's name; for biases only
    where bias_decay.

    schedule: "constant", "step:EPOCHS[:FACTOR]", "multistep:EPOCH,...[:FACTOR]", "plateau:PATIENCE[:FACTOR[:TIMES]]",
    "cosine", each but plateau also after "warmup:EPOCHS+". bias_schedule: of the biases, None for the same one.
    Layers are named by their published names, "conv3", "fc6" (see models.names), or by their own.
    layer_schedules: of single layers' weights, and of their biases unless there is a bias_schedule.
    freeze_from: layer -> epochs done before it is frozen, see training.recipe.modules_frozen_with.
    init_std, init_bias: std of the initial weights and value of the initial biases by layer, "all" for those not
    named; where there is none the network's own stay.

    normalization: "channels" (each channel's mean and std), "mean-image" (the mean picture subtracted, values on the
    scale 0-255) or "mean-image-center" (only the centre of the mean picture, from every crop alike).
    crop_padding: pixels of zeros around a picture before a random crop. flip: mirror half of the pictures.
    color_noise: coefficient of the noise along the principal axes of colour, 0 for none; color_noise_by: "eigenvalue"
    or "std", see data.color; color_noise_until: epochs after which there is none, None to keep it.
    """

    dataset: str
    epochs: Annotated[int, AtLeast(1)]
    batch_size: Annotated[int, AtLeast(1)]
    lr: Annotated[float, AtLeast(0), Finite()]
    schedule: str = "constant"
    momentum: Annotated[float, AtLeast(0), Below(1)] = 0.9
    optimizer: Annotated[str, OneOf("sgd", "sgd_paper", "adam", "adamw")] = "sgd_paper"
    weight_decay: Annotated[float | dict[str, float], AtLeast(0), Finite()] = 0.0005
    bias_lr: Annotated[float, AtLeast(0), Finite()] = 1.0
    bias_decay: bool = True
    bias_schedule: str | None = None
    layer_schedules: dict[str, str] = field(default_factory=dict)
    freeze_from: Annotated[dict[str, int], AtLeast(0)] = field(default_factory=dict)
    init_std: Annotated[dict[str, float], AtLeast(0), Finite()] = field(default_factory=dict)
    init_bias: Annotated[dict[str, float], Finite()] = field(default_factory=dict)
    normalization: Annotated[str, OneOf("channels", "mean-image", "mean-image-center")] = "channels"
    crop_padding: Annotated[int, AtLeast(0)] = 0
    flip: bool = False
    color_noise: Annotated[float, AtLeast(0), Finite()] = 0.0
    color_noise_by: Annotated[str, OneOf("eigenvalue", "std")] = "eigenvalue"
    color_noise_until: Annotated[int | None, AtLeast(0)] = None


@dataclass(frozen=True)
class Preset:
    """A published network by its name.

    build(**arguments) -> Module. input_size: pixels a side, num_classes: both unless told otherwise. summary: one line.
    recipe: how its authors trained it. channel_order: "RGB" or "BGR", how its first convolution expects a picture's
    channels. differs: sentences on what sets it apart from the paper's network.
    """

    build: Callable[..., Module]
    input_size: int
    num_classes: int
    summary: str
    recipe: Recipe
    channel_order: str = "RGB"
    differs: tuple[str, ...] = ()
