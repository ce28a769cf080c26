"""A random part of each image, of any size, resized to what the network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..random import philox
from ..support.types import Array

TRIES = 10


class RandomResizedCrop:
    """Crops each image to a part of random area, shape and position, and resizes it.

        area / area of the image ~ uniform(scale),   width / height ~ exp(uniform(log ratio))

    Ten times a part is drawn; if none fits into the image, it is the centre, as much of it as `ratio` allows. Resizing
    is antialiased bilinear, as Pillow's, of the part alone: no pixel outside it counts.

    size: pixels per side, or (height, width).
    scale: smallest and largest area of the part, as shares of the image's.
    ratio: smallest and largest width of the part, divided by its height.

    Raises ValueError where size is not positive, or a range is empty or not of positive numbers.
    torchvision.transforms.RandomResizedCrop; Szegedy et al. 2015, section 6.
    """

    def __init__(
        self, size: int | tuple[int, int], scale: Sequence[float] = (0.08, 1.0), ratio: Sequence[float] = (3 / 4, 4 / 3)
    ) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
            raise ValueError(f"size must be pixels, at least 1, or (height, width), got {size!r}")
        for name, (low, high) in {"scale": scale, "ratio": ratio}.items():
            if not 0 < low <= high < np.inf:
                raise ValueError(f"{name} must be the smallest and the largest, both above 0, got {(low, high)}")
        self.size, self.scale, self.ratio = (height, width), tuple(scale), tuple(ratio)

    def parts(self, sides: ArrayLike, words: Array) -> Array:
        """Which part of each image is cut out.

        sides: integers (n, 2), the height and width of each image in pixels.
        words: uint32 (n, 4), the random words of each image.

        Returns integers (n, 4): top, left, height and width of each part.
        """
        heights, widths = np.asarray(sides, np.int64).T[:, :, None]  # (n, 1): n images, TRIES parts of each
        drawn = philox((*np.asarray(words)[:, :3, None].transpose(1, 0, 2), np.arange(TRIES)), (0, 0)) / 2**32
        areas = heights * widths * _uniform(drawn[0], *self.scale)
        ratios = np.exp(_uniform(drawn[1], *np.log(self.ratio)))
        width, height = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
        fits = (width > 0) & (width <= widths) & (height > 0) & (height <= heights)
        top, left = np.floor(drawn[2] * (heights - height + 1)), np.floor(drawn[3] * (widths - width + 1))
        first = fits.argmax(axis=1)
        chosen = np.stack([top, left, height, width], axis=2)[np.arange(len(first)), first].astype(np.int64)
        for number in np.flatnonzero(~fits.any(axis=1)):
            chosen[number] = self._centre(int(heights[number, 0]), int(widths[number, 0]))
        return chosen

    def _centre(self, height, width):
        """(top, left, height, width) of the largest centre whose shape is within `ratio`."""
        low, high = self.ratio
        if width / height < low:
            part = round(width / low), width
        elif width / height > high:
            part = height, round(height * high)
        else:
            part = height, width
        return (height - part[0]) // 2, (width - part[1]) // 2, *part

    def __call__(self, images: Array, words: Array) -> Array:
        """A part of each image.

        images: uint8 or float32 (n, C, H, W).
        words: uint32 (n, 4).

        Returns an array (n, C, height, width) of the same dtype.
        """
        parts = self.parts([images.shape[2:]] * len(images), words) if len(images) else []
        shape = (len(images), images.shape[1], *self.size)
        return np.array([self.cut(image, part) for image, part in zip(images, parts)], images.dtype).reshape(shape)

    def one(self, image: Array, words: Array) -> Array:
        """The same of a single image (C, H, W), of any size, with its words (4,)."""
        (part,) = self.parts([image.shape[1:]], words[None])
        return self.cut(image, part)

    def cut(self, image: Array, part: Any) -> Array:
        """Cut a part out of an image and resize it.

        image: uint8 or float32 (C, H, W).
        part: (top, left, height, width), pixels.

        Returns an array (C, height, width) of the same dtype.
        Raises TypeError for another dtype.
        """
        from PIL import Image  # only now: transforms are read where there is no Pillow

        if image.dtype not in (np.uint8, np.float32):
            raise TypeError(f"RandomResizedCrop resizes images of uint8 or float32, got {image.dtype}")
        top, left, height, width = map(int, part)
        channels = np.ascontiguousarray(image[:, top : top + height, left : left + width])
        size = self.size[::-1]
        return np.stack([np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in channels])

    def __repr__(self) -> str:
        size = self.size[0] if self.size[0] == self.size[1] else self.size
        return f"RandomResizedCrop({size}, scale={self.scale}, ratio={self.ratio})"


def _uniform(share, low, high):
    """Numbers from low to high; share: from 0 to 1."""
    return low + (high - low) * share
