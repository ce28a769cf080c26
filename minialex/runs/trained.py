"""A trained network, ready for use by the commands evaluate, predict and look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, models
from ..data.pipeline import Pipeline
from ..nn import Module
from ..support.types import FileName
from . import checkpoint

_FOREIGN = (".pth", ".pt", ".safetensors", ".onnx", ".caffemodel", ".npy", ".h5", ".keras")
CARRIED = ("data_dir", "limit", "validation", "val_labels")  # a run's settings that determine its data


@dataclass(frozen=True)
class Trained:
    """A trained network with what is needed to use it.

    path: of its checkpoint.
    checkpoint: the Checkpoint.
    model: the Module, in evaluation mode.
    pipeline: the Pipeline of its input.
    classes: a name for each of its logits.
    resize: pixels to which the shorter side of images from files is resized before cropping.
    note: a sentence where the file of the user's own network has changed since, else "".
    """

    path: Path
    checkpoint: checkpoint.Checkpoint
    model: Module
    pipeline: Pipeline
    classes: list[str]
    resize: int
    note: str = ""

    @property
    def name(self) -> str:
        """The network's name, for titles: that of the model, or of the file it was converted from."""
        description = self.checkpoint.arguments.get("description")
        return description["name"] if description else self.checkpoint.model

    @property
    def preset(self) -> models.Preset:
        """The Preset of the network."""
        return models.get_preset(self.checkpoint.model)

    def splits(self, dataset: str | None = None, **choices: Any) -> tuple[str, data.Splits]:
        """Load the data that it was trained on, or another data set, with images of a suitable size.

        dataset: name of the data set; None for the run's own.
        choices: arguments of data.load that replace the run's own; None leaves one unchanged.

        Returns (name of the data set, Splits).
        Raises ValueError where the data set is not known, and as data.load does.
        """
        configuration = self.checkpoint.configuration
        name = dataset or configuration.get("dataset")
        if name is None:
            raise ValueError(
                f"{self.path} does not name the data set that it was trained on: choose one with dataset=..."
            )
        own = {key: configuration.get(key) for key in CARRIED} if name == configuration.get("dataset") else {}
        chosen = own | {key: value for key, value in choices.items() if value is not None}
        if name in data.DATASETS and "size" in data.DATASETS[name].options:
            chosen["size"] = self.size_of(name)
        return name, data.load(name, **{key: value for key, value in chosen.items() if value is not None})

    def size_of(self, dataset: str) -> int | None:
        """Pixels per side for images of `dataset`, a name, if it has any size; None for images as they are."""
        if data.DATASETS[dataset].enlarges:
            return self.checkpoint.resize if self.checkpoint.configuration.get("dataset") == dataset else None
        return self.resize if dataset == "folder" else self.pipeline.input_size

    def columns(self, classes: Sequence[str]) -> Any:
        """The index of its logit for each of a data set's classes.

        classes: the names of the data set's classes, in any order.

        Returns integers (C,).
        Raises ValueError where the names are not the same as the network's.
        """
        classes = list(classes)
        if classes == self.classes:
            return np.arange(len(classes))
        if sorted(classes) == sorted(self.classes) and len(set(classes)) == len(classes):
            return np.array([self.classes.index(name) for name in classes])
        differing = sorted({*classes} ^ {*self.classes})
        why = f"only one of them has {_some(differing)}" if differing else "two classes have the same name"
        raise ValueError(
            f"{self.path} was trained on {_some(self.classes)}, the data has {_some(classes)}, and {why}: "
            "choose data with the same classes"
        )


def _some(names, most=3):
    listed = ", ".join(names[:most]) + (", ..." if len(names) > most else "")
    return f"{len(names):,} class{'es' if len(names) != 1 else ''} ({listed})"


def load(path: FileName, model: Any = None) -> Trained:
    """Load a trained network.

    path: of a checkpoint, or of a run folder for its best.npz (last.npz, if it had no validation).
    model: of a network of the user's own, "FILE.py:FUNCTION", whose file is executed; or a Module of the same form,
        into which the weights are loaded. Not needed where models.own.register was called, and for published networks.

    Returns a Trained.
    Raises FileNotFoundError where there is none, ValueError where the file is damaged or not a minialex checkpoint, or
    of a network of the user's own that is not given.
    """
    file = Path(path)
    if file.is_dir():
        candidates = [file / "best.npz", file / "last.npz"]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            raise FileNotFoundError(f"{candidates[0].parent} holds no checkpoint: neither best.npz nor last.npz")
        file = found
    elif file.suffix in _FOREIGN:
        raise ValueError(
            f"{path} is not a minialex checkpoint: convert it with python -m minialex.convert {path} NEW.npz"
        )
    name = models.own.register(model) if isinstance(model, str) and models.own.is_reference(model) else model
    saved = checkpoint.load(file, model=name if isinstance(name, str) else None)
    return of(saved, file, model if isinstance(model, Module) else None)


def with_note(network: Trained, note: str) -> Trained:
    """A Trained with a sentence added to its note; network: the Trained; note: the sentence."""
    return replace(network, note="; ".join(filter(None, (network.note, note))))


def of(saved: checkpoint.Checkpoint, path: FileName, model: Module | None = None) -> Trained:
    """A Checkpoint, made ready for use.

    saved: the Checkpoint.
    path: of the file that it comes from, for messages.
    model: a Module of its form, into which the weights are loaded; None: a new one is built.

    Returns a Trained.
    Raises ValueError where the weights do not fit the network, or for a network of the user's own that is not given.
    """
    if model is None:
        models.get_preset(saved.model)  # raises where it is the user's own, and not given
    try:
        if model is None:
            model = saved.build_model()
        else:
            model.load_state_dict(saved.weights)
    except models.own.OwnError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    note = models.own.changed(saved.model, saved.configuration.get("model_sha256"))
    size = saved.resize or max(saved.input_size, *saved.normalization["mean"].shape[1:])  # a mean image may be larger
    return Trained(Path(path), saved, model.eval(), saved.pipeline(), saved.classes, size, note)
