"""A diagram of a network: all layers as boxes; with two groups, also the two towers of the paper's figure 2."""

from __future__ import annotations

from collections.abc import Sequence

from ..models.layout import Row
from ..support.types import FileName
from .layers3d import layers3d, text_width
from .style import INK, Figure, sheet_of, write
from .towers import are_two, towers

MARGIN, HEAD, BETWEEN = 16, 36, 24  # pixels


def architecture(rows: Sequence[Row], path: FileName | None = None, *, title: str) -> Figure:
    """Draw a network's layers as boxes, and a network with two groups as two towers as well.

    rows: a models.layout.Row for each layer.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    title: the heading.

    Returns the Figure.
    Raises ValueError for a layer of an unknown kind.
    """
    drawings = [layers3d(rows), *([towers(rows)] if are_two(rows) else [])]
    width = max(text_width(title, 10, "bold"), *(width for width, *_ in drawings)) + 2 * MARGIN
    height = HEAD + sum(height + BETWEEN for _, height, _ in drawings) - BETWEEN + MARGIN
    figure, axes = sheet_of(width, height)
    axes.text(MARGIN, HEAD / 2 + 2, title, va="center", fontsize=10, color=INK, fontweight="bold")
    top = HEAD
    for drawn_width, drawn_height, draw in drawings:
        draw(axes, (width - drawn_width) / 2, top)
        top += drawn_height + BETWEEN
    return write(figure, path)
