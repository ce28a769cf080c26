"""The inputs of the look command: a trained network, its data, and the images to draw."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np

from ..data.decode import decode
from ..data.transforms import CenterCrop
from ..models.layout import in_order
from ..models.own import Own
from ..runs.trained import Trained
from ..support import schema
from ..support.schema import FieldsOf
from ..support.text import read_text
from ..training.state import EpochRow

CHANNELS = 3  # of every image


@dataclass(frozen=True)
class Picture:
    """An image to draw.

    caption: where it comes from.
    image: its pixels, uint8 (C, H, W).
    name: its true class, None if unknown.
    """

    caption: str
    image: np.ndarray
    name: str | None


class Subject:
    """A trained network with its data, which is loaded when first needed.

    network: a runs.trained.Trained.
    options: {"dataset", "data_dir", "limit": value}, which override the run's own; None keeps the run's.
    """

    def __init__(self, network: Trained, options):
        self.network, self.options = network, options

    @cached_property
    def splits(self):
        """The run's data set, or that of the options; raises ValueError where neither names one."""
        return self.network.splits(**self.options)[1]

    @cached_property
    def graph(self):
        """The network with its layers in the order in which they run, and all functions of its own forward as layers.

        A published network, and one that cannot be traced, is left as it is.
        """
        network = self.network
        if isinstance(network.preset, Own):
            size = network.pipeline.input_size
            return in_order(network.model, (CHANNELS, size, size))
        return network.model

    def pictures(self, wanted):
        """Load images.

        wanted: for each image the number of a test image, or a file, as text.

        Returns a list of Picture.
        Raises ValueError for a number beyond the test set, OSError or ValueError for a file that cannot be read.
        """
        return [self._test_picture(int(text)) if text.isdecimal() else self._file(text) for text in wanted]

    def _test_picture(self, number):
        test = self.splits.test
        if number >= len(test):
            raise ValueError(f"there is no test image {number}: test images are numbered from 0 to {len(test) - 1}")
        images, labels = test.fetch([number])
        return Picture(f"test image {number}", images[0], test.classes[labels[0]])

    def _file(self, path):
        return Picture(Path(path).name, decode(path, self.network.resize), None)

    def shown(self, images):
        """Preprocess images, uint8 (N, C, H, W), for the network: float32 (N, C, size, size)."""
        return self.network.pipeline.views(images, 1)[0]

    def cropped(self, images):
        """The part of images, uint8 (N, C, H, W), that the network sees: uint8 (N, C, size, size)."""
        return CenterCrop(self.network.pipeline.input_size)(np.asarray(images))


def read_metrics(folder):
    """Read a run's metrics.csv: a dict of numbers for each epoch, without the empty cells.

    folder: of the training run.

    Raises FileNotFoundError for a folder without the file, ValueError for a damaged file.
    """
    path = Path(folder) / "metrics.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is not the folder of a training run: it has no metrics.csv")
    text = read_text(path)
    try:
        rows = [*csv.DictReader(io.StringIO(text, newline=""))]
    except csv.Error as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    return [_metrics_of(row, f"{path}, epoch {number}") for number, row in enumerate(rows, 1)]


def _metrics_of(cells, place):
    """The numbers in a row of text cells; raises ValueError where it is not one of Trainer.history."""
    try:
        if wrong := [name for name, text in cells.items() if not isinstance(name, str) or not isinstance(text, str)]:
            raise ValueError("it has too many cells" if None in wrong else f"{wrong[0]} is missing")
        numbers: dict = {name: float(text) for name, text in cells.items() if text}
        if numbers.get("epoch", 0.5).is_integer():
            numbers["epoch"] = int(numbers["epoch"])
        return schema.read(Annotated[dict, FieldsOf(EpochRow, without=("layers",))], numbers)
    except ValueError as error:
        raise ValueError(f"{place} is damaged ({error})") from error
