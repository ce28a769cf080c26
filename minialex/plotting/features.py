"""Feature maps of one image, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from ..nn import Conv2d, Dropout, Identity, Module
from ..support.types import Array, FileName
from .sheets import tile
from .style import BLUE, GRID, INK, VERMILION, Figure, sheet_of, short, write

SIGNED = LinearSegmentedColormap.from_list("", [BLUE, "white", VERMILION])
ACTIVE = LinearSegmentedColormap.from_list("", ["white", INK])


def features(
    maps: Sequence[tuple[str, Module, Array]], path: FileName | None = None, *, names: Mapping[str, str] | None = None,
    picture: Array | None = None, most: int = 12, title: str = "feature maps",
) -> Figure:  # fmt: skip
    """Draw the feature maps of one image, one row per layer; dropout and identity layers are left out.

    Each row has its own scale: white is 0, black the largest value; in a row with negative values, these are blue and
    positive values orange. Where a layer has more than `most` maps, the channels with the largest values after the
    last convolution are shown, in their order, and the same channels in the layers that follow it.

    maps: what look.feature_maps returns for a batch of one image: (name, layer, maps (1, C, H, W)) for each layer.
    path: the file to write, PNG or SVG by its suffix; None to write none.
    names: {name of a layer in the network: label}, for layers to be labelled otherwise.
    picture: the image's pixels, uint8 (C, H, W), drawn beside the title.
    most: maps in a row, at most.
    title: the heading.

    Returns the Figure.
    Raises ValueError for a batch of several images.
    """
    layers = [row for row in maps if not isinstance(row[1], Dropout | Identity)]
    if wrong := [output.shape for *_, output in layers if len(output) != 1]:
        raise ValueError(f"features draws the maps (1, C, H, W) of one image, got shape {wrong[0]}")
    names = names or {}
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
    note = "each row has its own scale: white 0, black the largest; with negative values, blue below 0, orange above"
    axes.text(place, margin + 26, note, va="center", fontsize=8, color=INK)
    chosen: np.ndarray = np.arange(0)
    for row, (name, layer, output) in enumerate(layers):
        values, top = output[0], head + row * (size + number + gap) + number
        if isinstance(layer, Conv2d) or chosen.max(initial=0) >= len(values) or not len(chosen):
            chosen = np.sort(np.argsort(-abs(values).max((1, 2)), kind="stable")[:most])
        label = short(names.get(name, name), 18)
        about = type(layer).__name__, " × ".join(map(str, values.shape)), _scale(values)
        axes.text(margin, top + 9, label, va="center", fontsize=9, color=INK, fontweight="bold")
        for line, text in enumerate(about, 1):
            axes.text(margin, top + 9 + 15 * line, text, va="center", fontsize=7.5, color=INK)
        for column, channel in enumerate(chosen):
            x = margin + left + column * (size + gap)
            _map(axes, values[channel], x, top, size, abs(values).max(), signed=(values < 0).any())
            axes.text(x, top - 6, f"{channel}", va="center", fontsize=6.5, color="#777777")
    return write(figure, path)


def _scale(values):
    return f"{values.min():.3g} to {values.max():.3g}".replace("-", "−")


def _map(axes, values, x, y, size, largest, signed):
    """One map as a square of a sheet."""
    colors, lowest = (SIGNED, -1) if signed else (ACTIVE, 0)
    axes.imshow(
        values / max(largest, 1e-30), cmap=colors, vmin=lowest, vmax=1, aspect="auto", extent=(x, x + size, y + size, y)
    )
    axes.add_patch(Rectangle((x, y), size, size, fill=False, edgecolor=GRID, linewidth=0.7))
