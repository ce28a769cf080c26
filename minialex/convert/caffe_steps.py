"""A layer of Caffe on its way into a Graph: its settings, its blobs, and the entries that it becomes.

Shapes are of one image, (C, H, W), with None for a number that the file does not say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .. import nn
from ..data.pipeline import LARGEST_SIDE
from .caffe_blobs import Blob


class Value(NamedTuple):
    """What a layer computes: its name in the Graph, and its shape."""

    name: str
    shape: tuple[int | None, ...]


@dataclass
class Step:
    """A layer of Caffe that becomes entries of a Graph.

    name, param, blobs: of the layer; param is the message of its type, such as a ConvolutionParameter.
    bottoms: its inputs, Values.
    norm: the batch normalisation whose output only this layer takes, or None.
    entries: (name, module, names of its inputs), which are added here.
    """

    name: str
    param: Any
    blobs: list[Blob]
    bottoms: list[Value]
    norm: nn.BatchNorm2d | None = None
    entries: list[tuple[str, Any, list[str]]] = field(default_factory=list)

    @property
    def input(self):
        """The only bottom; raises ValueError where there are others."""
        if len(self.bottoms) != 1:
            raise ValueError(f"it should have one bottom, got {len(self.bottoms)}")
        return self.bottoms[0]

    @property
    def maps(self):
        """The shape (C, H, W) of the only bottom."""
        if len(self.input.shape) != 3:
            raise ValueError(f"it should have a bottom (N, C, H, W), got {shown(self.input.shape)}")
        return self.input.shape

    def add(self, module, inputs=None, part=""):
        """Add an entry.

        module: a Module; or a Parameter, a value.
        inputs: names of its inputs, that of the only bottom if None.
        part: of the layer, where the layer becomes several; the last one has none.

        Returns its name, that of the layer with the part behind it.
        """
        name = f"{self.name}.{part}" if part else self.name
        self.entries.append((name, module, [self.input.name] if inputs is None else inputs))
        return name

    def chain(self, modules):
        """Add modules one behind the other, the first behind the only bottom; modules: {part: module}."""
        name = self.input.name
        for number, (part, module) in enumerate(modules.items(), 1):
            name = self.add(module, [name], part if number < len(modules) else "")

    def axis(self, axis, shape=None):
        """An axis of a bottom as a number from 1 on; 0 is the batch.

        axis: of Caffe, -1 for the last one.
        shape: of the bottom, the first one's if None.

        Raises ValueError for the batch, and for an axis that there is not.
        """
        axes = len(self.bottoms[0].shape if shape is None else shape) + 1
        if not 1 <= (axis + axes if axis < 0 else axis) < axes:
            raise ValueError(f"axis {axis} of {axes} axes, the first of which is the batch, cannot be used")
        return axis + axes if axis < 0 else axis

    def expect_blobs(self, count):
        """Raise ValueError unless the layer has `count` blobs."""
        if len(self.blobs) != count:
            raise ValueError(f"it should have {count} arrays of weights in the .caffemodel, got {len(self.blobs)}")

    def array(self, number, *shape):
        """A blob as an array.

        number: of the blob.
        shape: what its shape should be, with None for any number; V1's blobs have further axes of 1 before it.

        Returns float32, of that shape. Raises ValueError where the blob has another one.
        """
        blob = self.blobs[number]
        extra = len(blob.shape) - len(shape)
        fits = extra >= 0 and {*blob.shape[:extra]} <= {1}
        if not fits or any(want not in (None, got) for want, got in zip(shape, blob.shape[extra:])):
            raise ValueError(f"its array {number} is {shown(blob.shape)}, expected {shown(shape)}")
        return blob.array().reshape(blob.shape[extra:])


def shown(shape):
    """A shape as text; shape: numbers, or None for those that are not known."""
    return f"({', '.join('?' if n is None else str(n) for n in shape)})"


def finite(value):
    """The shortest decimal number that a float32 stands for: 0.0001, not 9.99999975e-05.

    value: of a message.

    Raises ValueError where it is NaN or infinite.
    """
    if not math.isfinite(value):
        raise ValueError(f"a setting is {value}, but it should be a finite number")
    return float(str(np.float32(value)))


def pixels(param, name, short, least, default=None):
    """(vertical, horizontal) pixels of a setting.

    param: a message that has it once or twice under its name, or under short_h and short_w.
    name, short: of the setting.
    least: the smallest number that is allowed.
    default: the number where the message has none; None if it must have one.

    Raises ValueError for other numbers.
    """
    given = list(getattr(param, name))
    if any(hasattr(param, f"{short}_{side}") and param.HasField(f"{short}_{side}") for side in "hw"):
        if given:
            raise ValueError(f"it has both {name} and {short}_h or {short}_w; one of them is enough")
        given = [getattr(param, f"{short}_h"), getattr(param, f"{short}_w")]
    given = given or ([] if default is None else [default])
    if len(given) not in (1, 2) or not all(least <= n <= LARGEST_SIDE for n in given):
        raise ValueError(f"{name} should be one or two numbers from {least} to {LARGEST_SIDE:,}, got {given[:9]}")
    return given[0], given[-1]
