"""What a convolution has learned: its weights as pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .style import DPI, STYLE, write


def filters(weight, path, *, title="filters of the first convolution", gpus=1, most=None):
    """Draw the weights of a convolution (O, C, h, w) as tiles into the PNG file `path`: the paper's figure 3.

    Three channels are shown as red, green and blue; of any other number each channel is a grey tile of its
    own. Zero is mid-grey, and one scale holds for all, as in cuda-convnet's figures: a filter that has
    learned nothing stays grey. gpus: of a network in groups, each of which was computed on a GPU of its own; their
    filters are kept apart, in blocks one above the other. most: at most so many tiles, of all blocks together.
    ValueError for weights of other axes, or filters that do not divide among the GPUs.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim != 4:
        raise ValueError(f"filters are drawn from weights (O, C, h, w), got shape {weight.shape}")
    if len(weight) % gpus:
        raise ValueError(f"{len(weight)} filters do not divide among {gpus} GPUs")
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
    write(figure, path)


def _sheet(tiles, gap=4):
    """Tiles (n, C, h, w) of values from 0 to 1 in rows of 16 at most: an RGB picture (H, W, 3)."""
    count, _, height, width = tiles.shape
    columns = min(16, count)
    pixel = max(1, 48 // max(height, width))  # of the screen, for one weight
    tiles = tiles.repeat(pixel, axis=2).repeat(pixel, axis=3).transpose(0, 2, 3, 1)
    step_y, step_x = height * pixel + gap, width * pixel + gap
    sheet = np.ones((-(-count // columns) * step_y - gap, columns * step_x - gap, 3))
    for index, tile in enumerate(tiles):
        y, x = index // columns * step_y, index % columns * step_x
        sheet[y : y + height * pixel, x : x + width * pixel] = tile  # one channel serves as all three
    return sheet
