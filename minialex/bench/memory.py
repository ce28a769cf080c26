"""Peak memory of training, measured in a separate process for each contender."""

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
    """Measure the memory of two training steps in a new process.

    name: of the contender.
    workload: name of the workload.
    batch_size: images per batch.
    thread_count: threads of the contender.

    Returns {"start_mib": after the imports, "peak_mib": at most}, in MiB; both None where the process was killed, as
    it is without enough memory.
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
    """The peak resident memory of this process, in bytes.

    Linux's ru_maxrss is of no use here: a new program inherits it from the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # not available on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
