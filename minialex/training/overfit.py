"""A first test of a network: can it overfit, that is memorise, a handful of images?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .. import nn
from ..optim import Optimizer
from ..support.progress import Progress
from .trainer import Trainer

MOST_STEPS = 1000
TARGET_LOSS = 0.1  # images with a lower mean loss count as memorised: a probability of exp(-0.1) = 90 %


class Overfit(NamedTuple):
    """The result of overfit_batch.

    knows: whether all images are memorised.
    right: how many are classified correctly.
    steps: of the optimizer.
    loss: the mean loss.
    """

    knows: bool
    right: int
    steps: int
    loss: float


def without_dropout(model: nn.Module) -> nn.Module:
    """Set p to 0 in all Dropout modules of `model`, in place; returns the model."""
    for _, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def overfit_batch(
    model: nn.Module, optimizer: Optimizer, loader: Any, accumulate: int = 1,
    watch: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Overfit:  # fmt: skip
    """Train on a few images until all are classified correctly with a mean loss below TARGET_LOSS, or for MOST_STEPS.

    model, optimizer, loader, accumulate: as in Trainer.
    watch: a function that wraps the iterator of batches, such as cli.Interrupt.watch.

    Returns an Overfit.
    Raises Diverged as Trainer.steps does.
    """
    trainer, steps, count = Trainer(model, optimizer, None, loader, accumulate), 0, len(loader.dataset)
    with Progress(f"memorising {count} pictures", MOST_STEPS, "steps") as bar:
        while True:
            for _ in watch(trainer.steps()):
                steps += 1
                bar.note = f"loss {trainer.running.loss:.3f}"
                bar.update()
            row = trainer.finish_epoch(watch(loader.epoch()))
            right, loss = count - round(count * row["val_top1_error"]), row["val_loss"]
            knows = right == count and loss < TARGET_LOSS
            if knows or steps >= MOST_STEPS:
                return Overfit(knows, right, steps, loss)
