"""Noise in the colour of a whole picture: the second form of data augmentation in the paper."""

from __future__ import annotations

import math

import numpy as np


class ColorNoise:
    """Every pixel of a picture moved by the same random colour, along the principal axes p_i of all pixels' colours.

    alpha_i ~ N(0, 1), new for each picture; d_i: the std of the training pixels along p_i, on the scale 0-255

    by="eigenvalue"    y = x + c sum_i alpha_i lambda_i p_i,  lambda_i = 255 (d_i / 255)^2
    by="std"           y = (x + c sum_i alpha_i d_i p_i) / (1 + c)

    The first is section 4.1 of the paper, where c = 0.1. A product of alpha and an eigenvalue, a squared std,
    depends on the scale: it is meant for pixels from 0 to 1, and brought to ours. The second is what the program of
    2012 did (convdata_jpeg.py, 154-179): the division keeps the scale near that of test pictures, which have no noise.

    statistics: of the training set, see data.statistics. std: what the pictures, whose mean is taken away already, were
    divided by. The colour is the same everywhere, so it may come before or after a crop and a flip.
    """

    def __init__(self, coefficient, statistics, by="eigenvalue", std=1.0):
        self.coefficient, self.by = coefficient, by
        d = statistics.stds
        scale = {"eigenvalue": d * d / 255, "std": d}[by]
        self.axes = coefficient * statistics.vectors * scale / np.reshape(std, (-1, 1))  # (C, C): a column for an axis

    def __call__(self, images, words):
        colors = normals(words)[:, : len(self.axes)] @ self.axes.T
        noisy = images + colors.astype(np.float32)[:, :, None, None]
        if self.by == "std":
            noisy /= np.float32(1 + self.coefficient)
        return noisy

    def __repr__(self):
        return f"ColorNoise({self.coefficient}, by={self.by!r})"


def normals(words):
    """Four numbers ~ N(0, 1) of four random words, uint32 (n, 4) to float64 (n, 4).

    sqrt(-2 ln u) cos(2 pi v), sqrt(-2 ln u) sin(2 pi v) of the words 0, 1 and 2, 3, with u from (0, 1], v from [0, 1)
    (Box and Muller, 1958).
    """
    u, v = (words[:, ::2] + 1.0) / 2**32, words[:, 1::2] / 2**32
    radius, angle = np.sqrt(-2 * np.log(u)), 2 * math.pi * v
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
