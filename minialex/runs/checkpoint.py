"""Checkpoints: one `.npz` file with the weights and everything needed to use them or to continue training.

The arrays are members of the file with readable names ("weights/conv1.weight"); everything else is JSON in the member
"checkpoint", where {"$array": NAME} stands for an array, NAME being the place where it stands. Nothing is pickled, so
opening a checkpoint from an untrusted source runs no code. The fields of Checkpoint declare the form of the JSON; no
array is read before its header and the rest of the description have been checked.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import os
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np

from .. import backends, models
from ..data import Normalize
from ..data.pipeline import LARGEST_SIDE, Pipeline
from ..nn import Sequential, init
from ..optim import LRScheduler
from ..optim.loading import OptimizerState
from ..support import files, npz, schema
from ..support.schema import AtLeast, AtMost, FieldsOf, Length, Numbers, OneOf, Stored
from ..support.text import printable
from ..support.types import FileName
from ..training.state import EpochRow, Position
from ..training.trainer import Trainer
from .configuration import Configuration, KnownModel
from .configuration import upgraded as configuration_upgraded

FORMAT, VERSION = "minialex checkpoint", 2
CHANNELS = 3  # of every image
SHORT = 2**21  # bytes of a description that may be compressed as much as can be

_SCALAR = float | bool | str | None
_SIDE = Annotated[int, AtLeast(1), AtMost(LARGEST_SIDE)]


class NormalizationArrays(TypedDict):
    """The arrays of Normalize.to_arrays."""

    mean: Annotated[np.ndarray, Numbers()]
    std: Annotated[np.ndarray, Numbers()]


class OwnArguments(TypedDict):
    """The arguments of a network of the user's own that `train` gives."""

    num_classes: NotRequired[int]
    input_size: NotRequired[int]


class SavedTrainerState(Position):
    """A training.trainer.TrainerState in a file."""

    optimizer: OptimizerState
    schedule: dict[str, _SCALAR | list[float]] | None


@dataclass
class Checkpoint:
    """A trained network and the state of its training; no other file is needed to use it.

    model: name of the preset, of a network of the user's own (models/own.py), or "graph" (models/graph.py).
    arguments: with which it is built.
    weights: the state dict, parameters and buffers.
    input_size: pixels per side of the network's input.
    normalization: arrays for Normalize.from_arrays.
    classes: the names of the classes, one for each output of the network.
    configuration: of the training run, as in its config.json; {} where there was none.
    trainer_state: Trainer.state_dict(), to resume exactly; {} where the checkpoint is only for use.
    history: a dict of metrics for each epoch.
    channel_order: "RGB" or "BGR", what the first convolution expects.
    resize: pixels to which the shorter side of images from files is resized before cropping; None for other data.
    """

    model: Annotated[str, KnownModel()]
    arguments: dict[str, Any]
    weights: Annotated[dict[str, Annotated[np.ndarray, Numbers()]], Length(1)]
    input_size: _SIDE
    normalization: Annotated[dict[str, np.ndarray], FieldsOf(NormalizationArrays)]
    classes: Annotated[list[str], Length(1)]
    configuration: Annotated[dict[str, Any], FieldsOf(Configuration, models.Recipe, without=("recipe",), whole=False)]
    trainer_state: Annotated[dict[str, Any], FieldsOf(SavedTrainerState, or_empty=True)] = field(default_factory=dict)
    history: list[Annotated[dict[str, Any], FieldsOf(EpochRow, others=_SCALAR)]] = field(default_factory=list)
    channel_order: Annotated[str, OneOf("RGB", "BGR")] = "RGB"
    resize: Annotated[int | None, AtLeast(1), AtMost(LARGEST_SIDE)] = None

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

    def check_course(self, trainer: Trainer) -> None:
        """Raise ValueError unless the state of training is that of a run at the end of this history.

        trainer: of the run, with its state loaded.
        """
        schedule: Any = trainer.schedule
        epoch, last, own = self.trainer_state["epoch"], schedule.last_epoch, self.configuration
        if len(self.history) != epoch:
            raise ValueError(f"trainer_state.epoch is {epoch:,}, but history has {len(self.history):,} rows")
        if last > epoch or (last < epoch and isinstance(schedule, LRScheduler)):
            raise ValueError(f"trainer_state.schedule.last_epoch is {last:,}, but trainer_state.epoch is {epoch:,}")
        one_rate = "lr" in own and own.get("cfg_definition") is None
        rates = {own["lr"], own["lr"] * own.get("bias_lr", 1)} if one_rate else {*schedule.base_lrs}
        if wrong := [rate for rate in schedule.base_lrs if rate not in rates]:
            made = ", ".join(map(str, sorted(rates)))
            raise ValueError(f"schedule.base_lrs has {wrong[0]}, but configuration.lr and bias_lr make {made}")
        seed = self.trainer_state["generator"]["seed"]
        if seed != own.get("seed", seed):
            raise ValueError(f"trainer_state.generator.seed is {seed}, but configuration.seed is {own['seed']}")
        if (epoch or trainer.batch) and (unknown := self._without_state(trainer)):
            raise ValueError(f"trainer_state.optimizer.state has nothing for parameter {unknown[0]}")

    def _without_state(self, trainer):
        """The indices of parameters that were trained and have no state; the user's own network may not use all."""
        frozen = {id(p) for epoch, parts in trainer.freezing if epoch == 0 for part in parts for p in part.parameters()}
        groups = [group for group in trainer.optimizer.param_groups for _ in group["params"]]
        parameters = [p for group in trainer.optimizer.param_groups for p in group["params"]]
        trained = [i for i, p in enumerate(parameters) if id(p) not in frozen and groups[i].get("momentum", 1)]
        missing = [i for i in trained if i not in trainer.optimizer.state]
        return missing if self.model in models.PRESETS or missing == trained else []


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
        return from_arrays(path, archive, model=model)


def from_arrays(path: FileName, arrays: Any, *, model: str | None = None) -> Checkpoint:
    """The inverse of `to_arrays`.

    path: of the file that the arrays are from, for error messages.
    arrays: {name: array}, or an npz.Archive: only arrays that the description names are read, after it was checked.
    model: as in `load`.

    Returns a Checkpoint.
    Raises ValueError as `load` does.
    """
    _check_length(path, arrays)
    try:
        tree = schema.from_json(arrays["checkpoint"].tobytes())
    except npz.Damaged:
        raise
    except ValueError as error:
        raise ValueError(f"{path} is not a minialex checkpoint: its description {error}") from None
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a minialex checkpoint: its description has another format")
    version = tree.pop("version", None)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f"{path} is damaged: its description has the format version {schema.shown(version)}")
    if version > VERSION:
        raise ValueError(
            f"{path} was written by a newer minialex: its format is {version}, this version reads "
            f"up to {VERSION}; update minialex"
        )
    if model is not None and tree.get("model") in [name for name in models.PRESETS if name != model]:
        raise ValueError(f"{path} holds the weights of '{tree['model']}', not of '{model}'")
    try:
        tree = _upgraded(tree, version)
        _check_together(schema.read(Checkpoint, tree, (), _References(arrays, version, whole=False)))
        checkpoint = schema.read(Checkpoint, tree, (), _References(arrays, version, whole=True))
        checkpoint.pipeline()
    except npz.Damaged:
        raise
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if model is not None and checkpoint.model != model:
        raise ValueError(f"{path} holds the weights of '{checkpoint.model}', not of '{model}'")
    checkpoint.classes = [printable(name) for name in checkpoint.classes]
    return checkpoint


def _check_length(path, arrays):
    """Raise ValueError for a description that was compressed more than text is; its objects take far more memory."""
    if not isinstance(arrays, npz.Archive):
        return
    length, stored = arrays.nbytes("checkpoint"), arrays.stored("checkpoint")
    if length > max(SHORT, 4 * stored):
        raise ValueError(
            f"{path} is not a minialex checkpoint: its description is {length:,} bytes long, and {stored:,} in the file"
        )


def _upgraded(tree, version):
    """The description converted to this version's format."""
    tree = dict(tree)
    if version < 2 and "training" in tree:
        tree["trainer_state"] = tree.pop("training")
    if isinstance(tree.get("configuration"), dict):
        tree["configuration"] = configuration_upgraded(tree["configuration"])
    return tree


class _References:
    """A function of (value, place) that returns the array for which a value stands, or None; see schema.read.

    arrays: as in from_arrays.
    version: of the format.
    whole: whether to read the arrays; else a Stored with type and shape is returned.
    """

    def __init__(self, arrays, version, whole):
        self.arrays, self.version, self.whole = arrays, version, whole

    def __call__(self, value, place):
        if not isinstance(value, dict) or "$array" not in value:
            return None
        names = {"/".join(map(str, place))}
        if self.version < 2 and place[0] == "trainer_state":
            names.add("/".join(map(str, ("training", *place[1:]))))
        if len(value) > 1 or not isinstance(value["$array"], str) or value["$array"] not in names:
            raise ValueError(f"{schema.named(place)} should be its own array, got {schema.shown(value)}")
        name = value["$array"]
        if name not in self.arrays:
            raise ValueError(f"the array {name} is missing")
        if self.whole:
            return self.arrays[name]
        if isinstance(self.arrays, npz.Archive):
            return Stored(*self.arrays.header(name))
        return Stored(self.arrays[name].dtype, self.arrays[name].shape)


# What the fields of a description have to be to each other. Arrays are not read yet, only their types and shapes.


def _check_together(saved):
    _check_network(saved)
    _check_images(saved)
    _check_progress(saved)


def _check_network(saved):
    """Arguments, classes, input size and weights are those of one network."""
    preset, arguments = models.PRESETS.get(saved.model), saved.arguments
    if saved.model == models.graph.NAME:
        preset = models.graph.PRESET
        _check_described(arguments, saved.weights)
    if preset:
        schema.check_arguments(preset.build, arguments, ("arguments",))
    else:
        schema.read(Annotated[dict, FieldsOf(OwnArguments, others=_SCALAR)], arguments, ("arguments",))
    for name, found, what in (
        ("num_classes", len(saved.classes), f"classes has {len(saved.classes):,} names"),
        ("input_size", saved.input_size, f"input_size is {saved.input_size}"),
    ):
        given = arguments.get(name, preset and getattr(preset, name))
        if given not in (None, found):
            default = "" if name in arguments else "the default of "
            raise ValueError(f"{what}, but {default}arguments.{name} is {schema.shown(given)}")
    if preset:
        _check_weights(saved.model, saved.weights, _weights_of(saved.model, json.dumps(arguments, sort_keys=True)))


def _check_described(arguments, weights):
    """Raise ValueError where a description asks for more numbers than the file holds, before any is allocated."""
    if not isinstance(arguments.get("description"), dict):
        raise ValueError("the field arguments.description is missing")
    stored = sum(math.prod(array.shape) for array in weights.values())
    classes = arguments.get("num_classes")  # of a network that was fine-tuned, other than the description's
    classes = classes if type(classes) is int else None
    if (needed := models.graph.numbers(arguments["description"], classes)) > 2 * stored:
        raise ValueError(f"arguments.description has layers of up to {needed:,} numbers, but the file holds {stored:,}")


def _check_weights(model, weights, own):
    """Raise ValueError unless weights have the names, the shapes and the kinds of types of a network's own."""
    faults = []
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    misshapen = [name for name, (_, shape) in own.items() if name in weights and weights[name].shape != shape]
    if misshapen:
        described = (f"{n} (is {weights[n].shape}, expected {own[n][1]})" for n in misshapen)
        faults.append(f"misshapen: {', '.join(described)}")
    unexpected = [name for name in weights if name not in own]
    faults += [f"missing: {', '.join(missing)}"] if missing else []
    faults += [f"unexpected: {', '.join(map(printable, unexpected[:5]))}"] if unexpected else []
    if faults:
        raise ValueError(f"its weights do not fit {model}: {'; '.join(faults)}")
    for name, (kind, _) in own.items():
        if name in weights and (weights[name].dtype.kind == "f") != (kind == "f"):
            raise ValueError(f"weights.{name} holds {weights[name].dtype}, a weight of another type")


@functools.lru_cache(32)
def _weights_of(model, arguments):
    """{name: (kind of dtype, shape)} of the weights of a network, whose arrays are never written to.

    arguments: as JSON.
    """
    default = backends.get_backend()
    if default.xp is not np:  # a GPU has no memory that takes no space before it is written to
        backends.use_backend("numpy")
    try:
        with init.skipped():
            state = models.build(model, **json.loads(arguments)).state_dict()
    except MemoryError:
        raise ValueError(f"the network of arguments {arguments[:200]} does not fit into memory") from None
    finally:
        if default.xp is not np:
            backends.use_backend(default.name)
    return {name: (array.dtype.kind, array.shape) for name, array in state.items()}


def _check_images(saved):
    """Images are large enough for the input, and fit the mean image."""
    size, resize = saved.input_size, saved.resize
    mean, std = (saved.normalization[name].shape for name in ("mean", "std"))
    if resize is not None and resize < size:
        raise ValueError(f"resize is {resize}, less than the input_size of {size}")
    if len(mean) != 3 or mean[0] != CHANNELS or std not in ((), (CHANNELS, 1, 1)):
        raise ValueError(
            f"normalization should be a mean (3, 1, 1) or (3, H, W) and a std () or (3, 1, 1), got {mean} and {std}"
        )
    if mean[1:] in ((1, 1), (size, size)):
        return
    if not all(size <= side <= LARGEST_SIDE for side in mean[1:]) or (resize and mean[1:] != (resize, resize)):
        images = f"{resize}x{resize}" if resize else f"{size}x{size} or larger"
        raise ValueError(f"normalization.mean is of images of {mean[1]}x{mean[2]}, but they are {images}")


def _check_progress(saved):
    """History and state of training are of the same epoch, and of these weights."""
    epochs = [row["epoch"] for row in saved.history]
    for number, (before, epoch) in enumerate(itertools.pairwise(epochs), 1):
        if epoch != before + 1:
            raise ValueError(f"history[{number}].epoch should be {before + 1}, got {epoch}")
    for number, row in enumerate(saved.history):
        validation = [name for name in ("val_loss", "val_top1_error", "val_top5_error") if name not in row]
        if len(validation) in (1, 2):
            raise ValueError(f"history[{number}] has a validation without {validation[0]}")
    if not (state := saved.trainer_state):
        return
    if epochs and state["epoch"] != epochs[-1]:
        raise ValueError(f"trainer_state.epoch is {state['epoch']:,}, but history ends with epoch {epochs[-1]:,}")
    shapes = {array.shape for array in saved.weights.values()}
    for index, entries in state["optimizer"]["state"].items():
        place = f"trainer_state.optimizer.state.{printable(index)}"
        if not index.isdecimal() or len(index) > 9 or int(index) >= len(saved.weights):
            raise ValueError(f"{place} is of no parameter: there are {len(saved.weights)} weights")
        for name, value in entries.items():
            if isinstance(value, Stored) and value.shape not in shapes:
                raise ValueError(f"{place}.{printable(name)} has the shape {value.shape}, which no weight has")


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


def _plain(value):
    """A NumPy number as a Python one, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")
