"""The folder of a training run: configuration, metrics, figures and checkpoints."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..nn import Conv2d, Module
from ..support import files, progress, schema
from ..support.text import printable
from ..support.types import FileName
from ..training.evaluation import Evaluation
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
STEP_COLUMNS = ("step", "epoch", "batch", "loss", "lr", "grad_norm")  # see Trainer.step_row
_STEP_ROW = re.compile(r"(?P<step>[0-9]{1,18})" + r",[-+.0-9einfa]*" * (len(STEP_COLUMNS) - 1) + r"\n")
WRITE_STEPS_EVERY = 10  # seconds between additions to steps.csv
CHANNELS = 3  # of every image
SAVE_EVERY = 300  # seconds between checkpoints within an epoch
LAYER_COLUMNS = ("epoch", "layer", "activation", "dead", "gradient", "update")  # see diagnose.measure
DRAW_EVERY = 30  # seconds between drawings of the figures, which takes about one second


class RunFolder:
    """The folder with `config.json`, `metrics.csv`, `steps.csv`, `last.npz`, `best.npz` and the figures of a run.

    path: of the folder; see also `create` and `open`.

    Each file is replaced atomically, so a run can be killed, and its files can be read, at any moment. Rows are added
    only to steps.csv.
    """

    def __init__(self, path: FileName) -> None:
        self.path = Path(path)
        self.last, self.best = self.path / "last.npz", self.path / "best.npz"
        self._saved = self._drawn = self._stepped = time.monotonic()

    @classmethod
    def create(cls, path: FileName) -> RunFolder:
        """The RunFolder of a new run; the folder is made when the first file is written.

        path: a folder that is empty or does not exist.

        Raises FileExistsError where it is not empty, or a file.
        """
        folder = cls(path)
        if folder.path.is_file() or (folder.path.is_dir() and {*folder.path.iterdir()} - {*files.leftovers(path)}):
            raise FileExistsError(
                f"{path} exists and is not empty: choose another folder with out=..., "
                f"or continue the run in it with resume={path}"
            )
        return folder

    @classmethod
    def open(cls, path: FileName) -> RunFolder:
        """The RunFolder of an earlier run; raises FileNotFoundError where there is none at `path`."""
        folder = cls(path)
        if not folder.path.is_dir():
            raise FileNotFoundError(f"there is no run folder {path}")
        if not (folder.path / "config.json").is_file():
            raise FileNotFoundError(f"{path} is not the folder of a training run: it has no config.json")
        for leftover in files.leftovers(path):
            leftover.unlink()
        return folder

    def write_configuration(self, configuration: Configuration) -> None:
        """Write `configuration`, a Configuration, to config.json, with the versions of Python, NumPy and minialex."""
        versions = {"python": platform.python_version(), "numpy": np.__version__, "minialex": __version__}
        text = json.dumps(configuration.to_dict() | {"versions": versions}, indent=2)
        self.path.mkdir(parents=True, exist_ok=True)
        files.write_text(self.path / "config.json", text + "\n")

    def read_configuration(self) -> Configuration:
        """The Configuration in config.json; raises ValueError where the file is damaged."""
        path = self.path / "config.json"
        try:
            values = schema.from_json_file(path)
        except ValueError as error:
            raise ValueError(f"{path} is damaged: it {error}") from error
        if not isinstance(values, dict) or "versions" not in values:
            raise ValueError(f"{path} is damaged: it is not an object with the key 'versions'")
        try:
            schema.read(dict[str, str], values.pop("versions"), ("versions",))
            return Configuration.from_dict(values)
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error})") from error

    def save(self, snapshot: checkpoint.Checkpoint) -> None:
        """Write `snapshot`, a Checkpoint, to last.npz."""
        checkpoint.save(self.last, snapshot)
        self._saved = time.monotonic()

    def save_is_due(self) -> bool:
        """Whether the last save is SAVE_EVERY seconds ago."""
        return time.monotonic() - self._saved >= SAVE_EVERY

    def save_best(self, snapshot: checkpoint.Checkpoint) -> None:
        """Write `snapshot`, a Checkpoint, to best.npz, without the state of training, which it is not needed for."""
        checkpoint.save(self.best, dataclasses.replace(snapshot, trainer_state={}))

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write metrics.csv, one line per epoch, and diagnose.csv, one line per epoch and layer.

        history: see Trainer.history; diagnose.csv is written where a row has "layers", from diagnose.measure.

        Numbers have all their digits; missing values are left empty.
        """
        self._write_table("metrics.csv", COLUMNS, history)
        if layers := [{"epoch": row["epoch"]} | layer for row in history for layer in row.get("layers", ())]:
            self._write_table("diagnose.csv", LAYER_COLUMNS, layers)

    def keep_steps(self, count: int) -> None:
        """Prepare steps.csv for the steps that follow, without the rows of any that are repeated.

        count: the steps done so far. Where a run was killed, those since its last checkpoint are repeated, and the last
            line may be incomplete.
        """
        path, header = self.path / "steps.csv", _csv_of(STEP_COLUMNS, (), header=True)
        before = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        lines = before.removeprefix(header).splitlines(keepends=True)
        kept = [line for line in lines if (row := _STEP_ROW.fullmatch(line)) and int(row["step"]) <= count]
        if (text := header + "".join(kept)) != before:
            files.write_text(path, text)

    def steps_are_due(self) -> bool:
        """Whether rows were last added to steps.csv WRITE_STEPS_EVERY seconds ago."""
        return time.monotonic() - self._stepped >= WRITE_STEPS_EVERY

    def write_steps(self, rows: list[dict[str, Any]]) -> None:
        """Add rows to steps.csv, and wait until they are on the disk.

        rows: see Trainer.recorded_steps.
        """
        path = self.path / "steps.csv"
        try:
            with open(path, "a", encoding="utf-8", newline="") as file:
                file.write(_csv_of(STEP_COLUMNS, rows))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(f"cannot write {path}: {error.strerror or error}") from error
        self._stepped = time.monotonic()

    def _write_table(self, name, columns, rows):
        files.write_text(self.path / name, _csv_of(columns, rows, header=True))

    def draw(self, history: list[dict[str, Any]], model: Module, *, now: bool = False) -> None:
        """Draw the figures, at most every DRAW_EVERY seconds.

        history: see Trainer.history.
        model: the network, for the filters of its first convolution.
        now: whether to draw in any case.
        """
        if not now and time.monotonic() - self._drawn < DRAW_EVERY:
            return
        with self._drawing():
            from .. import plotting  # Matplotlib takes a second to import

            if history:
                plotting.curves(history, self.path / "curves.png")
            convolutions = [module for module in model.modules() if isinstance(module, Conv2d)]
            convolutions.sort(key=lambda module: module.in_channels != CHANNELS)  # first the one that sees the images
            if convolutions:
                plotting.filters(convolutions[0].weight.numpy(), self.path / "filters.png")
            if any("layers" in row for row in history):
                plotting.diagnosis(history, self.path / "diagnose.png")
        self._drawn = time.monotonic()

    def draw_lr_range(self, tested: Any) -> Path:
        """Write a RangeTest beside the folder, which stays free for a run; returns the path of the figure."""
        from .. import plotting

        path = self.path.with_name(f"{self.path.name}.lr-find.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        plotting.lr_range(tested, path)
        return path

    def draw_test(self, dataset: Any, evaluation: Evaluation) -> None:
        """Draw the figures of the test.

        dataset: the test images.
        evaluation: an Evaluation of all of them, in order.
        """
        with self._drawing():
            from .. import plotting

            predicted = evaluation.logits.argmax(1)
            plotting.predictions(dataset, evaluation.logits, self.path / "predictions.png")
            plotting.confusion(evaluation.labels, predicted, dataset.classes, self.path / "confusion.png")

    @contextlib.contextmanager
    def _drawing(self):
        """A context for figures: where one cannot be drawn, a line on stderr says so, and the run goes on."""
        try:
            yield
        except OSError:  # as for every other file of the folder
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            progress.write(f"the figures of {self.path} cannot be drawn: {printable(reason)}", file=sys.stderr)


def _csv_of(columns, rows, header=False):
    """Rows, dicts, as CSV; what a row lacks is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
