"""Each CUDA kernel by itself on the emulator: odd sizes, single elements, more work than its grid has threads."""

from __future__ import annotations

import numpy as np
import pytest
import usable

from minialex import backends
from minialex.backends import raw_images
from minialex.backends.cuda import emulator, launch
from minialex.cases import CASES
from minialex.window import Window


@pytest.fixture(autouse=True)
def a_compiler():
    usable.or_skip("emulator")


@pytest.fixture
def checked(monkeypatch):
    """The emulator's backend in the checked build."""
    monkeypatch.setattr(backends, "_made", {**backends._made})
    monkeypatch.setenv("MINIALEX_CHECKED", "1")
    backends._made.pop("emulator", None)
    return backends.get_backend("emulator")


@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_with_small_grids(case, checked, monkeypatch):
    """Two blocks and three rows at most, so that every thread goes on to further elements; watched."""
    monkeypatch.setattr(launch, "MOST_BLOCKS", 2)
    monkeypatch.setattr(launch, "MOST_ROWS", 3)
    expected_y, expected = case.gradients(case.arrays(), "numpy")
    y, gradients = case.gradients(case.arrays(), checked)
    for ours, theirs in zip((y, *gradients), (expected_y, *expected), strict=True):
        scale = abs(theirs[np.isfinite(theirs)]).max(initial=0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11 * scale)


def agree(ours, expected, dtype):
    tolerance = 1e-11 if dtype == np.float64 else 1e-5
    if ours is None or expected is None:
        assert ours is expected
    elif isinstance(expected, tuple):
        for a, b in zip(ours, expected, strict=True):
            agree(a, b, dtype)
    else:
        assert ours.dtype == expected.dtype == dtype and ours.shape == expected.shape
        largest = np.abs(expected).max(initial=1e-3)  # of a single class all gradients are 0, but for rounding
        np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * largest)


SHAPES = [(1, 1, 1, 1), (3, 1, 1, 2), (1, 7, 5, 3), (2, 5, 33, 31)]


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_layers_at_odd_sizes(rng, checked, shape, dtype):
    """Forward and backward of what a network is made of, against the NumPy backend."""
    numpy = backends.get_backend("numpy")
    x = rng.standard_normal(shape).astype(dtype)
    gy = rng.standard_normal(shape).astype(dtype)
    agree(checked.relu(x), numpy.relu(x), dtype)
    agree(checked.relu_backward(gy, x), numpy.relu_backward(gy, x), dtype)
    np.testing.assert_array_equal(checked.dropout(x, 0.4, 2.5, 7, 3), numpy.dropout(x, 0.4, 2.5, 7, 3))
    for within in (False, True):
        options = 4, 0.3, 0.75, 2.0, within, 1
        y, saved = checked.local_response_norm(x, *options, True)
        expected, its = numpy.local_response_norm(x, *options, True)
        agree(y, expected, dtype)
        ours = checked.local_response_norm_backward(gy, saved, *options)
        agree(ours, numpy.local_response_norm_backward(gy, its, *options), dtype)
    window = Window.over(shape, 1, 2, ((0, 1), (1, 0)))
    filters = rng.standard_normal((3, shape[1], 1, 1)).astype(dtype)
    bias, everything = rng.standard_normal(3).astype(dtype), (True, True, True)
    y, saved = checked.conv2d(x, filters, bias, window, 1, everything)
    expected, its = numpy.conv2d(x, filters, bias, window, 1, everything)
    agree(y, expected, dtype)
    gradient = rng.standard_normal(y.shape).astype(dtype)
    ours = checked.conv2d_backward(gradient, saved, window, 1, everything)
    agree(ours, numpy.conv2d_backward(gradient, its, window, 1, everything), dtype)
    y, mean, variance, saved = checked.batch_norm(x, None, None, None, 0.1)
    expected, its_mean, its_variance, its = numpy.batch_norm(x, None, None, None, 0.1)
    agree((y, mean, variance), (expected, its_mean, its_variance), dtype)
    ours = checked.batch_norm_backward(gy, saved, None, True)
    agree(ours, numpy.batch_norm_backward(gy, its, None, True), dtype)


@pytest.mark.parametrize("classes", [1, 2, 255, 256, 257, 1000])
def test_rows_of_any_length(rng, checked, classes):
    numpy, x = backends.get_backend("numpy"), 30 * rng.standard_normal((3, classes))
    labels, valid = np.array([0, classes - 1, classes // 2]), np.array([True, True, False])
    w, gy = rng.random(classes), rng.standard_normal(3)
    for smoothing in (0.0, 0.2):
        losses, logp = checked.cross_entropy(x, labels, w, valid, smoothing)
        agree((losses, logp), numpy.cross_entropy(x, labels, w, valid, smoothing), np.float64)
        ours = checked.cross_entropy_backward(gy, logp, labels, w, valid, smoothing)
        agree(ours, numpy.cross_entropy_backward(gy, logp, labels, w, valid, smoothing), np.float64)


@pytest.mark.heavy
@pytest.mark.parametrize("count", [1, 3, 4, 5, 1023])
@pytest.mark.parametrize("aligned", [True, False])
def test_four_at_a_time_and_the_rest(rng, checked, monkeypatch, count, aligned):
    """SGD and dropout move four neighbours in one access where the address allows it."""
    monkeypatch.setattr(launch, "MOST_BLOCKS", 1)
    numpy = backends.get_backend("numpy")

    def at(values):
        memory = np.empty(len(values) + 8, np.float32)
        start = -memory.ctypes.data % 16 // 4 + (0 if aligned else 1)
        view = memory[start : start + len(values)]
        view[...] = values
        return view

    p, g, v = (rng.standard_normal(count).astype(np.float32) for _ in range(3))
    ours, expected = [at(p), at(g), at(v)], [p.copy(), g.copy(), v.copy()]
    checked.sgd(*ours, 0.1, 0.9, 0.2, 0.01, False, True)
    numpy.sgd(*expected, 0.1, 0.9, 0.2, 0.01, False, True)
    agree(tuple(ours), tuple(expected), np.float32)
    np.testing.assert_array_equal(checked.dropout(at(p), 0.5, 2.0, 1, 2), numpy.dropout(p, 0.5, 2.0, 1, 2))


def test_a_nan_passes_and_minus_infinity_is_no_padding(checked):
    x = np.full((1, 1, 4, 4), -np.inf, np.float32)
    x[0, 0, 3, 3] = np.nan
    window = Window.over_pool(x.shape, 3, 2, 1)
    numpy = backends.get_backend("numpy")
    (y, winners), (expected, theirs) = (b.max_pool2d(x, window, True) for b in (checked, numpy))
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(winners, theirs)
    assert np.isnan(checked.relu(x)).sum() == 1


def test_images_as_bytes_in_small_grids(rng, checked, monkeypatch):
    """Watched: nothing beyond an image is read, though views reach beyond it; fewer rows of a grid than maps."""
    monkeypatch.setattr(launch, "MOST_ROWS", 2)
    pixels, views = rng.integers(0, 256, (3, 3, 5, 4), np.uint8), np.zeros((4, 4), np.int32)
    views[:] = [[2, -3, -2, 0], [0, 2, 1, 1], [1, -1, 0, 1], [2, 5, -7, 0]]
    mean, std, colours = rng.random((3, 5, 4), np.float32), np.float32([1, 2, 3]), rng.random((4, 3), np.float32)
    how = raw_images.Development(mean, std, raw_images.MEAN_OF_IMAGES, 1.5, True)
    y = checked.develop(raw_images.RawImages(pixels, views, colours, (6, 7), how))
    expected = np.zeros((4, 3, 6, 7), np.float32)
    for n, c, i, j in np.ndindex(expected.shape):
        image, top, left, mirrored = views[n].tolist()
        row, column = top + i, left + (6 - j if mirrored else j)
        if 0 <= row < 5 and 0 <= column < 4:
            expected[n, c, i, j] = (pixels[image, 2 - c, row, column] - mean[2 - c, row, column]) / std[2 - c]
        expected[n, c, i, j] = (expected[n, c, i, j] + colours[n, 2 - c]) / np.float32(1.5)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_the_checked_build_is_what_ran(checked):
    with pytest.raises(emulator.KernelError, match="which nobody has written"):
        checked.relu(checked.empty((5,), np.float32))
