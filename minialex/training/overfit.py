"""Can the network learn anything at all? The first thing to try: let it learn a handful of pictures by heart."""

from __future__ import annotations

from typing import NamedTuple

from tqdm import tqdm

from .. import nn
from .trainer import Trainer

MOST_STEPS = 1000
TARGET_LOSS = 0.1  # the mean loss below which pictures count as known by heart: exp(-0.1) = 90 % sure of them


class Overfit(NamedTuple):
    """What overfit_batch found: whether all pictures are known, how many are right, after how many steps, the loss."""

    knows: bool
    right: int
    steps: int
    loss: float


def without_dropout(model):
    """Set every Dropout's p to 0, in place; returns the model."""
    for _, module in model.named_modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def overfit_batch(model, optimizer, loader, accumulate=1, watch=iter):
    """Train on the pictures of `loader` until all are right with a mean loss below TARGET_LOSS, or MOST_STEPS are over.

    model, optimizer, loader, accumulate: as of Trainer. watch: wraps the batches, to stop between two of them.
    Returns an Overfit. Raises Diverged as training does.
    """
    trainer, steps, count = Trainer(model, optimizer, None, loader, accumulate), 0, len(loader.dataset)
    with tqdm(desc=f"{count} pictures", total=MOST_STEPS, unit=" steps", disable=None, leave=False) as bar:
        while True:
            for _ in watch(trainer.steps()):
                steps += 1
                bar.update()
            row = trainer.finish_epoch(watch(loader.epoch()))
            right, loss = count - round(count * row["val_top1_error"]), row["val_loss"]
            knows = right == count and loss < TARGET_LOSS
            if knows or steps >= MOST_STEPS:
                return Overfit(knows, right, steps, loss)
