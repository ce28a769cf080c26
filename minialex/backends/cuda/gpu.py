"""The CUDA kernels on a GPU, through CuPy: compiled by NVRTC at their first launch, then kept on disk by CuPy.

CuPy keeps what it compiled by the text of the source, and would not notice an edited header: `cuda_launch.source` puts
headers into the text.
"""

from __future__ import annotations

import collections
import ctypes
import operator
import re
import sys
import threading

import numpy as np

from ..base import BackendUnavailable
from . import launch as cuda_launch
from .backend import CudaBackend
from .prepared import Prepared, contiguous
from .upload import upload

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_WITHOUT = "backend=emulator runs the same kernels without one"
_NO_DEVICE = "the driver shows no device to this process (see nvidia-smi, and the variable CUDA_VISIBLE_DEVICES)"


class CupyLauncher(cuda_launch.Launcher):
    """Runs kernels on CuPy arrays, in the current stream. Nothing here waits for the GPU.

    A thread's first launch of a kernel is CuPy's, which compiles the kernel and binds the thread to the GPU; from then
    on the kernel is prepared (see prepared.py).
    """

    def __init__(self, cupy):
        from cupy.cuda import cublas, device

        self.xp, self.tf32 = cupy, False
        self.empty = cupy.ndarray  # type: ignore[method-assign] # (shape, dtype), as the method, in less time
        self._cublas_handle, self._current_device = device.get_cublas_handle, cupy.cuda.runtime.getDevice
        self._is_contiguous = operator.attrgetter(contiguous(cupy.ndarray))
        self._several = cupy.cuda.runtime.getDeviceCount() > 1
        self._kernels: dict = {}
        self._thread = _OfThread()
        self._multiply, self._cublas_types = cublas.gemmStridedBatchedEx, _cublas_types(cublas)

    def __call__(self, name, grid, block, *arguments):
        """As of Launcher."""
        (gx, gy, gz), (bx, by, bz) = cuda_launch.three(grid, "grid"), cuda_launch.three(block, "block")
        if not self._launched(name, gx, gy, gz, bx, by, bz, arguments):
            super().__call__(name, grid, block, *arguments)

    def elements(self, name, count, *arguments, block=256):
        """As of Launcher."""
        blocks = min(-(-count // block), cuda_launch.MOST_BLOCKS)
        if not self._launched(name, blocks, 1, 1, block, 1, 1, arguments):
            super().__call__(name, blocks, block, *arguments)

    def planes(self, name, places, planes, *arguments):
        """As of Launcher."""
        (gx, gy), block = cuda_launch.grid_of_planes(places, planes)
        if not self._launched(name, gx, gy, 1, block, 1, 1, arguments):
            super().__call__(name, (gx, gy), block, *arguments)

    def _launched(self, name, gx, gy, gz, bx, by, bz, arguments):
        """Launch a kernel that is prepared; returns whether there is one that takes exactly these arguments."""
        here = self._current_device() if self._several else 0
        if self._several and any(isinstance(a, self.xp.ndarray) and a.data.device_id != here for a in arguments):
            return False
        for kernel in self._thread.prepared[here].get(name, ()):
            if kernel.launch(gx, gy, gz, bx, by, bz, arguments):
                return True
        return False

    def launch(self, kernel, real, grid, block, values):
        key = kernel, real
        if key not in self._kernels:  # RawKernels: each holds what was compiled for every device
            self._kernels[key] = module(self.xp, kernel.file, real).get_function(kernel.name)
        self._kernels[key](grid, block, tuple(values))
        prepared = self._thread.prepared[self.device()].setdefault(kernel.name, [])
        if all(known.real != real for known in prepared):
            prepared.append(Prepared(kernel, real, self.xp, self._kernels[key].kernel.ptr))

    def device(self, array=None):
        if not self._several:
            return 0  # nothing can be on another one
        return self._current_device() if array is None else array.data.device_id

    def solid(self, array):
        """As of Launcher."""
        if type(array) is self.xp.ndarray and self._is_contiguous(array):
            return array
        return super().solid(array)

    def aligned(self, *arrays):
        """As of Launcher."""
        addresses = 0
        for array in arrays:
            addresses |= array.data.ptr
        return addresses % 16 == 0

    def gemm(self, a, b, out, transpose_a=False, transpose_b=False, add=False):
        """out = a @ b, or out += a @ b, stack by stack, by cuBLAS; transposes are not copied."""
        shape, of_a = out.shape, a.shape
        count, m, n = shape if len(shape) == 3 else (1, *shape)
        k = of_a[-2] if transpose_a else of_a[-1]
        if not (count and m and n):
            return
        if not k:
            if not add:
                out.fill(0)
            return
        kind, one, zero, compute = self._cublas_types[out.dtype, self.tf32]
        # cuBLAS counts down columns: to it each of our matrices is its transpose, and out^T = b^T @ a^T
        self._multiply(
            self._cublas_handle(), int(transpose_b), int(transpose_a), n, m, k,
            one, b.data.ptr, kind, k if transpose_b else n, k * n,
            a.data.ptr, kind, m if transpose_a else k, m * k,
            one if add else zero, out.data.ptr, kind, n, m * n, count, compute, -1,
        )  # fmt: skip


class _OfThread(threading.local):
    """prepared: {device: {name of a kernel: its Prepared kernels, one for each type of REAL}}."""

    def __init__(self):
        self.prepared: collections.defaultdict = collections.defaultdict(dict)


_ONE_ZERO = {dtype: np.array([1, 0]).astype(dtype) for dtype in cuda_launch.REALS}  # kept, since cuBLAS has addresses


def _cublas_types(cublas):
    """{(dtype, whether in TF32): (cuBLAS's number of the type, the addresses of 1 and 0, its number of the sums')}."""
    (single, double), found = cuda_launch.REALS, {}
    for tf32 in (False, True):
        for dtype, kind, compute in (
            (single, 0, cublas.CUBLAS_COMPUTE_32F_FAST_TF32 if tf32 else cublas.CUBLAS_COMPUTE_32F),  # CUDA_R_32F
            (double, 1, cublas.CUBLAS_COMPUTE_64F),  # CUDA_R_64F
        ):
            one = _ONE_ZERO[dtype].ctypes.data
            found[dtype, tf32] = kind, one, one + dtype.itemsize, compute
    return found


def module(cupy, file, real):
    """CuPy's RawModule of a file of the kernels folder.

    cupy: the module.
    file: its name.
    real: the type that REAL stands for.
    """
    return cupy.RawModule(code=cuda_launch.source(file), options=(f"-DREAL={cuda_launch.REALS[real]}",))


class CupyBackend(CudaBackend):
    """The CUDA backend on a GPU. Raises BackendUnavailable that says what is missing: see usable_cupy."""

    name, thread_owner = "cupy", "the host"
    columns, sync_every, takes_bytes = 1 << 30, 20, True

    def __init__(self):
        cupy = usable_cupy()
        super().__init__(cupy, CupyLauncher(cupy))

    def on_selected(self):
        pass

    def to_numpy(self, array):
        return self.xp.asnumpy(array)

    def getitem(self, array, index):
        """array[index], checked by NumPy where the host knows the index: CuPy lets one beyond the end wrap around."""
        parts = index if isinstance(index, tuple) else (index,)
        known = tuple(np.zeros(i.shape, i.dtype) if isinstance(i, self.xp.ndarray) else i for i in parts)
        np.broadcast_to(np.False_, array.shape)[known]  # takes no memory for slices and ints
        return array[index]

    def set_matmul_precision(self, precision):
        """Matrix products in "float32", or "tf32": factors rounded to 10 bits, for tensor cores."""
        self.launch.tf32 = precision == "tf32"

    def upload(self, batches):
        import cupyx

        return upload(self.xp, cupyx.empty_pinned, batches, self.preprocess)


def cupy_and_gpus():
    """The module cupy, and how many GPUs it finds; none is used yet. Raises BackendUnavailable as usable_cupy does."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        name = "CuPy" if error.name == "cupy" else error.name
        raise BackendUnavailable(f"{name} is not installed: {_advice()}") from error
    except Exception as error:  # CuPy's own: no folder for its cache, a NumPy it was not built for, ...
        raise BackendUnavailable(f"CuPy does not start: {_sentence(error)}") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except RuntimeError as error:
        raise BackendUnavailable(f"CuPy finds no usable GPU: {_refused(cupy, error)}; {_WITHOUT}") from error
    if not count:
        raise BackendUnavailable(f"CuPy finds no usable GPU: {_NO_DEVICE}; {_WITHOUT}")
    return cupy, count


def usable_cupy():
    """The module cupy, once it has compiled a kernel. Raises BackendUnavailable that says what is missing.

    Every `except` stands around one call of CuPy's, with what that call raises where something is missing: a mistake of
    our own must not be told as advice to install something.
    """
    cupy, _ = cupy_and_gpus()
    try:
        cupy.cuda.nvrtc.getVersion()
    except RuntimeError as error:
        raise BackendUnavailable(f"CuPy's compiler for kernels, NVRTC, is missing: {_advice()}") from error
    try:
        cupy.cuda.cublas  # noqa: B018  loaded when it is first asked for
    except ImportError as error:
        raise BackendUnavailable(f"CuPy's library for matrix products, cuBLAS, is missing: {_advice()}") from error
    try:
        cupy.RawModule(code='extern "C" __global__ void nothing() {}').compile()
    except (RuntimeError, cupy.cuda.compiler.CompileException) as error:  # no CUDA headers; a GPU too old for this CUDA
        raise BackendUnavailable(
            f"CuPy cannot compile a kernel for this GPU: {_sentence(error)}; {_advice()}"
        ) from error
    return cupy


def _refused(cupy, error):
    """Why the CUDA runtime finds no GPU: no driver, one that is too old, or no device."""
    version, built = driver_version(), cupy.cuda.runtime.runtimeGetVersion()
    built = built // 1000, built % 1000 // 10
    if version is None:
        return f"there is no NVIDIA driver ({DRIVER})"
    if version[0] < built[0]:
        old, new = (".".join(map(str, v)) for v in (version, built))
        return f"the NVIDIA driver is too old, it supports CUDA up to {old}, and this CuPy needs {new}: {_advice()}"
    return _NO_DEVICE if "NoDevice" in str(error) else _sentence(error)


def _advice():
    """Which extra to install, by the CUDA version that the driver supports."""
    version = driver_version()
    if version is None:
        return "it needs an NVIDIA GPU and its driver, and pip install 'minialex[cuda13]' (drivers before 580: cuda12)"
    return f"pip install 'minialex[{'cuda13' if version >= (13, 0) else 'cuda12'}]'"


def driver_version():
    """The newest CUDA version that the installed driver supports, (major, minor), or None without a driver."""
    number = ctypes.c_int()
    try:
        failed = ctypes.CDLL(DRIVER).cuDriverGetVersion(ctypes.byref(number))
    except (OSError, AttributeError):
        return None
    return None if failed or not number.value else (number.value // 1000, number.value % 1000 // 10)


def _sentence(error):
    """The first line with words of an error's message, without the name of its number."""
    lines = [line.strip() for line in str(error).splitlines() if re.search(r"\w", line)]
    return re.sub(r"^cuda\w+: ", "", lines[0]) if lines else type(error).__name__
