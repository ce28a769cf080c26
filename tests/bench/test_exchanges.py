"""What ranks exchange in a step: sizes by hand, and as a real step's group counts them, to the byte."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest
from ranks import NEEDS_MPI, on_ranks

from minialex import Tensor, functional, nn, random
from minialex.backends import get_backend
from minialex.bench import counting, exchanges, ranks, workloads
from minialex.bench.exchanges import Exchange, Link
from minialex.parallel import threads
from minialex.parallel.data import DataParallel
from minialex.parallel.group import Group

BATCH = 7


def small():
    """Maps with and without groups, normalised in every way, dropout, two Linear layers; widths that do not divide."""
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 6, 3),  # 9 x 9 -> 7 x 7
            "bn1": nn.BatchNorm2d(6),
            "relu1": nn.ReLU(),
            "pool1": nn.MaxPool2d(2),  # 3 x 3
            "conv2": nn.Conv2d(6, 8, 2, groups=2),  # 2 x 2
            "norm2": nn.LocalResponseNorm(3),
            "conv3": nn.Conv2d(8, 10, 2, padding=1),  # 3 x 3
            "flatten": nn.Flatten(),
            "fc4": nn.Linear(90, 9),
            "drop4": nn.Dropout(0.5, generator=random.Generator(3)),
            "fc5": nn.Linear(9, 5),
        }
    )


SMALL = workloads.Workload("small", small, 9, 5, (BATCH,), BATCH)


def counted(found):
    """Exchanges without regard to their order."""
    return collections.Counter((e.collective, e.bytes, e.ranks) for e in found)


def exchanged_by(group, scheme, network=SMALL):
    """What one rank exchanges in a real step: the second one, which is like all that follow."""
    backend = get_backend("numpy")
    weights = network.build().state_dict() if group.rank == 0 else None
    step = ranks.Step(scheme, network, BATCH, group, backend, weights)
    step()
    step()
    return [exchange for *_, exchange in step.log.calls]


def test_a_ring_by_hand():
    """Four ranks: 3 messages of a quarter, for a sum twice; latency 0.5 s, 100 bytes/s."""
    links = dict.fromkeys(exchanges.COLLECTIVES, Link(0.5, 100.0))
    gather, total = Exchange("all_gather", 1200, 4), Exchange("all_reduce", 1200, 4)
    assert (gather.messages, gather.sent, gather.seconds(links)) == (3, 900, 3 * (0.5 + 3))
    assert (total.messages, total.sent, total.seconds(links)) == (6, 1800, 6 * (0.5 + 3))
    assert Exchange("reduce_scatter", 1200, 4).seconds(links) == gather.seconds(links)
    assert Exchange("all_reduce", 1200, 1).seconds(links) == 0


def test_the_small_network_by_hand():
    """Rank 2 of 3 has 3 of 7 pictures; rank 3 of 4 in towers 4 of them."""
    batch_norm = {("all_reduce", 8, 3): 1, ("all_reduce", 4 * 6, 3): 4}
    weights = 6 * 27 + 6 + 2 * 6 + 8 * 3 * 4 + 8 + 10 * 8 * 4 + 10 + 90 * 9 + 9 + 9 * 5 + 5
    data = exchanges.share("data", SMALL, BATCH, 2, 3)
    assert counted(data.exchanges) == collections.Counter(
        {("all_gather", 24, 3): 1, ("all_gather", 7 * 5 * 4, 3): 1, ("all_reduce", 4 * weights, 3): 1} | batch_norm
    )
    assert data.work == dict.fromkeys(data.work, 3)

    maps = weights - (90 * 9 + 9 + 9 * 5 + 5)
    flat, hidden = 7 * 90 * 4, 7 * 9 * 4
    both = {(way, size, 3): 1 for way in ("all_gather", "reduce_scatter") for size in (flat, hidden)}
    hybrid = exchanges.share("hybrid", SMALL, BATCH, 2, 3)
    assert counted(hybrid.exchanges) == collections.Counter(
        both | {("all_gather", 24, 3): 2, ("all_gather", 140, 3): 1, ("all_reduce", 4 * maps, 3): 1} | batch_norm
    )
    assert hybrid.work["conv3"] == 3 and hybrid.work["fc4"] == 7 / 3

    halves = 3 * 27 + 3 + 2 * 3 + 4 * 3 * 4 + 4 + 5 * 8 * 4 + 5 + 90 * 5 + 5 + 9 * 3 + 3  # 9 rows: 4 and 5, 5: 2 and 3
    sizes = [4 * 8 * 4 * 4, 4 * 90 * 4, 4 * 9 * 4]  # before norm2, fc4 and fc5; conv3 has norm2's own part gathered
    sizes.insert(1, 4 * 8 * 4 * 4)
    expected = collections.Counter((way, size, 2) for way in ("all_gather", "reduce_scatter") for size in sizes)
    expected[("all_gather", 4 * 5 * 4, 2)] += 1  # the pair's logits
    expected[("all_gather", 7 * 5 * 4, 2)] += 1  # all pairs'
    expected[("all_gather", 16, 2)] += 1
    expected.update({("all_reduce", 8, 2): 1, ("all_reduce", 4 * 3, 2): 4, ("all_reduce", 4 * halves, 2): 1})
    towers = exchanges.share("towers", SMALL, BATCH, 3, 4)
    assert counted(towers.exchanges) == expected
    assert towers.work == dict.fromkeys(towers.work, 2.0)


@pytest.mark.heavy
def test_alexnet_by_hand():
    """The paper's towers: conv3 sees all maps of pool2, and the fully connected layers all that is below them."""
    towers = exchanges.share("towers", workloads.TWO_GPUS, 128, 1, 2).exchanges
    sizes = [128 * n * 4 for n in (256 * 13 * 13, 256 * 6 * 6, 4096, 4096)]
    expected = collections.Counter((way, size, 2) for way in ("all_gather", "reduce_scatter") for size in sizes)
    expected[("all_gather", 128 * 1000 * 4, 2)] += 1
    assert counted(towers) == expected
    data = exchanges.share("data", workloads.TWO_GPUS, 128, 1, 2).exchanges
    assert sum(e.bytes for e in data if e.collective == "all_reduce") == 4 * 60_965_224
    assert [e.layer for e in data if e.bytes > 16_000_000] == ["fc8", "fc7", "fc6"]


@pytest.mark.parametrize(
    ("scheme", "size"), [("data", 2), ("data", 3), ("data", 4), ("hybrid", 2), ("hybrid", 3), ("hybrid", 4)]
    + [("towers", 2), ("towers", 4)],
)  # fmt: skip
def test_as_a_step_counts_them(scheme, size):
    for rank, found in enumerate(threads.run(size, lambda group: exchanged_by(group, scheme))):
        assert found, "a step without any"
        assert counted(found) == counted(exchanges.share(scheme, SMALL, BATCH, rank, size).exchanges)


def print_exchanged(world, scheme):
    """On ranks of MPI: a line of JSON, rank 0's, of what each of them has exchanged in a step of cifar_quick."""
    found = exchanged_by(world, scheme, workloads.WORKLOADS["cifar_quick"])
    lines = [
        world.text(json.dumps([(e.collective, e.bytes, e.ranks) for e in found]), root) for root in range(world.size)
    ]
    if world.rank == 0:
        print(json.dumps([json.loads(line) for line in lines]))


@pytest.mark.heavy
@NEEDS_MPI
@pytest.mark.parametrize(("scheme", "size"), [("data", 3), ("hybrid", 2), ("towers", 4)])
def test_as_a_step_over_mpi_counts_them(scheme, size):
    every = json.loads(on_ranks(size, __file__, "print_exchanged", scheme))
    for rank, found in enumerate(every):
        expected = exchanges.share(scheme, workloads.WORKLOADS["cifar_quick"], BATCH, rank, size).exchanges
        assert collections.Counter(map(tuple, found)) == counted(expected)


EVERY = "fc5 fc5 fc4 fc4 conv3 conv3 conv2 conv2 bn1 bn1 conv1 conv1"


@pytest.mark.parametrize(
    ("most", "layers"), [(1, EVERY), (450, "fc4 fc4 conv3 conv3 bn1 conv1 conv1"), (1 << 20, "conv1")]
)
def test_buckets_are_the_reducers(most, layers):
    """Of at most 450 bytes: the bias of fc4 goes with fc5, and waits for fc4; its weight travels alone."""

    def each(group):
        log, net = counting.Log(), small()
        parallel = DataParallel(net, counting.Counted(group, log), bucket_bytes=most, local_batch_norm=True)
        images = np.random.default_rng(0).standard_normal((2, 3, 9, 9), np.float32)
        functional.cross_entropy(net(Tensor(images)), np.arange(4)).backward()
        parallel.reduce()
        return [call[-1] for call in log.calls if call[1] == "all_reduce"]

    net = small()
    expected = list(exchanges.buckets(net, list(net.parameters()), 2, most))
    assert [each.bytes for each in expected] == [each.bytes for each in threads.run(2, each)[1]]
    assert [each.layer for each in expected] == layers.split()


def test_counting_changes_nothing():
    """What a counted group returns, and what it passes on."""

    def each(group):
        log = counting.Log()
        counted, own = counting.Counted(group, log), np.arange(4.0) + group.rank
        results = [counted.all_reduce(own.copy()), counted.all_gather(own), counted.reduce_scatter(own)]
        results += [counted.split(0).all_gather(own, 0), counted.send_recv(own, 1 - group.rank, 1 - group.rank)]
        made, seconds = [call[-1] for call in log.calls], log.seconds
        log.clear()
        return results, made, seconds > 0, log.calls

    (first, made, timed, left), (second, *_) = threads.run(2, each)
    for found, expected in zip(
        zip(first, second),
        [
            ([1, 3, 5, 7], [1, 3, 5, 7]),
            ([0, 1, 2, 3, 1, 2, 3, 4],) * 2,
            ([1, 3], [5, 7]),
            ([0, 1, 2, 3, 1, 2, 3, 4],) * 2,
            ([1, 2, 3, 4], [0, 1, 2, 3]),
        ],
    ):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    assert [(e.collective, e.bytes) for e in made] == [
        ("all_reduce", 32), ("all_gather", 64), ("reduce_scatter", 32), ("all_gather", 64),
    ]  # fmt: skip
    assert timed and not left


def test_exchanges_alone_are_the_steps():
    def each(group):
        step = ranks.Step("towers", SMALL, BATCH, group, get_backend("numpy"), small().state_dict())
        step()
        log = counting.Log()
        made, step.log.calls = (
            [call[-1] for call in step.log.calls],
            [(counting.Counted(call[0], log), *call[1:]) for call in step.log.calls],
        )
        step.exchange()()
        return made, [call[-1] for call in log.calls]

    for made, repeated in threads.run(4, each):
        assert made == repeated and made


def test_alone_nothing_is_exchanged():
    assert exchanged_by(Group(), None) == []
    assert exchanges.share("data", SMALL, BATCH, 0, 1).exchanges == []


@pytest.mark.parametrize(
    ("scheme", "size", "sentence"),
    [("towers", 3, "pairs of ranks, got 3"), ("hybrid", 6, "out_features=5"), ("hybrid", 16, "layer fc4")],
)
def test_what_cannot_be_divided(scheme, size, sentence):
    with pytest.raises(ValueError, match=sentence):
        exchanges.share(scheme, SMALL, BATCH, size - 1, size)
