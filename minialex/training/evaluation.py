"""Predictions and error rates: of a network in training, and of trained networks, alone or averaged.

    p(class | image) = mean over networks and views of softmax(logits)

Probabilities are averaged, not logits, as in section 4.1 of the 2012 paper. They are stored as logarithms in float64:
a class with a probability of e^-800 has a loss of 800, although the probability itself would be rounded to 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np

from .. import backends, functional
from ..nn import Module
from ..nn.more import evaluating
from ..support.schema import AtLeast, Below, Finite
from ..support.types import Array
from ..tensor import Tensor, no_grad
from . import diagnose


class Diverged(ArithmeticError):
    """The loss or a weight became NaN or infinite, so training cannot continue; what: a sentence that says which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; try a lower learning rate (lr=...), smaller initial weights or normalised pictures")


class NotFinite(ArithmeticError):
    """A network's logits are NaN or infinite, so it cannot make predictions."""


_Count: TypeAlias = Annotated[int, AtLeast(0), Below(2**63)]


@dataclass
class Metrics:
    """Sums over the images seen so far; the properties are their means.

    pictures: the number of images.
    loss_sum: the sum of their losses, in nats.
    top1_errors, top5_errors: images whose class is not the first choice, or not among the first five.
    """

    pictures: _Count = 0
    loss_sum: Annotated[float, Finite()] = 0.0
    top1_errors: _Count = 0
    top5_errors: _Count = 0

    def add(self, loss: float, logits: Array, labels: Array) -> None:
        """Add a batch.

        loss: its mean loss, in nats.
        logits: (N, C).
        labels: (N,).
        """
        rank = rank_of_label(logits, labels)
        self.pictures += len(labels)
        self.loss_sum += loss * len(labels)
        self.top1_errors += int((rank >= 1).sum())
        self.top5_errors += int((rank >= 5).sum())

    @property
    def loss(self) -> float:
        """Mean loss, in nats."""
        return self.loss_sum / max(self.pictures, 1)

    @property
    def top1_error(self) -> float:
        """Share of the images whose class is not the first choice."""
        return self.top1_errors / max(self.pictures, 1)

    @property
    def top5_error(self) -> float:
        """Share of the images whose class is not among the first five."""
        return self.top5_errors / max(self.pictures, 1)


def rank_of_label(logits: Array, labels: Array) -> Array:
    """The rank of the true class: how many classes have a larger logit; 0 where the network is right.

    logits: (N, C).
    labels: the true classes, (N,).

    The top-k error is the share of images with a rank of k or more. Of equal logits the lower class ranks first, as in
    argmax, so that a network with constant logits is right for one class only. NaN ranks before any number.

    Returns integers (N,).
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    lower_class = np.arange(logits.shape[1]) < labels[:, None]
    return (~(logits <= own) | ((logits == own) & lower_class)).sum(1)


@dataclass
class Evaluation(Metrics):
    """Metrics, with the logits (N, C) and labels (N,) that they are of, in the order of the images."""

    logits: np.ndarray = field(kw_only=True)
    labels: np.ndarray = field(kw_only=True)


@no_grad()
def validate(model: Module, batches: Iterable[tuple[Any, Array]], what: str = "the loss") -> Evaluation:
    """Evaluate a model on labelled batches, in evaluation mode.

    model: a Module.
    batches: an iterable of (images (n, C, H, W), labels (n,)).
    what: the name of the loss in an error message.

    Returns an Evaluation.
    Raises Diverged where the loss of a batch is NaN or infinite.
    """
    metrics, outputs, unread = Metrics(), [], []
    backend = backends.get_backend()

    def read(images=None):
        """Wait for the unread batches: their losses and logits. images: of the last of them, to find a fault in."""
        for number, (loss, logits, labels) in enumerate(unread, 1):
            value, logits = loss.item(), logits.numpy()
            if not math.isfinite(value):
                if images is not None and number == len(unread):
                    fault = diagnose.first_fault(model, images)
                else:
                    lost = diagnose.nonfinite_tensors(model)
                    fault = f"{lost} became NaN or inf in an earlier step" if lost else "all weights are finite"
                raise Diverged(f"{what} became {value} in batch {len(outputs) + 1}: {fault}")
            metrics.add(value, logits, labels)
            outputs.append((logits, labels))
        unread.clear()

    with evaluating(model):
        for images, labels in backend.upload(batches):
            with diagnose.quiet():
                logits = model(Tensor(images))
                unread.append((functional.cross_entropy(logits, labels), logits, labels))
            if len(unread) >= backend.sync_every:
                read(images)
        read()
    all_logits, all_labels = (np.concatenate(arrays) for arrays in zip(*outputs))
    return Evaluation(**asdict(metrics), logits=all_logits, labels=all_labels)


class Predictions(NamedTuple):
    """Predictions for N images; every field is an array (N,), in the order of the images.

    labels: the true classes.
    predicted: the most probable classes.
    rank: how many classes are more probable than the true one, see `rank_of_label`.
    log_true, log_predicted: log-probabilities of the true and of the predicted class.
    """

    labels: np.ndarray
    predicted: np.ndarray
    rank: np.ndarray
    log_true: np.ndarray
    log_predicted: np.ndarray

    @classmethod
    def of(cls, log_p: Array, labels: Array) -> Predictions:
        """The Predictions from log-probabilities `log_p` (n, C) and `labels` (n,)."""
        rows, predicted = np.arange(len(labels)), log_p.argmax(1)
        return cls(labels, predicted, rank_of_label(log_p, labels), log_p[rows, labels], log_p[rows, predicted])

    @property
    def loss(self) -> float:
        """Mean of -ln p(true class), in nats."""
        return float(-self.log_true.mean())

    @property
    def top1_error(self) -> float:
        """Share of the images whose class is not the first choice."""
        return float((self.rank >= 1).mean())

    @property
    def top5_error(self) -> float:
        """Share of the images whose class is not among the first five."""
        return float((self.rank >= 5).mean())

    def mistakes(self) -> Array:
        """Indices of the misclassified images, the largest loss first."""
        wrong = np.flatnonzero(self.rank >= 1)
        return wrong[np.argsort(self.log_true[wrong], kind="stable")]


@no_grad()
def log_probabilities(trained: Any, images: Array, views: int = 1) -> Array:
    """Log-probabilities of all classes, for a batch of images.

    trained: a runs.trained.Trained.
    images: (n, 3, H, W), from 0 to 255.
    views: 1, the centre crop, or 9 or 10 crops whose probabilities are averaged, see Pipeline.

    Returns float64 (n, C).
    Raises NotFinite where logits are NaN or infinite.
    """
    batch = _inputs(trained.pipeline, images, views)
    with diagnose.quiet():
        logits = trained.model(Tensor(batch)).numpy().astype(np.float64)
    if not np.isfinite(logits).all():
        fault = diagnose.first_fault(trained.model, batch)
        raise NotFinite(f"{trained.path} computes NaN or infinite logits: {fault}; train it again, or use another")
    log_p = logits - _log_sum_exp(logits, axis=1)
    return log_mean(log_p.reshape(-1, len(images), log_p.shape[1]))


def views_of(pipeline: Any, images: Array, views: int) -> Array:
    """The network's inputs for the views of each image, float32 (views, n, C, side, side).

    pipeline: a data.pipeline.Pipeline.
    images: (n, C, H, W), from 0 to 255.
    views: 1, 9 or 10, see `log_probabilities`.

    Raises ValueError for another number, or images smaller than the network's input.
    """
    return pipeline.nine_views(images) if views == 9 else pipeline.views(images, views)


def _inputs(pipeline, images, views):
    """The views in one batch, one after the other; made where the backend computes if it takes bytes, and these are."""
    backend = backends.get_backend()
    if backend.takes_bytes and views != 9:
        with np.errstate(invalid="ignore"):
            pixels = np.asarray(images).astype(np.uint8)
        raw = pipeline.raw_views(pixels, views) if (pixels == images).all() else None
        if raw:
            [(batch, _)] = backend.upload([(raw, None)])
            return batch
    shown = views_of(pipeline, images, views)
    return shown.reshape(-1, *shown.shape[2:])


def log_mean(log_p: Array) -> Array:
    """Log of the mean of probabilities over the first axis: `log_p` (K, n, C) -> (n, C)."""
    return (_log_sum_exp(log_p, axis=0) - np.log(len(log_p)))[0]


def _log_sum_exp(x, axis):
    peak = x.max(axis, keepdims=True)
    return peak + np.log(np.exp(x - peak).sum(axis, keepdims=True))


def evaluate(
    networks: Sequence[Any], batches: Iterable[tuple[Any, Array]], classes: Sequence[str], views: int = 1
) -> list[Predictions]:
    """Evaluate trained networks, and the average of their probabilities, on labelled batches.

    networks: a list of runs.trained.Trained.
    batches: an iterable of (images (n, 3, H, W) from 0 to 255, labels (n,)).
    classes: the names of the labels' classes.
    views: see `log_probabilities`.

    Returns a list of Predictions, one for each network and one for their average.
    Raises ValueError for a network with other classes.
    """
    columns = [network.columns(classes) for network in networks]
    parts: list[list] = []
    for images, labels in batches:
        each = [log_probabilities(n, images, views)[:, order] for n, order in zip(networks, columns)]
        average = log_mean(np.stack(each))
        parts.append([Predictions.of(log_p, labels) for log_p in (*each, average)])
    return [Predictions(*map(np.concatenate, zip(*of_one))) for of_one in zip(*parts)]


def by_class(verdicts: Predictions, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Errors and precision of each class.

    verdicts: Predictions.
    classes: the names of the classes.

    Returns a list with a dict for each class:

        class, pictures                 its name, and the number of its images
        top1_error, top5_error, loss    over its images
        predicted, precision            images predicted as this class, and the share of them that are of this class
        mistaken_for, times             the class most often predicted instead, and how often

    A value is None where it would be divided by 0, or where there is no mistake.
    """
    count = len(classes)
    table = np.zeros((count, count), np.int64)  # true class, class predicted
    np.add.at(table, (verdicts.labels, verdicts.predicted), 1)
    pictures, predicted, right = table.sum(1), table.sum(0), np.diagonal(table).copy()
    top5 = np.bincount(verdicts.labels, verdicts.rank >= 5, count)
    loss = np.bincount(verdicts.labels, -verdicts.log_true, count)
    np.fill_diagonal(table, 0)
    rival, times = table.argmax(1), table.max(1)
    rows = []
    for c, name in enumerate(classes):
        n = int(pictures[c])
        rows.append(
            {
                "class": name,
                "pictures": n,
                "top1_error": float((n - right[c]) / n) if n else None,
                "top5_error": float(top5[c] / n) if n else None,
                "loss": float(loss[c] / n) if n else None,
                "predicted": int(predicted[c]),
                "precision": float(right[c] / predicted[c]) if predicted[c] else None,
                "mistaken_for": classes[rival[c]] if times[c] else None,
                "times": int(times[c]),
            }
        )
    return rows
