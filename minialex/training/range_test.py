"""The learning-rate range test: a few steps with a learning rate that grows until the loss does (Smith 2017)."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backends, functional, random
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..optim import Optimizer
from ..support.progress import Progress
from ..tensor import Tensor
from . import diagnose
from .interruption import keeping_modes

SMOOTHING = 0.9  # of the moving average of the losses
DIVERGED = 4  # times the lowest smoothed loss
NOTICEABLE = 0.01  # a fall of the loss by a smaller share is none
START = 0.1  # the share of the steps at the start in which nothing is decided


@dataclass(frozen=True)
class RangeTest:
    """The result of `lr_find`.

    lrs: the learning rates of the steps, ascending, (n,).
    losses: of the steps, before each of them, (n,).
    smoothed: the losses as a moving average, (n,).
    suggestion: the learning rate at which the smoothed loss falls fastest; None where it never falls.
    diverged: whether the test ended early, because the loss became four times as large as before, NaN or infinite.
    """

    lrs: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    diverged: bool


def lr_find(
    model: Module, optimizer: Optimizer, batches: Iterable[Any], loss: Callable[..., Any] | None = None, *,
    lowest: float = 1e-5, highest: float = 10.0, steps: int = 200, accumulate: int = 1,
    clip_grad_norm: float | None = None, frozen: Sequence[Module] = (),
) -> RangeTest:  # fmt: skip
    """Train for a few steps while the learning rate grows, and suggest one; afterwards all is as it was before.

        lr of step i = lowest (highest / lowest)^(i / (steps - 1))

    model: a Module.
    optimizer: of its parameters; parameter groups keep the ratio of their learning rates, and the first has this one.
    batches: a data.Loader, or another iterable of (inputs, targets), which is repeated where it ends too early.
    loss: a function (outputs, targets) -> a Tensor of one element; functional.cross_entropy if None.
    lowest, highest: learning rates.
    steps: of the optimizer.
    accumulate: batches per step.
    clip_grad_norm: as in Trainer.
    frozen: modules that are not trained.

    Parameters, buffers, gradients, modes, the optimizer and random generators are restored bit for bit, after Ctrl-C,
    too. The test ends where the loss diverges.

    Returns a RangeTest; plotting.lr_range draws it.
    Raises ValueError for no batches and impossible limits.
    Smith 2017, "Cyclical learning rates for training neural networks", section 3.3.
    """
    if not 0 < lowest < highest < math.inf or steps < 2:
        raise ValueError(f"lr_find needs 0 < lowest < highest and 2 steps or more, got {lowest}, {highest}, {steps}")
    loss = loss or functional.cross_entropy
    lrs = lowest * (highest / lowest) ** (np.arange(steps) / (steps - 1))
    losses, smoothed, diverged = [], [], False
    with _restored(model, optimizer), diagnose.quiet(), Progress("range test", steps, "steps") as bar:
        model.train()
        for module in frozen:
            module.requires_grad_(False).eval()
        factors = _factors(optimizer)
        endless = _endless(batches)
        for step, lr in enumerate(lrs):
            for group, factor in zip(optimizer.param_groups, factors, strict=True):
                group["lr"] = float(lr) * factor
            losses.append(_step(model, optimizer, endless, loss, accumulate, clip_grad_norm))
            mean = (1 - SMOOTHING) * sum(SMOOTHING**age * past for age, past in enumerate(reversed(losses)))
            smoothed.append(mean / (1 - SMOOTHING ** len(losses)))
            bar.note = f"lr {lr:.1e}, loss {losses[-1]:.3f}"
            bar.update()
            best = min(smoothed)
            if diverged := not math.isfinite(losses[-1]) or (
                step >= START * steps and smoothed[-1] - best > (DIVERGED - 1) * abs(best)
            ):
                break
    lrs, means = lrs[: len(losses)], np.array(smoothed)
    return RangeTest(lrs, np.array(losses), means, _steepest(lrs, means, losses, steps), bool(diverged))


def _step(model, optimizer, batches, loss, accumulate, clip_grad_norm):
    optimizer.zero_grad()
    total = 0.0
    for inputs, targets in itertools.islice(batches, accumulate):
        value = loss(model(inputs if isinstance(inputs, Tensor) else Tensor(inputs)), targets)
        value.backward(np.full(value.shape, 1 / accumulate, value.dtype))
        total += value.item() / accumulate
    if clip_grad_norm is not None:
        clip_grad_norm_(model.parameters(), clip_grad_norm)
    optimizer.step()
    return total


def _factors(optimizer):
    """The learning rate of each parameter group as a multiple of the first one's."""
    first, *_ = rates = [group["lr"] for group in optimizer.param_groups]
    return [rate / first if first else 1.0 for rate in rates]


def _endless(batches):
    """The batches, again and again; without counting the epochs of a Loader."""
    for epoch in itertools.count():
        some = False
        own = backends.get_backend().upload(batches.epoch(epoch)) if hasattr(batches, "epoch") else batches
        for batch in own:
            some = True
            yield batch
        if not some:
            raise ValueError(
                f"lr_find got {'no' if not epoch else 'too few'} batches: give a loader, a list, or more of them"
            )


def _steepest(lrs, smoothed, losses, steps):
    """The learning rate at which the smoothed loss falls fastest, over the logarithm of the learning rate."""
    first, end = max(1, round(START * steps)), int(np.argmin(np.where(np.isfinite(smoothed), smoothed, np.inf))) + 1
    if end <= first or not np.isfinite(losses[:first]).all():
        return None
    start, noise = np.mean(losses[:first]), np.std(losses[:first])
    noise *= math.sqrt((1 - SMOOTHING) / (1 + SMOOTHING))  # of the moving average
    if start - smoothed[end - 1] < max(NOTICEABLE * abs(start), 4 * noise):
        return None
    reach = max(1, steps // 20)
    falls = [smoothed[min(i + reach, end - 1)] - smoothed[max(i - reach, 0)] for i in range(first, end)]
    return float(lrs[first + int(np.argmin(falls))])


@contextlib.contextmanager
def _restored(model, optimizer):
    """A context after which the model, the optimizer and the random generators are as they were before."""
    tensors = [t for named in (model.named_parameters(), model.named_buffers()) for _, t in named]
    values = [t.data.copy() for t in tensors]
    before = [(p, p.grad, p.requires_grad) for p in model.parameters()]
    own = [getattr(module, "generator", None) for _, module in model.named_modules()]
    generators = {id(g): g for g in (random.default_generator, *own) if isinstance(g, random.Generator)}.values()
    calls = [(generator, generator.call) for generator in generators]
    state = copy.deepcopy(optimizer.state_dict())
    optimizer.zero_grad()
    try:
        with keeping_modes(model):
            yield
    finally:
        for tensor, array in zip(tensors, values, strict=True):
            tensor.data[...] = array
            tensor.bump_version()
        for parameter, gradient, requires_grad in before:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient
        for generator, call in calls:
            generator.call = call
        optimizer.load_state_dict(state)
