"""Convolutions in data parallel, fully connected layers divided among the ranks.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014. Convolutions do most of the
computing and have few weights: each rank takes its own pictures, and only the weights' gradients are exchanged. Fully
connected layers have most of the weights and compute little: each rank has the rows of its own outputs, computes them
for all pictures, and only activities are exchanged.

    rank r                  pictures        weights
    up to Flatten           its own         all, equal on all ranks
    the exchange
    behind it               all             rows of its own outputs

The paper's schemes of the exchange:

    "all"      (a)  the activities of the whole batch are gathered at once
    "turns"    (b)  each rank in turn sends its activities to all; the layers behind run on one rank's pictures, while
                    the next rank's are on their way
"""

from __future__ import annotations

import contextlib
import itertools

import numpy as np

from .. import functional, nn, random
from ..nn import Parameter
from ..support.types import Any, Iterator, Mapping
from ..tensor import Tensor
from .batch_norm import synchronise
from .group import Group
from .operations import all_gather, start_broadcast
from .towers import check_unshared, divided

EXCHANGES = ("all", "turns")


class Hybrid(nn.Sequential):
    """What `hybrid` returns: layers on this rank's pictures, an exchange, layers on those of all ranks.

    maps: {name: layer} up to Flatten.
    rows: {name: layer} behind it, with this rank's rows.
    group: the Group.
    exchange: "all" or "turns".
    """

    def __init__(
        self, maps: Mapping[str, nn.Module], rows: Mapping[str, nn.Module], group: Group, exchange: str
    ) -> None:
        super().__init__({**maps, **rows})
        self.first_divided, self.group, self.exchange = len(maps), group, exchange

    def forward(self, input: Tensor) -> Tensor:
        for layer in list(self)[: self.first_divided]:
            input = layer(input)
        lengths = [int(n) for n in self.group.all_gather(np.array([input.shape[0]]))]
        if self.exchange == "all":
            return self._on_all_ranks(all_gather(input, self.group, 0, lengths), 0)
        return self._in_turns(input, lengths)

    def _in_turns(self, input, lengths):
        logits, starts = [], itertools.accumulate(lengths, initial=0)
        calls = [generator.call for generator in self._generators()]
        finish = start_broadcast(input, self.group, 0, lengths[0])
        for turn, start in zip(range(self.group.size), starts):
            activities = finish()
            if turn + 1 < self.group.size:
                finish = start_broadcast(input, self.group, turn + 1, lengths[turn + 1])
            for generator, call in zip(self._generators(), calls, strict=True):
                generator.call = call  # every turn has its pictures of the same masks
            logits.append(self._on_all_ranks(activities, start))
        return functional.concatenate(logits)

    def _on_all_ranks(self, input, start):
        """The layers behind the exchange. start: how many pictures of the whole batch stand before those of input."""
        with _numbered(self._generators(), start):
            for layer in list(self)[self.first_divided :]:
                input = layer(input)
        return input

    def _generators(self) -> list[Any]:
        """What the masks behind the exchange are drawn from, each once."""
        layers = (m for layer in list(self)[self.first_divided :] for m in layer.modules())
        found = [m.generator or random.default_generator for m in layers if isinstance(m, nn.Dropout)]
        return list({id(generator): generator for generator in found}.values())

    def extra_repr(self) -> str:
        return f"exchange={self.exchange!r}, rank {self.group.rank} of {self.group.size}"


@contextlib.contextmanager
def _numbered(generators: list[Any], first: int) -> Iterator[None]:
    """Within this context masks are those of pictures from `first` on, in the whole batch."""
    before = [generator.first_picture for generator in generators]
    for generator in generators:
        generator.first_picture = first
    try:
        yield
    finally:
        for generator, number in zip(generators, before, strict=True):
            generator.first_picture = number


def hybrid(model: nn.Sequential, group: Group, exchange: str = "all") -> Hybrid:
    """This rank's part of a network: convolutions in data parallel, fully connected layers by their outputs.

    model: a Sequential, whole, with equal weights on all ranks, in which a Flatten stands before the first Linear.
    group: the Group, of any size.
    exchange: "all" or "turns", see above.

    Returns a Hybrid: (n, C, H, W), this rank's pictures, which follow those of the rank before it; ranks may have
    different numbers -> logits (N, num_classes) of all ranks' pictures, on every rank. The loss is to be computed on
    every rank from all labels. Its gradients are then

        shared_parameters   those up to Flatten, which are the model's own: the part that comes from this rank's
                            pictures. The whole gradient is the sum over ranks, an all_reduce, which the caller does.
        split_parameters    those behind it, copies of this rank's rows: complete, see states.py for whole ones.

    Dropout draws the masks of one process; before Flatten it needs data.Numbered(network, group) for that. Batch
    normalisation is synchronised, see batch_norm.py.
    "turns" overlaps the transfers of the forward pass, where the engine can, not those of the backward pass.
    Raises ValueError for another exchange, for a network without that Flatten, and, with its name, for a layer that
    cannot be divided.
    """
    if exchange not in EXCHANGES:
        raise ValueError(f'exchange must be "all" or "turns", got {exchange!r}')
    check_unshared(model)
    children = list(model.named_children())
    flatten = next((i for i, (_, layer) in enumerate(children) if isinstance(layer, nn.Flatten)), None)
    if flatten is None:
        raise ValueError("the network has no Flatten() among its layers, behind which it could be divided among ranks")
    maps, rows = dict(children[: flatten + 1]), divided(children[flatten + 1 :], group)
    below = [found for name, layer in maps.items() for found in layer.named_modules(prefix=name)]
    for name, layer in below:
        if isinstance(layer, nn.Linear):
            raise ValueError(f"layer {name} (Linear) stands before Flatten(): it would not be divided among ranks")
    for _, layer in below:
        if isinstance(layer, nn.BatchNorm2d):
            synchronise(layer, group)
    return Hybrid(maps, rows, group, exchange)


def shared_parameters(model: Hybrid) -> list[Parameter]:
    """The parameters in data parallel: their gradients are to be summed over the ranks by the caller."""
    return [p for layer in list(model)[: model.first_divided] for p in layer.parameters()]


def split_parameters(model: Hybrid) -> dict[str, Parameter]:
    """{name: Parameter} of those of which this rank has its rows: what `split` is in states.whole_state."""
    shared = set(map(id, shared_parameters(model)))
    return {name: p for name, p in model.named_parameters() if id(p) not in shared}
