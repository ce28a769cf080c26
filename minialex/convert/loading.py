"""Trained networks from files of any framework: `load("alexnet.onnx")`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import models
from ..data import Normalize
from ..runs import trained
from ..runs.checkpoint import Checkpoint
from ..support.types import FileName
from . import formats, mistaken
from .description import NORMALIZATIONS, describe, guess, known_normalization, with_classes
from .imported import Imported
from .network import NotSaid, from_imported
from .published import class_names


@dataclass
class Given:
    """What the user says of a file.

    model: name of the network, for weights without a description.
    arguments: of its function, besides num_classes and input_size.
    input_size: pixels per side.
    classes: a name for each output.
    normalization: of pixels from 0 to 255.
    pixel_order: "RGB" or "BGR", the channels that the first layer expects, where the file does not say.
    """

    model: str | None = None
    arguments: dict[str, Any] | None = None
    input_size: int | None = None
    classes: list[str] | None = None
    normalization: Normalize | None = None
    pixel_order: str | None = None


def described(found: Any, path: FileName, given: Given) -> tuple[Checkpoint, list[str]]:
    """A Checkpoint of what a file without minialex's description holds.

    found: an Imported, or {name: array}; what formats.read returns.
    path: of the file.
    given: what the user says of it.

    Returns (the Checkpoint, sentences on what was assumed).
    Raises ValueError, with the path, where the network cannot be told, or does not fit what is given.
    """
    try:
        if isinstance(found, Imported):
            return _network(found, path, given)
        return _weights(found, given)
    except NotSaid as error:
        raise NotSaid(error.what, error.how, error.option, path) from error
    except ValueError as error:
        if not isinstance(found, Imported) and (why := mistaken.advice(path)):
            raise ValueError(f"{path}: {why}") from error
        raise ValueError(f"{path}: {error}") from error


def _network(imported, path, given):
    if given.model:
        raise ValueError("the file describes its network: leave out model=...")
    notes = [f"the network is from {imported.origin}"] if imported.origin else []
    normalization, order = given.normalization or imported.normalization, given.pixel_order or imported.channel_order
    if given.normalization and imported.normalization:
        notes.append("the normalisation that the file states is replaced by the given one")
    known = _known(imported) if normalization is None else None
    if known:
        normalization, order = NORMALIZATIONS[known_normalization(known)]
        notes.append(f"its weights have the names and shapes of {known}, whose normalisation is taken")
    saved = from_imported(
        imported,
        str(path),
        input_size=given.input_size,
        classes=given.classes,
        normalization=normalization,
        pixel_order=order,
    )
    if known and not (given.classes or imported.classes):
        saved = _with_imagenet(saved, notes)
    if not order:
        notes.append("the channels are taken to be red, green and blue (pixel_order=bgr changes it)")
    return saved, notes


def _known(imported):
    """The preset whose weights an Imported has by name and shape, if they are published with a normalisation."""
    size = imported.input_shape and imported.input_shape[-1]
    try:
        name = guess(imported.network.state_dict(), size)
    except ValueError:  # it is another network, or several are alike
        return None
    return None if known_normalization(name) == "none" else name


def _weights(arrays, given):
    model = given.model or guess(arrays, given.input_size)
    saved = describe(
        arrays,
        model,
        input_size=given.input_size,
        normalization=given.normalization,
        classes=given.classes,
        arguments=given.arguments or {},
    )
    notes = [] if given.model else [f"the model is {model}, the only one with these names and shapes"]
    if given.normalization is None:
        own = known_normalization(model)
        whose = "none, pixels are used as they are, from 0 to 255" if own == "none" else f"{own}'s"
        notes.append(f"normalisation: {whose} (normalization=... changes it)")
    if not given.classes and known_normalization(model) != "none":
        saved = _with_imagenet(saved, notes)
    return saved, notes


def _with_imagenet(saved, notes):
    """A Checkpoint of published weights with the names of ImageNet's classes, if it has as many."""
    if not (names := class_names(len(saved.classes))):
        return saved
    notes.append("classes: the 1,000 of ILSVRC 2012, in the order of its folders (classes=... of convert changes them)")
    return with_classes(saved, names)


def load(path: FileName, model: Any = None, given: Given | None = None) -> trained.Trained:
    """Load a trained network from a run folder, a checkpoint, or a file of another framework.

    path: of the folder or the file; the suffix gives the format, as of `formats.read`.
    model: as of runs.trained.load.
    given: what the user says of a file without minialex's description, other than the model; None for nothing.

    Returns a Trained, whose note says what was assumed.
    Raises FileNotFoundError and ValueError as trained.load and formats.read do.
    """
    if os.path.isfile(path):
        mistaken.check(path)
    name = Path(path).name.lower()
    if os.path.isdir(path) or name.endswith(".npz") or not name.endswith(formats.SUFFIXES):
        return trained.load(path, model)
    found = formats.read(path)
    if isinstance(found, Checkpoint):
        return trained.of(found, path)
    reference = isinstance(model, str) and models.own.is_reference(model)
    try:
        given = replace(given or Given(), model=models.own.register(model) if reference else None)
        saved, notes = described(found, path, given)
    except NotSaid as error:
        option = error.option.format(path=path)
        raise ValueError(f"{path}: {error.what}: first run {option}, then use NEW.npz") from error
    except ValueError as error:
        if "model=..." not in str(error):
            raise
        why = str(error).partition(": give model=")[0].partition(": choose one with model=")[0]
        command = f"python -m minialex.convert {path} NEW.npz --model NAME"
        raise ValueError(f"{why}: name it with {command}, then use NEW.npz, or see what does not fit") from error
    network = trained.of(saved, path)
    return trained.with_note(network, "; ".join(notes))
