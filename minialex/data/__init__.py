"""Data sets by name, transforms, and the loader.

splits = data.load("cifar10", data_dir="datasets", download=True)
normalize = data.Normalize.channels(splits.train)
loader = data.Loader(splits.train, 128, [normalize, data.RandomHorizontalFlip()], shuffle=True)
for images, labels in loader.epoch(0): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import cifar10, folder, shapes
from .color import ColorNoise
from .dataset import ArrayDataset, Splits
from .loader import Loader
from .moments import Statistics, statistics
from .transforms import CenterCrop, Normalize, RandomCrop, RandomHorizontalFlip

__all__ = [
    "DATASETS",
    "ArrayDataset",
    "CenterCrop",
    "ColorNoise",
    "Loader",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Splits",
    "Statistics",
    "load",
    "statistics",
]


class Source(NamedTuple):
    """Where a data set comes from: `load(**options)` returns its Splits."""

    load: Callable[..., Splits]
    options: tuple[str, ...]
    summary: str
    in_files: bool = False  # whether every picture is a file of its own


DATASETS = {
    "shapes": Source(
        shapes.load,
        ("size", "train_count", "validation", "test_count", "limit", "seed"),
        "ten classes of drawn shapes, textured and cluttered, 32x32; made on the spot, needs no files",
    ),
    "cifar10": Source(
        cifar10.load,
        ("data_dir", "download", "validation", "limit"),
        "60,000 photographs in ten classes, 32x32; read from the official binary files (download=True fetches them)",
    ),
    "folder": Source(
        folder.load,
        ("data_dir", "size", "validation", "limit", "workers", "strict", "val_labels"),
        "ImageNet, or pictures of your own: D/train/CLASS/*.jpg and D/val/CLASS/*.jpg, D being data_dir",
        in_files=True,
    ),
}
_EVERYWHERE = {"data_dir", "download"}  # where files would be; a data set without files has no use for it


def load(
    name,
    *,
    data_dir=None,
    download=False,
    size=None,
    train_count=None,
    validation=None,
    test_count=None,
    limit=None,
    seed=None,
    workers=None,
    strict=False,
    val_labels=None,
):
    """The splits (train, validation, test) of the data set `name`; None leaves a choice to the data set.

    data_dir: folder of downloaded data, ~/.cache/minialex by default; download: fetch what is missing
    size: pixels a side, of drawn pictures and of those in a folder
    train_count, test_count, seed: of drawn data sets only. This seed chooses the pictures, not the training
    validation: how many pictures validate (cifar10, folder: held out from training), 0 for none (then it is None)
    limit: only the first N pictures of training, and at most N of the others; of a folder N of every part of it
    workers, strict, val_labels: of a folder only, see folder.load

    ValueError names what exists for an unknown name, and the choices a data set does not offer.
    """
    if name not in DATASETS:
        raise ValueError(f"there is no data set {name!r}; choose one of {', '.join(DATASETS)}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1 picture, got {limit}")
    source = DATASETS[name]
    asked = dict(
        data_dir=data_dir,
        download=download or None,
        size=size,
        train_count=train_count,
        validation=validation,
        test_count=test_count,
        limit=limit,
        seed=seed,
        workers=workers,
        strict=strict or None,
        val_labels=val_labels,
    )
    chosen = {option: value for option, value in asked.items() if value is not None}
    surplus = [option for option in chosen if option not in source.options and option not in _EVERYWHERE]
    if surplus:
        raise ValueError(f"the data set {name} takes no {' or '.join(surplus)}; it offers {', '.join(source.options)}")
    return source.load(**{option: value for option, value in chosen.items() if option in source.options})
