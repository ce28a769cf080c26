"""What the exercises of lesson 4 expect, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
from exercises import Exercise


def convolve(picture, kernel):
    """Solution of 4.2; kernels of any shape."""
    h, w = kernel.shape
    rows, columns = picture.shape[0] - h + 1, picture.shape[1] - w + 1
    return np.array([[(kernel * picture[i : i + h, j : j + w]).sum() for j in range(columns)] for i in range(rows)])


def fold(columns, size, stride):
    """Solution of 4.3."""
    pixels = np.zeros(size)
    for (v, j), value in np.ndenumerate(columns):
        pixels[j * stride + v] += value
    return pixels


def _fold_assigning(columns, size, stride):
    pixels = np.zeros(size)
    for (v, j), value in np.ndenumerate(columns):
        pixels[j * stride + v] = value
    return pixels


def _fold_assigning_by_window(columns, size, stride):
    pixels = np.zeros(size)
    for (j, v), value in np.ndenumerate(columns.T):
        pixels[j * stride + v] = value
    return pixels


def _fold_dividing(columns, size, stride):
    return fold(columns, size, stride) / np.maximum(fold(np.ones_like(columns), size, stride), 1)


def _fold_placewise(columns, size, stride):
    pixels = np.zeros(size)
    for (v, j), value in np.ndenumerate(columns):
        pixels[(j + v * stride) % size] += value
    return pixels


def multiplications(size, m, r):
    """Solution of 4.5."""
    return (-(-size // m) * (m + r - 1)) ** 2


_numbers = np.random.default_rng(44)


def _digits(*shape):
    return _numbers.integers(-4, 5, shape).astype(float)


_ASSIGNED = "A pixel in several windows keeps only the last gradient. Forward copied it to all of them: add, with `+=`."

EXERCISES = {
    "4.1": Exercise(
        307_456,
        (
            (614_656, "Every filter over all 96 channels: with two groups a filter sees half of them."),
            (307_200, "The weights are right. The biases are learned as well, one for each filter."),
            (614_400, "Two things: a filter sees only the channels of its group, and each filter has a bias."),
            (153_728, "That is one group: half of the filters over half of the channels. There are two such groups."),
            (7_456, "Does each filter have a kernel of its own for every channel that it sees?"),
            (256 * 96 * 5 + 256, "A kernel of 5x5 has 25 weights, and a filter sees the 48 channels of its group."),
        ),
        right="The paper's two cards each hold half of them.",
        hints=(
            "With two groups, how many of the 96 channels does one filter see?",
            "Each filter has 5 x 5 weights for every channel that it sees, and one bias.",
            "256 filters, each with 48 x 5 x 5 weights and a bias: add both up.",
        ),
    ),
    "4.2": Exercise(
        convolve,
        (
            (lambda x, w: convolve(x, w[::-1, ::-1]), "The filter is flipped: w[u, v] meets x[i + u, j + v]."),
            (lambda x, w: convolve(x, w.T), "The filter is transposed: u goes down the rows, v along them."),
            (lambda x, w: convolve(x, w)[:-1, :-1], "One short both ways: a window fits at H - K + 1 rows."),
            (lambda x, w: convolve(np.pad(x, len(w) // 2), w), "This is padded with zeros; no padding was asked for."),
            (lambda x, w: convolve(x, w) / w.size, "A mean over the window. Convolution adds up and does not divide."),
            (
                lambda x, w: x[: len(x) - len(w) + 1, : x.shape[1] - len(w) + 1] * w[0, 0],
                "Only the filter's first weight is used: multiply the whole window with the whole filter, and add up.",
            ),
        ),
        cases=((_digits(4, 5), _digits(3, 3)), (_digits(6, 4), _digits(2, 2))),
        right="This is what every layer called convolution computes.",
        hints=(
            "How many places are there, down and across, at which the filter lies wholly on the picture?",
            "At the place (i, j) the window is picture[i : i + K, j : j + K]. What is done with it and the filter?",
            "An array of H - K + 1 by W - K + 1; at each place the sum of kernel * window.",
        ),
    ),
    "4.3": Exercise(
        fold,
        (
            (_fold_assigning, _ASSIGNED),
            (_fold_assigning_by_window, _ASSIGNED),
            (lambda c, size, stride: fold(c, size, 1), "The windows stand side by side: the stride is not used."),
            (_fold_dividing, "A mean of what arrives. The gradient of a copy is the sum over all copies."),
            (_fold_placewise, "The stride belongs to the window's number j; inside a window, pixels are neighbours."),
            (
                lambda c, size, stride: fold(c[::-1], size, stride),
                "The places of a window are counted backwards: v grows with the pixel, j * stride + v.",
            ),
        ),
        cases=((_digits(3, 3), 7, 2), (_digits(2, 5), 6, 1), (_digits(3, 2), 9, 4)),
        right="With two such directions it is the package's col2im.",
        hints=(
            "Forward copied a pixel to several windows. What does the gradient of a copied number do?",
            "columns[v, j] belongs to pixel j * stride + v. Begin with zeros.",
            "A loop over v and j: pixels[j * stride + v] += columns[v, j].",
        ),
    ),
    "4.4": Exercise(
        lambda x, gy: convolve(x, gy),
        (
            (lambda x, gy: convolve(x, gy[::-1, ::-1]), "gy is flipped: y[i, j] met x[i + u, j + v]."),
            (lambda x, gy: convolve(x, gy)[::-1, ::-1], "The result is turned by 180 degrees: index it by u and v."),
            (lambda x, gy: convolve(x, gy).T, "The result is transposed: u goes down the rows, v along them."),
            (lambda x, gy: convolve(x, gy) / gy.size, "A mean over the outputs; the gradient is the sum over them."),
        ),
        cases=((_digits(4, 5), _digits(2, 3)), (_digits(5, 5), _digits(4, 4))),
        right="You have written it in 4.2.",
        hints=(
            "w[u, v] takes part in every output y[i, j]. What does each of them send back to it?",
            "gw[u, v] is the sum over i and j of gy[i, j] times the pixel that w[u, v] met there, x[i + u, j + v].",
            "For each (u, v): the sum of gy times x[u : u + h, v : v + w], where (h, w) is the shape of gy.",
        ),
    ),
    "4.5": Exercise(
        multiplications,
        (
            (lambda size, m, r: (size // m * (m + r - 1)) ** 2, "The outputs beyond the last whole tile are missing."),
            (lambda size, m, r: (size * (m + r - 1) / m) ** 2, "Parts of tiles: the last tile is computed as a whole."),
            (lambda size, m, r: -(-size // m) * (m + r - 1), "That is one row of tiles, in one dimension: square it."),
            (lambda size, m, r: (-(-size // m) * (m + r)) ** 2, "A tile has n = m + r - 1 pixels a side, one less."),
            (lambda size, m, r: (size * r) ** 2, "That is the direct sum: r r products for every output."),
            (
                lambda size, m, r: (-(-size // m)) ** 2 * (m + r - 1),
                "That many products for a tile in one dimension. A tile takes (m + r - 1) squared.",
            ),
        ),
        cases=((13, 4, 3), (13, 5, 3), (13, 6, 3), (27, 4, 5)),
        right="More points are not always fewer products: compare F(5, 3) and F(6, 3) for 13 x 13.",
        hints=(
            "The last tile may hang over the edge, but it is computed as a whole.",
            "How many tiles of m fit along a side, rounded up? How many products does one tile take along a side?",
            "Tiles along a side, rounded up, times m + r - 1; and the square of that, for two directions.",
        ),
    ),
    "4.6": Exercise(
        "D",
        mistakes=(
            ("A", "Both sides of both directions get their zeros."),
            ("B", "Right for the square filters of this function."),
            ("C", "That is the formula for the rows."),
            ("E", "Every stride-th pixel, from the place (u, v) on: right."),
            ("F", "Each place adds its products, summed over the channels: right."),
        ),
        hints=(
            "Which tests are missing? Think of what all of these have in common.",
            "All pictures are as wide as they are high. Try one that is not.",
            "Two of the lines should differ more than they do.",
        ),
    ),
}
