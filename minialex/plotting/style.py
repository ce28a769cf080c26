"""What all figures share: one palette, one size of type, a sheet to draw on in pixels, and how a figure is written.

Figures are objects: no pyplot, no window, no global state.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ..support import files

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
TRAIN, VALIDATION, VALIDATION_TOP5 = BLUE, VERMILION, PURPLE
RIGHT, WRONG = BLUE, VERMILION
INK, GRID, PALE = "#333333", "#DDDDDD", "#EEEEEE"

DPI = 110
STYLE: dict = {"fontsize": 9, "color": INK}


def tint(color, strength):
    """A mixture of a colour with white."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(color))


def short(text, most):
    """A text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def softmax(logits):
    """(N, C) -> probabilities (N, C)."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def sheet_of(width, height):
    """A figure, and axes to draw on in pixels, y down."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return figure, axes


def write(figure, path):
    """Into a file, whole or not at all: SVG where `path` ends in .svg, else PNG."""
    with files.replacing(path) as file:
        if Path(path).suffix.lower() == ".svg":
            FigureCanvasSVG(figure).print_svg(file)
        else:
            FigureCanvasAgg(figure).print_png(file)
