"""Transforms of batches: normalisation, crops and flips.

A transform is a function of images (n, C, H, W) and words, uint32 (n, 4), that returns images. All its randomness
comes from the words, four for each image: it has no state, and equal words give equal results. It never writes to the
images it is given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..support.types import Array
from .moments import statistics


class Normalize:
    """Subtracts a mean and divides by a standard deviation; float32.

        y = (x - mean) / std

    mean: (C, 1, 1), or (C, H, W) for a mean image.
    std: a number, or (C, 1, 1).

    Images are of 0 to 255, and so are mean and std. Raises ValueError for other shapes, a mean that is NaN or infinite,
    a std that is not positive, and for torchvision's constants, which are of 0 to 1.
    """

    def __init__(self, mean: ArrayLike, std: ArrayLike = 1.0) -> None:
        self.mean, self.std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        channels = self.mean.shape[0] if self.mean.ndim == 3 else 0
        if not channels or self.std.shape not in ((), (channels, 1, 1)):
            raise ValueError(
                "mean must be (C, 1, 1) or (C, H, W) and std a number or (C, 1, 1), "
                f"got {self.mean.shape} and {self.std.shape}"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise ValueError("mean and std must be finite, and std greater than 0")
        if self.std.max() < 1 and self.mean.min() > 0 and self.mean.max() < 1:  # no pictures of 0 to 255 are so dark
            m, s = (np.round(x.ravel()[:3], 3).tolist() for x in (self.mean, self.std))
            raise ValueError(
                f"mean {m} and std {s} are of pixels from 0 to 1, but images are of 0 to 255: multiply both by 255"
            )

    @classmethod
    def channels(cls, dataset: Any) -> Normalize:
        """The Normalize that gives each channel of `dataset` mean 0 and std 1; a constant channel keeps its scale."""
        of = statistics(dataset)
        stds = np.where(of.channel_stds > 0, of.channel_stds, 1)
        return cls(of.channel_means[:, None, None], stds[:, None, None])

    @classmethod
    def mean_image(cls, dataset: Any, size: int | None = None) -> Normalize:
        """The Normalize that subtracts the mean image and keeps the scale of 0 to 255.

        dataset: whose mean image.
        size: pixels per side; takes only the centre of the mean image, to be subtracted from every crop of this size.

        Krizhevsky et al. 2012, section 2: the paper's only preprocessing.
        """
        mean = statistics(dataset).mean_image
        return cls(CenterCrop(size)(mean[None])[0] if size else mean)

    def __call__(self, images: Array, words: Array | None = None) -> Array:
        """The normalised images, float32; raises ValueError where the mean does not fit their shape."""
        if any(m not in (1, n) for m, n in zip(self.mean.shape, images.shape[1:], strict=True)):
            raise ValueError(
                f"a mean of shape {self.mean.shape} does not fit images of shape {images.shape[1:]}; "
                "crop after normalising, not before"
            )
        normalized = np.subtract(images, self.mean, dtype=np.float32)
        with np.errstate(over="ignore"):  # of a file with a tiny std: evaluation refuses what is not finite
            normalized /= self.std
        return normalized

    def to_arrays(self) -> dict[str, Array]:
        """The arrays {"mean": ..., "std": ...}, for a checkpoint."""
        return {"mean": self.mean, "std": self.std}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Normalize:
        """The Normalize with the mean and std of `arrays`, from `to_arrays`."""
        return cls(arrays["mean"], arrays["std"])

    def __repr__(self) -> str:
        return f"Normalize(mean {self.mean.shape}, std {self.std.shape})"


class RandomCrop:
    """Crops each image at a random position.

    size: pixels per side.
    padding: zeros added on every side first; after Normalize, 0 is the mean.

    Raises ValueError, when called, where the crop is larger than the padded image.
    """

    def __init__(self, size: int, padding: int = 0) -> None:
        self.size, self.padding = size, padding

    def __call__(self, images: Array, words: Array) -> Array:
        height, width = (n + 2 * self.padding for n in images.shape[2:])
        _check_fits(self.size, height, width)
        top = _below(words[:, 0], height - self.size + 1)
        left = _below(words[:, 1], width - self.size + 1)
        if self.size == height == width and not self.padding:
            return images
        if self.padding:
            sides = (self.padding, self.padding)
            images = np.pad(images, ((0, 0), (0, 0), sides, sides))
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.size, self.size), axis=(2, 3))
        return windows[np.arange(len(images)), :, top, left]

    def __repr__(self) -> str:
        return f"RandomCrop({self.size}, padding={self.padding})"


class CenterCrop:
    """Crops the centre of each image, rounded as torchvision does; size: pixels per side."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, images: Array, words: Array | None = None) -> Array:
        height, width = images.shape[2:]
        _check_fits(self.size, height, width)
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        return images[:, :, top : top + self.size, left : left + self.size]

    def __repr__(self) -> str:
        return f"CenterCrop({self.size})"


class CornerCrop:
    """Crops a corner of each image.

    size: pixels per side.
    bottom, right: which corner, 0 or 1 each; 1/2 is half-way between them.
    """

    def __init__(self, size: int, bottom: float, right: float) -> None:
        self.size, self.bottom, self.right = size, bottom, right

    def __call__(self, images: Array, words: Array | None = None) -> Array:
        height, width = images.shape[2:]
        _check_fits(self.size, height, width)
        top, left = round(self.bottom * (height - self.size)), round(self.right * (width - self.size))
        return images[:, :, top : top + self.size, left : left + self.size]

    def __repr__(self) -> str:
        return f"CornerCrop({self.size}, bottom={self.bottom}, right={self.right})"


class RandomHorizontalFlip:
    """Mirrors each image with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p must be a probability from 0 to 1, got {p}")
        self.p = p

    def __call__(self, images: Array, words: Array) -> Array:
        flipped = words[:, 0] < round(self.p * 2**32)
        return np.stack([image[..., ::-1] if flip else image for image, flip in zip(images, flipped)])

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


def _below(words, count):
    """Random integers from 0 to count - 1 from random words: the high half of word * count (Lemire, 2019)."""
    return (words.astype(np.uint64) * np.uint64(count) >> np.uint64(32)).astype(np.intp)


def _check_fits(size, height, width):
    if not 0 < size <= min(height, width):
        raise ValueError(f"a crop of {size}x{size} does not fit into pictures of {height}x{width}")
