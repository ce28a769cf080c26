"""Colour noise along the principal components of RGB values: the paper's second form of data augmentation."""

from __future__ import annotations

import math

import numpy as np

from ..support.types import Array
from .moments import Statistics


class ColorNoise:
    """Adds one random colour per image to all its pixels, along the principal axes p_i of the training set's colours.

        by="eigenvalue"    y = x + c sum_i alpha_i lambda_i p_i,  lambda_i = 255 (d_i / 255)^2
        by="std"           y = (x + c sum_i alpha_i d_i p_i) / (1 + c)

    alpha_i ~ N(0, 1), drawn for each image; d_i: the std of the training pixels along p_i, on the scale 0-255.

    coefficient: c.
    statistics: data.statistics of the training set.
    by: "eigenvalue" or "std".
    std: the std by which Normalize divided the images, a number or (C, 1, 1).

    A transform of normalised images. The colour is the same for all pixels: it may come before or after a crop or flip.

    "eigenvalue" is section 4.1 of the 2012 paper, with c = 0.1. An eigenvalue is a squared std, so its effect depends
    on the scale of the pixels: it is computed for pixels from 0 to 1 and rescaled to 0-255. "std" is what the
    program of 2012 did (convdata_jpeg.py, 154-179): the division keeps the scale near that of test images, which get
    no noise.
    """

    def __init__(
        self, coefficient: float, statistics: Statistics, by: str = "eigenvalue", std: Array | float = 1.0
    ) -> None:
        self.coefficient, self.by = coefficient, by
        d = statistics.stds
        scale = {"eigenvalue": d * d / 255, "std": d}[by]
        self.axes = coefficient * statistics.vectors * scale / np.reshape(std, (-1, 1))  # (C, C), one axis per column

    def __call__(self, images: Array, words: Array) -> Array:
        colors = normals(words)[:, : len(self.axes)] @ self.axes.T
        noisy = images + colors.astype(np.float32)[:, :, None, None]
        if self.by == "std":
            noisy /= np.float32(1 + self.coefficient)
        return noisy

    def __repr__(self) -> str:
        return f"ColorNoise({self.coefficient}, by={self.by!r})"


def normals(words: Array) -> Array:
    """Standard normal numbers from random words: four from four.

        sqrt(-2 ln u) cos(2 pi v), sqrt(-2 ln u) sin(2 pi v)    u in (0, 1], v in [0, 1)

    words: uint32 (n, 4); u and v come from words 0 and 1, and from words 2 and 3.

    Returns float64 (n, 4).
    Box and Muller, 1958.
    """
    u, v = (words[:, ::2] + 1.0) / 2**32, words[:, 1::2] / 2**32
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * math.pi * v
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
