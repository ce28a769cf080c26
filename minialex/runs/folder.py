"""The folder of a training run: configuration, metrics, figures and checkpoints."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import itertools
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any, Self

import numpy as np

from .. import __version__
from ..nn import Conv2d, Module
from ..support import files, lock, progress, schema
from ..support.errors import UserError
from ..support.text import printable
from ..support.types import Array, FileName
from ..training.evaluation import Evaluation
from . import checkpoint, kept
from .configuration import Configuration
from .owned import OwnedFolder

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
# What a run writes to its folder: names of others are left alone.
FILES = (
    *("config.json", "metrics.csv", "steps.csv", "diagnose.csv", "last.npz", "best.npz"),
    *("curves.png", "filters.png", "diagnose.png", "predictions.png", "confusion.png"),
)


class RunFolder(OwnedFolder):
    """The folder with `config.json`, `metrics.csv`, `steps.csv`, `last.npz`, `best.npz` and the figures of a run.

        with RunFolder.create("runs/first") as folder:      # or claim, or open; the run's own while the block runs
            run = Run(configuration, folder)
            run.train()

    path: of the folder; see also `create`, `claim` and `open`.

    Each file is replaced atomically, so a run can be killed, and its files can be read, at any moment. Rows are added
    only to steps.csv. The folder has one owner, see OwnedFolder; nothing in it but FILES is replaced or removed,
    but for the weights in kept/, see kept.py.
    """

    def __init__(self, path: FileName) -> None:
        super().__init__(path)
        self.last, self.best = self.path / "last.npz", self.path / "best.npz"
        self._saved = self._drawn = self._stepped = time.monotonic()
        self._known: Any = None  # which last.npz this object has read or written

    @classmethod
    def create(cls, path: FileName) -> RunFolder:
        """The RunFolder of a new run, taken.

        path: a folder that is empty or does not exist.

        Raises FileExistsError where it is not empty, or a file; UserError where another run is being trained in it.
        """
        folder = cls(path)
        if not (folder.path / lock.NAME).exists():
            folder.check_is_free()  # before anything is written to a folder of others
        folder.acquire()
        with folder.released_on_error():
            folder.check_is_free()
            folder.remove_leftovers()
        return folder

    def check_is_free(self) -> None:
        """Raise FileExistsError where the folder is not empty, or a file; what a killed run left does not count."""
        leftovers = {self.path / lock.NAME, *files.leftovers(self.path, FILES)}
        if self.path.is_file() or (self.path.is_dir() and {*self.path.iterdir()} - leftovers):
            raise FileExistsError(
                f"{self.path} exists and is not empty: choose another folder with out=..., "
                f"or continue the run in it with resume={self.path}"
            )

    @classmethod
    def open(cls, path: FileName) -> RunFolder:
        """The RunFolder of an earlier run, taken.

        path: of the folder.

        Raises FileNotFoundError where there is no run; UserError where it is being trained.
        """
        folder = cls(path)
        folder.check_is_run()
        folder.acquire()
        folder._known = _stamp(folder.last)
        return folder

    def check_is_run(self) -> None:
        """Raise FileNotFoundError where there is no run."""
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no run folder {self.path}")
        if not (self.path / "config.json").is_file():
            raise FileNotFoundError(f"{self.path} is not the folder of a training run: it has no config.json")

    def remove_leftovers(self) -> None:
        """Remove the unfinished files of a run that was killed; those of others stay."""
        for leftover in (*files.leftovers(self.path, FILES), *kept.leftovers(self.path)):
            leftover.unlink()

    def __enter__(self) -> Self:
        if not self.is_taken:
            self.acquire()
            with self.released_on_error():
                if _stamp(self.last) != self._known:
                    raise UserError(
                        f"{self.last} is not the checkpoint that this Run has read or saved: another one was trained "
                        "in its folder since; continue from there with Run.resume, or choose another folder"
                    )
        return super().__enter__()

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
        self._known = _stamp(self.last)
        self._saved = time.monotonic()

    def save_is_due(self) -> bool:
        """Whether the last save is SAVE_EVERY seconds ago."""
        return time.monotonic() - self._saved >= SAVE_EVERY

    def save_best(self, snapshot: checkpoint.Checkpoint) -> None:
        """Write `snapshot`, a Checkpoint, to best.npz, without the state of training, which it is not needed for."""
        checkpoint.save(self.best, dataclasses.replace(snapshot, trainer_state={}))

    def keep(self, snapshot: checkpoint.Checkpoint, epoch: int) -> None:
        """Write the weights of `snapshot`, a Checkpoint, to kept/; epoch: how many are done."""
        kept.keep(self.path, snapshot, epoch)

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

        Raises UserError where steps.csv is not a file.
        """
        path, header = self.path / "steps.csv", _csv_of(STEP_COLUMNS, (), header=True)
        if path.exists() and not path.is_file():  # a pipe would wait for its reader
            raise UserError(f"{path} is not a file: remove it")
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
        path, content = self.path / "steps.csv", _csv_of(STEP_COLUMNS, rows).encode()
        try:
            with open(path, "ab", buffering=0) as file:
                end, written = file.seek(0, os.SEEK_END), 0
                try:
                    while written < len(content):
                        written += file.write(content[written:])
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)  # a full disk takes half a row
                    raise
        except OSError as error:
            raise OSError(f"cannot write {path}: {error.strerror or error}") from error
        self._stepped = time.monotonic()

    def _write_table(self, name, columns, rows):
        files.write_text(self.path / name, _csv_of(columns, rows, header=True))

    def draw(self, history: list[dict[str, Any]], filters: Array | None, *, now: bool = False) -> None:
        """Draw the figures, at most every DRAW_EVERY seconds.

        history: see Trainer.history.
        filters: of the network's first convolution, see first_filters.
        now: whether to draw in any case.
        """
        if not now and time.monotonic() - self._drawn < DRAW_EVERY:
            return
        with self._drawing():
            from .. import plotting  # Matplotlib takes a second to import

            if history:
                plotting.curves(history, self.path / "curves.png")
            if filters is not None:
                plotting.filters(filters, self.path / "filters.png")
            if any("layers" in row for row in history):
                plotting.diagnosis(history, self.path / "diagnose.png")
        self._drawn = time.monotonic()

    def draw_lr_range(self, tested: Any) -> Path:
        """Write the figure of a RangeTest beside the folder, which stays free for a run, under a name that is free.

        tested: the RangeTest.

        Returns the path of the figure.
        """
        from .. import plotting

        self.path.parent.mkdir(parents=True, exist_ok=True)
        path = _new_file(self.path.with_name(f"{self.path.name}.lr-find.png"))
        try:
            plotting.lr_range(tested, path)
        except BaseException:
            path.unlink()
            raise
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


def first_filters(model: Module, weights: dict[str, Any]) -> Array | None:
    """The weight of the first convolution, of those that see the images if there are any; None without one.

    model: the network, or this process's part of it.
    weights: the state_dict of the whole network.
    """
    found = [(m.in_channels != CHANNELS, name) for name, m in model.named_modules() if isinstance(m, Conv2d)]
    return weights[f"{min(found, key=lambda item: item[0])[1]}.weight".lstrip(".")] if found else None


def _stamp(path):
    """What tells a file from another one that has replaced it; None where there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _new_file(path):
    """Make an empty file that nobody else gets, `path` or, where that exists, one with a number after its name."""
    for number in itertools.count(2):
        try:
            open(path, "x").close()
            return path
        except FileExistsError:
            path = path.with_stem(f"{path.stem.removesuffix(f'-{number - 1}')}-{number}")
    raise AssertionError


def _csv_of(columns, rows, header=False):
    """Rows, dicts, as CSV; what a row lacks is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
