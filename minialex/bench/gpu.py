"""Benchmarking on a GPU: its contenders, timing, and memory use.

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
from ..support.errors import UserError, as_user_error
from . import contenders, floors, rivals
from .measure import interleave, medians
from .workloads import noise

PRECISIONS = ("float32", "tf32")
MIB = 2**20
SIDE, QUICK_SIDE = 8192, 256  # of the matrices whose product measures the peak
LONG_ENOUGH = 0.1  # s between two synchronisations, so that their 20 microseconds are negligible
AT_LEAST = 5  # steps between them, so that Python prepares a step while the GPU computes the one before
HELD_UP = 0.05  # s that the GPU is kept busy while Python queues a layer's work
QUEUED = 8  # runs of a layer: fewer launches than the 1024 that a queue holds


@dataclass(frozen=True)
class Machine:
    """A GPU, its measured speed, and the software.

    gpu: its name.
    memory: bytes.
    gemm_peak: {precision: floating-point operations/s} in matrix products.
    bandwidth: bytes/s, read and written.
    driver, python, numpy, cupy, torch: versions, as text; torch None without it.
    date: of the measurement, YYYY-MM-DD.
    """

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
        """A short name for headings."""
        return self.gpu

    @property
    def place(self):
        """The hardware, as a line of text."""
        return f"{self.gpu}, {self.memory / 2**30:.0f} GiB, {self.driver}"

    @property
    def measured(self):
        """The measured speed, as a line of text."""
        peaks = ", ".join(f"{peak / 1e12:.1f} in {name}" for name, peak in self.gemm_peak.items())
        return f"TFLOP/s in matrix products: {peaks}; {self.bandwidth / 1e9:,.0f} GB/s copying memory, read and written"

    @property
    def software(self):
        """The versions, as a line of text."""
        known = [f"Python {self.python}", f"NumPy {self.numpy}", f"CuPy {self.cupy}"]
        return ", ".join(known + ([f"torch {self.torch}"] if self.torch else []))


class Gpu:
    """The GPU that CuPy uses, as the device of a benchmark.

    thread_count: threads of the contenders on the host.
    precisions: of matrix products; both libraries are measured in each.
    clock: seconds, as time.perf_counter.

    Raises UserError where there is no GPU.
    """

    backends, rivals = ("cupy",), ("torch-eager", "torch-channels-last")
    batch_sizes = {"alexnet": (128, 256, 1024)}
    cost = staticmethod(floors.of_layer)  # for the floors
    warm_ups = 10  # while kernels are compiled, memory pools grow, and cuDNN tries its algorithms

    def __init__(self, thread_count, precisions=PRECISIONS, clock=time.perf_counter):
        with as_user_error():
            self.backend = backends.get_backend("cupy")
        self.thread_count, self.precisions, self._clock, self.cupy = thread_count, precisions, clock, self.backend.xp
        self.side = SIDE

    def make(self, name):
        """The contender of this name; see contenders.make."""
        return contenders.make(name, self.thread_count, "cuda")

    @property
    def torch(self):
        """The module torch if a contender has imported it, else None."""
        return sys.modules.get("torch")

    @property
    def out_of_memory(self):
        """The exceptions for too little GPU memory: CuPy's is a MemoryError, torch has its own."""
        return (MemoryError, self.torch.cuda.OutOfMemoryError) if self.torch else MemoryError

    def use(self, precision):
        """Set the precision of matrix products and convolutions in minialex and torch; returns its floors.Limits."""
        self.backend.set_matmul_precision(precision)
        if self.torch:
            rivals.use_tf32(precision == "tf32")
        self.limits = floors.Limits(self.machine.gemm_peak[precision], self.machine.bandwidth)
        return self.limits

    def measure(self, quick):
        """Measure the GPU: medians of 5 large matrix products in each precision and of 5 copies, taken in turn.

        quick: use small matrices and arrays.

        Returns a Machine.
        """
        self.side = QUICK_SIDE if quick else SIDE
        xp, side, size = self.cupy, self.side, (8 if quick else 1024) * MIB
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
        """Seconds by the host's clock, once all queued work is done."""
        self.cupy.cuda.runtime.deviceSynchronize()
        return self._clock()

    def seconds(self, run):
        """Seconds per call of run(), the mean of many, including Python's time wherever the GPU waits for it.

        Measured by the host's clock with the GPU synchronised only at both ends: a training loop does not synchronise
        either, and Python queues the next step while the GPU computes.
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
        """Seconds of GPU time per call of run(), the mean of QUEUED; without Python's time, which is often longer.

        Measured by events on the GPU. It first computes matrix products for HELD_UP seconds, so that all calls are
        queued by the time it reaches the first event. Where they are not, as where run() waits for the GPU, gaps
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
        elapsed = self.cupy.cuda.get_elapsed_time(begin, end) / 1e3
        if not elapsed > 0:
            raise UserError(
                f"this GPU's clock shows {elapsed} s for {QUEUED} runs of a layer, so nothing can be measured with it: "
                "run the benchmark on a GPU whose driver records events"
            )
        return elapsed / QUEUED

    def hold_up(self):
        """Queue at least HELD_UP seconds of work."""
        a, product = (self.cupy.empty((1, self.side, self.side), np.float32) for _ in range(2))
        for _ in range(math.ceil(HELD_UP * self.limits.gemm_peak / (2 * self.side**3))):
            self.backend.launch.gemm(a, a, product)

    def memory(self, contender, workload, batch_size):
        """The GPU memory of two training steps, from empty pools.

        contender, workload, batch_size: what trains.

        Returns {"peak_mib": largest total of arrays, "pool_mib": taken from the GPU}, in MiB.
        """
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
        return peak, pool.total_bytes()  # the pool only grows

    def _of_torch(self, train):
        cuda = self.torch.cuda
        cuda.reset_peak_memory_stats()
        train()
        return cuda.max_memory_allocated(), cuda.max_memory_reserved()

    def free(self):
        """Return both libraries' cached memory to the GPU, since neither can use the other's."""
        gc.collect()
        self.cupy.get_default_memory_pool().free_all_blocks()
        if self.torch:
            self.torch.cuda.empty_cache()
