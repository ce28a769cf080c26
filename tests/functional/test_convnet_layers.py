"""Layers of cuda-convnet by hand: locally connected, contrast normalisation, stochastic pooling; and as modules."""

from __future__ import annotations

import math

import numpy as np
import pytest
import usable

import minialex
from minialex import Tensor, functional, nn
from minialex.backends.numpy_backend import NumPyBackend

every_backend = pytest.mark.parametrize("backend", [name for name in usable.EVERY if name != "numpy"])


def leaf(values, backend="numpy"):
    return Tensor(np.asarray(values), requires_grad=True, backend=backend)


# ---------------------------------------------------------------------------------------------- local2d


def test_a_local_layer_by_hand():
    """One channel, windows of two pixels: place (0, j) multiplies pixels j and j + 1 by its own two weights."""
    x, w = leaf([[[[1.0, 2.0, 3.0]]]]), leaf([[[[[[10.0, 1.0]]]], [[[[5.0, -1.0]]]]]])
    b = leaf([[[0.5, -0.5]]])
    y = functional.local2d(x, w, b)
    y.backward(np.array([[[[1.0, 2.0]]]]))
    assert y.tolist() == [[[[12.5, 6.5]]]]
    assert x.grad.tolist() == [[[[10.0, 1.0 + 2 * 5, -2.0]]]]
    assert w.grad.tolist() == [[[[[[1.0, 2.0]]]], [[[[4.0, 6.0]]]]]] and b.grad.tolist() == [[[1.0, 2.0]]]


@every_backend
def test_with_the_same_filters_everywhere_it_is_a_convolution(rng, backend):
    """And its filters' gradients are the parts of the convolution's."""
    usable.or_skip(backend)
    options = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "groups": 2}
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((9, 6, 8, 7), (4, 3, 3, 2), (4,)))
    X, W, B = leaf(x), leaf(w), leaf(b)
    y = functional.conv2d(X, W, B, **options)
    gy = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(gy)
    places = y.shape[2:]
    lx, lb = leaf(x, backend), leaf(np.broadcast_to(b[:, None, None], (4, *places)).copy(), backend)
    lw = leaf(np.broadcast_to(w, (*places, *w.shape)).copy(), backend)
    local = functional.local2d(lx, lw, lb, **options)
    local.backward(gy)
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(local.numpy(), y.numpy(), **close)
    np.testing.assert_allclose(lx.grad.numpy(), X.grad.numpy(), **close)
    np.testing.assert_allclose(lw.grad.numpy().sum((0, 1)), W.grad.numpy(), **close)
    np.testing.assert_allclose(lb.grad.numpy().sum((1, 2)), B.grad.numpy(), **close)


def test_on_numba_a_batch_is_its_pictures_one_by_one(rng):
    """More places, channels and pictures than one block of columns, or a line of the cache, holds."""
    usable.or_skip("numba")
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((37, 20, 9, 8), (9, 8, 6, 10, 5, 5)))
    options = {"padding": 2, "groups": 2}
    X, W = leaf(x, "numba"), leaf(w, "numba")
    y = functional.local2d(X, W, **options)
    gy = rng.standard_normal(y.shape).astype(np.float32)
    y.backward(gy)
    gw = np.zeros(w.shape)
    for n in range(len(x)):
        X1, W1 = leaf(x[n : n + 1]), leaf(w)
        one = functional.local2d(X1, W1, **options)
        one.backward(gy[n : n + 1])
        np.testing.assert_allclose(y.numpy()[n], one.numpy()[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(X.grad.numpy()[n], X1.grad.numpy()[0], rtol=1e-4, atol=1e-4)
        gw += W1.grad.numpy()
    np.testing.assert_allclose(W.grad.numpy(), gw, rtol=1e-4, atol=1e-4)


def test_the_published_local_layers_have_their_parameters():
    """Of the CIFAR nets with 13 % and 11 % error: 32 filters for each of 6 x 6 pixels."""
    count = [sum(p.numel() for p in nn.Local2d(c, 32, 3, 6, padding=1).parameters()) for c in (64, 32)]
    assert count == [36 * 32 * (64 * 9 + 1), 36 * 32 * (32 * 9 + 1)]


def test_initial_values_are_those_of_a_convolution():
    minialex.manual_seed(3)
    layer, bound = nn.Local2d(8, 6, 3, (7, 5), groups=2), 1 / math.sqrt(4 * 9)
    for p in (layer.weight, layer.bias):
        values = np.abs(p.numpy())
        assert 0.97 * bound < values.max() <= bound and abs(values.mean() - bound / 2) < 0.06 * bound
    assert len(np.unique(layer.weight.numpy()[:, :, 0, 0, 0, 0])) == 15  # every place has its own


def test_the_module_of_a_local_layer(rng):
    layer = nn.Local2d(4, 6, (3, 2), (8, 7), stride=2, padding="same", groups=2)
    assert layer.weight.shape == (4, 4, 6, 2, 3, 2) and layer.bias.shape == (6, 4, 4)
    x = Tensor(rng.standard_normal((2, 4, 8, 7)).astype(np.float32))
    expected = functional.local2d(x, layer.weight, layer.bias, 2, "same", 2)
    np.testing.assert_array_equal(layer(x).numpy(), expected.numpy())
    assert repr(layer) == (
        "Local2d(4, 6, kernel_size=(3, 2), input_size=(8, 7), stride=(2, 2), padding=same, groups=2)"
    )
    assert repr(nn.Local2d(1, 1, 1, 2, bias=False)).endswith("stride=(1, 1), bias=False)")
    for arguments, message in (
        ((0, 2, 3, 6), "Local2d: in_channels must be at least 1, got 0"),
        ((4, 6, 3, 6, 1, 0, 4), "Local2d: groups=4 must divide both 4 and 6 channels"),
        ((4, 6, 3, 0, 1, 2), r"Local2d: input_size must be at least 1, got \(0, 0\)"),
        ((4, 6, 5, 4), "a window of 5x5 does not fit into pictures of 4x4"),
    ):
        with pytest.raises(ValueError, match=message):
            nn.Local2d(*arguments)
    with pytest.raises(ValueError, match=r"images of \(8, 9\) give outputs of \(4, 5\), .*: give images of the size"):
        layer(Tensor(np.zeros((1, 4, 8, 9), np.float32)))


# ---------------------------------------------------------------------------------------------- contrast_norm


def test_contrast_by_hand():
    """A window of 3 x 3 sees all four pixels of these images: their mean is 4, the squares of what is over it 4 + 4."""
    x = np.array([[[[2.0, 4.0], [4.0, 6.0]]]])
    d = 1.5 + 0.9 / 9 * 8
    np.testing.assert_allclose(functional.contrast_norm(Tensor(x), 3, 0.9, 0.5, 1.5).numpy(), x / math.sqrt(d))


def test_even_windows_reach_further_back():
    """Size 2: from the pixel above to the one itself, likewise to the left."""
    x = np.array([[[[1.0, 3.0]]]])
    d0, d1 = 0.0, 3.0 - 2.0  # means: 1 of (1,), 2 of (1, 3)
    expected = x / np.array([1 + d0**2, 1 + d0**2 + d1**2])
    np.testing.assert_allclose(functional.contrast_norm(Tensor(x), 2, 4.0, 1.0).numpy(), expected)


def test_a_constant_image_has_no_contrast_but_at_no_edge(rng):
    x = Tensor(np.full((2, 3, 5, 4), 7.0))
    np.testing.assert_allclose(functional.contrast_norm(x, 3, 100.0, k=2.0).numpy(), 7 * 2**-0.75, rtol=1e-12)
    assert repr(nn.ContrastNorm(3, 0.1)) == "ContrastNorm(3, alpha=0.1, beta=0.75, k=1.0)"
    y = nn.ContrastNorm(4, 0.5, 0.6, 2.0)(Tensor(rng.standard_normal((1, 2, 5, 6))))
    with pytest.raises(ValueError, match="ContrastNorm: size must be at least 1, got 0"):
        nn.ContrastNorm(0)
    assert y.shape == (1, 2, 5, 6)


# ---------------------------------------------------------------------------------------------- stochastic_pool2d

WINDOW = [[1.0, 2.0], [-3.0, 1.0]]


def test_each_element_is_drawn_as_often_as_its_share():
    x = leaf(np.broadcast_to(np.array(WINDOW), (4000, 1, 2, 2)).copy())
    y = functional.stochastic_pool2d(x, 2, generator=minialex.Generator(5))
    y.backward(np.ones(y.shape))
    chosen = x.grad.numpy()[:, 0]
    assert (chosen.sum((1, 2)) == 1).all() and set(np.unique(chosen)) == {0.0, 1.0}
    np.testing.assert_allclose(chosen.mean(0), [[0.25, 0.5], [0.0, 0.25]], atol=0.03)
    np.testing.assert_array_equal((chosen * np.array(WINDOW)).sum((1, 2)), y.numpy().reshape(-1))


def test_evaluation_by_hand():
    x = leaf([[WINDOW]])
    y = functional.stochastic_pool2d(x, 2, training=False)
    y.backward(np.ones(y.shape))
    assert y.item() == (1 + 4 + 1) / 4
    np.testing.assert_allclose(x.grad.numpy()[0, 0], (2 * np.array(WINDOW) - 1.5) / 4 * (np.array(WINDOW) > 0))
    assert functional.stochastic_pool2d(x, 2, training=False, evaluation="max").item() == 2.0


@pytest.mark.parametrize("options", [{}, {"training": False}, {"training": False, "evaluation": "max"}])
def test_where_nothing_is_positive(options):
    """0, without a gradient; and NaN stays NaN, wherever in its window."""
    x = leaf([[[[-1.0, 0.0, 5.0, np.nan], [-2.0, -1.0, 1.0, 2.0]]]])
    y = functional.stochastic_pool2d(x, 2, **options)
    y.backward(np.ones(y.shape))
    assert y.numpy()[0, 0, 0, 0] == 0 and np.isnan(y.numpy()[0, 0, 0, 1])
    assert not x.grad.numpy()[..., :2].any()


def test_gradients_of_nothing_go_to_pixels_of_the_image(monkeypatch):
    """Which the compiled kernels take for granted: an element of the padding is no place in memory."""
    given = []
    right = NumPyBackend.max_pool2d_backward
    monkeypatch.setattr(
        NumPyBackend, "max_pool2d_backward", lambda self, gy, *rest: given.append(rest) or right(self, gy, *rest)
    )
    x = leaf(-np.ones((1, 1, 4, 5)))
    functional.stochastic_pool2d(x, (3, 4), 2, (1, 2), True).sum().backward()
    ((places, _),) = given
    u, v = places[0, 0] // 4, places[0, 0] % 4
    rows, columns = np.indices(places.shape[2:])
    rows, columns = 2 * rows - 1 + u, 2 * columns - 2 + v
    assert rows.min() == columns.min() == 0 and rows.max() < 4 and columns.max() < 5


@every_backend
def test_every_backend_draws_the_same(rng, backend):
    usable.or_skip(backend)
    x = rng.standard_normal((3, 5, 9, 8))
    expected = functional.stochastic_pool2d(leaf(x), 3, 2, 1, True, generator=minialex.Generator(11)).numpy()
    for dtype in (np.float32, np.float64):
        y = functional.stochastic_pool2d(
            leaf(x.astype(np.float32).astype(dtype), backend), 3, 2, 1, True, generator=minialex.Generator(11)
        )
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


def test_the_module_draws_in_training_alone(rng):
    x = Tensor(np.abs(rng.standard_normal((2, 3, 6, 6))))
    generator = minialex.Generator(2)
    layer = nn.StochasticPool2d(3, 2, evaluation="max", generator=generator)
    first, second = layer(x).numpy(), layer(x).numpy()
    assert generator.call == 2 and (first != second).any()
    np.testing.assert_array_equal(layer.eval()(x).numpy(), functional.max_pool2d(x, 3, 2).numpy())
    assert generator.call == 2
    assert repr(layer) == "StochasticPool2d(kernel_size=3, stride=2, padding=0, evaluation='max')"
    assert repr(nn.StochasticPool2d(3, ceil_mode=True)).endswith("stride=3, padding=0, ceil_mode=True)")
    with pytest.raises(ValueError, match='StochasticPool2d: evaluation is "mean" or "max", got 3'):
        nn.StochasticPool2d(3, evaluation=3)
