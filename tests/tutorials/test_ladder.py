"""Every rung of the ladders computes the same, in both builds of the emulator, and loads what its file says.

Factors are whole numbers, so small that every sum is exact in whatever order it is added up: a right kernel gives
these bits and no others. In float64 they are too large for float32: a kernel that rounds to it is found as well.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import usable
from on_request import heavy

from minialex import backends
from minialex.backends.cuda import emulator
from minialex.backends.cuda import launch as cuda_launch
from minialex.window import Window
from tutorials import ladder
from tutorials.ladder import CONV2D, MATMUL

BACKWARDS = [rung for rung, (_, backward) in CONV2D.items() if backward]


@pytest.fixture(params=[pytest.param(True, marks=heavy), False], ids=["checked", "fast"])
def launcher(request):
    """Checked first: a store out of bounds is a sentence there, and tears the fast build's heap."""
    usable.or_skip("emulator")
    return emulator.EmulatorLauncher(checked=request.param)


@pytest.fixture
def counting():
    usable.or_skip("emulator")
    return Counting(checked=True)


class Counting(emulator.EmulatorLauncher):
    """Keeps the report of its last launch."""

    def launch(self, kernel, real, grid, block, values):
        text = cuda_launch.source(kernel.file)
        self.report = emulator.run_checked(kernel, text, real, grid, block, values)


def whole(seed, dtype, *shape):
    """Numbers that two of, multiplied, and a thousand such products, added, leave exact."""
    most = {np.float32: 2**6, np.float64: 2**20}[dtype]
    return np.random.default_rng(seed).integers(-most, most, shape, endpoint=True).astype(dtype)


# ---------------------------------------------------------------------------------------------- matrix product


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("rung", MATMUL)
@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1), (1, 40, 1), (5, 1, 3), (16, 16, 16), (17, 15, 33), (64, 16, 64), (65, 17, 130), (130, 50, 3)],
    ids=lambda sizes: "x".join(map(str, sizes)),
)
def test_matmul(launcher, rung, sizes, dtype):
    rows, depth, columns = sizes
    a, b = whole(0, dtype, rows, depth), whole(1, dtype, depth, columns)
    c = ladder.matmul(launcher, rung, a, b)
    assert c.dtype == dtype
    np.testing.assert_array_equal(c, a @ b)


@pytest.mark.parametrize("rung", MATMUL)
def test_matmul_of_nothing(launcher, rung):
    """A sum over no k is 0, which somebody has to write."""
    c = ladder.matmul(launcher, rung, np.zeros((3, 0), np.float32), np.zeros((0, 70), np.float32))
    np.testing.assert_array_equal(c, np.zeros((3, 70)))
    assert ladder.matmul(launcher, rung, np.ones((0, 4), np.float32), np.ones((4, 2), np.float32)).size == 0


@pytest.mark.parametrize("rung", MATMUL)
def test_a_tile_that_hangs_over_the_edge_adds_nothing(launcher, rung):
    """Not even beside an infinity: 0 times that, for a k past the end, would be NaN."""
    a, b = whole(0, np.float32, 20, 19), whole(1, np.float32, 19, 21)
    a[7, 3], b[4, 9] = np.inf, -np.inf
    a[:, 4], b[3] = np.abs(a[:, 4]) + 1, np.abs(b[3]) + 1  # no 0 of the factors' own meets them
    with np.errstate(invalid="ignore"):  # of a sum with both infinities
        wanted = a @ b
    np.testing.assert_array_equal(ladder.matmul(launcher, rung, a, b), wanted)


@pytest.mark.heavy
def test_global_loads_of_the_matrix_products(counting):
    a, b = whole(0, np.float32, 128, 40), whole(1, np.float32, 40, 64)
    loads = {}
    for rung in MATMUL:
        c = ladder.matmul(counting, rung, a, b)
        loads[rung] = Fraction(counting.report.loads, 128 * 40 * 64)
        assert counting.report.stores == c.size
    assert loads == {"naive": 2, "tiled": Fraction(1, 8), "blocked": Fraction(1, 32)}


# ---------------------------------------------------------------------------------------------- convolution

CASES = {  # x, w, stride, padding, dilation, groups
    "ones": ((1, 1, 1, 1), (1, 1, 1, 1), 1, 0, 1, 1),
    "all at once": ((2, 6, 11, 13), (10, 3, 3, 2), (2, 1), ((1, 0), (3, 4)), (1, 2), 2),
    "several tiles": ((2, 2, 20, 17), (70, 2, 3, 3), 1, 1, 1, 1),
    "channels in three goes": ((1, 23, 9, 7), (2, 23, 5, 5), 1, 2, 1, 1),
    "many channels": ((2, 140, 4, 3), (4, 70, 2, 1), 1, (1, 0), (2, 1), 2),
    "a group a channel": ((3, 5, 7, 6), (10, 1, 3, 2), (1, 2), ((0, 2), (1, 0)), 1, 5),
    "AlexNet's first": ((1, 1, 47, 39), (5, 1, 11, 11), 4, 2, 1, 1),
    "pixels that no window sees": ((2, 2, 10, 9), (3, 2, 1, 2), 3, 0, 1, 1),
    "windows that see no pixel": ((1, 2, 2, 3), (3, 2, 2, 2), 2, 3, 1, 1),
    "no picture": ((0, 2, 5, 5), (3, 2, 3, 3), 1, 0, 1, 1),
}


def case(name, dtype):
    """x, w, b, window, groups."""
    x, w, stride, padding, dilation, groups = CASES[name]
    window = Window.over(x, w[2:], stride, padding, dilation)
    return whole(0, dtype, *x), whole(1, dtype, *w), whole(2, dtype, w[0]), window, groups


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rung", CONV2D)
def test_conv2d(launcher, rung, name, dtype):
    x, w, b, window, groups = case(name, dtype)
    for bias in (b, None):
        wanted, _ = backends.get_backend("numpy").conv2d(x, w, bias, window, groups, (False,) * 3)
        y = ladder.conv2d(launcher, rung, x, w, bias, window, groups)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rung", BACKWARDS)
def test_conv2d_backward(launcher, rung, name, dtype):
    x, w, _, window, groups = case(name, dtype)
    y, saved = backends.get_backend("numpy").conv2d(x, w, None, window, groups, (True, True, False))
    gy = whole(3, dtype, *y.shape)
    wanted = backends.get_backend("numpy").conv2d_backward(gy, saved, window, groups, (True, True, False))
    for gradient, right in zip(ladder.conv2d_backward(launcher, rung, gy, x, w, window, groups), wanted[:2]):
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, right)


def test_weight_gradients_from_several_pictures_a_block(launcher, monkeypatch):
    """Five pictures, two to a block: the last block has one."""
    monkeypatch.setattr(ladder, "_ENOUGH", 4)
    x, w = whole(0, np.float32, 5, 4, 6, 5), whole(1, np.float32, 6, 2, 3, 2)
    window = Window.over(x.shape, (3, 2), padding=1)
    y, saved = backends.get_backend("numpy").conv2d(x, w, None, window, 2, (True, True, False))
    gy = whole(3, np.float32, *y.shape)
    wanted = backends.get_backend("numpy").conv2d_backward(gy, saved, window, 2, (True, True, False))
    _, gw = ladder.conv2d_backward(launcher, "implicit_gemm", gy, x, w, window, 2)
    np.testing.assert_array_equal(gw, wanted[1])


@pytest.mark.heavy
@pytest.mark.parametrize(("kernel", "stride", "pixels"), [((3, 3), 1, 10 * 10), ((5, 2), (1, 2), 12 * 16)])
def test_global_loads_of_the_convolutions(counting, kernel, stride, pixels):
    """64 filters, and 16 x 8 places, that all tiles divide; nothing of them outside the pictures."""
    size = [(n - 1) * s + k for n, s, k in zip((16, 8), np.broadcast_to(stride, 2).tolist(), kernel)]
    x, w = whole(0, np.float32, 1, 4, *size), whole(1, np.float32, 128, 2, *kernel)
    window, taps = Window.over(x.shape, kernel, stride), kernel[0] * kernel[1]
    assert window.output == (16, 8)
    loads = {}
    for rung in CONV2D:
        y = ladder.conv2d(counting, rung, x, w, None, window, 2)
        loads[rung] = Fraction(counting.report.loads, y.size * 2 * taps)
        assert counting.report.stores == y.size
    tiled = Fraction(pixels, 8 * 8 * 4 * taps) + Fraction(1, 8 * 8)
    assert loads == {"direct": 2, "tiled": tiled, "implicit_gemm": Fraction(1, 32)}
    assert 2 > tiled > Fraction(1, 32)


# ---------------------------------------------------------------------------------------------- columns, LRN


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rung", ladder.IM2COL)
def test_im2col(launcher, rung, name, dtype):
    x, _, _, window, _ = case(name, dtype)
    padded = np.pad(x, ((0, 0), (0, 0), *window.padding))
    wanted = np.empty((x.shape[1], *window.kernel, len(x), *window.output), dtype)
    for u, v, i, j in np.ndindex(*window.kernel, *window.output):
        row, column = (at * s + tap * d for at, s, tap, d in zip((i, j), window.stride, (u, v), window.dilation))
        wanted[:, u, v, :, i, j] = padded[:, :, row, column].T
    columns = ladder.im2col(launcher, rung, x, window)
    assert columns.dtype == dtype
    np.testing.assert_array_equal(columns, wanted.reshape(columns.shape))


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("rung", ladder.LRN)
def test_lrn_backward(launcher, rung, size, dtype):
    """k, a and x are such that every scale is 1 or 2^4 at one channel of each place, and beta is 3/4: no rounding."""
    gy, x = whole(0, dtype, 2, 9, 3, 5), np.zeros((2, 9, 3, 5), dtype)
    for n, i, j in np.ndindex(2, 3, 5):
        x[n, (n + 2 * i + j) % 9, i, j] = (-1) ** j
    options = size, 15.0, 0.75, 1.0
    _, saved = backends.get_backend("numpy").local_response_norm(x, *options, False, 1, True)
    assert set(np.unique(saved[1])) == {1, 16}
    wanted = backends.get_backend("numpy").local_response_norm_backward(gy, saved, *options, False, 1)
    gx = ladder.local_response_norm_backward(launcher, rung, gy, x, *options)
    assert gx.dtype == dtype and len(np.unique(gx[x != 0])) > 20
    np.testing.assert_array_equal(gx, wanted)


@pytest.mark.heavy
def test_global_loads_of_lrn_backward(counting):
    """Anew: gy, x and the scale of each member of a window, and x again; of 9 windows of 5, 6 members do not exist."""
    x, loads = whole(0, np.float32, 1, 9, 4, 8), {}
    for rung in ladder.LRN:
        ladder.local_response_norm_backward(counting, rung, x, x, 5, 0.5, 0.75, 1.0)
        loads[rung] = Fraction(counting.report.loads, x.size)
        assert counting.report.stores == x.size
    assert loads == {"anew": 3 * Fraction(5 * 9 - 6, 9) + 1, "registers": 2}


# ---------------------------------------------------------------------------------------------- refusals


def assert_refused(run, message):
    with pytest.raises(ValueError) as raised:
        run()
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_refusals_of_matmul():
    launch, a, b = cuda_launch.Launcher(), np.ones((2, 3), np.float32), np.ones((4, 2), np.float32)
    assert_refused(
        lambda: ladder.matmul(launch, "fast", a, b), "matmul has the rungs naive, tiled, blocked, not 'fast'"
    )
    assert_refused(lambda: ladder.matmul(launch, "naive", a, b), "(M, K) and (K, N), got (2, 3) and (4, 2)")
    assert_refused(lambda: ladder.matmul(launch, "naive", a[0], b), "got (3,) and (4, 2)")


@pytest.mark.parametrize(
    "change",
    [
        {"x": (2, 5, 9, 8)},
        {"x": (2, 6, 9, 9)},
        {"x": (6, 9, 8)},
        {"w": (4, 3, 3, 3)},
        {"w": (4, 6, 3, 2)},
        {"w": (3, 3, 3, 2)},
        {"w": (4, 3)},
        {"groups": 0},
        {"groups": 3},
        {"gy": (2, 4, 7, 8)},
        {"gy": (2, 4)},
    ],
    ids=str,
)
def test_refusals_of_shapes(change):
    window = Window.over((9, 8), (3, 2))
    given = {"x": (2, 6, 9, 8), "w": (4, 3, 3, 2), "groups": 2, "gy": (2, 4, 7, 7)} | change
    x, w, gy = (np.ones(given[name], np.float32) for name in ("x", "w", "gy"))
    launch, groups, message = cuda_launch.Launcher(), given["groups"], "do not belong together"
    assert_refused(lambda: ladder.conv2d_backward(launch, "direct", gy, x, w, window, groups), message)
    if "gy" not in change:
        assert_refused(lambda: ladder.conv2d(launch, "direct", x, w, None, window, groups), message)


def test_more_refusals_of_conv2d():
    x, w, b = np.ones((1, 1, 9, 9), np.float32), np.ones((2, 1, 3, 3), np.float32), np.ones(3, np.float32)
    launch, window = cuda_launch.Launcher(), Window.over(x.shape, 3)

    def forward(rung, b=None):
        return ladder.conv2d(launch, rung, x, w, b, window)

    assert_refused(lambda: forward("gemm"), "conv2d has the rungs direct, tiled, implicit_gemm, not 'gemm'")
    assert_refused(lambda: forward("direct", b), "conv2d needs a bias for each of 2 filters, got shape (3,)")
    assert_refused(
        lambda: ladder.conv2d_backward(launch, "tiled", x, x, w, window),
        "conv2d_backward has the rungs direct, implicit_gemm, not 'tiled'",
    )


def test_refusals_of_im2col_and_lrn():
    launch, x, window = cuda_launch.Launcher(), np.ones((1, 2, 9, 8), np.float32), Window.over((9, 8), 3)
    assert_refused(lambda: ladder.im2col(launch, "fast", x, window), "im2col has the rungs naive, windows, not 'fast'")
    assert_refused(lambda: ladder.im2col(launch, "naive", x[..., :7], window), "do not belong together")
    assert_refused(lambda: ladder.im2col(launch, "naive", x[0], window), "do not belong together")

    def backward(rung, size):
        return ladder.local_response_norm_backward(launch, rung, x, x, size, 0.1, 0.75, 1.0)

    assert_refused(
        lambda: backward("fast", 5), "local_response_norm_backward has the rungs anew, registers, not 'fast'"
    )
    assert_refused(lambda: backward("registers", 6), "lrn_registers has windows of 2 to 5 channels, not 6")


@pytest.mark.parametrize(
    ("kernel", "stride", "room"),
    [((16, 16), 1, True), ((17, 16), 1, False), ((7, 3), (7, 8), True), ((8, 3), (7, 8), False)],
    ids=["256 weights", "272 weights", "56 rows of 72", "57 rows of 72"],
)
def test_the_room_that_tiled_has(launcher, kernel, stride, room):
    """For 256 weights of a filter, and 4096 = 56.9 * 72 pixels."""
    x, w = whole(0, np.float32, 1, 1, 80, 80), whole(1, np.float32, 1, 1, *kernel)
    window = Window.over(x.shape, kernel, stride)
    if room:
        wanted = ladder.conv2d(launcher, "direct", x, w, None, window)
        np.testing.assert_array_equal(ladder.conv2d(launcher, "tiled", x, w, None, window), wanted)
    else:
        message = "conv2d_tiled has shared memory for 256 weights of a filter and 4096 pixels; kernel_size"
        assert_refused(lambda: ladder.conv2d(launcher, "tiled", x, w, None, window), message)
