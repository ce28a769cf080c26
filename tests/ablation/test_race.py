"""A race: when a training error reaches its target, which rate is best, what the ratios say."""

from __future__ import annotations

import json
import math

import pytest

from minialex.ablation import race
from minialex.ablation.experiment import Experiment, Variant, read
from minialex.ablation.lab import Result


@pytest.mark.parametrize(
    ("errors", "epochs"),
    [
        ([0.8, 0.6, 0.4, 0.3, 0.2], 4.5),
        ([0.7, 0.3, 0.22, 0.28, 0.1], 2.625),  # a later rise does not matter
        ([0.5, 0.25], 2.0),
        ([0.2, 0.1], 1.0),
        ([0.9, 0.7], math.inf),
        ([], math.inf),
    ],
)
def test_epochs_to(errors, epochs):
    assert race.epochs_to(errors, 0.25) == pytest.approx(epochs)


def result(*errors, outcome="finished"):
    return Result(outcome, [*errors], 10, 1.0)


@pytest.mark.parametrize(
    ("results", "best"),
    [
        ({0.1: result(0.5, 0.3), 0.2: result(0.4, 0.2), 0.4: result(0.3, 0.1)}, 0.4),
        ({0.1: result(0.5, 0.3), 0.2: result(0.4, 0.28), 0.4: result(0.9, 0.9)}, 0.2),  # none arrives
        ({0.1: result(0.5, 0.3), 0.2: result(outcome="diverged"), 0.4: result(0.1, outcome="diverged")}, 0.4),
        ({0.1: result(0.9, 0.9), 0.2: result(0.5, outcome="diverged"), 0.4: result(outcome="diverged")}, 0.1),
        ({0.2: result(0.9), 0.1: result(0.9)}, 0.1),
        ({0.2: result(outcome="diverged"), 0.1: result(outcome="diverged")}, 0.1),
    ],
)
def test_best_rate(results, best):
    assert race.best_rate(results, 0.25) == best


class Played:
    """In the place of a Lab: results from a table, and what was asked for."""

    def __init__(self, table):
        self.table, self.asked = table, []

    def result(self, name, variant, seed, lr, *, test, enough):
        assert not test and not enough([]) and enough([{"train_error": 0.9}, {"train_error": 0.25}])
        assert not enough([{"train_error": 0.1}, {"train_error": 0.26}])
        self.asked.append(name)
        return self.table[name]


def experiment(**fields):
    variants = {
        "relu": Variant("ReLU", {"nonlinearity": "relu"}, rates=[0.01, 0.02]),
        "tanh": Variant("tanh", {"nonlinearity": "tanh"}, rates=[0.1]),
    }
    return Experiment("cifar_18pct", variants=variants, target=0.25, seeds=2, train={"epochs": 9}, **fields)


FAST, SLOW = result(0.5, 0.0, outcome="reached"), result(0.75, 0.5, 0.25, outcome="reached")  # 1.5 and 3 epochs
LOST = result(*[0.5] * 9)
TABLE = {
    "relu-lr0.01-seed0": SLOW,
    "relu-lr0.02-seed0": FAST,
    "tanh-lr0.1-seed0": SLOW,
    "relu-lr0.02-seed1": FAST,
    "tanh-lr0.1-seed1": LOST,
}


def test_the_search_comes_first_and_the_best_of_it_counts_as_the_first_seed():
    played = Played(TABLE)
    told = race.run(experiment(limit=1000), played)
    assert played.asked == [*TABLE] and race.count(experiment()) == len(TABLE)
    assert {name: one["rate"] for name, one in told["variants"].items()} == {"relu": 0.02, "tanh": 0.1}
    assert told["variants"]["relu"]["search"]["0.01"]["epochs"] == pytest.approx(3)
    assert told["variants"]["relu"]["ratio"] is None
    assert [told["variants"]["tanh"]["runs"][seed]["epochs"] for seed in ("0", "1")] == [3, None]
    ratio = told["variants"]["tanh"]["ratio"]  # 3 / 1.5, and at least 9 / 1.5
    assert ratio == {"mean": 4, "low": 2, "high": 6, "at_least": True}
    assert (told["dataset"], told["limit"], told["most_epochs"], told["batch_size"]) == ("cifar10", 1000, 9, 128)
    assert json.loads(race.as_json(told)) == told and '"errors": [ 0.75, 0.5, 0.25 ]' in race.as_json(told)
    head, relu, tanh = race.table(told)
    assert head == ["variant", "rate", "seed 0", "seed 1", "mean", "times relu", "range"]
    assert relu == ["relu", "0.02", "1.5", "1.5", "1.5", "", ""]
    assert tanh == ["tanh", "0.1", "3.0", "-", "-", "at least 4.0", "2.0 to 6.0"]
    said = " ".join(race.notes(told))
    assert "25 % training error on the first 1,000 training pictures of cifar10, at most 9." in said
    assert "The best rate of relu is the highest that was tried" in said and "rate of tanh" not in said
    assert "Of tanh, 1 of 2 runs did not reach 25 %." in said


def test_without_a_leader_that_arrives_there_is_no_ratio():
    told = race.run(experiment(), Played(TABLE | {"relu-lr0.02-seed1": result(outcome="diverged")}))
    assert told["variants"]["tanh"]["ratio"] is None
    assert "Of relu, 1 run diverged." in race.notes(told)
    assert race.table(told)[1][2:5] == ["1.5", "-", "-"]


def test_figure_1():
    found = read("figure1").check()
    assert [*found.all_variants()] == ["relu", "tanh"] and found.target == 0.25 and found.seeds == 3
    relu, tanh = (found.configuration(variant, 0) for variant in found.all_variants().values())
    assert relu.arguments == {"norm": "none", "nonlinearity": "relu"}
    assert tanh.arguments == {"norm": "none", "nonlinearity": "tanh"}
    for recipe in (relu.recipe, tanh.recipe):
        assert (recipe.dataset, recipe.epochs, recipe.schedule, recipe.weight_decay) == ("cifar10", 60, "constant", 0)
        assert not recipe.flip and not recipe.crop_padding and recipe.clip_grad_norm is None
    why = read("figure1-why").check()
    assert why.set == found.set and why.train == found.train
    assert [why.variants[name].rates for name in ("relu", "tanh")] == [one.rates for one in found.variants.values()]
