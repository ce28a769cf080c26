"""Lesson 8: a learner's AlexNet is read layer by layer, and filters come from what weights there are."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from minialex import models, nn
from minialex.models import published
from minialex.nn import init

TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"


@pytest.fixture
def lesson_8(monkeypatch):
    """The lessons' helper modules, importable."""
    monkeypatch.syspath_prepend(str(TUTORIALS))


@pytest.fixture
def verify(lesson_8):
    """What reads a list of layers, which have no initial values."""
    import own_alexnet

    with init.skipped():
        yield own_alexnet.verify


def paper():
    return list(models.build("alexnet"))


def test_the_solution_is_right(verify):
    text = (TUTORIALS / "08_alexnet.py").read_text(encoding="utf-8").partition("<summary>Solution 8.1")[2]
    code = re.search(r"# ```python\n(.*?)# ```", text, re.DOTALL)[1]
    space = {"nn": nn}
    exec("\n".join(line[2:] for line in code.splitlines()), space)
    assert verify(space["own"]).right is True


def test_every_layer_left_out_is_missed(verify):
    names = [name for name, _ in models.build("alexnet").named_children()]
    for number, name in enumerate(names):
        layers = paper()
        del layers[number]
        verdict = verify(layers)
        if number == len(names) - 1:
            assert verdict.right is None and "next: The last one feeds" in verdict.text
        else:
            assert verdict.right is False and f"{number + 1:3} {name:8} not yet" in verdict.text, name


@pytest.mark.parametrize("count", [0, 1, 7, 22])
def test_what_is_not_written_yet_is_not_wrong(verify, count):
    verdict = verify([*paper()[:count], ...])
    assert verdict.right is None
    assert verdict.text.splitlines()[-1].startswith(f"{count + 1:3} next: ")


WRONG = {  # layer: (what was written in its place, what the answer asks about)
    "a stride of 1": (0, lambda: nn.Conv2d(3, 96, 11), "how far apart are its windows"),
    "64 kernels, as torchvision": (0, lambda: nn.Conv2d(3, 64, 11, stride=4), "how many kernels"),
    "padding that 227 pixels need not": (0, lambda: nn.Conv2d(3, 96, 11, stride=4, padding=2), "55 x 55"),
    "torch's LRN": (2, lambda: nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), "or their mean"),
    "Caffe's k": (2, lambda: nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0, alpha_over="element"), "which constant"),
    "no overlap": (3, lambda: nn.MaxPool2d(2, 2), "how many pixels does its window cover"),
    "rounded up": (3, lambda: nn.MaxPool2d(3, 2, ceil_mode=True), "rounded down"),
    "one GPU": (4, lambda: nn.Conv2d(96, 256, 5, padding=2), "which depth does the paper print"),
    "no padding": (4, lambda: nn.Conv2d(96, 256, 5, groups=2), "27 x 27"),
    "no bias": (4, lambda: nn.Conv2d(96, 256, 5, padding=2, groups=2, bias=False), "has one"),
    "48 maps": (4, lambda: nn.Conv2d(48, 256, 5, padding=2, groups=2), "does the layer before it give"),
    "tanh": (5, lambda: nn.Tanh(), "The ReLU is applied"),
    "a class, no layer": (5, lambda: nn.ReLU, "which is no layer"),
    "half the neurons": (16, lambda: nn.Linear(9216, 2048), "how many neurons"),
    "dropout of 0.4": (18, lambda: nn.Dropout(0.4), "which share"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_the_first_wrong_layer_is_named(verify, mistake):
    number, make, asked = WRONG[mistake]
    layers = paper()
    layers[number] = make()
    layers[20] = nn.ReLU()  # wrong as well, but later
    verdict = verify(layers)
    assert verdict.right is False and asked in verdict.text
    assert len(verdict.text.splitlines()) == number + 3


def test_other_words_for_the_same_layer_are_right(verify):
    layers = paper()
    layers[2] = nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)  # divides by 5
    layers[4] = nn.Conv2d(96, 256, (5, 5), padding="same", groups=2)
    layers[3] = nn.MaxPool2d(kernel_size=(3, 3), stride=(2, 2))
    assert verify(layers).right is True


def test_more_than_the_paper_has_is_wrong(verify):
    assert "you have more" in verify([*paper(), nn.ReLU()]).text


def test_what_is_no_list_is_said_to_be_none(verify):
    assert verify(nn.ReLU()) == (False, "a list of layers is asked for, this is a ReLU.")


def test_published_weights_come_first(lesson_8, monkeypatch, tmp_path):
    import first_filters

    net = models.build("shapes_net")
    np.savez(tmp_path / "published.npz", **net.state_dict())
    digest = hashlib.sha256((tmp_path / "published.npz").read_bytes()).hexdigest()
    row = dataclasses.replace(
        published.TABLE["caffe"], name="mine", summary="ours", preset="shapes_net", file="published.npz",
        kind="sha256", digest=digest, size=None, resize=32, input_size=32, num_classes=10,
    )  # fmt: skip
    monkeypatch.setitem(published.TABLE, "mine", row)
    monkeypatch.setenv("MINIALEX_WEIGHTS_DIR", str(tmp_path))
    weight, whose = first_filters.to_see(pictures=64, epochs=0)
    assert whose == "ours"
    np.testing.assert_array_equal(weight, net.conv1.weight.numpy()[:, ::-1])  # stored blue first


def test_without_published_weights_a_network_is_trained(lesson_8, monkeypatch, tmp_path):
    import first_filters

    monkeypatch.setenv("MINIALEX_WEIGHTS_DIR", str(tmp_path))
    weight, whose = first_filters.to_see(pictures=64, epochs=1)
    assert weight.shape == (32, 3, 5, 5) and whose == "shapes_net after 1 epochs of 64 drawn shapes"
