"""Every published network against the tables that people know it by; nothing is computed and no weight is made."""

from __future__ import annotations

import math
import sys

import pytest
from refusals import start

from minialex import models, nn, random
from minialex.models.layout import has_weights, layout
from minialex.nn import init

# fmt: off
TAIL = [(4096,), (4096,), (1000,)]  # fc6, fc7, fc8
CLASSIC = [  # conv1, pool1, conv2, pool2, conv3, conv4, conv5, pool5, fc6, fc7, fc8
    (96, 55, 55), (96, 27, 27), (256, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13), (256, 6, 6),
    *TAIL,
]
MAPS = {  # every output of a convolution, a pool and a fully connected layer
    "alexnet": CLASSIC,
    "alexnet_2012": CLASSIC,
    "alexnet_2012_one_gpu": [
        (48, 55, 55), (48, 27, 27), (128, 27, 27), (128, 13, 13), (192, 13, 13), (192, 13, 13), (256, 13, 13),
        (256, 6, 6), *TAIL,
    ],
    "alexnet_caffe": CLASSIC,
    "alexnet_merged": CLASSIC,
    "alexnet_pad2": CLASSIC,
    "alexnet_torchvision": [
        (64, 55, 55), (64, 27, 27), (192, 27, 27), (192, 13, 13), (384, 13, 13), (256, 13, 13), (256, 13, 13),
        (256, 6, 6), (256, 6, 6), *TAIL,  # the adaptive pool behind pool5
    ],
    "alexnet_keras_bn": [
        (96, 57, 57), (96, 28, 28), (256, 28, 28), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13),
        (256, 6, 6), *TAIL,
    ],
    "alexnet_keras_bn10": [
        (96, 55, 55), (96, 27, 27), (256, 27, 27), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13),
        (256, 6, 6), (4096,), (10,),
    ],
    "alexnet_dl4j": [
        (96, 55, 55), (96, 27, 27), (256, 23, 23), (256, 11, 11), (384, 9, 9), (384, 7, 7), (256, 5, 5), (256, 2, 2),
        *TAIL,
    ],
    "cifar_quick": [
        (32, 32, 32), (32, 16, 16), (32, 16, 16), (32, 8, 8), (64, 8, 8), (64, 4, 4), (64,), (10,),
    ],
    "cifar_18pct": [
        (32, 32, 32), (32, 16, 16), (32, 16, 16), (32, 8, 8), (64, 8, 8), (64, 4, 4), (10,),
    ],
    "cifar_13pct": [
        (64, 24, 24), (64, 12, 12), (64, 12, 12), (64, 6, 6), (32, 6, 6), (32, 6, 6), (10,),
    ],
    "cifar_11pct": [
        (64, 24, 24), (64, 12, 12), (64, 12, 12), (64, 6, 6), (64, 6, 6), (32, 6, 6), (10,),
    ],
    "shapes_net": [
        (32, 16, 16), (32, 7, 7), (64, 7, 7), (64, 3, 3), (64, 3, 3), (128,), (10,),
    ],
}
CLASSIFIER = {
    "after": "fc relu drop fc relu drop fc",
    "before": "drop fc relu drop fc relu fc",
}
LRN_TWICE = "conv relu lrn max conv relu lrn max conv relu conv relu conv relu max flatten "
RELEASED = "conv lrn max relu conv relu lrn lrn max conv relu conv relu conv max relu flatten " + CLASSIFIER["after"]
PLAIN = "conv relu max conv relu max conv relu conv relu conv relu max "
ORDER = {  # of the layers
    "alexnet": LRN_TWICE + CLASSIFIER["after"],
    "alexnet_2012": RELEASED,
    "alexnet_2012_one_gpu": RELEASED,
    "alexnet_caffe": LRN_TWICE + CLASSIFIER["after"],
    "alexnet_merged": PLAIN + "flatten " + CLASSIFIER["after"],
    "alexnet_pad2": PLAIN + "flatten " + CLASSIFIER["before"],
    "alexnet_torchvision": PLAIN + "adaptive flatten " + CLASSIFIER["before"],
    "alexnet_keras_bn": LRN_TWICE.replace("lrn", "bn") + CLASSIFIER["after"],
    "alexnet_keras_bn10":
        "conv relu bn max conv relu bn max conv relu bn conv relu bn conv relu bn max flatten fc relu drop fc",
    "alexnet_dl4j": PLAIN + "flatten " + CLASSIFIER["before"],
    "cifar_quick": "conv max relu conv relu mean conv relu mean flatten fc relu fc",
    "cifar_18pct": "conv max relu lrn conv relu mean lrn conv relu mean flatten fc",
    "cifar_13pct": "conv relu max conv relu max local relu local relu flatten fc",
    "cifar_11pct": "conv relu max lrn conv relu lrn max local relu local relu flatten fc",
    "shapes_net": "conv relu lrn max conv relu lrn max conv relu flatten fc relu drop fc",
}
TOTALS = {  # parameters, of these not trainable, MACs
    "alexnet": (60_965_224, 0, 724_406_816),
    "alexnet_2012": (60_965_224, 0, 724_406_816),
    "alexnet_2012_one_gpu": (59_798_312, 0, 391_514_384),
    "alexnet_caffe": (60_965_224, 0, 724_406_816),
    "alexnet_merged": (62_378_344, 0, 1_135_256_096),
    "alexnet_pad2": (62_378_344, 0, 1_135_256_096),
    "alexnet_torchvision": (61_100_840, 0, 714_188_480),
    "alexnet_keras_bn": (62_379_752, 704, 1_176_854_048),
    "alexnet_keras_bn10": (41_546_506, 2_752, 1_114_423_840),
    "alexnet_dl4j": (28_823_912, 0, 614_310_432),
    "cifar_quick": (145_578, 0, 12_354_176),
    "cifar_18pct": (89_578, 0, 12_298_240),
    # 24^2*64*75 + 12^2*64*1600 + 36*(32*576 + 32*288) + 11,520, by hand; of the other, 36*(64*576 + 32*576)
    "cifar_13pct": (1_116_490, 0, 2_764_800 + 14_745_600 + 995_328 + 11_520),
    "cifar_11pct": (2_112_970, 0, 2_764_800 + 14_745_600 + 1_990_656 + 11_520),
    # 2432 + 9280 + 36,928 + 73,856 + 1290; 256*2400 + 49*64*144 * 2 / 2 + 9*64*576 + 576*128 + 1280, by hand
    "shapes_net": (123_786, 0, 614_400 + 451_584 + 331_776 + 73_728 + 1_280),
}
GROUPED = {"alexnet", "alexnet_2012", "alexnet_caffe"}
SIDES = {"alexnet_2012": 224, "alexnet_2012_one_gpu": 224, "alexnet_pad2": 224, "alexnet_torchvision": 224,
         "cifar_quick": 32, "cifar_18pct": 32, "cifar_13pct": 24, "cifar_11pct": 24,
         "shapes_net": 32}  # the others: 227
TEN_CLASSES = {"alexnet_keras_bn10", "cifar_quick", "cifar_18pct", "cifar_13pct", "cifar_11pct", "shapes_net"}
BY_LAYER = {
    "alexnet": (34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000),
    "alexnet_merged": (34_944, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 16_781_312, 4_097_000),
    "alexnet_dl4j": (34_944, 614_656, 885_120, 1_327_488, 884_992, 4_198_400, 16_781_312, 4_097_000),
    "alexnet_keras_bn10": (34_944, 614_656, 885_120, 1_327_488, 884_992, 37_752_832, 40_970),
}
# fmt: on
KINDS = {
    nn.Conv2d: "conv",
    nn.Local2d: "local",
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.LocalResponseNorm: "lrn",
    nn.BatchNorm2d: "bn",
    nn.MaxPool2d: "max",
    nn.AvgPool2d: "mean",
    nn.AdaptiveAvgPool2d: "adaptive",
    nn.Flatten: "flatten",
    nn.Linear: "fc",
    nn.Dropout: "drop",
}


def built(name, **arguments):
    """A network whose weights nobody reads."""
    with init.skipped():
        return models.build(name, **arguments)


def rows_of(name, **arguments):
    side = arguments.get("input_size", models.PRESETS[name].input_size)
    return layout(built(name, **arguments), (3, side, side))


def layers_of(name, kind, **arguments):
    return [row.layer for row in rows_of(name, **arguments) if isinstance(row.layer, kind)]


def test_every_preset_has_its_row():
    assert set(models.PRESETS) == set(MAPS) == set(ORDER) == set(TOTALS)


@pytest.mark.parametrize("name", models.PRESETS)
def test_the_published_table(name):
    """Parameters (all, and those not trained), every map, multiply-accumulates, the order of layers, groups."""
    preset, rows = models.PRESETS[name], rows_of(name)
    assert preset.input_size == SIDES.get(name, 227) and rows[0].input == (3, preset.input_size, preset.input_size)
    assert [KINDS[type(row.layer)] for row in rows] == ORDER[name].split()
    sized = [row for row in rows if KINDS[type(row.layer)] in ("conv", "local", "max", "mean", "adaptive", "fc")]
    assert [row.output for row in sized] == MAPS[name]
    others = [row for row in rows if row not in sized and not isinstance(row.layer, nn.Flatten)]
    assert all(row.output == row.input for row in others)
    flatten = next(row for row in rows if isinstance(row.layer, nn.Flatten))
    assert flatten.output == (math.prod(flatten.input),)
    parameters, fixed, macs = TOTALS[name]
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.parameters - row.trainable for row in rows) == fixed
    assert sum(row.macs for row in rows) == macs
    assert rows[-1].output == (preset.num_classes,) == ((10,) if name in TEN_CLASSES else (1000,))
    groups = [row.layer.groups for row in rows if isinstance(row.layer, nn.Conv2d)]
    assert groups == ([1, 2, 1, 2, 2] if name in GROUPED else [1, 2, 1] if name == "shapes_net" else [1] * len(groups))
    assert preset.channel_order == ("BGR" if name == "alexnet_caffe" else "RGB")
    assert preset.summary and preset.differs and models.get_preset(name) is preset


@pytest.mark.parametrize("name", BY_LAYER)
def test_parameters_layer_by_layer(name):
    assert tuple(row.parameters for row in rows_of(name) if has_weights(row.layer)) == BY_LAYER[name]


@pytest.mark.parametrize("name", models.PRESETS)
def test_layout_counts_what_a_network_holds(name):
    """The rows' parameters are those that an optimiser and a checkpoint would find."""
    model, rows = built(name), rows_of(name)
    assert sum(row.trainable for row in rows) == sum(p.numel() for p in model.parameters())
    statistics = sum(b.numel() for n, b in model.named_buffers() if not n.endswith("num_batches_tracked"))
    assert sum(row.parameters - row.trainable for row in rows) == statistics


def test_counting_takes_no_memory():
    """All networks together have 560 million parameters, 2.2 GB; no page of them is touched."""
    code = (
        "from minialex import models\nfrom minialex.nn import init\nimport resource\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "with init.skipped(): kept = [models.build(name) for name in models.PRESETS]\n"
        "print(peak() - before)"
    )
    unit = 1 if sys.platform == "darwin" else 1024
    done = start(["-c", code])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * unit < 60e6


def test_skipped_draws_no_number_and_ends():
    def next_number():
        return random.default_generator.numpy().standard_normal()

    random.manual_seed(5)
    expected = next_number()
    random.manual_seed(5)
    built("cifar_quick")
    assert next_number() == expected
    with pytest.raises(RuntimeError, match="stop"), init.skipped():
        raise RuntimeError("stop")
    assert models.build("cifar_quick").fc10.weight.data.std() > 0.05


@pytest.mark.parametrize("classes, expected", [(10, 56_909_194), (100, 57_277_924), (200, 57_687_624)])
@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012", "alexnet_caffe"])
def test_another_head(name, classes, expected):
    assert sum(row.parameters for row in rows_of(name, num_classes=classes)) == expected


@pytest.mark.parametrize("name", ["alexnet", "alexnet_2012", "alexnet_caffe"])
def test_neurons(name):
    """The paper prints 253,440 for the first layer; these are what its maps have."""
    neurons = [math.prod(row.output) for row in rows_of(name) if has_weights(row.layer)]
    assert neurons == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000] and sum(neurons) == 659_272


# ------------------------------------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize("name", models.PRESETS)
def test_another_number_of_classes(name):
    """Only the last layer changes."""
    rows, again = rows_of(name), rows_of(name, num_classes=7)
    assert again[-1].output == (7,)
    assert again[-1].parameters == 7 * (rows[-1].input[0] + 1)
    assert [row.parameters for row in again[:-1]] == [row.parameters for row in rows[:-1]]


# fmt: off
OTHER_SIZES = [  # preset, side, maps from conv1 to the flattened
    ("alexnet", 224, [54, 26, 26, 12, 12, 12, 12, 5], 256 * 25),
    ("alexnet", 67, [15, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_2012", 64, [15, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_2012", 227, [55, 27, 27, 13, 13, 13, 13, 6], 9216),  # nothing to add on the right
    ("alexnet_2012_one_gpu", 65, [15, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_caffe", 64, [14, 7, 7, 3, 3, 3, 3, 1], 256),  # pools round up: from 14 to 7, not to 6
    ("alexnet_merged", 67, [15, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_pad2", 227, [56, 27, 27, 13, 13, 13, 13, 6], 9216),
    ("alexnet_pad2", 64, [15, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_torchvision", 64, [15, 7, 7, 3, 3, 3, 3, 1, 6], 9216),
    ("alexnet_torchvision", 320, [79, 39, 39, 19, 19, 19, 19, 9, 6], 9216),
    ("alexnet_keras_bn", 224, [56, 27, 27, 13, 13, 13, 13, 6], 9216),
    ("alexnet_keras_bn", 64, [16, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_keras_bn10", 67, [15, 7, 7, 3, 3, 3, 3, 1], 256),
    ("alexnet_dl4j", 195, [47, 23, 19, 9, 7, 5, 3, 1], 256),
    ("cifar_quick", 24, [24, 12, 12, 6, 6, 3], 576),
    ("cifar_18pct", 33, [33, 16, 16, 8, 8, 4], 1024),
    ("cifar_13pct", 32, [32, 16, 16, 8, 8, 8], 2048),
    ("cifar_11pct", 21, [21, 10, 10, 5, 5, 5], 800),
    ("shapes_net", 64, [32, 15, 15, 7, 7], 3136),
]
# fmt: on


@pytest.mark.parametrize("name, side, sides, inputs", OTHER_SIZES)
def test_another_input_size(name, side, sides, inputs):
    rows = rows_of(name, input_size=side)
    sized = (nn.Conv2d, nn.Local2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
    assert [row.output[1:] for row in rows if isinstance(row.layer, sized)] == [(n, n) for n in sides]
    assert next(row.layer.in_features for row in rows if isinstance(row.layer, nn.Linear)) == inputs


def test_macs_of_pad2_at_227():
    assert sum(row.macs for row in rows_of("alexnet_pad2", input_size=227)) == 1_139_124_224


WITH_DROPOUT = [name for name in models.PRESETS if name.startswith("alexnet")]


@pytest.mark.parametrize("name", WITH_DROPOUT)
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("inverted", [False, True])
def test_place_and_form_of_dropout(name, place, inverted):
    rows = rows_of(name, dropout=place, inverted=inverted)
    drops = [row.layer for row in rows if isinstance(row.layer, nn.Dropout)]
    hidden = 1 if name == "alexnet_keras_bn10" else 2
    assert [(drop.p, drop.inverted) for drop in drops] == [(0.5, inverted)] * hidden
    kinds = " ".join(KINDS[type(row.layer)] for row in rows)
    assert kinds.endswith({"before": " drop fc relu", "after": " fc relu drop"}[place] * hidden + " fc")


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_the_published_form_of_dropout(name):
    forms = {layer.inverted for layer in layers_of(name, nn.Dropout)}
    assert forms == {name not in ("alexnet", "alexnet_2012", "alexnet_2012_one_gpu")}


@pytest.mark.parametrize("name", [name for name in WITH_DROPOUT if "2012" not in name])
def test_normalisation_as_an_argument(name):
    places, norms = {"alexnet_pad2": 1, "alexnet_keras_bn10": 5}.get(name, 2), (nn.LocalResponseNorm, nn.BatchNorm2d)
    for norm, kind in zip(("lrn", "bn"), norms):
        layers = layers_of(name, norms, norm=norm)
        assert [type(layer) for layer in layers] == [kind] * places
        if norm == "bn":  # Keras's numbers
            assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-3, 0.01)}
    kinds = [type(row.layer) for row in rows_of(name, norm="lrn")]
    before = {kinds[i - 1] for i, kind in enumerate(kinds) if kind is nn.LocalResponseNorm}
    assert before == {nn.ReLU}
    assert not layers_of(name, norms, norm="none")


def order(name, **arguments):
    return " ".join(KINDS[type(row.layer)] for row in rows_of(name, **arguments))


# What the released source's variants of layers-145.cfg are in one line: arguments, order of layers 1 and 2, maps behind
# every convolution and pool, parameters.
SIDES_OF_145 = [55, 27, 27, 13, 13, 13, 13, 6]
WITH_NORMS = "conv lrn max relu conv relu lrn lrn max conv"
VARIANTS = [
    ({}, WITH_NORMS, SIDES_OF_145, 60_965_224),
    ({"norm": "none"}, "conv max relu conv relu max conv", SIDES_OF_145, 60_965_224),  # 148
    ({"norm": "layer1"}, "conv lrn max relu conv relu max conv", SIDES_OF_145, 60_965_224),  # 167
    ({"norm": "signed"}, "conv lrn max relu conv lrn lrn max relu conv", SIDES_OF_145, 60_965_224),  # 166
    ({"overlap": False}, WITH_NORMS, [55, 28, 26, 13, 13, 13, 11, 6], 60_965_224),  # 147
    ({"columns": "merged"}, WITH_NORMS, SIDES_OF_145, 62_378_344),
    ({"columns": "apart"}, WITH_NORMS, SIDES_OF_145, 60_710_312),
]


@pytest.mark.parametrize("arguments, start, maps, parameters", VARIANTS)
def test_the_variants_of_145(arguments, start, maps, parameters):
    rows = rows_of("alexnet_2012", **arguments)
    sized = [row.output[1] for row in rows if isinstance(row.layer, (nn.Conv2d, nn.MaxPool2d))]
    assert order("alexnet_2012", **arguments).startswith(start + " ") and sized == maps
    assert sum(row.parameters for row in rows) == parameters


def test_columns_that_are_joined_merged_and_apart():
    def groups(columns):
        found = layers_of("alexnet_2012", (nn.Conv2d, nn.LocalResponseNorm), columns=columns)
        return [layer.groups for layer in found if not getattr(layer, "within_channel", False)]

    assert groups("joined") == [1, 2, 2, 2, 1, 2, 2]  # conv1, its norm, conv2, its norm, conv3, conv4, conv5
    assert groups("merged") == [1] * 7 and groups("apart") == [1, 2, 2, 2, 2, 2, 2]
    wide = layers_of("alexnet_2012", nn.Conv2d, columns="apart")
    assert [layer.out_channels for layer in wide] == [96, 320, 384, 384, 256]


@pytest.mark.parametrize("name", ["alexnet_2012", "alexnet_2012_one_gpu"])
def test_dropout_behind_conv4_and_none(name):
    """Configuration 177 keeps 0.8 of the outputs of conv4."""
    rows = rows_of(name, conv_dropout=0.2)
    kinds, drop = [row.name for row in rows], next(row.layer for row in rows if row.name == "drop4")
    assert kinds[kinds.index("drop4") - 1 : kinds.index("drop4") + 2] == ["relu4", "drop4", "conv5"]
    assert (drop.p, drop.inverted) == (0.2, False)
    assert not layers_of(name, nn.Dropout, dropout="none")


@pytest.mark.parametrize("name, count", [("alexnet_2012", 7), ("alexnet_2012_one_gpu", 7), ("cifar_18pct", 3)])
def test_tanh_in_the_place_of_every_relu(name, count):
    assert order(name).replace("relu", "x") == order(name, nonlinearity="tanh").replace("tanh", "x")
    assert len(layers_of(name, nn.Tanh, nonlinearity="tanh")) == count
    assert not layers_of(name, nn.ReLU, nonlinearity="tanh")


def test_the_network_of_figure_1():
    """Three convolutions and a fully connected layer, as in layers-19pct.cfg."""
    expected = "conv max tanh conv tanh mean conv tanh mean flatten fc"
    assert order("cifar_18pct", norm="none", nonlinearity="tanh") == expected
    pools = layers_of("cifar_18pct", (nn.MaxPool2d, nn.AvgPool2d), overlap=False)
    assert [(pool.kernel_size, pool.stride) for pool in pools] == [(2, 2)] * 3
    assert sum(row.parameters for row in rows_of("cifar_18pct", overlap=False)) == 89_578


@pytest.mark.parametrize(
    "name, expected",
    [
        ("alexnet", ["5, alpha=0.0001, beta=0.75, k=2.0, alpha_over=element"] * 2),
        ("alexnet_caffe", ["5, alpha=0.0001, beta=0.75, k=1.0"] * 2),
        (
            "alexnet_2012",
            ["5, alpha=0.0001, beta=0.75, k=2.0, groups=2"] * 2
            + ["5, alpha=0.001, beta=0.75, k=1.0, within_channel=True"],
        ),
        (
            "alexnet_2012_one_gpu",
            ["5, alpha=0.0001, beta=0.75, k=2.0"] * 2 + ["5, alpha=0.001, beta=0.75, k=1.0, within_channel=True"],
        ),
        ("cifar_18pct", ["3, alpha=5e-05, beta=0.75, k=1.0, within_channel=True"] * 2),
        ("cifar_11pct", ["9, alpha=0.001, beta=0.75, k=1.0"] * 2),
    ],
)
def test_settings_of_local_response_normalisation(name, expected):
    assert [layer.extra_repr() for layer in layers_of(name, nn.LocalResponseNorm)] == expected


@pytest.mark.parametrize("name", ["cifar_quick", "cifar_18pct", "cifar_13pct", "cifar_11pct"])
def test_pools_of_the_cifar_networks(name):
    pools = layers_of(name, (nn.MaxPool2d, nn.AvgPool2d))
    assert all((pool.kernel_size, pool.stride, pool.ceil_mode) == (3, 2, True) for pool in pools)
    means = [pool.count_include_pad for pool in pools if isinstance(pool, nn.AvgPool2d)]
    assert means == ([] if "pct" in name and name != "cifar_18pct" else [False, False])


# fmt: off
REFUSED = [
    ("alexnet", {"input_size": 64}, "input_size=64 leaves no pixels: layer pool5"),
    ("alexnet_dl4j", {"input_size": 194}, "input_size=194 leaves no pixels: layer pool5"),
    ("alexnet_torchvision", {"input_size": 62}, "input_size=62 leaves no pixels: layer 12"),
    ("shapes_net", {"input_size": 3}, "input_size=3 leaves no pixels: layer pool1"),
    ("alexnet", {"input_size": 227.0}, "input_size must be an integer, at least 1 pixel, got 227.0"),
    ("alexnet_2012", {"input_size": "224"}, "input_size must be an integer, at least 1 pixel, got '224'"),
    ("alexnet_keras_bn10", {"input_size": 0}, "input_size must be an integer, at least 1 pixel, got 0"),
    ("alexnet", {"dropout": "both"}, '"before" or "after" (the linear layers), or "none", got \'both\''),
    ("alexnet_pad2", {"dropout": None}, 'dropout must be "before" or "after" (the linear layers), or "none", got None'),
    ("alexnet_2012", {"columns": "both"}, 'columns must be "joined", "merged" or "apart", got \'both\''),
    ("alexnet_2012_one_gpu", {"nonlinearity": "Tanh"}, 'nonlinearity must be "relu" or "tanh", got \'Tanh\''),
    ("cifar_18pct", {"norm": "bn"}, 'norm must be "lrn" or "none" in cifar_18pct, got \'bn\''),
    ("alexnet_caffe", {"norm": "batch"}, 'norm must be "lrn", "bn" or "none", got \'batch\''),
    ("alexnet_2012", {"norm": "bn"}, 'norm must be "lrn", "layer1", "signed" or "none" in the networks of 2012, got'),
    ("alexnet_dl4j", {"num_classes": 0}, "out_features must be at least 1, got 0"),
]
# fmt: on


@pytest.mark.parametrize("name, arguments, sentence", REFUSED)
def test_arguments_that_are_refused(name, arguments, sentence):
    with pytest.raises(ValueError) as caught:
        built(name, **arguments)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
