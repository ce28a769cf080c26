"""The interface of a data set, and a data set in memory.

Every data set has `len()`, `classes` (a tuple of names), `image_shape` (C, H, W), `labels` (int64 (N,)) and
`fetch(indices)`, which returns (uint8 images (n, C, H, W), int64 labels (n,)). Nothing else is required. The base class
ImageDataset adds `dataset[i]`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..support.types import Array, Indices, Shape


class Samples(Protocol):
    """What a DataLoader needs of a data set."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Splits(NamedTuple):
    """The three parts of a data set; `validation` is None where nothing is held out."""

    train: ImageDataset
    validation: ImageDataset | None
    test: ImageDataset


class ImageDataset:
    """What the data sets of images have in common: `dataset[i]` is (image, label), made of what `fetch` returns."""

    # What every data set has.
    classes: tuple[str, ...]
    image_shape: Shape
    labels: Array
    fetch: Callable[..., tuple[Array, Array]]

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__()")

    def __getitem__(self, index: int) -> tuple[Array, int]:
        """(image, uint8 (C, H, W), and its label, an int) at an index, which may be negative."""
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"this data set has {len(self)} images, none at index {place}")
        images, labels = self.fetch([place % len(self)])
        return images[0], int(labels[0])


class ArrayDataset(ImageDataset):
    """A data set held in memory.

    images: uint8 (N, C, H, W).
    labels: integers (N,) from 0 to len(classes) - 1.
    classes: the names of the classes.

    Raises ValueError where one of these has another dtype, shape or range.
    """

    def __init__(self, images: Array, labels: Array | Sequence[int], classes: Sequence[str]) -> None:
        self.images, self.labels, self.classes = np.asarray(images), np.asarray(labels), tuple(classes)
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(f"images must be uint8 (N, C, H, W), got {self.images.dtype} {self.images.shape}")
        if self.labels.dtype.kind not in "iu" or self.labels.shape != (len(self.images),):
            raise ValueError(
                f"{len(self.images)} images need integer labels of shape ({len(self.images)},), "
                f"got {self.labels.dtype} {self.labels.shape}"
            )
        outside = (self.labels < 0) | (self.labels >= len(self.classes))
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            raise ValueError(f"label {self.labels[first]} of image {first} is not one of {len(self.classes)} classes")
        self.labels = self.labels.astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> Shape:  # type: ignore[override]  # read only
        """(C, H, W) of every image."""
        return self.images.shape[1:]

    def fetch(self, indices: Indices) -> tuple[Array, Array]:
        """Copies of the images, uint8 (n, C, H, W), and the labels, int64 (n,), at `indices`, integers (n,)."""
        indices = np.asarray(indices, np.int64)
        return self.images[indices], self.labels[indices]


class Enlarged(ImageDataset):
    """The images of another data set, larger by a whole factor: every pixel is repeated, as they are fetched.

    dataset: any data set.
    factor: by which height and width grow.
    """

    def __init__(self, dataset: ImageDataset, factor: int) -> None:
        self.dataset, self.factor = dataset, factor
        self.classes, self.labels = dataset.classes, dataset.labels
        channels, height, width = dataset.image_shape
        self.image_shape = channels, factor * height, factor * width

    def __len__(self) -> int:
        return len(self.dataset)

    def fetch(self, indices: Indices) -> tuple[Array, Array]:
        """The enlarged images, uint8 (n, C, H, W), and the labels, int64 (n,), at `indices`, integers (n,)."""
        images, labels = self.dataset.fetch(indices)
        return images.repeat(self.factor, axis=2).repeat(self.factor, axis=3), labels
