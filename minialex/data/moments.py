"""The mean image of a data set and the principal components of its colours, for normalisation and colour noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.progress import Progress
from ..support.types import Array

_CHUNK = 2**22  # values fetched at a time
_PIECE = 2**18  # values whose products are summed at a time: 2 MB in float64, which stay in the CPU's cache


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviations of all images of a data set, on the scale of 0 to 255; float64.

    mean_image: (C, H, W).
    stds: (C,), the standard deviations along the principal axes of the pixels' colours, ascending.
    vectors: (C, C), these axes as columns.
    channel_stds: (C,), the standard deviation of each channel.
    """

    mean_image: np.ndarray
    stds: np.ndarray
    vectors: np.ndarray
    channel_stds: np.ndarray

    @property
    def channel_means(self) -> Array:
        """(C,), the mean of each channel over all pixels."""
        return self.mean_image.mean(axis=(1, 2))


class Sums:
    """Sums of pixels and of products of channels: integers, so the result does not depend on the order of summation.

    count: the number of images.
    total: int64 (C, H, W), the sum of the images.
    products: int64 (C, C), the sum over all pixels of channel c times channel d.
    """

    NAMES = ("count", "total", "products")

    def __init__(self, count: int = 0, total: Any = 0, products: Any = 0) -> None:
        self.count, self.total, self.products = count, total, products

    @classmethod
    def of(cls, images: Array) -> Sums:
        """The Sums of `images`, uint8 (n, C, H, W)."""
        n, channels = images.shape[:2]
        products: Any = 0
        step = max(1, _PIECE // math.prod(images.shape[1:]))
        for start in range(0, n, step):
            pixels = images[start : start + step].transpose(1, 0, 2, 3).reshape(channels, -1).astype(np.float64)
            products = products + (pixels @ pixels.T).astype(np.int64)  # exact: far below 2^53
        return cls(n, images.sum(axis=0, dtype=np.int64), products)

    def add(self, other: Sums) -> None:
        """Add the images of `other`, a Sums, to these."""
        self.count += other.count
        self.total, self.products = self.total + other.total, self.products + other.products

    def statistics(self) -> Statistics:
        """The Statistics of the images.

            covariance = (N sum x y - sum x sum y) / N^2

        Raises ValueError if there are none.
        """
        if not self.count:
            raise ValueError("an empty data set has no mean")
        pixels = int(self.count) * math.prod(self.total.shape[1:])
        sums = self.total.sum(axis=(1, 2)).astype(object)  # Python integers: the products exceed 2^63
        covariance = pixels * self.products.astype(object) - np.outer(sums, sums)
        covariance = (covariance / pixels**2).astype(np.float64)
        variances, vectors = np.linalg.eigh(covariance)
        stds = np.sqrt(np.maximum(variances, 0))  # rounding can make a variance of 0 negative
        return Statistics(self.total / self.count, stds, vectors, np.sqrt(np.maximum(np.diag(covariance), 0)))


def statistics(dataset: Any) -> Statistics:
    """The Statistics of a data set: those of `dataset.statistics()` if it has that method, else computed."""
    return dataset.statistics() if hasattr(dataset, "statistics") else sums(dataset).statistics()


def sums(dataset: Any) -> Sums:
    """The Sums of all images of `dataset`; shows its progress after a second."""
    result, step = Sums(), max(1, _CHUNK // math.prod(dataset.image_shape))
    with Progress("statistics", len(dataset), "images", delay=1) as bar:
        for start in range(0, len(dataset), step):
            images, _ = dataset.fetch(np.arange(start, min(start + step, len(dataset))))
            result.add(Sums.of(images))
            bar.update(len(images))
    return result
