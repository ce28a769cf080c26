"""The drawing of a network: a box for every layer, its labels, two towers where there are groups, no overlap."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from on_request import heavy_but
from PIL import Image

from minialex import cli, models, nn, plotting
from minialex.models.layout import layout
from minialex.nn import init
from minialex.plotting import branches, layers3d, style, towers
from minialex.summary import __main__ as summary


def rows_of(name, **arguments):
    with init.skipped():
        return layout(models.build(name, **arguments), (3,) + (models.PRESETS[name].input_size,) * 2)


def drawn(drawing):
    """(axes, [(text, its place in pixels)]) of a drawing."""
    width, height, draw = drawing
    figure, axes = style.sheet_of(width, height)
    draw(axes, 0, 0)
    renderer = FigureCanvasAgg(figure).get_renderer()
    return axes, [(text.get_text(), text.get_window_extent(renderer)) for text in axes.texts]


def assert_no_text_touches_another(axes, texts):
    for (a, one), (b, other) in itertools.combinations(texts, 2):
        assert not (one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1), (a, b)
    width, height = axes.figure.canvas.get_width_height()
    for text, place in texts:
        assert min(place.x0, place.y0) >= -1 and place.x1 <= width + 1 and place.y1 <= height + 1, text


@pytest.mark.parametrize("name", heavy_but(["shapes_net", "alexnet"], models.PRESETS))
def test_the_layered_view(name):
    """Three faces for every layer and the picture, all inside the sheet; every map's size is written."""
    rows = rows_of(name)
    axes, texts = drawn(layers3d.layers3d(rows))
    kinds = {layers3d.kind_of(row.layer)[0] for row in rows}
    assert len(axes.patches) == 3 * (len(rows) + 1) + len(kinds)
    width, height = axes.get_xlim()[1], axes.get_ylim()[0]
    for patch in axes.patches:
        corners = patch.get_path().vertices if hasattr(patch, "xy") and np.ndim(patch.xy) == 2 else patch.get_corners()
        assert corners.min() > -0.01 and (corners.max(0) < (width + 0.01, height + 0.01)).all()
    words = [text for text, _ in texts]
    for row in rows:
        if isinstance(row.layer, nn.Conv2d | nn.MaxPool2d | nn.Linear):
            assert row.name in words and "×".join(f"{n:,}" for n in row.output) in words
    assert kinds < set(words)
    assert_no_text_touches_another(axes, texts)


def test_boxes_grow_with_channels_and_maps():
    scale = layers3d.Scale(rows_of("alexnet"))
    thick = [scale.thickness(shape) for shape in [(3, 227, 227), (96, 55, 55), (256, 27, 27), (384, 13, 13)]]
    faces = [scale.face(shape) for shape in [(256, 6, 6), (384, 13, 13), (96, 55, 55), (3, 227, 227)]]
    assert thick == sorted(set(thick)) and faces == sorted(set(faces))
    assert scale.face((4, 6, 24)) == (scale.face((1, 6, 6))[0], scale.face((1, 24, 24))[1])
    bars = [scale.face((n,)) for n in (10, 1000, 4096, 9216)]
    assert bars == sorted(set(bars)) and {width for _, width in bars} == {layers3d.BAR}


@pytest.mark.parametrize(
    ("name", "side"), heavy_but([("alexnet", 227)], [("alexnet", 227), ("alexnet_2012", 224), ("alexnet_caffe", 227)])
)
def test_the_two_towers(name, side):
    """The numbers of the paper's figure 2, each tower's twice; cones from every window, four lines each."""
    axes, texts = drawn(towers.towers(rows_of(name)))
    words = [text for text, _ in texts]
    expected = [side, side, 3, 11, *2 * [55, 55, 48, 5, 27, 27, 128, 3, *2 * [13, 13, 192, 3], 13, 13, 128]]
    assert sorted(words, key=str) == sorted(
        [
            *map(str, expected),
            *["2,048"] * 4,
            "1,000",
            "GPU 1",
            "GPU 2",
            "Stride\nof 4",
            *["Max\npooling"] * 2,
            "",
            "",
            "Max\npooling\ndense",
            "dense",
            "dense",
        ],
        key=str,
    )
    # conv1: 2 cones, conv2: 2, conv3: 4 (it sees both towers), conv4 and conv5: 2 each; a dot at each tip
    lines = [line for line in axes.lines if line.get_marker() == "None"]
    assert len(lines) == 4 * 12 and len(axes.lines) - len(lines) == 12
    assert sum(line.get_linestyle() != "-" for line in lines) == 4 * 2
    windows, bands = 1 + 2 * 4, 4 + 4 + 2
    assert len(axes.patches) == 3 * (1 + 2 * 7 + 1) + windows + bands
    assert_no_text_touches_another(axes, [(text, place) for text, place in texts if text])


def test_only_groups_have_towers():
    two = {name for name in models.PRESETS if towers.are_two(rows_of(name))}
    assert two == {"alexnet", "alexnet_2012", "alexnet_caffe", "shapes_net"}


@pytest.mark.heavy
def test_one_below_the_other(tmp_path):
    sizes = {}
    for name in ("alexnet", "alexnet_merged"):
        plotting.architecture(rows_of(name), tmp_path / "net.png", title="t")
        with Image.open(tmp_path / "net.png") as image:
            assert image.format == "PNG"
            sizes[name] = image.size
    assert sizes["alexnet"][1] > sizes["alexnet_merged"][1] + 300


@pytest.mark.parametrize("file, start", [("net.svg", b"<?xml"), ("NET.PNG", b"\x89PNG")])
def test_the_command_draws(tmp_path, capsys, file, start):
    """And prints what it would have printed; a title as long as this one is not cut off."""
    arguments = ["cifar_quick", "--style", "table"]
    assert cli.run(summary.main, arguments) == 0
    printed = capsys.readouterr().out
    assert cli.run(summary.main, [*arguments, "--picture", str(tmp_path / file)]) == 0
    out, err = capsys.readouterr()
    assert out == printed and err == f"drawn: {tmp_path / file}\n"
    assert (tmp_path / file).read_bytes().startswith(start)
    if file.endswith("svg"):
        assert re.search(r"<svg[^>]*>", (tmp_path / file).read_text())
    else:
        with Image.open(tmp_path / file) as image:
            assert (np.asarray(image.convert("L"))[:30, -12:] == 255).all()


def test_a_layer_without_a_box_is_named():
    with pytest.raises(ValueError, match="cannot draw a layer of type CrossEntropyLoss"):
        layers3d.kind_of(nn.CrossEntropyLoss())


def test_branches_are_arrows_above_the_boxes():
    """A shortcut around two layers, and one that begins within the first's: two levels; chains have no arrows."""
    graph = nn.Graph(
        [
            ("a", nn.Conv2d(3, 4, 3, padding=1), "x"),
            ("relu", nn.ReLU(), "a"),
            ("b", nn.Conv2d(4, 4, 3, padding=1), "relu"),
            ("norm", nn.BatchNorm2d(4), "b"),
            ("c", nn.Conv2d(4, 4, 3, padding=1), "norm"),
            ("gain", nn.Parameter(np.ones((4, 1, 1), np.float32)), []),
            ("scaled", nn.Multiply(), ["c", "gain"]),
            ("sum", nn.Add(), ["scaled", "relu"]),
            ("d", nn.Conv2d(4, 4, 1), "norm"),
            ("tanh", nn.Tanh(), "c"),
            ("last", nn.Concat(), ["d", "tanh", "sum"]),
        ]
    )
    rows = layout(graph, (3, 6, 6))
    cells = layers3d.cells_of(rows, layers3d.Scale(rows))
    assert [cell.layers for cell in cells] == [
        [], ["a", "relu"], ["b", "norm"], ["c"], ["scaled"], ["sum"], ["d"], ["tanh"], ["last"],
    ]  # fmt: skip
    arrows = branches.connections(cells, rows)
    assert [arrow[:2] for arrow in arrows] == [(1, 5), (2, 6), (3, 7), (5, 8), (6, 8)]
    for (a, b, level), (c, d, other) in itertools.combinations(arrows, 2):
        assert level != other or b <= c or d <= a
    axes, texts = drawn(layers3d.layers3d(rows))
    assert len(axes.lines) == 5 and "gain" not in [text for text, _ in texts]
    assert all(0 <= y <= axes.get_ylim()[0] for line in axes.lines for y in line.get_ydata())
    assert_no_text_touches_another(axes, [(text, place) for text, place in texts if text])
    chain = rows_of("shapes_net")
    assert not branches.connections(layers3d.cells_of(chain, layers3d.Scale(chain)), chain)
