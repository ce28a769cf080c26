"""The description of a published network: how to build it, and how its authors trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from ..nn import Sequential
from ..support.schema import AtLeast, AtMost, Below, Finite, OneOf

MOST, MOST_PADDING = 1_000_000_000, 1024  # of epochs and images in a batch; pixels


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: the fields that a recipe file may set, and its usual data set.

    dataset: name of the network's usual data set.
    epochs: passes over the training images.
    batch_size: images in a batch.
    lr: learning rate of the weights; of the biases it is lr times bias_lr.
    schedule: of the learning rate: "constant", "step:EPOCHS[:FACTOR]", "multistep:EPOCH,...[:FACTOR]",
        "plateau:PATIENCE[:FACTOR[:TIMES]]" or "cosine"; all but plateau may follow "warmup:EPOCHS+".
    momentum: of "sgd" and "sgd_paper".
    optimizer: "sgd" or "sgd_paper" (learning rate outside or inside the velocity, see optim.SGD), "adam" or "adamw".
    weight_decay: a number, or {beginning of a parameter's name: number}.
    bias_lr: factor on the learning rate for biases.
    bias_decay: whether biases have weight decay.
    bias_schedule: schedule of the biases; None for the same one, "" in a recipe file.
    layer_schedules: {layer: schedule} of its weights, and of its biases unless there is a bias_schedule.
    freeze_from: {layer: epochs done before it is frozen}, see training.recipe.modules_frozen_with.
    init_std: {layer: std of its initial weights}; "all" is for layers that are not named.
    init_bias: {layer: initial value of its biases}, likewise. A layer without an entry keeps the network's own values.
    normalization: "channels" (mean and std of each channel), "mean-image" (subtract the mean image, keep the scale
        0-255) or "mean-image-center" (subtract the centre of the mean image from every crop).
    crop_padding: pixels of zeros around an image before a random crop.
    random_resized_crop: whether each image is cropped to a part of random area and shape, which is resized to the
        input size, see data.RandomResizedCrop; instead of a crop of the input size.
    flip: whether to mirror half of the images.
    color_noise: coefficient of the noise along the principal axes of colour, 0 for none.
    color_noise_by: "eigenvalue" or "std", see data.color.
    color_noise_until: epochs after which it ends; None for never.
    clip_grad_norm: the largest norm of a step's gradients, all of them as one vector; None for any.

    Layers are named by their published names, such as "conv3" and "fc6" (see models.names), or by their own.
    """

    dataset: str
    epochs: Annotated[int, AtLeast(1), AtMost(MOST)]
    batch_size: Annotated[int, AtLeast(1), AtMost(MOST)]
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
    init_std: Annotated[dict[str, float], AtLeast(0), Below(1e30)] = field(default_factory=dict)
    init_bias: Annotated[dict[str, float], AtLeast(-1e30), Below(1e30)] = field(default_factory=dict)
    normalization: Annotated[str, OneOf("channels", "mean-image", "mean-image-center")] = "channels"
    crop_padding: Annotated[int, AtLeast(0), AtMost(MOST_PADDING)] = 0
    random_resized_crop: bool = False
    flip: bool = False
    color_noise: Annotated[float, AtLeast(0), Finite()] = 0.0
    color_noise_by: Annotated[str, OneOf("eigenvalue", "std")] = "eigenvalue"
    color_noise_until: Annotated[int | None, AtLeast(0)] = None
    clip_grad_norm: Annotated[float | None, AtLeast(0), Finite()] = None


@dataclass(frozen=True)
class Preset:
    """A published network.

    build: a function of num_classes, input_size and other options that returns a Sequential.
    input_size: pixels per side of the input, by default.
    num_classes: the number of logits, by default.
    summary: one line about the network.
    recipe: the Recipe of its authors, or a short one where theirs is in a recipe file; see training.recipes.of.
    channel_order: "RGB" or "BGR", the order of the channels that the first convolution expects.
    differs: sentences about its differences from the paper's network.
    gpus: GPUs that the halves of its convolutions are named after, in figures: 2 for AlexNet's two towers.
    recipe_file: name of the file in training/recipes/ with its authors' training; None where `recipe` is all of it.
    recipe_source: where `recipe` is from, in words, unless there is a file.
    """

    build: Callable[..., Sequential]
    input_size: int
    num_classes: int
    summary: str
    recipe: Recipe
    channel_order: str = "RGB"
    differs: tuple[str, ...] = ()
    gpus: int = 1
    recipe_file: str | None = None
    recipe_source: str = ""
