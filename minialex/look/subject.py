"""What is looked at: a trained network, the data that it was trained on, and the pictures asked for."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..data.decode import decode
from ..data.transforms import CenterCrop
from ..runs.trained import Trained


@dataclass(frozen=True)
class Picture:
    """caption: where it comes from; image: uint8 (C, H, W); name: of its class, None where nobody knows."""

    caption: str
    image: np.ndarray
    name: str | None


class Subject:
    """A trained network with its data, which is loaded when it is first needed.

    options: what takes the place of the run's own choices: dataset, and what data.load takes; None leaves them.
    """

    def __init__(self, network: Trained, options):
        self.network, self.options = network, options

    @cached_property
    def splits(self):
        """The data that the network was trained on, unless told otherwise; ValueError where nobody says which."""
        return self.network.splits(**self.options)[1]

    def pictures(self, wanted):
        """A Picture for each of `wanted`: the number of a test picture, or a file. ValueError for one not there."""
        return [self._test_picture(int(text)) if text.isdecimal() else self._file(text) for text in wanted]

    def _test_picture(self, number):
        test = self.splits.test
        if number >= len(test):
            raise ValueError(f"there is no test picture {number}: they are numbered from 0 to {len(test) - 1}")
        images, labels = test.fetch([number])
        return Picture(f"test picture {number}", images[0], test.classes[labels[0]])

    def _file(self, path):
        return Picture(Path(path).name, decode(path, self.network.resize), None)

    def shown(self, images):
        """uint8 (N, C, H, W) as the network is shown them: float32 (N, C, size, size)."""
        return self.network.pipeline.views(images, 1)[0]

    def cropped(self, images):
        """The pixels that the network is shown of pictures: uint8 (N, C, size, size)."""
        return CenterCrop(self.network.pipeline.input_size)(np.asarray(images))


def read_metrics(folder):
    """The rows of a run's metrics.csv, numbers as numbers, empty cells left out.

    FileNotFoundError for a folder without one, ValueError for a damaged one.
    """
    path = Path(folder) / "metrics.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not the folder of a training run: it has no metrics.csv")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{key: float(text) for key, text in row.items() if text} for row in csv.DictReader(file)]
        return [row | {"epoch": int(row["epoch"])} for row in rows if row["train_loss"] and row["train_error"] >= 0]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({error!r})") from error
