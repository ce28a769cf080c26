"""A5, CUDA: ReLU, max-pooling, the tiled matrix product and LRN as kernels, in the emulator's checked build.

Every check runs the library's host code on the student's kernels, with few threads; NumPy gives the expected results.
"""

from __future__ import annotations

import numpy as np

from .. import backends
from ..backends.cuda.emulator import KernelError
from ..window import Window
from . import kernels
from .declaration import Assignment, Check, Question, Target


def _normal(rng, *shape, dtype=np.float64):
    return rng.standard_normal(shape).astype(dtype)


# ------------------------------------------------------------------------------------------------- relu


def _relu_draw(count):
    return lambda rng: {"x": _normal(rng, count)}


def _relu(x):
    return {"y": kernels.layers().relu(x)}


def _relu_in_place(x):
    changed = x.copy()
    kernels.layers().relu(changed, out=changed)
    return {"x": changed}


def _relu_backward_draw(count):
    return lambda rng: {"gy": _normal(rng, count), "y": np.maximum(_normal(rng, count), 0)}


def _relu_backward(gy, y):
    return {"gx": kernels.layers().relu_backward(gy, y)}


def _relu_all(x, gy):
    y = np.maximum(x, 0)
    return _relu(x) | {"in_place": _relu_in_place(x)["x"]} | _relu_backward(gy, y)


def _not_a_number(rng):
    x = _normal(rng, 40)
    x[rng.permutation(40)[:6]] = np.nan
    return {"x": x, "gy": _normal(rng, 40)}


def _relu_teach(inputs, got, expected):
    if "gx" in got and np.array_equal(got["gx"], np.where(inputs["y"] >= 0, inputs["gy"], 0)):
        return "where y is 0 the gradient is 0, since y = 0 means that x was not positive"
    return _precision(inputs, got, expected)


def _precision(inputs, got, expected):
    """Explains results with only the precision of float."""
    for name, right in expected.items():
        error = np.abs(got[name].astype(np.float64) - right).max(initial=0)
        if 0 < error < 1e-5 * np.abs(right).max(initial=0):
            return f"{name} is correct to only about seven digits: somewhere float is used instead of REAL"
    return None


# ------------------------------------------------------------------------------------------------- max-pool


def _pool_draw(shape, padding=0, dilation=1, values=_normal):
    """draw: x, gy and an overlapping window, randomly 2 x 3 or 3 x 2."""

    def draw(rng):
        kernel, stride = rng.permutation([2, 3]), rng.permutation([1, 2])
        window = Window.over_pool(shape, tuple(kernel), tuple(stride), padding, dilation)
        inputs = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
        return inputs | {"x": values(rng, *shape), "gy": _normal(rng, *shape[:2], *window.output)}

    return draw


def _window(x, kernel, stride, padding, dilation):
    return Window.over_pool(x.shape, tuple(kernel), tuple(stride), padding, dilation)


def _pool(x, gy, **numbers):
    y, winners = kernels.layers().max_pool2d(x, _window(x, **numbers), True)
    return {"y": y, "winners": winners}


def _pool_backward(x, gy, **numbers):
    window = _window(x, **numbers)
    _, winners = backends.get_backend("numpy").max_pool2d(x, window, True)
    return {"gx": kernels.layers().max_pool2d_backward(gy, winners, window)}


def _pool_both(x, gy, **numbers):
    return _pool(x, gy, **numbers) | _pool_backward(x, gy, **numbers)


def _negative(rng, *shape):
    return -0.1 - rng.random(shape)


def _few(rng, *shape):
    return rng.integers(0, 3, shape).astype(np.float64)


def _some_nan(rng, *shape):
    x = _normal(rng, *shape)
    x[:, :, rng.integers(2, shape[2] - 2), rng.integers(2, shape[3] - 2)] = np.nan
    return x


def _pool_teach(inputs, got, expected):
    if "winners" in got and np.allclose(got["y"], expected["y"]):
        height, width = (int(size) for size in inputs["kernel"])
        u, v = expected["winners"] // width, expected["winners"] % width
        if np.array_equal(got["winners"], v * height + u):
            return "winners count the positions in the kernel row by row: u KW + v, not v KH + u"
        return "the maxima are correct, but not the winners: u KW + v is relative to the corner of the window"
    if "gx" in got and np.abs(got["gx"]).sum() < np.abs(expected["gx"]).sum():
        return "gradients are missing: windows overlap, so a pixel may have won in several of them"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- matrix product


def _matmul_draw(rows, columns, depth, dtype=np.float64):
    return lambda rng: {"a": _normal(rng, rows, depth, dtype=dtype), "b": _normal(rng, depth, columns, dtype=dtype)}


def _matmul(a, b):
    launch = kernels.launcher()
    if launch is None:
        return {"c": a @ b}
    (rows, depth), columns = a.shape, b.shape[1]
    c = launch.empty((rows, columns), a.dtype)
    blocks = -(-rows // kernels.SIDE) * -(-columns // kernels.SIDE)
    launch("matmul_tiled", blocks, (kernels.SIDE, kernels.SIDE), a, b, c, rows, columns, depth)
    return {"c": c}


def _matmul_loads(a, b):
    """As _matmul, but raises KernelError if any cell of a tile is loaded more than once."""
    product, launch = _matmul(a, b), kernels.launcher()
    if launch is not None:
        most = a.size * (b.shape[1] // kernels.SIDE) + b.size * (a.shape[0] // kernels.SIDE)
        loads = launch.loads["matmul_tiled"]
        if loads > most:
            work = a.size * b.shape[1]
            raise KernelError(
                f"matmul_tiled loads {loads} numbers from global memory for {work} multiplications; "
                f"{most} are enough: in each step along k, a thread loads one cell of either tile, and reads "
                "what its neighbours loaded from shared memory"
            )
    return product


def _matmul_teach(inputs, got, expected):
    a, b, c = inputs["a"], inputs["b"], got["c"]
    if a.shape == b.shape == c.shape:
        for product, what in ((a @ b.T, "b's"), (a.T @ b, "a's"), ((a @ b).T, "c's")):
            if np.allclose(product, c):
                return f"this is the product with {what} tile transposed: which index of [ty][tx] is the row?"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- LRN


def _lrn_draw(shape, size, beta=0.75, groups=1):
    """draw: x, gy and the constants; a is alpha / size, large enough for the window to matter."""

    def draw(rng):
        numbers = {"size": size, "a": rng.uniform(0.2, 0.5), "beta": beta, "k": rng.uniform(1, 2), "groups": groups}
        return numbers | {"x": _normal(rng, *shape), "gy": _normal(rng, *shape)}

    return draw


def _lrn(x, gy, size, a, beta, k, groups, within=False):
    y, (_, d) = kernels.layers().local_response_norm(x, size, a, beta, k, within, groups, True)
    return {"y": y, "scale": d}


def _lrn_backward(x, gy, size, a, beta, k, groups, within=False):
    _, saved = backends.get_backend("numpy").local_response_norm(x, size, a, beta, k, within, groups, True)
    gx = kernels.layers().local_response_norm_backward(gy, saved, size, a, beta, k, within, groups)
    return {"gx": gx}


def _lrn_both(within=False):
    def run(**inputs):
        return _lrn(**inputs, within=within) | _lrn_backward(**inputs, within=within)

    return run


def _lrn_every(**inputs):
    across, within = _lrn_both()(**inputs), _lrn_both(within=True)(**inputs)
    return across | {f"{name} within": value for name, value in within.items()}


def _lrn_teach(inputs, got, expected):
    if "gx" in got and inputs["x"].shape == got["gx"].shape:
        _, (_, d) = backends.get_backend("numpy").local_response_norm(
            inputs["x"], inputs["size"], inputs["a"], inputs["beta"], inputs["k"], False, inputs["groups"], True
        )
        if np.allclose(got["gx"], inputs["gy"] * d ** -inputs["beta"]):
            return "the second term is missing: x is part of the scale of its neighbours too"
    if "y" in got and np.allclose(got["scale"], expected["scale"]) and not np.allclose(got["y"], expected["y"]):
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


TARGETS = (
    Target("kernels/relu.cu", ("relu", "relu_in_place", "relu_backward")),
    Target("kernels/pool.cu", ("max_pool2d", "max_pool2d_backward")),
    Target("kernels/matmul.cu", ("matmul_tiled",)),
    Target("kernels/lrn.cu", ("lrn_across", "lrn_across_backward", "lrn_within", "lrn_within_backward")),
)


def _hidden(name, points, draw, run, **options):
    return Check(name, points, draw, run, public=False, rtol=1e-12, **options)


def _public(name, points, draw, run, teach):
    return Check(name, points, draw, run, rtol=1e-12, teach=teach)


ASSIGNMENT = Assignment(
    "a5",
    "CUDA",
    targets=TARGETS,
    checks=(
        _public("relu", 4, _relu_draw(45), _relu, _relu_teach),
        _public("relu in place", 2, _relu_draw(45), _relu_in_place, _relu_teach),
        _public("relu backward", 4, _relu_backward_draw(45), _relu_backward, _relu_teach),
        _public("max pool", 6, _pool_draw((1, 2, 7, 8)), _pool, _pool_teach),
        _public("max pool backward", 6, _pool_draw((1, 2, 7, 8)), _pool_backward, _pool_teach),
        _public("matmul, one tile", 5, _matmul_draw(16, 16, 16), _matmul, _matmul_teach),
        _public("matmul, several tiles", 5, _matmul_draw(32, 48, 64), _matmul, _matmul_teach),
        _public("matmul, loads", 4, _matmul_draw(48, 32, 32), _matmul_loads, _matmul_teach),
        _public("lrn across", 5, _lrn_draw((1, 9, 3, 4), 5), _lrn, _lrn_teach),
        _public("lrn across backward", 5, _lrn_draw((1, 9, 3, 4), 5), _lrn_backward, _lrn_teach),
        _public("lrn within", 4, _lrn_draw((1, 2, 5, 7), 3), _lrn_both(within=True), _lrn_teach),
        _hidden(
            "relu, more elements than threads",
            5,
            lambda rng: {"x": _normal(rng, 300), "gy": _normal(rng, 300)},
            _relu_all,
        ),
        _hidden("relu of NaN", 3, _not_a_number, _relu_all),
        _hidden("max pool with padding", 3, _pool_draw((1, 2, 6, 7), padding=1, values=_negative), _pool),
        _hidden("max pool of equals", 3, _pool_draw((1, 2, 7, 8), values=_few), _pool),
        _hidden("max pool of NaN", 2, _pool_draw((1, 2, 7, 8), values=_some_nan), _pool),
        _hidden("max pool, many maps", 4, _pool_draw((2, 4, 12, 15)), _pool_both),
        _hidden("max pool, dilated", 4, _pool_draw((1, 2, 8, 9), padding=1, dilation=2, values=_negative), _pool_both),
        _hidden("matmul, ragged", 5, _matmul_draw(19, 37, 21), _matmul),
        Check("matmul in float", 2, _matmul_draw(16, 32, 48, np.float32), _matmul, public=False, rtol=1e-5),
        _hidden("lrn across, in groups", 4, _lrn_draw((2, 10, 2, 3), 3, groups=2), _lrn_both()),
        _hidden("lrn, even window", 3, _lrn_draw((1, 7, 6, 5), 4, beta=0.6), _lrn_every),
        _hidden("lrn, many places", 2, _lrn_draw((2, 6, 9, 10), 5), _lrn_every),
    ),
    hints=HINTS,
    written=WRITTEN,
)
