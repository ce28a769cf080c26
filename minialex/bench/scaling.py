"""How long a training step takes on many ranks: a model of computing, exchanging, and what of it goes on at a time.

    step = computing + exchanges that the ranks wait for + gradients that are late

Computing: a picture takes s seconds, of which each layer has a share in proportion to its multiply-accumulates, once
forward and twice backward (the first layer once: nobody needs the images' gradient). Layers without weights count as
part of the others, the optimiser's step as part of the pictures: with few pictures on a rank the truth is longer.

Exchanges: exchanges.py has their sizes and the formula of rings. A ring has no contention on any network of switches.
Halving and doubling would need 2 log2 P messages where a ring needs 2 (P - 1), and links that do not disturb each
other: for small arrays and many ranks the model is pessimistic.

Gradients travel during backward, one bucket after another over the same link. With e_l the end of layer l's backward,
counted from the beginning of backward, and T_j the seconds of bucket j, which is complete after layer l(j),

    d_j = max(d_(j-1), e_l(j)) + T_j      late = max(0, last d - end of backward)

Weak scaling: each rank has the same number of pictures, and the batch grows. Strong: the batch stays.

    speed-up = (pictures of the batch) s / step      efficiency = speed-up / P

Sources: Patarasuk and Yuan 2009 (rings); Krizhevsky, "One weird trick for parallelizing convolutional neural
networks", 2014 (data, hybrid); Li et al., VLDB 2020, section 3.2 (gradients during backward).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import nn
from . import exchanges, floors, workloads
from .exchanges import Exchange, Link

PCI_EXPRESS = Link(10e-6, 6e9)  # 2.0 x16, from GPU to GPU: of its 8 GB/s, an assumption
SCALINGS = ("weak", "strong")
RANKS = (8, 64, 1024)
LINKS = ((1, 50), (25, 10), (400, 2))  # Gbit/s, and microseconds of latency, which are assumptions: --link


@dataclass(frozen=True)
class Step:
    """A step of one rank, in seconds.

    computing: forward, backward and update.
    exchanging: all exchanges, one after another.
    waiting: for those that do not go on during backward.
    """

    computing: float
    exchanging: float
    waiting: float

    @property
    def seconds(self):
        """All of it."""
        return self.computing + self.waiting


def fit(times, collective, ranks):
    """The Link with which a ring's formula comes closest to measured times, in relative terms.

        seconds = m alpha + sent / beta        least sum of (predicted / measured - 1)^2

    times: pairs of (bytes, seconds), see exchanges.Exchange.
    collective, ranks: as of Exchange.

    Raises ValueError where the times do not grow with the bytes.
    """
    made = [(Exchange(collective, size, ranks), seconds) for size, seconds in times]
    rows = np.array([(e.messages / seconds, e.sent / seconds) for e, seconds in made])
    scale = rows.max(0)  # seconds and seconds per byte are of different sizes
    (latency, slowness), *_ = np.linalg.lstsq(rows / scale, np.ones(len(made)), rcond=None)
    if slowness <= 0:
        raise ValueError(f"{collective} took no longer for more bytes: no bandwidth can be told; measure again")
    return Link(max(0.0, float(latency / scale[0])), float(scale[1] / slowness))


def gigabit(speed, microseconds):
    """{collective: Link} of a network. speed: Gbit/s; microseconds: of latency."""
    return dict.fromkeys(exchanges.COLLECTIVES, Link(microseconds / 1e6, speed * 1e9 / 8))


def costs(network):
    """{layer: (forward, backward)}: multiply-accumulates of one picture, in order. network: a workloads.Workload."""
    with nn.init.skipped():
        layers = workloads.layers(network.build(), network, 1)
    return {layer.name: (layer.macs, layer.macs * (1 if layer.first else 2)) for layer in layers}


def step(share, costs, seconds_per_picture, links):
    """The time of a step, by the formulas above.

    share: an exchanges.Share.
    costs: what `costs` returns.
    seconds_per_picture: s, of one rank.
    links: {collective: Link}.

    Returns a Step.
    """
    unit = seconds_per_picture / sum(map(sum, costs.values()))
    forward = sum(unit * share.work[name] * before for name, (before, _) in costs.items())
    backward, ends = 0.0, {}
    for name, (_, behind) in reversed(costs.items()):
        backward += unit * share.work[name] * behind
        ends[name] = backward
    waiting, exchanging, done = 0.0, 0.0, 0.0
    for exchange in share.exchanges:
        seconds = exchange.seconds(links)
        exchanging += seconds
        if exchange.layer:
            done = max(done, ends[exchange.layer]) + seconds
        else:
            waiting += seconds
    return Step(forward + backward, exchanging, waiting + max(0.0, done - backward))


@dataclass(frozen=True)
class Model:
    """A network on any number of ranks.

    network: a workloads.Workload.
    pictures: of a batch, or, in weak scaling, of a rank.
    scaling: "weak" or "strong".
    seconds_per_picture: s, of one rank.
    """

    network: workloads.Workload
    pictures: int
    scaling: str
    seconds_per_picture: float

    def batch(self, ranks):
        """Pictures of all ranks together."""
        return self.pictures * ranks if self.scaling == "weak" else self.pictures

    def on(self, scheme, ranks, links):
        """Predict the step of the rank that has most to do.

        scheme: of exchanges.share.
        ranks: P.
        links: a list of {collective: Link}.

        Returns a list of (Step, speed-up), one for each of the links.
        Raises ValueError where the network cannot be divided so.
        """
        batch = self.batch(ranks)
        share, by_layer = exchanges.share(scheme, self.network, batch, ranks - 1, ranks), costs(self.network)
        steps = [step(share, by_layer, self.seconds_per_picture, each) for each in links]
        return [(each, batch * self.seconds_per_picture / each.seconds) for each in steps]


def memory(network, batch, ranks):
    """What the program of 2012 kept on one of `ranks` GPUs, of which each has its tower.

    weights: all of them and their velocities, and gradients of the convolutions; those of the fully connected layers
        were added to the velocities at once
    activations: the outputs of all layers but those that work in place, and as many gradients; of two ranks, half of
        both, and what comes from the other one
    others: the pictures, and the scale of every number of a response normalisation

    network: a workloads.Workload.
    batch: pictures.
    ranks: 1 or 2.

    Returns {"weights": bytes, "activations": bytes, "others": bytes}. What the library and the driver need beside it
    is not counted.
    """
    with nn.init.skipped():
        layers = workloads.layers(network.build(), network, batch)

    def outputs(counts):
        return sum(math.prod(layer.output) for layer in layers if counts(layer.module))

    def parameters(kind):
        return sum(floors.parameters(layer.module) for layer in layers if isinstance(layer.module, kind))

    received = 0.0
    if ranks > 1:
        received = sum(each.sent for each in exchanges.share("towers", network, batch, ranks - 1, ranks).exchanges)
    return {
        "weights": floors.FLOAT * (2 * parameters(nn.Module) + parameters(nn.Conv2d)) / ranks,
        "activations": floors.FLOAT * 2 * outputs(lambda m: not getattr(m, "inplace", False)) / ranks + received,
        "others": floors.FLOAT
        * (math.prod(layers[0].input) + outputs(lambda m: isinstance(m, nn.LocalResponseNorm)) / ranks),
    }


@dataclass(frozen=True)
class Paper:
    """The training of Krizhevsky et al. 2012, section 5, and its machine.

    "We trained the network for roughly 90 cycles through the training set of 1.2 million images, which took five to
    six days on two NVIDIA GTX 580 3GB GPUs."

    peak: operations/s in float32 of a GTX 580: 512 cores, 1,544 MHz, a multiplication and an addition at a time.
    link: between the GPUs.
    """

    network: workloads.Workload = workloads.TWO_GPUS
    batch: int = 128
    epochs: int = 90
    pictures: int = 1_200_000
    days: tuple[int, int] = (5, 6)
    memory: int = 3 * 2**30
    peak: float = 512 * 1.544e9 * 2
    link: Link = PCI_EXPRESS

    @property
    def seconds(self):
        """Of a step, at least and at most."""
        steps = self.epochs * self.pictures / self.batch
        return tuple(days * 86_400 / steps for days in self.days)

    def predicted(self, ranks):
        """The Step of one GPU, or of two with a tower each, that compute at their peak."""
        by_layer = costs(self.network)
        at_peak = 2 * sum(map(sum, by_layer.values())) / self.peak
        scheme = "towers" if ranks == 2 else "data"
        share = exchanges.share(scheme, self.network, self.batch, ranks - 1, ranks)
        return step(share, by_layer, at_peak, dict.fromkeys(exchanges.COLLECTIVES, self.link))
