"""Published weights by name: found in the cache or downloaded, checked, read, and made ready for use.

    load_published("torchvision")      ->      a runs.trained.Trained, as of a checkpoint

The table of them is in models/published.py.
"""

from __future__ import annotations

import contextlib
import functools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data import Normalize
from ..data import download as downloads
from ..models import published
from ..runs import trained
from ..runs.checkpoint import Checkpoint
from ..runs.fine_tuning import WithClasses
from ..support import files, lock
from ..support.resources import cache_folder
from ..support.text import printable
from ..support.types import FileName
from . import formats
from .description import describe
from .imported import Imported
from .network import from_imported

_SYNSET = re.compile(r"n\d{8}")  # a class of ImageNet, as the folders of its images are called


def load_published(name: str, weights_dir: FileName | None = None) -> trained.Trained:
    """Load a published network with its trained weights, which are downloaded unless they are there already.

    name: of the weights, a key of models.published.TABLE.
    weights_dir: folder where their file is, or is put; by default `weights` in the cache, ~/.cache/minialex.

    Returns a Trained, with the preprocessing that its authors state.
    Raises OSError where the file is not there and cannot be downloaded, ValueError for another name or another file.
    """
    row = published.get(name)
    path = _file_of(row, weights_dir)
    return trained.of(_read(row, path), path)


def _file_of(row, weights_dir):
    """The path of the file of weights, whose checksum is right."""
    folder = cache_folder() / "weights" if weights_dir is None else files.expanded(weights_dir).absolute()
    path = folder / row.file
    if path.is_file():
        return _checked(row, path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock.Lock(folder, "downloading into"))
        except OSError as error:
            raise OSError(
                f"{row.file} is not in {folder}, nor can it be put there ({error.strerror or error}): name another "
                "folder with weights_dir=..."
            ) from error
        if path.is_file():  # another process has downloaded it meanwhile
            return _checked(row, path)
        try:
            return downloads.fetch(row.url, path, row.digest, kind=row.kind, size=row.size)
        except OSError as error:
            raise OSError(
                f"{error}; or download {row.file} by other means and put it into {folder}, or name its folder with "
                "weights_dir=..."
            ) from error


def _checked(row, path):
    """The path of a file that is there; raises ValueError where it is not the published one."""
    found = downloads.digest_of(path, row.kind)
    if not found.startswith(row.digest):
        raise ValueError(
            f"{path} is not the published file, which has the {downloads.NAMES[row.kind]} {row.digest}, but this one "
            f"{found}: move it away to have it downloaded from {row.url}"
        )
    return path


def _read(row, path):
    """A Checkpoint of the file."""
    mean, std = (np.array(values)[:, None, None] for values in (row.mean, row.std))
    said = {"classes": class_names(row.num_classes), "normalization": Normalize(mean, std)}
    found = formats.read(path)
    try:
        if isinstance(found, Imported) and row.preset is None:
            size = None if found.input_shape else row.input_size
            saved = from_imported(found, str(path), input_size=size, pixel_order=row.channel_order, **said)
        elif isinstance(found, Checkpoint) or row.preset is None:
            raise ValueError("this is not what was published")
        else:
            arrays = found.network.state_dict() if isinstance(found, Imported) else found
            saved = describe(arrays, row.preset, input_size=row.input_size, **said)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return replace(saved, channel_order=row.channel_order, resize=row.resize)


def class_names(count):
    """The names of `count` classes: ILSVRC 2012's for 1,000, else None."""
    return [*_imagenet()] if count == len(_imagenet()) else None


@functools.cache
def _imagenet():
    lines = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def with_names(dataset):
    """A data set of ImageNet's 1,000 folders, n01440764 and so on, with the names of the classes; others unchanged.

    dataset: see data/dataset.py.

    Folders are sorted by name, and so are the logits of the published networks.
    """
    classes = [*dataset.classes]
    is_imagenet = (
        len(classes) == len(_imagenet()) and all(map(_SYNSET.fullmatch, classes)) and sorted(classes) == classes
    )
    return WithClasses(dataset, [*_imagenet()]) if is_imagenet else dataset


def fill(model, name, weights, weights_dir):
    """Load published weights into a network.

    model: a Module, changed in place.
    name: of its preset.
    weights: as in models.published.of_preset.
    weights_dir: as in load_published.

    Raises ValueError where they do not fit, else as load_published does.
    """
    row = published.of_preset(name, weights)
    path = _file_of(row, weights_dir)
    state = _read(row, path).weights
    try:
        model.load_state_dict(state)
    except ValueError as error:
        raise ValueError(
            f"the published weights {row.name} are of {name} with {row.num_classes:,} classes and its other arguments "
            f"as published ({printable(str(error))}): build it so, and then replace its last layer"
        ) from error
