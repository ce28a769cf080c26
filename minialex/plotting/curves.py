"""Learning curves: loss and error over the epochs of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from ..support.types import FileName
from ..training.trainer import best_row
from .layered import spread
from .style import DPI, GRID, INK, STYLE, TRAIN, VALIDATION, VALIDATION_TOP5, Figure, write


def curves(history: Sequence[dict[str, Any]], path: FileName | None = None) -> Figure:
    """Draw the loss (left) and error (right) of a run, epoch by epoch; a circle marks the epoch saved as best.npz.

    history: the rows of Trainer.history; without validation only the training curves are drawn.
    path: the file to write, PNG or SVG by its suffix; None to write none.


    Returns the Figure.
    """
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    validated = all("val_loss" in row for row in history)

    lines = [("training", TRAIN, [row["train_loss"] for row in history])]
    if validated:
        lines += [("validation", VALIDATION, [row["val_loss"] for row in history])]
    _panel(left, "loss", epochs, lines, "{:.3f}")

    lines = [("training", TRAIN, [100 * row["train_error"] for row in history])]
    if validated:
        lines += [
            ("validation top-1", VALIDATION, [100 * row["val_top1_error"] for row in history]),
            ("validation top-5", VALIDATION_TOP5, [100 * row["val_top5_error"] for row in history]),
        ]
        lines = lines if any(lines[-1][2]) else lines[:-1]  # there is none among five classes or fewer
    _panel(right, "error (%)", epochs, lines, "{:.1f} %")
    if validated:
        best = best_row(history)
        x, y = best["epoch"], 100 * best["val_top1_error"]
        right.plot([x], [y], "o", markersize=8, markerfacecolor="none", markeredgecolor=INK, clip_on=False, zorder=3)
        right.set_xlabel(f"epoch  (circle: the best, {x}, with {y:.1f} %)", **STYLE)
    return write(figure, path)


def _panel(axes, title, epochs, lines, form):
    draw_lines(axes, title, [(color, "-", epochs, values) for _, color, values in lines], epochs[-1])
    ends = [(f"{label} {form.format(values[-1])}", color, epochs[-1], values[-1]) for label, color, values in lines]
    name_ends(axes, ends)


def draw_lines(axes: Any, title: str, lines: Any, last: int) -> None:
    """Draw lines over the epochs into axes.

    axes: Matplotlib's.
    title: the heading.
    lines: a (colour, line style, epochs, values) for each.
    last: the last epoch of all lines, the right end of the axis.
    """
    for color, style, epochs, values in lines:
        marker_size = 3 if len(epochs) < 40 else 0
        axes.plot(
            epochs,
            values,
            color=color,
            linestyle=style,
            linewidth=1.8,
            marker="o",
            clip_on=False,
            markersize=marker_size,
        )
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_xlabel("epoch", **STYLE)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0.5, max(last, 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    axes.spines[:].set_visible(False)


def name_ends(axes: Any, names: Any) -> None:
    """Label the right ends of lines, moving labels apart where they would overlap.

    axes: Matplotlib's, with its limits set.
    names: a (text, colour, x, y) for each line; x, y: its last point.
    """
    names = sorted(names, key=lambda name: name[3])
    heights = spread([y for *_, y in names], [0.075 * axes.get_ylim()[1]] * len(names), 0)
    for (text, color, x, _), y in zip(names, heights):
        axes.annotate(
            text,
            (x, y),
            xytext=(7, 0),
            textcoords="offset points",
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
