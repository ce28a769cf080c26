"""Ctrl-C during training, or a notebook's stop button: a step is taken whole or not at all.

A KeyboardInterrupt may come between any two lines. Before the optimizer has begun its step, the weights are still those
of the step before, and what else the unfinished step has changed is undone; from then on, the interrupt waits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

from .. import random


def whole_steps(steps: Callable[[Any], Any]) -> Callable[[Any], Iterator[float | None]]:
    """A decorator for Trainer.steps: a step that Ctrl-C stops half-way is undone, and the error says where it stopped.

    steps: a generator method that yields after each step; it calls `self.interrupts.hold()` before the weights change.

    The KeyboardInterrupt is raised with a message. Weights, buffers, the optimizer, the default generator and the
    Trainer's own sums are those after the last complete step, and every module is in the mode, training or evaluation,
    in which it was before.
    """

    @functools.wraps(steps)
    def guarded(trainer):
        end, iterator, within, mark = object(), steps(trainer), False, Mark(trainer)
        modes = [(module, module.training) for _, module in trainer.model.named_modules()]
        try:
            while True:
                mark = Mark(trainer)
                within = True
                with trainer.interrupts:
                    loss = next(iterator, end)
                    if loss is not end:
                        trainer.record(loss)
                    within = False
                if loss is end:
                    return
                yield loss
        except KeyboardInterrupt:
            if within:
                mark.restore()
            for module, training in modes:
                module.training = training
            raise KeyboardInterrupt(where(trainer)) from None
        finally:
            iterator.close()

    return guarded


def where(trainer: Any) -> str:
    """The sentence that says where the training of a Trainer has stopped."""
    return (
        f"training stopped in epoch {trainer.epoch + 1} after {trainer.batch} of {len(trainer.loader)} batches; the "
        "model is as after its last complete step, and the trainer continues from there"
    )


class Mark:
    """All that a step changes before the optimizer's own step: buffers, gradients, the generator, sums.

    trainer: a Trainer, between two steps.
    """

    def __init__(self, trainer: Any) -> None:
        self.trainer, self.batch, self.pending = trainer, trainer.batch, list(trainer._pending)
        self.running, self.losses = dataclasses.replace(trainer.running), len(trainer._batch_losses)
        self.call = random.default_generator.call
        self.buffers = [(buffer, buffer.data.copy()) for _, buffer in trainer.model.named_buffers()]

    def restore(self) -> None:
        """Undo what has changed since."""
        trainer = self.trainer
        trainer.batch, trainer.running, trainer._pending = self.batch, self.running, self.pending
        del trainer._batch_losses[self.losses :]
        random.default_generator.call = self.call
        trainer.optimizer.zero_grad()
        for buffer, values in self.buffers:
            buffer.data[...] = values
            buffer.bump_version()


@contextlib.contextmanager
def keeping_modes(model: Any) -> Iterator[None]:
    """A context after which every module of `model` is in the mode, training or evaluation, in which it was before."""
    before = [(module, module.training) for _, module in model.named_modules()]
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
