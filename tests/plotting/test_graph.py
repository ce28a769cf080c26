"""The picture of the tape: every edge once, values and gradients right, nothing over anything else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from minialex import functional as F
from minialex import nn, no_grad, plotting
from minialex.plotting import layered
from minialex.plotting.graph import boxes_and_edges
from minialex.plotting.layered import place, spread
from minialex.tensor import Tensor


def scalars(*values):
    return [Tensor(value, requires_grad=True, dtype=np.float64) for value in values]


def test_values_and_gradients_of_the_expression_that_everybody_knows():
    a, b, c, f = scalars(2.0, -3.0, 10.0, -2.0)
    e = a * b
    d = e + c
    L = d * f
    boxes, edges = boxes_and_edges(L, names={"a": a, "b": b, "c": c, "f": f, "e": e, "d": d, "L": L})
    said = {box.title: box.text for box in boxes}
    assert said == {
        "L: mul": "value −8, gradient 1",
        "d: add": "value 4, gradient −2",
        "e: mul": "value −6, gradient −2",
        "f": "value −2, gradient 4",
        "c": "value 10, gradient −2",
        "a": "value 2, gradient 6",
        "b": "value −3, gradient −4",
    }
    named = sorted((boxes[source].title, boxes[target].title) for source, target in edges)
    assert named == sorted(
        [("a", "e: mul"), ("b", "e: mul"), ("e: mul", "d: add"), ("c", "d: add"), ("d: add", "L: mul"), ("f", "L: mul")]
    )
    assert [box.kind for box in boxes if box.title in ("L: mul", "d: add", "a")] == ["result", "operation", "leaf"]
    L.backward()  # drawing has freed nothing, and left no gradient behind
    assert [float(t.grad) for t in (a, b, c, f)] == [6.0, -4.0, -2.0, 4.0]


def test_a_tensor_used_twice_has_two_edges_and_the_sum_of_gradients(tmp_path):
    (x,) = scalars(3.0)
    y = x * x + x.exp()
    boxes, edges = boxes_and_edges(y, names={"x": x})
    titles = [(boxes[source].title, boxes[target].title) for source, target in edges]
    assert sorted(titles) == [("exp", "add"), ("mul", "add"), ("x", "exp"), ("x", "mul"), ("x", "mul")]
    assert boxes[[box.title for box in boxes].index("x")].text == f"value 3, gradient {6 + np.exp(3):.4g}"
    plotting.graph(y, tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text().lstrip().startswith("<?xml")


def test_of_a_network_modules_and_parameters_have_their_names(tmp_path):
    layers = {"conv1": nn.Conv2d(3, 4, 3), "relu1": nn.ReLU(), "flat": nn.Flatten(), "fc2": nn.Linear(16, 5)}
    model = nn.Sequential(layers)
    loss = F.cross_entropy(model(Tensor(np.zeros((2, 3, 4, 4), np.float32))), np.zeros(2, int))
    boxes, edges = boxes_and_edges(loss, model=model)
    said = {box.title: box.text for box in boxes}
    assert said == {
        "cross_entropy": "scalar",
        "fc2: linear": "2 × 5",
        "fc2.weight": "5 × 16",
        "fc2.bias": "5",
        "flat: reshape": "2 × 16",
        "relu1: relu": "2 × 4 × 2 × 2",
        "conv1: conv2d": "2 × 4 × 2 × 2",
        "conv1.weight": "4 × 3 × 3 × 3",
        "conv1.bias": "4",
    }
    assert len(edges) == 8 and len(boxes) == 9
    plotting.graph(loss, tmp_path / "graph.png", model=model, title="a step")
    with Image.open(tmp_path / "graph.png") as picture:
        assert picture.width <= 1000 + 28


def test_what_cannot_be_drawn_is_refused_in_words(tmp_path, monkeypatch):
    (x,) = scalars(3.0)
    with no_grad(), pytest.raises(ValueError, match="has no graph"):
        plotting.graph(x * x, tmp_path / "graph.png")
    y = x * x
    y.backward()
    with pytest.raises(ValueError, match=r"backward\(\) has already freed the graph at mul"):
        plotting.graph(y, tmp_path / "graph.png")
    y = x
    for _ in range(400):
        y = y + 1
    with pytest.raises(ValueError, match="401 boxes is unreadable, at most 400"):
        plotting.graph(y, tmp_path / "graph.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(12))
def test_no_boxes_overlap_and_no_line_crosses_one(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 25))
    edges = [(source, target) for target in range(1, count) for source in rng.integers(0, target, rng.integers(1, 4))]
    sizes = [tuple(rng.uniform(20, 120, 2)) for _ in range(count)]
    placed = place(sizes, edges)
    low, high = (placed.centres + sign * np.array(sizes) / 2 for sign in (-1, 1))
    assert low.min() > -1e-6 and (high <= placed.size + 1e-6).all()
    for a in range(count):
        for b in range(a):
            assert (low[a] >= high[b] - 1e-6).any() or (low[b] >= high[a] - 1e-6).any(), "two boxes overlap"
    assert len(placed.lines) == len(edges)
    for (source, target), line in zip(edges, placed.lines):
        assert (np.diff(line[:, 1]) >= -1e-6).all(), "a line never turns back"
        assert abs(line[0, 1] - high[source, 1]) < 1e-6 and abs(line[-1, 1] - low[target, 1]) < 1e-6
        for start, end in itertools.pairwise(line):
            points = start + np.linspace(0, 1, 50)[:, None] * (end - start)
            inside = ((points[:, None] > low + 1e-6) & (points[:, None] < high - 1e-6)).all(-1)
            assert not inside.any(), "a line crosses a box"


def test_a_chain_stands_straight_and_in_layers():
    sizes = [(100, 30)] * 5 + [(40, 30)] * 2  # a chain of five, the third with two parameters
    placed = place(sizes, [(0, 1), (1, 2), (5, 2), (6, 2), (2, 3), (3, 4)], loose=[5, 6])
    assert np.ptp(placed.centres[:5, 0]) < 1.0
    assert np.allclose(np.diff(placed.centres[:5, 1]), 30 + layered.BETWEEN_LAYERS)
    assert placed.centres[5, 1] == placed.centres[6, 1] == placed.centres[1, 1]


def test_spread_is_the_nearest_that_keeps_apart():
    np.testing.assert_allclose(spread([0, 0, 10], [2, 2, 2], 1), [-1.5, 1.5, 10])
    np.testing.assert_allclose(spread([5, 1], [2, 4], 0), [1.5, 4.5])
    np.testing.assert_allclose(spread([0, 0], [2, 2], 0, np.array([3.0, 1.0])), [-0.5, 1.5])
