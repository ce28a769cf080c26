"""Trained networks from files of any framework: `load("alexnet.onnx")`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import models
from ..data import Normalize
from ..runs import trained
from ..runs.checkpoint import Checkpoint
from ..support.types import FileName
from . import formats
from .description import describe, guess, known_normalization
from .imported import Imported
from .network import NotSaid, from_imported


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
    except ValueError as error:
        kind = NotSaid if isinstance(error, NotSaid) else ValueError
        raise kind(f"{path}: {error}") from error


def _network(imported, path, given):
    if given.model:
        raise ValueError("the file describes its network: leave out model=...")
    saved = from_imported(
        imported,
        str(path),
        input_size=given.input_size,
        classes=given.classes,
        normalization=given.normalization,
        pixel_order=given.pixel_order,
    )
    notes = [f"the network is from {imported.origin}"] if imported.origin else []
    if not (given.pixel_order or imported.channel_order):
        notes.append("the channels are taken to be red, green and blue (pixel_order=bgr changes it)")
    return saved, notes


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
    return saved, notes


def load(path: FileName, model: Any = None) -> trained.Trained:
    """Load a trained network from a run folder, a checkpoint, or a file of another framework.

    path: of the folder or the file; the suffix gives the format, as of `formats.read`.
    model: as of runs.trained.load.

    Returns a Trained, whose note says what was assumed.
    Raises FileNotFoundError and ValueError as trained.load and formats.read do.
    """
    name = Path(path).name.lower()
    if os.path.isdir(path) or name.endswith(".npz") or not name.endswith(formats.SUFFIXES):
        return trained.load(path, model)
    found = formats.read(path)
    if isinstance(found, Checkpoint):
        return trained.of(found, path)
    reference = isinstance(model, str) and models.own.is_reference(model)
    try:
        saved, notes = described(found, path, Given(model=models.own.register(model) if reference else None))
    except NotSaid as error:
        raise ValueError(f"{error}: python -m minialex.convert {path} NEW.npz takes it, then use NEW.npz") from error
    network = trained.of(saved, path)
    return trained.with_note(network, "; ".join(notes))
