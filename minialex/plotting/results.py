"""Predictions on test images, as in the paper's figure 4, and the confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from ..support.types import Array, FileName
from .sheets import tile
from .style import DPI, GRID, INK, PALE, RIGHT, STYLE, WRONG, Figure, sheet_of, short, softmax, tint, write

MANY = 300  # classes: above it, a cell of the confusion matrix is only a pixel or two


def predictions(
    dataset: Any, logits: Array, path: FileName | None = None, *, columns: int = 4, rows: int = 3, bars: int = 4
) -> Figure:
    """Draw test images with bars for the most probable classes and the true one.

    Mistakes come first and fill half of the cells, or more where there are not enough correct images: the most
    confident mistake of every kind (true class, predicted class), then the second of each. The first correct images
    follow.

    dataset: its classes, labels and fetch(indices) are used.
    logits: (N, C), of images 0, 1, ... of the data set.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    columns, rows: cells across and down.
    bars: classes per image.

    Returns the Figure.
    """
    probabilities = softmax(logits)
    labels = np.asarray(dataset.labels)[: len(logits)]
    predicted = probabilities.argmax(1)
    mistakes = _most_confident_of_each_kind(probabilities, predicted, labels)
    correct = np.flatnonzero(predicted == labels)
    cells = columns * rows
    shown_mistakes = min(len(mistakes), max(cells // 2, cells - len(correct)))
    chosen = [*mistakes[:shown_mistakes], *correct[: cells - shown_mistakes]]
    images, _ = dataset.fetch(chosen)

    cell_width, cell_height, margin, head = 242, 130, 12, 34  # pixels
    width = 2 * margin + columns * cell_width
    height = margin + head + -(-len(chosen) // columns) * cell_height
    figure, axes = sheet_of(width, height)
    title = f"Test images: {shown_mistakes} of {len(mistakes):,} mistakes, the most confident of each kind first"
    title += f"; {len(chosen) - shown_mistakes} of {len(correct):,} correct"
    axes.text(margin, margin + 8, title, va="center", fontsize=10, color=INK, fontweight="bold")
    for position, (index, image) in enumerate(zip(chosen, images)):
        x = margin + position % columns * cell_width
        y = margin + head + position // columns * cell_height
        _prediction(axes, x, y, image, probabilities[index], labels[index], dataset.classes, bars)
    return write(figure, path)


def _most_confident_of_each_kind(probabilities, predicted, labels):
    """Indices of the mistakes: first the most confident of every (true, predicted) pair, then the second of each ..."""
    seen, ranked = Counter(), []
    for index in np.argsort(-probabilities.max(1), kind="stable"):
        if predicted[index] != labels[index]:
            kind = labels[index], predicted[index]
            ranked.append((seen[kind], len(ranked), index))
            seen[kind] += 1
    return [index for *_, index in sorted(ranked)]


def _prediction(axes, x, y, image, probabilities, label, classes, bars, size=96, width=122, height=20):
    """One cell: a caption, the image below it, and beside that a bar for each of the most probable classes."""
    predicted = probabilities.argmax()
    if predicted == label:
        color, line = RIGHT, f"\N{CHECK MARK} {short(classes[label], 28)}"
    else:
        color, line = WRONG, f"\N{BALLOT X} {short(classes[label], 11)}, not {short(classes[predicted], 11)}"
    axes.text(x, y + 6, line, va="center", fontsize=9, color=color, fontweight="bold")
    top = y + 17
    tile(axes, image, x, top, size, color)
    likely = list(np.argsort(-probabilities, kind="stable")[:bars])
    if label not in likely:
        likely[-1] = label
    left = x + size + 8
    for row, c in enumerate(likely):
        bar = top + 1 + row * (size - 2) / max(bars, 1)
        hue = RIGHT if c == label else WRONG if c == predicted else "#999999"
        axes.add_patch(Rectangle((left, bar), width, height, color=PALE, linewidth=0))
        axes.add_patch(Rectangle((left, bar), width * probabilities[c], height, color=tint(hue, 0.45), linewidth=0))
        weight = "bold" if c in (label, predicted) else "normal"
        middle = bar + height / 2
        axes.text(left + 4, middle, short(classes[c], 11), va="center", fontsize=8, color=INK, fontweight=weight)
        percent = f"{100 * probabilities[c]:.0f} %"
        axes.text(left + width - 3, middle, percent, va="center", ha="right", fontsize=8, color=INK)


def confusion(
    labels: Array, predicted: Array, classes: Sequence[str], path: FileName | None = None, *, title: str = "Test"
) -> Figure:
    """Draw the confusion matrix: true classes are rows, predicted classes columns.

    A cell's colour is its share of the row, blue where correct, orange where wrong. With up to 20 classes, cells show
    their counts and row ends the accuracy of the class. With more than MANY classes, any mistake has at least half of
    the full strength of colour, so that single pixels are visible.

    labels, predicted: class indices (N,).
    classes: the name of each class.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    title: which images these are.

    Returns the Figure.
    """
    count = len(classes)
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (labels, predicted), 1)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    strength = np.sqrt(share)  # so that one mistake in a hundred is visible
    if count > MANY:
        strength = np.where(table, np.maximum(strength, 0.5), 0)  # in cells of a pixel, any mistake at all
    strength = strength[..., None]
    hue = np.where(np.eye(count, dtype=bool)[..., None], to_rgb(RIGHT), to_rgb(WRONG))
    colors = 1 - strength * (1 - hue)

    detailed = count <= 20
    cell = 46 if detailed else max(1, min(24, 720 // count))  # pixels
    side = count * cell
    left, top, right, bottom = 140, 48, 66 if detailed else 16, 110
    width, height = max(left + side + right, 460), top + side + bottom
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    axes.imshow(colors, interpolation="nearest")
    for row, column in zip(*np.nonzero(table)) if detailed else ():
        ink = "white" if strength[row, column, 0] > 0.6 else INK
        axes.text(column, row, f"{table[row, column]}", ha="center", va="center", fontsize=8, color=ink)
    for row in range(count) if detailed else ():
        right_share = f"{100 * share[row, row]:.0f} %" if table[row].any() else "none"
        axes.text(count - 0.3, row, right_share, va="center", fontsize=9, color=RIGHT, fontweight="bold")
    if detailed:
        axes.text(count - 0.3, -0.75, "correct", va="center", color=RIGHT, fontsize=9)
    ticks = range(0, count, max(1, -(-20 // cell)))  # a slanting name needs 20 pixels
    names = [short(classes[tick], 14) for tick in ticks]
    axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.tick_params(labelsize=9 if detailed else 8, colors=INK, length=0)
    axes.spines[:].set_color(GRID)
    if detailed:
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
    axes.set_xlabel("predicted class", **STYLE)
    figure.text(14 / width, (bottom + side / 2) / height, "true class", va="center", rotation=90, **STYLE)
    accuracy = 100 * np.trace(table) / max(len(labels), 1)
    figure.text(
        12 / width,
        1 - 18 / height,
        f"{title}: {accuracy:.1f} % of {len(labels):,} correct",
        va="center",
        fontsize=10,
        color=INK,
        fontweight="bold",
    )
    return write(figure, path)
