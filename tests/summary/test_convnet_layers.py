"""What each style prints of cuda-convnet's layers: locally connected, contrast normalisation, stochastic pooling."""

from __future__ import annotations

import re

import numpy as np
import pytest

from minialex import Tensor, cli, models, nn, no_grad
from minialex.look import __main__ as look
from minialex.models import graph
from minialex.models.layout import layout
from minialex.models.names import published_names
from minialex.nn import init
from minialex.runs import checkpoint
from minialex.summary.diagram import class_diagram
from minialex.summary.dl4j import dl4j_summary
from minialex.summary.explain import explain
from minialex.summary.keras import keras_summary
from minialex.summary.tables import cost_table, layer_table


def network():
    return nn.Sequential(
        {
            "conv": nn.Conv2d(3, 4, 3, padding=1),
            "norm": nn.ContrastNorm(3),
            "pool": nn.StochasticPool2d(2, 2),
            "here": nn.Local2d(4, 6, (3, 2), (5, 6), groups=2),
            "flat": nn.Flatten(),
            "fc": nn.Linear(90, 7),
        }
    )


@pytest.fixture
def rows():
    with init.skipped():
        return layout(network(), (3, 10, 12))


def test_costs(rows):
    """Filters 2 x 3 x 2 and a bias for each of 6 x 3 x 5 outputs; a window of 3 at a jump of 2, after 3, 5 and 2."""
    row = next(row for row in rows if row.name == "here")
    assert (row.output, row.parameters, row.macs) == ((6, 3, 5), 90 * 13, 90 * 12)
    assert [row.receptive_field for row in rows] == [3, 7, 8, 12, None, None]
    assert re.search(r"here +Local2d +6 x 3 x 5 +1,170 +1,080 ", cost_table(rows, 2))


def test_the_other_styles(rows):
    assert re.search(r"L3 +Locally connected +6 +3 x 5 +3 x 2 +1 +valid", layer_table(rows))
    assert re.search(r"S2 +Stochastic pooling +4 +5 x 6 +2 x 2 +2 +valid", layer_table(rows))
    assert re.search(r"locally_connected2d \(Locall +\(None, 3, 5, 6\) +1170", keras_summary(rows, "fresh"))
    assert re.search(r"here \(LocallyConnected2D\) +4,6 +1,170 +weight:\{3,5,6,2,3,2\}", dl4j_summary(rows))
    drawing = class_diagram("net", rows)
    for part in ("+LocalLayer here : 4 x 5 x 6 to 6 x 3 x 5", "class LocalLayer {\n", 'net *-- "1" LocalLayer : here'):
        assert part in drawing
    assert "LocalLayer" not in class_diagram("net", rows[:1])


def test_the_equations(rows):
    text = explain("net", models.PRESETS["shapes_net"], rows)
    assert (
        "channels a filter sees = 4 / 2 = 2\n"
        "  filters = 3 * 5 places * 6 = 90\n"
        "  parameters = 90 * 2 * 3 * 2 + 90 = 1,170\n"
        "  MACs = 6 * 3 * 5 * 2 * 3 * 2 = 1,080\n"
    ) in text
    assert "norm, ContrastNorm: 4 x 10 x 12, unchanged" in text


def test_published_names():
    assert published_names(network()) == {"conv1": "conv", "local2": "here", "fc3": "fc"}


@pytest.mark.heavy
def test_the_filters_of_the_middle_are_drawn(tmp_path, monkeypatch):
    """Of a network without a convolution the locally connected layer is the first that has any."""
    from minialex import plotting
    from minialex.data import Normalize

    layer = nn.Local2d(3, 5, 3, 12, stride=2)
    net = nn.Graph([("a", layer, "x"), ("flat", nn.Flatten(), "a"), ("b", nn.Linear(125, 4), "flat")])
    arguments = {"description": graph.described(net, "net"), "num_classes": 4, "input_size": 12}
    normalization = Normalize(np.zeros((3, 1, 1))).to_arrays()
    saved = checkpoint.Checkpoint("graph", arguments, net.state_dict(), 12, normalization, [*"abcd"], {})
    checkpoint.save(tmp_path / "net.npz", saved)
    drawn = []
    monkeypatch.setattr(plotting, "filters", lambda weight, *args, title, **options: drawn.append((weight, title)))
    assert cli.run(look.main, [str(tmp_path / "net.npz"), "filters", "--backend", "numpy"]) == 0
    ((weight, title),) = drawn
    np.testing.assert_array_equal(weight, layer.weight.numpy()[2, 2])
    assert title == "a of net at output pixel (2, 2)"
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 12)).astype(np.float32)
    with no_grad():
        y = checkpoint.load(tmp_path / "net.npz").build_model().eval()(Tensor(x))
        np.testing.assert_array_equal(y.numpy(), net(Tensor(x)).numpy())
