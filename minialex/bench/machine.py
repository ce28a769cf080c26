"""The machine: its hardware and software, its peak in matrix products, and its memory bandwidth."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .. import threads
from .workloads import noise

_RUNS = 10


@dataclass(frozen=True)
class Machine:
    """A CPU, its measured speed, and the software.

    cpu: its name.
    cores: those that this process may use.
    threads: those that the speed was measured with.
    gemm_peak: floating-point operations/s in float32 matrix products.
    bandwidth: bytes/s, read and written.
    python, numpy, blas, numba, torch: versions, as text; None for what is not installed.
    date: of the measurement, YYYY-MM-DD.
    """

    cpu: str
    cores: int
    threads: int
    gemm_peak: float
    bandwidth: float
    python: str
    numpy: str
    blas: str
    numba: str | None
    torch: str | None
    date: str

    @property
    def title(self):
        """A short name for headings."""
        return f"{self.threads} thread{'s' if self.threads > 1 else ''} of {self.cpu}"

    @property
    def place(self):
        """The hardware, as a line of text."""
        cores, counted = ("s" if count > 1 else "" for count in (self.cores, self.threads))
        return f"{self.cpu}, {self.cores} core{cores}, {self.threads} thread{counted}"

    @property
    def measured(self):
        """The measured speed, as a line of text."""
        peak = f"{self.gemm_peak / 1e9:.1f} GFLOP/s in float32 matrix products"
        return f"{peak}, {self.bandwidth / 1e9:.1f} GB/s copying memory"

    @property
    def software(self):
        """The versions, as a line of text."""
        known = [f"Python {self.python}", f"NumPy {self.numpy} ({self.blas})"]
        optional = (("numba", self.numba), ("torch", self.torch))
        return ", ".join(known + [f"{name} {version}" for name, version in optional if version])


def measure(side=1536, megabytes=256):
    """Measure the machine with the current number of threads.

    side: rows and columns of the matrices that are multiplied.
    megabytes: size of the array that is copied, in MiB.

    Returns a Machine.
    """
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return Machine(
        cpu=cpu_name(),
        cores=threads.default_count(),
        threads=threads.count(),
        gemm_peak=_gemm_peak(side),
        bandwidth=_bandwidth(megabytes << 20),
        python=platform.python_version(),
        numpy=np.__version__,
        blas=f"{blas['name']} {blas['version']}",
        numba=_version("numba"),
        torch=_version("torch"),
        date=time.strftime("%Y-%m-%d"),
    )


def _gemm_peak(side):
    """Operations per second of the fastest of several products of square float32 matrices."""
    a, b = noise((2, side, side))
    out = np.empty_like(a)
    return 2 * side**3 / _fastest(lambda: np.matmul(a, b, out=out))


def _bandwidth(size):
    """Bytes read and written per second while all threads copy an array far larger than the cache."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    count = threads.count()
    parts = [*zip(np.array_split(target, count), np.array_split(source, count))]
    with ThreadPoolExecutor(count) as pool:  # copying releases Python's lock
        return 2 * size / _fastest(lambda: [*pool.map(lambda part: np.copyto(*part), parts)])


def _fastest(run):
    seconds = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def cpu_name():
    """The name of the processor, as the system gives it."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or not a PC
        return platform.processor() or platform.machine()


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
