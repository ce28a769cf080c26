"""The transforms between a data set's images and the network's input, in training and in evaluation.

    training      normalisation - random crop - flip - colour noise
                  random-resized crop - normalisation - flip - colour noise
    evaluation    normalisation - centre crop (or the ten crops of section 4.1)

Images of the network's input size are used whole; of larger ones, such as 256 pixels for a network of 227, the
network sees crops. A mean image as large as the images is subtracted before the crop, as in the paper; one of the input
size after it, as in the authors' source; channel means after it, which is less work.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..support.types import Array, Transform
from .resized_crop import RandomResizedCrop
from .transforms import CenterCrop, CornerCrop, Normalize, RandomCrop, RandomHorizontalFlip

LARGEST_SIDE = 4096  # pixels: of a network's input, and of images from files after resizing


@dataclass(frozen=True)
class Pipeline:
    """How images become a network's input.

    normalization: a Normalize, for channels in the order RGB.
    input_size: pixels per side of the network's input.
    channel_order: "RGB", or "BGR" for a network whose first convolution expects blue first.
    """

    normalization: Normalize
    input_size: int
    channel_order: str = "RGB"

    def training_transforms(
        self, *, crop_padding: int = 0, flip: bool = False, noise: Sequence[Transform] = (),
        random_resized_crop: bool = False,
    ) -> list[Transform]:  # fmt: skip
        """The list of transforms for a training Loader.

        crop_padding: pixels of zeros around the image before a random crop.
        flip: whether to mirror half of the images.
        noise: transforms of normalised images, such as [ColorNoise(...)].
        random_resized_crop: whether to take a random part of each image, resized, instead of a crop.

        Raises ValueError for a random-resized crop with padding, or with a mean of whole images.
        """
        flips = [RandomHorizontalFlip()] if flip else []
        if random_resized_crop:
            if crop_padding or self._mean_is_of_whole_images():
                raise ValueError("a random-resized crop takes no padding, and no mean of whole images")
            cropped = [RandomResizedCrop(self.input_size), self.normalization]
        else:
            cropped = self._normalized(RandomCrop(self.input_size, crop_padding))
        return [*cropped, *flips, *noise, *self._order()]

    def evaluation_transforms(self) -> list[Transform]:
        """The list of transforms for a Loader without augmentation: centre crops."""
        return [*self._normalized(CenterCrop(self.input_size)), *self._order()]

    def views(self, images: Array, count: int) -> Array:
        """The network's inputs for one or ten crops of each image.

        images: uint8 (n, C, H, W).
        count: 1 for the centre crop; 10 for the four corners and the centre, and the mirror images of these five.

        Returns float32 (count, n, C, input_size, input_size).
        Raises ValueError for another count, or images smaller than the network's input.
        Krizhevsky et al. 2012, section 4.1.
        """
        if count not in (1, 10):
            raise ValueError(f"views must be 1, the centre crop, or 10, got {count}")
        crops: list = [CenterCrop(self.input_size)]
        if count == 10:
            crops[:0] = [CornerCrop(self.input_size, bottom, right) for bottom in (0, 1) for right in (0, 1)]
        shown = []
        for mirrored in (False, True) if count == 10 else (False,):
            for crop in crops:
                view = images
                for transform in [*self._normalized(crop), *self._order()]:
                    view = transform(view)
                shown.append(view[..., ::-1] if mirrored else view)
        return np.ascontiguousarray(np.stack(shown), np.float32)

    def nine_views(self, images: Array) -> Array:
        """The network's inputs for nine crops of each image: a grid of 3 x 3, from corner to corner, none mirrored.

        images: uint8 (n, C, H, W).

        Returns float32 (9, n, C, input_size, input_size).
        Raises ValueError for images smaller than the network's input.
        cuda-convnet's multi-view test for CIFAR (convdata.py: CroppedCIFARDataProvider).
        """
        shown = []
        for bottom, right in itertools.product((0, 0.5, 1), repeat=2):
            crop, view = CornerCrop(self.input_size, bottom, right), images
            for transform in (*self._normalized(crop), *self._order()):
                view = transform(view)
            shown.append(view)
        return np.stack(shown, dtype=np.float32)

    def raw_views(self, images: Array, count: int) -> Any:
        """The same as RawImages, for a backend that takes bytes; see device_plan.raw_views."""
        from .device_plan import raw_views  # only now: it imports this module

        return raw_views(self, images, count)

    def _normalized(self, crop):
        first = self._mean_is_of_whole_images() or getattr(crop, "padding", 0)  # a padded 0 is the mean's value
        return [self.normalization, crop] if first else [crop, self.normalization]

    def _mean_is_of_whole_images(self):
        return self.normalization.mean.shape[1] not in (1, self.input_size)

    def _order(self):
        return [blue_first] if self.channel_order == "BGR" else []


def blue_first(images: Array, words: Array | None = None) -> Array:
    """A transform from RGB to BGR, the channel order of OpenCV, in which Caffe's networks were trained.

    images: (n, C, H, W).
    words: not used.
    """
    return images[:, ::-1]
