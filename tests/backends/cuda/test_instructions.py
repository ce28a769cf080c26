"""Instructions are counted as the threads come by them; and what the kernels of AlexNet's layers may cost."""

from __future__ import annotations

import numpy as np
import pytest

from minialex.backends.cuda import compile as cuda_compile
from minialex.backends.cuda import instructions, launch
from minialex.backends.cuda.backend import CudaBackend
from minialex.window import Window


@pytest.fixture(autouse=True)
def nvrtc():
    try:
        cuda_compile.ptx("", "float")
    except OSError as error:
        pytest.skip(str(error))


def executed(body, *numbers, grid=1, block=1, parameters="int a, int b", real="float", blocks=None):
    """Instructions of a kernel with this body, and y to write to."""
    text = launch.source("common.cuh")
    text += f'extern "C" __global__ void k(global<const REAL> x, global<REAL> y, {parameters}) {{\n{body}\n}}\n'
    (kernel,) = launch.parse(text, "k.cu")
    array = np.zeros(1, {"float": np.float32, "double": np.float64}[real])
    dtype, values = launch.Launcher().check(kernel, (array, array, *numbers))
    grid, block = launch.three(grid, "grid"), launch.three(block, "block")
    return instructions.count(kernel, text, dtype, grid, block, values, blocks)


TIMES = "REAL sum = 0;\nfor (long long i = 0; i < (long long)({}); ++i) sum += sqrt(x[i]);\ny[0] = sum;"


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("a + b", 10),
        ("a - b", 4),
        ("b - a + 9", 5),
        ("a * b", 21),
        ("-a / b + 5", 3),  # towards zero
        ("-a % b + 5", 4),
        ("a / b", 2),
        ("(unsigned)-a / 1000000000u", 4),
        ("(unsigned)-a % 5u", 4),
        ("-a < b ? 3 : 4", 3),
        ("(unsigned)-a < (unsigned)b ? 3 : 4", 4),
        ("(a << b) >> 2", 14),
        ("(-a << 20 >> 20) + 9", 2),
        ("(unsigned)(-a << 20) >> 30", 3),
        ("(a & b) + (a | b) * 10 + (a ^ b)", 77),
        ("~a + 11", 3),
        ("min(a, -b) + max(a, b) + abs(-b)", 7),
        ("(long long)a * 1000000000 * b / 1000000000", 21),
        ("(int)((long long)a * 1000000000 % 100)", 0),
        ("((long long)a << 40 | (long long)b) % 1000", 435),
        ("(unsigned long long)-(long long)a / 1000000000000000000ull", 18),
        ("(int)((unsigned)a * 700000000u) < 0 ? 6 : 7", 7),  # 4.9e9 is above 2^32
        ("(int)((unsigned)a * 400000000u) < 0 ? 6 : 7", 6),  # 2.8e9 above 2^31
    ],
)
def test_whole_numbers(expression, wanted):
    """A loop that takes a square root each time; a = 7, b = 3, which the compiler does not know."""
    assert executed(TIMES.format(expression), 7, 3).square_roots == wanted


def test_the_sum_is_over_all_threads_and_turns():
    body = TIMES.format("blockIdx.x * 100 + blockIdx.y * 10 + threadIdx.y * a + threadIdx.x")
    turns = [100 * i + 10 * j + 5 * u + t for i in range(3) for j in range(2) for u in range(2) for t in range(4)]
    whole = executed(body, 5, 0, grid=(3, 2), block=(4, 2))
    assert (whole.square_roots, whole.threads) == (sum(turns), 48)
    assert whole.total > 4 * whole.square_roots and whole.divisions == whole.whole_divisions == 0
    some = executed(body, 5, 0, grid=(3, 2), block=(4, 2), blocks=[4])  # blockIdx (1, 1)
    assert (some.square_roots, some.threads) == (sum(110 + 5 * u + t for u in range(2) for t in range(4)), 8)


@pytest.mark.parametrize("real", ["float", "double"])
def test_kinds_of_divisions(real):
    found = executed("y[a / b] = x[b % a] / x[0] + (REAL)1 / x[1];", 9, 4, real=real)
    assert (found.divisions, found.whole_divisions, found.square_roots) == (2, 2, 0)
    assert sum(n for opcode, n in found.by_opcode.items() if opcode.startswith("st.global")) == 1


def test_a_number_of_the_launch_may_decide_but_none_of_an_array():
    body = "if (a > {}) y[0] = sqrt(x[0]);\nif (a <= {}) for (int i = 0; i < b; ++i) y[i] = sqrt(x[i]);"
    few = executed(body.format("(REAL)0.5", "(REAL)0.5"), 0.75, 9, parameters="REAL a, int b")
    many = executed(body.format("(REAL)0.5", "(REAL)0.5"), 0.25, 9, parameters="REAL a, int b")
    assert (few.square_roots, many.square_roots) == (1, 9)
    with pytest.raises(ValueError, match="k: not counted, its branches depend on the numbers in arrays"):
        executed("for (int i = 0; i < (int)x[0]; ++i) y[i] = sqrt(x[i + 1]);", 0, 0)
    chosen = executed("y[0] = x[0] > 0 ? x[1] : x[2];", 0, 0)  # both are loaded, and one is taken: no branch
    assert chosen.total > 0


def test_a_function_that_is_called_is_not_counted_as_one_instruction():
    body = "y[0] = pow(x[0], a);"
    with pytest.raises(ValueError, match=r"it calls \w*pow\w*, whose instructions are not counted"):
        executed(body, 0.3, 0, parameters="REAL a, int b", real="double")


# ---------------------------------------------------------------------------------------------- budgets

ALEXNET = {  # input, kernel, stride, padding
    "conv1": ((128, 3, 227, 227), 11, 4, 0),
    "conv2": ((128, 96, 27, 27), 5, 1, 2),
    "conv3": ((128, 256, 13, 13), 3, 1, 1),
}


class Counting(launch.Launcher):
    """Counts a block in the middle of each launch: {kernel: Instructions}."""

    def __init__(self):
        self.found = {}

    def launch(self, kernel, real, grid, block, values):
        text, blocks = launch.source(kernel.file), [int(np.prod(grid)) // 2]
        self.found[kernel.name] = instructions.count(kernel, text, real, grid, block, values, blocks)


def stored(found):
    return sum(n for opcode, n in found.by_opcode.items() if opcode.startswith("st.global"))


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("name", ALEXNET)
def test_im2col(name, dtype):
    shape, kernel, stride, padding = ALEXNET[name]
    counting, window = Counting(), Window.over(shape, kernel, stride, padding)
    x, columns = np.empty(shape, dtype), np.empty(1, dtype)
    CudaBackend(np, counting)._im2col(x, columns, window, 0, shape[0])
    found = counting.found["im2col"]
    assert found.total <= 35 * stored(found)
    assert found.whole_divisions <= 0.1 * stored(found)


def test_im2col_naive():
    """What it was before: about a hundred instructions for an entry, five divisions among them."""
    shape, kernel, stride, padding = ALEXNET["conv1"]
    counting, window, entries = Counting(), Window.over(shape, kernel, stride, padding), 3 * 11 * 11 * 128
    x = np.empty(shape, np.float32)
    counting.planes("im2col_naive", 55 * 55, entries, x, np.empty(1, np.float32), 3, window, 0, 128)
    found = counting.found["im2col_naive"]
    assert 100 < found.total / stored(found) < 110 and found.whole_divisions == 5 * stored(found)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("size", CudaBackend.in_registers)
def test_lrn_from_registers(size, dtype):
    backend, options = CudaBackend(np, Counting()), (size, 2e-5, 0.75, 2.0, False, 1)
    x = np.empty((2, 96, 8, 8), dtype)
    _, saved = backend.local_response_norm(x, *options, True)
    backend.local_response_norm_backward(x, saved, *options)
    forward, backward = (backend.launch.found[name] for name in ("lrn_registers", "lrn_registers_backward"))
    loads = [sum(n for code, n in f.by_opcode.items() if "ld.global" in code) / stored(f) for f in (forward, backward)]
    assert loads == [1, 2]
    assert forward.square_roots == 2 * stored(forward) and forward.divisions == stored(forward)
    assert backward.square_roots <= 3 * stored(backward) and backward.divisions <= 2 * stored(backward)


def test_lrn_anew():
    """What it was before: nearly ten of each, for the windows at the edges are shorter."""
    backend, options = CudaBackend(np, Counting()), (5, 2e-5, 0.75, 2.0, False, 1)
    backend.in_registers = ()
    x = np.empty((2, 96, 8, 8), np.float32)
    _, saved = backend.local_response_norm(x, *options, True)
    backend.local_response_norm_backward(x, saved, *options)
    found = backend.launch.found["lrn_across_backward"]
    assert found.square_roots == found.divisions == (5 * 96 - 6) * 2 * stored(found) / 96
