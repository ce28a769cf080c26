"""The classes of ILSVRC's validation pictures, which lie in one folder, from the files that state them:

    val.txt                                 Caffe: "NAME CLASS", CLASS a name or a number from 0 among those sorted
    LOC_val_solution.csv                    Kaggle: "NAME,CLASS x y x y ..." after a header
    ILSVRC2012_validation_ground_truth.txt  the development kit: a number a line, explained by meta.mat beside it

A number of the development kit is none of the order that everybody trains in; only meta.mat tells its class.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

_GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
_CONVENTIONAL = ("val.txt", "LOC_val_solution.csv", _GROUND_TRUTH, f"ILSVRC2012_devkit_t12/data/{_GROUND_TRUTH}")


def find(root):
    """The file of labels below the data folder, by its usual name. FileNotFoundError lists those."""
    for name in _CONVENTIONAL:
        if (root / name).is_file():
            return root / name
    raise FileNotFoundError(
        f"{root / 'val'} has its pictures in one folder, and nothing says of which class they are: name the file that "
        f"does with val_labels=..., or put it into {root} as {', '.join(_CONVENTIONAL[:3])}"
    )


def read(path, names, folders):
    """The labels int64 (N,) of the pictures `names`, as `path` states them; folders: the classes, sorted.

    FileNotFoundError or ValueError with the line or picture that is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: it was to state the classes of the validation pictures")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise ValueError(f"{path} is empty: expected the class of a validation picture in every line")
    if all(len(line.split()) == 1 and line.isdecimal() for line in lines):
        stated = _of_development_kit(path, lines, folders)
    else:
        stated = _of_pairs(path, lines, folders)
    labels = [stated.get(Path(name).stem) for name in names]
    if None in labels:
        first = names[labels.index(None)]
        raise ValueError(f"{path} states no class for {labels.count(None)} of {len(names)} pictures, as {first}")
    return np.array(labels, np.int64)


def _of_pairs(path, lines, folders):
    """{name without ending: label} of lines with a name and a class."""
    number, stated = {name: i for i, name in enumerate(folders)}, {}
    from_kaggle = lines[0].lower().startswith("imageid,")
    for place, line in enumerate(lines, 1):
        if from_kaggle and place == 1:
            continue
        name, text = [*line.split("," if from_kaggle else None, maxsplit=1), ""][:2]
        text = text.split(maxsplit=1)[0] if from_kaggle and text else text  # the class, then where it is to be seen
        label = number.get(text, int(text) if text.isdecimal() else -1)
        if not 0 <= label < len(folders):
            raise ValueError(
                f"{path}, line {place}: {line[:60]!r} names none of the {len(folders)} classes; "
                f"expected a picture and its class, {folders[0]} or 0 for example"
            )
        stated[Path(name).stem] = label
    return stated


def _of_development_kit(path, lines, folders):
    """{name without ending: label}; line i is of the picture whose name ends with _ and i."""
    number = {name: i for i, name in enumerate(folders)}
    classes = _classes_of_kit(path.parent / "meta.mat", path)
    stated = {}
    for place, line in enumerate(lines, 1):
        name = classes.get(int(line))
        if name not in number:
            raise ValueError(
                f"{path}, line {place}: {line} is {f'the class {name}' if name else 'no class of meta.mat'}, "
                "which has no folder among the training pictures"
            )
        stated[f"ILSVRC2012_val_{place:08}"] = number[name]
    return stated


def _classes_of_kit(meta, path):
    """{ILSVRC's number: the class's folder}, from the development kit's table."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ValueError(
            f"{path} has ILSVRC's own numbers, and reading {meta.name}, which explains them, needs SciPy: "
            "pip install scipy, or take Caffe's val.txt"
        ) from error
    if not meta.is_file():
        raise FileNotFoundError(f"{path} has ILSVRC's own numbers, which only the kit's {meta} explains: put it there")
    try:
        table = loadmat(meta, squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in table}
    except Exception as error:  # SciPy's errors for a damaged file are of many kinds
        raise ValueError(f"{meta} is no table of classes, or damaged ({error}): take it from the kit again") from error
