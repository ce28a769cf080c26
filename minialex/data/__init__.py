"""Data sets by name, transforms, and the data loader.

splits = data.load("cifar10", data_dir="datasets", download=True)
normalize = data.Normalize.channels(splits.train)
loader = data.Loader(splits.train, 128, [normalize, data.RandomHorizontalFlip()], shuffle=True)
for images, labels in loader.epoch(0): ...

Data sets of your own, as in torch.utils.data: TensorDataset, DataLoader, random_split; see dataloader.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..support import absent
from ..support.types import FileName
from . import cifar10, folder, shapes
from .color import ColorNoise
from .dataloader import DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split
from .dataset import ArrayDataset, Splits
from .loader import Loader
from .moments import Statistics, statistics
from .resized_crop import RandomResizedCrop
from .transforms import CenterCrop, Normalize, RandomCrop, RandomHorizontalFlip

__all__ = [
    "DATASETS",
    "ArrayDataset",
    "CenterCrop",
    "ColorNoise",
    "DataLoader",
    "Dataset",
    "Loader",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "Splits",
    "Statistics",
    "Subset",
    "TensorDataset",
    "default_collate",
    "load",
    "random_split",
    "statistics",
]


class Source(NamedTuple):
    """An entry of DATASETS: how to load a data set.

    load: a function of keyword arguments that returns Splits.
    options: the names of those arguments.
    summary: one line about the data set.
    in_files: whether every image is a file of its own.
    side: pixels per side of what a network sees, where neither the network nor the user says another number.
    enlarges: whether its images, of one size, are enlarged to the argument `size` if that is given.
    """

    load: Callable[..., Splits]
    options: tuple[str, ...]
    summary: str
    in_files: bool = False
    side: int = 32
    enlarges: bool = False


DATASETS = {
    "shapes": Source(
        shapes.load,
        ("size", "train_count", "validation", "test_count", "limit", "seed"),
        "ten classes of drawn shapes, textured and cluttered, 32x32; generated when loaded, needs no files",
    ),
    "cifar10": Source(
        cifar10.load,
        ("data_dir", "download", "validation", "limit", "size"),
        "60,000 photographs in ten classes, 32x32; read from the official binary files (download=True fetches them)",
        enlarges=True,
    ),
    "folder": Source(
        folder.load,
        ("data_dir", "size", "validation", "limit", "workers", "strict", "val_labels", "seed"),
        "ImageNet, or your own pictures: D/train/CLASS/*.jpg and D/val/CLASS/*.jpg, or D/CLASS/*.jpg, D being data_dir",
        in_files=True,
        side=224,
    ),
}
_EVERYWHERE = {"data_dir", "download"}  # accepted for every data set; one without files ignores them


def load(
    name: str, *, data_dir: FileName | None = None, download: bool = False, size: int | None = None,
    train_count: int | None = None, validation: int | None = None, test_count: int | None = None,
    limit: int | None = None, seed: int | None = None, workers: int | None = None, strict: bool = False,
    val_labels: FileName | None = None,
) -> Splits:  # fmt: skip
    """Load a data set; an argument that is None has the data set's own default.

    name: "shapes", "cifar10" or "folder", see DATASETS.
    data_dir: the folder that holds the data; ~/.cache/minialex by default, required for "folder".
    download: whether to download missing files ("cifar10").
    size: pixels per side of an image ("shapes", "folder"; of "cifar10" a multiple of 32).
    train_count, test_count: images per split ("shapes").
    validation: images in the validation split, 0 for no such split; "cifar10" and "folder" hold them out from training.
    limit: at most so many images per split: the first ones, or of a folder evenly spread ones.
    seed: which shapes are drawn ("shapes"), how D/CLASS/*.jpg are divided ("folder"); not the seed of training.
    workers, strict, val_labels: see folder.load ("folder").

    Returns Splits: train, validation (None if there is none) and test.
    Raises ValueError for an unknown name, or an argument that the data set does not take.
    """
    if name not in DATASETS:
        raise ValueError(f"there is no data set {name!r}; choose one of {', '.join(DATASETS)}")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1 picture, got {limit}")
    source = DATASETS[name]
    given = dict(
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
    chosen = {option: value for option, value in given.items() if value is not None}
    surplus = [option for option in chosen if option not in source.options and option not in _EVERYWHERE]
    if surplus:
        raise ValueError(f"the data set {name} takes no {' or '.join(surplus)}; it offers {', '.join(source.options)}")
    return source.load(**{option: value for option, value in chosen.items() if option in source.options})


if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "data")
