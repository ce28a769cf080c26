"""Each CUDA kernel by itself on the emulator: odd sizes, single elements, more work than its grid has threads."""

from __future__ import annotations

import math

import numpy as np
import pytest
import usable

from minialex import backends
from minialex.backends import raw_images
from minialex.backends.cuda import emulator, launch
from minialex.backends.cuda.backend import CudaBackend
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


COLUMNS = {  # x, kernel, stride, padding, dilation, groups
    "a pixel": ((1, 1, 1, 1), 1, 1, 0, 1, 1),
    "all at once": ((3, 6, 11, 13), (3, 2), (2, 1), ((1, 0), (3, 4)), (1, 2), 2),
    "more places than two blocks": ((5, 3, 13, 17), (2, 3), 1, 1, 1, 3),
    "AlexNet's first": ((1, 3, 39, 47), 11, 4, 2, 1, 1),
    "windows that see no pixel": ((2, 2, 2, 3), 2, 2, 3, 1, 1),
    "many channels": ((2, 70, 2, 3), 1, 1, 0, 1, 2),
}


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", COLUMNS)
def test_columns(checked, monkeypatch, name, dtype):
    """Every entry is a copy of the right pixel, or 0: also of pictures that are not the first, and on small grids."""
    monkeypatch.setattr(launch, "MOST_ROWS", 3)
    shape, kernel, stride, padding, dilation, groups = COLUMNS[name]
    window = Window.over(shape, kernel, stride, padding, dilation)
    x = np.arange(1, 1 + np.prod(shape), dtype=dtype).reshape(shape) / 3  # in float64 too fine for float32
    for first, pictures in ((0, len(x)), (len(x) - 1, 1)):
        padded = np.pad(x[first : first + pictures], ((0, 0), (0, 0), *window.padding))
        taps = [padded[:, :, rows, columns] for (_, _, rows, columns) in every_tap(window)]
        wanted = np.stack(taps, 1).reshape(pictures, -1, shape[1], np.prod(window.output)).transpose(2, 1, 0, 3)
        depth = shape[1] // groups * math.prod(window.kernel)
        columns = checked.empty((groups, depth, pictures * math.prod(window.output)), dtype)
        checked._im2col(x, columns, window, first, pictures)
        assert columns.dtype == dtype
        np.testing.assert_array_equal(columns, wanted.reshape(columns.shape))


def every_tap(window):
    """(u, v, the rows and the columns of padded pictures that tap (u, v) of the kernel sees), u before v."""
    for u, v in np.ndindex(*window.kernel):
        starts = (tap * d for tap, d in zip((u, v), window.dilation, strict=True))
        steps = zip(starts, window.stride, window.output, strict=True)
        yield u, v, *(slice(at, at + (n - 1) * s + 1, s) for at, s, n in steps)


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (2, 1), (7, 1), (12, 3), (4, 4), (200, 1), (260, 2)])
def test_lrn_from_registers(rng, checked, monkeypatch, channels, groups, dtype):
    """To the same bits as the kernels that compute everything anew, with one channel 1e4 times stronger; no scale.

    200 channels are shared out to three threads of 67, 67 and 66.
    """
    monkeypatch.setattr(launch, "MOST_ROWS", 2)
    anew = type(checked)()
    anew.in_registers = ()
    x, gy = rng.standard_normal((2, 3, channels, 5, 3)).astype(dtype)
    x[:, channels // 2] *= 1e4
    for size, beta in ((2, 0.75), (3, 0.75), (4, 0.75), (5, 0.75), (5, 0.6), (4, 0.6)):
        options = size, 0.3, beta, 2.0, False, groups
        (y, saved), (right, its) = (b.local_response_norm(x, *options, True) for b in (checked, anew))
        assert saved[0] is x and saved[1] is None and its[1] is not None
        np.testing.assert_array_equal(y, right)
        gx = checked.local_response_norm_backward(gy, saved, *options)
        np.testing.assert_array_equal(gx, anew.local_response_norm_backward(gy, its, *options))
        agree(gx, backends.get_backend("numpy").local_response_norm_backward(gy, its, *options), dtype)


@pytest.mark.heavy
def test_lrn_from_registers_of_nothing(checked):
    """With k = 0 a scale may be 0: what lies beside the first and the last channel must not come in as 0 / 0."""
    x = np.ones((1, 2, 1, 1))
    y, saved = checked.local_response_norm(x, 5, 0.5, 0.75, 0.0, False, 1, True)
    gx = checked.local_response_norm_backward(x, saved, 5, 0.5, 0.75, 0.0, False, 1)
    np.testing.assert_allclose(y, x, rtol=1e-15)  # a scale of 1
    np.testing.assert_allclose(gx, x * (1 - 2 * 0.5 * 0.75 * 2), rtol=1e-15)


@pytest.mark.heavy
def test_which_lrn_runs(checked):
    """A window of six channels, and one within a map, have no kernel in registers, and keep their scale."""
    x = np.ones((1, 7, 2, 2))
    for size, within, kept in (
        (1, False, True),
        (2, False, False),
        (5, False, False),
        (6, False, True),
        (3, True, True),
    ):
        _, (_, scale) = checked.local_response_norm(x, size, 0.3, 0.75, 2.0, within, 1, True)
        assert (scale is not None) is kept


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [
        *[(1, 1), (3, 1), (1, 40), (0, 3), (127, 33), (129, 31), (1100, 65)],  # columns, of one part and of several
        *[(1, 1, 1, 2), (0, 3, 2, 2), (9, 2, 2, 1), (130, 5, 3, 1), (70, 2, 27, 27), (11, 3, 40, 41), (5, 1100, 2, 2)],
    ],
    ids=str,
)
def test_sums_of_channels(checked, shape, dtype):
    """Whole numbers, whose sums are exact in any order; in float64 too large for float32."""
    most = {np.float32: 2**6, np.float64: 2**30}[dtype]
    gy = np.random.default_rng(0).integers(-most, most, shape, endpoint=True).astype(dtype)
    gb = checked._channel_sums(gy)
    assert gb.dtype == dtype and gb.base is None
    np.testing.assert_array_equal(gb, gy.sum((0, *range(2, gy.ndim))))


class LastBlock(emulator.EmulatorLauncher):
    """Runs the last block of each launch, in the checked build, on arrays that nobody has to fill: files with holes."""

    def __init__(self, folder):
        super().__init__(checked=True)
        self.folder, self.files = folder, 0

    def empty(self, shape, dtype):
        self.files += 1
        return np.asarray(np.memmap(self.folder / str(self.files), dtype, "w+", shape=shape))

    def launch(self, kernel, real, grid, block, values):
        text, last = launch.source(kernel.file), int(np.prod(grid)) - 1
        report = emulator.run_checked(kernel, text, real, grid, block, values, [last])
        assert report.problems == () and report.stores


@pytest.mark.heavy
def test_indices_beyond_two_to_the_31(tmp_path):
    """A picture of three channels of 2^30 places: an index of 32 bits would be negative in the last."""
    backend, side = CudaBackend(np, LastBlock(tmp_path)), 2**15
    x = backend.empty((1, 3, side, side), np.float32)
    x[0, :, -1, -3:] = [[1, 2, 4], [8, 16, 32], [64, 128, 256]]
    columns = backend.empty((1, 3, side * side), np.float32)
    backend._im2col(x, columns, Window.over(x.shape, 1), 0, 1)
    np.testing.assert_array_equal(columns[0, :, -3:], x[0, :, -1, -3:])
    options = 3, 0.5, 0.75, 1.0, False, 1
    few = np.ascontiguousarray(x[:, :, -1:, -3:])
    y, saved = backend.local_response_norm(x, *options, True)
    numpy = backends.get_backend("numpy")
    expected, its = numpy.local_response_norm(few, *options, True)
    np.testing.assert_allclose(y[:, :, -1:, -3:], expected, rtol=1e-5)
    gx = backend.local_response_norm_backward(x, saved, *options)
    expected = numpy.local_response_norm_backward(few, its, *options)
    np.testing.assert_allclose(gx[:, :, -1:, -3:], expected, rtol=1e-5)
    np.testing.assert_array_equal(backend._channel_sums(x.reshape(3, -1))[-3:], [73, 146, 292])


@pytest.mark.heavy
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


@pytest.mark.heavy
def test_images_as_bytes_in_small_grids(rng, checked, monkeypatch):
    """Watched: nothing beyond an image is read, though views reach beyond it; fewer rows of a grid than maps."""
    monkeypatch.setattr(launch, "MOST_ROWS", 2)
    pixels, views = rng.integers(0, 256, (3, 3, 5, 4), np.uint8), np.zeros((4, 4), np.int32)
    views[:] = [[2, -3, -2, 0], [0, 2, 1, 1], [1, -1, 0, 1], [2, 5, -7, 0]]
    mean, std, colours = rng.random((3, 5, 4), np.float32), np.float32([1, 2, 3]), rng.random((4, 3), np.float32)
    how = raw_images.Preprocessing(mean, std, raw_images.MEAN_OF_IMAGES, 1.5, True)
    y = checked.preprocess(raw_images.RawImages(pixels, views, colours, (6, 7), how))
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
