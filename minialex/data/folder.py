"""Image folders, one folder per class: ImageNet or your own images; listing.py describes the layout.

Before the first image is used, the whole folder is read once, by several threads: damaged files are found and
left out, and the statistics of the pixels are accumulated. The result is cached, under a hash of the files' names,
sizes and modification times.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import threads
from ..support import progress
from ..support.files import expanded
from ..support.prefetch import prefetched
from ..support.text import printable
from ..support.types import Array, FileName, Indices
from . import listing, packed
from .cache import cached
from .dataset import ImageDataset, Splits
from .decode import Damaged, decode, decode_whole
from .moments import Statistics, Sums
from .splitting import split, split_by_chance

SIZE = 256
_BLOCK = 32  # files read by a thread at a time
_NAMED = 10  # damaged files that are named on stderr; the others are only counted
_VERSION = 3  # of the cache: to be raised whenever decode() returns other pixels


def load(
    data_dir: FileName | None = None, size: int | None = None, validation: int | None = None, limit: int | None = None,
    workers: int | None = None, strict: bool = False, val_labels: FileName | None = None, seed: int = 0,
) -> Splits:  # fmt: skip
    """Load a folder of images, see listing.py, or one packed by `python -m minialex.data.pack`.

    Images are uint8 (n, 3, size, size), see decode.decode.

    data_dir: the folder that holds train/ and, perhaps, val/; or a folder for each class.
    size: pixels per side; 256 by default, or those of the packed images.
    validation: images held out from train/ for validation, spread evenly over the classes, 0 for none. By default val/
        is both the validation and the test split; without val/, a tenth of train/, at most 5000 images, is both. Class
        folders without train/ are divided by chance: of every class a tenth for validation, a tenth for the test.
    limit: at most so many files of each split, spread evenly over the classes; no others are read.
    workers: threads that decode, by default one per usable core; results do not depend on it.
    strict: whether to raise Damaged at the first damaged file, instead of leaving it out.
    seed: how class folders are divided; it does not depend on the seed of training, so that all runs have one test set.
    val_labels: the file with the labels of a val/ that holds all its images in one folder, see val_labels.py.

    Returns Splits.
    Raises FileNotFoundError or ValueError for anything missing or inconsistent, before any image is read.
    """
    if data_dir is None:
        raise ValueError("the data set folder has no default location: name the folder of train/ with data_dir=...")
    root = expanded(data_dir)
    if (root / packed.INDEX).is_file():
        if val_labels:
            raise ValueError(f"{root} holds packed pictures, which include their labels: leave out val_labels=...")
        return packed.load(root, size, validation, limit)
    classes, train, val = listing.read(root, val_labels)
    say_unread(root, listing.unread(root))

    def dataset(pictures, indices):
        return FolderDataset(pictures.some(indices), classes, size or SIZE, workers or threads.default_count(), strict)

    if train.folder == root:
        return split_by_chance(train.labels, functools.partial(dataset, train), validation, limit, seed)
    of_train, of_val = functools.partial(dataset, train), functools.partial(dataset, val)
    return split(len(train.names), len(val.names) if val else 0, of_train, of_val, validation, limit)


class FolderDataset(ImageDataset):
    """The images of a Listing, decoded when they are fetched.

    pictures: a listing.Listing; damaged files in it are left out.
    classes: the names of the classes.
    size: pixels per side.
    workers: threads that decode.
    strict: as in `load`.

    `division` says how the images were divided into splits, if that was by chance.
    """

    division = ""

    def __init__(
        self, pictures: listing.Listing, classes: Sequence[str], size: int, workers: int, strict: bool = False
    ) -> None:
        self.classes, self.image_shape = tuple(classes), (3, size, size)
        self._all, self._size, self._workers, self._strict = pictures, size, workers, strict

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labels(self) -> Array:  # type: ignore[override]  # read only
        """int64 (N,); reads the whole folder at the first use, see `survey`."""
        return self._survey.pictures.labels

    def fetch(self, indices: Indices) -> tuple[Array, Array]:
        """Decode images, by all threads.

        indices: integers (n,).

        Returns uint8 (n, 3, size, size) and their labels, int64 (n,).
        Raises OSError, with the file's name, where a file was damaged or removed in the meantime.
        """
        return self._read(indices, (self._size, self._size), lambda path, place: decode(path, self._size))

    def fetch_cropped(self, indices: Indices, crop: Any, words: Array) -> tuple[Array, Array]:
        """Decode whole images, and crop each before the next: originals of any size are not kept.

        indices: integers (n,).
        crop: a RandomResizedCrop.
        words: uint32 (n, 4), its random words.

        Returns uint8 (n, 3, *crop.size) and their labels, int64 (n,).
        Raises OSError as `fetch` does.
        """
        return self._read(indices, crop.size, lambda path, place: crop.one(decode_whole(path), words[place]))

    def _read(self, indices, size, read):
        """(images, labels); read: a function of an image's path and place that returns uint8 (3, *size)."""
        pictures, indices = self._survey.pictures, np.asarray(indices, np.int64)
        images = np.empty((len(indices), 3, *size), np.uint8)

        def put(place):
            images[place] = read(pictures.path(indices[place]), place)

        for _ in self._threads.map(put, range(len(indices))):
            pass  # an error in a thread is raised here
        return images, pictures.labels[indices]

    def statistics(self) -> Statistics:
        """The moments.Statistics of all images."""
        return self._survey.sums.statistics()

    @functools.cached_property
    def _survey(self):
        return survey(self._all, self._size, self._workers, self._strict)

    @functools.cached_property
    def _threads(self):
        return ThreadPoolExecutor(self._workers, thread_name_prefix="minialex-decode")


class Survey(NamedTuple):
    """The result of reading a folder: the Listing of the undamaged `pictures`, and their `sums`, moments.Sums."""

    pictures: listing.Listing
    sums: Sums


def survey(pictures: listing.Listing, size: int, workers: int, strict: bool = False) -> Survey:
    """Read all files of a Listing once, or take the result from the cache if no file has changed since.

    pictures: a listing.Listing; its damaged files are named on stderr.
    size: pixels per side.
    workers: threads that decode.
    strict: whether to raise Damaged for the first damaged file.

    Returns a Survey.
    Raises OSError if all files are damaged.
    """

    def read():
        sums, damaged = Sums(), []
        for block in blocks(pictures, size, workers, strict):
            sums.add(block.sums)
            damaged += block.damaged
        places, reasons = [place for place, _ in damaged], [error.reason for _, error in damaged]
        return {**vars(sums), "damaged": np.array(places, np.int64), "reasons": np.array(reasons, str)}

    found = cached(_key(pictures, size), (*Sums.NAMES, "damaged", "reasons"), read)
    errors = [Damaged(pictures.path(i), reason) for i, reason in zip(found["damaged"], found["reasons"])]
    if errors and strict:
        raise _with_advice(errors[0])
    report(pictures, errors)
    good = pictures.some(np.setdiff1d(np.arange(len(pictures.names)), found["damaged"]))
    if not good.names:
        raise OSError(f"none of the {len(errors)} pictures of {pictures.folder} can be read")
    return Survey(good, Sums(*(found[name] for name in Sums.NAMES)))


class Block(NamedTuple):
    """Consecutive images of a Listing.

    images: uint8 (n, 3, size, size).
    places: their indices in the Listing.
    damaged: (index, error) of each damaged file among them.
    sums: moments.Sums of the images.
    """

    images: np.ndarray
    places: list[int]
    damaged: list[tuple[int, Damaged]]
    sums: Sums


def blocks(pictures: listing.Listing, size: int, workers: int, strict: bool = False) -> Iterator[Block]:
    """Decode all images of a Listing, in order, and show the progress.

    pictures, size, workers, strict: as in `survey`.

    Returns an iterator of Blocks.
    """

    def read(start):
        images, places, damaged = [], [], []
        for place in range(start, min(start + _BLOCK, len(pictures.names))):
            try:
                images.append(_decode(pictures.path(place), size))
                places.append(place)
            except Damaged as error:
                if strict:
                    raise _with_advice(error) from error
                damaged.append((place, error))
        stacked = np.array(images, np.uint8).reshape(-1, 3, size, size)
        return Block(stacked, places, damaged, Sums.of(stacked))

    total, name = len(pictures.names), f"reading {printable(pictures.folder.name)}"
    with progress.Progress(name, total, "images") as bar:
        for block in prefetched(read, range(0, total, _BLOCK), workers, "minialex-decode"):
            bar.update(len(block.images) + len(block.damaged))
            yield block


def _decode(path, size):
    """As decode; a file that may not be read is left out like a damaged one."""
    try:
        return decode(path, size)
    except PermissionError as error:
        raise Damaged(path, error.strerror) from error


def report(pictures: listing.Listing, errors: list[Damaged]) -> None:
    """Report on stderr which files of the Listing `pictures` are left out; errors: a Damaged for each damaged one."""
    for error in errors[:_NAMED]:
        _say(f"left out: {error}")
    if errors:
        count = f"{len(errors):,} of {len(pictures.names):,} pictures"
        _say(f"{pictures.folder}: {count} are damaged and left out")
    if pictures.ignored:
        _say(f"{pictures.folder}: {pictures.ignored:,} other files are not images by name")


def say_unread(root: Path, names: list[str]) -> None:
    """Report on stderr what the data folder `root` holds that is not read; names: of these folders and pictures."""
    if names:
        listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        kind = "entry is" if len(names) == 1 else "entries are"
        _say(f"{root}: {len(names):,} {kind} not read ({listed}): pictures are those in train and val")


def _say(text):
    progress.write(printable(text), file=sys.stderr)


def _with_advice(error):
    return Damaged(error.path, f"{error.reason}; remove it, or leave out strict=True to skip damaged files")


def _key(pictures, size):
    """The cache key of the images of a Listing at this size."""
    digest = hashlib.sha256(f"{_VERSION} {size}\n".encode())
    for name in pictures.names:
        try:
            status = os.stat(pictures.folder / name)
            stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_mode}"
        except OSError:  # as of a link to a missing file
            stamp = "missing"
        digest.update(f"{name}\0{stamp}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
