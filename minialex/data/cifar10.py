"""CIFAR-10 from its official binary files: 60,000 photographs, 32x32, ten classes.

Each of the six files holds 10,000 records of 1 + 3072 bytes: the label, then the red, green and blue planes.
Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009; www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np

from ..support import lock
from ..support.files import expanded
from ..support.resources import cache_folder
from ..support.text import read_text
from ..support.types import FileName
from . import download as downloads
from .dataset import ArrayDataset, Enlarged, Splits

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
TRAINING_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = "test_batch.bin"
NAMES_FILE = "batches.meta.txt"
IMAGE_SHAPE = 3, 32, 32
RECORDS = 10_000  # in each file
RECORD_BYTES = 1 + 3 * 32 * 32


def load(
    data_dir: FileName | None = None, download: bool = False, validation: int = 5000, limit: int | None = None,
    size: int | None = None,
) -> Splits:  # fmt: skip
    """Load CIFAR-10 from data_dir/cifar-10-batches-bin, or from data_dir itself if it is that folder.

    data_dir: a folder; $XDG_CACHE_HOME/minialex by default, or ~/.cache/minialex.
    download: whether to download missing or damaged files.
    validation: how many of the last training images are held out, 0 for none.
    limit: only the first so many images of each split.
    size: pixels per side, 32 or a multiple of it: images are enlarged, each pixel becomes several.

    Returns Splits of ArrayDatasets, or of Enlarged ones; validation is None if no image is held out.
    Raises FileNotFoundError for a missing file, ValueError for one of the wrong length or with an invalid label.
    """
    total = RECORDS * len(TRAINING_FILES)
    if not 0 <= validation < total:
        raise ValueError(f"validation must be from 0 to {total - 1} of the {total} training pictures, got {validation}")
    side = IMAGE_SHAPE[1]
    if size is not None and (size < side or size % side):
        raise ValueError(f"pictures of CIFAR-10 can be enlarged from 32 to 64, 96, 128, ... pixels, not to {size}")
    folder = find(data_dir)
    if download:
        _download(folder)
    classes = _read_names(folder)
    records = np.concatenate([_read_records(folder / name) for name in TRAINING_FILES])
    held_out, factor = total - validation, (size or side) // side
    return Splits(
        _dataset(records[:held_out][:limit], classes, factor),
        _dataset(records[held_out:][:limit], classes, factor) if validation else None,
        _dataset(_read_records(folder / TEST_FILE)[:limit], classes, factor),
    )


def find(data_dir: FileName | None = None) -> Path:
    """Path of the folder of the binary files, whether or not it exists; data_dir: as in `load`."""
    if data_dir is None:
        return cache_folder() / FOLDER
    folder = expanded(data_dir).absolute()
    return folder if folder.name == FOLDER else folder / FOLDER


def _complete(folder):
    paths = [folder / name for name in (*TRAINING_FILES, TEST_FILE)]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return (folder / NAMES_FILE).is_file() and sizes == [RECORDS * RECORD_BYTES] * len(paths)


def _download(folder):
    """Download what is missing or damaged; raises ValueError where another process is at it."""
    place, unpacking = folder.parent, downloads.unpacking(folder)
    if _complete(folder) and not unpacking.exists() and not (place / lock.NAME).exists():
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock.Lock(place, "downloading into"))
        except lock.Held:
            if _complete(folder):
                return
            raise
        if _complete(folder):  # a process that was killed at the end has left something
            shutil.rmtree(unpacking, ignore_errors=True)
        else:
            downloads.unpack(downloads.fetch(URL, place / URL.rpartition("/")[2], MD5), folder)


def _dataset(records, classes, factor):
    images = ArrayDataset(records[:, 1:].reshape(-1, *IMAGE_SHAPE), records[:, 0], classes)
    return images if factor == 1 else Enlarged(images, factor)


def _existing(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"CIFAR-10 is incomplete: {path} does not exist; name the folder that holds {FOLDER} with data_dir=..., "
            "or download it (170 MB) with download=True"
        )
    return path


def _read_records(path):
    """One file as uint8 (10000, 3073)."""
    expected, size = RECORDS * RECORD_BYTES, _existing(path).stat().st_size
    if size != expected:
        raise ValueError(
            f"{path} is {'cut short' if size < expected else 'too long'}: {size} bytes where {expected} were expected; "
            "replace it by the official file, or download it with download=True"
        )
    records = np.fromfile(path, np.uint8).reshape(RECORDS, RECORD_BYTES)
    wrong = np.flatnonzero(records[:, 0] > 9)
    if len(wrong):
        raise ValueError(
            f"{path} is damaged: record {wrong[0]} has label {records[wrong[0], 0]} where 0 to 9 were expected; "
            "delete the file and download it with download=True"
        )
    return records


def _read_names(folder):
    names = tuple(read_text(_existing(folder / NAMES_FILE)).split())
    count = len(set(filter(str.isalpha, names)))
    if not len(names) == count == 10:
        raise ValueError(
            f"{folder / NAMES_FILE} lists {count} class names where 10 were expected; "
            "delete the file and download it with download=True"
        )
    return names
