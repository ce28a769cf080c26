"""What a convolution has learned: its weights as pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from .style import DPI, STYLE, write


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
    write(figure, path)
