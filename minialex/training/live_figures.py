"""The figures of a live training as HTML that is made in a few milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..support import html
from ..support.types import Array

WIDTH, HEIGHT, MARGIN = 320, 150, 6
POINTS = 200  # of a curve
TILES = 64  # filters
NUMBERS = 12  # classes: of more, the confusion matrix is a picture
TRAINING, VALIDATION = "#d55e00", "#0072b2"  # colours that people with any colour vision can tell apart

Points = list[tuple[float, float]]


def losses(steps: list[float], rows: list[tuple[int, dict[str, Any]]]) -> str:
    """The loss of each step, and of each epoch's validation.

    steps: the losses; of more than POINTS, means of neighbours are drawn.
    rows: (steps done, metrics) of each epoch.

    Returns SVG; "" where there is no loss yet.
    """
    parts = np.array_split(np.asarray(steps, float), min(POINTS, max(1, len(steps))))
    ends = np.cumsum([len(part) for part in parts])
    training = [(float(end), float(part.mean())) for end, part in zip(ends, parts) if len(part)]
    if not any(math.isfinite(y) for _, y in training):  # on a GPU, and where only epochs are known
        training = _of_epochs(rows, "train_loss")
    return _chart("loss", training, _of_epochs(rows, "val_loss"))


def accuracies(rows: list[tuple[int, dict[str, Any]]]) -> str:
    """The share of pictures that are recognised, of each epoch. rows: as of losses. Returns SVG, or ""."""
    return _chart(
        "accuracy in %",
        [(x, 100 - 100 * y) for x, y in _of_epochs(rows, "train_error")],
        [(x, 100 - 100 * y) for x, y in _of_epochs(rows, "val_top1_error")],
    )


def _of_epochs(rows, name):
    return [(float(steps or number), float(row[name])) for number, (steps, row) in enumerate(rows, 1) if name in row]


def _chart(title, training, validation):
    """Two curves over the steps, with the smallest and the largest value at the left."""
    curves = [[(x, y) for x, y in points if math.isfinite(y)] for points in (training, validation)]
    values = [y for points in curves for _, y in points]
    if not values:
        return ""
    low, high, last = min(values), max(values), max(x for points in curves for x, _ in points)

    def place(x, y):
        share = (y - low) / (high - low or 1)
        left = MARGIN + x / (last or 1) * (WIDTH - 2 * MARGIN)
        return f"{left:.1f},{HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN):.1f}"

    drawn = [
        f'<polyline fill="none" stroke="{color}" stroke-width="1.5" points="{" ".join(place(*p) for p in points)}"/>'
        + "".join(_dot(place(*p), color) for p in points[-1:])
        for points, color in zip(curves, (TRAINING, VALIDATION))
        if points
    ]
    names = [(name, color) for points, name, color in
        zip(curves, ("training", "validation"), (TRAINING, VALIDATION)) if points]  # fmt: skip
    key = " ".join(f'<span style="color:{color}">■</span> {name}' for name, color in names)
    latest = ", ".join(f"{name} {points[-1][1]:.4g}" for points, (name, _) in zip(filter(None, curves), names))
    label = html.text(f"{title}: {latest}")
    frame = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="currentColor" stroke-opacity=".25"/>'
    attributes = f'role="img" aria-label="{label}" width="{WIDTH}" height="{HEIGHT}" style="overflow:visible"'
    svg = f"<svg {attributes}>{frame}{''.join(drawn)}</svg>"
    return f"<div>{html.text(title)} from {low:.4g} to {high:.4g}; {key}</div>{svg}<div>{label}</div>"


def _dot(place, color):
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>'


def filters(weight: Array) -> str:
    """The filters of a convolution as tiles, grey for 0, as plotting.filters draws them; weight: (O, C, h, w)."""
    tiles = weight if weight.shape[1] == 3 else weight[:, :1]
    tiles = np.nan_to_num(np.asarray(tiles[:TILES], float))
    shades = np.clip(127.5 + 127.5 * tiles / (np.abs(tiles).max() or 1), 0, 255).astype(np.uint8)
    count, channels, height, width = shades.shape
    columns = min(count, 8)
    sheet = np.full((-(-count // columns) * (height + 1) - 1, columns * (width + 1) - 1, 3), 255, np.uint8)
    for number, tile in enumerate(shades):
        y, x = number // columns * (height + 1), number % columns * (width + 1)
        sheet[y : y + height, x : x + width] = np.broadcast_to(tile.transpose(1, 2, 0), (height, width, 3))
    scale = max(1, 24 // max(height, width))
    shown = f"{count} of {len(weight)}" if count < len(weight) else f"{count}"
    what = f"{shown} filters of the first convolution" + ("" if channels == 3 else ", first channel")
    return f"<div>{what}</div>" + html.inline(html.png(sheet), sheet.shape[1] * scale, what, pixelated=True)


def confusion(counts: Array, classes: Sequence[str] | None) -> str:
    """Which class (rows) is taken for which (columns).

    counts: (C, C) pictures.
    classes: their names; numbers if None.
    """
    total, right = int(counts.sum()), int(np.trace(counts))
    title = f"confusion: {right} of {total} pictures recognised (rows: what it is; columns: what for)"
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if len(counts) > NUMBERS:
        return f"<div>{title}</div>" + _picture(shares, title)
    names = [html.text(name) for name in classes or range(len(counts))]
    cell = 'style="text-align:right;padding:1px 5px;border:none;{}"'
    lines = "".join(
        f'<tr style="background:none"><th scope="row" {cell.format("")}>{name}</th>'
        + "".join(
            f"<td {cell.format(_behind(share, i == j))}>{n}</td>" for j, (n, share) in enumerate(zip(row, of_row))
        )
        + "</tr>"
        for i, (name, row, of_row) in enumerate(zip(names, counts, shares))
    )
    return f'<div>{title}</div><table style="border-collapse:collapse;border:none;font-size:85%">{lines}</table>'


def _behind(share, is_right):
    color = "0,114,178" if is_right else "213,94,0"
    return f"background:rgba({color},{0.6 * share:.2f})"


def _picture(shares, alt):
    """A pixel for each cell: blue on the diagonal, orange beside it."""
    full = np.where(np.eye(len(shares), dtype=bool)[..., None], (0, 114, 178), (213, 94, 0))
    pixels = (255 + shares[..., None] * (full - 255)).astype(np.uint8)
    return html.inline(html.png(pixels), min(400, 8 * len(shares)), alt, pixelated=True)
