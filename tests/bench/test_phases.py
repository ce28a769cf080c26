"""The profile of threads: every second of every thread is in one phase, whichever thread it was, and in one only."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from minialex import threads
from minialex.backends.fast_cpu import blocks, im2col, winograd
from minialex.bench import ours, phases, profile, report, workloads
from minialex.window import Window


class Clock:
    """Each thread has a clock of its own, so that the sums are the same however threads take turns."""

    def __init__(self):
        self.here = threading.local()

    def __call__(self):
        return getattr(self.here, "now", 0.0)

    def work(self, seconds):
        self.here.now = self() + seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=[1, 3])
def count(request, monkeypatch):
    monkeypatch.setattr(threads, "_count", request.param)
    monkeypatch.setattr(threads, "_pool", [])
    yield request.param
    for worker in threads._pool:
        worker.begin(None)


def spent(now, before):
    elapsed, *each = now() - before
    return elapsed, dict(zip(phases.PHASES, each, strict=True))


def test_the_time_of_pieces_in_all_threads(clock, count):
    """Those of the calling thread move its clock, too, which is that of the step."""
    mine = []

    def piece(start, stop):
        mine.append(threading.current_thread() is threading.main_thread())
        clock.work(2.0)
        time.sleep(0.001)  # so that no thread takes all

    with phases.watched(clock) as now:
        before = now()
        clock.work(1.0)
        threads.parallel_for(piece, 100, pieces=100)
        clock.work(0.5)
        elapsed, parts = spent(now, before)
    assert len(mine) == 100 and (count == 1) == all(mine)
    assert elapsed == 1.5 + 2.0 * sum(mine)
    assert parts == {"transforms": 0, "products": 0, "other": 200, "serial": 1.5, "waiting": count * elapsed - 201.5}


def test_pieces_that_others_cut_again_count_once(clock, count):
    with phases.watched(clock) as now:
        threads.parallel_for(lambda i, j: threads.parallel_for(lambda a, b: clock.work(1.0), 5), 4, pieces=4)
        assert now()[1:-1].tolist() == [0, 0, 4, 0]


@pytest.mark.parametrize("inside", [False, True])  # of a piece: each part of a batch has tiles of its own
def test_transforms_and_products_wherever_they_run(clock, count, monkeypatch, inside):
    """cut and paste run in pieces of their own, or whole within one; either way all of their time is theirs."""
    monkeypatch.setattr(np, "matmul", lambda *arguments, **options: clock.work(100.0))
    x = np.zeros((1, 8, 9, 9), np.float32)
    plan = winograd.Plan(x.shape, (8, 8, 3, 3), Window.over(x.shape, 3), 1, np.float32, 4)
    tiles, pieces = np.zeros((36, 10000), np.float32), []

    def kernel(*arguments):
        pieces.append(arguments[-2:])
        clock.work(1.0)

    def step(start, stop):
        for unit in plan.units[0]:
            plan.cut(kernel, x, 0, unit, tiles, 0, 0)
            plan.multiply(tiles, tiles, np.zeros(36))
            plan.paste(kernel, tiles, x, 0, unit, 0, 0, None)
            clock.work(7.0)

    with phases.watched(clock) as now:
        threads.parallel_for(step, 1) if inside else step(0, 1)
        np.matmul()
        _, parts = spent(now, 0 * now())
    units = len(plan.units[0])
    assert parts["transforms"] == len(pieces) >= 2 * units and sum(j - i for i, j in pieces) == 2 * 8 * units
    assert parts["products"] % 100 == 0 and parts["products"] >= 100 * (units + 1)
    assert (parts["other"], parts["serial"]) == ((7 * units, 0) if inside else (0, 7 * units))


def test_transforms_of_filters_are_transforms(clock, monkeypatch):
    monkeypatch.setattr(np, "matmul", lambda *arguments, **options: clock.work(1.0))
    plan = winograd.Plan((1, 4, 9, 9), (4, 4, 3, 3), Window.over((1, 4, 9, 9), 3), 1, np.float32, 4)
    plan.spread_kernel = plan.gather_kernel = lambda *arguments: clock.work(10.0)
    w, tiles = np.zeros((4, 4, 3, 3), np.float32), np.zeros((36, 4, 2), np.float32)
    with phases.watched(clock) as now:
        plan.spread(w)
        plan.gather(np.zeros((1, 1, 36, 4, 4), np.float32))
        assert now()[1:-1].tolist() == [20, 0, 0, 0]
        plan.spread_and_multiply(w, 0, tiles, tiles)
        assert now()[1:-1].tolist() == [30, 1, 0, 0]


def test_direct_convolution_multiplies_too(clock, monkeypatch):
    monkeypatch.setattr(np, "matmul", lambda *arguments, out: clock.work(1.0))
    x, w = np.zeros((2, 3, 8, 8), np.float32), np.zeros((4, 3, 3, 3), np.float32)
    with phases.watched(clock) as now:
        im2col.conv2d(x, w, None, Window.over(x.shape, 3), 1)
        _, parts = spent(now, 0 * now())
    assert parts["products"] >= 1 and parts["other"] == parts["transforms"] == parts["serial"] == 0


def functions():
    plan = {name: vars(winograd.Plan)[name] for name in ("cut", "paste", "multiply", "spread", "spread_some", "gather")}
    parallel = {module.__name__: module.parallel_for for module in (threads, im2col, blocks)}
    return plan | parallel | {"matmul": np.matmul}


def test_nothing_is_replaced_afterwards(clock):
    before = functions()
    with pytest.raises(ZeroDivisionError), phases.watched(clock):
        during = functions()
        threads.parallel_for(lambda i, j: 1 / 0, 1)
    assert functions() == before and not set(before.values()) & set(during.values())


@pytest.mark.heavy
def test_phases_of_a_step_add_up_to_the_time_of_all_threads(count):
    """A real step with a real clock: equal sums, whatever it took."""
    network = ours.Minialex("numba").network(workloads.WORKLOADS["cifar_quick"], 8)
    network.step()
    with phases.watched(time.perf_counter) as now:
        begin = now()
        rows = profile.of_step(network, now, phases.PHASES)
        end = now()
    for row in rows:
        assert sum(row["phases"].values()) == pytest.approx(count * row["seconds"], abs=1e-9)
    total = sum(row["seconds"] for row in rows)
    assert (
        sum(sum(row["phases"].values()) for row in rows) == pytest.approx(count * total) and total < end[0] - begin[0]
    )
    by_name = {row["operation"]: row["phases"] for row in rows}
    assert by_name["conv2d"]["transforms"] > 0 and by_name["conv2d"]["products"] > 0
    assert by_name["linear"]["products"] > 0 == by_name["linear"]["transforms"]
    assert by_name["relu"]["other"] > 0 == by_name["relu"]["transforms"] == by_name["relu"]["products"]
    assert all(seconds > -1e-9 for row in rows if row["operation"] != "the rest" for seconds in row["phases"].values())


def test_the_table():
    each = {"transforms": 1.0, "products": 2.0, "other": 0.5, "serial": 0.25, "waiting": 0.25}
    row = {"operation": "conv2d", "calls": 1, "forward": 1.0, "backward": 1.0, "seconds": 2.0, "share": 0.5}
    rows = [row | {"phases": each}, row | {"operation": "relu", "phases": dict.fromkeys(each, 0.0) | {"other": 4.0}}]
    text = report.profiles({"network": "net", "batch_size": 2, "profile": {"numba": rows, "numpy": [row]}})
    assert text.count("the threads of") == 1
    lines = [line.split() for line in text.splitlines()]
    assert ["operation", *phases.PHASES, "sum"] in lines
    assert ["conv2d", "1.0000", "2.0000", "0.5000", "0.2500", "0.2500", "4.0000"] in lines
    assert ["sum", "1.0000", "2.0000", "4.5000", "0.2500", "0.2500", "8.0000"] in lines
    shares = next(line for line in lines if line[:1] == ["share"])
    assert shares[1::2] == ["12.5", "25.0", "56.2", "3.1", "3.1", "100.0"]
