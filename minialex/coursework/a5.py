"""A5, CUDA: ReLU, max-pooling, the tiled matrix product and LRN as kernels, under the emulator's checked build.

Every check runs the library's host code over the student's kernels, with few threads; NumPy says what is expected.
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
        return "where y is 0 the gradient is 0: y = 0 means that x was not positive"
    return _precision(inputs, got, expected)


def _precision(inputs, got, expected):
    """Numbers that a float would hold."""
    for name, right in expected.items():
        error = np.abs(got[name].astype(np.float64) - right).max(initial=0)
        if 0 < error < 1e-5 * np.abs(right).max(initial=0):
            return f"{name} is right to about seven digits: somewhere a float stands where REAL should"
    return None


# ------------------------------------------------------------------------------------------------- max-pool


def _pool_draw(shape, padding=0, dilation=1, values=_normal):
    """x, gy and a window whose places overlap: higher than wide or wider than high, as the generator says."""

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
            return "winners number the places of the kernel row by row: u KW + v, not v KH + u"
        return "the maxima are right, but not where they stood: u KW + v counts from the window's own corner"
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
    """As _matmul, with a KernelError for more loads than each tile's cells, once."""
    product, launch = _matmul(a, b), kernels.launcher()
    if launch is not None:
        most = a.size * (b.shape[1] // kernels.SIDE) + b.size * (a.shape[0] // kernels.SIDE)
        loads = launch.loads["matmul_tiled"]
        if loads > most:
            work = a.size * b.shape[1]
            raise KernelError(
                f"matmul_tiled loads {loads} numbers from global memory for {work} multiplications; "
                f"{most} are enough: each thread loads one cell of either tile for a step along k, and "
                "what its neighbours loaded it reads from shared memory"
            )
    return product


def _matmul_teach(inputs, got, expected):
    a, b, c = inputs["a"], inputs["b"], got["c"]
    if a.shape == b.shape == c.shape:
        for product, what in ((a @ b.T, "b's"), (a.T @ b, "a's"), ((a @ b).T, "c's")):
            if np.allclose(product, c):
                return f"this is the product with {what} tile transposed: which of [ty][tx] is the row?"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- LRN


def _lrn_draw(shape, size, beta=0.75, groups=1):
    """x, gy and the constants; a is alpha / size, large enough for the window to matter."""

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
            return "the second term is missing: x stands in the scale of its neighbours too"
    if "y" in got and np.allclose(got["scale"], expected["scale"]) and not np.allclose(got["y"], expected["y"]):
        return "the scale is right; y = x scale^-beta is not made of it"
    return _precision(inputs, got, expected)


# ------------------------------------------------------------------------------------------------- hints


HINTS: dict[str, tuple[str, ...]] = {
    "relu": (
        "One thread is not one element: there may be fewer threads than elements.",
        "common.cuh has thread_number() and thread_count(); the comment above them has the loop.",
        "for (long long i = thread_number(); i < n; i += thread_count()): read x[i] once into a REAL, write y[i]. Ask "
        "what the comparison says of NaN: `value <= 0` is false for it.",
    ),
    "relu_in_place": (
        "The loop is relu's.",
        "What is positive, or NaN, need not be written at all.",
        "Read x[i] into a REAL; if it is <= 0, write 0 to x[i].",
    ),
    "relu_backward": (
        "Which of x and y does the kernel get?",
        "y > 0 exactly where x > 0. And where y is NaN, a gradient must not end unseen.",
        "gx[i] = y[i] <= 0 ? (REAL)0 : gy[i], in relu's loop.",
    ),
    "max_pool2d": (
        "Read avg_pool2d below: the walk over maps, places and the window is the same.",
        "A pixel outside of the picture is skipped, it is not 0. Keep the best value, and the number of its place.",
        "best begins at minus infinity and winner at -1; a value wins if winner < 0, if it is greater, or if it is NaN "
        "(value != value). winners gets u * w.kernel[1] + v, but only if `save`.",
    ),
    "max_pool2d_backward": (
        "Turn it round: a thread for each pixel asks which windows it has won. Then no two threads add to one cell.",
        "Read avg_pool2d_backward and Meeting in common.cuh: it tells which windows hold a pixel, and at which tap.",
        "For each window (i, j) that meets the pixel: u = rows.tap(i), v = columns.tap(j), both >= 0; if winners "
        "of that window is u * w.kernel[1] + v, add its gy. Write gx once, at the end.",
    ),
    "matmul_tiled": (
        "Which two tiles does a block need for one step of 16 along k? Who loads which cell?",
        "Each thread loads one cell of either tile; __syncthreads(); each adds up 16 products; __syncthreads(). "
        "Threads outside of c load and wait with the others.",
        "a_tile[ty][tx] is a[i][first + tx], b_tile[ty][tx] is b[first + ty][j], and 0 where the matrix has ended; the "
        "sum takes a_tile[ty][k] * b_tile[k][tx]; c is written after the loop, where i < rows and j < columns.",
    ),
    "lrn_across": (
        "A thread has one place of the picture, and walks through the channels at that place.",
        "FOR_EACH_PLANE over n * (channels / block) planes, FOR_EACH_PLACE over places; the next channel is `places` "
        "numbers further.",
        "For channel c of a block: add up value^2 for j from max(0, c - size / 2) to below min(block, c - size / 2 + "
        "size); d = k + a * sum; y = x * minus_power(d, beta); scale = d if `save`.",
    ),
    "lrn_across_backward": (
        "x[c] stands in its own numerator, and in the scale of every channel whose window holds c.",
        "Whose windows hold c? For size 4 the window reaches two to the left and one to the right: the mirrored one.",
        "after = size - 1 - size / 2; j from max(0, c - after) to below min(block, c - after + size): add up "
        "gy[j] x[j] d[j]^(-beta - 1); gx = gy d^-beta - 2 a beta x sum.",
    ),
    "lrn_within": (
        "lrn_across with a window in two directions, around a pixel of one map.",
        "row = place / width, column = place % width; both directions have the same bounds, cut off at the edges.",
        "Rows i from max(0, row - size / 2) to below min(height, row - size / 2 + size), columns j likewise.",
    ),
    "lrn_within_backward": (
        "The same two terms as across channels.",
        "The window is mirrored in both directions.",
        "after = size - 1 - size / 2 in both directions; the sum is of gy x minus_power(d, beta) / d.",
    ),
}


WRITTEN = (
    Question(
        "A matrix product of two 1024 x 1024 matrices of float: how many bytes does matmul_naive load from global "
        "memory, how many does matmul_tiled, and how long does either take at least on a GPU that moves 500 GB/s and "
        "computes 10 TFLOP/s? What does each of them wait for?",
        4,
        (
            "1: naive loads 2 x 1024^3 numbers, 8.6 GB; tiled a 16th of that, 0.54 GB",
            "1: 17 ms and 1.1 ms for the loads",
            "1: 2 x 1024^3 = 2.1 GFLOP take 0.2 ms: both wait for memory",
            "1: says what a cache changes (naive loads less from memory than it asks for), or what a larger tile would",
        ),
    ),
    Question(
        "max_pool2d_backward could have a thread for each output, which adds its gy to the pixel that won. What goes "
        "wrong for windows of 3 with stride 2, and why may it go unseen in a test? Name two ways out.",
        3,
        (
            "1: two windows may have one winner: two threads read, add and write one cell, and one addition is lost",
            "1: unseen because it depends on who runs when, and on the data: with stride 3, or few threads, never",
            "1: a thread for each pixel that gathers (no write is shared), and atomicAdd (whose order, so whose "
            "rounding, varies)",
        ),
    ),
    Question(
        "Why must the threads outside of c in matmul_tiled not return at once? Say what happens on the emulator, and "
        "what may happen on a GPU.",
        3,
        (
            "1: the others wait for them at __syncthreads(), which all threads of a block must reach",
            "1: they are needed for loading: a thread outside of c may be inside of a or b",
            "1: the emulator reports it; on a GPU it is undefined: it may hang, or go on with tiles half filled",
        ),
    ),
)


TARGETS = (
    Target("kernels/relu.cu", ("relu", "relu_in_place", "relu_backward")),
    Target("kernels/pool.cu", ("max_pool2d", "max_pool2d_backward")),
    Target("kernels/matmul.cu", ("matmul_tiled",)),
    Target("kernels/lrn.cu", ("lrn_across", "lrn_across_backward", "lrn_within", "lrn_within_backward")),
)


def _prepare(submission, built):
    kernels.prepare(TARGETS, submission, built)


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
    prepare=_prepare,
)
