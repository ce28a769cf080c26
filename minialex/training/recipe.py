"""Applying a Recipe to a network: initial values, parameter groups, optimizer, schedules, frozen layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..models import Recipe
from ..models.names import layers_called, published_names
from ..nn import Module, init
from ..optim import SGD, Adam, AdamW, LRScheduler, Optimizer, ReduceLROnPlateau
from . import schedule_text

OPTIMIZERS = {
    "sgd": lambda groups, recipe: SGD(groups, momentum=recipe.momentum),
    "sgd_paper": lambda groups, recipe: SGD(groups, momentum=recipe.momentum, velocity="paper"),
    "adam": lambda groups, recipe: Adam(groups),
    "adamw": lambda groups, recipe: AdamW(groups),
}


def check_recipe(recipe: Recipe) -> Recipe:
    """Check that the fields of a Recipe fit together; schema.check checks them one by one.

    recipe: a Recipe.

    Returns the recipe.
    Raises ValueError where two fields exclude each other, or a schedule is invalid.
    """
    if recipe.crop_padding and recipe.normalization == "mean-image-center":
        raise ValueError("crop_padding cannot be combined with mean-image-center: padded zeros would not be the mean")
    if recipe.random_resized_crop and recipe.crop_padding:
        raise ValueError("random_resized_crop cannot be combined with crop_padding: set one of them to false or 0")
    if recipe.random_resized_crop and recipe.normalization == "mean-image":
        raise ValueError(
            "random_resized_crop cannot be combined with mean-image, which is subtracted from whole pictures of one "
            "size: choose channels or mean-image-center, or random_resized_crop = false"
        )
    if recipe.clip_grad_norm == 0:
        raise ValueError("a clip_grad_norm of 0 would set every gradient to 0: give a norm above 0, or leave it out")
    special = [text for text in (recipe.bias_schedule, *recipe.layer_schedules.values()) if text is not None]
    kinds = [schedule_text.parse_schedule(text)[0] for text in (recipe.schedule, *special)]
    if special and "plateau" in kinds:
        raise ValueError("a plateau schedule must be the only one: it applies to all layers, weights and biases alike")
    return recipe


def by_module(model: Module, table: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a recipe's table gives to the layers of a network.

    model: a Module.
    table: {published name or name of a module: value}; layers that the model lacks are left out.

    Returns {name of the module: value}.
    """
    published = published_names(model) if table else {}
    own = set(published.values())
    return {published.get(name, name): value for name, value in table.items() if name in published or name in own}


def absent_layers(model: Module, recipe: Recipe) -> list[str]:
    """The layers named in a recipe's tables that a network lacks.

    model: a Module.
    recipe: a Recipe.

    Returns a list of names.
    """
    known = published_names(model)
    tables = (recipe.layer_schedules, recipe.freeze_from, recipe.init_std, recipe.init_bias)
    names = dict.fromkeys(name for table in tables for name in table if name != "all")
    return [name for name in names if name not in known and name not in known.values()]


def set_initial_values(model: Module, recipe: Recipe) -> None:
    """Initialise the weights and biases for which a recipe has initial values; the others are left unchanged.

    model: a Module, changed in place.
    recipe: a Recipe.
    """
    stds, biases = by_module(model, recipe.init_std), by_module(model, recipe.init_bias)
    modules: dict[str, Any] = dict(model.named_modules())
    for name in published_names(model).values():
        std = stds.get(name, recipe.init_std.get("all"))
        bias = biases.get(name, recipe.init_bias.get("all"))
        if std is not None:
            init.normal_(modules[name].weight, std=std)
        if bias is not None and modules[name].bias is not None:
            init.constant_(modules[name].bias, bias)


def parameter_groups(model: Module, lr: float, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: each parameter with its learning rate and weight decay.

    model: a Module.
    lr: the learning rate of weights; biases have recipe.bias_lr times that.
    recipe: a Recipe.

    Returns a list of dicts with "params", "lr" and "weight_decay".
    Raises ValueError where weight_decay is a dict with no entry for a parameter.
    """
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay, _), parameters in _groups(model, lr, recipe).items()
    ]


def _groups(model, lr, recipe):
    """{(learning rate, weight decay, schedule): parameters}, those with the recipe's main schedule first."""
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
        raise ValueError(f"weight_decay has no entry for {name}, only for {', '.join(weight_decay)}")
    return weight_decay[layers[0]]


def make_optimizer(model: Module, recipe: Recipe, lr: float | None = None) -> Optimizer:
    """The optimizer of a recipe.

    model: a Module.
    recipe: a Recipe.
    lr: another learning rate than the recipe's.

    Returns an SGD, Adam or AdamW.
    Raises ValueError for an unknown optimizer, and as `parameter_groups` does.
    """
    if recipe.optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {recipe.optimizer!r}; choose one of {', '.join(OPTIMIZERS)}")
    groups = parameter_groups(model, recipe.lr if lr is None else lr, recipe)
    return OPTIMIZERS[recipe.optimizer](groups, recipe)


def make_schedule(model: Module, recipe: Recipe, optimizer: Optimizer) -> LRScheduler | ReduceLROnPlateau:
    """The learning rate schedule of a recipe.

    model: a Module.
    recipe: a Recipe.
    optimizer: from `make_optimizer`.

    Returns a scheduler: one for all groups, or a ByGroup where they have different schedules.
    """
    texts = [text for _, _, text in _groups(model, recipe.lr, recipe)]
    if set(texts) == {recipe.schedule}:
        return schedule_text.make_schedule(recipe.schedule, optimizer, recipe.epochs)
    return schedule_text.ByGroup(optimizer, texts, recipe.epochs)


def frozen_modules(model: Module, recipe: Recipe, names: Sequence[str] = ()) -> list[tuple[int, list[Module]]]:
    """Which modules are frozen, and when.

    model: a Module.
    recipe: a Recipe.
    names: layers, by published name or their own, that are frozen from the start.

    Returns a list of (epochs done before, modules).
    Raises ValueError for an unknown layer, and where all layers are frozen before the last epoch.
    """
    epochs = by_module(model, recipe.freeze_from) | dict.fromkeys(layers_called(model, names), 0)
    if epochs and set(epochs) == {*published_names(model).values()} and max(epochs.values()) < recipe.epochs:
        raise ValueError(f"every layer is frozen from epoch {max(epochs.values()) + 1} on: nothing is left to train")
    return [(epoch, modules_frozen_with(model, layer)) for layer, epoch in epochs.items()]


def modules_frozen_with(model: Module, layer: str) -> list[Module]:
    """The modules that are frozen with a layer: itself, and its batch normalisation.

    model: a Module.
    layer: name of a module with weights; modules up to the next one with weights belong to it.

    The running statistics of a frozen batch normalisation are fixed and used in training, too, so that the output of
    frozen layers depends on the image alone. No gradients are computed for frozen layers at the start of a network.

    Returns a list of modules that have parameters or buffers.
    """
    layers, part, inside = set(published_names(model).values()), [], False
    for name, module in model.named_modules():
        inside = name == layer if name in layers else inside
        if inside and (any(True for _ in module.parameters()) or any(True for _ in module.named_buffers())):
            part.append(module)
    return part


def describe_decay(recipe: Recipe) -> str:
    """The weight decay of a recipe as text: a number, or one for each kind of layer."""
    decay = recipe.weight_decay
    return ", ".join(f"{prefix} {value}" for prefix, value in decay.items()) if isinstance(decay, dict) else str(decay)
