"""What a published network comes with: how to build it, and how its authors trained it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..nn import Module


@dataclass(frozen=True)
class Training:
    """How a network is trained unless somebody says otherwise.

    dataset: its usual data set. lr: rate of the weights; biases have bias_lr times that. optimizer: "sgd" or
    "sgd_paper" (the rate stands outside or inside the velocity, see optim.SGD; momentum is theirs), "adam", "adamw".
    weight_decay: one number, or one by beginning of a parameter's name; for biases only where bias_decay.

    schedule: "constant", "step:EPOCHS[:FACTOR]", "multistep:EPOCH,...[:FACTOR]", "plateau:PATIENCE[:FACTOR[:TIMES]]",
    "cosine", each but plateau also after "warmup:EPOCHS+". bias_schedule: of the biases, None for the same one.
    Layers are meant by their published names, "conv3", "fc6" (see models.names), or by their own.
    layer_schedules: of single layers' weights, and of their biases unless there is a bias_schedule.
    freeze_from: layer -> epochs done before it is frozen, see models.training.part_of.
    init_std, init_bias: deviation of the initial weights and value of the initial biases by layer, "all" for those not
    named; where there is none the network's own stay.

    normalization: "channels" (each channel's mean and deviation), "mean-image" (the mean picture subtracted, values
    on the scale 0-255) or "mean-image-center" (of the mean picture only the centre, from every crop alike).
    crop_padding: pixels of zeros around a picture before a random crop. flip: mirror half of them.
    color_noise: coefficient of the noise along the principal axes of colour, 0 for none; color_noise_by: "eigenvalue"
    or "deviation", see data.color; color_noise_until: epochs after which there is none, None to keep it.
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
    bias_schedule: str | None = None
    layer_schedules: dict[str, str] = field(default_factory=dict)
    freeze_from: dict[str, int] = field(default_factory=dict)
    init_std: dict[str, float] = field(default_factory=dict)
    init_bias: dict[str, float] = field(default_factory=dict)
    normalization: str = "channels"
    crop_padding: int = 0
    flip: bool = False
    color_noise: float = 0.0
    color_noise_by: str = "eigenvalue"
    color_noise_until: int | None = None


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
