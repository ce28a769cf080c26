"""Every function of `plotting` returns its figure, which a notebook shows once, and writes it only where asked."""

from __future__ import annotations

import inspect
import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from on_request import heavy_but
from PIL import Image

from minialex import Tensor, data, look, models, nn, plotting, random
from minialex.ablation.words import WORDS
from minialex.models.layout import layout
from minialex.training import RangeTest
from minialex.training.evaluation import Predictions


def history(epochs):
    keys = "train_loss", "train_error", "val_loss", "val_top1_error", "val_top5_error"
    return [{"epoch": epoch} | dict.fromkeys(keys, 0.5 / epoch) for epoch in range(1, epochs + 1)]


def dataset():
    draw = np.random.default_rng(0)
    return data.ArrayDataset(draw.integers(0, 256, (6, 3, 8, 8), dtype=np.uint8), np.arange(6) % 3, "abc")


def verdicts():
    p = np.random.default_rng(1).dirichlet(np.ones(3), 6)
    return Predictions.of(np.log(p), np.arange(6) % 3)


def diagnosed():
    layer = {"layer": "fc", "activation": 1.0, "dead": 0.1, "gradient": 0.1, "update": 1e-3}
    return [{"epoch": epoch, "layers": [layer]} for epoch in (1, 2)]


def small():
    random.manual_seed(0)
    return nn.Sequential({"conv": nn.Conv2d(3, 4, 3), "relu": nn.ReLU()})


def saliency_arguments():
    draw = np.random.default_rng(0)
    return draw.random((1, 3, 8, 8)), draw.random((1, 3)), np.array([1]), dataset().images[:1]


def differences():
    """What an ablation finds, as ablation.deltas.Delta: one with an interval and a number of 2012, one without."""
    one = {"differences": {0: 0.5, 1: 1.5}, "mean": 1.0, "low": -5.4, "high": 7.4, "published": WORDS["lrn"].published}
    other = {"differences": {}, "mean": None, "low": None, "high": None, "published": None}
    return [SimpleNamespace(**one), SimpleNamespace(**other)]


def raced():
    """What a race leaves, as ablation.race.results."""
    runs = {"0": {"errors": [0.7, 0.4, 0.2]}, "1": {"errors": [0.8, 0.5]}}
    return {"target": 0.25, "variants": {"relu": {"rate": 0.1, "runs": runs}, "tanh": {"rate": 0.2, "runs": runs}}}


TWO = [(image, "a") for image in dataset().images[:2]]
ARGUMENTS = {  # positional arguments before `path`, and keywords
    "architecture": (lambda: (layout(models.build("shapes_net"), (3, 32, 32)),), {"title": "a net"}),
    "bars": (lambda: (dataset().images[:2], ["x", "y"], np.full((2, 3), 1 / 3), "abc"), {}),
    "compare": (lambda: ({"one": history(2), "two": history(3)},), {}),
    "confusion": (lambda: (np.arange(6) % 3, np.arange(6) // 2, "abc"), {}),
    "curves": (lambda: (history(3),), {}),
    "deltas": (lambda: (differences(), ["without lrn", "without relu"]), {}),
    "diagnosis": (lambda: (diagnosed(),), {}),
    "features": (lambda: (look.feature_maps(small(), dataset().images[:1].astype(np.float32)),), {}),
    "filters": (lambda: (small().conv.weight.numpy(),), {}),
    "graph": (lambda: ((Tensor([1.0], requires_grad=True) * 2).sum(),), {}),
    "lr_range": (lambda: (RangeTest(np.array([0.1, 1]), np.array([2.0, 1]), np.array([2.0, 1]), 0.5, True),), {}),
    "mistakes": (lambda: (dataset(), verdicts()), {}),
    "neighbours": (lambda: (TWO, [TWO, TWO]), {}),
    "predictions": (lambda: (dataset(), np.random.default_rng(0).random((6, 3))), {}),
    "race": (lambda: (raced(),), {}),
    "saliency": (saliency_arguments, {"classes": "abc"}),
}


def test_none_is_left_out():
    assert sorted(ARGUMENTS) == sorted(plotting.__all__)
    functions = [getattr(plotting, name) for name in ARGUMENTS]
    assert {inspect.signature(function).parameters["path"].default for function in functions} == {None}


@pytest.mark.parametrize("name", heavy_but(["filters"], ARGUMENTS))
def test_the_figure_is_returned_and_written_only_where_asked(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    function, (arguments, options) = getattr(plotting, name), ARGUMENTS[name]
    figure = function(*arguments(), **options)
    assert isinstance(figure, Figure) and not [*tmp_path.iterdir()]
    assert figure.axes, "what has no axes %matplotlib inline takes for empty"
    shown = figure._repr_png_()
    assert isinstance(function(*arguments(), tmp_path / "figure.png", **options), Figure)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    with Image.open(io.BytesIO(shown)) as one, Image.open(tmp_path / "figure.png") as other:
        assert one.size == other.size and (np.asarray(one) == np.asarray(other)).all()


def test_pyplot_knows_of_none():
    plotting.filters(small().conv.weight.numpy())
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
