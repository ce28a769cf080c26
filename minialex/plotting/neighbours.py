"""Images and their nearest neighbours in feature space: the right half of figure 4 of the 2012 paper."""

from __future__ import annotations

from collections.abc import Sequence

from ..support.types import Array, FileName
from .sheets import tile
from .style import INK, RIGHT, WRONG, Figure, sheet_of, short, write


def neighbours(
    queries: Sequence[tuple[Array, str | None]], found: Sequence[Sequence[tuple[Array, str | None]]],
    path: FileName | None = None, *, distances: Sequence[Sequence[float]] | Array | None = None,
    title: str = "nearest training images",
) -> Figure:  # fmt: skip
    """Draw one row per query image: the image, then its neighbours, nearest first.

    A neighbour of another class has a frame of another colour; the title counts those of the same class.

    queries: (image uint8 (C, H, W), class name or None if unknown) each.
    found: for each query a list of such pairs.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    distances: for each query a list of its neighbours' distances.
    title: the heading.

    Returns the Figure.
    """
    size, gap, apart, margin, head, caption = 116, 8, 26, 14, 40, 40  # pixels
    most = max((len(row) for row in found), default=0)
    width = max(2 * margin + size + apart + most * (size + gap) - gap, 420)
    figure, axes = sheet_of(width, head + len(queries) * (size + caption) + 4)
    known = [(name, other) for (_, name), row in zip(queries, found) for _, other in row if name is not None]
    if known:
        title += f": {sum(name == other for name, other in known)} of {len(known)} of the same class"
    axes.text(margin, margin + 6, title, va="center", fontsize=10, color=INK, fontweight="bold")
    for number, ((picture, name), row) in enumerate(zip(queries, found)):
        y = head + number * (size + caption)
        tile(axes, picture, margin, y, size)
        axes.text(margin, y + size + 10, short(name or "?", 15), va="center", fontsize=9, color=INK, fontweight="bold")
        for place, (other_picture, other) in enumerate(row):
            x = margin + size + apart + place * (size + gap)
            color = INK if name is None else RIGHT if other == name else WRONG
            tile(axes, other_picture, x, y, size, color)
            mark = "" if name is None else "\N{CHECK MARK} " if other == name else "\N{BALLOT X} "
            axes.text(x, y + size + 10, mark + short(other, 13), va="center", fontsize=8, color=color)
            if distances is not None:
                text = f"{distances[number][place]:.3g}"
                axes.text(x, y + size + 23, text, va="center", fontsize=7, color="#777777")
    return write(figure, path)
