"""When gradients are sent: in buckets, in a fixed order, and as soon as they are complete."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, nn
from minialex.parallel import threads
from minialex.parallel.group import Done, Group
from minialex.parallel.reducer import Reducer


class Recorded(Group):
    """A Group of one that writes down what happens, and completes a transfer only when it is waited for."""

    def __init__(self, events):
        self.events = events

    def agree(self, *flags):
        return flags

    def start_all_reduce(self, array):
        self.events.append(("sent", array.size))
        group, number = self, sum(kind == "sent" for kind, _ in self.events)

        class Transfer(Done):
            def wait(self):
                group.events.append(("waited", number))
                array[...] *= 2

        return Transfer()


def network():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))


def backward(model, events=None):
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32))
    h = model[:2](x)
    if events is not None:
        h.register_hook(lambda gradient: events.append(("back at the first layer", 0)))
    model[2:](h).sum().backward()


def test_sums_are_under_way_before_backward_ends():
    events, model = [], network()
    reducer = Reducer(list(model.parameters()), Recorded(events), bucket_bytes=100)
    backward(model, events)
    assert events == [("sent", 23), ("sent", 35), ("back at the first layer", 0), ("sent", 20)]
    assert all(before != "waited" for before, _ in events)
    reducer.finish()
    assert events[4:] == [("waited", 1), ("waited", 2), ("waited", 3)]
    assert reducer.bytes == 4 * (23 + 35 + 20)


@pytest.mark.parametrize(("size", "sent"), [(1, [2, 14, 7, 35, 5, 15]), (170, [23, 40, 15]), (4000, [78])])
def test_buckets(size, sent):
    events, model = [], network()
    Reducer(list(model.parameters()), Recorded(events), bucket_bytes=size)
    backward(model)
    assert [size for _, size in events] == sent


def test_what_is_written_back():
    """Every gradient is the sum, whether it travelled alone or with others; one that is missing stays so."""
    for size in (1, 100, 4000):
        model, alone, extra = network(), network(), nn.Linear(2, 2)
        alone.load_state_dict(model.state_dict())
        reducer = Reducer([*model.parameters(), *extra.parameters()], Recorded([]), bucket_bytes=size)
        for _ in range(2):  # a second step has buckets of its own
            backward(model)
            backward(alone)
            reducer.finish()
            for mine, theirs in zip(model.parameters(), alone.parameters(), strict=True):
                np.testing.assert_array_equal(mine.grad.numpy(), 2 * theirs.grad.numpy())
                mine.grad = theirs.grad = None
            assert extra.weight.grad is None


def test_several_backwards_are_summed_once():
    events, model = [], network()
    reducer = Reducer(list(model.parameters()), Recorded(events), overlap=False)
    backward(model)
    backward(model)
    assert not events
    reducer.finish()
    assert [size for kind, size in events if kind == "sent"] == [78]


def test_frozen_parameters_and_removed_hooks_send_nothing():
    events, model = [], network()
    reducer = Reducer(list(model.parameters()), Recorded(events))
    model[0].requires_grad_(False)
    backward(model)
    reducer.finish()
    assert events[0] == ("sent", 58)
    reducer.remove()
    backward(model)
    assert len(events) == 2


def test_types_travel_apart():
    events = []
    parameters = [nn.Parameter(np.ones(3, dtype)) for dtype in (np.float32, np.float64, np.float64)]
    reducer = Reducer(parameters, Recorded(events))
    for p in parameters:
        p.sum().backward()
    reducer.finish()
    assert [size for kind, size in events if kind == "sent"] == [6, 3]


@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("size", [1, 100, 4000])
def test_a_layer_that_only_some_ranks_have_used(size, overlap):
    """Its gradient is the sum of theirs, on all ranks; that of a layer which nobody has used stays missing."""

    def each(group):
        rng = np.random.default_rng(group.rank)
        first, branch, unused, last = (nn.Linear(3, 3, dtype=np.float64) for _ in range(4))
        for index, layer in enumerate((first, branch, unused, last)):
            layer.weight.data[...] = np.random.default_rng(9 + index).standard_normal((3, 3))
        parameters = [p for layer in (first, branch, unused, last) for p in layer.parameters()]
        reducer = Reducer(parameters, group, size, overlap)
        h = first(Tensor(rng.standard_normal((2, 3))))
        last(h + branch(h) if group.rank == 1 else h).sum().backward()
        own = None if branch.weight.grad is None else branch.weight.grad.numpy().copy()
        before = None if overlap else last.weight.grad.numpy().copy()
        reducer.finish()
        assert unused.weight.grad is None and unused.bias.grad is None
        return own, branch.weight.grad.numpy(), before, last.weight.grad.numpy()

    found = threads.run(3, each)
    [own] = [branch for branch, _, _, _ in found if branch is not None] if not overlap else [None]
    for _, branch, _, last in found:
        np.testing.assert_array_equal(branch, found[0][1])
        if not overlap:
            np.testing.assert_array_equal(branch, own)
            np.testing.assert_allclose(last, sum(before for _, _, before, _ in found), rtol=1e-14)
    assert np.abs(found[0][1]).max() > 0


def test_a_second_backward_before_the_sum_is_refused():
    model = network()
    Reducer(list(model.parameters()), Group())
    backward(model)
    with pytest.raises(RuntimeError, match=r"a second backward .* overlap=False"):
        backward(model)
