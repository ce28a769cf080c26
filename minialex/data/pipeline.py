"""From the pictures of a data set to what the network is shown, in training and in evaluation.

    in training     normalisation - random crop - flip - colour noise
    in evaluation   normalisation - centre crop (or the ten views of section 4.1)

A network of the size of the pictures sees them whole. Where they are larger, as photographs of 256 pixels for a
network of 227, it sees crops. A mean image as large as the pictures is subtracted before the crop, as the paper
says; one of the network's size after it, as its source does; means of channels after it, since less is to be computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .transforms import CenterCrop, CornerCrop, Normalize, RandomCrop, RandomHorizontalFlip


@dataclass(frozen=True)
class Pipeline:
    """What a trained network needs to know about pictures.

    normalization: its mean and std, in the order red, green, blue. input_size: pixels a side that the network
    takes. channel_order: "RGB", or "BGR" for a network whose first convolution expects blue first.
    """

    normalization: Normalize
    input_size: int
    channel_order: str = "RGB"

    def training_transforms(self, *, crop_padding=0, flip=False, noise=()):
        """The transforms of a training Loader. noise: transforms of normalised pictures, as [ColorNoise(...)]."""
        crop = RandomCrop(self.input_size, crop_padding)
        flips = [RandomHorizontalFlip()] if flip else []
        return [*self._normalized(crop), *flips, *noise, *self._order()]

    def evaluation_transforms(self):
        """The transforms of a Loader without distortion: the middle of every picture."""
        return [*self._normalized(CenterCrop(self.input_size)), *self._order()]

    def views(self, images, count):
        """uint8 pictures (n, C, H, W) -> float32 (count, n, C, size, size): 1, the centre, or the paper's 10.

        Section 4.1: the four corner patches and the centre one, and the mirror images of these five. ValueError for
        another count, or pictures smaller than the network's.
        """
        if count not in (1, 10):
            raise ValueError(f"a picture is seen in 1 view, its centre, or in 10, got {count}")
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

    def _normalized(self, crop):
        first = self._mean_is_of_whole_pictures() or getattr(crop, "padding", 0)  # padding is with the mean's zeros
        return [self.normalization, crop] if first else [crop, self.normalization]

    def _mean_is_of_whole_pictures(self):
        return self.normalization.mean.shape[1] not in (1, self.input_size)

    def _order(self):
        return [blue_first] if self.channel_order == "BGR" else []


def blue_first(images, words=None):
    """Red, green, blue as blue, green, red: what OpenCV reads, and Caffe's networks were trained on."""
    return images[:, ::-1]
