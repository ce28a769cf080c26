"""Images as bytes, with what makes a network's input of them: for a backend that does it where it computes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

MEAN_OF_CHANNELS, MEAN_OF_IMAGES, MEAN_OF_CROPS = 0, 1, 2  # as in kernels/preprocess.cu


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What is done to all images alike.

    mean: float32 (C, 1, 1), (C, H, W) for a mean of whole images, or (C, rows, columns) for one of crops.
    std: float32 (C,).
    mean_of: which of these the mean is: MEAN_OF_CHANNELS, MEAN_OF_IMAGES or MEAN_OF_CROPS.
    divisor: of the sum, see RawImages.
    blue_first: whether the channels are put out in the opposite order.
    """

    mean: np.ndarray
    std: np.ndarray
    mean_of: int
    divisor: float
    blue_first: bool


@dataclass(frozen=True, eq=False)
class RawImages:
    """N views of M images.

        y[n, c, i, j] = (z + noise[n, c]) / divisor,   z = (x[m, c, top + i, left + j] - mean) / std, or 0 outside x

    With `blue_first`, channel c goes to C - 1 - c; a mirrored view is turned after all this.

    pixels: uint8 (M, C, H, W).
    views: int32 (N, 4), each m, top, left, mirrored; a view may reach beyond its image.
    noise: float32 (N, C).
    size: (rows, columns) of a view.
    preprocessing: a Preprocessing.
    """

    pixels: np.ndarray
    views: np.ndarray
    noise: np.ndarray
    size: tuple[int, int]
    preprocessing: Preprocessing

    def __len__(self):
        return len(self.views)

    def arrays(self):
        """All that differs from batch to batch: (pixels, views, noise)."""
        return self.pixels, self.views, self.noise

    def of(self, pixels, views, noise):
        """The same with other arrays, such as copies on a GPU."""
        return replace(self, pixels=pixels, views=views, noise=noise)
