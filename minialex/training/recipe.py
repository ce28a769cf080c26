"""What a Recipe says, applied to a network: initial values, groups for the optimiser, rates, frozen layers."""

from __future__ import annotations

from ..models.names import layers_called, published_names
from ..nn import init
from ..optim import SGD, Adam, AdamW
from . import schedule_text

OPTIMIZERS = {
    "sgd": lambda groups, recipe: SGD(groups, momentum=recipe.momentum),
    "sgd_paper": lambda groups, recipe: SGD(groups, momentum=recipe.momentum, velocity="paper"),
    "adam": lambda groups, recipe: Adam(groups),
    "adamw": lambda groups, recipe: AdamW(groups),
}


def check_recipe(recipe):
    """The recipe itself; ValueError where two of its fields do not go together, or a schedule is none.

    The fields one by one are for schema.check.
    """
    if recipe.crop_padding and recipe.normalization == "mean-image-center":
        raise ValueError("crop_padding does not go with mean-image-center: zeros would be no mean pixels")
    special = [recipe.bias_schedule] * (recipe.bias_schedule is not None) + [*recipe.layer_schedules.values()]
    kinds = [schedule_text.parse_schedule(text)[0] for text in (recipe.schedule, *special)]
    if special and "plateau" in kinds:
        raise ValueError("a plateau schedule is that of all layers, weights and biases alike; no other goes with it")
    return recipe


def by_module(model, table):
    """{module's name: value} for a table {published or own name: value}, without the layers that `model` lacks."""
    known = published_names(model)
    present = {name: value for name, value in table.items() if name in known or name in known.values()}
    return dict(zip(layers_called(model, present), present.values(), strict=True))


def absent_layers(model, recipe):
    """The names in a recipe's tables that are of no layer of this network, in order."""
    known = published_names(model)
    tables = (recipe.layer_schedules, recipe.freeze_from, recipe.init_std, recipe.init_bias)
    names = dict.fromkeys(name for table in tables for name in table if name != "all")
    return [name for name in names if name not in known and name not in known.values()]


def set_initial_values(model, recipe):
    """Draw the weights, and set the biases, for which `recipe` has initial values; the others stay."""
    stds, biases = by_module(model, recipe.init_std), by_module(model, recipe.init_bias)
    modules = dict(model.named_modules())
    for name in published_names(model).values():
        std = stds.get(name, recipe.init_std.get("all"))
        bias = biases.get(name, recipe.init_bias.get("all"))
        if std is not None:
            init.normal_(modules[name].weight, std=std)
        if bias is not None and modules[name].bias is not None:
            init.constant_(modules[name].bias, bias)


def parameter_groups(model, lr, recipe):
    """Groups for an optimiser: each parameter with the rate and the decay that `recipe` gives it.

    Biases have `bias_lr` times the rate, and no decay unless `bias_decay`. A decay given by layer goes to the
    parameters whose name begins with the layer's; ValueError where a layer has none.
    """
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay, _), parameters in _groups(model, lr, recipe).items()
    ]


def _groups(model, lr, recipe):
    """{(rate, decay, schedule): parameters}, those that follow the recipe's main schedule first."""
    groups = {}
    of_layer = by_module(model, recipe.layer_schedules)
    for name, parameter in model.named_parameters():
        layer, _, kind = name.rpartition(".")
        is_bias = kind == "bias"
        decay = _decay_of(name, recipe.weight_decay) if recipe.bias_decay or not is_bias else 0.0
        rate = lr * recipe.bias_lr if is_bias else lr
        schedule = of_layer.get(layer, recipe.schedule)
        if is_bias and recipe.bias_schedule:
            schedule = recipe.bias_schedule
        groups.setdefault((rate, decay, schedule), []).append(parameter)
    return dict(sorted(groups.items(), key=lambda item: item[0][2] != recipe.schedule))


def _decay_of(name, weight_decay):
    if not isinstance(weight_decay, dict):
        return weight_decay
    layers = [layer for layer in weight_decay if name.startswith(layer)]
    if not layers:
        raise ValueError(f"no weight decay is given for {name}; there is one for {', '.join(weight_decay)}")
    return weight_decay[layers[0]]


def make_optimizer(model, recipe, lr=None):
    """The optimiser with which `recipe` says to train a model; lr: another rate than its own."""
    if recipe.optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {recipe.optimizer!r}; there are {', '.join(OPTIMIZERS)}")
    groups = parameter_groups(model, recipe.lr if lr is None else lr, recipe)
    return OPTIMIZERS[recipe.optimizer](groups, recipe)


def make_schedule(model, recipe, optimizer):
    """The schedule of an optimiser that `make_optimizer` made, or of one for each of its groups where they differ."""
    texts = [text for _, _, text in _groups(model, recipe.lr, recipe)]
    if set(texts) == {recipe.schedule}:
        return schedule_text.make_schedule(recipe.schedule, optimizer, recipe.epochs)
    return schedule_text.ByGroup(optimizer, texts, recipe.epochs)


def frozen_modules(model, recipe, names=()):
    """[(epochs done before, modules)]: what is frozen and when; `names`: layers that are so from the beginning.

    ValueError for a name that is of no layer, and if no layer is left to train before the last epoch is over.
    """
    epochs = by_module(model, recipe.freeze_from) | dict.fromkeys(layers_called(model, names), 0)
    if set(epochs) == {*published_names(model).values()} and max(epochs.values()) < recipe.epochs:
        raise ValueError(f"every layer is frozen from epoch {max(epochs.values()) + 1} on: nothing is left to train")
    return [(epoch, modules_frozen_with(model, layer)) for layer, epoch in epochs.items()]


def modules_frozen_with(model, layer):
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


def describe_decay(recipe):
    """The weight decay as text: a number, or one for each kind of layer."""
    decay = recipe.weight_decay
    return ", ".join(f"{prefix} {value}" for prefix, value in decay.items()) if isinstance(decay, dict) else str(decay)
