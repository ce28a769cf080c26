"""The puzzles, as data: what each asks for, in NumPy, on which awkward sizes, within which budgets.

A budget is a most of what `running.Counts` counts, for one launch. A right kernel that does not know the trick of its
puzzle exceeds it; the measured need of the solution is in the comment beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from minialex.window import Window

OUTPUT = "output"  # stands among the arguments of a case for the array that the kernel writes


@dataclass(frozen=True)
class Part:
    """A piece of an array too long to be stored: `values` from element `start` on, of `size`; the rest is 0."""

    size: int
    start: int
    values: np.ndarray


@dataclass(frozen=True)
class Case:
    """One launch.

    told: what is special about it, for the verdict.
    grid, block: up to three numbers each.
    arguments: the kernel's; OUTPUT for the array that it writes.
    expected: what must stand there.
    budget: most of each count; none where values alone are checked.
    blocks: numbers of the blocks that run, (first, past the last); None for all.
    rule: what to keep to where values are wrong in this case; without it the formula is.
    """

    told: str
    grid: tuple
    block: tuple
    arguments: tuple
    expected: np.ndarray | Part
    budget: dict[str, int] = field(default_factory=dict)
    blocks: tuple[int, int] | None = None
    rule: str = ""

    @property
    def output(self):
        """The number of the argument that the kernel writes."""
        return next(number for number, argument in enumerate(self.arguments) if isinstance(argument, str))


@dataclass(frozen=True)
class Puzzle:
    """What a kernel is to do.

    kernel: its name; parameters: as its first line declares them.
    formula: for the verdict on wrong values.
    cases: a function that makes the Cases, in the order in which they are tried.
    rules: what to keep to, for each count that a budget limits.
    """

    kernel: str
    parameters: str
    formula: str
    cases: Callable[[], list[Case]]
    rules: dict[str, str]

    @property
    def declaration(self):
        """The kernel's first line."""
        return f'extern "C" __global__ void {self.kernel}({self.parameters})'


def whole(*shape, seed=0, low=-9, high=9):
    """Small whole numbers, none of them 0: their sums are exact in whatever order they are added."""
    values = np.random.default_rng(seed).integers(low, high, shape, endpoint=True)
    return np.where(values == 0, high, values).astype(np.float32)


def blocks(n, size):
    return -(-n // size)


# ---------------------------------------------------------------------------------------------- map

SLOPE = np.float32(0.25)


def leaky_relu(x):
    return np.where(x > 0, x, SLOPE * x)


def _map_cases():
    cases = []
    for n in (1, 63, 64, 191, 193, 1000):
        x = whole(n, seed=n)
        budget = {"loads": n, "sectors": 400} if n == 1000 else {}  # 1000 and 250; two stores in an if: 375
        cases.append(Case(f"n = {n}", (3,), (64,), (x, OUTPUT, SLOPE, n), leaky_relu(x), budget))
    n = 2**31 + 77
    start = (n - 1) // 64 * 64  # where the last block begins
    x = Part(n, start, whole(n - start, seed=7))
    last = blocks(n, 64)
    told = f"n = {n:,}, of which only the last block is run"
    cases.append(
        Case(told, (last,), (64,), (x, OUTPUT, SLOPE, n), Part(n, start, leaky_relu(x.values)), {}, (last - 1, last))
    )
    return cases


# ---------------------------------------------------------------------------------------------- stencil

REACH, STENCIL = 3, 64


def triangle(x):
    """y[i] = sum of (4 - |d|) x[i + d] over d from -3 to 3; 0 outside x."""
    return np.convolve(x, [1, 2, 3, 4, 3, 2, 1], "full")[REACH : REACH + len(x)].astype(np.float32)


def _stencil_cases():
    cases = []
    for n in (1, 3, 64, 65, 130, 640):
        x = whole(n, seed=n)
        count = blocks(n, STENCIL)
        budget = {"loads": count * (STENCIL + 2 * REACH), "shared_bytes": 4 * (STENCIL + 2 * REACH)}  # 694 and 280
        told = f"n = {n}"
        cases.append(Case(told, (count,), (STENCIL,), (x, OUTPUT, n), triangle(x), budget if n == 640 else {}))
    return cases


# ---------------------------------------------------------------------------------------------- im2col


def im2col(x, window):
    """columns[(c, u, v), (i, j)] = x[c, i s + u - p, j s + v - p]; 0 outside."""
    (top, bottom), (left, right) = window.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    views = np.lib.stride_tricks.sliding_window_view(padded, window.kernel, axis=(1, 2))
    views = views[:, :: window.stride[0], :: window.stride[1]]
    return np.ascontiguousarray(views.transpose(0, 3, 4, 1, 2)).reshape(-1, math.prod(window.output))


def _im2col_cases():
    cases = []
    for shape, kernel, stride, padding in (
        ((1, 1, 1), 1, 1, 0),
        ((2, 5, 7), (3, 2), 1, 0),
        ((3, 7, 5), (2, 3), (2, 1), (1, 0)),
        ((2, 6, 9), 3, (1, 2), (0, 2)),
        ((4, 13, 13), 3, 1, 1),
    ):
        x, window = whole(*shape, seed=sum(shape)), Window.over((1, *shape), kernel, stride, padding)
        columns = im2col(x, window)
        told = f"x {shape}, kernel {window.kernel}, stride {window.stride}, padding {padding}"
        budget = {"sectors": 2300} if shape[0] == 4 else {}  # 1690; two stores in an if: 2006
        arguments = x, OUTPUT, shape[0], window
        cases.append(Case(told, (blocks(columns.size, 128),), (128,), arguments, columns, budget))
    return cases


# ---------------------------------------------------------------------------------------------- pooling

POOL = 8  # a block makes 8 x 8 outputs
PATCH = 2 * POOL + 1  # and needs 17 x 17 pixels


def max_pool(x):
    """y[m, i, j] = max of x[m, 2 i + u, 2 j + v] over u, v from 0 to 2; windows may hang over the edge."""
    _, height, width = x.shape
    outputs = [max(0, -(-(side - 3) // 2)) + 1 for side in (height, width)]
    padded = np.pad(x, ((0, 0), (0, 2), (0, 2)), constant_values=-np.inf)
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return np.ascontiguousarray(views[:, : outputs[0], : outputs[1]].max(axis=(3, 4)))


def _pool_cases():
    cases = []
    for shape in ((1, 3, 3), (2, 4, 5), (1, 17, 18), (3, 13, 24), (2, 65, 33)):
        x = whole(*shape, seed=shape[1], low=-99, high=-1)
        y = max_pool(x)
        grid = blocks(y.shape[2], POOL), blocks(y.shape[1], POOL), shape[0]
        told = f"x {shape}, y {y.shape}, every x below 0"
        budget = {"loads": math.prod(grid) * PATCH**2, "shared_bytes": 4 * PATCH**2} if shape[1] == 65 else {}
        cases.append(Case(told, grid, (POOL, POOL), (x, OUTPUT, *shape[1:], *y.shape[1:]), y, budget))
    return cases


# ---------------------------------------------------------------------------------------------- reductions


def block_sums(x, size):
    return np.pad(x, (0, -len(x) % size)).reshape(-1, size).sum(axis=1)


def _sum_cases(size, budget):
    cases = []
    for n in (1, size - 1, size, size + 1, 3 * size - 50, 4 * size):
        x = whole(n, seed=n)
        grid = (blocks(n, size),)
        cases.append(
            Case(f"n = {n}", grid, (size,), (x, OUTPUT, n), block_sums(x, size), budget if n == 4 * size else {})
        )
    return cases


# ---------------------------------------------------------------------------------------------- matrix product

SIDE = 16


def _product_cases():
    cases = []
    for rows, columns, depth in ((1, 1, 1), (5, 3, 2), (16, 16, 16), (17, 15, 33), (33, 50, 18), (48, 48, 48)):
        a, b = whole(rows, depth, seed=rows), whole(depth, columns, seed=depth)
        grid = blocks(columns, SIDE), blocks(rows, SIDE)
        loads = math.prod(grid) * 2 * SIDE * depth  # of strips of 16 rows and 16 columns
        budget = {"loads": loads, "conflicts": 0, "shared_bytes": 2 * 4 * SIDE**2}
        told = f"a ({rows}, {depth}), b ({depth}, {columns})"
        arguments = a, b, OUTPUT, rows, columns, depth
        cases.append(Case(told, grid, (SIDE, SIDE), arguments, a @ b, budget if rows == 48 else {}))
    return cases


# ---------------------------------------------------------------------------------------------- LRN


def lrn(x, alpha, k):
    """y[c] = x[c] (k + alpha (x[c - 2]^2 + ... + x[c + 2]^2))^(-3/4), channels outside left out."""
    squares = np.pad(x.astype(np.float64) ** 2, ((2, 2), (0, 0)))
    sums = sum(squares[j : j + len(x)] for j in range(5))
    return (x * (k + alpha * sums) ** -0.75).astype(np.float32)


def _lrn_cases():
    cases = []
    for channels, places, strong in ((1, 1, None), (2, 65, None), (7, 10, 3), (12, 100, 4), (16, 128, None)):
        x = whole(channels, places, seed=channels)
        if strong is not None:
            x[strong] *= 10_000
        told = f"{channels} channels of {places} places" + (f", channel {strong} 10,000 times as strong" * bool(strong))
        budget = {"loads": channels * places} if channels == 16 else {}
        arguments = x, OUTPUT, channels, places, np.float32(0.5), np.float32(2)
        rule = "a sum from which the strong square is subtracted again keeps its rounding error" * bool(strong)
        cases.append(Case(told, (blocks(places, 64),), (64,), arguments, lrn(x, 0.5, 2), budget, rule=rule))
    return cases


# ---------------------------------------------------------------------------------------------- softmax


def softmax(x):
    powers = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _softmax_cases():
    cases = []
    for rows, columns, scale in ((1, 1, 1), (2, 64, 1), (3, 10, 0.25), (2, 150, 0.5), (2, 70, 1000)):
        x = whole(rows, columns, seed=columns) * np.float32(scale)
        told = f"{rows} rows of {columns} numbers" + ", up to 9,000" * (scale == 1000)
        rule = "the exponential of 89 is more than a float holds: subtract the largest first" * (scale == 1000)
        cases.append(Case(told, (rows,), (64,), (x, OUTPUT, columns), softmax(x), rule=rule))
    return cases


# ---------------------------------------------------------------------------------------------- the table

_COUNT = "The emulator counts what the source asks for."
PUZZLES = {
    "map": Puzzle(
        "leaky_relu",
        "global<const REAL> x, global<REAL> y, REAL slope, long long n",
        "y[i] = x[i] where x[i] > 0, else slope * x[i], for every i below n, however many threads there are",
        _map_cases,
        {
            "loads": f"Load a number once, into a variable, and use that. {_COUNT}",
            "sectors": "Neighbouring threads take neighbouring elements: then 32 floats lie in 4 sectors.",
        },
    ),
    "stencil": Puzzle(
        "stencil",
        "global<const REAL> x, global<REAL> y, int n",
        "y[i] = sum of (4 - |d|) x[i + d] over d from -3 to 3, where x is 0 outside",
        _stencil_cases,
        {
            "loads": "What several threads of a block need is loaded once, and goes through shared memory.",
            "shared_bytes": "A block needs its own 64 elements and 3 at either side, no more.",
        },
    ),
    "im2col": Puzzle(
        "im2col",
        "global<const REAL> x, global<REAL> columns, int channels, Window w",
        "columns[(c, u, v), (i, j)] = x[c, i stride + u - before, j stride + v - before], 0 outside the picture",
        _im2col_cases,
        {"sectors": "Neighbouring threads touch neighbouring numbers, in reading and in writing."},
    ),
    "pooling": Puzzle(
        "max_pool",
        "global<const REAL> x, global<REAL> y, int height, int width, int out_height, int out_width",
        "y[m, i, j] = the largest x[m, 2 i + u, 2 j + v] with u, v from 0 to 2, of those inside the picture",
        _pool_cases,
        {
            "loads": "Windows overlap: a pixel that several of a block's windows hold is loaded once for all of them.",
            "shared_bytes": "8 x 8 windows, 3 wide and 2 apart, cover 17 x 17 pixels.",
        },
    ),
    "sum": Puzzle(
        "block_sums",
        "global<const REAL> x, global<REAL> sums, int n",
        "sums[b] = the sum of the 128 elements of block b, of which the last block may have fewer",
        lambda: _sum_cases(128, {"most": 40, "loads": 512}),  # 25 and 512
        {
            "most": "In each round half of the numbers are added to the other half: 7 rounds for 128, not 127 steps.",
            "loads": "Every element is loaded once.",
        },
    ),
    "sum without waiting": Puzzle(
        "block_sums",
        "global<const REAL> x, global<REAL> sums, int n",
        "sums[b] = the sum of the 256 elements of block b, of which the last block may have fewer",
        lambda: _sum_cases(256, {"conflicts": 0, "steps": 4 * 64}),  # 0 and 4 * 54
        {
            "steps": "A warp takes a step when only one of its lanes has work. Those that work should be neighbours.",
            "conflicts": "Word i of shared memory lies in bank i % 32, and a bank delivers one word in a turn.",
        },
    ),
    "product": Puzzle(
        "product",
        "global<const REAL> a, global<const REAL> b, global<REAL> c, int rows, int columns, int depth",
        "c[i, j] = sum of a[i, k] b[k, j] over k from 0 to depth - 1",
        _product_cases,
        {
            "loads": "For each step of 16 along k a block loads 16 x 16 numbers of a and of b: one a thread of either.",
            "conflicts": "Word i lies in bank i % 32. A warp is two rows of the block: its 16 + 16 words lie in "
            "different banks, or are the same word.",
            "shared_bytes": "Two tiles of 16 x 16 floats are 2,048 bytes.",
        },
    ),
    "lrn": Puzzle(
        "lrn",
        "global<const REAL> x, global<REAL> y, int channels, int places, REAL alpha, REAL k",
        "y[c, l] = x[c, l] (k + alpha (x[c - 2, l]^2 + ... + x[c + 2, l]^2))^(-3/4), over the channels that there are",
        _lrn_cases,
        {"loads": "The window moves by one channel: four of its five numbers are known already. Keep them."},
    ),
    "softmax": Puzzle(
        "softmax",
        "global<const REAL> x, global<REAL> y, int columns",
        "y[r, j] = exp(x[r, j] - m) / sum of exp(x[r, k] - m) over k, where m is the largest of row r",
        _softmax_cases,
        {},
    ),
}


@cache
def cases(name):
    """The Cases of a puzzle, made once."""
    return PUZZLES[name].cases()
