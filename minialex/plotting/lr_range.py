"""The loss over the learning rate in a range test."""

from __future__ import annotations

import numpy as np

from ..support.types import FileName
from ..training import RangeTest
from .style import BLUE, DPI, GRID, INK, STYLE, VERMILION, Figure, write


def lr_range(tested: RangeTest, path: FileName | None = None) -> Figure:
    """Draw the losses of a learning-rate range test, single and smoothed, and mark the suggestion.

    tested: the training.RangeTest that training.lr_find returns.
    path: the file to write, PNG or SVG by its suffix; None to write none.

    Returns the Figure.
    """
    figure = Figure(figsize=(7, 3.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    lrs, smoothed = tested.lrs, tested.smoothed
    axes.plot(lrs, tested.losses, ".", color=BLUE, alpha=0.35, markersize=5, linewidth=0, label="each step")
    axes.plot(lrs, smoothed, color=BLUE, linewidth=1.8, label="smoothed")
    axes.set_xscale("log")
    finite = smoothed[np.isfinite(smoothed)]
    low, start = finite.min(), finite[0]
    room = max(start - low, 0.1 * abs(start), 1e-3)
    axes.set_ylim(low - 0.5 * room, start + 1.5 * room)  # a diverging loss leaves the figure
    ending = "the loss diverged" if tested.diverged else "the loss did not diverge"
    title = f"learning-rate range test: no suggestion, {ending}"
    if tested.suggestion is not None:
        title = f"learning-rate range test: the loss falls fastest at {tested.suggestion:.2g}"
        axes.axvline(tested.suggestion, color=VERMILION, linewidth=1.2)
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_xlabel("learning rate", **STYLE)
    axes.set_ylabel("loss", **STYLE)
    axes.tick_params(labelsize=8, colors=INK, length=0, which="both")
    axes.grid(color=GRID, linewidth=0.7)
    axes.spines[:].set_visible(False)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left")
    return write(figure, path)
