"""What all figures share: the palette, the type size, a sheet to draw on in pixels, and saving to a file.

Figures are objects: no pyplot, no window, no global state. A notebook shows one that is a cell's last expression.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib import figure as matplotlib_figure
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb

from ..support import files
from ..support.text import printable
from ..support.types import FileName
from . import lettering

# Okabe and Ito's colours, which can be told apart with any kind of colour vision.
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
TRAIN, VALIDATION, VALIDATION_TOP5 = BLUE, VERMILION, PURPLE
RIGHT, WRONG = BLUE, VERMILION
INK, GRID, PALE = "#333333", "#DDDDDD", "#EEEEEE"

DPI = 110
STYLE: dict = {"fontsize": 9, "color": INK}


class Figure(matplotlib_figure.Figure):
    """Matplotlib's Figure: its text is never mathematics, and a notebook shows it although pyplot does not know it."""

    def draw(self, renderer):
        """Draw the figure on a Matplotlib `renderer`."""
        with lettering.lettered(self):
            super().draw(renderer)

    def _repr_png_(self):
        file = io.BytesIO()
        FigureCanvasAgg(self).print_png(file)
        return file.getvalue()


def tint(color, strength):
    """Mix color with white, with `strength`, from 0 to 1, as its share; returns (r, g, b) from 0 to 1."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(color))


def short(text, most):
    """A name, made printable, cut to at most `most` characters, the last an ellipsis where it was longer."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def softmax(logits):
    """Probabilities (N, C) from logits (N, C)."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


def sheet_of(width, height):
    """A figure of width x height pixels, and axes to draw on in pixels, y down."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_autoscale_on(False)
    return figure, axes


def write(figure: Figure, path: FileName | None = None) -> Figure:
    """Write a figure to the file `path`, if given: SVG if it ends in .svg, else PNG; returns the figure.

    An interrupted write leaves no file.
    """
    if path is None:
        return figure
    with files.replacing(path) as file:
        if Path(path).suffix.lower() == ".svg":
            FigureCanvasSVG(figure).print_svg(file)
        else:
            FigureCanvasAgg(figure).print_png(file)
    return figure
