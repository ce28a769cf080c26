"""A training that draws itself while it runs, in one output of a notebook's cell: curves, filters, confusion."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from .. import backends
from ..nn import Conv2d, Module
from ..nn.more import evaluating
from ..support import html, progress
from ..support.types import Array
from ..tensor import Tensor, no_grad
from . import live_figures

EVERY = 1.0  # seconds between two drawings
SHARE = 20  # times as long as drawing takes, at least, is not drawn: at most a twentieth of the time
TESTED = 200  # pictures of the confusion matrix, at most
ELSEWHERE = "the training is drawn in the output of a notebook's cell only: here it goes on without that"


class Live:
    """Draws a training in a notebook's cell, in place, at most every second and in a twentieth of the time.

        with Live(model, validation, classes) as live:
            trainer.fit(10, validation, on_step=live.on_step, on_epoch=live.on_epoch)

        with Live(model) as live:                        # in a loop of one's own
            for images, labels in loader:
                ...
                live.step(loss)

    model: the Module that is trained; it is drawn, and never changed.
    test: pictures for the confusion matrix, a data.Loader or a list of (images, labels), of which the first 200 are
        used; None for no confusion matrix.
    classes: names of the classes; numbers by default.
    every: seconds between two drawings, at least.

    At the end of the `with` block the last state is drawn. Outside a notebook one line on stderr says that nothing is.
    """

    def __init__(
        self, model: Module, test: Any = None, classes: Sequence[str] | None = None, *, every: float = EVERY
    ) -> None:  # fmt: skip
        self.model, self.classes, self.every = model, classes, every
        self.losses: list[float] = []  # of each step
        self.rows: list[tuple[int, dict[str, Any]]] = []  # (steps done, metrics) of each epoch
        self._handle: Any = None
        self._due, self._took = 0.0, 0.0
        self._shown = progress.form() == progress.NOTEBOOK
        self._test: Any = _some(test) if self._shown and test is not None else None
        if progress.form() not in (progress.NOTEBOOK, None):
            progress.write(ELSEWHERE, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not (self.losses or self.rows):
            return
        try:
            self.draw()
        except Exception:
            if error is None:  # or else it would hide what has ended the loop
                raise

    def on_step(self, trainer: Any, row: dict[str, Any]) -> None:
        """For Trainer.fit. trainer: the Trainer; row: of Trainer.step_row."""
        self.step(math.nan if row["loss"] is None else row["loss"])

    def on_epoch(self, trainer: Any, row: dict[str, Any]) -> None:
        """For Trainer.fit. trainer: the Trainer; row: of Trainer.history."""
        self.epoch(row)

    def step(self, loss: Any) -> None:
        """Note the loss of a step, a number or a Tensor of one, and draw if that is due; NaN where it is not known."""
        self.losses.append(float(loss.item() if hasattr(loss, "item") else loss))
        if time.monotonic() >= self._due:
            self.draw()

    def epoch(self, row: dict[str, Any]) -> None:
        """Note the metrics of an epoch, and draw, if that takes little.

        row: a dict with some of train_loss, train_error, val_loss and val_top1_error; errors are shares.
        """
        self.rows.append((len(self.losses), row))
        if time.monotonic() >= self._due - self.every:
            self.draw()

    def draw(self) -> None:
        """Draw what is known now."""
        if not self._shown:
            return
        start = time.monotonic()
        self._show(self.as_html())
        end = time.monotonic()
        self._due = end + self.every + SHARE * (end - start)

    def as_html(self) -> str:
        """What is drawn."""
        parts = [live_figures.losses(self.losses, self.rows), live_figures.accuracies(self.rows)]
        weight = first_filters(self.model)
        parts += [live_figures.filters(weight)] if weight is not None else []
        parts += [live_figures.confusion(self._confusion(), self.classes)] if self._test else []
        row = "".join(f'<div style="margin:0 24px 8px 0">{part}</div>' for part in parts if part)
        return html.block(self._heading(), f'<div style="display:flex;flex-wrap:wrap">{row}</div>')

    def _heading(self):
        known = [loss for loss in self.losses[-1:] if math.isfinite(loss)]
        words = [f"step {len(self.losses):,}", *(f"loss {loss:.4f}" for loss in known)]
        done = f"{len(self.rows)} epoch{'s' if len(self.rows) > 1 else ''} done"
        return ", ".join([done, *words] if self.rows else words)

    def _confusion(self):
        """(C, C): how many pictures of each class are taken for each."""
        images, labels = self._test
        with evaluating(self.model), no_grad():
            logits = np.concatenate([self.model(Tensor(x)).numpy() for x in images])
        counts = np.zeros((logits.shape[1],) * 2, int)
        np.add.at(counts, (labels, np.nan_to_num(logits).argmax(1)), 1)
        return counts

    def _show(self, text):
        from IPython.display import display

        bundle = {"text/html": text, "text/plain": self._heading()}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _some(test):
    """(batches of images, labels) of the first pictures of a Loader or of batches; ValueError without any."""
    images, labels, count = [], [], 0
    for x, own in backends.get_backend().upload(test.epoch() if hasattr(test, "epoch") else test):
        x, own = x[: TESTED - count], np.asarray(own)[: TESTED - count]
        images.append(x)
        labels.append(own)
        count += len(own)
        if count >= TESTED:
            break
    if not images:
        raise ValueError("test holds no pictures: give a Loader or a list with at least one batch, or None")
    return images, np.concatenate(labels)


def first_filters(model: Module) -> Array | None:
    """The weight of a network's first convolution, (O, C, h, w); None without one."""
    weights = (layer.weight.numpy() for layer in model.modules() if isinstance(layer, Conv2d))
    return next(weights, None)
