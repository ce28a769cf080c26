"""Photographs in folders: ImageNet, or anybody's own; see listing.py for what belongs where.

Before a picture of a folder is used, the folder is read through once, by several threads: damaged files are found and
left out, and the statistics are summed up on the way. What came out is kept for the next time, under a key made of the
files' names, sizes and times.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from .. import threads
from . import listing, packed
from .cache import cached
from .decode import Damaged, decode
from .moments import Sums
from .prefetch import prefetched
from .splitting import split

SIZE = 256
_BLOCK = 32  # files read by a thread at a time
_NAMED = 10  # damaged files named on stderr
_VERSION = 1  # of what the cache holds: another where decode() gives other pixels


def load(data_dir=None, size=None, validation=None, limit=None, workers=None, strict=False, val_labels=None):
    """The splits of a folder of pictures, or of what python -m minialex.data.pack made of one.

    Pictures are uint8 (n, 3, size, size), see decode.decode.

    size: pixels, 256 by default; of packed pictures it is theirs
    validation: how many of train/ are held out, spread evenly over the classes, 0 for none. By default val/ validates,
        which is also the test; without val/ a tenth of train/, at most 5000, is held out and is both
    limit: at most N files of each split, spread evenly over the classes; no others are read
    workers: threads that decode, the usable cores by default; no result depends on it
    strict: Damaged at the first damaged file, instead of leaving it out
    val_labels: the file with the classes of a val/ that has all its pictures in one folder
    FileNotFoundError or ValueError for what is missing or does not fit, before any picture is read.
    """
    if data_dir is None:
        raise ValueError("the data set folder is yours: name the folder that holds train/ and val/ with data_dir=...")
    root = Path(data_dir).expanduser()
    if (root / packed.INDEX).is_file():
        if val_labels:
            raise ValueError(f"{root} holds packed pictures, whose labels are known: leave out val_labels=...")
        return packed.load(root, size, validation, limit)
    classes, train, val = listing.read(root, val_labels)

    def dataset(pictures, indices):
        return FolderDataset(pictures.some(indices), classes, size or SIZE, workers or threads.default_count(), strict)

    of_train, of_val = functools.partial(dataset, train), functools.partial(dataset, val)
    return split(len(train.names), len(val.names) if val else 0, of_train, of_val, validation, limit)


class FolderDataset:
    """The pictures of a listing.Listing, decoded when they are fetched. OSError names a file that broke meanwhile."""

    def __init__(self, pictures, classes, size, workers, strict=False):
        self.classes, self.image_shape = tuple(classes), (3, size, size)
        self._all, self._size, self._workers, self._strict = pictures, size, workers, strict

    def __len__(self):
        return len(self.labels)

    @property
    def labels(self):
        """int64 (N,)."""
        return self._survey.pictures.labels

    def fetch(self, indices):
        """Pictures and labels at `indices`: uint8 (n, 3, size, size) and int64 (n,), decoded by all threads."""
        pictures, indices = self._survey.pictures, np.asarray(indices, np.int64)
        images = np.empty((len(indices), *self.image_shape), np.uint8)

        def put(place):
            images[place] = decode(pictures.path(indices[place]), self._size)

        for _ in self._threads.map(put, range(len(indices))):
            pass  # raises what a thread raised
        return images, pictures.labels[indices]

    def statistics(self):
        """The moments.Statistics of all pictures."""
        return self._survey.sums.statistics()

    @functools.cached_property
    def _survey(self):
        return survey(self._all, self._size, self._workers, self._strict)

    @functools.cached_property
    def _threads(self):
        return ThreadPoolExecutor(self._workers, thread_name_prefix="minialex-decode")


class Survey(NamedTuple):
    """What reading a folder through brought: the Listing of whole `pictures`, and their Sums."""

    pictures: listing.Listing
    sums: Sums


def survey(pictures, size, workers, strict=False):
    """The Survey of a Listing, from the cache where nothing has changed since. Damaged files are named on stderr.

    Damaged with `strict` for the first of them, OSError where no file is left.
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
    """Some pictures of a Listing: images uint8 (n, 3, size, size) and their places in it, what was damaged, Sums."""

    images: np.ndarray
    places: list[int]
    damaged: list[tuple[int, Damaged]]
    sums: Sums


def blocks(pictures, size, workers, strict=False):
    """All pictures of a Listing once, in order, as Blocks read by threads; a progress bar on stderr."""

    def read(start):
        images, places, damaged = [], [], []
        for place in range(start, min(start + _BLOCK, len(pictures.names))):
            try:
                images.append(decode(pictures.path(place), size))
                places.append(place)
            except Damaged as error:
                if strict:
                    raise _with_advice(error) from error
                damaged.append((place, error))
        stacked = np.array(images, np.uint8).reshape(-1, 3, size, size)
        return Block(stacked, places, damaged, Sums.of(stacked))

    total, name = len(pictures.names), f"reading {pictures.folder.name}"
    with tqdm(desc=name, total=total, unit=" images", leave=False, disable=None) as bar:
        for block in prefetched(read, range(0, total, _BLOCK), workers, "minialex-decode"):
            bar.update(len(block.images) + len(block.damaged))
            yield block


def report(pictures, errors):
    """Name on stderr what is left out of a Listing."""
    for error in errors[:_NAMED]:
        tqdm.write(f"left out: {error}", file=sys.stderr)
    if errors:
        count = f"{len(errors):,} of {len(pictures.names):,} pictures"
        tqdm.write(f"{pictures.folder}: {count} are damaged and left out", file=sys.stderr)
    if pictures.ignored:
        tqdm.write(f"{pictures.folder}: {pictures.ignored:,} other files are no pictures by name", file=sys.stderr)


def _with_advice(error):
    return Damaged(error.path, f"{error.reason}; remove it, or leave out strict=True to go on without it")


def _key(pictures, size):
    """The cache's name for the pictures of a Listing at this size."""
    digest = hashlib.sha256(f"{_VERSION} {size}\n".encode())
    for name in pictures.names:
        status = os.stat(pictures.folder / name)
        digest.update(f"{name}\0{status.st_size} {status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
