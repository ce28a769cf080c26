"""CUDA puzzles: the verdict on a kernel is right, names the right line, and nothing that a kernel does ends the grader.

The wrong kernels stand in tutorials/checks/kernels_10.py; tests/tutorials/test_tutorials.py checks what is said about
them. Here are the lines that are named, and texts that are not kernels.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import puzzling
import pytest
import usable

from minialex.backends.cuda import emulator

pytestmark = pytest.mark.heavy
TUTORIALS = Path(__file__).resolve().parents[2] / "tutorials"


@pytest.fixture
def puzzles(monkeypatch):
    usable.or_skip("emulator")
    monkeypatch.syspath_prepend(str(TUTORIALS))
    import puzzles

    return puzzles


STUB = 'extern "C" __global__ void leaky_relu(global<const REAL> x, global<REAL> y, REAL slope, long long n) {{\n{}\n}}'


@pytest.fixture
def told(puzzles):
    """told(the lines of a kernel for the puzzle `map`): the verdict."""
    return lambda body: puzzles.grade("map", STUB.format(body))


def test_every_wrong_kernel_is_wrong_in_the_line_that_is_named(puzzles):
    from checks import lesson_10

    puzzling.compile_all()
    named = 0
    for exercise in lesson_10.EXERCISES.values():
        assert len(exercise.mistakes) >= 5 and len(exercise.hints) == 3
        for wrong, _ in exercise.mistakes:
            right, text = exercise.judged(wrong)
            (number, line), *more = [x for x in enumerate(wrong.splitlines(), 1) if "// here" in x[1]] or [(0, "")]
            assert right is False and not more
            if number:
                named += 1
                assert f"line {number}" in text, text
                assert f"line {number}, block" not in text or f"{number:3} | {line.strip()}" in text, text
    assert named >= 55


def test_every_budget_is_needed_by_the_solution_and_exceeded_by_someone(puzzles):
    from checks import lesson_10

    puzzling.compile_all()
    for exercise in lesson_10.EXERCISES.values():
        (name,) = exercise.judged.args
        budgets = {count for case in puzzles.specifications.cases(name) for count in case.budget}
        assert budgets == set(puzzles.PUZZLES[name].rules)
        texts = [exercise.judged(wrong)[1] for wrong, _ in exercise.mistakes]
        exceeded = {
            count for count in budgets for text in texts if f"{puzzles.grader.NAMES[count]}; the budget" in text
        }
        assert budgets - exceeded <= {"loads", "shared_bytes"}, f"{name}: {budgets - exceeded}"


def test_numpy_is_right(puzzles):
    """The references against loops, on a case of each."""
    from puzzles import specifications as given

    x = given.whole(9)
    triangle = [sum((4 - abs(d)) * x[i + d] for d in range(-3, 4) if 0 <= i + d < 9) for i in range(9)]
    np.testing.assert_array_equal(given.triangle(x), triangle)
    x = given.whole(2, 8, 7)
    y = given.max_pool(x)
    assert y.shape == (2, 4, 3)
    assert all(y[m, i, j] == x[m, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max() for m, i, j in np.ndindex(y.shape))
    x, c = given.whole(6, 1), 4
    scale = 2 + 0.5 * float((x[c - 2 :] ** 2).sum())
    np.testing.assert_allclose(given.lrn(x, 0.5, 2)[c], x[c] / scale**0.75, rtol=1e-6)
    np.testing.assert_array_equal(given.block_sums(np.arange(5.0), 2), [1, 5, 4])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("\n  int i = treadIdx.x;", "line 3: ‘treadIdx’ was not declared"),
        ("\n  y[0] = x[0]", "line 3: expected ‘;’"),
        ("\n  for (int i = 0; i < 3; ++i) {", "Is a brace or a parenthesis still open?"),
        ("  __shared__ float tile[4];", "Write SHARED(REAL, tile, 64)"),
        ("\n  y[0] = x[0] * 0.5;", "Write numbers as (REAL)0.5"),
        ("  SHARED(REAL, tile, 4);\n\n  y[0] = n ? tile[0] : 0;", "line 4: "),
        ("  SHARED(REAL, tile, blockDim.x);", "The size of a shared array is a number written in the source"),
        ("\n\n  y[slope] = 1;", "line 4: "),
        (
            "  y[0] = max(x[0], 0);\n  y[1] = max((int)n, 0);\n  y[2] = max(n, 0);",
            "line 4: call of overloaded ‘max(long long int&, int)’ is ambiguous",
        ),
    ],
)
def test_what_does_not_compile_is_shown_with_the_learners_line(told, body, said):
    right, text = told(body)
    assert right is False and text.startswith("It does not compile") and said in text, text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("  for (;;) y[threadIdx.x] = 1;", "line 2, block (0, 0, 0), thread (0, 0, 0)"),
        ("  for (;;) __syncthreads();", "it does not end"),
        ("  for (volatile int i = 0;; i = 1 - i);", "it does not end"),
        ("  int i = 0;\n  y[threadIdx.x % n] = 1;\n  *(volatile int*)(long long)i = 1;", "died (exit code -11)"),
        (
            "  long long size = 3ll << 30;\n  volatile char* p = (char*)malloc(size);\n"
            "  for (long long i = 0; i < size; i += 4096) p[i] = 1;",
            "died",
        ),
        ("  exit(0);", "died (exit code 0)"),
        (
            "  for (long long i = 0;; i -= 64) y[i] = 1;",
            "line 2, block (0, 0, 0), thread (0, 0, 0):\n     writes y[-64]",
        ),
    ],
)
def test_what_never_ends_or_dies_ends_nothing_else(told, monkeypatch, puzzles, body, said):
    monkeypatch.setattr(puzzles.running, "SECONDS", 2)
    right, text = told(body)
    assert right is False and said in text, text


def test_a_race_between_blocks(told):
    right, text = told("  if (threadIdx.x == 0) y[0] = 1;")
    assert right is False and "race: writes y[0], which thread 0 of block 0 wrote (line 2)" in text
    assert "Nothing orders the threads of different blocks" in text


def test_what_is_no_kernel(puzzles):
    grade = puzzles.grade
    assert grade("map", STUB.format("  // still to come")).right is None
    assert "a int" in grade("map", 3).text
    for text in ("", "void leaky_relu() {}", STUB.format("y[0] = 1;").replace("long long n", "int n")):
        verdict = grade("map", text)
        assert verdict.right is False and puzzles.PUZZLES["map"].declaration in verdict.text
    assert "Take out #include" in grade("map", '#include "/dev/zero"\n' + STUB.format("y[0] = 1;")).text


def test_counts_by_hand(puzzles):
    """32 lanes, of which half work; one row, one column and one cell of a tile."""
    text = """
extern "C" __global__ void tiles(global<REAL> y) {
    SHARED2(REAL, tile, 32, 32);
    int t = threadIdx.x;
    for (int i = 0; i < 32; ++i) tile[i][t] = i;
    __syncthreads();
    REAL sum = tile[t][0];
    sum += tile[0][t];
    sum += tile[3][5];
    if (t % 2) y[t] = sum;
    else y[t] = sum;
}
"""
    counts = puzzles.count("tiles", 1, 32, np.empty(32 + 8, np.float32)[:32], text=text)
    assert (counts.loads, counts.stores, counts.shared, counts.conflicts) == (0, 32, 32 * 32 + 3 * 32, 31)
    assert counts.steps == 32 + 3 + 2 and counts.most == 32 + 3 + 1 and counts.shared_bytes == 4096


def test_the_block_that_went_wrong_is_stepped_through(puzzles):
    from checks import kernels_10

    lost = next(text for text, why in kernels_10.STENCILS if "tile[1]" in why)
    steps = puzzles.step("stencil", lost)
    assert any("tile[1]" in race for race in steps.races) and "<html" in steps.page()
    assert not puzzles.step("stencil", kernels_10.STENCIL).races
    second = kernels_10.changed(kernels_10.STENCIL, ("= sum;", "= blockIdx.x ? 0 : sum;"))
    assert puzzles.step("stencil", second).trace.number == 1
    for text in (STUB.format("for (;;) y[threadIdx.x] = 1;"), STUB.format("nonsense"), kernels_10.MAPS[3][0]):
        with pytest.raises(ValueError, match="cannot be stepped through: "):
            puzzles.step("map", text)


def test_numbers_that_the_lesson_states(puzzles):
    """159 steps for a block of 256 with a tournament of neighbours; three quarters more sectors with taps first."""
    from checks import kernels_10

    neighbours, budget = kernels_10.SPARING_SUMS[0][0], "636 steps of warps; the budget is 256"
    assert budget in puzzles.grade("sum without waiting", neighbours).text and 636 == 4 * 159
    taps_first = next(text for text, why in kernels_10.IM2COLS if "Neighbouring threads" in why)
    assert "needs 2,944 sectors" in puzzles.grade("im2col", taps_first).text
    assert 2944 / puzzles.counts("im2col", kernels_10.IM2COL).sectors == pytest.approx(1.75, abs=0.05)


def test_the_structs_are_those_of_the_header(puzzles):
    """Sizes of struct Warps and struct Report, from a compiler that has read the headers."""
    lines = 'extern "C" long long sizes(int i) { return i ? sizeof(emulator::Warps) : sizeof(emulator::Report); }'
    whole = emulator.cuda_launch.source("common.cuh") + "\n" + lines
    library = emulator.ctypes.CDLL(str(emulator.build(whole, "float", True, puzzles.running.FLAGS)))
    library.sizes.restype = emulator.ctypes.c_longlong
    of = emulator.ctypes.sizeof
    assert (library.sizes(1), library.sizes(0)) == (of(puzzles.running.Warps), of(emulator.Counters))


def test_without_a_compiler_nothing_is_judged():
    program = f"import sys, json; sys.path[:0] = [{str(TUTORIALS)!r}]; import puzzles; " + (
        f"print(json.dumps(puzzles.grade('map', {STUB.format('y[0] = 1;')!r})))"
    )
    environment = {**os.environ, "CXX": "no-such-compiler", "PYTHONPATH": str(TUTORIALS.parent)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    right, text = json.loads(done.stdout)
    assert right is None and "no-such-compiler is not installed" in text and "\n" not in text
