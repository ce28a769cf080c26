"""Activation, gradient and update statistics of every layer, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from ..support.text import printable
from ..support.types import FileName
from ..training.diagnose import DEAD_LIMIT, HEALTHY_UPDATE
from .style import BLUE, DPI, INK, PALE, STYLE, WRONG, Figure, tint, write


def diagnosis(history: Sequence[dict[str, Any]], path: FileName | None = None) -> Figure:
    """Draw the statistics of diagnose.measure as heat maps, one row per layer and one column per epoch.

    The last value of each layer is written at the end of its row. A healthy range, where one is known, is pale: blue
    is below it, orange above. White: the layer has no such statistic.

    history: the rows of Trainer.history; those with `layers` are drawn.
    path: the file to write, PNG or SVG by its suffix; None to write none.


    Returns the Figure.
    """
    rows = [row for row in history if "layers" in row]
    names = [printable(layer["layer"]) for layer in rows[-1]["layers"]]
    first, end = rows[0]["epoch"] - 0.5, rows[-1]["epoch"] + 0.5
    low, high = HEALTHY_UPDATE
    update, dead = LogNorm(low / 30, high * 30), Normalize(0, 1)
    small, large = tint(BLUE, 0.4), tint(WRONG, 0.4)
    amount = _colors((0, PALE), (1, INK))
    too_many = _colors((0, PALE), (DEAD_LIMIT, PALE), (DEAD_LIMIT, large), (1, WRONG))
    too_far = _colors(
        (0, BLUE), (update(low), small), (update(low), PALE), (update(high), PALE), (update(high), large), (1, WRONG)
    )
    panels = [
        ("activation", "std of activations", "{:.2g}", amount, None),
        ("dead", "dead ReLUs", "{:.0%}", too_many, dead),
        ("gradient", "std of gradients", "{:.0e}", amount, None),
        ("update", "update / weight", "{:.0e}", too_far, update),
    ]
    left, panel, gap, top, line, bottom = 70, 172, 56, 34, 24, 82  # pixels
    width, height = left + 4 * (panel + gap), top + line * len(names) + bottom
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    for number, (key, title, form, colors, norm) in enumerate(panels):
        values = np.array([[layer[key] for layer in row["layers"]] for row in rows], np.float64).T  # None is NaN
        x = left + number * (panel + gap)
        axes = figure.add_axes((x / width, bottom / height, panel / width, line * len(names) / height))
        scale = norm or _decades(values)
        image = axes.imshow(
            values,
            cmap=colors,
            norm=scale,
            aspect="auto",
            interpolation="nearest",
            extent=(first, end, len(names) + 0.5, 0.5),
        )
        axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
        axes.set_yticks(range(1, len(names) + 1), names if number == 0 else [])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        axes.tick_params(labelsize=8, colors=INK, length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("epoch", **STYLE)
        for row, value in enumerate(values[:, -1]):
            if np.isfinite(value):
                axes.text(end, row + 1, " " + form.format(value), va="center", fontsize=8, color=INK)
        below = figure.add_axes((x / width, 22 / height, panel / width, 13 / height))
        bar = figure.colorbar(image, cax=below, orientation="horizontal")
        bar.outline.set_visible(False)
        marks = {"dead": (0, DEAD_LIMIT, 1), "update": HEALTHY_UPDATE}.get(key) or (scale.vmin or 0, scale.vmax or 1)
        if healthy := {"dead": DEAD_LIMIT / 2, "update": math.sqrt(low * high)}.get(key):
            below.text(healthy, 0.45, "healthy", ha="center", va="center", fontsize=7, color=INK)
        bar.set_ticks(marks, labels=[form.format(mark) for mark in marks])
        bar.minorticks_off()
        below.tick_params(labelsize=8, colors=INK, length=2)
    return write(figure, path)


def _decades(values):
    """A logarithmic scale over the values, at least a decade long."""
    positive = values[np.isfinite(values) & (values > 0)]
    top = positive.max(initial=1e-9)
    return LogNorm(min(positive.min(initial=top), top / 10), top, clip=True)


def _colors(*stops):
    return LinearSegmentedColormap.from_list("", stops).with_extremes(bad="white")
