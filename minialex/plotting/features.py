"""What the layers make of a picture: their maps, layer by layer."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from .. import look
from ..models.names import published_names
from ..nn import Conv2d, Dropout, Identity
from .sheets import tile
from .style import BLUE, GRID, INK, VERMILION, sheet_of, short, write

SIGNED = LinearSegmentedColormap.from_list("", [BLUE, "white", VERMILION])
ACTIVE = LinearSegmentedColormap.from_list("", ["white", INK])


def features(model, image, path, *, picture=None, most=12, title="feature maps"):
    """Draw the maps of every layer for one picture into the PNG (or SVG) file `path`, a row a layer.

    image: float (C, H, W), as the network is shown it. picture: its pixels uint8 (C, H, W), to be drawn beside the
    title. Of more than `most` maps those are shown that are strongest behind the last convolution, in their order, and
    followed through the layers behind it. Each row has a scale of its own: white is 0, black the largest; where values
    are negative as well, those are blue and the positive ones orange.
    """
    image = np.asarray(image, np.float32)
    if image.ndim != 3:
        raise ValueError(f"features are drawn of one picture (C, H, W), got shape {image.shape}")
    layers = [made for made in look.feature_maps(model, image[None]) if not isinstance(made.layer, Dropout | Identity)]
    published = {its: name for name, its in published_names(model).items()}
    size, gap, margin, left, number = 62, 6, 14, 138, 13  # pixels
    head = 96 if picture is not None else 34
    width = max(margin + left + most * (size + gap) - gap + margin, 520)
    height = head + len(layers) * (size + number + gap) + margin
    figure, axes = sheet_of(width, height)
    place = margin
    if picture is not None:
        tile(axes, picture, margin, margin, head - 2 * margin)
        place += head - margin
    axes.text(place, margin + 8, title, va="center", fontsize=10, color=INK, fontweight="bold")
    note = "a row has its own scale: white 0, black the largest; with a minus, blue below 0 and orange above"
    axes.text(place, margin + 26, note, va="center", fontsize=8, color=INK)
    chosen: np.ndarray = np.arange(0)
    for row, (name, layer, output) in enumerate(layers):
        maps, top = output[0], head + row * (size + number + gap) + number
        if isinstance(layer, Conv2d) or chosen.max(initial=0) >= len(maps) or not len(chosen):
            chosen = np.sort(np.argsort(-abs(maps).max((1, 2)), kind="stable")[:most])
        label = short(published.get(name, name), 18)
        about = type(layer).__name__, " × ".join(map(str, maps.shape)), _scale(maps)
        axes.text(margin, top + 9, label, va="center", fontsize=9, color=INK, fontweight="bold")
        for line, text in enumerate(about, 1):
            axes.text(margin, top + 9 + 15 * line, text, va="center", fontsize=7.5, color=INK)
        for column, channel in enumerate(chosen):
            x = margin + left + column * (size + gap)
            _map(axes, maps[channel], x, top, size, abs(maps).max(), signed=(maps < 0).any())
            axes.text(x, top - 6, f"{channel}", va="center", fontsize=6.5, color="#777777")
    write(figure, path)


def _scale(maps):
    return f"{maps.min():.3g} to {maps.max():.3g}".replace("-", "−")


def _map(axes, values, x, y, size, largest, signed):
    """One map as a square of a sheet."""
    colors, lowest = (SIGNED, -1) if signed else (ACTIVE, 0)
    axes.imshow(
        values / max(largest, 1e-30), cmap=colors, vmin=lowest, vmax=1, aspect="auto", extent=(x, x + size, y + size, y)
    )
    axes.add_patch(Rectangle((x, y), size, size, fill=False, edgecolor=GRID, linewidth=0.7))
