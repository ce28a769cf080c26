"""One owner of the cores: how many threads compute, and who hands out the work.

Two libraries that both believe the cores are theirs slow each other down tenfold: OpenBLAS's threads wait in a loop
for work, and whoever else wants the core waits for them. So here one pool of threads takes all parallel work, each
piece of it computes with a BLAS of one thread, and a lock lets one call at a time have the cores.

Kernels compiled with nogil, and NumPy's larger operations, release Python's global lock: threads are enough.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_PIECES = 4  # a thread: so that one whose core is taken away for a moment leaves work to the others
_owner = threading.Lock()
_thread = threading.local()  # works: whether this thread is computing a piece
_count = 0  # 0: nobody has chosen yet
_pool: ThreadPoolExecutor | None = None
_blas: list | None = None


def default_count():
    """Threads that this process may use at once: the cores it is bound to, or a container's share if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _container_limit())))


def _container_limit(root="/sys/fs/cgroup"):
    """How many cores' time Linux's control groups grant (cpu.max, or its two older files); infinity without a limit."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (Path(root) / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        granted, every = (int((Path(root) / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return granted / every if granted > 0 else math.inf
    return math.inf


def count():
    """The number of threads that compute: what `set_count` chose, else BLAS's variable or `default_count`."""
    global _count
    if _count:
        return _count
    chosen = [os.environ.get(name, "") for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")]
    _count = next((int(text) for text in chosen if text.isdigit() and int(text)), default_count())
    return _count


def set_count(number):
    """Compute with so many threads from now on: NumPy's BLAS, and the numba backend's pool. ValueError below 1."""
    global _count, _pool
    if number < 1:
        raise ValueError(f"the number of threads must be at least 1, got {number}")
    with _owner:
        if _pool:
            _pool.shutdown()
        _count, _pool = number, None
    release()


def release():
    """Give NumPy's BLAS its threads back: the next call of `parallel` takes them again."""
    with _owner:
        for library in _libraries():
            library.set_num_threads(count())


def parallel(function, total, at_least=1, pieces=None):
    """Call function(start, stop) for pieces that cover range(total), in several threads; returns when all are done.

    at_least: the smallest piece that is worth its own call; pieces: how many, if that matters to the caller. The
    pieces must not depend on each other: which thread computes which, and in what order, is left to chance, and no
    result may show it. An error in one is raised here. Within a piece, `parallel` computes where it is.
    """
    if getattr(_thread, "works", False):
        function(0, total)
        return
    pieces = pieces or max(1, min(_PIECES * count() if count() > 1 else 1, total // at_least))
    bounds = iter([(total * i // pieces, total * (i + 1) // pieces) for i in range(pieces)])  # shared by the threads

    def work():
        _thread.works = True
        try:
            for start, stop in bounds:
                function(start, stop)
        finally:
            _thread.works = False

    with _owner:
        _take_over()
        others = [_workers().submit(work) for _ in range(min(count(), pieces) - 1)]
        try:
            work()
        finally:
            errors = [other.exception() for other in others]
        for error in errors:
            if error:
                raise error


def _workers():
    """The threads beside the calling one."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, count() - 1), thread_name_prefix="minialex")
    return _pool


def _take_over():
    """Keep NumPy's matrix products in the thread that asks for them. Not undone after each call: BLAS's idle threads
    go on looking for work for some 20 ms, and would have the cores just when the next kernel wants them.
    """
    for library in _libraries():
        if library.get_num_threads() != 1:
            library.set_num_threads(1)


def _libraries():
    """The BLAS libraries in this process that can be told how many threads to use."""
    global _blas
    if _blas is None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:  # a plain checkout beside a GPU, whose host has little to compute: BLAS does as it likes
            _blas = []
        else:
            _blas = ThreadpoolController().select(user_api="blas").lib_controllers
    return _blas


def _after_fork():
    global _owner, _pool
    _owner, _pool = threading.Lock(), None  # the child has none of the parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
