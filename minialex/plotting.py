"""Every figure, drawn with one palette. Figures are objects: no pyplot, no window, no global state."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from . import files
from .trainer import best_row

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart.
TRAIN, VALIDATION, VALIDATION_TOP5 = "#0072B2", "#D55E00", "#CC79A7"
INK, GRID = "#333333", "#DDDDDD"

DPI = 110
STYLE: dict = {"fontsize": 9, "color": INK}


def curves(history, path):
    """Draw loss (left) and error (right) of the rows of a run's `history` into the PNG file `path`.

    history: the rows of Trainer.history; those without validation show the training alone. The circle marks
    the epoch that `best.npz` is of.
    """
    figure = Figure(figsize=(9, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    validated = all("val_loss" in row for row in history)

    lines = [("training", TRAIN, [row["train_loss"] for row in history])]
    if validated:
        lines += [("validation", VALIDATION, [row["val_loss"] for row in history])]
    _lines(left, "loss", epochs, lines, "{:.3f}")

    lines = [("training", TRAIN, [100 * row["train_error"] for row in history])]
    if validated:
        lines += [
            ("validation top-1", VALIDATION, [100 * row["val_top1_error"] for row in history]),
            ("validation top-5", VALIDATION_TOP5, [100 * row["val_top5_error"] for row in history]),
        ]
    _lines(right, "error (%)", epochs, lines, "{:.1f} %")
    if validated:
        best = best_row(history)
        x, y = best["epoch"], 100 * best["val_top1_error"]
        right.plot([x], [y], "o", markersize=8, markerfacecolor="none", markeredgecolor=INK, clip_on=False, zorder=3)
        right.set_xlabel(f"epoch  (circle: the best, {x}, with {y:.1f} %)", **STYLE)
    _write(figure, path)


def _lines(axes, title, epochs, lines, form):
    for _, color, values in lines:
        axes.plot(
            epochs,
            values,
            color=color,
            linewidth=1.8,
            marker="o",
            clip_on=False,
            markersize=3 if len(epochs) < 40 else 0,
        )
    axes.set_title(title, loc="left", fontsize=10, color=INK, fontweight="bold")
    axes.set_xlabel("epoch", **STYLE)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0.5, max(epochs[-1], 1.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.7)
    axes.spines[:].set_visible(False)
    _label_ends(axes, epochs[-1], lines, form)


def _label_ends(axes, x, lines, form):
    """Write each line's name at its right end, pushed apart where the ends lie close together."""
    top = axes.get_ylim()[1]
    gap, lowest = 0.075 * top, 0.0
    for label, color, values in sorted(lines, key=lambda line: line[2][-1]):
        y = max(values[-1], lowest)
        axes.annotate(
            f"{label} {form.format(values[-1])}",
            (x, y),
            xytext=(7, 0),
            textcoords="offset points",
            color=color,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
        lowest = y + gap


def filters(weight, path, *, title="filters of the first convolution"):
    """Draw the weights of a convolution (O, C, h, w) as tiles into the PNG file `path`.

    Three channels are shown as red, green and blue; of any other number each channel is a grey tile of its
    own. Zero is mid-grey, and one scale holds for all, as in cuda-convnet's figures: a filter that has
    learned nothing stays grey.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim != 4:
        raise ValueError(f"filters are drawn from weights (O, C, h, w), got shape {weight.shape}")
    if weight.shape[1] != 3:
        weight = weight.reshape(-1, 1, *weight.shape[2:])
    count, channels, height, width = weight.shape
    columns = min(16, count)
    rows = -(-count // columns)
    pixel = max(1, 48 // max(height, width))  # of the screen, for one weight
    gap = 4

    tiles = 0.5 + 0.5 * weight / max(np.abs(weight).max(), 1e-12)
    tiles = tiles.repeat(pixel, axis=2).repeat(pixel, axis=3).transpose(0, 2, 3, 1)
    step_y, step_x = height * pixel + gap, width * pixel + gap
    sheet = np.ones((rows * step_y - gap, columns * step_x - gap, channels))
    for index, tile in enumerate(tiles):
        y, x = index // columns * step_y, index % columns * step_x
        sheet[y : y + height * pixel, x : x + width * pixel] = tile
    if channels == 1:
        sheet = sheet.repeat(3, axis=2)

    margin, head = 12, 30  # pixels
    sheet_height, sheet_width = sheet.shape[:2]
    full_width = max(sheet_width + 2 * margin, 520)
    full_height = sheet_height + margin + head
    figure = Figure(figsize=(full_width / DPI, full_height / DPI), dpi=DPI)
    figure.figimage(sheet, margin, margin)
    largest = np.abs(weight).max()
    figure.text(
        margin / full_width,
        1 - head / 2 / full_height,
        f"{title}: {count} of {height}x{width}, grey is 0, full colour {largest:.2g}",
        va="center",
        **STYLE,
    )
    _write(figure, path)


def _write(figure, path):
    with files.replacing(path) as file:
        FigureCanvasAgg(figure).print_png(file)
