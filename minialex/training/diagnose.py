"""What to look at when training goes wrong: where a NaN began, a loss that stays at chance, the figures of each layer.

rows = diagnose.measure(model, optimizer, images, labels)     # changes nothing
print(diagnose.table(rows))
"""

from __future__ import annotations

import contextlib
import copy
import math

import numpy as np

from .. import functional, nn
from ..nn.more import evaluating
from ..tensor import Tensor, no_grad

HEALTHY_UPDATE = 3e-5, 3e-2  # of |step| / |weight|: a factor of 30 about 1e-3, the rule of thumb
DEAD_LIMIT = 0.5  # more dead ReLUs than this are too many
CHANCE_STEPS = 100  # a loss may stay at chance for so many steps before that is worth a word


def quiet():
    """Weights that run away overflow first. We say that in words, so NumPy need not warn as well."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def first_fault(model, images):
    """Where a loss that is NaN or infinite comes from, in words, found by another forward pass over the same batch.

    Names the first module, in the order in which they compute, whose output is not finite, and the first
    parameter that is not. Dropout draws the same masks if the caller has put its generator back.
    """
    if not np.isfinite(images).all():
        return "the pictures are not finite themselves"
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
    if faults:
        output = f"{faults[0]} is the first module whose output is not finite"
    else:
        output = "every module's output is finite, so the loss itself overflowed"
    lost = nonfinite_tensors(model)
    return f"{output}; {lost} became NaN or inf in an earlier step" if lost else f"{output}; all weights still are"


def nonfinite_tensors(model):
    """Names the parameters and buffers that are not finite: "conv1.weight and 3 others"; an empty text if all are."""
    named = [*model.named_parameters(), *model.named_buffers()]
    lost = [name for name, t in named if not _is_finite(t)]
    others = f" and {len(lost) - 1} other{'s' if len(lost) > 2 else ''}" if len(lost) > 1 else ""
    return f"{lost[0]}{others}" if lost else ""


def _is_finite(tensor):
    return bool(tensor.backend.xp.isfinite(tensor.data).all())


def chance_hint(history, classes, steps_per_epoch):
    """What to say if, with the last row of `history`, the loss is found to stay at ln(classes); else None.

    That is the loss of guessing. It stays there if, after CHANCE_STEPS steps or more, an epoch's training loss lies
    within 1 % of it, or above, and the validation loss as well; without validation only if it lies within 1 %, since
    the mean of a good first epoch may be larger. Said once in a run.
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
        "  Usual causes: initial weights so small that signals die out on their way; a learning rate (lr=...) too low\n"
        "  to move anything, or so high that ReLUs died; biases of zero under such ReLUs; labels of other pictures.\n"
        "  diagnose=True shows which layer it is, overfit=20 whether the network can learn anything."
    )


def measure(model, optimizer, images, labels):
    """A row of figures for each layer with weights, from one batch: images (N, C, H, W), labels (N,).

    layer       name of the module
    activation  std of its output, before any ReLU
    dead        share of the units of the ReLU behind it, channels or neurons, that are 0 for all pictures, everywhere
    gradient    std of its weight's gradient
    update      |step| / |weight|, Euclidean norms, of the step that `optimizer` would take now, momentum and all

    None where a layer has no such figure: no ReLU before the next layer, a weight that is frozen. The model
    works as in evaluation (nothing drawn, no running statistics), then weights and optimiser are put
    back: training goes on bit for bit as if nobody had looked.
    """
    rows = {}
    weights = {name: module.weight for name, module in model.named_modules() if _has_weight(module)}

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
        gradients = {name: None if w.grad is None else float(w.grad.std()) for name, w in weights.items()}
        steps = _relative_steps(model, optimizer, weights)
    return [row | {"gradient": gradients[name], "update": steps[name]} for name, row in rows.items()]


def _has_weight(module):
    return isinstance(getattr(module, "weight", None), nn.Parameter)


def _std(tensor):
    return float(tensor.data.std())


def _dead_share(output):
    """(N, C, ...) -> the share of the C units that nothing woke."""
    alive = (output.data != 0).any(axis=(0, *range(2, output.ndim)))
    return 1 - float(alive.mean())


def _relative_steps(model, optimizer, weights):
    """Take a step, measure it, and take it back."""
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


def table(rows):
    """The rows of `measure` as lines of text, with a word where a figure is out of its healthy range."""
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
