"""The configuration of a run: recipe and options, there and back."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from minialex import models
from minialex.runs.configuration import Configuration
from minialex.support.errors import UserError
from minialex.train import configured, parser
from minialex.training import recipes


@pytest.mark.parametrize("model", models.PRESETS)
def test_without_options_it_is_the_recipe_of_its_authors(model):
    options = parser().parse_args(["--model", model, "--seed", "3", "--backend", "numpy"])
    configuration = configured(options)
    preset = models.PRESETS[model]
    assert configuration.recipe == recipes.of(model) and configuration.recipe_name == preset.recipe_file
    assert (configuration.model, configuration.seed, configuration.limit) == (model, 3, None)
    assert Configuration.from_dict(json.loads(json.dumps(configuration.to_dict()))) == configuration


def test_options_replace_the_recipe_and_zero_counts_as_given():
    text = "--model cifar_quick --lr 0 --momentum 0 --weight-decay 0 --optimizer sgd --validation 0 --data-dir here"
    configuration = configured(parser().parse_args(text.split()))
    recipe = configuration.recipe
    assert (recipe.lr, recipe.momentum, recipe.weight_decay, recipe.optimizer) == (0, 0, 0, "sgd")
    assert configuration.validation == 0 and recipe.batch_size == 128
    assert configuration.data_dir.startswith("/") and configuration.data_dir.endswith("/here")


def test_watching_and_accumulation():
    text = "--model shapes_net --accumulate 4 --overfit 20 --diagnose"
    configuration = configured(parser().parse_args(text.split()))
    assert (configuration.accumulate, configuration.overfit, configuration.diagnose) == (4, 20, True)
    values = configuration.to_dict()
    assert Configuration.from_dict(values) == configuration
    for name in ("accumulate", "overfit", "diagnose"):
        del values[name]  # as written before there were these options
    earlier = Configuration.from_dict(values)
    assert (earlier.accumulate, earlier.overfit, earlier.diagnose) == (1, None, False)


def test_a_dict_of_another_version_is_refused():
    values = configured(parser().parse_args(["--model", "shapes_net"])).to_dict()
    with pytest.raises(ValueError, match="unknown field warp; the fields are model, recipe, "):
        Configuration.from_dict(values | {"warp": 9})
    del values["seed"]
    with pytest.raises(ValueError, match="the field seed is missing"):
        Configuration.from_dict(values)


@pytest.mark.parametrize(
    "text,lr", [("--optimizer adam", 0.001), ("--optimizer adamw --lr 0.5", 0.5), ("--optimizer sgd", 0.02), ("", 0.02)]
)
def test_adam_has_a_rate_of_its_own_unless_one_is_given(text, lr):
    assert configured(parser().parse_args(text.split())).recipe.lr == lr


def test_an_option_stands_above_the_recipe_and_the_recipe_above_the_model(tmp_path):
    (tmp_path / "my.toml").write_text("lr = 0.5\nmomentum = 0.25\n[layer_schedules]\nconv1 = 'step:3'\n")
    text = f"--model cifar_quick --recipe {tmp_path / 'my.toml'} --momentum 0.75"
    configuration = configured(parser().parse_args(text.split()))
    t = configuration.recipe
    assert (t.lr, t.momentum, t.batch_size, t.layer_schedules) == (0.5, 0.75, 128, {"conv1": "step:3"})
    assert t.weight_decay == {"conv": 0.004, "fc": 0.03}, "the model's"
    assert Configuration.from_dict(json.loads(json.dumps(configuration.to_dict()))) == configuration
    assert configuration.to_dict()["recipe_name"] == str(tmp_path / "my.toml")


def test_a_schedule_that_is_given_is_that_of_all_layers():
    text = "--recipe 2012 --schedule plateau:3"
    t = configured(parser().parse_args(text.split())).recipe
    assert (t.schedule, t.bias_schedule, t.layer_schedules) == ("plateau:3", None, {})
    assert t.bias_lr == 2 and t.freeze_from == {"conv1": 72}


def test_what_fine_tuning_and_photographs_need_goes_there_and_back():
    text = "--weights w --num-classes 12 --freeze conv1,fc4 --dataset folder --data-dir d --workers 3 --strict"
    options = parser().parse_args([*text.split(), "--val-labels", "labels", "--resize", "99"])
    configuration = configured(options)
    values = configuration.to_dict()
    assert values["freeze"] == ["conv1", "fc4"] and values["weights"].startswith("/") and values["strict"] is True
    assert Configuration.from_dict(json.loads(json.dumps(values))) == configuration
    with pytest.raises(ValueError, match="workers=... is only for pictures read from files"):
        Configuration.from_dict(values | {"dataset": "shapes"})
    with pytest.raises(ValueError, match="freeze should be a list of strings, got 'conv1'"):
        Configuration.from_dict(values | {"freeze": "conv1"})


def test_a_configuration_of_the_first_format_is_read():
    now = configured(parser().parse_args(["--model", "alexnet_2012", "--recipe", "2012"])).to_dict()
    then = now | {"recipe": now["recipe_name"], "color_noise_by": "deviation"}
    del then["recipe_name"]
    assert Configuration.from_dict(then) == Configuration.from_dict(now)
    assert Configuration.from_dict(then).recipe_name == "2012" and now["color_noise_by"] == "std"


def test_options_override_a_recipe_that_nobody_named():
    t = configured(parser().parse_args(["--model", "alexnet", "--lr", "0.5", "--epochs", "3"])).recipe
    assert (t.lr, t.epochs, t.schedule, t.normalization) == (0.5, 3, "plateau:5:0.1:3", "mean-image")
    t = configured(parser().parse_args(["--model", "alexnet_2012", "--schedule", "step:9"])).recipe
    assert (t.schedule, t.bias_schedule, t.layer_schedules) == ("step:9", None, {}) and t.freeze_from == {"conv1": 72}
    t = configured(parser().parse_args(["--model", "alexnet", "--optimizer", "adam"])).recipe
    assert (t.optimizer, t.lr, t.color_noise) == ("adam", 0.001, 0.1)


def test_a_run_of_before_keeps_the_recipe_that_it_had():
    """Its fields are in config.json, and no recipe had a name unless one was asked for."""
    plain = configured(parser().parse_args(["--model", "alexnet", "--recipe", "plain"]))
    assert (plain.recipe, plain.recipe_name) == (models.PRESETS["alexnet"].recipe, "plain")
    values = plain.to_dict()
    values["recipe_name"] = None
    del values["arguments"], values["random_resized_crop"]
    then = Configuration.from_dict(values)
    assert then.recipe == models.PRESETS["alexnet"].recipe != recipes.of("alexnet") and then.arguments == {}


def test_arguments_of_a_network_from_a_file():
    values = configured(parser().parse_args(["--model", "alexnet", "--set", "norm=bn"])).to_dict()
    assert values["arguments"] == {"norm": "bn"}
    for wrong, message in (
        ({"zzz": 1}, "alexnet has no argument 'zzz': it has norm, dropout, inverted"),
        ({"norm": 3}, "norm of alexnet should be a word, got 3"),
        ({"norm": ["bn"]}, "arguments.norm should be true or false or "),
    ):
        with pytest.raises(ValueError, match=message):
            Configuration.from_dict(values | {"arguments": wrong})


def test_a_table_of_convolutions():
    """It goes there and back, is only for the numba backend, and earlier runs had none."""
    values = configured(parser().parse_args(["--model", "shapes_net", "--backend", "numba"])).to_dict()
    assert (values["conv_table"], values["conv_ways"]) == (None, {})
    tuned = Configuration.from_dict(values | {"conv_table": "my.json", "conv_ways": {"a layer": "direct"}})
    assert Configuration.from_dict(json.loads(json.dumps(tuned.to_dict()))) == tuned
    for given in ({"conv_table": "my.json"}, {"conv_ways": {"a layer": "direct"}}):
        with pytest.raises(ValueError, match=r"conv_table=\.\.\. is only for backend=numba, .* not for numpy"):
            Configuration.from_dict(values | given | {"backend": "numpy"})
    del values["conv_table"], values["conv_ways"]
    earlier = Configuration.from_dict(values)
    assert (earlier.conv_table, earlier.conv_ways) == (None, {})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"parallel": "towers", "freeze": ["conv1"]}, "freeze=... needs whole layers: use parallel=data, not towers"),
        ({"exchange": "turns"}, "exchange=... is for parallel=hybrid: leave it out"),
        ({"exchange": "turns", "parallel": "data"}, "exchange=... is for parallel=hybrid: leave it out"),
        ({"local_batch_norm": True}, "local_batch_norm=... is for parallel=data or towers: leave it out"),
        ({"parallel": "hybrid", "local_batch_norm": True}, "local_batch_norm=... is for parallel=data or towers"),
    ],
)
def test_what_does_not_go_together_in_many_processes(changes, sentence):
    recipe = models.get_preset("shapes_net").recipe
    with pytest.raises(UserError, match=re.escape(sentence)):
        Configuration("shapes_net", recipe, "numpy", 0, **changes).check()


def test_clipping_and_late_freezing_need_whole_layers():
    recipe = models.get_preset("shapes_net").recipe
    for changed in ({"clip_grad_norm": 1.0}, {"freeze_from": {"conv1": 2}}):
        changed = dataclasses.replace(recipe, **changed)
        Configuration("shapes_net", changed, "numpy", 0, parallel="data").check()
        with pytest.raises(UserError, match="needs whole layers: use parallel=data, not hybrid"):
            Configuration("shapes_net", changed, "numpy", 0, parallel="hybrid").check()
