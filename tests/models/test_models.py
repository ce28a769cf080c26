"""The networks: sizes of their maps, parameters, initial values, and how their parameters are grouped for training."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from minialex import Tensor, models, nn, no_grad, random
from minialex.training.recipe import make_optimizer, make_schedule, parameter_groups

# fmt: off
ALEXNET_MAPS = {
    "conv1": (96, 55, 55), "relu1": (96, 55, 55), "norm1": (96, 55, 55), "pool1": (96, 27, 27),
    "conv2": (256, 27, 27), "relu2": (256, 27, 27), "norm2": (256, 27, 27), "pool2": (256, 13, 13),
    "conv3": (384, 13, 13), "relu3": (384, 13, 13), "conv4": (384, 13, 13), "relu4": (384, 13, 13),
    "conv5": (256, 13, 13), "relu5": (256, 13, 13), "pool5": (256, 6, 6), "flatten": (9216,),
    "fc6": (4096,), "relu6": (4096,), "drop6": (4096,),
    "fc7": (4096,), "relu7": (4096,), "drop7": (4096,), "fc8": (1000,),
}
ALEXNET_PARAMETERS = {  # weight and bias together, as facts and papers count
    "conv1": 34_944, "conv2": 307_456, "conv3": 885_120, "conv4": 663_936, "conv5": 442_624,
    "fc6": 37_752_832, "fc7": 16_781_312, "fc8": 4_097_000,
}
CIFAR_MAPS = {
    "conv1": (32, 32, 32), "pool1": (32, 16, 16), "relu1": (32, 16, 16), "conv2": (32, 16, 16), "relu2": (32, 16, 16),
    "pool2": (32, 8, 8), "conv3": (64, 8, 8), "relu3": (64, 8, 8), "pool3": (64, 4, 4), "flatten": (1024,),
    "fc64": (64,), "relu4": (64,), "fc10": (10,),
}
# fmt: on


@pytest.fixture(scope="module")
def alexnet():
    random.manual_seed(0)
    return models.build("alexnet")


def maps_of(model, size):
    """Name -> shape of each layer's output for one picture."""
    shapes, x = {}, Tensor(np.zeros((1, 3, size, size), np.float32))
    with no_grad():
        for name, layer in model.named_children():
            x = layer(x)
            shapes[name] = x.shape[1:]
    return shapes


def counts_of(model):
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in model.named_children()}
    return {name: count for name, count in counts.items() if count}


# ------------------------------------------------------------------------------------------------- maps and parameters


@pytest.mark.heavy
def test_alexnets_maps(alexnet):
    assert maps_of(alexnet, models.PRESETS["alexnet"].input_size) == ALEXNET_MAPS


def test_alexnets_parameters(alexnet):
    assert counts_of(alexnet) == ALEXNET_PARAMETERS
    assert sum(p.numel() for p in alexnet.parameters()) == 60_965_224
    weights = {name: p.shape for name, p in alexnet.named_parameters() if name.endswith("weight")}
    assert weights["conv2.weight"] == (256, 48, 5, 5)  # two GPUs: half of conv1's 96 maps
    assert weights["conv3.weight"] == (384, 256, 3, 3)  # the one layer that sees both
    assert weights["fc6.weight"] == (4096, 9216)


def test_cifar_quicks_maps_and_parameters():
    model = models.build("cifar_quick")
    assert maps_of(model, 32) == CIFAR_MAPS
    assert sum(p.numel() for p in model.parameters()) == 145_578
    assert counts_of(model) == {"conv1": 2432, "conv2": 25_632, "conv3": 51_264, "fc64": 65_600, "fc10": 650}


def test_shapes_net_is_alexnet_in_miniature():
    """Normalisation twice, groups, overlapping pools, dropout in the paper's form; small enough for two minutes."""
    model = models.build("shapes_net")
    kinds = [type(layer).__name__ for layer in model]
    assert kinds.count("LocalResponseNorm") == 2 and kinds.count("Dropout") >= 1
    pools = [layer for layer in model if isinstance(layer, nn.MaxPool2d)]
    assert len(pools) >= 2 and all(pool.kernel_size > pool.stride for pool in pools)
    assert any(layer.groups == 2 for layer in model if isinstance(layer, nn.Conv2d))
    assert not any(layer.inverted for layer in model if isinstance(layer, nn.Dropout))
    first_linear = next(layer for layer in model if isinstance(layer, nn.Linear))
    assert maps_of(model, 32)["flatten"] == (first_linear.in_features,)
    assert sum(p.numel() for p in model.parameters()) < 200_000


def test_shapes_nets_initial_values():
    """sqrt(2 / fan_in), but 0.1 in conv1, and 0.01 in the layer of the logits: the loss begins near ln 10."""
    layers = [layer for layer in models.build("shapes_net") if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert_initial(layers[0], 0.1, 0)
    for layer in layers[1:-1]:
        assert_initial(layer, math.sqrt(2 / math.prod(layer.weight.shape[1:])), 0)
    assert_initial(layers[-1], 0.01, 0)


@pytest.mark.parametrize("name", ["cifar_quick", "shapes_net"])
def test_another_number_of_classes(name):
    logits = models.build(name, num_classes=7)(Tensor(np.zeros((2, 3, 32, 32), np.float32)))
    assert logits.shape == (2, 7)


def test_alexnets_settings(alexnet):
    """Sections 3.3 to 4.2: where normalisation, pools and dropout stand, and in which form."""
    norm = "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=2.0, alpha_over=element)"
    assert repr(alexnet.norm1) == repr(alexnet.norm2) == norm
    assert repr(alexnet.drop6) == repr(alexnet.drop7) == "Dropout(p=0.5, inplace=False, inverted=False)"
    for pool in (alexnet.pool1, alexnet.pool2, alexnet.pool5):
        assert repr(pool) == "MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)"
    assert [getattr(alexnet, f"conv{i}").groups for i in range(1, 6)] == [1, 2, 1, 2, 2]


@pytest.mark.parametrize("function", [models.build, models.get_preset])
def test_an_unknown_model_names_those_there_are(function):
    with pytest.raises(ValueError, match=r"unknown model 'alexnett'.*shapes_net.*cifar_quick.*alexnet"):
        function("alexnett")


# ------------------------------------------------------------------------------------------------------ initial values


def assert_initial(layer, std, bias):
    """Weights ~ N(0, std^2), within five standard errors; every bias the same."""
    w = layer.weight.data
    assert abs(w.std() / std - 1) < 5 / math.sqrt(2 * w.size)
    assert abs(w.mean()) < 5 * std / math.sqrt(w.size)
    assert (layer.bias.data == bias).all()


def test_alexnets_initial_values(alexnet):
    """Section 5: N(0, 0.01), biases 1 in conv2, conv4, conv5 and the hidden fully connected layers, else 0."""
    ones = {"conv2", "conv4", "conv5", "fc6", "fc7"}
    for name in ALEXNET_PARAMETERS:
        assert_initial(getattr(alexnet, name), 0.01, 1 if name in ones else 0)


def test_cifar_quicks_initial_values():
    model = models.build("cifar_quick")
    for name, std in {"conv1": 1e-4, "conv2": 0.01, "conv3": 0.01, "fc64": 0.1, "fc10": 0.1}.items():
        assert_initial(getattr(model, name), std, 0)


@pytest.mark.parametrize("name", ["cifar_quick", "shapes_net"])
def test_the_seed_decides_the_weights(name):
    def weights(seed):
        random.manual_seed(seed)
        return models.build(name).state_dict()

    a, b, c = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a[n], b[n]) for n in a)
    assert all(not np.array_equal(a[n], c[n]) for n in a if n.endswith("weight"))


# ---------------------------------------------------------------------------------------------------- training recipes


def grouped(model, training, lr=0.1):
    """Name -> (rate, decay), of every parameter once."""
    names = {id(p): n for n, p in model.named_parameters()}
    groups = parameter_groups(model, lr, training)
    found = {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert sum(len(g["params"]) for g in groups) == len(found) == len(names)
    assert len({(g["lr"], g["weight_decay"]) for g in groups}) == len(groups)
    return found


def test_cifar_quicks_groups():
    """layers-80sec.cfg: biases at twice the rate and without decay, 0.004 on the convolutions, 0.03 on the rest."""
    found = grouped(models.build("cifar_quick"), models.PRESETS["cifar_quick"].recipe, lr=0.001)
    assert found == {
        **{f"conv{i}.weight": (0.001, 0.004) for i in (1, 2, 3)},
        **{f"fc{n}.weight": (0.001, 0.03) for n in (64, 10)},
        **{f"{layer}.bias": (0.002, 0.0) for layer in ("conv1", "conv2", "conv3", "fc64", "fc10")},
    }


@pytest.mark.parametrize("name, of_last, ends", [("cifar_13pct", 0.004, (140, 150)), ("cifar_11pct", 0.01, (500, 510))])
def test_the_groups_and_stages_of_the_networks_with_local_layers(name, of_last, ends):
    """layer-params-conv-local-*.cfg: decay on local and fully connected layers alone; epsW falls twice, epsB never."""
    model, recipe = models.build(name), models.PRESETS[name].recipe
    decays = {"conv1": 0.0, "conv2": 0.0, "local3": 0.004, "local4": 0.004, "fc10": of_last}
    assert grouped(model, recipe, lr=0.001) == {
        **{f"{layer}.weight": (0.001, decay) for layer, decay in decays.items()},
        **{f"{layer}.bias": (0.002, 0.0) for layer in decays},
    }
    optimizer = make_optimizer(model, recipe)
    schedule, rates = make_schedule(model, recipe, optimizer), {}
    is_bias = [g["params"][0] is model.conv1.bias for g in optimizer.param_groups]
    for epoch in range(recipe.epochs):
        rates[epoch] = {(bias, round(g["lr"], 9)) for bias, g in zip(is_bias, optimizer.param_groups)}
        schedule.step()
    for epoch, rate in {0: 1e-3, ends[0] - 1: 1e-3, ends[0]: 1e-4, ends[1] - 1: 1e-4, ends[1]: 1e-5}.items():
        assert rates[epoch] == {(False, rate), (True, 0.002)}
    assert recipe.epochs == ends[1] + 10 and (recipe.flip, recipe.normalization) == (True, "mean-image-center")


def test_alexnets_groups(alexnet):
    """The paper: one rate and one decay for all."""
    assert set(grouped(alexnet, models.PRESETS["alexnet"].recipe, lr=0.01).values()) == {(0.01, 0.0005)}


def test_groups_of_other_recipes():
    model, recipe = models.build("cifar_quick"), models.Recipe("cifar10", epochs=1, batch_size=1, lr=1.0)

    def of(**changes):
        return grouped(model, dataclasses.replace(recipe, **changes), lr=0.1)

    assert set(of(weight_decay=0.5).values()) == {(0.1, 0.5)}
    assert of(weight_decay=0.5, bias_decay=False)["conv1.bias"] == (0.1, 0.0)
    assert of(weight_decay={"conv": 0.5, "fc": 0.25})["fc64.bias"] == (0.1, 0.25)  # biases decay as their layer does
    assert of(bias_lr=2)["conv1.bias"] == (0.2, 0.0005) and of(bias_lr=2)["conv1.weight"] == (0.1, 0.0005)
    with pytest.raises(ValueError, match=r"weight_decay has no entry for fc64.weight, .*conv"):
        of(weight_decay={"conv": 0.5})


@pytest.mark.parametrize("name", ["cifar_quick", "shapes_net"])
def test_optimizer_follows_the_recipe(name):
    training = models.PRESETS[name].recipe
    model = models.build(name)
    own, other = make_optimizer(model, training), make_optimizer(model, training, lr=0.5)
    assert own.velocity == {"sgd": "torch", "sgd_paper": "paper"}[training.optimizer]
    assert {g["momentum"] for g in own.param_groups} == {training.momentum}
    assert own.param_groups[0]["lr"] == training.lr and other.param_groups[0]["lr"] == 0.5


def test_the_published_recipe_of_cifar_quick():
    """Eight epochs, then two at a tenth; batches of 128; the mean image subtracted and no distortion."""
    t = models.PRESETS["cifar_quick"].recipe
    assert (t.dataset, t.epochs, t.batch_size, t.schedule, t.lr) == ("cifar10", 10, 128, "multistep:8", 0.001)
    assert t.optimizer == "sgd_paper"
    assert (t.momentum, t.normalization, t.crop_padding, t.flip) == (0.9, "mean-image", 0, False)


def test_the_published_recipe_of_alexnet():
    """Section 5: batches of 128, momentum 0.9, decay 0.0005, rate 0.01, the rate inside the velocity."""
    t = models.PRESETS["alexnet"].recipe
    assert (t.batch_size, t.momentum, t.weight_decay, t.lr, t.optimizer) == (128, 0.9, 0.0005, 0.01, "sgd_paper")
    assert t.epochs == 90 and t.bias_decay and t.bias_lr == 1.0


def test_a_recipe_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        models.PRESETS["alexnet"].recipe.lr = 1.0
