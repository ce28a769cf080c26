"""A network of another framework, described as a Checkpoint: by what its file says, and what the user adds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .. import nn
from ..data import Normalize
from ..models import graph
from ..models.layout import layout
from ..runs.checkpoint import CHANNELS, Checkpoint
from .description import resize_for, with_classes
from .imported import Imported


class NotSaid(ValueError):
    """The file does not say something that is needed.

    what: the file does not say.
    how: to say it, by an argument.
    option: the same, by an option of the command convert.
    path: of the file, for the message, if it is known.
    """

    def __init__(self, what, how, option, path=None):
        super().__init__(f"{path}: {what}: {how}" if path is not None else f"{what}: {how}")
        self.what, self.how, self.option = what, how, option


def from_imported(
    imported: Imported, path: str, *, input_size: int | None = None, classes: list[str] | None = None,
    normalization: Normalize | None = None, pixel_order: str | None = None,
) -> Checkpoint:  # fmt: skip
    """Make a Checkpoint of a network that came in.

    imported: an Imported; its network may be changed.
    path: of its file, whose name the network gets.
    input_size: pixels per side, where the file does not say.
    classes: a name for each output; the file's if None, else "class 0", "class 1", ...
    normalization: a Normalize, where the file does not say, or says something else.
    pixel_order: "RGB" or "BGR", likewise; RGB if neither says.

    Returns a Checkpoint of model "graph", whose network computes logits: a softmax at its end is left out.
    Raises NotSaid for what neither says, ValueError for a network whose input is not images of three channels.
    """
    size = _size(imported.input_shape, input_size)
    normalization = normalization or imported.normalization
    if normalization is None:
        raise NotSaid(
            "the file does not say how pixels are normalised",
            "give normalization=torchvision, caffe or none, or the means of red, green and blue",
            "python -m minialex.convert {path} NEW.npz --normalization torchvision (or caffe, none, or the means of "
            "red, green and blue)",
        )
    network = _logits(imported.network, size)
    (outputs,) = layout(network, (CHANNELS, size, size))[-1].output
    saved = Checkpoint(
        model=graph.NAME,
        arguments={"description": graph.described(network, _name(path)), "num_classes": outputs, "input_size": size},
        weights=network.state_dict(),
        input_size=size,
        normalization=normalization.to_arrays(),
        classes=[f"class {number}" for number in range(outputs)],
        configuration={},
        channel_order=pixel_order or imported.channel_order or "RGB",
        resize=imported.resize or resize_for(size, size),
    )
    classes = classes or imported.classes
    return with_classes(saved, classes) if classes else saved


def _name(path):
    """The file's name without suffixes, as a word."""
    return re.sub(r"\W+", "_", Path(path).name.partition(".")[0]) or graph.NAME


def _size(shape, given):
    """Pixels per side of the input."""
    if shape is None and given is None:
        raise NotSaid(
            "the file does not say how large images are",
            "give input_size=..., such as 224",
            "python -m minialex.convert {path} NEW.npz --input-size PIXELS",
        )
    shape = shape or (CHANNELS, given, given)
    if len(shape) != 3 or shape[0] != CHANNELS or shape[1] != shape[2]:
        raise ValueError(f"this network takes {'x'.join(map(str, shape))}; images are needed that are 3xSxS")
    if given not in (None, shape[1]):
        raise ValueError(f"this network takes images of {shape[1]} pixels, not {given}: leave out input_size=...")
    return shape[1]


def _logits(network, size):
    """The Graph that computes logits (N, K): without a softmax at its end, and without pixels of 1x1 there."""
    layers, output = list(network.layers), network.output
    while True:
        by_name: dict[str, Any] = {layer.name: layer for layer in layers}
        last = by_name.get(output)
        if last is None or any(output in layer.inputs for layer in layers):
            break
        if not isinstance(last.layer, (nn.Softmax, nn.LogSoftmax, nn.Identity)) or last.inputs[0] in network.inputs:
            break
        layers, output = [layer for layer in layers if layer is not last], last.inputs[0]
    shorter = nn.Graph(layers, network.inputs, output)
    shape = layout(shorter, (CHANNELS, size, size))[-1].output
    if len(shape) == 3 and shape[1:] == (1, 1):
        name = next(name for name in ("flatten", "flatten_logits", "flatten_to_logits") if name not in by_name)
        return nn.Graph([*layers, (name, nn.Flatten(), [output])], network.inputs, name)
    if len(shape) != 1:
        raise ValueError(f"the output for an image is {shape}, not a number for each class")
    return shorter
