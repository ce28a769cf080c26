"""Packed images: large files of pixels, memory-mapped, read at the speed of the disk or of memory.

pack.json               format, size, classes; images and shards of train and val; length and checksum of every
                        file. It is written last: a folder without it is incomplete
train-00000.npy ...     uint8 (n, 3, size, size), in order
train-labels.npy        int64 (N,)
statistics.npz          the moments.Sums of train
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import reprlib
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..support import npz, schema
from ..support.schema import AtLeast, AtMost, Below, Length
from ..support.text import printable
from .cache import cached
from .dataset import ImageDataset
from .moments import Sums, sums
from .splitting import split

INDEX, STATISTICS, FORMAT = "pack.json", "statistics.npz", 1
_REPACK = "pack the pictures again with python -m minialex.data.pack"


def load(root, size=None, validation=None, limit=None):
    """Load a packed folder.

    root: the folder, a Path.
    size: pixels per side; None, or those of the packed images.
    validation, limit: as in folder.load.

    Returns Splits.
    Raises ValueError for another size, and where files are damaged or missing.
    """
    index = read_index(root)
    if size not in (None, index.size):
        own = index.size
        raise ValueError(f"{root} holds pictures packed at {own} pixels, not {size}: use size={own}, or repack")
    count = {name: part.pictures for name, part in index.splits.items()}
    of_train, of_val = (functools.partial(PackedDataset, root, index, name) for name in ("train", "val"))
    return split(count["train"], count.get("val", 0), of_train, of_val, validation, limit)


@dataclass
class Part:
    """A split in pack.json.

    pictures: the number of its images.
    damaged: of the files that were left out.
    shards: file names, in order.
    """

    pictures: Annotated[int, AtLeast(1), AtMost(2**40)]
    damaged: Annotated[int, AtLeast(0), AtMost(2**40)]
    shards: list[str]


@dataclass
class File:
    """A file in pack.json: its length in bytes, and its CRC-32."""

    bytes: Annotated[int, AtLeast(0)]
    crc32: Annotated[int, AtLeast(0), Below(2**32)]


@dataclass
class Index:
    """The content of pack.json.

    size: pixels per side.
    classes: the names of the classes.
    splits: {"train": Part, perhaps "val": Part}.
    files: {name: File}, of every other file.
    """

    format: int
    size: Annotated[int, AtLeast(1), AtMost(2**16)]
    classes: Annotated[list[str], Length(1)]
    splits: dict[str, Part]
    files: dict[str, File]

    @classmethod
    def of(cls, values):
        """The Index of what was read from JSON; raises ValueError where anything in it is missing or wrong."""
        index = schema.build(cls, values)
        index.classes = [printable(name) for name in index.classes]
        if twice := [name for name, count in Counter(index.classes).items() if count > 1]:
            raise ValueError(f"classes has {reprlib.repr(twice[0])} twice")
        if not {"train"} <= {*index.splits} <= {"train", "val"}:
            raise ValueError(f"splits should be train and val, got {reprlib.repr([*index.splits])}")
        names = {STATISTICS}
        for name, part in index.splits.items():
            if part.shards != [shard_name(name, number) for number in range(len(part.shards))]:
                expected = f"{shard_name(name, 0)}, {shard_name(name, 1)} and so on"
                raise ValueError(f"splits.{name}.shards should be {expected}, got {reprlib.repr(part.shards)}")
            names |= {labels_name(name), *part.shards}
        if odd := sorted(names ^ {*index.files}):
            which = "does not list" if odd[0] in names else "should not list"
            raise ValueError(f"files {which} {reprlib.repr(odd[0])}")
        for name, part in index.splits.items():  # before anything is made as long as it says
            stored, needed = sum(index.files[shard].bytes for shard in part.shards), part.pictures * 3 * index.size**2
            if needed > stored:
                raise ValueError(
                    f"splits.{name}.pictures: {part.pictures:,} of {index.size} pixels take {needed:,} bytes, but its "
                    f"shards have {stored:,}"
                )
        return index


def read_index(root):
    """The Index in root/pack.json; raises ValueError where it, or a file that it lists, is damaged."""
    path = root / INDEX
    try:
        values = schema.from_json_file(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged (it {error}); {_REPACK}") from error
    try:
        version = values.get("format") if isinstance(values, dict) else FORMAT
        if version == FORMAT:
            index = Index.of(values)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); {_REPACK}") from error
    if version != FORMAT:
        found = reprlib.repr(version)
        raise ValueError(f"{path} has format {found}, but this minialex reads format {FORMAT}; {_REPACK}")
    for name, expected in index.files.items():
        _check(root / name, expected.bytes, expected.crc32)
    return index


def _check(path, length, checksum):
    """Compare the length and, unless it is a shard, the checksum; shards are too large to read. Raises ValueError."""
    if not path.is_file():
        raise ValueError(f"{path} is missing from the packed pictures; {_REPACK}")
    found = path.stat().st_size
    if found != length:
        wrong = "cut short" if found < length else "too long"
        raise ValueError(f"{path} is {wrong}: {found:,} bytes where {length:,} were expected; {_REPACK}")
    if not is_shard(path.name) and _checksum(path) != checksum:
        raise ValueError(f"{path} is damaged: its checksum is not the one in {INDEX}; {_REPACK}")


def _checksum(path):
    value = 0
    with open(path, "rb") as file:
        while block := file.read(2**20):
            value = zlib.crc32(block, value)
    return value


def shard_name(split, number):
    """File name of the images of a split ("train" or "val"); number: of the shard, from 0."""
    return f"{split}-{number:05}.npy"


def labels_name(split):
    """File name of the labels of a split ("train" or "val")."""
    return f"{split}-labels.npy"


def is_shard(name):
    """Whether a file name is one of `shard_name`'s."""
    return re.fullmatch(r"(train|val)-\d{5,}\.npy", name) is not None


def is_name(name):
    """Whether a file name is one of those of packed images, but for INDEX."""
    return is_shard(name) or name in (labels_name("train"), labels_name("val"), STATISTICS)


class PackedDataset(ImageDataset):
    """The images of a packed split; only those that are fetched are read.

    root: the packed folder, a Path.
    index: its Index.
    split: "train" or "val".
    indices: which of its images, integers (N,); all by default.

    Raises ValueError where the files are damaged. Pixels are not checked, which would mean reading all of them.
    """

    def __init__(self, root, index, split, indices=None):
        part, self.classes = index.splits[split], tuple(index.classes)
        self.image_shape = (3, index.size, index.size)
        self._root, self._is_train = root, split == "train"
        self._files = {name: vars(file) for name, file in index.files.items()}
        self._shards = [_open(root / name, np.uint8, self.image_shape) for name in part.shards]
        self._starts = np.cumsum([0, *map(len, self._shards)])
        labels = _open(root / labels_name(split), np.int64, ())
        if not len(labels) == self._starts[-1] == part.pictures:
            raise ValueError(f"the files of {root} do not belong together; {_REPACK}")
        outside = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if len(outside):
            first, classes = outside[0], len(self.classes)
            raise ValueError(
                f"{root / labels_name(split)} is damaged: the label of picture {first} is {labels[first]}, "
                f"which is not one of the {classes} classes; {_REPACK}"
            )
        self._rows = np.arange(len(labels)) if indices is None else np.asarray(indices)
        self._is_whole = len(self._rows) == len(labels)
        self.labels = np.array(labels)[self._rows]

    def __len__(self):
        return len(self._rows)

    def fetch(self, indices):
        """Copies of the images, uint8 (n, 3, size, size), and the labels, int64 (n,), at `indices`, integers (n,)."""
        rows = self._rows[np.asarray(indices, np.int64)]
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        images = np.empty((len(rows), *self.image_shape), np.uint8)
        for place, (shard, row) in enumerate(zip(shards.tolist(), (rows - self._starts[shards]).tolist())):
            images[place] = self._shards[shard][row]
        return images, self.labels[indices]

    def statistics(self):
        """The moments.Statistics: packed with the whole of train, else computed and cached."""
        if self._is_train and self._is_whole:
            return self._packed_sums().statistics()
        content = json.dumps([self._is_train, self._files], sort_keys=True)
        key = hashlib.sha256(content.encode() + self._rows.tobytes())
        return Sums(**cached(key.hexdigest(), Sums.NAMES, lambda: vars(sums(self)))).statistics()

    def _packed_sums(self):
        path, channels = self._root / STATISTICS, self.image_shape[0]
        expected = {"count": (), "total": self.image_shape, "products": (channels, channels)}
        try:
            arrays = npz.read(path, {name: (np.int64, shape) for name, shape in expected.items()})
            if arrays["count"] != len(self):
                raise ValueError(f"they are of {arrays['count']} pictures, not of {len(self)}")
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}); {_REPACK}") from error
        return Sums(**arrays)


def _open(path, dtype, shape):
    """A memory map of the array (n, *shape) in a file."""
    try:
        with np.errstate(all="raise"):  # sizes that overflow are an error, not a warning
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        array = np.asarray(array)  # plain: np.memmap is slow to index
    except OSError:
        raise
    except Exception as error:  # NumPy raises many kinds of errors for a damaged header
        raise ValueError(f"{path} is damaged ({error}); {_REPACK}") from error
    if array.dtype != dtype or array.ndim != 1 + len(shape) or array.shape[1:] != shape:
        expected = f"{np.dtype(dtype)} ({', '.join(['n', *map(str, shape)])})"
        raise ValueError(f"{path} holds {array.dtype} {array.shape} where {expected} was expected")
    return array
