"""The CUDA kernels without a GPU: the fast build computes, the checked build catches what a kernel must not do."""

from __future__ import annotations

import functools
import subprocess
import sys

import numpy as np
import pytest
import usable

from minialex import backends
from minialex.backends.cuda import emulator
from minialex.backends.cuda import launch as cuda_launch
from minialex.backends.cuda.emulator import KernelError, check, mark_unwritten


@pytest.fixture(autouse=True)
def a_compiler():
    usable.or_skip("emulator")


def floats(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def unwritten(*shape, dtype=np.float32):
    array = np.empty(shape, dtype)
    mark_unwritten(array)
    return array


# ---------------------------------------------------------------------------------------------- kernels by themselves


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("count", [1, 31, 33, 1000])
@pytest.mark.parametrize(("grid", "block"), [(1, 1), (1, 32), (3, 64), (7, (4, 2, 2))])
def test_every_element_once_whatever_the_grid(launcher, dtype, count, grid, block):
    """Blocks of more than one dimension: the kernel only reads x, so every thread of the others repeats its work."""
    x, y = floats(count, dtype=dtype), np.full(count, 7, dtype)
    launcher("relu", grid, block, x, y, count)
    np.testing.assert_array_equal(y, np.maximum(x, 0))


@pytest.fixture
def launcher():
    return emulator.EmulatorLauncher()


REVERSE = """
extern "C" __global__ void reverse(global<const REAL> x, global<REAL> y, int n) {
    SHARED(REAL, tile, 64);
    int t = threadIdx.x;
    if (t < n) tile[t] = x[blockIdx.x * n + t];
    __syncthreads();
    if (t < n) y[blockIdx.x * n + t] = tile[n - 1 - t];
}
"""


def test_barriers_in_the_fast_build(launcher):
    """Each thread reads what another wrote before the barrier, in blocks of several sizes one after the other."""
    for block in (1, 2, 33, 64):
        x, y = floats(5, block), np.zeros((5, block), np.float32)
        kernel, text = cuda_launch.parse(REVERSE, "")[0], cuda_launch.source("common.cuh") + REVERSE
        real, values = launcher.check(kernel, [x, y, block])
        function = emulator._function(kernel, text, real, checked=False)
        dimensions = (emulator.ctypes.c_uint * 3)(5, 1, 1), (emulator.ctypes.c_uint * 3)(block, 1, 1)
        holders, pointers = emulator._pointers(values)
        function(*dimensions, 0, 5, pointers, None, None)
        del holders
        np.testing.assert_array_equal(y, x[:, ::-1])


# ---------------------------------------------------------------------------------------------- planted defects


def report_of(body, x=None, y=None, grid=1, block=32):
    """The Report of the kernel with this body, one of BODIES, on 32 written floats x and 32 unwritten ones y."""
    x, y = floats(32) if x is None else x, unwritten(32) if y is None else y
    name, text = f"k{BODIES.index(body)}", planted()
    (kernel,) = (k for k in cuda_launch.parse(text, "k.cu") if k.name == name)
    real, values = cuda_launch.Launcher().check(kernel, (x, y, 32))
    report = emulator.run_checked(kernel, text, real, cuda_launch.three(grid, ""), cuda_launch.three(block, ""), values)
    assert report.count >= len(report.problems)
    return report


@functools.cache
def planted():
    """A kernel `k<number>(x, y, n)` for each of BODIES, each in a file k.cu of its own: compiled once for all tests."""
    kernels = (
        f'#line 1 "k.cu"\nextern "C" __global__ void k{i}(global<const REAL> x, global<REAL> y, int n) {{\n{body}\n}}'
        for i, body in enumerate(BODIES)
    )
    return "\n".join((cuda_launch.source("common.cuh"), *kernels))


CLEAN = [
    "int i = threadIdx.x; if (i < n) y[i] = 2 * x[i];",
    "for (int i = threadIdx.x; i < n; i += 32) { y[i] = x[i]; y[i] += y[i] * x[n - 1 - i]; }",
    "SHARED(REAL, s, 32); int t = threadIdx.x; s[t] = x[t]; __syncthreads(); y[t] = s[31 - t];",
    "SHARED2(REAL, s, 4, 9); int t = threadIdx.x; s[t / 8][t % 8] = x[t]; __syncthreads(); y[t] = s[t % 4][t / 4];",
    "SHARED(REAL, s, 32); s[threadIdx.x] = 1; REAL a = block_sum(x[threadIdx.x], s); y[threadIdx.x] = a;",
    "SHARED(REAL, s, 1); if (threadIdx.x == 0) s[0] = x[0]; __syncthreads(); y[threadIdx.x] = s[0];",
    "store4(y, 4 * (threadIdx.x % 8), load4(x, 4 * (threadIdx.x % 8)));",
    "global<const REAL> half = x + 16; y[threadIdx.x] = half[(int)threadIdx.x - 16];",
]


@pytest.mark.parametrize("body", CLEAN)
def test_a_clean_kernel_is_not_accused(body):
    y = unwritten(32)
    assert report_of(body, y=y).problems == ()
    assert np.isfinite(y).all()


DEFECTS = {
    "reads past the end": (
        "y[threadIdx.x] = x[threadIdx.x + 1];",
        ", block (0, 0, 0), thread (31, 0, 0): reads x[32], but x has 32 elements",
    ),
    "reads before the start": ("y[threadIdx.x] = x[(int)threadIdx.x - 1];", "thread (0, 0, 0): reads x[-1], but x"),
    "writes past the end": ("\n y[threadIdx.x + 5] = 1;", ", block (0, 0, 0), thread (27, 0, 0): writes y[32]"),
    "through a moved pointer": ("global<const REAL> z = x + 30; y[threadIdx.x] = z[threadIdx.x % 4];", "reads x[32]"),
    "shared past the end": ("SHARED(REAL, s, 31); s[threadIdx.x] = 1;", "writes s[31], but s has 31 elements"),
    "shared past its row": (
        "SHARED2(REAL, s, 8, 4); s[threadIdx.x / 8][threadIdx.x % 8] = 1;",
        "s[0][4], but s has 8 rows of 4",
    ),
    "misaligned": (
        "Four f = load4(x, threadIdx.x % 2); y[threadIdx.x] = f.v[0];",
        "four elements at once from x[1], whose address 16 does not divide",
    ),
    "four past the end": ("Four f = load4(x, 32); y[threadIdx.x] = f.v[0];", "reads four from x[32]"),
    "reads its own unwritten output": ("y[threadIdx.x] += x[threadIdx.x];", "reads y[0], which nobody has written"),
    "reads unwritten shared memory": (
        "SHARED(REAL, s, 32); if (threadIdx.x < 31) s[threadIdx.x] = 1; __syncthreads(); "
        "y[threadIdx.x] = s[threadIdx.x];",
        "thread (31, 0, 0): reads s[31], which no thread of this block has written",
    ),
    "forgotten barrier": (
        "SHARED(REAL, s, 32); s[threadIdx.x] = 1; y[threadIdx.x] = s[31 - threadIdx.x];",
        "thread (16, 0, 0): race: reads s[15], which thread 15 wrote, with no barrier between",
    ),
    "the same cell": (
        "SHARED(REAL, s, 1); s[0] = x[threadIdx.x];",
        "thread (1, 0, 0): race: writes s[0], which thread 0 wrote",
    ),
    "writes what another still reads": (
        "SHARED(REAL, s, 32); int t = threadIdx.x; s[t] = 1; __syncthreads(); REAL a = s[(t + 1) % 32]; s[t] = a;",
        "which thread 0 read, with no barrier between",
    ),
    "a second reader": (
        "SHARED(REAL, s, 1); if (threadIdx.x == 7) s[0] = 1; __syncthreads(); REAL a = s[0]; "
        "if (threadIdx.x == 31) s[0] = a;",
        "thread (31, 0, 0): race: writes s[0], which thread 0 read",
    ),
    "the first reader writes": (
        "SHARED(REAL, s, 1); if (threadIdx.x == 7) s[0] = 1; __syncthreads(); REAL a = s[0]; "
        "__syncthreads(); a += s[0]; if (threadIdx.x == 31) s[0] = a;",
        "race: writes s[0]",
    ),
    "not all at the barrier": (
        "if (threadIdx.x < 16) __syncthreads(); y[threadIdx.x] = 1;",
        "waits at a barrier, but thread 31 has left the kernel",
    ),
    "an early return": (
        "if (threadIdx.x == 3) return; __syncthreads(); y[threadIdx.x] = 1;",
        "waits at a barrier, but thread 3 has left the kernel",
    ),
    "two barriers": (
        "if (threadIdx.x % 2)\n__syncthreads();\nelse\n__syncthreads();\ny[threadIdx.x] = 1;",
        "waits at a barrier, but thread 30 at the one in line 5",
    ),
}


OUTLIVES = "SHARED(REAL, s, 32); int t = threadIdx.x; if (blockIdx.x == 0) s[t] = 1; __syncthreads(); y[t] = s[t];"
TWICE_WRONG = "\ny[threadIdx.x + 32] = x[threadIdx.x + 32];"
BODIES = [*CLEAN, *(body for body, _ in DEFECTS.values()), OUTLIVES, TWICE_WRONG]


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_caught(name):
    body, said = DEFECTS[name]
    problems = report_of(body).problems
    assert any(said in problem for problem in problems), problems


def test_shared_memory_does_not_outlive_its_block():
    problems = report_of(OUTLIVES, grid=2).problems
    assert len(problems) == 3
    assert all("block (1, 0, 0)" in problem and "which no thread of this block" in problem for problem in problems)


def test_three_problems_of_a_kind_are_told_and_all_are_counted():
    report = report_of(TWICE_WRONG)
    assert report.count == 64 and len(report.problems) == 6
    assert sum("reads x" in problem for problem in report.problems) == 3
    assert all(problem.startswith(f"k.cu:3: k{len(BODIES) - 1}, block") for problem in report.problems)


def test_counts():
    """Each thread loads two floats and stores one; a run of 32 floats is 4 sectors of 32 bytes, far apart 32."""
    x, y = floats(64 * 32), unwritten(64)
    x, y = x[-x.ctypes.data % 32 // 4 :], y  # where a run begins decides how many sectors it touches
    body = "long long i = blockIdx.x * 32 + threadIdx.x; y[i] = x[i] + x[i * 31];"
    text = f'extern "C" __global__ void k(global<const REAL> x, global<REAL> y, int n) {{ {body} }}'
    report = check("k", 2, 32, x, y, 64, text=text)
    assert (report.loads, report.stores, report.most_loads, report.most_stores) == (128, 64, 2, 1)
    offset = y.ctypes.data % 32 != 0
    assert report.sectors == 2 * 4 + (32 + 32) + 2 * (4 + offset) and report.count == 0


def test_a_text_without_the_kernel():
    with pytest.raises(ValueError, match="the text defines no kernel 'k'; it defines other"):
        check("k", 1, 1, text='extern "C" __global__ void other(int n) {}')


def test_a_text_that_does_not_compile():
    with pytest.raises(OSError, match="k.cu:1.*nonsense"):
        check("k", 1, 1, 3, text='extern "C" __global__ void k(int n) { nonsense; }')


# ---------------------------------------------------------------------------------------------- the backend


@pytest.mark.heavy
def test_checked_by_an_environment_variable():
    program = (
        "import numpy as np; from minialex import Tensor, functional as F\n"
        "x = Tensor(np.ones((1, 2, 5, 5), np.float32), requires_grad=True, backend='emulator')\n"
        "y = F.max_pool2d(x.relu(), 3, 2); y.backward(np.ones(y.shape, np.float32)); print(x.backend.launch.checked)\n"
        "wide = x.backend.empty((4,), np.float32)\n"
        "from minialex.backends.cuda.emulator import KernelError\n"
        "try: x.backend.launch.elements('relu', 4, wide, wide.copy(), 4)\n"
        "except KernelError as error: print(error)\n"
    )
    environment = {**emulator.os.environ, "MINIALEX_CHECKED": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    first, *rest = done.stdout.splitlines()
    assert first == "True" and len(rest) == 3
    assert rest[0].startswith("relu.cu:") and "thread (0, 0, 0): reads x[0], which nobody has written" in rest[0]


def test_without_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    emulator.compiler.cache_clear()
    monkeypatch.setattr(backends, "_made", {})
    try:
        with pytest.raises(ValueError) as raised:
            backends.get_backend("emulator")
        assert "no-such-compiler is not installed: install g++" in str(raised.value) and "\n" not in str(raised.value)
    finally:
        emulator.compiler.cache_clear()


def test_a_kernel_error_names_the_place():
    launcher = emulator.EmulatorLauncher(checked=True)
    with pytest.raises(KernelError, match=r"relu.cu:\d+: relu, block \(0, 0, 0\), thread \(4, 0, 0\): reads x\[4\]"):
        launcher("relu", 1, 8, floats(4), unwritten(5), 5)
