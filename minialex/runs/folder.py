"""The folder that a training run leaves: configuration, metrics, figures and checkpoints."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import platform
import time
from pathlib import Path

import numpy as np

from .. import __version__
from ..support import files
from . import checkpoint
from .configuration import Configuration

COLUMNS = (
    "epoch",
    "train_loss",
    "train_error",
    "val_loss",
    "val_top1_error",
    "val_top5_error",
    "lr",
    "seconds",
    "images_per_second",
)
SAVE_EVERY = 300  # seconds between checkpoints within an epoch
LAYER_COLUMNS = ("epoch", "layer", "activation", "dead", "gradient", "update")  # of diagnose.measure
DRAW_EVERY = 30  # seconds between figures: drawing takes about one


class RunFolder:
    """`config.json`, `metrics.csv`, `last.npz`, `best.npz` and the figures in one folder.

    Each file is replaced as a whole, so a run may be killed, or looked at, at any moment.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.last, self.best = self.path / "last.npz", self.path / "best.npz"
        self._saved = self._drawn = time.monotonic()

    @classmethod
    def create(cls, path):
        """A new folder, made when the first file is written; FileExistsError if there is something in it already."""
        folder = cls(path)
        if folder.path.is_file() or (folder.path.is_dir() and {*folder.path.iterdir()} - {*files.leftovers(path)}):
            raise FileExistsError(
                f"{path} exists and is not empty: choose another folder, out=..., "
                f"or go on with the run in it, resume={path}"
            )
        return folder

    @classmethod
    def open(cls, path):
        """The folder of an earlier run; FileNotFoundError if there is none at `path`."""
        folder = cls(path)
        if not folder.path.is_dir():
            raise FileNotFoundError(f"there is no run folder {path}")
        if not (folder.path / "config.json").is_file():
            raise FileNotFoundError(f"{path} is not the folder of a training run: it has no config.json")
        for leftover in files.leftovers(path):
            leftover.unlink()
        return folder

    def write_configuration(self, configuration):
        """Write the Configuration to config.json, with the versions at work."""
        versions = {"python": platform.python_version(), "numpy": np.__version__, "minialex": __version__}
        text = json.dumps(configuration.to_dict() | {"versions": versions}, indent=2)
        self.path.mkdir(parents=True, exist_ok=True)
        files.write_text(self.path / "config.json", text + "\n")

    def read_configuration(self):
        """The Configuration that was written; ValueError that names the file where there is none."""
        path = self.path / "config.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is damaged: it is no JSON ({error})") from error
        if not isinstance(values, dict) or "versions" not in values:
            raise ValueError(f"{path} is damaged: it is no configuration with the versions that wrote it")
        del values["versions"]
        try:
            return Configuration.from_dict(values)
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error})") from error

    def save(self, snapshot):
        """Write `last.npz`."""
        checkpoint.save(self.last, snapshot)
        self._saved = time.monotonic()

    def save_is_due(self):
        return time.monotonic() - self._saved >= SAVE_EVERY

    def save_best(self, snapshot):
        """Write `best.npz`: for use, not for training on, so without the optimiser's arrays."""
        checkpoint.save(self.best, dataclasses.replace(snapshot, trainer_state={}))

    def write_metrics(self, history):
        """Write metrics.csv, a line for each row, and diagnose.csv, a line for each layer of those that have `layers`.

        Every number with all its digits; what is missing is left empty.
        """
        self._write_table("metrics.csv", COLUMNS, history)
        if layers := [{"epoch": row["epoch"]} | layer for row in history for layer in row.get("layers", ())]:
            self._write_table("diagnose.csv", LAYER_COLUMNS, layers)

    def _write_table(self, name, columns, rows):
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        files.write_text(self.path / name, text.getvalue())

    def draw(self, history, model, *, now=False):
        """Draw the figures: at most every DRAW_EVERY seconds, unless it must be now."""
        if not now and time.monotonic() - self._drawn < DRAW_EVERY:
            return
        from .. import plotting  # Matplotlib takes a second to import

        if history:
            plotting.curves(history, self.path / "curves.png")
        convolutions = [p.numpy() for p in model.parameters() if len(p.shape) == 4]
        if convolutions:
            plotting.filters(convolutions[0], self.path / "filters.png")
        if any("layers" in row for row in history):
            plotting.diagnosis(history, self.path / "diagnose.png")
        self._drawn = time.monotonic()

    def draw_test(self, dataset, evaluation):
        """Draw the figures of the test: `evaluation` is of the pictures of `dataset`, in their order."""
        from .. import plotting

        predicted = evaluation.logits.argmax(1)
        plotting.predictions(dataset, evaluation.logits, self.path / "predictions.png")
        plotting.confusion(evaluation.labels, predicted, dataset.classes, self.path / "confusion.png")
