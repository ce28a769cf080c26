"""The two towers of 2012 are one network: in float64, equal to the run of one process."""

from __future__ import annotations

import divided
import numpy as np
import pytest
from divided import alone, backwards, close, compare, nested, own_generator, pictures, small, train, without_sum
from ranks import NEEDS_MPI, on_ranks

from minialex import Tensor, manual_seed, nn, optim
from minialex.backends import use_backend
from minialex.models import build
from minialex.parallel import group as groups
from minialex.parallel import layers, states, threads
from minialex.parallel.towers import towers
from minialex.random import default_generator

NETWORKS = {"2012": small, "paper": lambda: small("paper"), "bn": lambda: small("bn"), "torchvision": nested}


def as_towers(group, model):
    """A training by ranks, with all arrays whole again: its steps, state, optimiser's state and evaluation."""
    tower = towers(own_generator(model), group)
    steps, optimizer = train(tower)
    steps = [(logits, loss, states.whole_state(gradients, group)) for logits, loss, gradients in steps]
    evaluated = tower.eval()(Tensor(pictures(2)))
    return (
        steps,
        states.whole_state(tower.state_dict(), group),
        states.whole_optimizer(optimizer.state_dict(), group),
        evaluated.numpy(),
    )


@pytest.mark.parametrize("kind", ["2012", *(pytest.param(k, marks=pytest.mark.heavy) for k in NETWORKS if k != "2012")])
def test_two_towers_train_as_one_process(kind):
    manual_seed(3)
    model = NETWORKS[kind]()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    expected = alone(model)
    for found in threads.run(2, lambda group: as_towers(group, model)):
        compare(found, expected)
    for name, array in model.state_dict().items():  # the model that was divided is as it was
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.heavy
@pytest.mark.parametrize("size", [1, 3])
def test_layers_without_groups_divide_among_any_number_of_ranks(size):
    manual_seed(3)
    model = nested()
    expected = alone(model)
    for found in threads.run(size, lambda group: as_towers(group, model)):
        compare(found, expected)


@pytest.mark.heavy
def test_with_kernels_of_numba():
    use_backend("numba")
    manual_seed(3)
    model = small()
    assert model.conv1.weight.backend.name == "numba"
    expected = alone(model)
    for found in threads.run(2, lambda group: as_towers(group, model)):
        compare(found, expected)


def check_mpi(group):
    manual_seed(3)
    model = small()
    compare(as_towers(group, model), alone(model))


@NEEDS_MPI
@pytest.mark.heavy
def test_over_mpi():
    on_ranks(2, __file__, "check_mpi")


class Rank(groups.Group):
    """One of two ranks, of which nothing is asked but its number."""

    rank, size = 1, 2


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name, exchanges",
    [
        ("alexnet_2012", ["conv3", "fc6", "fc7", "fc8"]),  # figure 2, but for fc8, which one GPU had alone
        ("alexnet", ["norm1", "norm2", "conv3", "fc6", "fc7", "fc8"]),  # section 3.3 normalises over all channels
    ],
)
def test_where_the_towers_of_the_presets_exchange(name, exchanges):
    tower = towers(build(name), Rank())
    gathered = [n.removeprefix("gather_") for n, layer in tower.named_children() if type(layer) is layers.AllGather]
    assert gathered == exchanges
    assert sum(p.numel() for p in tower.parameters()) == 60_965_224 // 2
    assert (tower.conv4.groups, tower.conv4.in_channels, tower.conv4.weight.shape) == (1, 192, (192, 192, 3, 3))


def test_a_tower_has_the_names_of_the_network_and_its_own_rows():
    model = small()
    tower = towers(model, Rank())
    assert list(tower.state_dict()) == list(model.state_dict())
    for name, array in model.state_dict().items():
        own = tower.state_dict()[name]
        np.testing.assert_array_equal(own, array[len(array) // 2 :])
        assert not np.shares_memory(own, array)


def test_building_a_tower_draws_nothing_and_keeps_what_is_frozen():
    model = small()
    model.conv1.requires_grad_(False)
    model.eval()
    before = default_generator.call
    tower = towers(model, Rank())
    assert default_generator.call == before > 0
    assert not tower.conv1.weight.requires_grad and tower.conv2.weight.requires_grad
    assert not tower.drop6.training


def test_the_pictures_gradient_is_the_sum_of_the_ranks():
    model = small()
    cotangent = np.random.default_rng(8).standard_normal((2, 7))

    def gradient(network):
        x = Tensor(pictures(2), requires_grad=True)
        network.eval()(x).backward(cotangent)
        return x.grad.numpy()

    parts = threads.run(2, lambda group: gradient(towers(model, group)))
    close(sum(parts), gradient(model))


def test_groups_of_the_whole_input():
    model = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Flatten(), nn.Linear(54, 3)).to(np.float64)
    x = np.random.default_rng(9).standard_normal((2, 4, 5, 5))
    for y in threads.run(2, lambda group: towers(model, group)(Tensor(x)).numpy()):
        close(y, model(Tensor(x)).numpy())


@pytest.mark.parametrize(
    "layer, why",
    [
        (nn.StochasticPool2d(2), "no rule says what its parts are"),
        (nn.Conv2d(6, 6, 3, groups=3), "the ranks would have to divide its groups=3"),
        (nn.Conv2d(6, 1, 3), "out_channels=1, and each needs one"),
        (nn.Linear(8, 4), r"a Flatten\(\) must stand between the maps and it"),
        (nn.Flatten(2), r"only Flatten\(\) keeps the features of a channel together"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_cannot_be_divided_are_named(layer, why):
    model = nn.Sequential({"maps": nn.Sequential({"conv1": nn.Conv2d(3, 6, 3), "odd": layer})})
    kind = type(layer).__name__
    with pytest.raises(ValueError, match=rf"^layer maps.odd \({kind}\) cannot be divided among 2 ranks: {why}$"):
        towers(model, Rank())


def test_shared_weights_are_refused():
    layer = nn.Linear(4, 4)
    with pytest.raises(ValueError, match="layers share weights"):
        towers(nn.Sequential(layer, nn.ReLU(), layer), Rank())


MUTANTS = {
    "ranks in the wrong order": (threads.ThreadGroup, "all_gather", backwards),
    "gradients that are not added": (threads.ThreadGroup, "reduce_scatter", without_sum),
    "a mask for each tower": (layers.PartDropout, "forward", nn.Dropout.forward),
    "no own part": (layers.OwnPart, "forward", lambda layer, x: x[:, : layer.channels // 2]),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mistakes_are_found(monkeypatch, name):
    manual_seed(3)
    model = small("paper")
    monkeypatch.setattr(divided, "STEPS", 1)
    expected = alone(model)
    monkeypatch.setattr(*MUTANTS[name])
    with pytest.raises(AssertionError):
        for found in threads.run(2, lambda group: as_towers(group, model)):
            compare(found, expected)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_states_come_back(size):
    """whole(own(x)) = x, for weights and both kinds of an optimiser's numbers; 7 rows do not divide evenly."""
    draws = np.random.default_rng(4)
    state = {"weight": draws.standard_normal((7, 2)), "bias": draws.standard_normal(7), "batches": np.array(3)}
    parameters = [nn.Parameter(state["weight"]), nn.Parameter(state["bias"])]
    entries = {i: {"step": 4, "exp_avg": p.data * 2, "exp_avg_sq": p.data**2} for i, p in enumerate(parameters)}
    optimizer = optim.Adam(parameters)
    saved = {"state": entries, "param_groups": optimizer.state_dict()["param_groups"]}

    def each(group):
        split, numbers = ["weight"], states.indices(optimizer, parameters[:1])
        own = states.own_state(state, group), states.own_state(state, group, split)
        rows = groups.lengths_of(7, size)[group.rank]
        assert own[0]["bias"].shape == own[0]["weight"].shape[:1] == (rows,) and own[1]["bias"].shape == (7,)
        steps = states.own_optimizer(saved, group, numbers)
        assert steps["state"][0]["exp_avg"].shape == (rows, 2) and steps["state"][1]["exp_avg"].shape == (7,)
        texts = {**steps, "state": {str(i): arrays for i, arrays in steps["state"].items()}}
        return (
            states.whole_state(own[0], group),
            states.whole_state(own[1], group, split),
            states.whole_optimizer(states.own_optimizer(saved, group), group),
            states.whole_optimizer(steps, group, numbers),
            states.whole_optimizer(texts, group, numbers),
        )

    for weights, some, all_steps, some_steps, texts in threads.run(size, each):
        for found in (weights, some):
            assert found.keys() == state.keys()
            for name, array in state.items():
                np.testing.assert_array_equal(found[name], array, strict=True)
        for found in (all_steps, some_steps, texts):
            assert found["param_groups"] == saved["param_groups"]
            for index, arrays in found["state"].items():
                for name, array in entries[int(index)].items():
                    np.testing.assert_array_equal(arrays[name], array, strict=True)
