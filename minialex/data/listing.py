"""The image files in a folder, and their labels.

D/train/CLASS/*.jpg     a folder for each class; the labels number the sorted folder names
D/val/CLASS/*.jpg       the same classes, or
D/val/*.JPEG            all images in one folder, as in ILSVRC, with a file of labels (see val_labels.py)
D/CLASS/*.jpg           without train and val: all images, which the caller divides, see splitting.py
D/classes.txt           optional: "FOLDER a readable name" per line, like Kaggle's LOC_synset_mapping.txt
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..support import text
from ..support.files import expanded
from . import val_labels
from .decode import EXTENSIONS

_NAMES = ("classes.txt", "LOC_synset_mapping.txt")
_READ = ("train", "val", "ILSVRC2012_devkit_t12")  # folders in the data folder


class Listing(NamedTuple):
    """Image files and their labels.

    folder: a Path.
    names: N paths relative to it.
    labels: int64 (N,).
    ignored: how many other files the folder holds.
    """

    folder: Path
    names: list[str]
    labels: np.ndarray
    ignored: int

    def some(self, indices):
        """The Listing of the files at `indices`."""
        return self._replace(names=[self.names[i] for i in indices], labels=self.labels[indices])

    def path(self, index):
        """Path of the file at `index`."""
        return self.folder / self.names[index]


def read(root, labels_file=None):
    """List the images in root/train and root/val, or in class folders of root itself.

    root: a Path.
    labels_file: the labels of a val/ that holds all its images in one folder; by default found by its usual name.

    Returns the names of the classes, the Listing of train, and the Listing of val, None if there is no val/. Of class
    folders without train/ the first Listing has all images, and its folder is root.
    Raises FileNotFoundError or ValueError for anything missing or inconsistent.
    """
    train, val = root / "train", root / "val"
    for folder in (train, val):
        if folder.is_symlink() and not folder.exists():
            raise ValueError(f"{folder} is a link to a missing folder: mend it, or remove it")
    if root.is_dir() and not train.is_dir() and not val.is_dir():
        train = root
    folders, loose = _scan(train) if train.is_dir() else ([], [])
    training = _of_classes(train, folders, folders, len(loose))
    if not folders or (train == root and not training.names):
        raise FileNotFoundError(
            f"{root} holds no pictures: expected {root}/train/CLASS/*.jpg, a folder for each class, or "
            f"{root}/CLASS/*.jpg, or a folder written by python -m minialex.data.pack; name it with data_dir=..."
        )
    empty = set(range(len(folders))) - set(training.labels.tolist())
    if empty:
        raise ValueError(f"{train / folders[min(empty)]} holds no pictures: add some, or remove the folder")
    validation = _validation(root, val, folders, labels_file) if val.is_dir() else None
    if labels_file and validation is not None and "/" in validation.names[0]:
        raise ValueError(f"{val} has a folder for each class, so its labels are known: leave out val_labels=...")
    if labels_file and validation is None:
        raise ValueError(f"there is no folder {val} that the labels in {labels_file} are for: leave out val_labels=...")
    return _readable(root, folders), training, validation


def _validation(root, val, folders, labels_file):
    present, loose = _scan(val)
    names = [name for name in loose if _is_picture(name)]
    if present and names:
        raise ValueError(f"{val} holds both class folders and pictures, such as {names[0]}: keep only one kind")
    if present:
        unknown = [name for name in present if name not in set(folders)]
        if unknown:
            raise ValueError(f"{val / unknown[0]} is not a known class: there is no {root / 'train' / unknown[0]}")
        return _of_classes(val, present, folders, len(loose))
    if not names:
        raise ValueError(f"{val} holds no pictures: expected {val}/CLASS/*.jpg or {val}/*.JPEG; add some or remove it")
    labels_file = expanded(labels_file) if labels_file else val_labels.find(root)
    return Listing(val, names, val_labels.read(labels_file, names, folders), len(loose) - len(names))


def _of_classes(folder, present, folders, ignored):
    """The Listing of the class folders `present`, labelled by their index in `folders`."""
    number, names, labels = {name: i for i, name in enumerate(folders)}, [], []
    for name in present:
        deeper, files = _scan(folder / name)
        pictures = [file for file in files if _is_picture(file)]
        names += [f"{name}/{file}" for file in pictures]
        labels += [number[name]] * len(pictures)
        ignored += len(deeper) + len(files) - len(pictures)
    return Listing(folder, names, np.array(labels, np.int64), ignored)


def unread(root):
    """The sorted names in the folder `root` of folders and pictures that `read` does not look at, beside train/."""
    if not (root / "train").is_dir():
        return []
    folders, others = _scan(root)
    return [name for name in folders if name not in _READ] + [name for name in others if _is_picture(name)]


def _scan(folder):
    """The sorted names in a folder: (folders that are not hidden, everything else)."""
    with os.scandir(folder) as entries:
        found = sorted((entry.name, os.path.isdir(entry.path)) for entry in entries)
    folders = [name for name, is_folder in found if is_folder and not name.startswith(".")]
    return folders, [name for name, is_folder in found if not is_folder or name.startswith(".")]


def _is_picture(name):
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


def _readable(root, folders):
    """A unique name for each class: its first synonym in the file of class names, else the name of its folder."""
    file = next((root / name for name in _NAMES if os.path.lexists(root / name)), None)
    known: dict[str, tuple[str, int]] = {}
    for place, line in enumerate(text.read_lines(file) if file else (), 1):
        words = line.split(maxsplit=1)
        if len(words) == 2:
            said, before = known.setdefault(words[0], (words[1], place))
            if said != words[1]:
                raise ValueError(f"{file}, line {place}: another name for {words[0]} than in line {before}: remove one")
    names = [known[folder][0].split(",")[0].strip() if folder in known else folder for folder in folders]
    names = [text.printable(name or folder) for name, folder in zip(names, folders)]
    count = Counter(names)  # ImageNet has two classes "crane": a bird and a machine
    called = [n if count[n] == 1 else f"{n} ({text.printable(folder)})" for n, folder in zip(names, folders)]
    return tuple(_unique(called))


def _unique(names):
    """The names, with a number behind those that are there already: folders may look alike when they are printable."""
    taken: set[str] = set()
    for name in names:
        number, given = 1, name
        while given in taken:
            number += 1
            given = f"{name} {number}"
        taken.add(given)
        yield given
