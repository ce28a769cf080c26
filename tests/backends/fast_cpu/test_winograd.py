"""Winograd's convolution against the direct one."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import backends, threads
from minialex.backends.fast_cpu import im2col, winograd
from minialex.window import Window

NUMPY = backends.get_backend("numpy")


@pytest.fixture(autouse=True)
def two_threads():
    before = threads.count()
    threads.set_count(2)
    yield
    threads.set_count(before)


def problem(rng, pictures, channels, filters, size, taps, padding, groups=1, dtype=np.float64):
    """Random input, filters, bias and output gradient of a convolution, and its window."""
    x = rng.standard_normal((pictures, channels, *size))
    w = rng.standard_normal((filters, channels // groups, taps, taps))
    window = Window.over(x.shape, taps, 1, padding)
    gy = rng.standard_normal((pictures, filters, *window.output))
    x, w, b, gy = (array.astype(dtype) for array in (x, w, rng.standard_normal(filters), gy))
    return x, w, b, gy, window


def direct(x, w, b, gy, window, groups):
    """y, gx and gw by the NumPy backend."""
    y, saved = NUMPY.conv2d(x, w, b, window, groups, (True, True, True))
    return y, *NUMPY.conv2d_backward(gy, saved, window, groups, (True, True, False))[:2]


def error(ours, theirs):
    """The largest difference, over the std of what is right."""
    return abs(ours - theirs).max() / theirs.std()


@pytest.mark.parametrize(("outputs", "taps"), [(4, 3), (2, 5)])
def test_the_matrices_in_one_dimension(rng, outputs, taps):
    at, g, bt = winograd.matrices(outputs, taps)
    pixels, taps_of = rng.standard_normal(6), rng.standard_normal(taps)
    expected = [sum(taps_of[k] * pixels[i + k] for k in range(taps)) for i in range(outputs)]
    np.testing.assert_allclose(at @ ((g @ taps_of) * (bt @ pixels)), expected, rtol=0, atol=1e-13)


@pytest.mark.heavy
@pytest.mark.parametrize("strips", [1, 1 << 30])  # a row of tiles at a time, all at once
@pytest.mark.parametrize(
    ("pictures", "channels", "filters", "size", "taps", "padding", "groups"),
    [
        (8, 3, 5, (8, 9), 3, 1, 1),
        (17, 4, 6, (9, 12), 3, ((1, 0), (2, 1)), 2),
        (33, 2, 3, (10, 7), 3, 0, 1),
        (9, 4, 2, (7, 11), 5, 2, 2),
        (18, 3, 4, (12, 9), 5, ((0, 3), (1, 2)), 1),
        (3, 2, 2, (5, 6), 3, ((4, 5), (6, 4)), 1),  # windows that see padding only
    ],
)
def test_against_the_direct_way(rng, monkeypatch, strips, pictures, channels, filters, size, taps, padding, groups):
    monkeypatch.setattr(winograd, "_BYTES", strips)
    x, w, b, gy, window = problem(rng, pictures, channels, filters, size, taps, padding, groups)
    y, gx, gw = direct(x, w, b, gy, window, groups)
    assert error(winograd.conv2d(x, w, b, window, groups), y) < 1e-12
    without = winograd.conv2d(x, w, None, window, groups)
    assert error(without + b[:, None, None], y) < 1e-12
    both = winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, groups)
    assert error(both[0], gx) < 1e-12 and error(both[1], gw) < 1e-12
    only_gw = winograd.conv2d_backward(gy, x.shape, w.shape, x, None, window, groups)
    only_gx = winograd.conv2d_backward(gy, x.shape, w.shape, None, w, window, groups)
    assert only_gw[0] is None and only_gx[1] is None
    np.testing.assert_array_equal(only_gw[1], both[1])
    np.testing.assert_array_equal(only_gx[0], both[0])


@pytest.mark.parametrize("taps", [3, 5])
def test_how_much_float32_loses(rng, taps):
    """Under 5e-5 of the output's std over 256 channels, and more than the direct way loses: it was used."""
    x, w, b, gy, window = problem(rng, 4, 256, 48, (13, 13), taps, taps // 2)
    right = direct(x, w, b, gy, window, 1)
    x, w, b, gy = (a.astype(np.float32) for a in (x, w, b, gy))
    ours = winograd.conv2d(x, w, b, window, 1), *winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)
    assert all(array.dtype == np.float32 for array in ours)
    errors = [error(a, b) for a, b in zip(ours, right, strict=True)]
    assert max(errors) < 5e-5, errors
    assert errors[0] > error(im2col.conv2d(x, w, b, window, 1), right[0]), errors


@pytest.mark.parametrize("channels_apart", [16, 17])
def test_pictures_that_stand_a_power_of_two_apart(rng, channels_apart):
    """4096 bytes and multiples of it are read eight pictures at a time."""
    x, w, b, gy, window = problem(rng, 19, channels_apart, 3, (8, 8), 3, 1)
    x, w, b = (a.astype(np.float32) for a in (x, w, b))
    assert (x.strides[0] % 4096 == 0) == (channels_apart == 16)
    assert error(winograd.conv2d(x, w, b, window, 1), direct(x, w, b, gy, window, 1)[0]) < 5e-5


def test_the_same_bits_twice(rng):
    x, w, _b, gy, window = problem(rng, 20, 8, 6, (9, 9), 3, 1, dtype=np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(
            winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)[1],
            winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)[1],
        )


@pytest.mark.parametrize(
    ("expected", "shape", "kernel", "stride", "dilation", "groups"),
    [
        (True, (8, 32, 8, 8), 3, 1, 1, 1),
        (True, (8, 64, 8, 8), 5, 1, 1, 2),
        (False, (7, 32, 8, 8), 3, 1, 1, 1),
        (False, (8, 31, 8, 8), 3, 1, 1, 1),
        (False, (8, 62, 8, 8), 3, 1, 1, 2),
        (False, (8, 32, 8, 7), 3, 1, 1, 1),
        (False, (8, 32, 8, 8), (3, 5), 1, 1, 1),
        (False, (8, 32, 16, 16), 3, 2, 1, 1),
        (False, (8, 32, 16, 16), 3, (1, 2), 1, 1),
        (False, (8, 32, 16, 16), 3, 1, 2, 1),
        (False, (8, 32, 16, 16), 7, 1, 1, 1),
    ],
)
def test_where_it_is_used(expected, shape, kernel, stride, dilation, groups):
    padding = tuple(k // 2 for k in kernel) if isinstance(kernel, tuple) else kernel // 2
    assert winograd.fits(shape, Window.over(shape, kernel, stride, padding, dilation), groups) is expected


def test_the_switch(rng, monkeypatch):
    x, w, b, gy, window = problem(rng, 8, 32, 4, (8, 8), 3, 1, dtype=np.float32)
    fast, needs = backends.get_backend("numba"), (True, True, True)
    by_winograd, _ = fast.conv2d(x, w, b, window, 1, needs)
    np.testing.assert_array_equal(by_winograd, winograd.conv2d(x, w, b, window, 1))
    monkeypatch.setattr(winograd, "enabled", False)
    y, saved = fast.conv2d(x, w, b, window, 1, needs)
    np.testing.assert_array_equal(y, im2col.conv2d(x, w, b, window, 1))
    assert (y != by_winograd).any()
    gx, gw, gb = fast.conv2d_backward(gy, saved, window, 1, needs)
    expected = im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)
    np.testing.assert_array_equal(gx, expected[0])
    np.testing.assert_array_equal(gw, expected[1])
    np.testing.assert_allclose(gb, gy.sum(axis=(0, 2, 3)), rtol=1e-4)
