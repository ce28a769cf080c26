"""The page in the output of a notebook's cell: `explore.show(model, images)`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..models.layout import in_order
from ..nn import Module
from ..nn.more import evaluating
from ..support import html
from ..support.types import Array
from ..tensor import Tensor
from .carrying import results
from .describing import computes, describe, layers_of
from .page import Picture, page

MOST, MOST_OF_LARGE = 40, 4  # images in a page; of a network that the page does not compute


class Shown:
    """A page that a notebook shows in a frame of its own.

    page: HTML.
    height: of the frame, pixels.
    """

    def __init__(self, page: str, height: int) -> None:
        self.page, self.height = page, height

    def _repr_html_(self):
        """The frame; what is in it runs apart from the notebook, whose cells it can neither read nor change."""
        style = f"width:100%;height:{self.height}px;border:1px solid #888"
        frame = f'<iframe sandbox="allow-scripts" title="explorer" style="{style}"'
        return f'{frame} srcdoc="{html.text(self.page)}"></iframe>'


def show(
    model: Module, images: Array | Tensor, labels: Sequence[int] | None = None, classes: Sequence[str] | None = None,
    *, height: int = 900,
) -> Shown:  # fmt: skip
    """Show a network at work, as the last value of a notebook's cell.

    model: as of `describe`; it is shown as in evaluation, with the weights that it has now.
    images: (N, C, H, W) with C = 1 or 3, preprocessed as the network takes them; at most 40 are shown, or 4 of a
        network that is too large for the page to compute.
    labels: the class of each image, integers; None where they are not known.
    classes: a name for each logit; "class 0", "class 1", ... by default.
    height: of the frame, pixels.

    Returns what the notebook displays. Raises ValueError for other images, and as `describe` and `page` do.
    """
    array = np.asarray(images.numpy() if isinstance(images, Tensor) else images, np.float32)
    if array.ndim != 4 or array.shape[1] not in (1, 3):
        raise ValueError(f"show needs images (N, C, H, W) of 1 or 3 channels, got {array.shape}")
    if labels is not None and len(labels) != len(array):
        raise ValueError(f"{len(labels)} labels were given for {len(array)} images")
    array = array[:MOST]
    with evaluating(model):
        network = in_order(model, array.shape[1:])
        layers = describe(network, array.shape[1:])
    alone = computes(layers)
    array = array if alone else array[:MOST_OF_LARGE]
    known = [None] * len(array) if labels is None else [int(label) for label in labels[: len(array)]]
    names = classes or [f"class {number}" for number in range(layers[-1]["output"][0])]
    pictures = [Picture(f"image {n}", _pixels(x), x, label) for n, (x, label) in enumerate(zip(array, known))]
    shown = None if alone else results(layers, layers_of(network, array.shape[1:]), pictures)
    return Shown(page(layers, pictures, list(names), type(model).__name__, results=shown), height)


def _pixels(image):
    """uint8 (3, H, W): black for the smallest finite number of an image, and for NaN, white for the largest."""
    finite = image[np.isfinite(image)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    shown = np.nan_to_num(image, nan=low, posinf=high, neginf=low)
    shades = ((shown - low) / (high - low or 1) * 255).round().astype(np.uint8)
    return np.broadcast_to(shades, (3, *shades.shape[1:]))
