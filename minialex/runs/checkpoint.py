"""Checkpoints: one `.npz` file with all that was learned and all that is needed to use it or to train on.

The arrays are members of the file under names a person can read ("weights/conv1.weight"), everything else
is one JSON text in the member "checkpoint", in which {"$array": NAME} stands for an array. Nothing is
pickled: opening a stranger's checkpoint runs no code of theirs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from .. import models
from ..data import Normalize
from ..data.pipeline import Pipeline
from ..nn import init
from ..support import files, schema
from .configuration import upgraded as configuration_upgraded

FORMAT, VERSION = "minialex checkpoint", 2


@dataclass
class Checkpoint:
    """A trained network and what training knew.

    Whoever has one needs no other file: the model and the arguments that build it, the size of its
    pictures, their normalisation and channel order, the names of the classes.
    """

    model: str
    arguments: dict
    weights: dict[str, np.ndarray]  # the state_dict: parameters and buffers
    input_size: int
    normalization: dict[str, np.ndarray]  # what Normalize.from_arrays takes
    classes: list[str]
    configuration: dict  # of the training run, as in its config.json
    trainer_state: dict = field(default_factory=dict)  # Trainer.state_dict(), for an exact resume
    history: list[dict] = field(default_factory=list)  # one row of metrics an epoch
    channel_order: str = "RGB"
    resize: int | None = None  # what the shorter side of photographs is brought to before they are cropped

    def pipeline(self):
        """How the network is shown pictures. ValueError for statistics that are none."""
        return Pipeline(Normalize.from_arrays(self.normalization), self.input_size, self.channel_order)

    def build_model(self):
        """The model with these weights, in training mode. ValueError if this version builds another one."""
        with init.skipped():
            model = models.build(self.model, **self.arguments)
        model.load_state_dict(self.weights)
        return model


def save(path, checkpoint):
    """Write a Checkpoint to `path`, whole or not at all. OSError says why it cannot, a full disk for example."""
    arrays = to_arrays(checkpoint)
    with files.replacing(path) as file:
        np.savez(file, **arrays)


def to_arrays(checkpoint):
    """{"checkpoint": the description as bytes of JSON, "weights/conv1.weight": ..., ...}: the members of the file."""
    arrays = {}
    tree = {"format": FORMAT, "version": VERSION}
    tree |= {name: _pack(value, name, arrays) for name, value in vars(checkpoint).items()}
    text = np.frombuffer(json.dumps(tree, default=_plain).encode(), np.uint8)
    return {"checkpoint": text, **arrays}


def load(path, *, model=None):
    """The Checkpoint at `path`, every number exactly as it was saved.

    model: the name of the model it should be of, if the caller knows. FileNotFoundError if there is no
    such file; ValueError if it is none of ours, is cut short or damaged, was written by a newer version or
    is of another model.
    """
    checkpoint = from_arrays(path, _read(path))
    if model is not None and checkpoint.model != model:
        raise ValueError(f"{path} holds the weights of '{checkpoint.model}', not of '{model}'")
    return checkpoint


def from_arrays(path, arrays):
    """The Checkpoint that `to_arrays` took apart; ValueError, as by `load`, that names `path`, where they are from."""
    arrays = dict(arrays)
    try:
        tree = json.loads(arrays.pop("checkpoint").tobytes())
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not a minialex checkpoint: its description is not JSON") from None
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a minialex checkpoint: it does not say so in its description")
    version = tree.pop("version", None)
    if not isinstance(version, int):
        raise ValueError(f"{path} is damaged: its description gives {version!r} for the version of its format")
    if version > VERSION:
        raise ValueError(
            f"{path} was written by a newer minialex: its format is {version}, this version reads "
            f"up to {VERSION}; update minialex"
        )
    try:
        return schema.build(Checkpoint, _unpack(_upgraded(tree, version), arrays))
    except KeyError as error:
        raise ValueError(f"{path} is damaged: it has no array {error}") from None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its description and its arrays do not fit together ({error})") from None


def _upgraded(tree, version):
    """The description as this version writes it."""
    tree = dict(tree)
    if version < 2 and "training" in tree:
        tree["trainer_state"] = tree.pop("training")
    if isinstance(tree.get("configuration"), dict):
        tree["configuration"] = configuration_upgraded(tree["configuration"])
    return tree


def _read(path):
    """Every array of the .npz file; reading a member to its end also compares its checksum."""
    try:
        with open(path, "rb") as file:
            if file.read(4) != b"PK\3\4":
                raise ValueError(f"{path} is not a minialex checkpoint: it is no .npz file")
            file.seek(0)
            return _members(path, file)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no checkpoint {path}") from None


def _members(path, file):
    try:
        with np.load(file, allow_pickle=False) as archive:
            if "checkpoint" in archive.files:
                arrays = {name: archive[name] for name in archive.files}
                if strangers := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
                    raise ValueError(f"{strangers[0]} is no array")
                return arrays
    except Exception as error:  # a cut or damaged file shows itself in a dozen ways, each from another layer
        raise ValueError(f"{path} is cut short or damaged ({error})") from error
    raise ValueError(f"{path} is not a minialex checkpoint: it has no description")


def _pack(value, name, arrays):
    """`value` with each array replaced by its name; the arrays go to the dict `arrays`."""
    if hasattr(value, "dtype") and hasattr(value, "get"):  # an array of a GPU
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
    """For JSON: a NumPy number as a Python one."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")
