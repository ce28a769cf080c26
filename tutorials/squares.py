"""Pictures and windows drawn as squares with their numbers, several to a figure, all of one size."""

from __future__ import annotations

import numpy as np
from lesson import GRID, INK, panels, pictures
from matplotlib.patches import Rectangle


def sheet(width, height):
    """A figure and its axes, so many squares wide and high, y down: `figure, axes = sheet(20, 9)`."""
    figure, axes = panels(height=9.0 * height / width)
    pictures(axes)
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure, axes


def grid(axes, values, title="", left=0, top=1, fill=lambda i, j: "white", text="{:g}"):
    """A matrix with its corner at (left, top), the title above; fill(i, j): the colour of a square."""
    for (i, j), value in np.ndenumerate(values):
        axes.add_patch(Rectangle((left + j, top + i), 1, 1, facecolor=fill(i, j), edgecolor=GRID))
        axes.text(left + j + 0.5, top + i + 0.53, text.format(value), ha="center", va="center", fontsize=8)
    axes.text(left, top - 0.3, title, color=INK, fontsize=10, fontweight="bold")
