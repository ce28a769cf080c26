"""A GPU as the device of a bench: who runs on it, how long a run takes, how much of its memory training needs.

minialex and torch both queue their work in the default stream, so one clock and one pair of events serve both.
"""

from __future__ import annotations

import gc
import math
import platform
import sys
import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import backends
from ..support.errors import as_user_error
from . import contenders, rivals
from .floors import Limits
from .measure import interleave, medians
from .workloads import noise

PRECISIONS = ("float32", "tf32")
MIB = 2**20
SIDE = 8192  # of the matrices whose products are a machine's peak
LONG_ENOUGH = 0.1  # s between two synchronisations, whose own 20 microseconds are then nothing
AT_LEAST = 5  # steps between them, so that Python's work for a step goes on beside the GPU's for the one before
HELD_UP = 0.05  # s that the GPU is kept from a layer's work, which Python queues in the meantime
QUEUED = 8  # runs of a layer: fewer launches than the 1024 that a queue holds


@dataclass(frozen=True)
class Machine:
    """gemm_peak in operations/s by precision, bandwidth in bytes/s, read and written; versions are text."""

    gpu: str
    memory: int
    gemm_peak: dict[str, float]
    bandwidth: float
    driver: str
    python: str
    numpy: str
    cupy: str
    torch: str | None
    date: str

    @property
    def title(self):
        return self.gpu

    @property
    def place(self):
        return f"{self.gpu}, {self.memory / 2**30:.0f} GiB, {self.driver}"

    @property
    def measured(self):
        peaks = ", ".join(f"{peak / 1e12:.1f} in {name}" for name, peak in self.gemm_peak.items())
        return f"TFLOP/s in matrix products: {peaks}; {self.bandwidth / 1e9:,.0f} GB/s copying memory, read and written"

    @property
    def software(self):
        known = [f"Python {self.python}", f"NumPy {self.numpy}", f"CuPy {self.cupy}"]
        return ", ".join(known + ([f"torch {self.torch}"] if self.torch else []))


class Gpu:
    """The GPU that CuPy uses. UserError, in the backend's own sentence, where there is none.

    precisions: of matrix products, each of which both sides are measured in. clock: time.perf_counter, but in tests.
    """

    backends, rivals = ("cupy",), ("torch-eager", "torch-channels-last")
    batch_sizes = {"alexnet": (128, 256, 1024)}
    warm_ups = 10  # in which kernels are compiled, pools grow, and cuDNN tries its algorithms

    def __init__(self, thread_count, precisions=PRECISIONS, clock=time.perf_counter):
        with as_user_error():
            self.backend = backends.get_backend("cupy")
        self.thread_count, self.precisions, self._clock, self.cupy = thread_count, precisions, clock, self.backend.xp

    def make(self, name):
        """The contender of this name; see contenders.make."""
        return contenders.make(name, self.thread_count, "cuda")

    @property
    def torch(self):
        """The module, where a contender has loaded it."""
        return sys.modules.get("torch")

    @property
    def out_of_memory(self):
        """What is raised where the GPU's memory is not enough: CuPy's error is a MemoryError, torch has its own."""
        return (MemoryError, self.torch.cuda.OutOfMemoryError) if self.torch else MemoryError

    def use(self, precision):
        """Have minialex and torch multiply, and convolve, in this precision from now on; its floors.Limits."""
        self.backend.set_matmul_precision(precision)
        if self.torch:
            rivals.use_tf32(precision == "tf32")
        self.limits = Limits(self.machine.gemm_peak[precision], self.machine.bandwidth)
        return self.limits

    def measure(self, quick):
        """The Machine: medians of 5 products of large matrices in each precision and of 5 copies, taken in turn."""
        xp, side, size = self.cupy, 256 if quick else SIDE, (8 if quick else 1024) * MIB
        a, b = (xp.asarray(noise((1, side, side), seed)) for seed in (0, 1))
        product, source = xp.empty_like(a), xp.tile(xp.asarray(noise(MIB)), size // (4 * MIB))
        target = xp.empty_like(source)

        def multiply(precision):
            self.backend.set_matmul_precision(precision)
            self.backend.launch.gemm(a, b, product)

        runs = {precision: partial(multiply, precision) for precision in PRECISIONS}
        runs["copy"] = partial(xp.copyto, target, source)
        typical = medians(interleave(runs, 5, self.seconds, self.warm_ups))
        runtime = xp.cuda.runtime
        properties, driver = runtime.getDeviceProperties(runtime.getDevice()), runtime.driverGetVersion()
        self.machine = Machine(
            gpu=properties["name"].decode(),
            memory=properties["totalGlobalMem"],
            gemm_peak={precision: 2 * side**3 / typical[precision] for precision in PRECISIONS},
            bandwidth=2 * source.nbytes / typical["copy"],
            driver=f"driver for CUDA {driver // 1000}.{driver % 1000 // 10}",
            python=platform.python_version(),
            numpy=np.__version__,
            cupy=xp.__version__,
            torch=rivals.versions() if self.torch else None,
            date=time.strftime("%Y-%m-%d"),
        )
        return self.machine

    def clock(self):
        """Seconds, when all that was queued is done."""
        self.cupy.cuda.runtime.deviceSynchronize()
        return self._clock()

    def seconds(self, run):
        """Seconds of a run, the mean of many, as a user waits for them: with Python's work where the GPU waits for it.

        By the host's clock, the GPU synchronised at both ends and not between: a training step never waits for it
        either, and while the GPU works on one, Python queues the next.
        """
        count = AT_LEAST
        while True:
            start = self.clock()
            for _ in range(count):
                run()
            elapsed = self.clock() - start
            if elapsed >= LONG_ENOUGH:
                return elapsed / count
            count = math.ceil(count * min(100, 1.2 * LONG_ENOUGH / max(elapsed, 1e-9)))

    def seconds_alone(self, run):
        """Seconds that the GPU needs for a run, the mean of QUEUED, without Python's: a layer's are often shorter.

        By events on the GPU. It is first given products of matrices to compute, for HELD_UP; when it comes to the
        first event, all runs stand in the queue behind. Where they do not, as where a run waits for the GPU, gaps
        between its kernels are counted, as in `seconds`.
        """
        event = self.cupy.cuda.Event
        begin, end = event(), event()
        self.hold_up()
        begin.record()
        for _ in range(QUEUED):
            run()
        end.record()
        end.synchronize()
        return self.cupy.cuda.get_elapsed_time(begin, end) / 1e3 / QUEUED

    def hold_up(self):
        """Queue work for HELD_UP seconds or longer."""
        a, product = (self.cupy.empty((1, SIDE, SIDE), np.float32) for _ in range(2))
        for _ in range(math.ceil(HELD_UP * self.limits.gemm_peak / (2 * SIDE**3))):
            self.backend.launch.gemm(a, a, product)

    def memory(self, contender, workload, batch_size):
        """MiB of two training steps, from empty pools: "peak_mib" in arrays at most, "pool_mib" taken from the GPU."""
        self.free()
        measured = self._of_torch if contender.name in rivals.RIVALS else self._of_cupy

        def train():
            network = contender.network(workload, batch_size)
            for _ in range(2):
                network.step()

        peak, pool = measured(train)
        self.free()
        return {"peak_mib": peak / MIB, "pool_mib": pool / MIB}

    def _of_cupy(self, train):
        pool, peak = self.cupy.get_default_memory_pool(), 0

        class Watch(self.cupy.cuda.MemoryHook):  # type: ignore[name-defined]
            name = "minialex.bench"

            def malloc_postprocess(self, **allocation):
                nonlocal peak
                peak = max(peak, pool.used_bytes())

        with Watch():
            train()
        return peak, pool.total_bytes()  # which only grows

    def _of_torch(self, train):
        cuda = self.torch.cuda
        cuda.reset_peak_memory_stats()
        train()
        return cuda.max_memory_allocated(), cuda.max_memory_reserved()

    def free(self):
        """Give back what either library's pool keeps, which the other cannot use."""
        gc.collect()
        self.cupy.get_default_memory_pool().free_all_blocks()
        if self.torch:
            self.torch.cuda.empty_cache()
