"""A trained network, ready for use: what evaluate, predict and look begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import data, models
from ..data.pipeline import Pipeline
from ..nn import Module
from . import checkpoint

CARRIED = ("data_dir", "limit", "validation", "val_labels")  # what a run's configuration says about its data


@dataclass(frozen=True)
class Trained:
    """model: in evaluation mode; pipeline: how it is shown pictures; classes: a name for each of its logits.

    resize: pixels that the shorter side of a photograph is brought to, before it is cropped to the network's size.
    """

    path: Path
    checkpoint: checkpoint.Checkpoint
    model: Module
    pipeline: Pipeline
    classes: list[str]
    resize: int

    @property
    def preset(self):
        return models.get_preset(self.checkpoint.model)

    def splits(self, dataset=None, **choices):
        """(name, Splits) of the data that it was trained on, or of another data set, in pictures of its size.

        choices: of data.load, in the place of the run's own; None leaves these. ValueError where nobody says which
        data set, and as data.load.
        """
        configuration = self.checkpoint.configuration
        name = dataset or configuration.get("dataset")
        if name is None:
            raise ValueError(f"{self.path} does not say what it was trained on: choose one, dataset=...")
        own = {key: configuration.get(key) for key in CARRIED} if name == configuration.get("dataset") else {}
        chosen = own | {key: value for key, value in choices.items() if value is not None}
        if name in data.DATASETS and "size" in data.DATASETS[name].options:
            chosen["size"] = self.size_of(name)
        return name, data.load(name, **{key: value for key, value in chosen.items() if value is not None})

    def size_of(self, dataset):
        """Pixels a side in which it wants the pictures of a data set that has a choice."""
        return self.resize if dataset == "folder" else self.pipeline.input_size

    def columns(self, classes):
        """Which of its logits belongs to each of a data set's `classes`: whole numbers (C,).

        Equal lists go together by position, lists in another order by name. ValueError where the names differ.
        """
        classes = list(classes)
        if classes == self.classes:
            return np.arange(len(classes))
        if sorted(classes) == sorted(self.classes) and len(set(classes)) == len(classes):
            return np.array([self.classes.index(name) for name in classes])
        differing = sorted({*classes} ^ {*self.classes})
        why = f"only one of them has {_some(differing)}" if differing else "a name stands for two of them"
        raise ValueError(
            f"{self.path} was trained on {_some(self.classes)}, the data has {_some(classes)}, and {why}: "
            "choose data of the same classes"
        )


def _some(names, most=3):
    listed = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return f"{len(names):,} class{'es' if len(names) != 1 else ''} ({listed})"


def load(path):
    """The network in a checkpoint, or the best one of a run's folder (its last one, if nothing validated it).

    FileNotFoundError where there is none, ValueError for a file that is no checkpoint of minialex, or a damaged one.
    """
    path = Path(path)
    if path.is_dir():
        candidates = [path / "best.npz", path / "last.npz"]
        path = next((file for file in candidates if file.is_file()), None)
        if path is None:
            raise FileNotFoundError(f"{candidates[0].parent} holds no checkpoint: neither best.npz nor last.npz")
    elif path.suffix in (".pth", ".pt", ".safetensors"):
        raise ValueError(f"{path} is no checkpoint of minialex: python -m minialex.convert {path} NEW.npz makes one")
    saved = checkpoint.load(path)
    model = saved.build_model().eval()
    return Trained(path, saved, model, saved.pipeline(), saved.classes, saved.resize or saved.input_size)
