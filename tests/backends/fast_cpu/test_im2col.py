"""The fast CPU's direct convolution against the NumPy backend's."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from on_request import heavy

from minialex import backends, threads
from minialex.backends.fast_cpu import im2col
from minialex.window import Window

CASES = [  # pictures, channels, filters, size, kernel, stride, padding, dilation, groups
    (3, 3, 4, (11, 13), (11, 11), 4, ((0, 3), (0, 3)), 1, 1),
    (9, 6, 4, (9, 10), (3, 2), (2, 3), ((1, 2), (0, 3)), 1, 2),
    (5, 4, 6, (7, 8), (2, 3), (3, 1), 0, (1, 2), 2),
    (17, 2, 3, (3, 3), (3, 3), 1, 1, 1, 1),
    (2, 5, 3, (6, 5), (1, 1), 2, 0, 1, 1),
    (1, 3, 2, (4, 4), (3, 3), 1, ((5, 4), (4, 6)), 2, 1),  # windows that see padding only
    (12, 4, 4, (10, 9), (5, 5), 4, 2, 1, 4),
]


@pytest.fixture
def restored():
    before = threads.count()
    yield
    threads.set_count(before)


def problem(rng, dtype, pictures, channels, filters, size, kernel, stride, padding, dilation, groups):
    window = Window.over((pictures, channels, *size), kernel, stride, padding, dilation)
    shapes = (pictures, channels, *size), (filters, channels // groups, *kernel), filters
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in (*shapes, (pictures, filters, *window.output))]
    return *arrays, window


@pytest.mark.parametrize("columns", [1, 4000, 1 << 19])  # bytes: a row at a time, a few, several pictures
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), pytest.param(np.float64, 1e-11, marks=heavy)])
def test_against_numpy(rng, monkeypatch, case, columns, dtype, tolerance):
    monkeypatch.setattr(im2col, "_BYTES", columns)
    (x, w, b, gy, window), groups = problem(rng, dtype, *case), case[-1]
    reference, close = backends.get_backend("numpy"), functools.partial(np.testing.assert_allclose, rtol=0)
    exact = (x.astype(float), w.astype(float), b.astype(float))
    y, saved = reference.conv2d(*exact, window, groups, (True, True, True))
    gx, gw, _ = reference.conv2d_backward(gy.astype(float), saved, window, groups, (True, True, True))
    error = 0.1 * tolerance * max(1, y.std() / 4)  # in float32 at most 2.5e-6 of the std, or 1e-5
    close(im2col.conv2d(x, w, b, window, groups), y, atol=error)
    close(im2col.conv2d(x, w, None, window, groups), y - exact[2][:, None, None], atol=error)
    both = im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, groups)
    close(both[0], gx, atol=tolerance)
    close(both[1], gw, atol=tolerance)
    only_gw = im2col.conv2d_backward(gy, x.shape, w.shape, x, None, window, groups)
    only_gx = im2col.conv2d_backward(gy, x.shape, w.shape, None, w, window, groups)
    assert only_gw[0] is None and only_gx[1] is None
    np.testing.assert_array_equal(only_gw[1], both[1])
    np.testing.assert_array_equal(only_gx[0], both[0])


def test_the_number_of_threads_changes_no_bit(rng, restored):
    """Weight gradients are summed by parts of the batch, in an order that does not depend on who computes them."""
    x, w, _b, gy, window = problem(rng, np.float32, *CASES[1])
    results = []
    for number in (1, 2, 3):
        threads.set_count(number)
        results.append(im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, 2))
    for gx, gw in results[1:]:
        np.testing.assert_array_equal(gx, results[0][0])
        np.testing.assert_array_equal(gw, results[0][1])


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 5), (17, 16)])
@pytest.mark.parametrize("channels", [6, 300])
def test_a_picture_has_the_same_bits_in_every_batch(rng, size, channels):
    """Rounding must not depend on who else is in the batch: where two values tie, it decides who wins a pool."""
    x, w, b, gy, window = problem(rng, np.float32, 21, channels, 20, size, (3, 3), 1, 1, 1, 2)
    y = im2col.conv2d(x, w, b, window, 2)
    gx, _ = im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, 2)
    for some in (slice(0, 1), slice(20, 21), slice(3, 8), slice(5, 21), slice(None, None, 2)):
        some_x, some_gy = np.ascontiguousarray(x[some]), np.ascontiguousarray(gy[some])
        np.testing.assert_array_equal(im2col.conv2d(some_x, w, b, window, 2), y[some])
        found, _ = im2col.conv2d_backward(some_gy, some_x.shape, w.shape, some_x, w, window, 2)
        np.testing.assert_array_equal(found, gx[some])
