"""Predictions and error rates: of a network in training, and of trained networks, alone or averaged.

    p(class | picture) = mean over networks and views of softmax(logits)

Probabilities are averaged, not logits, as in section 4.1 of the 2012 paper. They are kept as logarithms in float64:
the loss of a class with a probability of e^-800 is 800, where the probability itself would be 0.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

from .. import backends, functional
from ..nn.more import evaluating
from ..tensor import Tensor, no_grad
from . import diagnose


class Diverged(ArithmeticError):
    """The loss, or a weight, became NaN or infinite: training cannot go on from here."""

    def __init__(self, what):
        super().__init__(f"{what}; try a lower learning rate (lr=...), smaller initial weights, or normalised pictures")


class NotFinite(ArithmeticError):
    """A network's logits are NaN or infinite: nothing can be predicted with its weights."""


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
    first, as in argmax, so that a network with the same answer to everything is right about one class only. A NaN
    counts as larger than any logit.
    """
    own = logits[np.arange(len(labels)), labels][:, None]
    lower_class = np.arange(logits.shape[1]) < labels[:, None]
    return (~(logits <= own) | ((logits == own) & lower_class)).sum(1)


@dataclass
class Evaluation(Metrics):
    """Metrics, and what they were counted from: logits (N, C) and labels (N,), in the order of the pictures."""

    logits: np.ndarray = field(kw_only=True)
    labels: np.ndarray = field(kw_only=True)


@no_grad()
def validate(model, batches, what="the loss"):
    """The Evaluation of `model` over batches of (images, labels): dropout off, nothing learned.

    Diverged if the loss of a batch is not finite; it calls the loss `what`.
    """
    metrics, outputs = Metrics(), []
    with evaluating(model):
        for images, labels in backends.get_backend().upload(batches):
            with diagnose.quiet():
                logits = model(Tensor(images))
                loss = functional.cross_entropy(logits, labels).item()
            if not math.isfinite(loss):
                fault = diagnose.first_fault(model, images)
                raise Diverged(f"{what} became {loss} in batch {len(outputs) + 1}: {fault}")
            metrics.add(loss, logits.numpy(), labels)
            outputs.append((logits.numpy(), labels))
    logits, labels = (np.concatenate(arrays) for arrays in zip(*outputs))
    return Evaluation(**asdict(metrics), logits=logits, labels=labels)


class Predictions(NamedTuple):
    """What was predicted for N pictures; every field is an array (N,), in the order of the pictures.

    labels: the true classes; predicted: the likeliest ones; rank: how many classes stand before the true one;
    log_true, log_predicted: ln of the probability of the true class, and of the predicted one.
    """

    labels: np.ndarray
    predicted: np.ndarray
    rank: np.ndarray
    log_true: np.ndarray
    log_predicted: np.ndarray

    @classmethod
    def of(cls, log_p, labels):
        """From the ln of probabilities (n, C) and the labels (n,)."""
        rows, predicted = np.arange(len(labels)), log_p.argmax(1)
        return cls(labels, predicted, rank_of_label(log_p, labels), log_p[rows, labels], log_p[rows, predicted])

    @property
    def loss(self):
        """Mean of -ln p(true class), in nats."""
        return float(-self.log_true.mean())

    @property
    def top1_error(self):
        """Share of the pictures whose class is not the first choice."""
        return float((self.rank >= 1).mean())

    @property
    def top5_error(self):
        """Share of the pictures whose class is not among the first five."""
        return float((self.rank >= 5).mean())

    def mistakes(self):
        """Indices of the pictures whose class was not predicted, the one with the largest loss first."""
        wrong = np.flatnonzero(self.rank >= 1)
        return wrong[np.argsort(self.log_true[wrong], kind="stable")]


@no_grad()
def log_probabilities(trained, images, views=1):
    """ln of the probability of each class, float64 (n, C), for pictures (n, C, H, W) of values from 0 to 255.

    trained: a trained.Trained; views: 1 or 10, whose probabilities are averaged. NotFinite where logits are not.
    """
    shown = trained.pipeline.views(images, views)
    batch = shown.reshape(-1, *shown.shape[2:])
    with diagnose.quiet():
        logits = trained.model(Tensor(batch)).numpy().astype(np.float64)
    if not np.isfinite(logits).all():
        fault = diagnose.first_fault(trained.model, batch)
        raise NotFinite(f"{trained.path} gives logits that are not finite: {fault}; train it again, or take another")
    log_p = logits - _log_sum_exp(logits, axis=1)
    return log_mean(log_p.reshape(len(shown), len(images), -1))


def log_mean(log_p):
    """(K, n, C) -> (n, C): ln of the mean over the first axis of exp(log_p)."""
    return (_log_sum_exp(log_p, axis=0) - np.log(len(log_p)))[0]


def _log_sum_exp(x, axis):
    peak = x.max(axis, keepdims=True)
    return peak + np.log(np.exp(x - peak).sum(axis, keepdims=True))


def evaluate(networks, batches, classes, views=1):
    """The Predictions of each network over batches of (pictures, labels), and at the end those of their average.

    networks: some trained.Trained; classes: what the labels mean. A single network is its own average. ValueError
    for a network that knows other classes.
    """
    columns = [network.columns(classes) for network in networks]
    parts: list[list] = []
    for images, labels in batches:
        each = [log_probabilities(n, images, views)[:, order] for n, order in zip(networks, columns)]
        average = log_mean(np.stack(each))
        parts.append([Predictions.of(log_p, labels) for log_p in (*each, average)])
    return [Predictions(*map(np.concatenate, zip(*of_one))) for of_one in zip(*parts)]


def by_class(verdicts, classes):
    """A row (dict) for every class: its pictures and errors, and how far it can be believed where it is predicted.

    predicted: pictures that it was predicted to; precision: the share of those that are of it; mistaken_for, times: the
    class most often predicted instead, and how often. None where there is nothing to divide, or no mistake.
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
