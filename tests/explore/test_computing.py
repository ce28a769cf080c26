"""A network at work, computed by minialex for a page: the same numbers as by hand, and nothing of it stays behind."""

from __future__ import annotations

import explored
import numpy as np
import pytest

from minialex import functional, nn
from minialex.explore.computing import AtWork, probabilities
from minialex.models.layout import layout
from minialex.tensor import Tensor


@pytest.mark.parametrize("make", explored.NETWORKS, ids=lambda make: make.__name__)
def test_values_and_gradients(make, rng):
    model, shape = make()
    explored.filled(model, rng)
    image = rng.normal(size=shape).astype(np.float32)
    rows = layout(model, shape)
    work = AtWork(rows, image, 2)
    values, gradients, parameters, loss = explored.computed(model, image, 2)
    assert len(work.values) == len(values) and work.loss == pytest.approx(loss)
    for found, expected in zip(work.values, values):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(work.gradients[:-1], gradients):
        np.testing.assert_array_equal(found, expected)
    assert [p.keys() for p in work.parameter_gradients] == [p.keys() for p in parameters]
    for found, expected in zip(work.parameter_gradients, parameters):
        for name in found:
            np.testing.assert_array_equal(found[name], expected[name])
    assert AtWork(rows, image).target == values[-1].argmax()


def test_a_relu_in_place_hides_nothing(rng):
    model = explored.filled(
        nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(36, 4)), rng
    )
    image = rng.normal(size=(2, 4, 5)).astype(np.float32)
    work = AtWork(layout(model, image.shape), image, 1)
    assert (work.values[1] < 0).any() and (work.values[2] >= 0).all()
    assert np.array_equal(np.maximum(work.values[1], 0), work.values[2])
    assert (work.gradients[1][work.values[1] < 0] == 0).all() and (work.gradients[1] != 0).any()


def test_grad_cam_is_of_the_logit(rng):
    model, shape = explored.pools()
    explored.filled(model, rng)
    image = rng.normal(size=shape).astype(np.float32)
    work = AtWork(layout(model, shape), image, 3)
    y = maps = model[0](Tensor(image[None], requires_grad=True))
    maps.retain_grad()
    for layer in list(model)[1:]:
        y = layer(y)
    y[0, 3].backward()
    weights = maps.grad.numpy()[0].mean((1, 2))
    expected = np.maximum((weights[:, None, None] * maps.numpy()[0]).sum(0), 0)
    np.testing.assert_allclose(work.cams[1], expected, atol=1e-6 * np.abs(expected).max())
    assert set(work.cams) == set(range(1, 8)), "of maps, not of vectors or the picture"


def test_the_model_is_left_as_it_was(rng):
    model = explored.filled(explored.branches()[0], rng).train()
    before, given = next(model.parameters()), Tensor(np.ones(next(model.parameters()).shape, np.float32))
    before.grad, frozen = given, model.get_submodule("fc").bias
    frozen.requires_grad = False
    statistics = {name: b.numpy().copy() for name, b in model.named_buffers()}
    work = AtWork(layout(model, (3, 6, 5)), rng.normal(size=(3, 6, 5)).astype(np.float32), 0)
    assert before.grad is given and model.training and not frozen.requires_grad and before.requires_grad
    assert "bias" not in work.parameter_gradients[-2], "a frozen parameter gets no gradient"
    assert all(np.array_equal(statistics[name], b.numpy()) for name, b in model.named_buffers())


def test_probabilities_of_several_images(rng):
    model, shape = explored.norms()
    explored.filled(model, rng)
    images = rng.normal(size=(3, *shape)).astype(np.float32)
    expected = functional.softmax(model(Tensor(images)), 1).numpy()
    np.testing.assert_allclose(probabilities(layout(model, shape), images), expected, rtol=1e-5)


def test_a_network_in_float64_is_shown(rng):
    model, shape = explored.norms()
    explored.filled(model, rng).to(np.float64)
    image = rng.normal(size=shape).astype(np.float32)
    work = AtWork(layout(model, shape), image, 2)
    assert {value.dtype for value in (*work.values, *work.gradients[:-1])} == {np.dtype(np.float64)}
