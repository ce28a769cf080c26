"""Diagnosing training: where a NaN came from, a loss that stays at chance level, statistics of each layer.

rows = diagnose.measure(model, optimizer, images, labels)     # changes nothing
print(diagnose.table(rows))
"""

from __future__ import annotations

import contextlib
import copy
import math
from typing import Annotated, Any, TypedDict

import numpy as np

from .. import functional, nn
from ..nn.more import evaluating
from ..optim import Optimizer
from ..support.schema import AtLeast, AtMost
from ..support.types import Array
from ..tensor import Tensor, no_grad

HEALTHY_UPDATE = 3e-5, 3e-2  # of |step| / |weight|: within a factor of 30 of 1e-3, the rule of thumb
DEAD_LIMIT = 0.5  # a larger share of dead ReLUs is too many
CHANCE_STEPS = 100  # steps for which a loss may stay at chance level without a hint


def quiet() -> np.errstate:
    """A context without NumPy's warnings of overflow: diverging training is reported as an error instead."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def first_fault(model: nn.Module, images: Array) -> str:
    """Where a NaN or infinite loss comes from, found by another forward pass.

    model: a Module. Dropout draws the same masks if its generator has been reset.
    images: the same batch, float32 (N, C, H, W).

    Returns a sentence that names the first module whose output is NaN or infinite, and the first such parameter.
    """
    faults = []

    def hook(name):
        def look(module, inputs, output):
            if isinstance(output, Tensor) and not _is_finite(output):
                faults.append(f"{name or 'the network'} ({type(module).__name__})")

        return look

    with contextlib.ExitStack() as hooks, no_grad(), quiet():
        for name, module in model.named_modules():
            hooks.enter_context(module.register_forward_hook(hook(name)))
        model(Tensor(images))
    if not np.isfinite(images).all():  # only now: processes that share the model out have all taken part in the pass
        return "the input images contain NaN or inf"
    if faults:
        output = f"{faults[0]} is the first module whose output is not finite"
    else:
        output = "every module's output is finite, so the loss itself overflowed"
    lost = nonfinite_tensors(model)
    return f"{output}; {lost} became NaN or inf in an earlier step" if lost else f"{output}; all weights still are"


def nonfinite_tensors(model: nn.Module) -> str:
    """Names the parameters and buffers of `model` with NaN or inf: "conv1.weight and 3 others", or ""."""
    named = [*model.named_parameters(), *model.named_buffers()]
    lost = [name for name, t in named if not _is_finite(t)]
    others = f" and {len(lost) - 1} other{'s' if len(lost) > 2 else ''}" if len(lost) > 1 else ""
    return f"{lost[0]}{others}" if lost else ""


def _is_finite(tensor):
    return bool(tensor.backend.xp.isfinite(tensor.data).all())


def chance_hint(history: list[dict[str, Any]], classes: int, steps_per_epoch: int) -> str | None:
    """A hint if the loss stays at ln(classes), that of guessing.

    history: the rows of metrics of all epochs so far, see Trainer.history.
    classes: the number of classes.
    steps_per_epoch: optimiser steps in an epoch.

    The hint is given if, after CHANCE_STEPS steps or more, the training loss of the last epoch is within 1 % of
    ln(classes) or above, and so is the validation loss; without validation only if it is within 1 %, since the mean
    over a good first epoch can be larger.

    Returns a text; None where there is nothing to say, or an earlier epoch had the hint already.
    """
    chance = math.log(classes)

    def stays(row):
        learned_nothing = min(row["train_loss"], row.get("val_loss", math.inf)) > 0.99 * chance
        near = row["train_loss"] < 1.01 * chance or "val_loss" in row
        return row["epoch"] * steps_per_epoch >= CHANCE_STEPS and learned_nothing and near

    if not stays(history[-1]) or any(stays(row) for row in history[:-1]):
        return None
    return (
        f"hint: the training loss ({history[-1]['train_loss']:.4f}) stays at ln({classes}) = {chance:.4f} or above, "
        f"that of guessing among {classes} classes.\n"
        "  Usual causes: initial weights so small that signals vanish; a learning rate (lr=...) too low to change\n"
        "  anything, or so high that ReLUs died; biases of zero before such ReLUs; labels of other pictures.\n"
        "  diagnose=True shows which layer is at fault, overfit=20 whether the network can learn at all."
    )


class LayerRow(TypedDict):
    """The statistics of a layer, see `measure`; of float32, which may overflow."""

    layer: str
    activation: float | None
    dead: Annotated[float | None, AtLeast(0), AtMost(1)]
    gradient: float | None
    update: float | None


def measure(model: nn.Module, optimizer: Optimizer, images: Array, labels: Array) -> list[dict[str, Any]]:
    """Statistics of each layer with weights, for one batch.

    model: a Module.
    optimizer: of its parameters.
    images: float32 (N, C, H, W).
    labels: integers (N,).

    Returns a list with a dict for each layer:

        layer       name of the module
        activation  std of its output, before any ReLU
        dead        share of the units (channels or neurons) of the ReLU after it that are 0 everywhere, for all images
        gradient    std of its weight's gradient
        update      |step| / |weight|, Euclidean norms, of the step that the optimizer would take now, with momentum

    A value is None where it does not exist: no ReLU before the next layer, a frozen weight. The model is in evaluation
    mode meanwhile, and weights and optimizer are restored: training continues bit for bit as without the measurement.
    """
    rows = {}
    modules: dict[str, Any] = dict(model.named_modules())
    weights = {name: module.weight for name, module in modules.items() if _has_weight(module)}

    def hook(name):
        def look(module, inputs, output):
            if name in weights:
                rows.setdefault(name, {"layer": name, "activation": _std(output), "dead": None})
            elif isinstance(module, nn.ReLU) and rows:
                rows[next(reversed(rows))]["dead"] = _dead_share(output)

        return look

    with contextlib.ExitStack() as stack, evaluating(model), quiet():
        for name, module in model.named_modules():
            stack.enter_context(module.register_forward_hook(hook(name)))
        model.zero_grad()
        functional.cross_entropy(model(Tensor(images)), labels).backward()
        gradients = {name: None if w.grad is None else float(w._grad.std()) for name, w in weights.items()}
        steps = _relative_steps(model, optimizer, weights)
    return [row | {"gradient": gradients[name], "update": steps[name]} for name, row in rows.items()]


def _has_weight(module):
    return isinstance(getattr(module, "weight", None), nn.Parameter)


def _std(tensor):
    return float(tensor.data.std())


def _dead_share(output):
    """(N, C, ...) -> the share of the C units that are 0 everywhere."""
    alive = (output.data != 0).any(axis=(0, *range(2, output.ndim)))
    return 1 - float(alive.mean())


def _relative_steps(model, optimizer, weights):
    """Take a step, measure it, and undo it."""
    before = {id(p): p.data.copy() for p in model.parameters()}
    state = copy.deepcopy(optimizer.state_dict())
    optimizer.step()
    shares = {}
    for name, w in weights.items():
        norm, old = w.backend.xp.linalg.norm, before[id(w)]
        size = float(norm(old))
        shares[name] = float(norm(w.data - old)) / size if size and w.grad is not None else None
    for p in model.parameters():
        p.data[...] = before[id(p)]
        p.bump_version()
    optimizer.load_state_dict(state)
    model.zero_grad()
    return shares


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as a table, with a remark where a value is outside its healthy range; returns the text."""
    width = max(len("layer"), *(len(row["layer"]) for row in rows))
    lines = [f"  {'layer':{width}}  activation  dead ReLUs  gradient  update/weight"]
    for row in rows:
        dead = "" if row["dead"] is None else f"{100 * row['dead']:.0f} %"
        gradient, update = ("" if row[name] is None else f"{row[name]:.1e}" for name in ("gradient", "update"))
        line = f"  {row['layer']:{width}}  {row['activation']:10.3g}  {dead:>10}  {gradient:>8}  {update:>13}"
        lines.append(f"{line}  {_warning(row)}".rstrip())
    return "\n".join(lines)


def _warning(row):
    low, high = HEALTHY_UPDATE
    words = ["many dead"] if row["dead"] is not None and row["dead"] > DEAD_LIMIT else []
    if row["update"] is not None and not low <= row["update"] <= high:
        words.append("steps small" if row["update"] < low else "steps large")
    return f"<- {', '.join(words)}" if words else ""
