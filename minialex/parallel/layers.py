"""The layers that stand in a divided network where its ranks exchange something, and a rank's own copies of layers.

A rank has its channels, or features, of an activation: those from part(C, r, P), in the order of the ranks along axis
1. Behind Flatten a channel has H W features, which stay together.
"""

from __future__ import annotations

import copy

from .. import functional
from ..nn import Dropout, Module, Parameter
from ..support.types import Any
from ..tensor import Tensor
from . import operations
from .group import Group, lengths_of


def twin(layer: Module, rows: slice = slice(None), **settings: Any) -> Any:
    """A copy of a layer with some rows of its weight, bias and buffers.

    layer: a Module without modules below it.
    rows: which indices of axis 0; arrays without axes are copied whole.
    settings: attributes that differ, such as out_channels.

    Its constructor is not called: that would draw initial values. Hooks stay with the layer.
    """
    own = copy.copy(layer)
    vars(own).update(settings, _parameters={}, _buffers={}, _modules={}, _hooks={}, _not_in_state=set())
    for name, p in layer._parameters.items():
        new = None if p is None else Parameter(_copied(p, rows), p.requires_grad, backend=p.backend)
        own.register_parameter(name, new)
    for name, t in layer._buffers.items():
        buffer = None if t is None else Tensor(_copied(t, rows), backend=t.backend)
        own.register_buffer(name, buffer, name not in layer._not_in_state)
    return own


def _copied(tensor, rows):
    return tensor.data[rows if tensor.ndim else ...].copy()


class _OfParts(Module):
    """What the layers of this file share.

    group: the Group.
    channels: how many the ranks have together.
    """

    def __init__(self, group: Group, channels: int) -> None:
        super().__init__()
        self.group, self.channels = group, channels

    def extra_repr(self) -> str:
        return f"channels={self.channels}, rank {self.group.rank} of {self.group.size}"


def _lengths(layer, width):
    """Every rank's along axis 1, for a rank whose activation has this width."""
    channels = lengths_of(layer.channels, layer.group.size)
    features = width // channels[layer.group.rank]  # of a channel: 1, or H W behind Flatten
    return [n * features for n in channels]


class AllGather(_OfParts):
    """The channels of all ranks, from which each computes other ones; see operations.all_gather."""

    def forward(self, input: Tensor) -> Tensor:
        return operations.all_gather(input, self.group, 1, _lengths(self, input.shape[1]))


class GatherSame(_OfParts):
    """The outputs of all ranks, from which all compute the same loss; see operations.gather_same."""

    def forward(self, input: Tensor) -> Tensor:
        return operations.gather_same(input, self.group, 1, _lengths(self, input.shape[1]))


class OwnPart(_OfParts):
    """This rank's channels of an activation that every rank has whole; see operations.own_part."""

    def forward(self, input: Tensor) -> Tensor:
        return operations.own_part(input, self.group, 1, lengths_of(self.channels, self.group.size))


class PartDropout(Dropout):
    """Dropout of this rank's channels, with its part of the mask that one process draws for all of them.

        y = x m_r,   m_r = part r of dropout(1)

    layer: the Dropout of the whole activation.
    group, channels: the Group, and how many channels the ranks have together.
    """

    def __init__(self, layer: Dropout, group: Group, channels: int) -> None:
        super().__init__(layer.p, inverted=layer.inverted, generator=layer.generator)
        self.group, self.channels = group, channels
        self.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        lengths = _lengths(self, input.shape[1])
        whole = (input.shape[0], sum(lengths), *input.shape[2:])
        ones = Tensor(input.backend.xp.ones(whole, input.dtype), backend=input.backend)
        mask = functional.dropout(ones, self.p, inverted=self.inverted, generator=self.generator)
        return input * operations.own_part(mask, self.group, 1, lengths)
