"""A5, CUDA: ReLU, max-pooling, the tiled matrix product and LRN as kernels, in the emulator's checked build.

Every check runs the library's host code on the student's kernels, with few threads; NumPy gives the expected results.
"""

from __future__ import annotations

import numpy as np

from ..backends.numpy_backend import NumPyBackend
from ..window import Window
from . import kernels
from .cases import near, of_a_case, several, together
from .declaration import Assignment, Check, Question
from .targets import TARGETS


def _normal(rng, *shape, dtype=np.float64):
    return rng.standard_normal(shape).astype(dtype)


def _layers(lib):
    """The library's host code on the student's kernels; here the NumPy backend."""
    return lib.coursework.kernels.layers()


def _precision(inputs, got, expected):
    """Explains results with only the precision of float."""
    for name, right in expected.items():
        error = np.abs(got[name].astype(np.float64) - right).max(initial=0)
        if 0 < error < 1e-5 * np.abs(right).max(initial=0):
            return f"{name} is correct to only about seven digits: somewhere float is used instead of REAL"
    return None


# ------------------------------------------------------------------------------------------------- relu


def _values(rng, count, special=(), dtype=np.float64):
    """Normal values, and special ones six times each at random places."""
    x = _normal(rng, count, dtype=dtype)
    for value, places in zip(special, rng.permutation(count)[: 6 * len(special)].reshape(-1, 6), strict=True):
        x[places] = value
    return x


def relu(*cases):
    """(draw, run) of relu. cases: with `count` elements, and `special` values among them."""
    return several(lambda rng, **case: {"x": _values(rng, **case)}, lambda lib, x: {"y": _layers(lib).relu(x)}, *cases)


def relu_in_place(*cases):
    """(draw, run) of relu_in_place. cases: as of relu."""

    def run(lib, x):
        changed = lib.owned(x)
        _layers(lib).relu(changed, out=changed)
        return {"x": lib.value(changed)}

    return several(lambda rng, **case: {"x": _values(rng, **case)}, run, *cases)


def relu_backward(*cases):
    """(draw, run) of relu_backward. cases: as of relu."""

    def draw(rng, count, special=(), dtype=np.float64):
        return {"gy": _values(rng, count, dtype=dtype), "y": np.maximum(_values(rng, count, special, dtype), 0)}

    return several(draw, lambda lib, gy, y: {"gx": _layers(lib).relu_backward(gy, y)}, *cases)


@of_a_case
def _relu_teach(inputs, got, expected):
    if "gx" in got and np.array_equal(got["gx"], np.where(inputs["y"] >= 0, inputs["gy"], 0)):
        return "where y is 0 the gradient is 0, since y = 0 means that x was not positive"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- max-pool


def negative(rng, *shape):
    """Values below 0."""
    return -0.1 - rng.random(shape)


def _pool_case(
    rng, shape, kernel=(2, 3), stride=(1, 2), padding=(0, 0), dilation=(1, 1), ceil=False, values=_normal,
    dtype=np.float64,
):  # fmt: skip
    """x, and the window as an array."""
    settings = np.array((*kernel, *stride, *padding, *dilation, ceil), np.int64)
    return {"x": values(rng, *shape).astype(dtype), "settings": settings}


def _over(shape, settings):
    """The arguments of Window.over_pool."""
    kh, kw, sh, sw, ph, pw, dh, dw, ceil = (int(n) for n in settings)
    return shape, (kh, kw), (sh, sw), (ph, pw), (dh, dw), bool(ceil)


def _window(shape, settings):
    """The Window in this process."""
    return Window.over_pool(*_over(tuple(shape), settings))


def pool(*cases, save=True):
    """(draw, run) of max_pool2d. cases: arguments of _pool_case; save: whether winners are wanted."""

    def run(lib, x, settings):
        window = lib.window.Window.over_pool(*_over(x.shape, settings))
        y, winners = _layers(lib).max_pool2d(x, window, save)
        return {"y": y, "winners": winners} if save else {"y": y}

    return several(_pool_case, run, *cases)


def pool_backward(*cases):
    """(draw, run) of max_pool2d_backward. cases: as of pool."""

    def draw(rng, **case):
        x, settings = _pool_case(rng, **case).values()
        window = _window(x.shape, settings)
        y, winners = NumPyBackend().max_pool2d(x, window, True)
        size = np.array(x.shape)
        return {"gy": _normal(rng, *y.shape, dtype=x.dtype), "winners": winners, "size": size, "settings": settings}

    def run(lib, gy, winners, size, settings):
        window = lib.window.Window.over_pool(*_over(tuple(size.tolist()), settings))
        return {"gx": _layers(lib).max_pool2d_backward(gy, winners, window)}

    return several(draw, run, *cases)


def _wins(inputs):
    """How many windows each pixel has won."""
    winners = inputs["winners"]
    window = _window(inputs["size"].tolist(), inputs["settings"])
    wins = np.zeros((*winners.shape[:2], *window.padded))
    for place, tap in enumerate(window.taps()):
        at_tap = wins[..., *tap]
        at_tap += winners == place
    return wins[(slice(None), slice(None), *window.inside)]


@of_a_case
def _pool_teach(inputs, got, expected):
    if "winners" in got and near(got["y"], expected["y"]):
        height, width = (int(size) for size in inputs["settings"][:2])
        u, v = expected["winners"] // width, expected["winners"] % width
        if np.array_equal(got["winners"], v * height + u):
            return "winners count the positions in the kernel row by row: u KW + v, not v KH + u"
        return "the maxima are correct, but not the winners: u KW + v is relative to the corner of the window"
    if "gx" in got and (_wins(inputs)[~np.isclose(got["gx"], expected["gx"])] > 1).all():
        return "gradients are missing: windows overlap, so a pixel may have won in several of them"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- matrix product


def matmul(*cases):
    """(draw, run) of matmul_tiled, whose loads are counted for multiples of a tile. cases: with `shape`."""

    def draw(rng, shape, dtype=np.float64):
        rows, columns, depth = shape
        return {"a": _normal(rng, rows, depth, dtype=dtype), "b": _normal(rng, depth, columns, dtype=dtype)}

    return several(draw, lambda lib, a, b: {"c": lib.coursework.kernels.product(a, b)}, *cases)


def _loads(a, b):
    """The loads from global memory that the product needs, for multiples of a tile."""
    return a.size * (b.shape[1] // kernels.SIDE) + b.size * (a.shape[0] // kernels.SIDE)


def _counted(rng):
    return {"a": _normal(rng, 48, 32), "b": _normal(rng, 32, 64)}


def _counted_run(lib, a, b):
    """A product, and the loads from global memory, which are exact where the emulator counts them."""
    c = lib.coursework.kernels.product(a, b)
    counted = lib.coursework.kernels.loads("matmul_tiled")
    return {"c": c, "loads": _loads(a, b) if counted is None else counted}


def _counted_teach(inputs, got, expected):
    if got["loads"] != expected["loads"]:
        work = inputs["a"].size * inputs["b"].shape[1]
        return (
            f"matmul_tiled loads {got['loads']} numbers from global memory for {work} multiplications; "
            f"{expected['loads']} are enough: in each step along k, a thread loads one cell of either tile, and reads "
            "what its neighbours loaded from shared memory"
        )
    return None


@of_a_case
def _matmul_teach(inputs, got, expected):
    a, b, c = inputs["a"], inputs["b"], got["c"]
    if a.shape == b.shape == c.shape:
        for product, what in ((a @ b.T, "b's"), (a.T @ b, "a's"), ((a @ b).T, "c's")):
            if near(product, c):
                return f"this is the product with {what} tile transposed: which index of [ty][tx] is the row?"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- LRN


def _lrn_case(rng, shape, size, beta=0.75, groups=1, within=False, dtype=np.float64):
    """x and the constants; a is alpha / size, large enough for the window to matter."""
    numbers = {"size": size, "a": float(rng.uniform(0.2, 0.5)), "beta": beta, "k": float(rng.uniform(1, 2))}
    return numbers | {"groups": groups, "within": within, "x": _normal(rng, *shape, dtype=dtype)}


def lrn(*cases, save=True):
    """(draw, run) of the forward kernels. cases: arguments of _lrn_case; save: whether the scale is wanted."""

    def run(lib, x, size, a, beta, k, groups, within):
        y, saved = _layers(lib).local_response_norm(x, size, a, beta, k, within, groups, save)
        return {"y": y, "scale": saved[1]} if save else {"y": y}

    return several(_lrn_case, run, *cases)


def lrn_backward(*cases):
    """(draw, run) of the backward kernels, with an arbitrary positive scale. cases: arguments of _lrn_case."""

    def draw(rng, **case):
        inputs = _lrn_case(rng, **case)
        shape, dtype = inputs["x"].shape, inputs["x"].dtype
        scale = rng.uniform(0.5, 2, shape).astype(dtype)
        return inputs | {"scale": scale, "gy": _normal(rng, *shape, dtype=dtype)}

    def run(lib, gy, x, scale, size, a, beta, k, groups, within):
        backward = _layers(lib).local_response_norm_backward
        return {"gx": backward(gy, (x, scale), size, a, beta, k, within, groups)}

    return several(draw, run, *cases)


@of_a_case
def _lrn_teach(inputs, got, expected):
    if "gx" in got and near(got["gx"], inputs["gy"] * inputs["scale"] ** -inputs["beta"]):
        return "the second term is missing: x is part of the scale of its neighbours too"
    if "y" in got and near(got["scale"], expected["scale"]) and not near(got["y"], expected["y"]):
        return "the scale is correct, but y is not x scale^-beta"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- hints


HINTS: dict[str, tuple[str, ...]] = {
    "relu": (
        "There may be fewer threads than elements, so each thread may have to process several.",
        "common.cuh has thread_number() and thread_count(); the comment above them shows the loop.",
        "for (long long i = thread_number(); i < n; i += thread_count()): read x[i] once into a REAL, write y[i]. "
        "Think of NaN: `value <= 0` is false for it.",
    ),
    "relu_in_place": (
        "The loop is that of relu.",
        "Positive values and NaN need not be written at all.",
        "Read x[i] into a REAL; if it is <= 0, write 0 to x[i].",
    ),
    "relu_backward": (
        "Which of x and y does the kernel get?",
        "y > 0 exactly where x > 0. Where y is NaN, the gradient must pass.",
        "gx[i] = y[i] <= 0 ? (REAL)0 : gy[i], in the loop of relu.",
    ),
    "max_pool2d": (
        "Read avg_pool2d below: the loops over maps, output positions and the window are the same.",
        "Skip pixels outside the image, they are not 0. Keep the best value and its position in the window.",
        "best starts at minus infinity and winner at -1; a value wins if winner < 0, if it is greater, or if it is NaN "
        "(value != value). winners gets u * w.kernel[1] + v, but only if `save`.",
    ),
    "max_pool2d_backward": (
        "Turn it around: one thread per pixel finds the windows that the pixel has won. Then no two threads add to the "
        "same cell.",
        "Read avg_pool2d_backward, and Meeting in common.cuh: it gives the windows that contain a pixel, and at which "
        "tap.",
        "For each window (i, j) that contains the pixel: u = rows.tap(i), v = columns.tap(j), both >= 0; if winners "
        "of that window is u * w.kernel[1] + v, add its gy. Write gx once, at the end.",
    ),
    "matmul_tiled": (
        "Which two tiles does a block need for one step of 16 along k? Which thread loads which cell?",
        "Each thread loads one cell of either tile; __syncthreads(); each adds 16 products; __syncthreads(). Threads "
        "outside c must also load and wait.",
        "a_tile[ty][tx] is a[i][first + tx], b_tile[ty][tx] is b[first + ty][j], and 0 beyond the end of the matrix; "
        "the sum adds a_tile[ty][k] * b_tile[k][tx]; c is written after the loop, where i < rows and j < columns.",
    ),
    "lrn_across": (
        "Each thread has one pixel position, and loops over the channels there.",
        "FOR_EACH_PLANE over n * (channels / block) planes, FOR_EACH_PLACE over places; the next channel is `places` "
        "elements further on.",
        "For channel c of a block: sum value^2 for max(0, c - size / 2) <= j < min(block, c - size / 2 + size); "
        "d = k + a * sum; y = x * minus_power(d, beta); scale = d if `save`.",
    ),
    "lrn_across_backward": (
        "x[c] is in its own numerator, and in the scale of every channel whose window contains c.",
        "Which windows contain c? For size 4 a window reaches two to the left and one to the right, so the channels "
        "are those of the mirrored window.",
        "after = size - 1 - size / 2; for max(0, c - after) <= j < min(block, c - after + size) sum "
        "gy[j] x[j] d[j]^(-beta - 1); gx = gy d^-beta - 2 a beta x sum.",
    ),
    "lrn_within": (
        "As lrn_across, with a window in two directions around a pixel of one map.",
        "row = place / width, column = place % width; both directions have the same bounds, clipped at the edges.",
        "Rows max(0, row - size / 2) <= i < min(height, row - size / 2 + size), columns j likewise.",
    ),
    "lrn_within_backward": (
        "The same two terms as across channels.",
        "The window is mirrored in both directions.",
        "after = size - 1 - size / 2 in both directions; sum gy x minus_power(d, beta) / d.",
    ),
}


WRITTEN = (
    Question(
        "For a product of two 1024 x 1024 float matrices: how many bytes does matmul_naive load from global memory, "
        "how many does matmul_tiled, and how long does either take at least on a GPU with 500 GB/s and 10 TFLOP/s? "
        "What limits each of them?",
        4,
        (
            "1: naive loads 2 x 1024^3 numbers, 8.6 GB; tiled a 16th of that, 0.54 GB",
            "1: 17 ms and 1.1 ms for the loads",
            "1: 2 x 1024^3 = 2.1 GFLOP take 0.2 ms: both are limited by memory",
            "1: says what a cache changes (naive loads less from memory than it requests), or what a larger tile would",
        ),
    ),
    Question(
        "max_pool2d_backward could have one thread per output, which adds its gy to the pixel that won. What goes "
        "wrong for windows of 3 with stride 2, and why may a test miss it? Name two solutions.",
        3,
        (
            "1: two windows may have the same winner: two threads read, add and write one cell, and one addition is "
            "lost",
            "1: a test may miss it because it depends on timing and data: with stride 3, or few threads, it never "
            "occurs",
            "1: one thread per pixel that gathers (no shared writes), and atomicAdd (whose order, and so rounding, "
            "varies)",
        ),
    ),
    Question(
        "Why must threads outside c not return at once in matmul_tiled? Say what happens in the emulator, and what may "
        "happen on a GPU.",
        3,
        (
            "1: the others wait for them at __syncthreads(), which all threads of a block must reach",
            "1: they are needed for loading: a thread outside c may be inside a or b",
            "1: the emulator reports it; on a GPU it is undefined: it may hang, or continue with incomplete tiles",
        ),
    ),
)


def check(name, points, draw_and_run, rtol=1e-12, **options):
    """A Check of a (draw, run); results must be exact but for the order of additions."""
    draw, run = draw_and_run
    return Check(name, points, draw, run, rtol=rtol, **options)


OVERLAPPING: list[dict] = [
    {"shape": (1, 2, 7, 8), "kernel": (2, 3), "stride": (1, 2)},
    {"shape": (1, 2, 8, 6), "kernel": (3, 2), "stride": (2, 1)},
]
_ACROSS = {"shape": (1, 9, 3, 4), "size": 5}
_WITHIN = {"shape": (1, 2, 5, 7), "size": 3, "within": True}

CHECKS = (
    check("relu", 4, relu({"count": 45}), teach=_relu_teach),
    check("relu in place", 2, relu_in_place({"count": 45}), teach=_relu_teach),
    check("relu backward", 4, relu_backward({"count": 45}), teach=_relu_teach),
    check("max pool", 6, pool(*OVERLAPPING), teach=_pool_teach),
    check("max pool backward", 6, pool_backward(*OVERLAPPING), teach=_pool_teach),
    check("matmul, one tile", 5, matmul({"shape": (16, 16, 16)}), teach=_matmul_teach),
    check("matmul, several tiles", 5, matmul({"shape": (32, 48, 64)}), teach=_matmul_teach),
    check("matmul, loads", 4, (_counted, _counted_run), teach=_counted_teach),
    check("lrn across", 5, lrn(_ACROSS), teach=_lrn_teach),
    check("lrn across backward", 5, lrn_backward(_ACROSS), teach=_lrn_teach),
    check("lrn within", 4, together(y=lrn(_WITHIN), g=lrn_backward(_WITHIN))),
)

ASSIGNMENT = Assignment("a5", "CUDA", targets=TARGETS["a5"], checks=CHECKS, hints=HINTS, written=WRITTEN)
