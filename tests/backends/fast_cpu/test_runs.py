"""Kernels that take several maps, or a strip of one, in one run over memory: where one ends, another must not begin."""

from __future__ import annotations

import numpy as np
import pytest
from on_request import heavy

from minialex import Tensor, backends, functional, nn, threads
from minialex.window import Window

DTYPES = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float32, 1e-5), pytest.param(np.float64, 1e-12, marks=heavy)]
)
NUMBA, NUMPY = backends.get_backend("numba"), backends.get_backend("numpy")


@pytest.fixture(params=[1, 2])
def number_of_threads(request):
    before = threads.count()
    threads.set_count(request.param)
    yield
    threads.set_count(before)


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((3, 6, 2, 3), 1),
        ((5, 6, 7, 5), 2),
        ((3, 40, 41, 43), 1),  # strips of a map, the last one narrower
        ((2, 40, 41, 43), 2),
        ((2, 1, 131, 127), 1),  # strips where a map is all
        ((3, 9, 1, 1), 3),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 6, 1001])
@DTYPES
def test_response_normalisation(rng, number_of_threads, shape, groups, size, within, dtype, tolerance):
    x, gy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    numbers = size, 0.3, 0.75 if dtype == np.float32 else 0.5, 1.5, within, groups
    y, saved = NUMBA.local_response_norm(x, *numbers, True)
    gx = NUMBA.local_response_norm_backward(gy, saved, *numbers)
    expected, saved = NUMPY.local_response_norm(x, *numbers, True)
    np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance)
    expected = NUMPY.local_response_norm_backward(gy, saved, *numbers)
    np.testing.assert_allclose(gx, expected, rtol=0, atol=4 * tolerance)


@pytest.mark.parametrize("within", [False, True])
def test_what_is_not_finite_stays_in_its_windows(rng, within):
    """One picture's infinity or NaN must not reach the next, nor a channel or a pixel that is not beside it."""
    x, gy = (rng.standard_normal((4, 12, 5, 6)).astype(np.float32) for _ in range(2))
    x[1, 3, 2, 2], x[2, 11, 4, 5] = np.inf, np.nan
    numbers = 3, 0.3, 0.75, 1.5, within, 1
    results = []
    with np.errstate(all="ignore"):
        for backend in (NUMBA, NUMPY):
            y, saved = backend.local_response_norm(x, *numbers, True)
            results.append((y, backend.local_response_norm_backward(gy, saved, *numbers)))
    for a, b in zip(*results, strict=True):
        apart = np.zeros(x.shape, bool)
        apart[1, 1:6, :5, :5] = apart[2, 9:, 2:, 3:] = True  # two windows away: what backward reaches
        np.testing.assert_allclose(a[~apart], b[~apart], rtol=0, atol=1e-5)
        assert np.isfinite(a[~apart]).all() and not np.isfinite(a[apart]).all()


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=heavy)])
def test_response_normalisation_of_extremes(within, dtype):
    """Where d or a power of it overflows, what is finite in the reference stays so."""
    for values, k in (([1, 1e21, 2, 3], 1), ([1, np.inf, 2, 3], 1), ([0, 0, 0, 0], 1e-26), ([1e-13] * 4, 1e-28)):
        x = np.array(values, dtype).reshape((1, 1, 1, 4) if within else (1, 4, 1, 1))
        results = []
        with np.errstate(all="ignore"):
            for backend in (NUMBA, NUMPY):
                saved = backend.local_response_norm(x, 3, 1e-4, 0.75, k, within, 1, True)[1]
                gy = np.full_like(x, 1e-10 if k < 1e-27 else 1)
                results.append(backend.local_response_norm_backward(gy, saved, 3, 1e-4, 0.75, k, within, 1))
        np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3, 2, 2), (2, 0, 3, 3), (2, 3, 0, 4), (2, 3, 4, 0)])
@pytest.mark.parametrize("within", [False, True])
def test_response_normalisation_of_nothing(shape, within):
    x = np.zeros(shape, np.float32)
    y, saved = NUMBA.local_response_norm(x, 3, 0.1, 0.75, 1.0, within, 1, True)
    assert y.shape == NUMBA.local_response_norm_backward(x, saved, 3, 0.1, 0.75, 1.0, within, 1).shape == shape


def test_windows_without_a_pixel(rng):
    """With dilation, all places of a window may lie in the padding: no pixel gets its gradient."""
    for size, geometry in (((4, 1), ((1, 2), 1, (0, 1), (1, 2))), ((1, 1), (2, 1, 11, 21)), ((2, 3), (3, 2, 4, 4))):
        window = Window.over((2, 3, *size), *geometry)
        x = rng.standard_normal((2, 3, *size)).astype(np.float32)
        results = []
        for backend in (NUMBA, NUMPY):
            y, winners = backend.max_pool2d(x, window, True)
            results.append((y, winners, backend.max_pool2d_backward(np.ones_like(y), winners, window)))
        for a, b in zip(*results, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("arguments", [(3, 32, 5, 1, 2), (3, 32, 11, 4), (32, 32, 3, 1, 1), (2, 5, 3, 2)])
def test_frozen_weights_and_read_only_images(rng, arguments):
    conv = nn.Conv2d(*arguments).to("numba")
    x = rng.standard_normal((3, arguments[0], 43, 43)).astype(np.float32)
    expected = conv(Tensor(x, backend=NUMBA)).numpy()
    x.flags.writeable = False
    conv.weight.requires_grad = False
    y = conv(Tensor(x, backend=NUMBA))
    np.testing.assert_array_equal(y.numpy(), expected)
    y.sum().backward()
    np.testing.assert_allclose(conv.bias.grad.numpy(), y.numpy()[:, 0].size, rtol=1e-6)
    assert conv.weight.grad is None
    input = Tensor(x, backend=NUMBA, requires_grad=True)
    gx = functional.conv2d(input, conv.weight.detach(), None, conv.stride, conv.padding)
    gx.sum().backward()
    assert input.grad.shape == x.shape


CASES = [  # maps, size, kernel, stride, padding, dilation
    ((5, 7), (5, 7), (3, 2), (2, 3), 1, (1, 2)),
    ((3, 40), (7, 7), 3, 2, 0, 1),  # many maps in a run, some in the last
    ((2, 3), (35, 33), 3, 2, ((0, 1), (0, 1)), 1),  # one map a run
    ((3, 5), (9, 8), 4, 3, 2, 1),
    ((2, 11), (6, 5), 2, 1, 1, 2),
    ((1, 4), (12, 13), 2, 5, 0, 1),  # pixels that no window sees
]


@pytest.mark.parametrize("case", CASES)
@DTYPES
def test_pooling(rng, number_of_threads, case, dtype, tolerance):
    maps, size, *geometry = case
    shape = (*maps, *size)
    window = Window.over(shape, *geometry)
    x = rng.integers(-3, 4, shape).astype(dtype)  # many equals
    x[0, 0], x[-1, -1, 1:3, 2:4] = -np.inf, np.nan
    results = [backend.max_pool2d(x, window, True) for backend in (NUMBA, NUMPY)]
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(NUMBA.max_pool2d(x, window, False)[0], results[1][0])
    gy, (_, winners) = rng.standard_normal(results[0][0].shape).astype(dtype), results[1]
    a, b = (backend.max_pool2d_backward(gy, winners, window) for backend in (NUMBA, NUMPY))
    np.testing.assert_allclose(a, b, rtol=0, atol=4 * tolerance)
    x, scale = rng.standard_normal(shape).astype(dtype), rng.random(window.output).astype(dtype)
    a, b = (backend.avg_pool2d(x, scale, window) for backend in (NUMBA, NUMPY))
    np.testing.assert_allclose(a, b, rtol=0, atol=4 * tolerance)
    a, b = (backend.avg_pool2d_backward(gy, scale, window) for backend in (NUMBA, NUMPY))
    np.testing.assert_allclose(a, b, rtol=0, atol=4 * tolerance)
