"""The filters of a convolution as images."""

from __future__ import annotations

import numpy as np

from ..support.types import Array, FileName
from .style import DPI, STYLE, Figure, write


def filters(
    weight: Array, path: FileName | None = None, *, title: str = "filters of the first convolution", gpus: int = 1,
    most: int | None = None,
) -> Figure:  # fmt: skip
    """Draw the weights of a convolution as tiles: the paper's figure 3.

    A filter of three channels is one tile in red, green and blue; with any other number of channels, each channel is
    a grey tile. Zero is mid-grey and all tiles have one scale, as in cuda-convnet's figures: a filter that has learned
    nothing stays grey.

    weight: (O, C, h, w).
    path: the file to write, PNG or SVG by its suffix; None to write none.
    title: the heading.
    gpus: blocks of filters drawn one above the other, one per GPU, for a grouped network that was trained on several.
    most: tiles of all blocks together, at most; None for all.

    Returns the Figure.
    Raises ValueError for weights that are not 4-D, or filters that do not divide evenly among the GPUs.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim != 4:
        raise ValueError(f"filters expects weights (O, C, h, w), got shape {weight.shape}")
    if len(weight) % gpus:
        raise ValueError(f"{len(weight)} filters do not divide evenly among {gpus} GPUs")
    largest = np.abs(weight).max()
    blocks = np.split(weight if weight.shape[1] == 3 else weight.reshape(-1, 1, *weight.shape[2:]), gpus)
    count, (height, width) = sum(map(len, blocks)), weight.shape[2:]
    blocks = [block[: most and max(1, most // gpus)] for block in blocks]
    shown = sum(map(len, blocks))
    sheets = [_sheet(0.5 + 0.5 * block / max(largest, 1e-12)) for block in blocks]

    margin, head, name = 12, 30, 22 if gpus > 1 else 0  # pixels
    sheet_height, sheet_width = sheets[0].shape[:2]
    full_width = max(sheet_width + 2 * margin, 520)
    full_height = gpus * (sheet_height + margin + name) + head
    figure = Figure(figsize=(full_width / DPI, full_height / DPI), dpi=DPI)
    figure.add_axes((0, 0, 1, 1)).set_axis_off()  # %matplotlib inline takes a figure without axes for an empty one
    for gpu, sheet in enumerate(sheets):
        y = margin + (gpus - 1 - gpu) * (sheet_height + margin + name)
        figure.figimage(sheet, margin, y)
        if gpus > 1:
            place = margin / full_width, (y + sheet_height + name / 2) / full_height
            figure.text(*place, f"GPU {gpu + 1}", va="center", fontweight="bold", **STYLE)
    amount = f"{count:,}" if shown == count else f"{shown} of {count:,}"
    figure.text(
        margin / full_width,
        1 - head / 2 / full_height,
        f"{title}: {amount} of {height}x{width}, grey is 0, full colour {largest:.2g}",
        va="center",
        **STYLE,
    )
    return write(figure, path)


def _sheet(tiles, gap=4):
    """Tiles (n, C, h, w) of values from 0 to 1 in rows of at most 16, as one RGB image (H, W, 3)."""
    count, _, height, width = tiles.shape
    columns = min(16, count)
    pixel = max(1, 48 // max(height, width))  # pixels of the figure for each weight
    tiles = tiles.repeat(pixel, axis=2).repeat(pixel, axis=3).transpose(0, 2, 3, 1)
    step_y, step_x = height * pixel + gap, width * pixel + gap
    sheet = np.ones((-(-count // columns) * step_y - gap, columns * step_x - gap, 3))
    for index, tile in enumerate(tiles):
        y, x = index // columns * step_y, index % columns * step_x
        sheet[y : y + height * pixel, x : x + width * pixel] = tile  # one channel broadcasts to three
    return sheet
