"""Checkpoints: one `.npz` file with the weights and everything needed to use them or to continue training.

The arrays are members of the file with readable names ("weights/conv1.weight"); everything else is JSON in the member
"checkpoint", where {"$array": NAME} stands for an array. Nothing is pickled, so opening a checkpoint from an untrusted
source runs no code.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import models
from ..data import Normalize
from ..data.pipeline import Pipeline
from ..nn import Sequential, init
from ..support import files, npz, schema
from ..support.text import printable
from ..support.types import Array, FileName
from .configuration import upgraded as configuration_upgraded

FORMAT, VERSION = "minialex checkpoint", 2


@dataclass
class Checkpoint:
    """A trained network and the state of its training; no other file is needed to use it.

    model: name of the preset, or of a network of the user's own (models/own.py).
    arguments: with which it is built.
    weights: the state dict, parameters and buffers.
    input_size: pixels per side of the network's input.
    normalization: arrays for Normalize.from_arrays.
    classes: the names of the classes.
    configuration: of the training run, as in its config.json.
    trainer_state: Trainer.state_dict(), to resume exactly; {} where the checkpoint is only for use.
    history: a dict of metrics for each epoch.
    channel_order: "RGB" or "BGR", what the first convolution expects.
    resize: pixels to which the shorter side of images from files is resized before cropping; None for other data.
    """

    model: str
    arguments: dict
    weights: dict[str, np.ndarray]
    input_size: int
    normalization: dict[str, np.ndarray]
    classes: list[str]
    configuration: dict
    trainer_state: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    channel_order: str = "RGB"
    resize: int | None = None

    def pipeline(self) -> Pipeline:
        """The Pipeline of the network's input; raises ValueError for invalid normalisation arrays."""
        return Pipeline(Normalize.from_arrays(self.normalization), self.input_size, self.channel_order)

    def build_model(self) -> Sequential:
        """The model with these weights, in training mode.

        Raises ValueError where they do not fit it, and for a network of the user's own that is not registered.
        """
        with init.skipped():
            model = models.build(self.model, **self.arguments)
        try:
            model.load_state_dict(self.weights)
        except ValueError as error:
            change = models.own.changed(self.model, self.configuration.get("model_sha256"))
            raise ValueError(f"{error}; {change}" if change else str(error)) from error
        return model


def save(path: FileName, checkpoint: Checkpoint) -> None:
    """Write `checkpoint`, a Checkpoint, to `path` atomically; raises OSError where it cannot be written."""
    arrays = to_arrays(checkpoint)
    with files.replacing(path) as file:
        np.savez(file, **arrays)


def to_arrays(checkpoint: Checkpoint) -> dict[str, Any]:
    """The members of the file of `checkpoint`: {"checkpoint": JSON as uint8, "weights/conv1.weight": ..., ...}."""
    arrays = {}
    tree = {"format": FORMAT, "version": VERSION}
    tree |= {name: _pack(value, name, arrays) for name, value in vars(checkpoint).items()}
    text = np.frombuffer(json.dumps(tree, default=_plain).encode(), np.uint8)
    return {"checkpoint": text, **arrays}


def load(path: FileName, *, model: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    path: of the file.
    model: the name of the preset that it must be of, if given.

    Returns the Checkpoint, every number exactly as it was saved.
    Raises FileNotFoundError where there is no such file; ValueError where it is not a minialex checkpoint, is damaged,
    was written by a newer version, or is of another model.
    """
    with _opened(path) as archive:
        checkpoint = from_arrays(path, archive)
    if model is not None and checkpoint.model != model:
        raise ValueError(f"{path} holds the weights of '{checkpoint.model}', not of '{model}'")
    return checkpoint


def from_arrays(path: FileName, arrays: dict[str, Array]) -> Checkpoint:
    """The inverse of `to_arrays`.

    path: of the file that the arrays are from, for error messages.
    arrays: {name: array}, or an npz.Archive: only arrays that the description names are read.

    Returns a Checkpoint.
    Raises ValueError as `load` does.
    """
    text = arrays["checkpoint"].tobytes()
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not a minialex checkpoint: its description is not JSON") from None
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a minialex checkpoint: its description has another format")
    version = tree.pop("version", None)
    if not isinstance(version, int):
        raise ValueError(f"{path} is damaged: its description has the format version {version!r}")
    if version > VERSION:
        raise ValueError(
            f"{path} was written by a newer minialex: its format is {version}, this version reads "
            f"up to {VERSION}; update minialex"
        )
    try:
        checkpoint = schema.build(Checkpoint, _unpack(_upgraded(tree, version), arrays))
        checkpoint.classes = [printable(name) for name in checkpoint.classes]
        return checkpoint
    except npz.Damaged:
        raise
    except KeyError as error:
        raise ValueError(f"{path} is damaged: the array {error} is missing") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its description and its arrays do not fit together ({error})") from None


def _upgraded(tree, version):
    """The description converted to this version's format."""
    tree = dict(tree)
    if version < 2 and "training" in tree:
        tree["trainer_state"] = tree.pop("training")
    if isinstance(tree.get("configuration"), dict):
        tree["configuration"] = configuration_upgraded(tree["configuration"])
    return tree


@contextlib.contextmanager
def _opened(path):
    """A context with the arrays of the .npz file, see npz.Archive; its errors say which file is damaged."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no checkpoint {path}")
    if not os.path.isfile(path) and not os.path.isdir(path):
        raise ValueError(f"{path} is not a minialex checkpoint: it is a pipe or a device")
    with open(path, "rb") as file:
        if file.read(4) != b"PK\3\4":
            raise ValueError(f"{path} is not a minialex checkpoint: it is not an .npz file")
        try:
            with npz.Archive(file) as archive:
                if "checkpoint" in archive:
                    yield archive
                    return
        except npz.Damaged as error:
            raise ValueError(f"{path} is cut short or damaged ({error})") from error
    raise ValueError(f"{path} is not a minialex checkpoint: it has no description")


def _pack(value, name, arrays):
    """`value` with each array replaced by its name; the arrays are added to the dict `arrays`."""
    if hasattr(value, "dtype") and hasattr(value, "get"):  # an array on a GPU
        value = value.get()
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"$array": name}
    if isinstance(value, dict):
        return {str(key): _pack(item, f"{name}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item, f"{name}/{index}", arrays) for index, item in enumerate(value)]
    return value


def _unpack(value, arrays):
    if isinstance(value, dict):
        if "$array" in value:
            return arrays[value["$array"]]
        return {key: _unpack(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_unpack(item, arrays) for item in value]
    return value


def _plain(value):
    """A NumPy number as a Python one, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")
