"""The arguments of networks' functions as texts, and the networks that they make."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minialex import Tensor, models, nn, random
from minialex.models import arguments, table
from minialex.nn import init
from minialex.train import configured, parser

NORMS = {
    "alexnet": "lrn",
    "cifar_18pct": "lrn",
    "alexnet_keras_bn": "bn",
    "alexnet_keras_bn10": "bn",
    "alexnet_caffe": "lrn",
}


@pytest.mark.parametrize("name", models.PRESETS)
def test_what_can_be_set(name):
    known = arguments.defaults(models.PRESETS[name])
    ablated = {
        "cifar_18pct": ["overlap", "nonlinearity"],
        "alexnet_2012": ["overlap", "nonlinearity", "columns", "conv_dropout"],
        "alexnet_2012_one_gpu": ["overlap", "nonlinearity", "conv_dropout"],
    }.get(name, [])
    if name == "cifar_18pct":
        assert [*known] == ["norm", *ablated]
    else:
        assert [*known] == (["norm", "dropout", "inverted", *ablated] if name.startswith("alexnet") else [])
    if known:
        assert known["norm"] == NORMS.get(name, "lrn" if "2012" in name else "none")


def make(first=1, second=0.5, third=True, fourth="a", fifth=None, sixth=(1, 2), *, num_classes=10, input_size=8):
    return nn.Linear(first, num_classes)


OWN = models.Preset(make, 8, 10, "", models.own.RECIPE)


@pytest.mark.parametrize(
    ("argument", "text", "value"),
    [
        ("first", "3", 3),
        ("second", "3", 3.0),
        ("second", "1e-3", 0.001),
        ("third", "False", False),
        ("fourth", "3", "3"),
        ("fourth", "a=b", "a=b"),
        ("fifth", "true", True),
        ("fifth", "3", 3),
        ("fifth", "0.5", 0.5),
        ("fifth", "x", "x"),
    ],
)
def test_a_text_is_read_as_the_default_is(argument, text, value):
    (found,) = arguments.parsed("net", OWN, [(argument, text)]).values()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("first", "1.5")], "first must be a whole number, got '1.5'"),
        ([("second", "nan")], "second must be a number, got 'nan'"),
        ([("third", "1")], "third must be true or false, got '1'"),
        ([("sixth", "1")], "sixth cannot be set as a text: its default is (1, 2)"),
        ([("zzz", "1")], "net has no argument 'zzz': it has first, second, third, fourth, fifth, sixth"),
        ([("num_classes", "1")], "num_classes is not set like other arguments of net: use num_classes=..."),
        ([("first", "1"), ("first", "2")], "first is set twice, to 1 and to 2"),
    ],
)
def test_what_is_refused(pairs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        arguments.parsed("net", OWN, pairs)


def test_values_from_a_file_are_checked():
    arguments.check("net", OWN, {"first": 2, "second": 2, "fifth": "x"})
    for values, message in (
        ({"zzz": 1}, "net has no argument 'zzz'"),
        ({"third": 1}, "third of net should be true or false, got 1"),
        ({"first": True}, "first of net should be a whole number, got True"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            arguments.check("net", OWN, values)
    preset = models.PRESETS["shapes_net"]
    with pytest.raises(ValueError, match="it has none but num_classes and input_size"):
        arguments.check("shapes_net", preset, {"norm": "lrn"})


def configuration_of(*options):
    return configured(parser().parse_args(["--model", "alexnet", "--backend", "numpy", *options]))


def test_the_commands_option():
    found = configuration_of("--set", "norm=none", "--set", "dropout=before", "--set", "inverted=true")
    assert found.arguments == {"norm": "none", "dropout": "before", "inverted": True}
    assert type(found).from_dict(found.to_dict()) == found
    with init.skipped():
        model = models.build("alexnet", num_classes=7, input_size=67, **found.arguments)
    kinds = [type(layer).__name__ for layer in model]
    assert "LocalResponseNorm" not in kinds and kinds[-2:] == ["ReLU", "Linear"]
    assert kinds[kinds.index("Flatten") + 1] == "Dropout" and model.drop6.inverted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("norm=batch", 'norm must be "lrn", "bn" or "none", got \'batch\''),
        ("dropout=both", 'dropout must be "before" or "after"'),
        ("inverted=maybe", "inverted must be true or false, got 'maybe'"),
        ("nrom=lrn", "alexnet has no argument 'nrom': it has norm, dropout, inverted"),
        ("norm", "'norm' is not of the form NAME=VALUE, such as norm=none"),
    ],
)
def test_one_sentence_lists_what_is_possible(text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        configuration_of("--set", text)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------ one image


@pytest.mark.parametrize("name", models.PRESETS)
def test_every_network_takes_one_image_alone(name):
    with init.skipped():
        model = models.build(name)
    assert isinstance(model, table.Sequential) and type(model).__name__ == "Sequential"
    assert repr(model) == repr(nn.Sequential(dict(model.named_children())))


@pytest.mark.parametrize("name", ["shapes_net", "cifar_18pct"])
def test_one_image_gives_what_a_batch_of_it_gives(name, rng):
    random.manual_seed(2)
    model = models.build(name).eval()
    image = rng.standard_normal((3, 32, 32)).astype(np.float32)
    alone, batch = model(Tensor(image)), model(Tensor(image[None]))
    assert alone.shape == (10,)
    np.testing.assert_array_equal(alone.numpy(), batch.numpy()[0])
    alone.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert nn.trace(model, image[None])(Tensor(image[None])).shape == (1, 10)
