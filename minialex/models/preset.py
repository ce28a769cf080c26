"""What a published network comes with: how to build it, and how its authors trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..nn import Module


@dataclass(frozen=True)
class Training:
    """How a network is trained unless somebody says otherwise.

    dataset: its usual data set. lr: rate of the weights; biases have bias_lr times that. optimizer: "sgd" or
    "sgd_paper" (the rate stands outside or inside the velocity, see optim.SGD; momentum is theirs), "adam", "adamw".
    weight_decay: one number, or one by beginning of a parameter's name; for biases only where bias_decay.
    schedule: "constant", "step:EPOCHS[:FACTOR]", "multistep:EPOCH,...[:FACTOR]", "plateau:PATIENCE[:FACTOR]", "cosine",
    each but plateau also after "warmup:EPOCHS+".
    normalization: "channels" (each channel's mean and deviation) or "mean-image" (the mean picture subtracted, values
    on the scale 0-255). crop_padding: pixels of zeros around a picture before a random crop. flip: mirror half of them.
    """

    dataset: str
    epochs: int
    batch_size: int
    lr: float
    schedule: str = "constant"
    momentum: float = 0.9
    optimizer: str = "sgd_paper"
    weight_decay: float | dict[str, float] = 0.0005
    bias_lr: float = 1.0
    bias_decay: bool = True
    normalization: str = "channels"
    crop_padding: int = 0
    flip: bool = False


@dataclass(frozen=True)
class Preset:
    """A published network by its name.

    build(**arguments) -> Module. input_size: pixels a side, num_classes: both unless told otherwise. channel_order:
    "RGB" or "BGR", how its first convolution expects a picture's channels. differs: sentences on what sets it apart
    from the paper's network.
    """

    build: Callable[..., Module]
    input_size: int
    num_classes: int
    summary: str
    training: Training
    channel_order: str = "RGB"
    differs: tuple[str, ...] = ()
