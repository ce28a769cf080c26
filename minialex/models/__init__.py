"""The networks, by name: `build("alexnet")`. Every one is data, in a file for its family."""

from __future__ import annotations

from ..optim import SGD, Adam, AdamW
from . import alexnet, cifar, dl4j, keras, released, shapes, torchvision
from .preset import Preset, Training

PRESETS = {
    "shapes_net": shapes.SHAPES_NET,
    "cifar_quick": cifar.CIFAR_QUICK,
    "cifar_18pct": cifar.CIFAR_18PCT,
    "alexnet": alexnet.ALEXNET,
    "alexnet_2012": released.ALEXNET_2012,
    "alexnet_2012_one_gpu": released.ALEXNET_2012_ONE_GPU,
    "alexnet_caffe": alexnet.ALEXNET_CAFFE,
    "alexnet_merged": keras.ALEXNET_MERGED,
    "alexnet_pad2": torchvision.ALEXNET_PAD2,
    "alexnet_torchvision": torchvision.ALEXNET_TORCHVISION,
    "alexnet_keras_bn": keras.ALEXNET_KERAS_BN,
    "alexnet_keras_bn10": keras.ALEXNET_KERAS_BN10,
    "alexnet_dl4j": dl4j.ALEXNET_DL4J,
}

OPTIMIZERS = {
    "sgd": lambda groups, training: SGD(groups, momentum=training.momentum),
    "sgd_paper": lambda groups, training: SGD(groups, momentum=training.momentum, velocity="paper"),
    "adam": lambda groups, training: Adam(groups),
    "adamw": lambda groups, training: AdamW(groups),
}

__all__ = ["OPTIMIZERS", "PRESETS", "Preset", "Training", "build", "get_preset", "optimizer", "parameter_groups"]


def get_preset(name):
    """The Preset of a network; ValueError that says which there are."""
    if name not in PRESETS:
        raise ValueError(f"unknown model {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def build(name, **arguments):
    """A network by its name, with its authors' initial values. arguments: of the network's function, as num_classes.

    ValueError for an unknown name.
    """
    return get_preset(name).build(**arguments)


def parameter_groups(model, lr, training):
    """Groups for an optimiser: each parameter with the rate and the decay that `training` gives it.

    Biases have `bias_lr` times the rate, and no decay unless `bias_decay`. A decay given by layer goes to the
    parameters whose name begins with the layer's; ValueError where a layer has none.
    """
    groups = {}
    for name, parameter in model.named_parameters():
        is_bias = name.rpartition(".")[2] == "bias"
        decay = _decay_of(name, training.weight_decay) if training.bias_decay or not is_bias else 0.0
        rate = lr * training.bias_lr if is_bias else lr
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def _decay_of(name, weight_decay):
    if not isinstance(weight_decay, dict):
        return weight_decay
    layers = [layer for layer in weight_decay if name.startswith(layer)]
    if not layers:
        raise ValueError(f"no weight decay is given for {name}; there is one for {', '.join(weight_decay)}")
    return weight_decay[layers[0]]


def optimizer(model, training, lr=None):
    """The optimiser with which `training` says to train a model; lr: another rate than its own."""
    if training.optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {training.optimizer!r}; there are {', '.join(OPTIMIZERS)}")
    groups = parameter_groups(model, training.lr if lr is None else lr, training)
    return OPTIMIZERS[training.optimizer](groups, training)
