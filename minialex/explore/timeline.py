"""A run through its training: the weights that it kept of some epochs, and how each of them sorts the test pictures."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np

from ..look.subject import CHANNELS, Subject
from ..nn import Module
from ..runs import kept, trained
from ..support.types import Array
from ..tensor import Tensor, no_grad
from .describing import describe

LARGEST_PAGE = 15_000_000  # bytes of a page with the weights of several epochs
MOST = 40  # epochs beside that which the page shows first
TESTED = 1000  # pictures, at most
BATCH = 50  # pictures computed together
SHOWN = 12  # pictures of a cell of the confusion matrix, at most
PIXELS = 1_200_000  # bytes of all of these pictures
ARRAYS = ("weight", "bias", "mean", "variance")  # of a layer that training changes


def of(subject: Subject, folder: Path, layers: list[dict[str, Any]], room: int) -> dict[str, Any] | None:
    """The kept epochs of a run as data for its page.

    subject: the run's network and data; the page shows its weights first.
    folder: of the run.
    layers: the network, as `describe` returns it.
    room: bytes that the page has for it; so many epochs are chosen, evenly, that they fit.

    Returns None where only the page's own epoch is kept, or fits; else a dict: `entries`, in order, each with its
    epoch, its weights by the number of the layer (None for those that the page has), and what it takes each picture
    for; `start`, the number of the entry that the page shows first; `note`, what was chosen; of the pictures the
    numbers in the test set, `tested`, how many that has, `of`, their `labels`, and of some the pixels, `pictures`, of
    which `most` are shown in a cell.
    Raises ValueError where kept weights are of another network, and as `splits` of the subject does.
    """
    files, own = kept.found(folder), len(subject.network.checkpoint.history)
    others = [epoch for epoch in files if epoch != own]
    pictures = min(PIXELS, room // 4)
    size = sum(
        len(layer[name]["data"] if isinstance(layer[name], dict) else layer[name]) for layer, name in _arrays(layers)
    )
    most = min(len(others), MOST, max(0, (room - 2 * pictures) // (size + 6 * TESTED)))
    taken = [others[k] for k in np.linspace(0, len(others) - 1, most).round().astype(int)]
    if not taken:
        return None
    models = {own: subject.network.model} | {epoch: _model(subject.network, files[epoch]) for epoch in taken}
    models = dict(sorted(models.items()))
    tested = _Tested(subject, models)
    entries = [
        {
            "epoch": epoch,
            "weights": None if epoch == own else _weights(model, layers[0]["output"]),
            "predicted": _integers(predicted),
        }
        for (epoch, model), predicted in zip(models.items(), tested.predicted)
    ]
    return {"entries": entries, "start": [*models].index(own), "note": _note(taken, others), **tested.data(pictures)}


def _arrays(layers):
    """(layer, name) of all arrays that training changes."""
    return [(layer, name) for layer in layers for name in ARRAYS if name in layer]


def _model(network, path):
    """The model of kept weights, in evaluation mode."""
    other = trained.load(path)
    mine, theirs = network.checkpoint, other.checkpoint
    if (theirs.model, theirs.arguments, theirs.classes) != (mine.model, mine.arguments, mine.classes):
        raise ValueError(f"{path} is of another network than {network.path}: remove it, or choose another run")
    return other.model


def _weights(model: Module, shape):
    """{number of the layer: its arrays}."""
    layers = describe(model, tuple(shape))
    return {
        n: {name: layer[name] for name in ARRAYS if name in layer} for n, layer in enumerate(layers) if _arrays([layer])
    }


def _note(taken, others):
    if len(taken) == len(others):
        return ""
    return f"{len(taken)} of the {len(others)} kept epochs, evenly chosen, so that this page stays small"


class _Tested:
    """What each of some models takes test pictures for.

    subject: for the data; at most TESTED of its test pictures are drawn, always the same ones.
    models: {epoch: a Module in evaluation mode}.
    """

    def __init__(self, subject, models):
        test = subject.splits.test
        self.subject, self.whole = subject, len(test)
        drawn = np.random.default_rng(0).permutation(len(test))[:TESTED]  # every second may be of every second class
        self.numbers = np.sort(drawn)
        to_logit = subject.network.columns(test.classes)
        labels, predicted = [], [[] for _ in models]
        for first in range(0, len(self.numbers), BATCH):
            images, own = test.fetch(self.numbers[first : first + BATCH])
            x = Tensor(subject.shown(images))
            labels.append(to_logit[own])
            with no_grad():
                for found, model in zip(predicted, models.values()):
                    found.append(model(x).numpy().argmax(1))
        self.labels, self.predicted = np.concatenate(labels), [np.concatenate(found) for found in predicted]

    def data(self, most):
        """Of the tested pictures the numbers, labels, and, of at most `most` bytes of them, the pixels."""
        side = self.subject.network.pipeline.input_size
        shown = self._shown(most // (CHANNELS * side**2))
        images = self.subject.cropped(self.subject.splits.test.fetch(self.numbers[shown])[0]) if shown else []
        pixels = [base64.b64encode(np.ascontiguousarray(image).tobytes()).decode() for image in images]
        return {
            "tested": _integers(self.numbers),
            "of": self.whole,
            "most": SHOWN,
            "labels": _integers(self.labels),
            "pictures": {int(k): text for k, text in zip(shown, pixels)},
        }

    def _shown(self, most):
        """Which of the tested pictures: those of every cell and epoch, first the first of each, then the second, ..."""
        cells = {}
        for epoch, predicted in enumerate(self.predicted):
            for k, cell in enumerate(zip(self.labels.tolist(), predicted.tolist())):
                cells.setdefault((epoch, cell), []).append(k)
        ranked = [members[rank] for rank in range(SHOWN) for members in cells.values() if rank < len(members)]
        return list(dict.fromkeys(ranked))[:most]


def _integers(numbers: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, "<i4").tobytes()).decode()
