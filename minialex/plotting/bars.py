"""Images with their most probable classes as bars: the left half of figure 4 of the 2012 paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patches import Rectangle

from ..support.types import Array, FileName
from .sheets import percent, tile
from .style import INK, PALE, RIGHT, Figure, sheet_of, short, tint, write


def bars(
    images: Sequence[Array] | Array, names: Sequence[str], probabilities: Sequence[Array] | Array,
    classes: Sequence[str], path: FileName | None = None, *, top: int = 5, columns: int = 4,
) -> Figure:  # fmt: skip
    """Draw each image with its name and, below it, a bar for each of its most probable classes.

    images: uint8 (3, H, W) each.
    names: a caption for each image.
    probabilities: (N, C).
    classes: the name of each class.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    top: bars below an image.
    columns: images in a row, at most.

    Returns the Figure.
    """
    size, gap, margin, row, head = 200, 22, 16, 21, 24  # pixels
    top = min(top, len(classes))
    columns = min(columns, len(images))
    cell = size + head + top * row
    lines = -(-len(images) // columns)
    width = 2 * margin + columns * (size + gap) - gap
    figure, axes = sheet_of(width, 2 * margin + lines * (cell + gap) - gap)
    for place, (image, name, p) in enumerate(zip(images, names, probabilities)):
        x, y = margin + place % columns * (size + gap), margin + place // columns * (cell + gap)
        tile(axes, image, x, y, size)
        style = {"va": "center", "ha": "center", "fontsize": 8, "color": INK, "fontweight": "bold"}
        axes.text(x + size / 2, y + size + head / 2, short(name, 25), **style)
        for line, c in enumerate(np.argsort(-p, kind="stable")[:top]):
            _bar(axes, x, y + size + head + line * row, size, row - 3, classes[c], p[c], first=line == 0)
    return write(figure, path)


def _bar(axes, x, y, width, height, name, p, first):
    axes.add_patch(Rectangle((x, y), width, height, color=PALE, linewidth=0))
    axes.add_patch(Rectangle((x, y), width * p, height, color=tint(RIGHT, 0.5 if first else 0.25), linewidth=0))
    style = {"va": "center", "fontsize": 8, "color": INK, "fontweight": "bold" if first else "normal"}
    axes.text(x + 5, y + height / 2, short(name, 24), **style)
    axes.text(x + width - 4, y + height / 2, percent(p), ha="right", **style)
