"""Winograd's convolution against the direct one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from minialex import backends, threads
from minialex.backends.fast_cpu import blocks, few_channels, im2col, transforms, ways, winograd
from minialex.window import Window

NUMPY = backends.get_backend("numpy")


@pytest.fixture(autouse=True)
def two_threads():
    before = threads.count()
    threads.set_count(2)
    yield
    threads.set_count(before)


def problem(rng, pictures, channels, filters, size, taps, padding, groups=1, dtype=np.float64, stride=1):
    """Random input, filters, bias and output gradient of a convolution, and its window."""
    x = rng.standard_normal((pictures, channels, *size))
    w = rng.standard_normal((filters, channels // groups, taps, taps))
    window = Window.over(x.shape, taps, stride, padding)
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


ALL = [*ways.CHANNELS]  # every (m, r) that is used; each has to be compiled, so most tests of numbers are heavy


@pytest.mark.parametrize(("outputs", "taps"), [*ALL, (6, 3), (2, 5)])
def test_the_matrices_in_one_dimension(rng, outputs, taps):
    at, g, bt = transforms.matrices(outputs, taps)
    pixels, taps_of = rng.standard_normal(outputs + taps - 1), rng.standard_normal(taps)
    expected = [sum(taps_of[k] * pixels[i + k] for k in range(taps)) for i in range(outputs)]
    np.testing.assert_allclose(at @ ((g @ taps_of) * (bt @ pixels)), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("outputs", "taps"), [*ALL, (6, 3), (2, 5)])
def test_matrices_in_straight_lines(rng, outputs, taps):
    """The generated code is the matrix, in fewer multiplications than it has entries: most points come in pairs."""
    at, _, bt = transforms.matrices(outputs, taps)
    for matrix, transposed in ((bt, False), (at.T, False), (at, True), (bt.T, True)):
        values = rng.standard_normal(matrix.shape[1])
        names = {f"d{k}": value for k, value in enumerate(values)} | {"number": float}
        lines = transforms.product(matrix, transposed)
        exec("\n".join(lines), {}, names)
        found = [names[f"o{k}"] for k in range(len(matrix))]
        np.testing.assert_allclose(found, matrix @ values, rtol=0, atol=1e-12)
        assert "\n".join(lines).count("*") < np.count_nonzero(matrix) * 3 / 4


# float64 shows any mistake, float32 large ones; but each type has to be compiled
DTYPES = pytest.mark.parametrize(
    ("dtype", "most"), [("float32", 1e-4), pytest.param("float64", 1e-11, marks=pytest.mark.heavy)]
)
LAYERS = [  # pictures, channels, filters, size, padding, groups
    (8, 3, 5, (8, 9), 1, 1),
    (17, 4, 6, (9, 12), ((1, 0), (2, 1)), 2),
    (33, 2, 3, (10, 7), 0, 1),
    (40, 3, 2, (23, 14), 2, 1),  # several bands of rows in each of three blocks of pictures
    (1, 4, 2, (21, 11), 2, 2),  # one picture: its bands side by side
    (3, 3, 4, (12, 9), ((0, 3), (1, 2)), 1),
    (3, 2, 2, (5, 6), ((4, 5), (6, 4)), 1),  # windows that see padding only
]


@DTYPES
@pytest.mark.parametrize("thread_count", [1, 2])
@pytest.mark.parametrize("room", [1, 4 << 20])  # a row of tiles at a time; all that fit into the cache
@pytest.mark.parametrize("shared", [False, True])  # units of tiles that all threads share
@pytest.mark.parametrize(
    ("outputs", "taps"), ALL[:1] + [pytest.param(*way, marks=pytest.mark.heavy) for way in ALL[1:]]
)
def test_against_the_direct_way(rng, monkeypatch, outputs, taps, shared, room, thread_count, dtype, most):
    threads.set_count(thread_count)
    monkeypatch.setattr(winograd, "_BYTES", room)
    if shared:
        monkeypatch.setattr(winograd.threads, "count", lambda: 100)  # too few pictures for so many
    for pictures, channels, filters, size, padding, groups in LAYERS:
        x, w, b, gy, window = problem(rng, pictures, channels, filters, size, taps, padding, groups, dtype)
        y, gx, gw = direct(x, w, b, gy, window, groups)
        assert error(winograd.conv2d(x, w, b, window, groups, outputs), y) < most
        without = winograd.conv2d(x, w, None, window, groups, outputs)
        assert error(without + b[:, None, None], y) < most
        both = winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, groups, outputs)
        assert error(both[0], gx) < most and error(both[1], gw) < most
        only_gw = winograd.conv2d_backward(gy, x.shape, w.shape, x, None, window, groups, outputs)
        only_gx = winograd.conv2d_backward(gy, x.shape, w.shape, None, w, window, groups, outputs)
        assert only_gw[0] is None and only_gx[1] is None
        np.testing.assert_array_equal(only_gw[1], both[1])
        np.testing.assert_array_equal(only_gx[0], both[0])


@DTYPES
@pytest.mark.parametrize(
    ("channels", "size", "taps", "stride", "padding", "groups", "outputs"),
    [
        (2, (33, 29), 5, 2, ((4, 1), (0, 3)), 2, 4),
        pytest.param(2, (33, 29), 9, 2, ((4, 1), (0, 3)), 2, 4, marks=pytest.mark.heavy),
        pytest.param(3, (41, 38), 11, 4, 0, 1, 5, marks=pytest.mark.heavy),
        pytest.param(4, (37, 40), 11, 4, 2, 2, 4, marks=pytest.mark.heavy),
        pytest.param(2, (31, 26), 5, 2, ((1, 3), (2, 0)), 1, 5, marks=pytest.mark.heavy),
        pytest.param(3, (34, 26), 7, 3, 3, 1, 4, marks=pytest.mark.heavy),
    ],
)
def test_strides_as_blocks(rng, channels, size, taps, stride, padding, groups, outputs, dtype, most):
    """Against the direct way: whole blocks and cut ones, filters that fill their blocks and others."""
    x, w, b, gy, window = problem(rng, 5, channels, 4, size, taps, padding, groups, dtype, stride)
    y, gx, gw = direct(x, w, b, gy, window, groups)
    assert error(blocks.conv2d(x, w, b, window, groups, outputs), y) < most
    found = blocks.conv2d_backward(gy, x.shape, w.shape, x, w, window, groups, outputs)
    assert error(found[0], gx) < most and error(found[1], gw) < most
    assert blocks.conv2d_backward(gy, x.shape, w.shape, None, w, window, groups, outputs)[1] is None
    assert blocks.conv2d_backward(gy, x.shape, w.shape, x, None, window, groups, outputs)[0] is None


@DTYPES
@pytest.mark.heavy
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("pictures", [1, 19, 40])
def test_products_on_the_way(rng, monkeypatch, channels, pictures, dtype, most):
    """Few channels, against the direct way: in one part and several, of one unit and several."""
    for room in (1, 4 << 20):
        monkeypatch.setattr(winograd, "_BYTES", room)
        x, w, b, gy, window = problem(rng, pictures, channels, 17, (23, 14), 5, ((2, 1), (0, 3)), dtype=dtype)
        y, _, gw = direct(x, w, b, gy, window, 1)
        assert error(few_channels.conv2d(x, w, b, window, 1, 4), y) < most
        assert error(few_channels.conv2d(x, w, None, window, 1, 4) + b[:, None, None], y) < most
        found = few_channels.conv2d_backward(gy, x.shape, w.shape, x, None, window, 1, 4)
        assert found[0] is None and error(found[1], gw) < most


@DTYPES
@pytest.mark.heavy
def test_few_channels_with_a_gradient_of_the_pictures(rng, dtype, most):
    x, w, b, gy, window = problem(rng, 5, 3, 32, (16, 16), 5, 2, dtype=dtype)
    y, gx, gw = direct(x, w, b, gy, window, 1)
    assert str(ways.choose(x.shape[1:], w.shape, window, 1, x.dtype)) == "F(4,5)"
    fast = backends.get_backend("numba")
    ours, saved = fast.conv2d(x, w, b, window, 1, (True, True, True))
    assert error(ours, y) < most
    for needs in ((True, True, True), (False, True, False), (True, False, False)):
        _, saved = fast.conv2d(x, w, b, window, 1, needs)
        found = fast.conv2d_backward(gy, saved, window, 1, needs)
        for ours, right, needed in zip(found, (gx, gw), needs):
            assert (ours is None) == (not needed)
            assert ours is None or error(ours, right) < most


@pytest.mark.parametrize(
    ("outputs", "taps", "channels"),
    [(4, 3, 48), *(pytest.param(m, r, min(256, ways.CHANNELS[m, r]), marks=pytest.mark.heavy) for m, r in ALL)],
)
def test_how_much_float32_loses(rng, outputs, taps, channels):
    """Under 5e-5 of the output's std, and more than the direct way loses: it was used."""
    x, w, b, gy, window = problem(rng, 8, channels, 48, (13, 13), taps, taps // 2)
    right = direct(x, w, b, gy, window, 1)
    x, w, b, gy = (a.astype(np.float32) for a in (x, w, b, gy))
    ours = (
        winograd.conv2d(x, w, b, window, 1, outputs),
        *winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1, outputs),
    )
    assert all(array.dtype == np.float32 for array in ours)
    errors = [error(a, b) for a, b in zip(ours, right, strict=True)]
    assert max(errors) < 5e-5, errors
    assert errors[0] > error(im2col.conv2d(x, w, b, window, 1), right[0]), errors


@pytest.mark.parametrize("pictures", [1, 4, 20])
def test_the_same_bits_twice(rng, pictures):
    x, w, _b, gy, window = problem(rng, pictures, 8, 6, (9, 9), 3, 1, dtype=np.float32)
    first = winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1, 4)
    for _ in range(3):
        again = winograd.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1, 4)
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize(
    ("expected", "image", "w_shape", "kernel", "stride", "padding", "dilation", "groups"),
    [
        ("F(5,3)", (3, 227, 227), (96, 3), 11, 4, 0, 1, 1),  # AlexNet's
        ("F(4,5)", (96, 27, 27), (256, 48), 5, 1, 2, 1, 2),
        ("F(5,3)", (256, 13, 13), (384, 256), 3, 1, 1, 1, 1),
        ("F(4,3)", (256, 16, 16), (384, 256), 3, 1, 1, 1, 1),  # 16 tiles of 6x6 rather than of 7x7
        ("F(3,5)", (256, 27, 27), (256, 256), 5, 1, 2, 1, 1),  # too many channels for eight points
        ("F(4,5)", (3, 32, 32), (32, 3), 5, 1, 2, 1, 1),  # cifar_quick's, with products made on the way
        ("direct", (6, 32, 32), (32, 3), 5, 1, 2, 1, 2),  # few channels in groups
        ("direct", (3, 32, 32), (32, 3), 3, 1, 1, 1, 1),  # few multiplications to save
        ("direct", (5, 32, 32), (32, 5), 5, 1, 2, 1, 1),  # neither few channels nor enough
        ("F(4,5)", (32, 16, 16), (32, 32), 5, 1, 2, 1, 1),
        ("direct", (2048, 13, 13), (64, 2048), 3, 1, 1, 1, 1),  # more channels than anybody measured
        ("direct", (64, 27, 27), (64, 64), 5, 1, 2, 2, 1),
        ("direct", (64, 5, 13), (64, 64), 3, 1, 1, 1, 1),  # few rows
        ("F(4,3)", (64, 6, 13), (64, 64), 3, 1, 1, 1, 1),
        ("direct", (15, 27, 27), (64, 15), 3, 1, 1, 1, 1),
        ("direct", (64, 27, 27), (15, 64), 3, 1, 1, 1, 1),
        ("direct", (64, 27, 27), (64, 64), (3, 5), 1, 1, 1, 1),
        ("direct", (64, 27, 27), (64, 64), 3, (1, 2), 1, 1, 1),
        ("direct", (64, 27, 27), (64, 64), 1, 1, 0, 1, 1),
        ("direct", (64, 27, 27), (64, 64), 1, 2, 0, 1, 1),
        ("direct", (64, 28, 28), (64, 64), 2, 2, 0, 1, 1),
    ],
)
def test_which_way_is_chosen(expected, image, w_shape, kernel, stride, padding, dilation, groups):
    window = Window.over(image, kernel, stride, padding, dilation)
    assert str(ways.choose(image, (*w_shape, *window.kernel), window, groups, "float32")) == expected


def test_a_table_of_ones_own(rng):
    x, w, b, gy, window = problem(rng, 8, 32, 16, (8, 8), 3, 1, dtype=np.float32)
    layer = ways.key(x.shape[1:], w.shape, window, 1, x.dtype)
    assert layer == "32x8x8 to 16, 3x3, stride 1x1, padding 1 1 1 1, dilation 1x1, groups 1, float32"
    built_in = winograd.conv2d(x, w, b, window, 1, 4)
    np.testing.assert_array_equal(ways.conv2d(x, w, b, window, 1), built_in)
    try:
        ways.use({layer: "direct"})
        assert ways.table() == {layer: "direct"}
        np.testing.assert_array_equal(ways.conv2d(x, w, b, window, 1), im2col.conv2d(x, w, b, window, 1))
        gx, gw = ways.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)
        expected = im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)
        np.testing.assert_array_equal(gx, expected[0])
        np.testing.assert_array_equal(gw, expected[1])
        assert (ways.conv2d(x[:, :, :7], w, b, Window.over((7, 8), 3, 1, 1), 1) != 0).all()  # another layer
        ways.use({layer: "F(4,5)"})  # for another size of filter: not for this layer
        np.testing.assert_array_equal(ways.conv2d(x, w, b, window, 1), built_in)
    finally:
        ways.use(None)
    np.testing.assert_array_equal(ways.conv2d(x, w, b, window, 1), built_in)


@pytest.mark.parametrize("table", [{"x": "F(9,3)"}, {"x": 3}, {3: "direct"}, ["direct"]])
def test_a_table_that_is_none(table):
    with pytest.raises(ValueError, match=r"a table of convolutions maps layers to one of .*F\(4,3\)"):
        ways.use(table)


def test_the_switch(rng, monkeypatch):
    x, w, b, gy, window = problem(rng, 8, 32, 16, (8, 8), 3, 1, dtype=np.float32)
    fast, needs = backends.get_backend("numba"), (True, True, True)
    by_winograd, _ = fast.conv2d(x, w, b, window, 1, needs)
    np.testing.assert_array_equal(by_winograd, winograd.conv2d(x, w, b, window, 1, 4))
    monkeypatch.setattr(ways, "enabled", False)
    y, saved = fast.conv2d(x, w, b, window, 1, needs)
    np.testing.assert_array_equal(y, im2col.conv2d(x, w, b, window, 1))
    assert (y != by_winograd).any()
    gx, gw, gb = fast.conv2d_backward(gy, saved, window, 1, needs)
    expected = im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)
    np.testing.assert_array_equal(gx, expected[0])
    np.testing.assert_array_equal(gw, expected[1])
    np.testing.assert_allclose(gb, gy.sum(axis=(0, 2, 3)), rtol=1e-4)


@pytest.mark.heavy
def test_kernels_from_disk_keep_to_their_own_parts(tmp_path):
    """A process that finds the kernels of all ways on disk, each compiled by another one, computes as they did."""
    code = """
import sys
import numpy as np
from minialex.backends.fast_cpu import im2col, ways, winograd
from minialex.window import Window
draw = np.random.default_rng(0)
for outputs, taps in [way for way in ways.CHANNELS if str(ways.Way(*way)) in sys.argv]:
    x, gy = (draw.standard_normal((8, 8, 13, 13)).astype(np.float32) for _ in range(2))
    w, window = draw.standard_normal((8, 8, taps, taps)).astype(np.float32), Window.over(x.shape, taps, 1, taps // 2)
    ours = winograd.conv2d(x, w, None, window, 1, outputs), *winograd.conv2d_backward(
        gy, x.shape, w.shape, x, w, window, 1, outputs)
    right = im2col.conv2d(x, w, None, window, 1), *im2col.conv2d_backward(gy, x.shape, w.shape, x, w, window, 1)
    for a, b in zip(ours, right):
        assert abs(a - b).max() < 1e-3 * b.std(), (outputs, taps)
"""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    names = [str(ways.Way(*way)) for way in ALL]
    for some in (*([name] for name in names), names):
        subprocess.run([sys.executable, "-c", code, *some], check=True, env=environment)
