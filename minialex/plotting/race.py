"""A race to a training error, as in figure 1 of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..support.types import FileName
from .compare import COLORS
from .style import DPI, GRID, INK, STYLE, Figure, write

PAPERS_EPOCHS, PAPERS_ERROR = 40, 0.75  # the ends of the axes of the paper's figure


def race(told: Mapping[str, Any], path: FileName | None = None) -> Figure:
    """Draw the training errors of a race over the epochs, a line for each seed, on the axes of the paper's figure 1.

    told: see ablation.race.results; the first variant has solid lines, the others dashed ones.
    path: the file to write, PNG or SVG by its suffix; None to write none.

    Returns the Figure.
    """
    figure = Figure(figsize=(5.2, 4.4), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for number, (name, one) in enumerate(told["variants"].items()):
        color = COLORS[number % len(COLORS)]
        for seed, run in enumerate(one["runs"].values()):
            epochs = range(1, len(run["errors"]) + 1)
            style = "-" if number == 0 else "--"
            label = f"{name}, rate {one['rate']:g}" if seed == 0 else None
            axes.plot(epochs, run["errors"], style, color=color, linewidth=1.4, alpha=0.8, label=label)
    axes.axhline(told["target"], color=INK, linestyle=":", linewidth=1)
    longest = max(len(run["errors"]) for one in told["variants"].values() for run in one["runs"].values())
    axes.set_xlim(0, max(PAPERS_EPOCHS, longest))
    axes.set_ylim(0, PAPERS_ERROR)
    axes.set_yticks((0, 0.25, 0.5, 0.75))
    axes.set_xlabel("epochs", **STYLE)
    axes.set_ylabel("training error rate", **STYLE)
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    axes.spines[:].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper right")
    return write(figure, path)
