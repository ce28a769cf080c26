"""Contact sheets: many small images with captions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from ..support.types import Array, FileName
from ..training.evaluation import Predictions
from .style import INK, RIGHT, WRONG, Figure, sheet_of, short, write


def tile(axes: Any, image: Array, x: float, y: float, size: float, edge: Any = None) -> None:
    """Draw one image as a square.

    axes: of a sheet, in pixels, y down.
    image: (3, H, W) or (1, H, W), values from 0 to 255.
    x, y: the top left corner.
    size: the side of the square.
    edge: the colour of a frame; none if None.
    """
    picture = image.transpose(1, 2, 0) if len(image) == 3 else image[0, ..., None].repeat(3, axis=-1)
    axes.imshow(picture, extent=(x, x + size, y + size, y), aspect="auto")
    if edge:
        axes.add_patch(Rectangle((x, y), size, size, fill=False, edgecolor=edge, linewidth=2))


def percent(p: float) -> str:
    """A probability p from 0 to 1 as a short percentage: 97 %, 3.1 %, 0.04 %."""
    return f"{100 * p:.0f} %" if p >= 0.0995 else f"{100 * p:.1f} %" if p >= 0.00095 else f"{100 * p:.1g} %"


def mistakes(
    dataset: Any, verdicts: Predictions, path: FileName | None = None, *, columns: int = 6, rows: int = 4
) -> Figure:
    """Draw the misclassified images with the largest loss, each with its true and its predicted class.

    The probability of either class is written beside its name.

    dataset: its classes and fetch(indices) are used.
    verdicts: the evaluation.Predictions of all its images, in its order.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    columns, rows: images across and down, at most.

    Returns the Figure.
    """
    worst = verdicts.mistakes()
    chosen = worst[: columns * rows]
    size, gap, margin, head, caption = 140, 14, 14, 34, 40  # pixels
    columns = max(1, min(columns, len(chosen)))
    width = max(2 * margin + columns * (size + gap) - gap, 420)
    figure, axes = sheet_of(width, head + margin + -(-len(chosen) // columns) * (size + caption))
    title = f"{len(chosen)} of {len(worst):,} mistakes, worst first" if len(chosen) else "No mistakes"
    axes.text(margin, margin + 6, title, va="center", fontsize=10, color=INK, fontweight="bold")
    note = "true class, then predicted"
    if len(chosen):
        axes.text(width - margin, margin + 6, note, va="center", ha="right", fontsize=8, color=INK)
    images = dataset.fetch(chosen)[0] if len(chosen) else ()
    for place, (index, image) in enumerate(zip(chosen, images)):
        x, y = margin + place % columns * (size + gap), head + place // columns * (size + caption)
        tile(axes, image, x, y, size)
        for line, (label, log_p, color) in enumerate(
            [
                (verdicts.labels[index], verdicts.log_true[index], RIGHT),
                (verdicts.predicted[index], verdicts.log_predicted[index], WRONG),
            ]
        ):
            middle = y + size + 9 + 14 * line
            name = short(dataset.classes[label], 12)
            axes.text(x, middle, name, va="center", fontsize=8, color=color, fontweight="bold")
            axes.text(x + size, middle, percent(np.exp(log_p)), va="center", ha="right", fontsize=8, color=INK)
    return write(figure, path)
