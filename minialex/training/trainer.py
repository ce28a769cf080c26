"""The training loop, and the state needed to resume it exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from .. import backends, functional, optim, random
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..support import schema
from ..support.interrupts import Interrupts
from ..support.types import Array
from ..tensor import Tensor
from . import diagnose
from .display import TrainingProgress, epoch_text
from .evaluation import Diverged, Metrics, validate
from .interruption import keeping_modes, where, whole_steps
from .state import TrainerState, check_position, naming


def best_row(history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row of `history`, of those with a validation, with its lowest top-1 error; among equals, the lowest loss."""
    validated = [row for row in history if "val_loss" in row]
    return min(validated, key=lambda row: (row["val_top1_error"], row["val_loss"]))


class Trainer:
    """Trains a model by stochastic gradient descent, epoch by epoch.

        while trainer.epoch < epochs:
            for loss in trainer.steps():
                ...                              # here it is safe to save, or to stop
            trainer.finish_epoch(validation.epoch())

    model: a Module.
    optimizer: of its parameters.
    schedule: a scheduler of the optimizer, or None.
    loader: a data.Loader of the training images.
    accumulate: batches per step; the gradient is that of the mean loss over all their images.
    freezing: a list of (epochs done before, modules) to freeze: no gradient, weight decay or momentum, and evaluation
        mode.
    clip_grad_norm: the largest norm of a step's gradients as one vector, see nn.utils.clip_grad_norm_; None for any.

    `fit` is this loop with a progress bar and callbacks. Ctrl-C, or a notebook's stop button, leaves everything as it
    was after the last complete step: the model can be used, and the next call continues.

    `epoch` counts the finished epochs, `batch` the batches done of the current one, `history` has a dict of metrics for
    each finished epoch. A `state_dict()` taken where it is safe to save, loaded into a new Trainer with the same
    arguments, continues bit for bit as without the interruption.
    """

    def __init__(
        self, model: Module, optimizer: optim.Optimizer, schedule: optim.LRScheduler | optim.ReduceLROnPlateau | None,
        loader: Any, accumulate: int = 1, freezing: Sequence[tuple[int, Sequence[Module]]] = (),
        clip_grad_norm: float | None = None,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.schedule, self.loader = model, optimizer, schedule, loader
        self.accumulate, self.freezing = accumulate, freezing
        self.epoch, self.batch, self.history = 0, 0, []
        self.running, self.seconds = Metrics(), 0.0
        self._pending: list = []  # (loss, logits, labels) of batches whose losses have not been read yet
        self.clip_grad_norm = clip_grad_norm
        self.grad_norm: Tensor | None = None
        self.interrupts = Interrupts()
        self.should_stop, self.recording = False, False
        self._rows: list[dict] = []  # of steps, while recording
        self._batch_losses: list = []  # (epoch, batch, images, loss) of their batches, as they are read

    def fit(
        self, epochs: int, validation: Any = None, *,
        on_step: Callable[[Trainer, dict[str, Any]], object] | None = None,
        on_epoch: Callable[[Trainer, dict[str, Any]], object] | None = None, progress: bool = True,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Train until `epochs` epochs are finished, those of earlier calls and of a loaded state included.

            trainer.fit(10, validation, on_epoch=lambda trainer, row: print(row["val_loss"]))

        epochs: when to stop; setting `trainer.should_stop = True` in a callback stops before: in on_step in the middle
            of the epoch, which another call finishes.
        validation: a data.Loader, or a list of (images, labels), used after each epoch; None for no validation.
        on_step: called as on_step(trainer, row) after each step, with the row of `step_row`.
        on_epoch: called as on_epoch(trainer, row) after each epoch, with its metrics, see `finish_epoch`.
        progress: whether to show a bar, and print a line for each epoch.

        What a callback returns is ignored, what it raises ends the training. Every module is afterwards in the mode,
        training or evaluation, in which it was before.

        Returns `history`, the metrics of all epochs.
        Raises Diverged where a loss is NaN or infinite; KeyboardInterrupt, with a message, after Ctrl-C.
        """
        self.should_stop = False
        try:
            with keeping_modes(self.model), TrainingProgress(self, epochs, shown=progress) as bar:
                while self.epoch < epochs and not self.should_stop:
                    for loss in self.steps():
                        bar.show()
                        if on_step:
                            on_step(self, self.step_row(loss))
                        if self.should_stop:
                            return self.history
                    batches = validation.epoch() if hasattr(validation, "epoch") else validation
                    row = self.finish_epoch(batches)
                    if progress:
                        bar.write(epoch_text(row, epochs))
                    if on_epoch:
                        on_epoch(self, row)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(where(self)) from None
        return self.history

    @whole_steps
    def steps(self) -> Iterator[float | None]:
        """Train on the rest of the current epoch, step by step.

        Returns an iterator over the mean loss of each step. On a GPU, which computes asynchronously, losses are only
        read every `sync_every` batches of its backend, and the values are None.
        Raises Diverged where a loss is NaN or infinite.
        """
        self.model.train()
        for module in (module for epoch, modules in self.freezing if self.epoch >= epoch for module in modules):
            module.requires_grad_(False).eval()
        backend = backends.get_backend()
        start, awaited = time.perf_counter(), 0  # images that the current step is still to see
        for images, labels in backend.upload(self.loader.epoch(self.epoch, start_batch=self.batch)):
            if not awaited:
                pictures = awaited = self._pictures_of_step()
                losses = []
                self.optimizer.zero_grad()
            share, call = len(labels) / pictures, random.default_generator.call
            with diagnose.quiet():
                logits = self.model(Tensor(images))
                loss = functional.cross_entropy(logits, labels)
            self._pending.append((loss.detach(), logits.detach(), labels))
            if len(self._pending) >= backend.sync_every:
                losses.append((share, self._read_losses(images, call)))
            with diagnose.quiet():
                loss.backward(share)
            self.batch += 1
            awaited -= len(labels)
            if not awaited:
                with diagnose.quiet():
                    self._before_update()
                    self.optimizer.step()
                self.seconds += time.perf_counter() - start
                yield sum(weight * loss for weight, loss in losses) if backend.sync_every == 1 else None
                start = time.perf_counter()

    def _before_update(self):
        """Clip the gradients of a step, and from here on let Ctrl-C wait until the step is complete."""
        if self.clip_grad_norm is not None:
            self.grad_norm = clip_grad_norm_(self.model.parameters(), self.clip_grad_norm)
        self.interrupts.hold()

    def step_row(self, loss: float | None) -> dict[str, Any]:
        """What can be said of the last step, a dict.

        loss: as `steps` has yielded it.

        The keys: step, the number of optimiser steps so far; epoch, counted from 1; batch, how many of the epoch are
        done; loss, the step's mean loss, None on a GPU, where it has not been computed yet; lr, the learning rate, of
        the first parameter group; grad_norm, before clipping, None where gradients are not clipped and on a GPU.
        """
        return self._unread_row(loss) | {"grad_norm": self._norm() if loss is not None else None}

    def _unread_row(self, loss):
        done = -(-self.batch // self.accumulate)
        step = self.epoch * -(-len(self.loader) // self.accumulate) + done
        lr = self.optimizer.param_groups[0]["lr"]
        return {"step": step, "epoch": self.epoch + 1, "batch": self.batch, "loss": loss, "lr": lr}

    def _norm(self):
        return None if self.grad_norm is None else self.grad_norm.item()

    def record(self, loss: float | None) -> None:
        """Keep the row of the step just done for `recorded_steps`, if `recording`; loss: as in `step_row`."""
        if self.recording:
            self._rows.append(self._unread_row(loss) | {"grad_norm": self.grad_norm})

    def recorded_steps(self) -> list[dict[str, Any]]:
        """The rows of all steps since the last call, see `step_row`, with their losses on a GPU, too.

        Set `recording = True` first. Raises Diverged where a loss is NaN or infinite.
        """
        self._read_losses()
        rows, self._rows = self._rows, []
        read = {(epoch, batch): (images, loss) for epoch, batch, images, loss in self._batch_losses}
        self._batch_losses = []
        for row in rows:
            if row["loss"] is None:
                first, last = row["batch"] - (row["batch"] - 1) % self.accumulate, row["batch"]
                own = [read[row["epoch"], batch] for batch in range(first, last + 1)]
                row["loss"] = sum(n * loss for n, loss in own) / sum(n for n, _ in own)
            if row["grad_norm"] is not None:
                row["grad_norm"] = row["grad_norm"].item()
        return rows

    def _pictures_of_step(self):
        """The number of images in the step that begins at this batch; the last one of an epoch may have fewer."""
        size = self.loader.batch_size
        end = min((self.batch + self.accumulate) * size, len(self.loader) * size, len(self.loader.dataset))
        return end - self.batch * size

    def _read_losses(self, images=None, call=None):
        """Add the pending batches to the metrics; returns the loss of the last one. Raises Diverged.

        images, call: the images of the last batch and the generator's state before it, to compute it again.
        """
        unread, self._pending = self._pending, []
        done, value = self.batch + (images is not None), math.nan
        for number, (loss, logits, labels) in enumerate(unread, done - len(unread) + 1):
            value = loss.item()
            if not math.isfinite(value):
                if number == done and images is not None:
                    random.default_generator.call = call  # the same dropout again
                    fault = diagnose.first_fault(self.model, images)
                else:
                    lost = diagnose.nonfinite_tensors(self.model) or "no weight"
                    fault = f"seen after batch {done}, when {lost} had become NaN or inf"
                raise Diverged(f"the training loss became {value} in epoch {self.epoch + 1}, batch {number}: {fault}")
            self.running.add(value, logits.numpy(), labels)
            if self.recording:
                self._batch_losses.append((self.epoch + 1, number, len(labels), value))
        return value

    def check_weights(self) -> None:
        """Raises Diverged where a weight is NaN or infinite, so that the last good checkpoint is not replaced."""
        if lost := diagnose.nonfinite_tensors(self.model):
            raise Diverged(f"after {self.epoch} epochs and {self.batch} batches, {lost} became NaN or inf")

    def finish_epoch(self, validation: Iterable[tuple[Any, Array]] | None = None) -> dict[str, Any]:
        """Validate, step the schedule, and add the epoch's metrics to `history`.

        validation: an iterable of (images, labels), or None.

        Returns the metrics, a dict. Errors are shares of the images, from 0 to 1. The training loss and error are means
        over the epoch, with dropout and while the weights changed.
        Raises Diverged where a loss is NaN or infinite.
        """
        start = time.perf_counter()
        self._read_losses()
        trained, start = self.seconds + time.perf_counter() - start, time.perf_counter()
        row = {"epoch": self.epoch + 1, "train_loss": self.running.loss, "train_error": self.running.top1_error}
        watched = self.running.loss
        if validation is not None:
            result = validate(self.model, validation, f"the validation loss after epoch {self.epoch + 1}")
            row |= {"val_loss": result.loss, "val_top1_error": result.top1_error, "val_top5_error": result.top5_error}
            watched = result.loss
        row |= {
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": trained + time.perf_counter() - start,
            "images_per_second": self.running.pictures / max(trained, 1e-9),
        }
        with self.interrupts:
            self.interrupts.hold()  # an epoch, too, is counted whole or not at all
            if isinstance(self.schedule, optim.ReduceLROnPlateau):
                self.schedule.step(watched)
            elif self.schedule:
                self.schedule.step()
            self.history.append(row)
            self.epoch, self.batch, self.running, self.seconds = self.epoch + 1, 0, Metrics(), 0.0
        return row

    def state_dict(self) -> dict[str, Any]:
        """The state without the weights and the history, a dict of numbers, lists, dicts and arrays."""
        self._read_losses()
        generator = random.default_generator
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "running": asdict(self.running),
            "seconds": self.seconds,
            "generator": {"seed": generator.seed, "call": generator.call},
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state; also sets the default generator.

        state: a dict from `state_dict`.

        Raises ValueError, before anything is changed, where it is damaged, or does not fit the loader, the optimiser or
        the schedule.
        """
        read = schema.read(TrainerState, state)
        check_position(self, read)
        settings = [dict(group) for group in self.optimizer.param_groups]
        arrays = self.optimizer.state
        try:
            with naming("optimizer"):
                self.optimizer.load_state_dict(read["optimizer"])
            if self.schedule:
                with naming("schedule"):
                    self.schedule.load_state_dict(read["schedule"])
        except ValueError:
            self.optimizer.state = arrays
            for group, before in zip(self.optimizer.param_groups, settings, strict=True):
                group.update(before)
            raise
        self.epoch, self.batch, self.seconds = read["epoch"], read["batch"], read["seconds"]
        self.running = Metrics(**read["running"])
        random.manual_seed(read["generator"]["seed"]).call = read["generator"]["call"]
