"""explore.show: the page in the output of a notebook's cell."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pytest

from minialex import explore, nn
from minialex.explore import notebook
from minialex.tensor import Tensor


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.5), nn.Flatten(), nn.Linear(24, 3))


def shown(cell):
    """(the attributes of the frame, the data of the page in it)."""
    before, page = re.fullmatch(r'<iframe (.*) srcdoc="([^"]*)"></iframe>', cell, re.S).groups()
    text = html.unescape(page)
    return before, json.loads(re.search(r'<script type="application/json" id="network">(.*?)</script>', text)[1])


def test_a_cell_is_a_frame_apart_from_the_notebook(network, rng):
    images = rng.normal(size=(2, 1, 6, 5)).astype(np.float32)
    before, data = shown(
        explore.show(network, Tensor(images), labels=np.array([2, 0]), classes=["<a>", "b", "c"])._repr_html_()
    )
    assert 'sandbox="allow-scripts"' in before, "neither the notebook's origin nor its windows"
    assert data["classes"] == ["<a>", "b", "c"] and [p["label"] for p in data["pictures"]] == [2, 0]
    assert [p["shape"] for p in data["pictures"]] == [[3, 6, 5]] * 2 and data["layers"][0]["output"] == [1, 6, 5]
    assert network.training, "the model is left as it was"


def test_what_it_shows_by_default(network, rng):
    _, data = shown(explore.show(network, rng.normal(size=(60, 1, 6, 5)))._repr_html_())
    assert len(data["pictures"]) == 40 and {p["label"] for p in data["pictures"]} == {None}
    assert data["classes"] == ["class 0", "class 1", "class 2"] and data["title"] == "Sequential"


@pytest.mark.parametrize("shape", [(1, 6, 5), (2, 2, 6, 5), (0, 1, 6, 5)])
def test_other_images_are_refused(network, shape):
    with pytest.raises(ValueError, match=r"show needs images \(N, C, H, W\)|at least one picture"):
        explore.show(network, np.zeros(shape))


def test_a_forward_of_one_s_own_is_shown_in_its_order(rng):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(32, 3), nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.last(self.first(x).relu().flatten(1))

    _, data = shown(explore.show(Net(), rng.normal(size=(1, 1, 6, 6)))._repr_html_())
    assert [layer["kind"] for layer in data["layers"]] == ["picture", "conv2d", "relu", "flatten", "linear", "softmax"]


def test_a_large_network_is_carried(rng):
    """Its maps and gradients are in the page, for few images, since the page does not compute it."""
    large = nn.Sequential(nn.Flatten(), nn.Linear(3072, 900))
    _, data = shown(explore.show(large, rng.normal(size=(6, 3, 32, 32)), labels=range(6))._repr_html_())
    assert not data["computes"] and len(data["pictures"]) == len(data["results"]) == 4
    assert [result["target"] for result in data["results"]] == [0, 1, 2, 3]
    assert all(p.grad is None for p in large.parameters()), "the model is left as it was"


def test_labels_of_another_count_are_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    for count in (1, 3):
        with pytest.raises(ValueError, match=f"{count} labels were given for 2 images"):
            explore.show(model, np.zeros((2, 3, 2, 2)), labels=[0] * count)


def test_a_pixel_that_is_not_finite_leaves_the_others_to_be_seen():
    image = np.array([[[np.nan, 1, 2], [3, np.inf, -np.inf]]], np.float32)
    assert notebook._pixels(image)[2].tolist() == [[0, 0, 128], [255, 255, 0]]
    assert not notebook._pixels(np.full((3, 2, 2), np.nan, np.float32)).any()
