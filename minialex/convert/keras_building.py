"""The Graph of a file of Keras while it is built, and the normalisation that its first layers are."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import nn
from ..data import Normalize
from ..support.text import printable
from .imported import Imported

_MOST_CALLS = 20_000


@dataclasses.dataclass(frozen=True)
class Value:
    """The output of a layer, or the input.

    name: of the graph's layer.
    shape: without the batch, (C, H, W) or (features,).
    maps: (C, H, W), if these features are a flattened image, whose numbers Keras has in the order (H, W, C).
    """

    name: str
    shape: tuple[int, ...]
    maps: tuple[int, int, int] | None = None


class Building:
    """A Graph under construction.

    channels_first: whether Keras's images are (C, H, W).
    dtype: of the weights, float32 or float64.

    entries: [(name, module or Tensor, names of inputs)]; affine: {name of a layer: (name of its input, scale, offset)}.
    """

    def __init__(self, channels_first, dtype):
        self.channels_first, self.dtype = channels_first, dtype
        self.entries: list = []
        self.affine: dict = {}
        self.shared: dict = {}  # (layer, what) -> module, for layers that are called twice
        self._names, self._calls = {"input"}, 0

    def spend(self, count):
        """Count calls of layers; raises ValueError where models within models make too many of them."""
        self._calls += count
        if self._calls > _MOST_CALLS:
            raise ValueError(f"it calls more than {_MOST_CALLS:,} layers")

    def add(self, name, module, inputs):
        """Add an entry; returns its name, with a number behind it where there is another of the same name."""
        unique, number = name, 1
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
            if number > 1000:
                raise ValueError(f"more than 1,000 layers have the name {printable(name[:60])}")
        self._names.add(unique)
        self.entries.append((unique, module, inputs))
        return unique

    def network(self, output):
        """(the Graph, what Normalize subtracts and divides by, or None), without what normalises the input.

        output: the Value.
        """
        entries, source, scale, offset = self.entries, "input", np.ones(1), np.zeros(1)
        while True:
            takers = {name for name, _, inputs in entries if source in inputs}
            following = next((name for name, (x, *_) in self.affine.items() if x == source), None)
            if following is None or following == output.name or takers != {self._scaled(entries, following)}:
                break
            _, a, b = self.affine[following]
            scale, offset, source = a * scale, a * offset + b, following
        found = None
        if source != "input" and np.all(scale > 0) and np.isfinite([1 / scale.min(), scale.max(), *offset]).all():
            found = 0 - offset / scale, 1 / scale
            kept = self._needed(entries, source, output.name)
            entries = [(n, m, ["input" if x == source else x for x in i]) for n, m, i in entries if n in kept]
        return nn.Graph(entries, ["input"], output.name), found

    @staticmethod
    def _scaled(entries, name):
        """The first of the two entries of an affine layer: the product; `name` is that of the sum."""
        return next(inputs for other, _, inputs in entries if other == name)[0]

    @staticmethod
    def _needed(entries, source, output):
        """The names of the entries that the output needs, without those that only `source` needs."""
        inputs, needed, todo = {name: sources for name, _, sources in entries}, set(), [output]
        while todo:
            name = todo.pop()
            if name not in needed and name not in (source, "input"):
                needed.add(name)
                todo += inputs[name]
        return needed


def imported(building, output, input_shape, origin):
    """The Imported of a finished Building."""
    network, found = building.network(output)
    normalization = None
    if found is not None:
        mean, std = (np.resize(numbers, input_shape[0])[:, None, None] for numbers in found)
        try:
            normalization = Normalize(mean, std)
        except ValueError:  # a file whose pixels are not from 0 to 255: the layers stay
            network = nn.Graph(building.entries, ["input"], output.name)
    return Imported(network.eval(), input_shape, normalization=normalization, origin=origin)
