"""Benchmarking on the CPU: its contenders, timing, and memory use."""

from __future__ import annotations

import time

from .. import backends, threads
from . import contenders, floors, machine, memory
from .rivals import RIVALS
from .workloads import WORKLOADS

PAUSE = 0.3  # s between contenders: idle BLAS threads keep spinning on the cores for more than 0.05
LONG_ENOUGH = 0.4  # s: shorter runs are repeated, and the time is divided


class Host:
    """The CPU as the device of a benchmark.

    thread_count: threads of every contender.
    clock, sleep: as time.perf_counter and time.sleep.
    """

    # the emulator is for debugging, and times on a GPU are not comparable with those on a CPU
    backends = tuple(name for name in backends.available() if name not in ("cupy", "emulator"))
    rivals, precisions, warm_ups, out_of_memory = RIVALS, (None,), 1, ()
    batch_sizes = {name: workload.batch_sizes for name, workload in WORKLOADS.items()}
    cost = staticmethod(floors.as_computed)  # of a layer, for the floors

    def __init__(self, thread_count, clock=time.perf_counter, sleep=time.sleep):
        self.thread_count, self.clock, self.sleep = thread_count, clock, sleep

    def make(self, name):
        """The contender of this name; see contenders.make."""
        return contenders.make(name, self.thread_count)

    def measure(self, quick):
        """Measure the machine.Machine; quick: with small matrices and arrays."""
        self.machine = machine.measure(side=256, megabytes=8) if quick else machine.measure()
        return self.machine

    def use(self, precision):
        """The measured machine, for the floors; precision: ignored, the CPU has only one."""
        return self.machine

    def seconds(self, run):
        """Seconds per call of run(), the mean of as many as fill LONG_ENOUGH."""
        threads.release()  # minialex's kernels keep NumPy's BLAS to one thread
        self.sleep(PAUSE)
        start, count, elapsed = self.clock(), 0, 0.0
        while elapsed < LONG_ENOUGH:
            run()
            count, elapsed = count + 1, self.clock() - start
        return elapsed / count

    seconds_alone = seconds

    def memory(self, contender, workload, batch_size):
        """The memory of two training steps of a contender, for a Workload and a batch_size; see memory.in_a_child."""
        return memory.in_a_child(contender.name, workload.name, batch_size, self.thread_count)

    def free(self):
        """Nothing to do on the CPU."""
