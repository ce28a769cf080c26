"""What happens to a batch on its way to the network: normalisation, and random changes that leave the class alone.

A transform is a function of (images (n, C, H, W), words uint32 (n, 4)): the random words of each picture are handed
to it, so it keeps no state, and equal words give equal pictures. It never writes to the images it is given.
"""

from __future__ import annotations

import numpy as np

from .moments import statistics


class Normalize:
    """y = (x - mean) / std, uint8 to float32.

    mean: (C, 1, 1), or (C, H, W) for a mean image; std: a single number or (C, 1, 1).
    ValueError for other shapes, or a std that is not positive.
    """

    def __init__(self, mean, std=1.0):
        self.mean, self.std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        channels = self.mean.shape[0] if self.mean.ndim == 3 else 0
        if not channels or self.std.shape not in ((), (channels, 1, 1)):
            raise ValueError(
                "mean must be (C, 1, 1) or (C, H, W) and std one number or (C, 1, 1), "
                f"got {self.mean.shape} and {self.std.shape}"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all() and (self.std > 0).all()):
            raise ValueError("mean and std must be finite, and std greater than 0")

    @classmethod
    def channels(cls, dataset):
        """Mean 0 and std 1 in every channel of `dataset`; a channel that never changes keeps its scale."""
        of = statistics(dataset)
        stds = np.where(of.channel_stds > 0, of.channel_stds, 1)
        return cls(of.channel_means[:, None, None], stds[:, None, None])

    @classmethod
    def mean_image(cls, dataset, size=None):
        """The mean picture of `dataset` subtracted, the scale of 0 to 255 kept: the 2012 paper's only preprocessing.

        size: of its centre only, to be subtracted from every crop of so many pixels.
        """
        mean = statistics(dataset).mean_image
        return cls(CenterCrop(size)(mean[None])[0] if size else mean)

    def __call__(self, images, words=None):
        """float32 images; ValueError where mean and images do not fit."""
        if any(m not in (1, n) for m, n in zip(self.mean.shape, images.shape[1:], strict=True)):
            raise ValueError(
                f"a mean of shape {self.mean.shape} does not fit images of shape {images.shape[1:]}; "
                "crop after normalising, not before"
            )
        normalized = np.subtract(images, self.mean, dtype=np.float32)
        normalized /= self.std
        return normalized

    def to_arrays(self):
        """{"mean": ..., "std": ...}, for a checkpoint."""
        return {"mean": self.mean, "std": self.std}

    @classmethod
    def from_arrays(cls, arrays):
        """The normalisation that `to_arrays` described."""
        return cls(arrays["mean"], arrays["std"])

    def __repr__(self):
        return f"Normalize(mean {self.mean.shape}, std {self.std.shape})"


class RandomCrop:
    """A size x size window at a random place of each picture, after `padding` zeros on every side.

    Comes after Normalize, where 0 is the mean pixel. ValueError when the window is larger than the padded picture.
    """

    def __init__(self, size, padding=0):
        self.size, self.padding = size, padding

    def __call__(self, images, words):
        height, width = (n + 2 * self.padding for n in images.shape[2:])
        _check_fits(self.size, height, width)
        top = _below(words[:, 0], height - self.size + 1)
        left = _below(words[:, 1], width - self.size + 1)
        if self.size == height == width:
            return images
        if self.padding:
            sides = (self.padding, self.padding)
            images = np.pad(images, ((0, 0), (0, 0), sides, sides))
        windows = np.lib.stride_tricks.sliding_window_view(images, (self.size, self.size), axis=(2, 3))
        return windows[np.arange(len(images)), :, top, left]

    def __repr__(self):
        return f"RandomCrop({self.size}, padding={self.padding})"


class CenterCrop:
    """The size x size window in the middle of each picture (rounded as torchvision does)."""

    def __init__(self, size):
        self.size = size

    def __call__(self, images, words=None):
        height, width = images.shape[2:]
        _check_fits(self.size, height, width)
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        return images[:, :, top : top + self.size, left : left + self.size]

    def __repr__(self):
        return f"CenterCrop({self.size})"


class CornerCrop:
    """The size x size window in a corner of each picture: bottom, right are 0 or 1."""

    def __init__(self, size, bottom, right):
        self.size, self.bottom, self.right = size, bottom, right

    def __call__(self, images, words=None):
        height, width = images.shape[2:]
        _check_fits(self.size, height, width)
        top, left = self.bottom * (height - self.size), self.right * (width - self.size)
        return images[:, :, top : top + self.size, left : left + self.size]

    def __repr__(self):
        return f"CornerCrop({self.size}, bottom={self.bottom}, right={self.right})"


class RandomHorizontalFlip:
    """Left and right exchanged, with probability p for each picture."""

    def __init__(self, p=0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p is a probability from 0 to 1, got {p}")
        self.p = p

    def __call__(self, images, words):
        flipped = words[:, 0] < round(self.p * 2**32)
        return np.stack([image[..., ::-1] if flip else image for image, flip in zip(images, flipped)])

    def __repr__(self):
        return f"RandomHorizontalFlip(p={self.p})"


def _below(words, count):
    """Each random word as a whole number from 0 to count - 1: the high half of word * count (Lemire, 2019)."""
    return (words.astype(np.uint64) * np.uint64(count) >> np.uint64(32)).astype(np.intp)


def _check_fits(size, height, width):
    if not 0 < size <= min(height, width):
        raise ValueError(f"a crop of {size}x{size} does not fit into pictures of {height}x{width}")
