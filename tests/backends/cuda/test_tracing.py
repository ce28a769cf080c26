"""The trace of a block: every access in order, threads in step, and races where a barrier is missing."""

from __future__ import annotations

import numpy as np
import pytest
import usable

from minialex.backends.cuda import tracing
from minialex.backends.cuda.tracing import BARRIER, LOAD, OUTSIDE_LOAD, OUTSIDE_STORE, STORE

TILED = """
extern "C" __global__ void product(global<const REAL> a, global<const REAL> b, global<REAL> c, int n) {
    SHARED2(REAL, a_tile, 4, 4);
    SHARED2(REAL, b_tile, 4, 4);
    int tx = threadIdx.x, ty = threadIdx.y;
    int i = blockIdx.y * 4 + ty, j = blockIdx.x * 4 + tx;
    REAL sum = 0;
    for (int first = 0; first < n; first += 4) {
        a_tile[ty][tx] = a[i * n + first + tx];
        b_tile[ty][tx] = b[(first + ty) * n + j];
        __syncthreads();
        for (int k = 0; k < 4; ++k) sum += a_tile[ty][k] * b_tile[k][tx];
        __syncthreads();  // before somebody fills the tiles again
    }
    c[i * n + j] = sum;
}
"""
FIRST, SECOND = "        __syncthreads();\n", "        __syncthreads();  // before somebody fills the tiles again\n"


@pytest.fixture
def matrices(rng):
    a, b = rng.normal(size=(2, 8, 8)).astype(np.float32)
    return a, b, np.zeros_like(a)


@pytest.fixture
def product(matrices):
    usable.or_skip("emulator")
    return lambda text, number=0: tracing.trace("product", (2, 2), (4, 4), *matrices, 8, text=text, number=number)


@pytest.mark.heavy
def test_a_tiled_product_has_no_race_and_one_without_a_barrier_has(product, matrices):
    a, b, c = matrices
    right = product(TILED, number=3)
    assert right.races().count == 0 and not right.report.problems and right.complete
    np.testing.assert_allclose(c[4:, 4:], (a @ b)[4:, 4:], rtol=1e-4, atol=1e-5)
    assert not c[:4].any() and not c[:, :4].any(), "one block has run"
    for missing, at_least in ((FIRST, "a_tile"), (SECOND, "b_tile")):
        assert missing in TILED
        wrong = product(TILED.replace(missing, ""))
        races = wrong.races()
        assert races.count > 0 and any(": race: " in text for text in wrong.report.problems)
        assert at_least in {race.array.name for race in races.listed}


@pytest.mark.heavy
def test_a_race_names_both_threads_the_cell_and_both_lines(product):
    """Without the first barrier each cell of a's tile races with the 3 other threads of its row, of b's: its column."""
    trace = product(TILED.replace(FIRST, ""))
    races = trace.races()
    assert races.count == 2 * 16 * 3 * 2  # tiles, cells, other threads, steps along k
    for race in races.listed:
        first, second = (trace.events[k] for k in (race.first, race.second))
        assert first["thread"] != second["thread"]
        assert first["array"] == second["array"] and first["index"] == second["index"] == race.index
        assert STORE in (first["kind"], second["kind"])
        writes, reads = sorted((first, second), key=lambda event: event["kind"] != STORE)
        assert (writes["line"], reads["line"]) == (9 if race.array.name == "a_tile" else 10, 11)
        assert {race.first, race.second} <= races.events
    assert races.listed[0].array.cell(races.listed[0].index) == "a_tile[0][0]"


@pytest.mark.heavy
def test_every_access_is_in_the_trace(product, matrices):
    a, b, c = matrices
    trace = product(TILED)
    counted = {}
    for event in trace.events:
        key = trace.names[event["array"]].name, int(event["kind"])
        counted[key] = counted.get(key, 0) + 1
    tiles = 2
    assert counted == {
        ("a", LOAD): 16 * tiles,
        ("b", LOAD): 16 * tiles,
        ("a_tile", STORE): 16 * tiles,
        ("b_tile", STORE): 16 * tiles,
        ("a_tile", LOAD): 16 * 4 * tiles,
        ("b_tile", LOAD): 16 * 4 * tiles,
        ("", BARRIER): 16 * 2 * tiles,
        ("c", STORE): 16,
    }
    for event in trace.events:
        array = {"a": a, "b": b, "c": c}.get(trace.names[event["array"]].name)
        if array is not None:
            assert event["value"] == array.ravel()[event["index"]]
    assert trace.report.loads == 64 and trace.report.stores == 16


@pytest.mark.heavy
def test_the_threads_of_a_block_go_in_step(product):
    trace = product(TILED)
    steps = trace.steps()
    assert steps.max() + 1 == 2 * (4 + 1 + 8 + 1) + 1
    for step in range(steps.max() + 1):
        now = trace.events[steps == step]
        assert len(now) == 16 and len({(e["kind"], e["array"], e["line"]) for e in now}) == 1
    for thread in range(16):
        own = steps[trace.events["thread"] == thread]
        assert (np.diff(own) > 0).all(), "each thread's own order is kept, one event a step"


PARTED = """
extern "C" __global__ void parted(global<const REAL> x, global<REAL> y) {
    SHARED(REAL, scratch, 8);
    int t = threadIdx.x;
    if (t == 7) return;
    if (t < 4)
        scratch[t] = x[t];
    else
        scratch[t] = 2 * x[t];
    y[t] = scratch[t];
}
"""


@pytest.mark.heavy
def test_threads_that_a_condition_parts_come_together_behind_it():
    usable.or_skip("emulator")
    x, y = np.arange(8, dtype=np.float32), np.zeros(8, np.float32)
    trace = tracing.trace("parted", 1, 8, x, y, text=PARTED)
    steps = trace.steps()
    found = [
        (sorted(trace.events["thread"][steps == k].tolist()), set(trace.events["line"][steps == k].tolist()))
        for k in range(steps.max() + 1)
    ]
    few, others, all_ = [0, 1, 2, 3], [4, 5, 6], [*range(7)]
    assert found == [(few, {7}), (few, {7}), (others, {9}), (others, {9}), (all_, {10}), (all_, {10})]
    assert trace.races().count == 0
    assert 7 not in trace.events["thread"]


@pytest.mark.heavy
@pytest.mark.parametrize(
    "name", ["same value", "read only", "own cell", "barrier between", "writes meet", "two blocks"]
)
def test_what_is_a_race(name):
    """Also two writes of the same value are; reads, one's own cell, and what a barrier parts are none."""
    usable.or_skip("emulator")
    body, races = {
        "same value": ("cell[0] = 1;", 3 * 4 // 2),
        "read only": ("y[t] = x[0]; if (t == 0) cell[0] = 1; __syncthreads(); y[t] = cell[0];", 0),
        "own cell": ("cell[t] = x[t]; cell[t] += 1; y[t] = cell[t];", 0),
        "barrier between": ("cell[t] = x[t]; __syncthreads(); y[t] = cell[3 - t];", 0),
        "writes meet": ("cell[t / 2] = x[t];", 2),
        "two blocks": ("if (t == 0) cell[0] = 1; __syncthreads(); if (t == 1) cell[0] = 2;", 0),
    }[name]
    text = f"""
extern "C" __global__ void body(global<const REAL> x, global<REAL> y) {{
    SHARED(REAL, cell, 4);
    int t = threadIdx.x;
    {body}
}}
"""
    x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    trace = tracing.trace("body", 2, 4, x, y, text=text, number=1)
    assert trace.races().count == races
    assert bool(races) == any(": race: " in text for text in trace.report.problems)


@pytest.mark.heavy
def test_out_of_bounds_and_a_barrier_that_not_all_reach():
    usable.or_skip("emulator")
    text = """
extern "C" __global__ void wrong(global<const REAL> x, global<REAL> y) {
    int t = threadIdx.x;
    y[t - 1] = x[t + 1];
    if (t == 0) __syncthreads();
}
"""
    x, y = np.arange(4, dtype=np.float32), np.zeros(4, np.float32)
    trace = tracing.trace("wrong", 1, 4, x, y, text=text)
    outside = {(int(e["thread"]), int(e["kind"]), int(e["index"])) for e in trace.events if e["kind"] > BARRIER}
    assert outside == {(3, OUTSIDE_LOAD, 4), (0, OUTSIDE_STORE, -1)}
    assert len(trace.report.problems) == 3 and trace.steps().max() == 2


@pytest.mark.heavy
def test_a_long_trace_is_cut_off(monkeypatch, product):
    monkeypatch.setattr(tracing, "EVENTS", 50)
    trace = product(TILED)
    assert len(trace.events) == 50 and not trace.complete
    assert trace.report.loads == 64, "the kernel runs to its end"


@pytest.mark.heavy
def test_a_loop_that_does_not_end_is_stopped(monkeypatch):
    usable.or_skip("emulator")
    monkeypatch.setattr(tracing, "ENDLESS", 1000)
    text = PARTED + 'extern "C" __global__ void endless(global<REAL> x) { while (true) x[0] += 1; }\n'
    x = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match="endless was stopped after 1,000 accesses of one block: does a loop not end"):
        tracing.trace("endless", 1, 4, x, text=text)
    assert x[0] == 500
    assert len(tracing.trace("parted", 1, 4, x, x.copy(), text=text).events) == 16, "the next one runs"


@pytest.mark.heavy
def test_a_trace_knows_nothing_of_those_before():
    usable.or_skip("emulator")
    for size in (8, 16):
        x, y = np.zeros((2, size), np.float32)
        trace = tracing.trace("parted", 1, 8, x, y, text=PARTED)
        arrays = [name for name in trace.names if not isinstance(name, str)]
        assert sorted((a.name, a.size) for a in arrays) == [("scratch", 8), ("x", size), ("y", size)]
        assert len(trace.events) == 4 * 7


@pytest.mark.heavy
def test_lines_of_headers():
    """matmul_blocked stands in two files."""
    usable.or_skip("emulator")
    a, b, c = np.ones((3, 16, 16), np.float32)
    trace = tracing.trace("matmul_blocked", 1, 256, a, b, c, 16, 16, 16)
    files = {trace.names[n] for n in trace.events["file"]}
    assert files == {"matmul.cu", "tile.cuh"} and trace.races().count == 0
    assert c[0, 0] == 16


def test_a_block_that_is_not_there():
    usable.or_skip("emulator")
    x = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match="the grid has 2 blocks, and there is no number 2"):
        tracing.trace("body", 2, 4, x, x, text=PARTED.replace("parted", "body"), number=2)
    with pytest.raises(ValueError, match="a block has 1 to 1024 threads, got 2048"):
        tracing.trace("parted", 1, 2048, x, x, text=PARTED)
    for grid in ("a", 1.5, (1, -1), (1, 2, 3, 4)):
        with pytest.raises(ValueError, match="grid is one to three whole numbers, got "):
            tracing.trace("parted", grid, 4, x, x, text=PARTED)
    with pytest.raises(ValueError, match="the text defines no kernel 'other'; it defines parted"):
        tracing.trace("other", 1, 4, x, x, text=PARTED)
