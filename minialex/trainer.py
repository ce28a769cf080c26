"""The training loop, its metrics, and all the state that an exact resume needs."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass

import numpy as np

from . import functional, optim, random
from .tensor import Tensor, no_grad


class Diverged(ArithmeticError):
    """The loss is no longer a number: training cannot go on from here."""


def _quiet():
    """Weights that run away overflow first. Diverged says that in words, so NumPy need not warn as well."""
    return np.errstate(over="ignore", invalid="ignore")


@dataclass
class Metrics:
    """Running sums over the pictures seen so far; the properties are their means."""

    pictures: int = 0
    loss_sum: float = 0.0
    top1_errors: int = 0
    top5_errors: int = 0

    def add(self, loss, logits, labels):
        """Count one batch: its mean loss, its logits (N, C) and its labels (N,)."""
        rank = rank_of_label(logits, labels)
        self.pictures += len(labels)
        self.loss_sum += loss * len(labels)
        self.top1_errors += int((rank >= 1).sum())
        self.top5_errors += int((rank >= 5).sum())

    @property
    def loss(self):
        """Mean over the pictures, in nats."""
        return self.loss_sum / max(self.pictures, 1)

    @property
    def top1_error(self):
        """Share of the pictures whose class is not the first choice."""
        return self.top1_errors / max(self.pictures, 1)

    @property
    def top5_error(self):
        """Share of the pictures whose class is not among the first five."""
        return self.top5_errors / max(self.pictures, 1)


def rank_of_label(logits, labels):
    """How many classes stand before the right one: (N, C) and (N,) to (N,); 0 where the network is right.

    The top-k error is the share of pictures with a rank of k or more. Of equal logits the lower class comes
    first, as in argmax, so that a network that says the same to everything is right about one class only. A
    logit that is not a number counts as larger than any.
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    lower_class = np.arange(logits.shape[1]) < labels[:, None]
    return (~(logits <= own) | ((logits == own) & lower_class)).sum(1)


@no_grad()
def evaluate(model, batches):
    """Metrics of `model` over batches of (images, labels): dropout off, nothing learned."""
    was_training = model.training
    model.eval()
    metrics = Metrics()
    try:
        for images, labels in batches:
            with _quiet():
                logits = model(Tensor(images))
                loss = functional.cross_entropy(logits, labels)
            metrics.add(loss.item(), logits.numpy(), labels)
    finally:
        model.train(was_training)
    return metrics


def best_row(history):
    """The row with the lowest validation top-1 error; of several the one with the lowest loss."""
    return min(history, key=lambda row: (row["val_top1_error"], row["val_loss"]))


def parse_schedule(text):
    """("step", [30], 0.1) for "step:30": the kind, its whole numbers and gamma, which a last field may set.

    "constant"; "step:30", every 30 epochs; "multistep:8,9", after these epochs; "plateau:3", after more than 3
    epochs without a lower validation loss. "step:30:0.5" halves the rate where the others divide it by ten.
    ValueError for any other text.
    """
    kind, *fields = text.split(":")
    try:
        if kind == "constant" and not fields:
            return kind, [], 1.0
        numbers = [int(number) for number in fields[0].split(",")]
        gamma = float(fields[1]) if len(fields) == 2 else 0.1
        several = kind == "multistep"
        if (
            kind in ("step", "multistep", "plateau")
            and len(fields) <= 2
            and 0 < gamma < 1
            and (several or len(numbers) == 1)
            and min(numbers) >= 1
        ):
            return kind, numbers, gamma
    except (ValueError, IndexError):
        pass
    raise ValueError(
        f"'{text}' is no schedule; there are constant, step:EPOCHS, multistep:EPOCH,EPOCH,... and "
        "plateau:EPOCHS, each of the last three with an optional factor below 1, as in step:30:0.1"
    )


def make_schedule(text, optimizer):
    """The schedule that `text` names, see parse_schedule; None for "constant"."""
    kind, numbers, gamma = parse_schedule(text)
    if kind == "step":
        return optim.StepLR(optimizer, numbers[0], gamma)
    if kind == "multistep":
        return optim.MultiStepLR(optimizer, numbers, gamma)
    if kind == "plateau":
        return optim.ReduceLROnPlateau(optimizer, factor=gamma, patience=numbers[0])
    return None


class Trainer:
    """A model in training: stochastic gradient descent over a Loader, epoch after epoch.

        while trainer.epoch < epochs:
            for loss in trainer.batches():       # one step each
                ...                              # a safe place to save, or to stop
            trainer.finish_epoch(validation.epoch())

    `epoch` counts the finished ones, `batch` the steps of the one in progress, `history` has a row of metrics
    for each finished one. `state_dict()` at any safe place, loaded into a new Trainer of the same
    arguments, goes on bit for bit as if nothing had happened.
    """

    def __init__(self, model, optimizer, schedule, loader):
        self.model, self.optimizer, self.schedule, self.loader = model, optimizer, schedule, loader
        self.epoch, self.batch, self.history = 0, 0, []
        self.running, self.seconds = Metrics(), 0.0

    def batches(self):
        """Train on what is left of this epoch; yields the loss of each batch. Diverged if one is not finite."""
        self.model.train()
        start = time.perf_counter()
        for images, labels in self.loader.epoch(self.epoch, start_batch=self.batch):
            with _quiet():
                logits = self.model(Tensor(images))
                loss = functional.cross_entropy(logits, labels)
            value = loss.item()
            if not math.isfinite(value):
                raise Diverged(
                    f"the training loss became {value} in epoch {self.epoch + 1}, batch {self.batch + 1}: "
                    "the weights have run away; try a lower --lr"
                )
            with _quiet():
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()

            self.batch += 1
            self.running.add(value, logits.numpy(), labels)
            self.seconds += time.perf_counter() - start
            yield value
            start = time.perf_counter()

    def finish_epoch(self, validation=None):
        """Validate, step the schedule, and return the epoch's row of metrics.

        validation: batches of (images, labels), or None. Errors are shares of the pictures, from 0 to 1. The
        training loss and error are the means over the epoch while the weights changed, dropout and all.
        """
        trained, start = self.seconds, time.perf_counter()
        row = {"epoch": self.epoch + 1, "train_loss": self.running.loss, "train_error": self.running.top1_error}
        watched = self.running.loss
        if validation is not None:
            result = evaluate(self.model, validation)
            if not math.isfinite(result.loss):
                raise Diverged(
                    f"the validation loss became {result.loss} after epoch {self.epoch + 1}: "
                    "the weights have run away; try a lower --lr"
                )
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
        self.epoch, self.batch, self.seconds = state["epoch"], state["batch"], state["seconds"]
        self.running = Metrics(**state["running"])
        random.manual_seed(state["generator"]["seed"]).call = state["generator"]["call"]
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
