"""Differences between variants of a network and the network itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..support.types import FileName
from .style import BLUE, DPI, GRID, INK, STYLE, VERMILION, Figure, short, write


def deltas(found: Sequence[Any], labels: Sequence[str], path: FileName | None = None) -> Figure:
    """Draw the difference in test error of each variant: its seeds, their mean, its 95 % interval; and that of 2012.

    found: Deltas, see ablation.deltas, without the base.
    labels: the names to show.
    path: the file to write, PNG or SVG by its suffix; None to write none.

    Returns the Figure.
    """
    figure = Figure(figsize=(7.5, 1.6 + 0.42 * len(found)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=INK, linewidth=1)
    for row, one in enumerate(found):
        seeds = [*one.differences.values()]
        if one.low is not None:
            axes.plot([one.low, one.high], [row, row], color=BLUE, linewidth=2, alpha=0.5)
        axes.plot(seeds, [row] * len(seeds), "o", color=BLUE, markersize=3.5, alpha=0.7)
        if one.mean is not None:
            axes.plot([one.mean], [row], "D", color=BLUE, markersize=7)
        if one.published:
            axes.plot([one.published.top1], [row + 0.22], "x", color=VERMILION, markersize=6)
    axes.set_yticks(range(len(found)), [short(label, 40) for label in labels], **STYLE)
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel(
        "difference in test error, percentage points (dots: seeds; diamond: mean; line: 95 % interval of the mean of\n"
        "the paired differences, Student's t; cross: the same change in 2012, on ImageNet, top-1)",
        fontsize=8,
        color=INK,
    )
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7, axis="x")
    axes.spines[:].set_visible(False)
    return write(figure, path)
