"""Labels of ILSVRC's validation images, which are all in one folder, from any of these files:

    val.txt                                 Caffe: "NAME CLASS"; CLASS is a name, or an index into the sorted names
    LOC_val_solution.csv                    Kaggle: "NAME,CLASS x y x y ..." after a header
    ILSVRC2012_validation_ground_truth.txt  the development kit: one number per line, defined by meta.mat beside it

The development kit numbers its classes in another order than the sorted names; only meta.mat maps them to names.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..support.text import read_lines

_DIGITS = 9  # of a number of a class, at most
_AMBIGUOUS = -1  # in place of a label: files that differ by their suffix alone have several
_GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_CONVENTIONAL = ("val.txt", "LOC_val_solution.csv", _GROUND_TRUTH, f"ILSVRC2012_devkit_t12/data/{_GROUND_TRUTH}")


def find(root):
    """Path of the file of labels in the data folder `root`; raises FileNotFoundError if none has a usual name."""
    for name in _CONVENTIONAL:
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(
        f"{root / 'val'} holds its pictures in one folder, and there is no file of their labels: name it with "
        f"val_labels=..., or put it into {root} as one of {', '.join(_CONVENTIONAL[:3])}"
    )


def read(path, names, folders):
    """Read the labels of images from a file.

    path: of the file, a Path.
    names: the N file names of the images.
    folders: the class folders, sorted.

    Returns int64 (N,).
    Raises FileNotFoundError where there is no such file, ValueError for an invalid line or an image without a label.
    """
    if not path.is_file():
        what = "is not a file" if os.path.lexists(path) else "does not exist"
        raise FileNotFoundError(f"{path}, the file of the validation pictures' labels, {what}")
    lines = read_lines(path)
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError(f"{path} is empty: expected the class of one validation picture per line")
    if all(line.isdecimal() and len(line) <= _DIGITS for line in lines):
        stated = _of_development_kit(path, lines, folders)
    else:
        stated = _of_pairs(path, lines, folders)
    labels = [_label_of(name, stated, path) for name in names]
    if None in labels:
        first = names[labels.index(None)]
        raise ValueError(f"{path} has no class for {labels.count(None)} of {len(names)} pictures, {first} for example")
    return np.array(labels, np.int64)


def _of_pairs(path, lines, folders):
    """{name: label} of lines with a name and a class, also with the names without their suffixes."""
    number, stated, seen = {name: i for i, name in enumerate(folders)}, {}, {}
    from_kaggle = lines[0].lower().startswith("imageid,")
    for place, line in enumerate(lines, 1):
        if from_kaggle and place == 1:
            continue
        if not line:
            continue
        name, text = [*line.split("," if from_kaggle else None, maxsplit=1), ""][:2]
        text = text.split(maxsplit=1)[0] if from_kaggle and text.strip() else text  # the class, followed by boxes
        label = number.get(text, int(text) if text.isdecimal() and len(text) <= _DIGITS else -1)
        if not 0 <= label < len(folders):
            raise ValueError(
                f"{path}, line {place}: {line[:60]!r} does not name one of the {len(folders)} classes; "
                f"expected a picture and its class, {folders[0]} or 0 for example"
            )
        name = Path(name).name
        if seen.setdefault(name, (label, place))[0] != label:
            raise ValueError(f"{path}, line {place}: another class for {name} than in line {seen[name][1]}: remove one")
        stem = Path(name).stem
        stated[stem] = label if stated.get(stem, label) == label else _AMBIGUOUS
    return stated | {name: label for name, (label, _) in seen.items()}


def _label_of(name, stated, path):
    """The label of the image `name`, whose suffix need not be that in the file; None where the file has none."""
    label = stated.get(name, stated.get(Path(name).stem))
    if label == _AMBIGUOUS:
        raise ValueError(f"{path} has two classes for files called {Path(name).stem}, but none for {name}")
    return label


def _of_development_kit(path, lines, folders):
    """{name without suffix: label}; line i belongs to the image ILSVRC2012_val_i."""
    number = {name: i for i, name in enumerate(folders)}
    classes = _classes_of_kit(path.parent / "meta.mat", path)
    stated = {}
    for place, line in enumerate(lines, 1):
        name = classes.get(int(line) if len(line) < 10 else None)
        if name not in number:
            raise ValueError(
                f"{path}, line {place}: {line[:60]} is {f'the class {name}' if name else 'not a class in meta.mat'} "
                "and has no folder among the training pictures"
            )
        stated[f"ILSVRC2012_val_{place:08}"] = number[name]
    return stated


def _classes_of_kit(meta, path):
    """{ILSVRC's number: folder of the class}, from the development kit's table."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ValueError(
            f"{path} has ILSVRC's own class numbers, and reading {meta.name}, which maps them to names, needs SciPy: "
            "pip install scipy, or use Caffe's val.txt"
        ) from error
    if not meta.is_file():
        raise FileNotFoundError(
            f"{path} has ILSVRC's own class numbers, and {meta}, which maps them to names, is missing: "
            "copy it from the development kit"
        )
    try:
        table = loadmat(meta, squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in table}
    except Exception as error:  # SciPy raises many kinds of errors for a damaged file
        raise ValueError(
            f"{meta} is damaged or not a table of classes ({error}): copy it from the development kit again"
        ) from error
