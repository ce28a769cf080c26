"""The training loop, and all the state that an exact resume needs."""

from __future__ import annotations

import math
import time
from dataclasses import asdict

from .. import backends, functional, optim, random
from ..tensor import Tensor
from . import diagnose
from .evaluation import Diverged, Metrics, validate


def best_row(history):
    """The row with the lowest validation top-1 error; of several the one with the lowest loss."""
    return min(history, key=lambda row: (row["val_top1_error"], row["val_loss"]))


class Trainer:
    """A model in training: stochastic gradient descent over a Loader, epoch after epoch.

        while trainer.epoch < epochs:
            for loss in trainer.steps():
                ...                              # a safe place to save, or to stop
            trainer.finish_epoch(validation.epoch())

    accumulate: how many batches make a step, whose gradient is that of the mean loss over all their pictures.
    freezing: [(epochs done before, modules)], frozen from then on: no gradient, no decay, no drift of momentum, and
    the behaviour of evaluation.
    `epoch` counts the finished ones, `batch` the batches of the one in progress, `history` has a row of metrics
    for each finished one. `state_dict()` at any safe place, loaded into a new Trainer of the same
    arguments, goes on bit for bit as if nothing had happened.
    """

    def __init__(self, model, optimizer, schedule, loader, accumulate=1, freezing=()):
        self.model, self.optimizer, self.schedule, self.loader = model, optimizer, schedule, loader
        self.accumulate, self.freezing = accumulate, freezing
        self.epoch, self.batch, self.history = 0, 0, []
        self.running, self.seconds = Metrics(), 0.0
        self._pending: list = []  # (loss, logits, labels) of batches that nobody has looked at yet

    def steps(self):
        """Train on what is left of this epoch; yields the mean loss of each step. Diverged if one is not finite.

        On a GPU, which computes while the next step is being prepared, losses are read every `sync_every` batches
        of its backend, and what is yielded is None.
        """
        self.model.train()
        for module in (module for epoch, modules in self.freezing if self.epoch >= epoch for module in modules):
            module.requires_grad_(False).eval()
        backend = backends.get_backend()
        start, awaited = time.perf_counter(), 0  # pictures that the step under way still waits for
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
                    self.optimizer.step()
                self.seconds += time.perf_counter() - start
                yield sum(weight * loss for weight, loss in losses) if backend.sync_every == 1 else None
                start = time.perf_counter()

    def _pictures_of_step(self):
        """Of the step that begins at this batch; the last one of an epoch may have fewer."""
        size = self.loader.batch_size
        end = min((self.batch + self.accumulate) * size, len(self.loader) * size, len(self.loader.dataset))
        return end - self.batch * size

    def _read_losses(self, images=None, call=None):
        """Count the batches that nobody has looked at; the last one's loss. Diverged if one is not finite.

        images, call: of the batch under way, if it is the last one: it can then be computed again.
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
        return value

    def check_weights(self):
        """Diverged if a weight is not finite: such weights must not take the place of the last good ones."""
        if lost := diagnose.nonfinite_tensors(self.model):
            raise Diverged(f"after {self.epoch} epochs and {self.batch} batches, {lost} became NaN or inf")

    def finish_epoch(self, validation=None):
        """Validate, step the schedule, and return the epoch's row of metrics.

        validation: batches of (images, labels), or None. Errors are shares of the pictures, from 0 to 1. The
        training loss and error are the means over the epoch while the weights changed, dropout and all.
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
        if isinstance(self.schedule, optim.ReduceLROnPlateau):
            self.schedule.step(watched)
        elif self.schedule:
            self.schedule.step()
        self.history.append(row)
        self.epoch, self.batch, self.running, self.seconds = self.epoch + 1, 0, Metrics(), 0.0
        return row

    def state_dict(self):
        """Everything but the weights and the history: numbers, lists, dicts and arrays."""
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

    def load_state_dict(self, state):
        """Stand where `state` was taken; the default generator too."""
        if not 0 <= state["batch"] <= len(self.loader):
            raise ValueError(f"it stands at batch {state['batch']} of an epoch that has {len(self.loader)}")
        self.epoch, self.batch, self.seconds = state["epoch"], state["batch"], state["seconds"]
        self.running = Metrics(**state["running"])
        random.manual_seed(state["generator"]["seed"]).call = state["generator"]["call"]
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
