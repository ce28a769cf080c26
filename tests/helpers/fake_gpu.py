"""CuPy on no GPU at all: NumPy's arrays, a queue that takes time to work off, a pool, and a backend on top of them."""

from __future__ import annotations

import numpy as np

from minialex import backends
from minialex.backends.numpy_backend import NumPyBackend

PEAK = 60e12  # operations/s


class Queue:
    """Two clocks: the host's `now`, and `through`, when the GPU will be done with all that was queued.

    With a real clock for the host's, the GPU takes no time.
    """

    def __init__(self, clock=None):
        self.elapsed, self.through, self._clock = 0.0, 0.0, clock

    @property
    def now(self):
        return self._clock() if self._clock else self.elapsed

    def work(self, host, gpu):
        """A call that keeps Python busy for `host` seconds and the GPU, behind what it has, for `gpu`."""
        if not self._clock:
            self.elapsed += host
            self.through = max(self.through, self.now) + gpu

    def synchronize(self):
        self.elapsed = max(self.elapsed, self.through)


class Pool:
    """Bytes by name, and the hooks that hear of them."""

    def __init__(self):
        self.used, self.total, self.events, self.hooks = 0, 0, [], []

    def change(self, size):
        self.used += size
        self.total = max(self.total, self.used)
        if size > 0:
            for hook in self.hooks:
                hook.malloc_postprocess(device_id=0, size=size, mem_size=size, mem_ptr=1, pmem_id=1)

    def used_bytes(self):
        return self.used

    def total_bytes(self):
        return self.total

    def free_all_blocks(self):
        self.events.append("freed")
        self.total = self.used


class Cuda:
    """What the bench uses of cupy.cuda."""

    def __init__(self, queue, pool):
        class Event:
            def record(self):
                self.time = max(queue.through, queue.now)

            def synchronize(self):
                queue.synchronize()

        class MemoryHook:
            def __enter__(self):
                pool.hooks.append(self)

            def __exit__(self, *exception):
                pool.hooks.remove(self)

        self.Event, self.MemoryHook, self.runtime = Event, MemoryHook, self
        self.deviceSynchronize = queue.synchronize

    def get_elapsed_time(self, begin, end):
        """In milliseconds, as CUDA counts."""
        return 1e3 * (end.time - begin.time)

    def getDevice(self):
        return 0

    def getDeviceProperties(self, device):
        return {"name": b"Imaginary GPU", "totalGlobalMem": 80 << 30}

    def driverGetVersion(self):
        return 12040


class FakeCupy:
    """NumPy under CuPy's name."""

    __version__ = "14.2.0"

    def __init__(self, clock=None):
        self.queue, self.pool = Queue(clock), Pool()
        self.cuda = Cuda(self.queue, self.pool)

    def __getattr__(self, name):
        return getattr(np, name)

    def get_default_memory_pool(self):
        return self.pool


class FakeBackend(NumPyBackend):
    """The arithmetic is NumPy's; products that only take time compute nothing."""

    name = "cupy"

    def __init__(self, clock=None):
        self.xp, self.launch, self.precisions = FakeCupy(clock), self, []

    def gemm(self, a, b, out):
        speed = 8 * PEAK if self.precisions[-1:] == ["tf32"] else PEAK
        self.xp.queue.work(0.0, 2 * out.shape[1] ** 3 / speed)

    def set_matmul_precision(self, precision):
        self.precisions.append(precision)


def install(clock=None):
    """Make a FakeBackend the one that is found under "cupy"; returns it."""
    backends._made["cupy"] = FakeBackend(clock)
    return backends._made["cupy"]
