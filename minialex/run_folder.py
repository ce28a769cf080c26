"""The folder that a training run leaves: configuration, metrics, figures and checkpoints."""

from __future__ import annotations

import csv
import io
import json
import platform
import time
from pathlib import Path

import numpy as np

from . import __version__, checkpoint, files

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
DRAW_EVERY = 30  # seconds between figures: drawing takes about one


class RunFolder:
    """`config.json`, `metrics.csv`, `curves.png`, `filters.png`, `last.npz` and `best.npz` in one folder.

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
        if folder.path.is_file() or (folder.path.is_dir() and any(folder.path.iterdir())):
            raise FileExistsError(
                f"{path} exists and is not empty: choose another --out, "
                f"or go on with the run in it with --resume {path}"
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
        return folder

    def write_configuration(self, configuration):
        """Write the dict to config.json, with the versions at work."""
        versions = {"python": platform.python_version(), "numpy": np.__version__, "minialex": __version__}
        text = json.dumps(configuration | {"versions": versions}, indent=2)
        self.path.mkdir(parents=True, exist_ok=True)
        files.write_text(self.path / "config.json", text + "\n")

    def read_configuration(self, from_dict):
        """What from_dict makes of the dict that write_configuration wrote; ValueError if there is no such dict."""
        path = self.path / "config.json"
        try:
            configuration = json.loads(path.read_text(encoding="utf-8"))
            del configuration["versions"]
            return from_dict(configuration)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error!r})") from error

    def save(self, snapshot):
        """Write `last.npz`."""
        checkpoint.save(self.last, snapshot)
        self._saved = time.monotonic()

    def save_is_due(self):
        return time.monotonic() - self._saved >= SAVE_EVERY

    def save_best(self, snapshot):
        """Write `best.npz`: for use, not for training on, so without the optimiser's arrays."""
        snapshot.training = {}
        checkpoint.save(self.best, snapshot)

    def write_metrics(self, history):
        """Write metrics.csv: a line for each row, every number with all its digits, what is missing left empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        files.write_text(self.path / "metrics.csv", text.getvalue())

    def draw(self, history, model, *, now=False):
        """Draw the figures: at most every DRAW_EVERY seconds, unless it must be now."""
        if not now and time.monotonic() - self._drawn < DRAW_EVERY:
            return
        from . import plotting  # Matplotlib takes a second to import

        if history:
            plotting.curves(history, self.path / "curves.png")
        convolutions = [p.numpy() for p in model.parameters() if len(p.shape) == 4]
        if convolutions:
            plotting.filters(convolutions[0], self.path / "filters.png")
        self._drawn = time.monotonic()
