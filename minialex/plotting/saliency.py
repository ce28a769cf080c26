"""Saliency maps: the gradient of a logit with respect to the input, beside the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from ..support.types import Array, FileName
from .sheets import percent, tile
from .style import INK, PALE, RIGHT, WRONG, Figure, sheet_of, short, softmax, write

GLOW = LinearSegmentedColormap.from_list("", ["black", "#7A2E00", "#D55E00", "#F0C060", "white"])
BRIGHTEST = 99.5  # the percentile drawn white: a few pixels are far stronger than all the others


def saliency(
    gradients: Array, logits: Array, targets: Array, pictures: Array, path: FileName | None = None, *,
    classes: Sequence[str], names: Sequence[str | None] | None = None, columns: int = 2, title: str = "gradient",
) -> Figure:  # fmt: skip
    """Draw each image, the saliency map of one class, and the image where the map is strong.

        map[i, j] = max over c of |gradient[c, i, j]|      gradient = d logit[target] / d image

    The target class is written above with its probability.

    gradients, logits, targets: (N, C, H, W), (N, K) and (N,), as look.input_gradient returns them.
    pictures: the images' pixels, uint8 (N, C, H, W).
    path: the file to write, PNG or SVG by its suffix; None to write none.
    classes: a name for each logit.
    names: the true class of each image, None where it is unknown.
    columns: images in a row, at most.
    title: the heading.

    Returns the Figure.
    Simonyan, Vedaldi, Zisserman 2013, section 3.
    """
    strength = abs(gradients).max(1)
    limits = np.percentile(strength, BRIGHTEST, axis=(1, 2), keepdims=True)
    strength = (strength / np.where(limits > 0, limits, 1)).clip(0, 1)
    probabilities = softmax(logits)
    size, gap, margin, head, caption = 152, 4, 14, 34, 24  # pixels
    columns = min(columns, len(pictures))
    cell = 3 * (size + gap) + 18
    rows = -(-len(pictures) // columns)
    width = max(2 * margin + columns * cell - gap - 18, 490)
    figure, axes = sheet_of(width, head + rows * (size + caption + 8) + margin)
    axes.text(margin, margin + 6, title, va="center", fontsize=10, color=INK, fontweight="bold")
    names = names or [None] * len(pictures)
    for place, (picture, glow, target, name, p) in enumerate(zip(pictures, strength, targets, names, probabilities)):
        x, y = margin + place % columns * cell, head + place // columns * (size + caption + 8)
        heading = f"{short(classes[target], 28)}  {percent(p[target])}"
        axes.text(x, y + caption / 2, heading, va="center", fontsize=9, color=INK, fontweight="bold")
        if name is not None:
            is_what = "\N{CHECK MARK}" if name == classes[target] else f"is {short(name, 24)}"
            style = {"va": "center", "ha": "right", "fontsize": 8, "color": RIGHT if name == classes[target] else WRONG}
            axes.text(x + 3 * size + 2 * gap, y + caption / 2, is_what, **style)
        tile(axes, picture, x, y + caption, size, PALE)
        x += size + gap
        axes.imshow(
            glow, cmap=GLOW, vmin=0, vmax=1, extent=(x, x + size, y + caption + size, y + caption), aspect="auto"
        )
        visible = picture * (0.12 + 0.88 * np.sqrt(glow))
        tile(axes, visible.astype(np.uint8), x + size + gap, y + caption, size)
    return write(figure, path)
