"""What a Training says, applied to a network: initial values, groups for the optimiser, rates, frozen layers."""

from __future__ import annotations

import math

from .. import init, rates
from ..optim import SGD, Adam, AdamW
from .names import layers_called, published_names

OPTIMIZERS = {
    "sgd": lambda groups, training: SGD(groups, momentum=training.momentum),
    "sgd_paper": lambda groups, training: SGD(groups, momentum=training.momentum, velocity="paper"),
    "adam": lambda groups, training: Adam(groups),
    "adamw": lambda groups, training: AdamW(groups),
}
CHOICES = {
    "optimizer": tuple(OPTIMIZERS),
    "normalization": ("channels", "mean-image", "mean-image-center"),
    "color_noise_by": ("eigenvalue", "deviation"),
}
LIMITS = [  # name, least value, first value that is too large
    ("epochs", 1, math.inf), ("batch_size", 1, math.inf), ("lr", 0, math.inf), ("bias_lr", 0, math.inf),
    ("momentum", 0, 1), ("weight_decay", 0, math.inf), ("freeze_from", 0, math.inf), ("init_std", 0, math.inf),
    ("init_bias", -math.inf, math.inf), ("crop_padding", 0, math.inf), ("color_noise", 0, math.inf),
    ("color_noise_until", 0, math.inf),
]  # fmt: skip


def check_training(training):
    """ValueError for what no network can be trained with. That the types are right is for fields.check_types."""
    for name, low, below in LIMITS:
        value = getattr(training, name)
        for number in value.values() if isinstance(value, dict) else [value]:
            if number is not None and not low <= number < below:
                limit = f"at least {low}" + (f" and below {below}" if below < math.inf else "")
                raise ValueError(f"{name} is a number of {limit}, got {number}")
    for name, known in CHOICES.items():
        if getattr(training, name) not in known:
            raise ValueError(f"unknown {name} '{getattr(training, name)}'; there are {', '.join(known)}")
    if training.crop_padding and training.normalization == "mean-image-center":
        raise ValueError("crop_padding does not go with mean-image-center: zeros would be no mean pixels")
    special = [training.bias_schedule] * (training.bias_schedule is not None) + [*training.layer_schedules.values()]
    kinds = [rates.parse_schedule(text)[0] for text in (training.schedule, *special)]
    if special and "plateau" in kinds:
        raise ValueError("a plateau schedule is that of all layers, weights and biases alike; no other goes with it")


def of_layers(model, table):
    """{module's name: value} for a table {published or own name: value}, without the layers that `model` lacks."""
    known = published_names(model)
    present = {name: value for name, value in table.items() if name in known or name in known.values()}
    return dict(zip(layers_called(model, present), present.values(), strict=True))


def absent_layers(model, training):
    """The names in a recipe's tables that are of no layer of this network, in order."""
    known = published_names(model)
    tables = (training.layer_schedules, training.freeze_from, training.init_std, training.init_bias)
    names = dict.fromkeys(name for table in tables for name in table if name != "all")
    return [name for name in names if name not in known and name not in known.values()]


def set_initial_values(model, training):
    """Draw the weights, and set the biases, for which `training` has initial values; the others stay."""
    stds, biases = of_layers(model, training.init_std), of_layers(model, training.init_bias)
    modules = dict(model.named_modules())
    for name in published_names(model).values():
        std = stds.get(name, training.init_std.get("all"))
        bias = biases.get(name, training.init_bias.get("all"))
        if std is not None:
            init.normal_(modules[name].weight, std=std)
        if bias is not None and modules[name].bias is not None:
            init.constant_(modules[name].bias, bias)


def parameter_groups(model, lr, training):
    """Groups for an optimiser: each parameter with the rate and the decay that `training` gives it.

    Biases have `bias_lr` times the rate, and no decay unless `bias_decay`. A decay given by layer goes to the
    parameters whose name begins with the layer's; ValueError where a layer has none.
    """
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay, _), parameters in _groups(model, lr, training).items()
    ]


def _groups(model, lr, training):
    """{(rate, decay, schedule): parameters}, those that follow the recipe's main schedule first."""
    groups = {}
    of_layer = of_layers(model, training.layer_schedules)
    for name, parameter in model.named_parameters():
        layer, _, kind = name.rpartition(".")
        is_bias = kind == "bias"
        decay = _decay_of(name, training.weight_decay) if training.bias_decay or not is_bias else 0.0
        rate = lr * training.bias_lr if is_bias else lr
        schedule = of_layer.get(layer, training.schedule)
        if is_bias and training.bias_schedule:
            schedule = training.bias_schedule
        groups.setdefault((rate, decay, schedule), []).append(parameter)
    return dict(sorted(groups.items(), key=lambda item: item[0][2] != training.schedule))


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


def schedule(model, training, optimizer):
    """The schedule of an optimiser that `optimizer` made, or of one for each of its groups where they differ."""
    texts = [text for _, _, text in _groups(model, training.lr, training)]
    if set(texts) == {training.schedule}:
        return rates.make_schedule(training.schedule, optimizer, training.epochs)
    return rates.ByGroup(optimizer, texts, training.epochs)


def freezing(model, training, names=()):
    """[(epochs done before, modules)]: what is frozen and when; `names`: layers that are so from the beginning.

    ValueError for a name that is of no layer, and if no layer is left to train before the last epoch is over.
    """
    epochs = of_layers(model, training.freeze_from) | dict.fromkeys(layers_called(model, names), 0)
    if set(epochs) == {*published_names(model).values()} and max(epochs.values()) < training.epochs:
        raise ValueError(f"every layer is frozen from epoch {max(epochs.values()) + 1} on: nothing is left to train")
    return [(epoch, part_of(model, layer)) for layer, epoch in epochs.items()]


def part_of(model, layer):
    """The modules that are frozen with a layer: itself, and what learns or counts before the next layer with weights.

    That is its batch norm, whose running statistics then stay as they are and are used in training too: what comes out
    of a frozen part depends on the picture alone. Where all layers from the first on are frozen, nothing is computed
    backward through them.
    """
    layers, part, inside = set(published_names(model).values()), [], False
    for name, module in model.named_modules():
        inside = name == layer if name in layers else inside
        if inside and (any(True for _ in module.parameters()) or any(True for _ in module.named_buffers())):
            part.append(module)
    return part
