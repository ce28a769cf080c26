"""Convolutions in data parallel and divided fully connected layers: in float64, equal to the run of one process."""

from __future__ import annotations

import contextlib

import divided
import numpy as np
import pytest
from divided import alone, backwards, compare, nested, own_generator, pictures, small, train, without_sum
from ranks import NEEDS_MPI, on_ranks

from minialex import Tensor, manual_seed, nn
from minialex.backends import use_backend
from minialex.parallel import group as groups
from minialex.parallel import hybrid as hybrids
from minialex.parallel import layers, states, threads
from minialex.parallel.data import Numbered
from minialex.parallel.hybrid import Hybrid, hybrid, shared_parameters, split_parameters
from minialex.parallel.reducer import Reducer

COUNT = 5  # pictures in a batch: 2 + 3 or 1 + 2 + 2


def as_hybrid(group, model, exchange, count=COUNT):
    """A training by ranks, with all arrays whole again: its steps, state, optimiser's state and evaluation."""
    model = own_generator(model)
    network = hybrid(model, group, exchange)
    numbered, reducer = Numbered(network, group), Reducer(shared_parameters(network), group, bucket_bytes=5000)
    steps, optimizer = train(network, count, groups.part(count, group.rank, group.size), reducer.finish)
    numbered.remove()
    split = split_parameters(network)
    numbers = states.indices(optimizer, split.values())
    steps = [(logits, loss, states.whole_state(gradients, group, split)) for logits, loss, gradients in steps]
    evaluated = network.eval()(Tensor(pictures(2)[groups.part(2, group.rank, group.size)]))
    return (
        steps,
        states.whole_state(network.state_dict(), group, split),
        states.whole_optimizer(optimizer.state_dict(), group, numbers),
        evaluated.numpy(),
    )


def check(model, size, exchange, count=COUNT):
    expected = alone(model, count)
    for found in threads.run(size, lambda group: as_hybrid(group, model, exchange, count)):
        compare(found, expected)


@pytest.mark.parametrize("exchange", hybrids.EXCHANGES)
def test_ranks_train_as_one_process(exchange):
    manual_seed(3)
    check(small(), 3, exchange)


@pytest.mark.heavy
@pytest.mark.parametrize("exchange", hybrids.EXCHANGES)
@pytest.mark.parametrize("size, count", [(1, 5), (2, 5), (2, 4), (3, 2), (4, 1)])  # in the last two a rank has none
@pytest.mark.parametrize("network", [small, lambda: small("bn"), nested])
def test_any_number_of_ranks_and_pictures(network, size, count, exchange):
    manual_seed(3)
    check(network(), size, exchange, count)


@pytest.mark.heavy
@pytest.mark.parametrize("exchange", hybrids.EXCHANGES)
def test_with_kernels_of_numba(exchange):
    use_backend("numba")
    manual_seed(3)
    check(small(), 3, exchange)


def check_mpi(group, exchange):
    manual_seed(3)
    model = small()
    compare(as_hybrid(group, model, exchange), alone(model))


@NEEDS_MPI
@pytest.mark.heavy
@pytest.mark.parametrize("exchange", hybrids.EXCHANGES)
def test_over_mpi(exchange):
    on_ranks(3, __file__, "check_mpi", exchange)


def test_alone_it_is_the_network():
    manual_seed(3)
    model = small()
    network = hybrid(model, groups.Group(), "turns").eval()
    np.testing.assert_array_equal(network(Tensor(pictures(2))).numpy(), model.eval()(Tensor(pictures(2))).numpy())


def test_what_is_shared_and_what_is_split():
    class Rank(groups.Group):
        rank, size = 1, 2

    model = small()
    network = hybrid(model, Rank())
    assert list(network.state_dict()) == list(model.state_dict())
    maps = [model.conv1, model.conv2, model.conv3, model.conv4, model.conv5]
    own = [p for layer in maps for p in (layer.weight, layer.bias)]
    assert list(map(id, shared_parameters(network))) == list(map(id, own))
    shapes = {name: p.shape for name, p in split_parameters(network).items()}
    assert shapes == {
        "fc6.weight": (7, 40), "fc6.bias": (7,), "fc7.weight": (6, 13), "fc7.bias": (6,),
        "fc8.weight": (4, 11), "fc8.bias": (4,),
    }  # fmt: skip


def test_the_generator_is_left_as_it_was():
    """Behind the exchange pictures are numbered otherwise; an error there must not leave it so."""

    def fail(group):
        model = own_generator(small())
        generator = model.drop6.generator
        generator.first_picture = 4
        network = hybrid(model, group, "turns")
        network(Tensor(pictures(2)))
        assert (generator.first_picture, generator.call) == (4, 3)
        network.fc7.weight = nn.Parameter(np.zeros((1, 1)))
        with pytest.raises(ValueError):
            network(Tensor(pictures(2)))
        assert generator.first_picture == 4

    threads.run(1, fail)


@pytest.mark.parametrize(
    "model, message",
    [
        (nn.Sequential(nn.Linear(2, 2)), r"the network has no Flatten\(\) among its layers"),
        (nn.Sequential(nn.Linear(2, 2), nn.Flatten()), r"layer 0 \(Linear\) stands before Flatten\(\)"),
        (
            nn.Sequential(nn.Flatten(), nn.Softmax(1)),
            r"layer 1 \(Softmax\) cannot be divided among 1 ranks: no rule says",
        ),
    ],
)
def test_networks_that_cannot_be_divided(model, message):
    with pytest.raises(ValueError, match=message):
        hybrid(model, groups.Group())


def test_an_unknown_exchange():
    with pytest.raises(ValueError, match='exchange must be "all" or "turns", got \'ring\''):
        hybrid(small(), groups.Group(), "ring")


def unnumbered(generators, first):
    return contextlib.nullcontext()


def sent_backwards(network, input, lengths):
    return RIGHT_TURNS(network, input, lengths)[::-1]


def drawn_anew(network):
    """The generators, but for those that every turn has to set back."""
    return []


RIGHT_TURNS = Hybrid._in_turns
MUTANTS = {
    "ranks in the wrong order": ("all", threads.ThreadGroup, "all_gather", backwards),
    "gradients that are not added": ("all", threads.ThreadGroup, "reduce_scatter", without_sum),
    "a mask for each rank": ("all", layers.PartDropout, "forward", nn.Dropout.forward),
    "masks of a rank's own pictures": ("all", hybrids, "_numbered", unnumbered),
    "turns: gradients that are not added": ("turns", threads.ThreadGroup, "reduce_scatter", without_sum),
    "turns: the first pictures' masks for all": ("turns", hybrids, "_numbered", unnumbered),
    "turns: another mask for each": ("turns", Hybrid, "_generators", drawn_anew),
    "turns: in the wrong order": ("turns", Hybrid, "_in_turns", sent_backwards),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", MUTANTS)
def test_mistakes_are_found(monkeypatch, name):
    manual_seed(3)
    model = small()
    exchange, *mistake = MUTANTS[name]
    monkeypatch.setattr(divided, "STEPS", 1)
    expected = alone(model, count=4)
    monkeypatch.setattr(*mistake)
    with pytest.raises(AssertionError):
        for found in threads.run(2, lambda group: as_hybrid(group, model, exchange, count=4)):
            compare(found, expected)
