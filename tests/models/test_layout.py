"""Shapes, receptive fields and counts worked out from sizes alone, against networks that really run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minialex import Tensor, models, nn, no_grad
from minialex.models.layout import layout
from minialex.models.names import layers_called, published_names
from minialex.nn import init

# fmt: off
LAYERS = [  # every kind of layer, with settings that change its output; the shape of one picture
    (nn.Conv2d(4, 6, 3), (4, 9, 11)),
    (nn.Conv2d(4, 6, (3, 5), stride=(2, 3), padding=(1, 0), groups=2), (4, 10, 13)),
    (nn.Conv2d(4, 6, 3, stride=2, dilation=(2, 3)), (4, 12, 12)),
    (nn.Conv2d(3, 2, 11, stride=4, padding=((0, 3), (0, 1))), (3, 16, 18)),
    (nn.Conv2d(3, 2, 4, stride=3, padding="same"), (3, 10, 11)),
    (nn.Conv2d(3, 2, 4, padding="same", dilation=2, bias=False), (3, 7, 5)),
    (nn.Conv2d(3, 2, 3, padding="valid"), (3, 7, 5)),
    (nn.Local2d(4, 6, (3, 5), (10, 13), (2, 3), (1, 0), groups=2), (4, 10, 13)),
    (nn.Local2d(3, 2, 4, (10, 11), 3, "same", bias=False), (3, 10, 11)),
    (nn.StochasticPool2d(2, 3, padding=1, ceil_mode=True), (2, 6, 7)),
    (nn.ContrastNorm(4), (3, 4, 5)),
    (nn.MaxPool2d(3, 2), (2, 8, 9)),
    (nn.MaxPool2d(3, 2, ceil_mode=True), (2, 8, 9)),
    (nn.MaxPool2d(2, 3, padding=1, ceil_mode=True), (2, 6, 7)),  # the last window would begin behind the picture
    (nn.MaxPool2d((2, 3), dilation=(1, 2)), (2, 8, 13)),
    (nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False), (2, 16, 15)),
    (nn.AvgPool2d((3, 2), padding=1), (2, 9, 9)),
    (nn.AdaptiveAvgPool2d(6), (2, 6, 13)),
    (nn.BatchNorm1d(5), (5,)),
    (nn.BatchNorm1d(5), (5, 3)),
    (nn.AdaptiveAvgPool2d((3, None)), (2, 12, 5)),
    (nn.BatchNorm2d(3), (3, 4, 5)),
    (nn.BatchNorm2d(3, affine=False), (3, 4, 5)),
    (nn.LocalResponseNorm(5, groups=2), (6, 4, 5)),
    (nn.LocalResponseNorm(3, within_channel=True), (3, 4, 5)),
    (nn.Flatten(), (3, 4, 5)),
    (nn.Flatten(2), (3, 4, 5)),
    (nn.Flatten(1, 2), (3, 4, 5)),
    (nn.Flatten(-2, -1), (3, 4, 5)),
    (nn.Linear(5, 7), (3, 4, 5)),  # the last axis only
    (nn.Linear(5, 7, bias=False), (5,)),
    *[(layer, (3, 4, 5)) for layer in (nn.ReLU(), nn.LeakyReLU(), nn.Sigmoid(), nn.Tanh(), nn.Identity(),
                                       nn.Dropout(0.3, inverted=False))],
]
# fmt: on
IDS = [f"{layer!r} of {shape}" for layer, shape in LAYERS]


@pytest.mark.parametrize("layer, shape", LAYERS, ids=IDS)
def test_the_output_of_every_kind_of_layer(layer, shape):
    (row,) = layout(nn.Sequential({"it": layer}), shape)
    with no_grad():
        y = layer.eval()(Tensor(np.ones((2, *shape), np.float32)))
    assert (row.name, row.layer, row.input, row.output) == ("it", layer, shape, y.shape[1:])
    own = [p.numel() for p in layer.parameters()]
    statistics = 2 * shape[0] if isinstance(layer, nn.BatchNorm2d) else 0
    assert (row.trainable, row.parameters) == (sum(own), sum(own) + statistics)


@pytest.mark.parametrize("name", ["shapes_net", "cifar_quick", "cifar_18pct"])
@pytest.mark.parametrize("side", [32, 33, 47])
def test_layout_of_presets_against_a_forward_pass(name, side):
    model = models.build(name, input_size=side).eval()
    shapes, x = [], Tensor(np.zeros((1, 3, side, side), np.float32))
    with no_grad():
        for layer in model:
            x = layer(x)
            shapes.append(x.shape[1:])
    assert [row.output for row in layout(model, (3, side, side))] == shapes


def test_multiply_accumulates_are_the_weights_uses():
    """Each use of a weight by an output is one: counted by adding up, with all weights and inputs 1."""
    for layer, shape in [
        (nn.Conv2d(4, 6, (3, 2), stride=2, groups=2, bias=False), (4, 9, 8)),
        (nn.Linear(5, 7, bias=False), (3, 5)),
    ]:
        layer.weight.data[...] = 1
        uses = layer(Tensor(np.ones((1, *shape), np.float32))).data.sum()
        (row,) = layout(nn.Sequential(layer), shape)
        assert row.macs == uses > 0


def test_frozen_parameters_are_not_trainable():
    model = nn.Sequential({"conv1": nn.Conv2d(3, 2, 3), "flatten": nn.Flatten(), "fc2": nn.Linear(8, 5)})
    model.conv1.requires_grad_(False)
    assert [(row.parameters, row.trainable) for row in layout(model, (3, 4, 4))] == [(56, 0), (0, 0), (45, 45)]


def test_nested_networks_have_dotted_names():
    inner = nn.Sequential({"b": nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), "c": nn.Tanh()})
    rows = layout(nn.Sequential({"a": inner, "d": nn.Flatten()}), (3, 4, 4))
    assert [row.name for row in rows] == ["a.b.0", "a.b.1", "a.c", "d"]
    assert [row.output for row in rows] == [(3, 4, 4), (3, 2, 2), (3, 2, 2), (12,)]


# ----------------------------------------------------------------------------------------------------- receptive fields


def footprint(model, side, place):
    """(first, last) row of the picture that the output's row `place` depends on: where its gradient is not 0."""
    x = Tensor(np.random.default_rng(side).standard_normal((1, 3, side, side)), requires_grad=True)
    y = model.to(np.float64)(x)
    cotangent = np.zeros(y.shape)
    cotangent[:, :, place, y.shape[3] // 2] = 1
    y.backward(cotangent)
    rows = np.flatnonzero(np.abs(x.grad.numpy()).sum(axis=(0, 1, 3)))
    return rows[0], rows[-1]


# Means, not maxima: a maximum's gradient reaches one pixel of its window only.
NETWORKS = [
    [nn.Conv2d(3, 4, 5, stride=2, padding=1), nn.Tanh(), nn.AvgPool2d(3, 2), nn.Conv2d(4, 4, 3, padding=1)],
    [
        nn.Conv2d(3, 4, 3, dilation=2),
        nn.LocalResponseNorm(3, alpha=0.5, within_channel=True),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 2, (2, 5), stride=(3, 1)),
    ],
    [nn.AvgPool2d(3, 2), nn.LocalResponseNorm(3, alpha=0.5), nn.AvgPool2d(3, 2), nn.Identity(), nn.AvgPool2d(3, 2)],
    [nn.Conv2d(3, 2, 4, padding="same"), nn.AdaptiveAvgPool2d(12), nn.Conv2d(2, 2, 3)],
]


@pytest.mark.parametrize("layers", NETWORKS, ids=range(len(NETWORKS)))
def test_receptive_fields_are_what_the_gradient_reaches(layers):
    """In the middle, where no padding cuts them off; jump: how far the footprint moves from one output to the next."""
    side, model = 48, nn.Sequential(*layers)
    for depth in range(1, len(layers) + 1):
        row, part = layout(model, (3, side, side))[depth - 1], model[:depth]
        middle = row.output[1] // 2
        (first, last), (following, _) = footprint(part, side, middle), footprint(part, side, middle + 1)
        assert (row.receptive_field, row.jump) == (last - first + 1, following - first)


class Branches(nn.Module):
    """Two paths of different length that are added, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.short, self.long = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(3, 4, 5, stride=2, padding=2)
        self.twice, self.gain = nn.Conv2d(4, 4, 3, padding=1), nn.Parameter(np.ones((4, 1, 1), np.float32))

    def forward(self, x):
        return (self.short(x) + self.twice(self.twice(self.long(x)))) * self.gain


def test_branches_of_an_own_module():
    model = Branches()
    rows = {row.name: row for row in layout(model, (3, 48, 48))}
    assert list(rows) == ["short", "long", "twice", "twice_2", "add", "gain", "mul"]
    assert rows["add"].sources == ("short", "twice_2") and rows["short"].sources == ("x",)
    assert sum(row.parameters for row in rows.values()) == sum(p.numel() for p in model.parameters())
    assert (rows["twice"].parameters, rows["twice_2"].parameters) == (148, 0)  # the same layer
    assert rows["twice"].macs == rows["twice_2"].macs == 4 * 24 * 24 * 4 * 9
    assert {name: rows[name].output for name in ("short", "add", "mul")} == dict.fromkeys(
        ["short", "add", "mul"], (4, 24, 24)
    )
    (first, last), (following, _) = footprint(model, 48, 12), footprint(model, 48, 13)
    assert (rows["mul"].receptive_field, rows["mul"].jump) == (last - first + 1, following - first) == (13, 2)


def test_branches_with_other_jumps_have_no_field():
    pooled = nn.Graph([("a", nn.MaxPool2d(2), "x"), ("b", nn.AdaptiveAvgPool2d(4), "x"), ("sum", nn.Add(), ["a", "b"])])
    assert [(row.receptive_field, row.jump) for row in layout(pooled, (3, 8, 8))] == [(2, 2), (2, 2), (2, 2)]
    pooled = nn.Graph([("a", nn.MaxPool2d(3, 1), "x"), ("b", nn.MaxPool2d(2), "x"), ("sum", nn.Add(), ["a", "b"])])
    assert layout(pooled, (3, 4, 4))[-1].receptive_field is None


def test_layers_behind_the_output_are_not_in_the_layout():
    graph = nn.Graph([("a", nn.ReLU(), "x"), ("b", nn.Tanh(), "a")], output="a")
    assert [row.name for row in layout(graph, (3, 4, 4))] == ["a"]


def test_alexnets_receptive_fields():
    """Well known: 11, 19, 51, 67, 99, 131, 163, 195 pixels; 16, then 32, from one output to the next."""
    with init.skipped():
        rows = layout(models.build("alexnet"), (3, 227, 227))
    found = [(row.receptive_field, row.jump) for row in rows if isinstance(row.layer, (nn.Conv2d, nn.MaxPool2d))]
    assert found == [(11, 4), (19, 8), (51, 8), (67, 16), (99, 16), (131, 16), (163, 16), (195, 32)]


def test_there_is_no_field_where_windows_differ():
    """An adaptive pool of 7 rows to 3, and everything behind Flatten."""
    rows = layout(nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(3), nn.ReLU(), nn.Flatten()), (3, 9, 9))
    assert [row.receptive_field for row in rows] == [3, None, None, None]
    assert [row.jump for row in rows] == [1, None, None, None]


# --------------------------------------------------------------------------------------------------------------- errors

REFUSED = [
    (
        nn.Sequential({"conv1": nn.Conv2d(3, 2, 3)}),
        (4, 9, 9),
        r"^layer conv1 \(Conv2d\): expects maps \(3, H, W\).*4, 9",
    ),
    (nn.Sequential({"a": nn.Sequential(nn.MaxPool2d(3))}), (3, 2, 2), r"^layer a\.0 \(MaxPool2d\): .*does not fit"),
    (nn.Sequential(nn.Flatten(), nn.MaxPool2d(2)), (3, 4, 4), r"^layer 1 .*expects maps \(C, H, W\), .*\(48,\)"),
    (nn.Sequential({"fc": nn.Linear(5, 2)}), (6,), r"^layer fc \(Linear\): expects 5 inputs, got 6"),
    (nn.Sequential(nn.BatchNorm2d(4)), (3, 2, 2), r"expects maps \(4, H, W\)"),
    (nn.Sequential(nn.BatchNorm1d(4)), (4, 2, 2), r"expects \(4,\) or \(4, L\), got \(4, 2, 2\)"),
    (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)), (5, 1, 1), r"expects \(4,\) or \(4, L\), got \(5,\)"),
    (nn.Sequential(nn.LocalResponseNorm(5, groups=2)), (3, 2, 2), r"groups=2 must divide 3 channels"),
    (
        nn.Sequential(nn.AdaptiveAvgPool2d(0)),
        (3, 2, 2),
        r"output_size must be at least 1 in each direction, got \(0, 0\)",
    ),
    (nn.Sequential(nn.Flatten(3)), (3,), r"cannot join axes 3 to -1"),
    (nn.Sequential(nn.CrossEntropyLoss()), (3,), r"^layer 0 \(CrossEntropyLoss\): the output shape of this type"),
    (nn.Graph([("a", nn.ReLU(), "x"), ("b", nn.ReLU(), "y")], ["x", "y"]), (3,), "one input and one output"),
    (nn.Graph([("a", nn.ReLU(), "x"), ("s", nn.Call("sum"), "a")]), (3,), r"^layer s \(Call\): .*not keep them apart"),
    ("alexnet", (3,), r"expected a Module, got str"),
]


@pytest.mark.parametrize("model, shape, sentence", REFUSED)
def test_what_does_not_fit_is_named(model, shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        layout(model, shape)


# ---------------------------------------------------------------------------------------------------------------- names


def test_published_names():
    model = nn.Sequential(
        {
            "features": nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 1)),
            "classifier": nn.Sequential(nn.Flatten(), nn.Linear(math.prod((2, 2, 2)), 4), nn.Linear(4, 2)),
        }
    )
    names = {"conv1": "features.0", "conv2": "features.2", "fc3": "classifier.1", "fc4": "classifier.2"}
    assert published_names(model) == names
    wanted = ["fc4", "features.0", "conv2"]
    assert layers_called(model, wanted) == ["classifier.2", "features.0", "features.2"]
    with pytest.raises(ValueError, match=r"no layer 'fc6' with weights; choose from conv1 \(features\.0\), .*fc4"):
        layers_called(model, ["conv1", "fc6"])


def test_a_published_name_is_never_that_of_another_layer():
    """fc3 is the first fully connected layer by the paper's numbering, and the last by its own name."""
    parts = nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 1), nn.Flatten(), nn.Linear(8, 4), nn.Linear(4, 4), nn.Linear(4, 2)
    model = nn.Sequential(dict(zip(("conv1", "conv2", "flatten", "fc1", "fc2", "fc3"), parts)))
    assert layers_called(model, ["fc3", "fc1", "conv2"]) == ["fc3", "fc1", "conv2"]
    with pytest.raises(ValueError, match=r"no layer 'fc4' with weights; choose from conv1, conv2, fc1, fc2, fc3$"):
        layers_called(model, ["fc4"])
