"""The processor as the device of a bench: who runs on it, how long a run takes, how much memory training needs."""

from __future__ import annotations

import time

from .. import backends, threads
from . import contenders, machine, memory
from .rivals import RIVALS
from .workloads import WORKLOADS

PAUSE = 0.3  # s between contenders: idle threads of BLAS go on looking for work, on the cores, for more than 0.05
LONG_ENOUGH = 0.4  # s: what is over sooner is repeated, and divided


class Host:
    """clock, sleep: time.perf_counter and time.sleep, unless a test has its own."""

    # the emulator is there to be stepped through, and times on a GPU are no rivals of times on a processor
    backends = tuple(name for name in backends.available() if name not in ("cupy", "emulator"))
    rivals, precisions, warm_ups, out_of_memory = RIVALS, (None,), 1, ()
    batch_sizes = {name: workload.batch_sizes for name, workload in WORKLOADS.items()}

    def __init__(self, thread_count, clock=time.perf_counter, sleep=time.sleep):
        self.thread_count, self.clock, self.sleep = thread_count, clock, sleep

    def make(self, name):
        """The contender of this name; see contenders.make."""
        return contenders.make(name, self.thread_count)

    def measure(self, quick):
        """The machine.Machine; quick: a small one's worth of work."""
        self.machine = machine.measure(side=256, megabytes=8) if quick else machine.measure()
        return self.machine

    def use(self, precision):
        """There is one precision of matrix products; the machine that floors are computed for."""
        return self.machine

    def seconds(self, run):
        """Seconds of a run: the mean of as many as fill LONG_ENOUGH."""
        threads.release()  # minialex's kernels keep NumPy's BLAS to one thread
        self.sleep(PAUSE)
        start, count, elapsed = self.clock(), 0, 0.0
        while elapsed < LONG_ENOUGH:
            run()
            count, elapsed = count + 1, self.clock() - start
        return elapsed / count

    seconds_alone = seconds

    def memory(self, contender, workload, batch_size):
        """MiB of two training steps; see memory.in_a_child."""
        return memory.in_a_child(contender.name, workload.name, batch_size, self.thread_count)

    def free(self):
        """Nobody keeps memory from the others here."""
