"""One owner of the cores."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from minialex import threads


@pytest.fixture(autouse=True)
def restored():
    before = threads.count()
    yield
    threads.set_count(before)


def blas_threads():
    """What NumPy's BLAS has, which need not be SciPy's; none where it cannot be told, as on macOS."""
    libraries = (library for library in threadpool_info() if library["user_api"] == "blas")
    return {library["num_threads"] for library in libraries if "scipy.libs" not in library["filepath"].lower()}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
@pytest.mark.heavy
def test_the_default_is_what_the_process_may_use():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from minialex import threads; print(threads.default_count(), threads.count())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["1", "1"]
    environment["OPENBLAS_NUM_THREADS"] = "3"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["1", "3"]


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, math.inf),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ({"cpu.max": "what?\n"}, math.inf),
        ({"cpu.max": "100 0\n"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_limit_of_a_container(tmp_path, files, limit):
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert threads._container_limit(tmp_path) == limit


def test_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(threads, "_container_limit", lambda: 0.3)
    assert threads.default_count() == 1


def test_no_threads():
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        threads.set_count(0)


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize(
    ("total", "at_least", "pieces"),
    [(0, 1, None), (1, 1, None), (7, 3, None), (100, 1, None), (100, 1000, None), (3, 1, 3), (64, 1, 5)],
)
def test_every_index_once(number, total, at_least, pieces):
    threads.set_count(number)
    seen, calls = np.zeros(total, int), []

    def piece(start, stop):
        calls.append((start, stop))
        seen[start:stop] += 1

    threads.parallel_for(piece, total, at_least, pieces)
    assert (seen == 1).all()
    if pieces:
        assert len(calls) == pieces
    elif total >= at_least:
        assert min(stop - start for start, stop in calls) >= at_least or len(calls) == 1


def test_several_threads_at_once():
    """Two pieces that wait for each other: one thread alone would wait for ever."""
    threads.set_count(2)
    together = threading.Barrier(2, timeout=20)
    threads.parallel_for(lambda start, stop: together.wait(), 2, pieces=2)


def test_an_interrupt_waits_for_the_others():
    """Ctrl-C while the calling thread waits is raised once all pieces are done, and later calls are whole."""
    threads.set_count(2)
    together, done = threading.Barrier(2, timeout=20), []

    def piece(start, stop):
        together.wait()  # one in each thread
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)  # until the other waits
            signal.raise_signal(signal.SIGINT)  # handled by the main thread
            time.sleep(0.1)
            done.append(start)

    with pytest.raises(KeyboardInterrupt):
        threads.parallel_for(piece, 2, pieces=2)
    assert len(done) == 1
    pieces: list = []
    for _ in range(50):
        pieces.clear()
        threads.parallel_for(lambda start, stop: pieces.append((start, time.sleep(0.001))), 8, pieces=8)
        assert sorted(start for start, _ in pieces) == list(range(8))


def test_one_owner():
    """Calls from several threads take turns: no piece of one runs while another's do."""
    threads.set_count(2)
    owners, overlaps = [], []

    def piece(start, stop, who):
        owners.append(who)
        time.sleep(0.002)
        overlaps.extend(other for other in owners if other != who)
        owners.remove(who)

    def work(who):
        for _ in range(5):
            threads.parallel_for(lambda start, stop: piece(start, stop, who), 4, pieces=4)

    callers = [threading.Thread(target=work, args=(who,)) for who in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=30)
        assert not caller.is_alive()
    assert not overlaps


@pytest.mark.parametrize("wrong", [0, 3])
def test_an_error_in_a_piece(wrong):
    threads.set_count(2)

    def piece(start, stop):
        if start == wrong:
            raise ArithmeticError("piece")

    for _ in range(3):
        with pytest.raises(ArithmeticError, match="piece"):
            threads.parallel_for(piece, 4, pieces=4)
    test_every_index_once(2, 100, 1, None)


def test_within_a_piece():
    """A kernel that calls another: computed where it is, instead of waiting for ever for its own turn."""
    threads.set_count(2)
    seen = np.zeros((4, 10), int)

    def outer(start, stop):
        for row in range(start, stop):

            def inner(first, last, row=row):
                seen[row, first:last] += 1

            threads.parallel_for(inner, 10)

    threads.parallel_for(outer, 4, pieces=4)
    assert (seen == 1).all()


def test_blas_keeps_to_one_thread_until_it_is_released():
    if not blas_threads():
        pytest.skip("this NumPy's BLAS does not say how many threads it has")
    threads.set_count(2)
    assert blas_threads() == {2}
    within = []
    threads.parallel_for(lambda start, stop: within.append(blas_threads()), 2, pieces=2)
    assert within == [{1}, {1}] and blas_threads() == {1}
    threads.release()
    assert blas_threads() == {2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes():
    code = """
import os
from minialex import threads
threads.set_count(2)
threads.parallel_for(lambda start, stop: None, 10)
child = os.fork()
if not child:
    threads.parallel_for(lambda start, stop: None, 10)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "7"
