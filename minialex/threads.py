"""The thread pool: how many threads compute, and how work is split among them.

Two libraries that both use all cores slow each other down tenfold: OpenBLAS's idle threads spin while they wait for
work, and keep other threads from the cores. So a single pool runs all parallel work, each piece of it uses BLAS with
one thread, and a lock lets only one parallel call run at a time.

Kernels compiled with nogil, and NumPy's larger operations, release the GIL, so that threads suffice.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

_PIECES = 4  # per thread: so that a thread that loses its core for a moment leaves its work to the others
_owner = threading.Lock()
_thread = threading.local()  # works: whether this thread is computing a piece
_count = 0  # 0: not set yet
_pool: list[_Worker] = []  # all threads but the calling one
_blas: list | None = None


def default_count() -> int:
    """The number of usable cores: those that this process is bound to, or the container's limit if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _container_limit())))


def _container_limit(root="/sys/fs/cgroup"):
    """The CPU limit of Linux's control groups in cores (cpu.max, or its two older files); infinity without a limit."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = (Path(root) / "cpu.max").read_text().split()
        return math.inf if quota == "max" else int(quota) / int(period)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        granted, every = (int((Path(root) / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return granted / every if granted > 0 else math.inf
    return math.inf


def count() -> int:
    """The number of compute threads: set_count's, else that of BLAS's environment variables, else default_count's."""
    global _count
    if _count:
        return _count
    chosen = [os.environ.get(name, "") for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")]
    _count = next((int(text) for text in chosen if text.isdigit() and int(text)), default_count())
    return _count


def set_count(number: int) -> None:
    """Set the number of compute threads, of NumPy's BLAS and of the numba backend's pool.

    number: of threads.

    Raises ValueError for a number below 1.
    """
    global _count, _pool
    if number < 1:
        raise ValueError(f"the number of threads must be at least 1, got {number}")
    with _owner:
        for worker in _pool:
            worker.begin(None)
        _count, _pool = number, []
    release()


def release() -> None:
    """Let NumPy's BLAS use its threads again, until the next call of `parallel_for`."""
    with _owner:
        for library in _libraries():
            library.set_num_threads(count())


def parallel_for(
    function: Callable[[int, int], object], total: int, at_least: int = 1, pieces: int | None = None
) -> None:
    """Call function(start, stop) for pieces of range(total) in several threads, and wait for all of them.

    The pieces run in any order and on any thread, so they must be independent of each other. A call within a piece
    runs in the same thread.

    function: computes one piece.
    total: the length of the range.
    at_least: the smallest piece worth a call of its own.
    pieces: how many; chosen by the number of threads if None.

    Raises the first error of a piece, once all are done.
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
        others = _workers(min(count(), pieces) - 1)
        for other in others:
            other.begin(work)
        try:
            work()
        finally:
            errors = [other.end() for other in others]
        for error in errors:
            if error:
                raise error


class _Worker:
    """A thread that waits for work. A call of `parallel_for` with nothing to do takes 27 us on two threads where it
    took 64 with ThreadPoolExecutor, and one picture's way through AlexNet has sixty of them."""

    def __init__(self):
        self._work, self._signal = SimpleQueue(), SimpleQueue()
        self._begun = self._ended = 0
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name="minialex", daemon=True).start()

    def begin(self, work):
        """Have it call work(), or end with None."""
        self._begun += 1
        self._work.put(work)

    def end(self):
        """Wait until it has, whatever interrupts; the error that the call raised, or None."""
        interruption = None
        while self._ended < self._begun:
            try:
                self._signal.get()  # or one left by an interrupted wait
            except BaseException as interrupt:
                interruption = interrupt
        raised, self._error = self._error, None
        return raised or interruption

    def _run(self):
        while (work := self._work.get()) is not None:
            try:
                work()
            except BaseException as error:
                self._error = error
            del work
            self._ended += 1
            self._signal.put(None)


def _workers(number):
    """So many threads of the pool."""
    while len(_pool) < number:
        _pool.append(_Worker())
    return _pool[:number]


def _take_over():
    """Limit NumPy's BLAS to one thread.

    This is not undone after each call: BLAS's idle threads spin for some 20 ms, and would keep the next kernel from
    the cores.
    """
    for library in _libraries():
        if library.get_num_threads() != 1:
            library.set_num_threads(1)


def _libraries():
    """The BLAS libraries in this process whose number of threads can be set."""
    global _blas
    if _blas is None:
        try:
            from threadpoolctl import ThreadpoolController
        except ImportError:  # a plain checkout on a GPU machine, whose CPU has little to compute: leave BLAS alone
            _blas = []
        else:
            _blas = ThreadpoolController().select(user_api="blas").lib_controllers
    return _blas


def _after_fork():
    global _owner, _pool
    _owner, _pool = threading.Lock(), []  # the child has none of the parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
