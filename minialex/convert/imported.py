"""A network that another framework has written, with what its file says about its input and its classes."""

from __future__ import annotations

from dataclasses import dataclass

from ..data import Normalize
from ..nn import Graph


@dataclass
class Imported:
    """A network from a file, with its weights.

    network: a Graph of one input (N, C, H, W) and one output, of modules of minialex.nn whose constructor arguments are
        plain values; it computes what the file says in evaluation mode, float32 or float64.
    input_shape: of one image, (C, H, W); None where the file does not say.
    channel_order: "RGB" or "BGR", what the first layer expects; None where the file does not say.
    normalization: of pixels from 0 to 255; None where the file does not say.
    classes: a name for each output; None where the file does not say.
    resize: pixels of the shorter side of images before cropping; None where the file does not say.
    origin: a few words for a note, such as "ONNX, opset 13, by pytorch 2.0".
    """

    network: Graph
    input_shape: tuple[int, int, int] | None = None
    channel_order: str | None = None
    normalization: Normalize | None = None
    classes: list[str] | None = None
    resize: int | None = None
    origin: str = ""
