"""What the weights of the published networks begin with, measured on the weights themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minialex import models
from minialex.models.layout import has_weights


def sample(layer, most=200_000):
    """Weights of all parts of a layer, at most so many."""
    return layer.weight.data.reshape(-1)[:: max(1, layer.weight.numel() // most)].astype(np.float64)


def assert_normal(layer, std):
    """Mean 0, the std, and 68.27 % of the weights within it, each within five standard errors."""
    w = sample(layer)
    assert abs(w.mean()) < 5 * std / math.sqrt(w.size)
    assert abs(w.std() / std - 1) < 5 / math.sqrt(2 * w.size)
    assert abs((abs(w) < std).mean() - 0.6827) < 5 * math.sqrt(0.6827 * 0.3173 / w.size)


def assert_uniform(layer, limit):
    w = sample(layer)
    assert abs(w).max() <= limit * (1 + 1e-6) and abs(w).max() > limit * (1 - 20 / w.size)
    assert abs(w.mean()) < 5 * limit / math.sqrt(3 * w.size)
    assert abs((abs(w) < limit / 2).mean() - 0.5) < 5 * 0.5 / math.sqrt(w.size)


def weighted(name, **arguments):
    model = models.build(name, num_classes=30, **arguments)
    return [layer for layer in model.modules() if has_weights(layer)]


def biases(layers):
    assert all(np.ptp(layer.bias.data) == 0 for layer in layers)
    return [round(float(layer.bias.data.flat[0]), 6) for layer in layers]


@pytest.mark.parametrize(
    "name, side, stds, bias",
    [
        ("alexnet_2012", 64, [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01], [0, 1, 0, 1, 1, 1, 1, 0]),
        ("alexnet_2012_one_gpu", 64, [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01], [0, 1, 0, 1, 1, 1, 1, 0]),
        ("alexnet_caffe", 64, [0.01] * 5 + [0.005, 0.005, 0.01], [0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0]),
        ("cifar_18pct", 32, [1e-4, 0.01, 0.01, 0.01], [0, 0, 0, 0]),
        ("cifar_13pct", 24, [1e-4, 0.01, 0.04, 0.04, 0.01], [0] * 5),
        ("cifar_11pct", 24, [1e-4, 0.01, 0.04, 0.04, 0.01], [0] * 5),
    ],
)
def test_normal_initial_values(name, side, stds, bias):
    """alexnet's, cifar_quick's and shapes_net's are in test_models.py."""
    layers = weighted(name, input_size=side)
    assert biases(layers) == bias
    for layer, std in zip(layers, stds, strict=True):
        assert_normal(layer, std)


def fans(layer):
    """(inputs of one output, outputs of one input), written out: fan_out counts the filters times the window."""
    shape = layer.weight.shape
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


@pytest.mark.parametrize("name", ["alexnet_merged", "alexnet_keras_bn", "alexnet_keras_bn10"])
def test_kerass_initial_values(name):
    """Glorot's uniform numbers up to sqrt(6 / (fan_in + fan_out)), biases 0; for conv1: sqrt(6 / 11,979) = 0.02238."""
    layers = weighted(name, input_size=67)
    assert set(biases(layers)) == {0}
    for layer in layers:
        assert_uniform(layer, math.sqrt(6 / sum(fans(layer))))
    assert abs(layers[0].weight.data).max() == pytest.approx(0.02238, rel=1e-2)


def test_deeplearning4js_initial_values():
    layers = weighted("alexnet_dl4j", input_size=195)
    assert set(biases(layers)) == {0}
    for layer in layers:
        assert_normal(layer, math.sqrt(2 / sum(fans(layer))))


@pytest.mark.parametrize("name", ["alexnet_pad2", "alexnet_torchvision"])
def test_torchs_initial_values(name):
    """Weights and biases uniform up to 1 / sqrt(fan_in)."""
    for layer in weighted(name, input_size=64):
        limit = 1 / math.sqrt(fans(layer)[0])
        assert_uniform(layer, limit)
        assert 0.7 * limit < abs(layer.bias.data).max() <= limit
