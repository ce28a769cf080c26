"""The recipes: worked numbers for every group of parameters in every stage, and files that are refused."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from on_request import heavy_but
from tiny_runs import TINY, after_forwards, assert_same_end, ctrl_c, run, velocities, without_figures

from minialex import data, models, nn, random
from minialex.nn import init
from minialex.runs import checkpoint
from minialex.runs import run as running
from minialex.runs.folder import RunFolder
from minialex.train import configured, parser
from minialex.training import recipes, trainer
from minialex.training.recipe import (
    absent_layers,
    by_module,
    frozen_modules,
    make_optimizer,
    make_schedule,
    modules_frozen_with,
    set_initial_values,
)

LAYERS = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]


@pytest.fixture(scope="module")
def alexnet():
    """The real network; its 61 million numbers are never touched."""
    with init.skipped():
        return models.build("alexnet_2012")


def of_parameters(model, optimizer, setting):
    """{name: setting of its group}."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)]: group[setting] for group in optimizer.param_groups for p in group["params"]}


def rates_at(model, recipe, epochs):
    """{epoch: {name: rate}}, stepping a schedule through all of them."""
    optimizer = make_optimizer(model, recipe)
    schedule, found = make_schedule(model, recipe, optimizer), {}
    for epoch in range(max(epochs) + 1):
        if epoch in epochs:
            found[epoch] = of_parameters(model, optimizer, "lr")
        schedule.step()
    return found


def assert_stages(model, recipe, stages):
    """The rates of weights are those of `stages`, {epoch: (of conv1, of all others)}; biases stay at 0.02."""
    for epoch, rates in rates_at(model, recipe, stages).items():
        first, others = stages[epoch]
        expected = {f"{layer}.weight": others for layer in LAYERS} | {"conv1.weight": first}
        expected |= {f"{layer}.bias": 0.02 for layer in LAYERS}
        assert rates == pytest.approx(expected, rel=1e-9), epoch


# epoch: rate of conv1's weights, of all other weights; biases have 0.02 from beginning to end
STAGES_2012 = {
    0: (1e-2, 1e-2),
    24: (1e-2, 1e-2),
    25: (1e-3, 1e-3),
    50: (1e-3, 1e-3),
    51: (1e-4, 1e-4),
    66: (1e-4, 1e-4),
    67: (1e-5, 1e-4),
    71: (1e-5, 1e-4),
    72: (1e-5, 1e-4),
    78: (1e-5, 1e-4),
    79: (1e-5, 1e-5),
    90: (1e-5, 1e-5),
}


class TestOf2012:
    recipe = recipes.apply("2012", models.PRESETS["alexnet_2012"].recipe)

    def test_the_rate_of_every_parameter(self, alexnet):
        assert_stages(alexnet, self.recipe, STAGES_2012)

    def test_the_main_rate_is_the_first_groups(self, alexnet):
        """Which is the one in metrics.csv."""
        optimizer = make_optimizer(alexnet, self.recipe)
        schedule = make_schedule(alexnet, self.recipe, optimizer)
        for _ in range(70):
            schedule.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4)

    def test_decay_and_what_is_frozen(self, alexnet):
        decay = of_parameters(alexnet, make_optimizer(alexnet, self.recipe), "weight_decay")
        assert decay == {name: 0.0005 if name.endswith("weight") else 0.0 for name in decay}
        assert frozen_modules(alexnet, self.recipe) == [(72, [alexnet.conv1])]

    def test_the_rest(self):
        r = self.recipe
        assert (r.batch_size, r.momentum, r.epochs, r.optimizer) == (128, 0.9, 91, "sgd_paper")
        assert (r.color_noise, r.color_noise_by, r.color_noise_until) == (0.1, "std", 67)
        assert (r.normalization, r.flip, r.crop_padding) == ("mean-image-center", True, 0)

    def test_initial_values(self):
        assert_initial(self.recipe, {"conv3": 0.03, "conv4": 0.03, "conv5": 0.03})


# epoch: rate of conv1's weights, of all other weights
STAGES_ONE_GPU = {
    0: (1e-2, 1e-2),
    19: (1e-2, 1e-2),
    20: (1e-3, 1e-3),
    47: (1e-3, 1e-3),
    48: (1e-4, 1e-4),
    65: (1e-4, 1e-4),
    66: (1e-5, 1e-4),
    77: (1e-5, 1e-4),
    78: (1e-5, 1e-5),
    95: (1e-5, 1e-5),
}


class TestOfOneGpu:
    """The dates of layer-params-145-half.cfg, and as in 2012.toml what the two networks share."""

    recipe = recipes.of("alexnet_2012_one_gpu")

    def test_the_rate_of_every_parameter(self, alexnet):
        assert_stages(alexnet, self.recipe, STAGES_ONE_GPU)

    def test_what_differs_from_the_network_of_two(self):
        other = recipes.apply("2012", models.PRESETS["alexnet_2012_one_gpu"].recipe)
        differing = ["epochs", "schedule", "layer_schedules", "color_noise_until"]
        assert recipes.changed(self.recipe, other) == differing
        assert [getattr(self.recipe, name) for name in differing] == [
            *(96, "multistep:20,48,78", {"conv1": "multistep:20,48,66"}, 66)
        ]
        assert self.recipe.freeze_from == {"conv1": 72}


class TestByDefault:
    def test_every_network_is_trained_as_its_authors_did(self):
        files = {name: preset.recipe_file for name, preset in models.PRESETS.items() if preset.recipe_file}
        assert files == {"alexnet": "paper", "alexnet_2012": "2012", "alexnet_2012_one_gpu": "2012-one-gpu"}
        for name, preset in models.PRESETS.items():
            recipe = recipes.of(name)
            if name in files:
                assert recipe == recipes.apply(files[name], preset.recipe) != preset.recipe
            else:
                assert recipe == preset.recipe and preset.recipe_source
            assert recipes.of(name, "plain") == preset.recipe

    def test_alexnet(self):
        r = recipes.of("alexnet")
        assert (r.normalization, r.color_noise, r.color_noise_by, r.schedule) == (
            *("mean-image", 0.1, "eigenvalue", "plateau:5:0.1:3"),
        )

    def test_keras_and_torchvision(self):
        assert recipes.of("alexnet_keras_bn10").lr == 0.001 and recipes.of("alexnet_keras_bn").lr == 0.01
        cropped = [name for name in models.PRESETS if recipes.of(name).random_resized_crop]
        assert cropped == ["alexnet_torchvision"] and recipes.of(cropped[0]).flip

    def test_an_unknown_network(self):
        with pytest.raises(ValueError, match="unknown model 'alexnett'"):
            recipes.of("alexnett")

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ((), "2012, as its authors trained it; separate schedules: conv1 multistep"),
            (("--recipe", "2012"), "2012, as its authors trained it; separate schedules"),
            (("--lr", 0.5, "--epochs", 3), "2012, as its authors trained it, but for epochs, lr; separate"),
            (("--recipe", "plain"), "plain, the short one of shapes_net\n"),
            (("--recipe", "paper", "--batch-size", 7), "paper, but for batch_size; this network has no conv4, conv5"),
        ],
    )
    def test_the_header_says_which_recipe_is_in_force(self, tmp_path, monkeypatch, options, line):
        """Of shapes_net, as if its authors had trained it by a file."""
        with_file = dataclasses.replace(models.PRESETS["shapes_net"], recipe_file="2012")
        monkeypatch.setitem(models.PRESETS, "shapes_net", with_file)
        monkeypatch.setattr(running.Pictures, "read", lambda self: None)
        monkeypatch.setattr(running.Pictures, "loader", lambda self: [None])
        options = ["--limit", 9, "--backend", "numpy", "--threads", 1, *options]
        configuration = configured(parser().parse_args([str(option) for option in options]))
        header = running.Run(configuration, RunFolder.create(tmp_path / "r")).header() + "\n"
        assert f"\n  recipe     {line}" in header

    def test_a_network_without_a_file(self, tmp_path, monkeypatch):
        monkeypatch.setattr(running.Pictures, "read", lambda self: None)
        monkeypatch.setattr(running.Pictures, "loader", lambda self: [None])
        configuration = configured(parser().parse_args(["--limit", "9", "--backend", "numpy", "--momentum", "0.5"]))
        header = running.Run(configuration, RunFolder.create(tmp_path / "r")).header()
        assert "\n  recipe     minialex's own, for this network, but for momentum\n" in header


class TestOfThePaper:
    recipe = recipes.apply("paper", models.PRESETS["alexnet"].recipe)

    def test_one_rate_and_one_decay_for_all(self, alexnet):
        optimizer = make_optimizer(alexnet, self.recipe)
        assert set(of_parameters(alexnet, optimizer, "lr").values()) == {0.01}
        assert set(of_parameters(alexnet, optimizer, "weight_decay").values()) == {0.0005}

    def test_a_tenth_when_validation_stalls_three_times_at_most(self, alexnet):
        """Better in epoch 1 and never again: patience of 5, so after 7, 13 and 19 epochs."""
        optimizer = make_optimizer(alexnet, self.recipe)
        schedule, rates = make_schedule(alexnet, self.recipe, optimizer), []
        for epoch in range(40):
            schedule.step(2.0 if epoch == 0 else 3.0)
            rates.append(optimizer.param_groups[0]["lr"])
        assert rates == pytest.approx([1e-2] * 6 + [1e-3] * 6 + [1e-4] * 6 + [1e-5] * 22)

    def test_the_rest(self):
        r = self.recipe
        assert (r.batch_size, r.momentum, r.epochs, r.optimizer) == (128, 0.9, 90, "sgd_paper")
        assert (r.color_noise, r.color_noise_by, r.color_noise_until) == (0.1, "eigenvalue", None)
        assert (r.normalization, r.flip, r.crop_padding, r.freeze_from) == ("mean-image", True, 0, {})

    def test_it_undoes_what_a_models_own_training_does_otherwise(self):
        """Whatever network it is used with, the same is in force."""
        own = [models.PRESETS[name].recipe for name in models.PRESETS]
        assert len({json.dumps(vars(recipes.apply("paper", t)) | {"dataset": ""}) for t in own}) == 1

    def test_initial_values(self):
        assert_initial(self.recipe, {})


def assert_initial(recipe, stds):
    """Of AlexNet's eight layers, narrow enough to be drawn at once; `stds`: where not 0.01."""
    layers = {name: nn.Conv2d(30, 40, 3) if name < "f" else nn.Linear(90, 120) for name in LAYERS}
    model = nn.Sequential(layers)
    set_initial_values(model, recipe)
    for name, layer in layers.items():
        weights = layer.weight.numpy()
        assert weights.std() == pytest.approx(stds.get(name, 0.01), rel=0.05) and abs(weights.mean()) < 2e-3, name
        assert (layer.bias.numpy() == (name in ("conv2", "conv4", "conv5", "fc6", "fc7"))).all(), name


def test_layers_are_meant_by_their_published_names():
    """torchvision's network calls them features.0, ..., classifier.6."""
    with init.skipped():
        model = models.build("alexnet_torchvision")
    recipe = recipes.apply("2012", models.PRESETS["alexnet_torchvision"].recipe)
    rates = rates_at(model, recipe, [68])[68]
    assert rates["features.0.weight"] == pytest.approx(1e-5) and rates["features.3.weight"] == pytest.approx(1e-4)
    assert frozen_modules(model, recipe, ["fc8", "features.3"]) == [
        (72, [model.features[0]]),
        (0, [model.classifier[6]]),
        (0, [model.features[3]]),
    ]
    assert by_module(model, recipe.init_std) == {"features.6": 0.03, "features.8": 0.03, "features.10": 0.03}
    assert absent_layers(model, recipe) == []


def test_layers_that_a_small_network_lacks():
    model, recipe = models.build("shapes_net"), recipes.apply("2012", models.PRESETS["shapes_net"].recipe)
    assert absent_layers(model, recipe) == ["conv4", "conv5", "fc6", "fc7"]
    assert by_module(model, recipe.init_std) == {"conv3": 0.03}


SHIFTED = """
lr = 0.02
bias_lr = 2
bias_decay = false
schedule = "multistep:2"
bias_schedule = "constant"
flip = true
crop_padding = 2
color_noise = 0.1
color_noise_by = "std"
color_noise_until = 1
[layer_schedules]
conv1 = "multistep:1"
[freeze_from]
conv1 = 2
"""


STAGES = ("--limit", 20, "--batch-size", 8, "--seed", 5)  # batches of 8, 8 and 4


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "shifted.toml"
    path.write_text(SHIFTED)
    return path


@pytest.fixture(scope="module")
def whole(shifted):
    """Three epochs that nothing interrupted."""
    folder = shifted.parent / "whole"
    with pytest.MonkeyPatch.context() as patch:
        without_figures(patch)
        assert run(*STAGES, "--recipe", shifted, "--epochs", 3, "--out", folder) == 0
    return folder


@pytest.mark.usefixtures("quick_figures")
class TestStagesOfARun:
    """The stages of 2012 in three epochs: noise goes after one, conv1 is frozen after two."""

    @pytest.mark.heavy
    def test_what_is_frozen_does_not_move_and_the_rest_does(self, whole, shifted, tmp_path):
        """No step, no decay, no drift of momentum: its velocity is what it was."""
        assert run(*STAGES, "--recipe", shifted, "--epochs", 2, "--out", tmp_path / "two") == 0
        two, three = (checkpoint.load(folder / "last.npz") for folder in (tmp_path / "two", whole))
        moved = {name for name in two.weights if (two.weights[name] != three.weights[name]).any()}
        assert moved == set(two.weights) - {"conv1.weight", "conv1.bias"}
        before, after = velocities(two), velocities(three)
        still = [index for index in before if (before[index] == after[index]).all()]
        assert sorted(before[index].shape for index in still) == [(32,), (32, 3, 5, 5)]
        assert all(np.abs(before[index]).max() > 0 for index in still)

    @pytest.mark.parametrize("forward", heavy_but([8], [2, 8, 14]))
    def test_interrupted_in_every_stage_it_goes_on_exactly(self, whole, shifted, tmp_path, monkeypatch, forward):
        with monkeypatch.context() as m:
            after_forwards(m, forward, ctrl_c)
            assert run(*STAGES, "--recipe", shifted, "--epochs", 3, "--out", tmp_path / "r") == 130
        assert checkpoint.load(tmp_path / "r" / "last.npz").trainer_state["batch"] == 2
        assert run("--resume", tmp_path / "r") == 0
        assert_same_end(tmp_path / "r", whole)

    def test_the_noise_stops(self, shifted, tmp_path):
        """What the network is shown differs from the recipe's without noise in the first epoch, not in the second."""

        def shown(*options):
            options = parser().parse_args([*map(str, STAGES), "--recipe", *map(str, options)])
            loader = running.Run(configured(options), RunFolder(tmp_path)).trainer.loader
            return [np.concatenate([images for images, _ in loader.epoch(epoch)]) for epoch in (0, 1, 2)]

        quiet = tmp_path / "quiet.toml"
        quiet.write_text(SHIFTED.replace("color_noise = 0.1", "color_noise = 0"))
        for epoch, (a, b) in enumerate(zip(shown(shifted), shown(quiet), strict=True)):
            assert (a != b).any() == (epoch == 0), epoch

    def test_nothing_is_computed_backward_through_it(self, monkeypatch):
        """conv1 frozen: of its layer no gradient, and none for its output, which only it would need."""
        model, needed = models.build("shapes_net"), []
        backend = type(model.conv1.weight.backend)
        real = backend.conv2d_backward

        def backward(self, *arguments, **options):
            gx, gw, gb = real(self, *arguments, **options)
            needed.append((gx is not None, gw is not None, gb is not None))
            return gx, gw, gb

        monkeypatch.setattr(backend, "conv2d_backward", backward)
        pictures = data.load("shapes", limit=4, validation=0).train
        loader = data.Loader(pictures, 4, [data.Normalize(np.ones((3, 1, 1)))])
        optimizer = make_optimizer(model, models.PRESETS["shapes_net"].recipe)
        for _ in trainer.Trainer(model, optimizer, None, loader, freezing=[(0, [model.conv1])]).steps():
            pass
        assert needed == [(True, True, True), (False, True, True)], "conv3, conv2"
        assert model.conv1.weight.grad is None and model.conv1.bias.grad is None

    def test_what_is_recorded_and_shown(self, shifted, tmp_path, capsys):
        options = ("--limit", 20, "--batch-size", 10, "--recipe", shifted, "--lr", 0.004)
        assert run(*options, "--epochs", 1, "--out", tmp_path / "r") == 0
        header = capsys.readouterr().out
        for line in (
            rf"recipe +{shifted}; separate schedules: conv1 multistep:1, biases constant",
            r"pictures +crops of 32x32 from 32x32 padded by 2, half of them mirrored, "
            r"colour noise 0.1 by std until epoch 1",
            r"frozen +conv1 after 2 epochs",
            r"optimizer +sgd_paper, lr 0.004 \(biases 0.008\)",
        ):
            assert re.search(line, header), line
        written = json.loads((tmp_path / "r" / "config.json").read_text())
        assert (
            written.items()
            >= dict(
                recipe_name=str(shifted),
                lr=0.004,
                bias_lr=2,
                schedule="multistep:2",
                bias_schedule="constant",
                layer_schedules={"conv1": "multistep:1"},
                freeze_from={"conv1": 2},
                color_noise=0.1,
                color_noise_until=1,
            ).items()
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("momentun = 0.9", r"my.toml: unknown field momentun; the fields are epochs, .*momentum, "),
        ('dataset = "shapes"', "unknown field dataset; the fields are"),
        ('lr = "fast"', "my.toml: lr should be a number, got 'fast'"),
        ("epochs = 2.5", "my.toml: epochs should be an integer, got 2.5"),
        ("flip = 1", "my.toml: flip should be true or false, got 1"),
        ("[init_std]\nconv1 = true", "my.toml: init_std.conv1 should be a number, got True"),
        ("epochs = 0", "my.toml: epochs should be at least 1 and at most 1,000,000,000, got 0"),
        ("momentum = 1.0", "my.toml: momentum should be at least 0 and below 1, got 1.0"),
        ("lr = nan", "my.toml: lr should be at least 0 and finite, got nan"),
        ("[freeze_from]\nconv1 = -1", "my.toml: freeze_from should be at least 0, got -1"),
        ('schedule = "sine"', "my.toml: 'sine' is not a schedule; expected"),
        ('[layer_schedules]\nconv1 = "sine"', "my.toml: 'sine' is not a schedule; expected"),
        ('schedule = "plateau:3"\nbias_schedule = "constant"', "my.toml: a plateau schedule must be the only one"),
        ('bias_schedule = "plateau:3"', "my.toml: a plateau schedule must be the only one"),
        (
            'normalization = "none"',
            "my.toml: normalization should be one of channels, mean-image, mean-image-center, got 'none'",
        ),
        ('color_noise_by = "luck"', "my.toml: color_noise_by should be one of eigenvalue, std, got 'luck'"),
        ('optimizer = "lion"', "my.toml: optimizer should be one of sgd, sgd_paper, adam, adamw, got 'lion'"),
        ('crop_padding = 2\nnormalization = "mean-image-center"', "my.toml: crop_padding cannot be combined with"),
        ("random_resized_crop = true\ncrop_padding = 2", "random_resized_crop cannot be combined with crop_padding"),
        (
            'random_resized_crop = true\nnormalization = "mean-image"',
            "my.toml: random_resized_crop cannot be combined with mean-image, which is subtracted from whole pictures",
        ),
        ("[weight_decay]\nconv = 0.1", "weight_decay has no entry for fc4.weight, only for conv"),
        ("lr 0.1", "my.toml is not a recipe: it is not valid TOML"),
        ("lr = " + "[" * 3000, "my.toml is not a recipe: its values are nested too deeply|it is not valid TOML"),
        ("lr = " + "{a = " * 3000, "my.toml is not a recipe: its values are nested too deeply|it is not valid TOML"),
        ("lr = " + "[" * 300 + "]" * 300, "my.toml: lr should be a number"),
        ("a" + ".a" * 3000 + " = 1", "my.toml: unknown field a;"),
        ("[lr" + ".a" * 3000 + "]", "my.toml: lr should be a number"),
    ],
)
def test_recipes_that_are_refused(tmp_path, monkeypatch, capsys, text, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(text)
    assert run("--limit", 10, "--recipe", "my.toml") == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and re.search(expected, err), err
    assert [p.name for p in tmp_path.iterdir()] == ["my.toml"]


@pytest.mark.parametrize("field", ["init_std", "init_bias"])
def test_initial_values_that_float32_cannot_hold(tmp_path, field):
    (tmp_path / "my.toml").write_text(f"{field} = {{all = 1e300}}\n")
    with pytest.raises(ValueError, match=rf"my.toml: {field}.* should be at least .* and below 1e\+30, got 1e\+300"):
        recipes.apply(str(tmp_path / "my.toml"), models.PRESETS["shapes_net"].recipe)


def test_a_schedule_is_not_quoted_without_end(tmp_path):
    (tmp_path / "my.toml").write_text(f'schedule = "{"x" * 10_000}"\n')
    with pytest.raises(ValueError, match="my.toml: 'x{100}' is not a schedule"):
        recipes.apply(str(tmp_path / "my.toml"), models.PRESETS["shapes_net"].recipe)


def test_a_recipe_that_there_is_not_and_layers_that_leave_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("--recipe", "papper") == 2
    assert "unknown recipe papper; choose one of 2012, 2012-one-gpu, paper, plain, or give" in capsys.readouterr().err
    assert run(*TINY, "--recipe", "paper", "--schedule", "plateau:2:0.1:0") == 2
    assert "'plateau:2:0.1:0' is not a schedule" in capsys.readouterr().err
    assert run(*TINY, "--epochs", 3, "--freeze", "conv1,conv2,conv3,fc4,fc5") == 2
    assert "every layer is frozen from epoch 1 on: nothing is left to train" in capsys.readouterr().err
    assert run(*TINY, "--freeze", "conv1,conv9") == 2
    assert (
        "there is no layer 'conv9' with weights; choose from conv1, conv2, conv3, fc4, fc5" in capsys.readouterr().err
    )


def test_frozen_batch_norm_stays_as_it_is(rng):
    """Its scale, its shift and its running statistics; the next layer's moves."""

    def block(channels):
        return {"conv": nn.Conv2d(channels, 4, 3, padding=1), "norm": nn.BatchNorm2d(4), "relu": nn.ReLU()}

    random.manual_seed(1)
    model = nn.Sequential(
        {f"{name}{i}": layer for i, channels in ((1, 3), (2, 4)) for name, layer in block(channels).items()}
        | {"flatten": nn.Flatten(), "fc": nn.Linear(4 * 5 * 5, 2)}
    )
    assert modules_frozen_with(model, "conv1") == [model.conv1, model.norm1]
    before = {name: array.copy() for name, array in model.state_dict().items()}
    pictures = data.ArrayDataset(rng.integers(0, 256, (8, 3, 5, 5), dtype=np.uint8), np.arange(8) % 2, "ab")
    loader = data.Loader(pictures, 4, [data.Normalize.channels(pictures)])
    recipe = models.Recipe("shapes", epochs=2, batch_size=4, lr=0.1)
    freezing = frozen_modules(model, recipe, ["conv1"])
    t = trainer.Trainer(model, make_optimizer(model, recipe), None, loader, freezing=freezing)
    for _ in range(2):  # evaluation in between switches the whole network to training again
        list(t.steps())
        t.finish_epoch(loader.epoch())
    still = {name for name, array in model.state_dict().items() if np.array_equal(array, before[name])}
    assert still == {name for name in before if name.startswith(("conv1", "norm1"))}
