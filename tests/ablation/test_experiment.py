"""An experiment: its variants and their configurations; recipe files; what is refused in one sentence."""

from __future__ import annotations

import re

import pytest

from minialex.ablation import experiment
from minialex.ablation.experiment import Experiment, Variant, read


def test_every_variant_differs_from_the_base_in_its_own_part_alone():
    plan = Experiment(
        "alexnet_2012",
        without=["lrn", "color", "second-gpu"],
        adding=["conv4-dropout"],
        set={"inverted": True},
        limit=7,
    )
    found = {name: plan.configuration(one, seed=3) for name, one in plan.all_variants().items()}
    assert [*found] == ["base", "lrn", "color", "second-gpu", "conv4-dropout"]
    base = found["base"].to_dict()
    assert (base["seed"], base["limit"], base["validation"], base["recipe_name"]) == (3, 7, 0, "2012")

    def changed(name):
        return {key: value for key, value in found[name].to_dict().items() if value != base[key]}

    assert changed("lrn") == {"arguments": {"inverted": True, "norm": "none"}}
    assert changed("color") == {"color_noise": 0.0}
    assert changed("second-gpu") == {"model": "alexnet_2012_one_gpu"}
    assert changed("conv4-dropout") == {"arguments": {"inverted": True, "conv_dropout": 0.2}}
    assert plan.configuration(plan.all_variants()["lrn"], 3, lr=0.5).recipe.lr == 0.5


def test_a_folder_keeps_its_validation():
    """D/CLASS/*.jpg without one would have no test."""
    for fields, expected in (({}, None), ({"validation": 7}, 7)):
        plan = Experiment("alexnet_2012", without=["lrn"], dataset="folder", **fields)
        assert plan.configuration(plan.all_variants()["lrn"], 0, data_dir="D").validation == expected


def test_a_schedule_is_for_all_layers():
    recipe = Experiment("alexnet_2012", train={"schedule": "step:3"}).recipe()
    assert (recipe.schedule, recipe.bias_schedule, recipe.layer_schedules) == ("step:3", None, {})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "there is nothing to compare: name variants with without=... or adding=..., or a recipe=..."),
        ({"without": ["lnr"]}, "unknown word 'lnr' in without=...; choose from lrn, lrn2, "),
        ({"without": ["conv4-dropout"]}, "unknown word 'conv4-dropout' in without=..."),
        ({"adding": ["lrn"]}, "unknown word 'lrn' in adding=...; choose from conv4-dropout"),
        ({"without": ["lrn", "lrn"]}, "the variant 'lrn' is there twice"),
        (
            {"base": "cifar_18pct", "without": ["groups"]},
            "cifar_18pct has no groups that can be changed: leave groups out",
        ),
        ({"variants": {"a/b": Variant()}}, "the variant 'a/b' needs a name of letters"),
        (
            {"without": ["lrn"], "train": {"rate": 1}},
            "unknown field 'rate' of a training recipe; the fields are epochs",
        ),
        ({"without": ["lrn"], "train": {"lr": "fast"}}, "lr should be"),
        ({"variants": {"a": Variant(set={"nrom": "x"})}}, "alexnet_2012 has no argument 'nrom'"),
        ({"variants": {"a": Variant(set={"norm": "x"})}}, 'norm must be "lrn", "layer1"'),
        ({"without": ["lrn"], "seeds": 31}, "seeds should be at least 1 and at most 30"),
        ({"without": ["lrn"], "dataset": "cifar"}, "unknown data set cifar"),
    ],
)
def test_what_is_refused(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Experiment(**({"base": "alexnet_2012"} | fields)).check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", experiment.NAMES)
def test_our_recipes(name):
    assert read(name).check().all_variants()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds = 'three'", "seeds should be an integer, got 'three'"),
        ("target = 25", "target should be"),
        ("epochs = 3", "epochs"),
        ("[variants.a]\nrates = [-1.0]", "variants.a.rates"),
        ("seeds = ", "TOML"),
        ("set = {a = [1]}", "set.a should be"),
    ],
)
def test_recipe_files_are_checked(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        read(str(path))
    assert message.lower() in str(caught.value).lower() and "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there():
    with pytest.raises(FileNotFoundError, match="unknown recipe figure2; choose one of"):
        read("figure2")
