"""What the ranks exchange in one training step, computed from the network, and how long it takes.

    exchange         of                                         data          hybrid              towers, in pairs
    all_gather       how many pictures each rank has, 8 P bytes  all ranks     all ranks, twice    the pairs
    all_gather       activities that are needed whole            -             behind Flatten      before some layers
    reduce_scatter   their gradients                             -             behind Flatten      before some layers
    all_gather       the logits of the batch                     all ranks     all ranks           both: halves, then
                                                                                                   the pairs' pictures
    all_reduce       gradients, in buckets                       all weights   up to Flatten       of each half

Batch normalisation adds its sums (parallel/batch_norm.py). A message of n bytes takes alpha + n / beta; a ring of P
ranks, each of which sends to the next one what it has received from the one before, cut into P parts, needs

    all_gather, reduce_scatter    (P - 1) (alpha + n / (P beta))
    all_reduce                  2 (P - 1) (alpha + n / (P beta))

alpha: latency, s.  beta: bandwidth, bytes/s.  n: bytes of the whole array, of all ranks together.

Sources: the ring, which no algorithm beats in bytes, Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for
clusters of workstations", 2009; the schemes, Krizhevsky, "One weird trick for parallelizing convolutional neural
networks", 2014, and Krizhevsky et al. 2012, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .. import nn
from ..models.layout import layout
from ..parallel.group import Group, lengths_of
from ..parallel.hybrid import hybrid, shared_parameters
from ..parallel.layers import AllGather, GatherSame
from ..parallel.reducer import BUCKET
from ..parallel.towers import towers
from .floors import FLOAT

COUNT = 8  # bytes of a number of pictures
COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter")


@dataclass(frozen=True)
class Link:
    """What connects the ranks.

    latency: alpha, seconds from the start of a message to its first byte.
    bandwidth: beta, bytes/s.
    """

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Exchange:
    """One call of a collective.

    collective: one of COLLECTIVES.
    bytes: n, of the array that is summed or divided, or of the joined one.
    ranks: P, those that take part.
    layer: for gradients, the layer whose backward completes them; else "".
    """

    collective: str
    bytes: int
    ranks: int
    layer: str = field(default="", compare=False)

    @property
    def messages(self):
        """How many messages a rank sends one after another, in a ring."""
        return (2 if self.collective == "all_reduce" else 1) * (self.ranks - 1)

    @property
    def sent(self):
        """Bytes that each rank sends, in a ring."""
        return self.messages * self.bytes / self.ranks

    def seconds(self, links: Mapping[str, Link]) -> float:
        """The formula above. links: {collective: Link}."""
        link = links[self.collective]
        return self.messages * link.latency + self.sent / link.bandwidth


class _Place(Group):
    """A rank that exchanges nothing: networks can be divided for it."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


@dataclass(frozen=True)
class Share:
    """One rank's share of a training step.

    exchanges: a list of Exchange.
    work: {layer: pictures x part of the outputs} that the rank computes of it, in the order of the network.
    """

    exchanges: list[Exchange]
    work: dict[str, float]


def share(scheme, network, batch, rank, size):
    """What one rank computes and exchanges in a training step.

    scheme: "data", "hybrid", with all activities at once, or "towers".
    network: a workloads.Workload.
    batch: pictures of all ranks together.
    rank, size: of the rank. The last one has the largest share.

    Returns a Share. Exchanges of a rank with itself are left out.
    Raises ValueError where the network, or the number of ranks, cannot be divided so.
    """
    with nn.init.skipped():  # the sizes alone count
        model = network.build()
    rows = {row.name: row for row in layout(model, (3, network.size, network.size))}
    work, exchanges = _SCHEMES[scheme](model, rows, batch, rank, size)
    return Share([exchange for exchange in exchanges if exchange.ranks > 1], work)


def _data(model, rows, batch, rank, size):
    pictures = lengths_of(batch, size)[rank]
    exchanges = [
        Exchange("all_gather", COUNT * size, size),
        Exchange("all_gather", batch * _width(rows), size),
        *_of_batch_norm(model.modules(), size),
        *buckets(model, list(model.parameters()), size),
    ]
    return dict.fromkeys(rows, pictures), exchanges


def _hybrid(model, rows, batch, rank, size):
    own, pictures = hybrid(model, _Place(rank, size)), lengths_of(batch, size)[rank]
    maps = dict(list(own.named_children())[: own.first_divided])
    flat = next(row.output for row in rows.values() if isinstance(row.layer, nn.Flatten))
    exchanges = [
        *[Exchange("all_gather", COUNT * size, size)] * 2,
        *_both_ways(FLOAT * batch * math.prod(flat), size),
        *_of_activities(own, rows, batch, size),
        *_of_batch_norm((module for layer in maps.values() for module in layer.modules()), size),
        *buckets(own, shared_parameters(own), size),
    ]
    work = {name: pictures if name.split(".")[0] in maps else batch / size for name in rows}
    return work, exchanges


def _towers(model, rows, batch, rank, size):
    if size % 2:
        raise ValueError(f"towers are for pairs of ranks, got {size}")
    own, pairs = towers(model, _Place(rank % 2, 2)), size // 2
    pictures = lengths_of(batch, pairs)[rank // 2]
    exchanges = [
        Exchange("all_gather", COUNT * pairs, pairs),
        *_of_activities(own, rows, pictures, 2),
        Exchange("all_gather", batch * _width(rows), pairs),
        *_of_batch_norm(own.modules(), pairs),
        *buckets(own, list(own.parameters()), pairs),
    ]
    return dict.fromkeys(rows, pictures / 2), exchanges


_SCHEMES = {"data": _data, "hybrid": _hybrid, "towers": _towers}


def _width(rows):
    """Bytes of one picture's logits."""
    return FLOAT * math.prod(list(rows.values())[-1].output)


def _both_ways(size, ranks):
    """Activities that are gathered, and their gradients, which come back as sums."""
    return [Exchange("all_gather", size, ranks), Exchange("reduce_scatter", size, ranks)]


def _of_activities(own, rows, pictures, ranks):
    """The exchanges between layers of which each rank has rows."""
    for name, layer in own.named_modules():
        if isinstance(layer, AllGather):  # before the layer that it is named after
            before, _, last = name.rpartition("gather_")
            yield from _both_ways(FLOAT * pictures * math.prod(rows[before + last].input), ranks)
        elif isinstance(layer, GatherSame):
            yield Exchange("all_gather", pictures * _width(rows), ranks)


def _of_batch_norm(layers, ranks):
    """Forward the number of values, the sums and the sums of squares; backward the gradients of both sums."""
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            yield Exchange("all_reduce", COUNT, ranks)
            yield from [Exchange("all_reduce", FLOAT * layer.num_features, ranks)] * 4


def buckets(model, parameters, ranks, most=BUCKET) -> Iterator[Exchange]:
    """The gradients, in the buckets that parallel.reducer makes of them, from the last layer to the first.

    model: the network.
    parameters: those of it whose gradients are summed.
    ranks: how many sum them.
    most: bytes of a bucket; a larger gradient travels alone.
    """
    names, size, layer = {id(p): name for name, p in model.named_parameters()}, 0, ""
    for p in reversed(parameters):
        own = FLOAT * p.numel()
        if size and size + own > most:
            yield Exchange("all_reduce", size, ranks, layer)
            size = 0
        size, layer = size + own, names[id(p)].rpartition(".")[0]
    if size:
        yield Exchange("all_reduce", size, ranks, layer)
