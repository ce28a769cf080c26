"""How much memory training takes, each contender in a process of its own."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .. import threads
from . import contenders, workloads

MIB = 2**20


def in_a_child(name, workload, batch_size, thread_count):
    """Two training steps in a new process, in MiB: "start_mib" after the imports, "peak_mib" at the most.

    Both are None where the process died, as it does when there is not enough memory.
    """
    spawn = multiprocessing.get_context("spawn")  # a forked process would start with the parent's memory
    try:
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            start, peak = pool.submit(_of_training, name, workload, batch_size, thread_count).result()
    except BrokenProcessPool:
        return {"start_mib": None, "peak_mib": None}
    return {"start_mib": start / MIB, "peak_mib": peak / MIB}


def _of_training(name, workload, batch_size, thread_count):
    threads.set_count(thread_count)
    contender = contenders.make(name, thread_count)
    start = _peak()
    network = contender.network(workloads.WORKLOADS[workload], batch_size)
    for _ in range(2):
        network.step()
    return start, _peak()


def _peak():
    """The most bytes that this process has had in memory so far.

    Linux's ru_maxrss will not do: a new program inherits it from the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not there on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
