"""Reports the installed software and hardware, and which backends work.

    python -m minialex.doctor
    python -m minialex.doctor --tune my.json

Every backend computes a small convolution, forward and backward, and the results are compared with a loop in NumPy.
Anything broken becomes a line of the report and does not stop it: so modules that need more than NumPy are imported
only where they are reported. With --tune it measures the ways to compute convolutions instead, and writes the fastest
to a file.
"""

from __future__ import annotations

import ctypes
import platform
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, backends, cli, models, nn, threads
from .backends.base import BackendUnavailable
from .functional import conv2d
from .support import progress
from .tensor import Tensor

TUNED = ("alexnet", "cifar_quick")
TOLERANCE = 1e-4  # relative to the largest number; the error of float32 is 1e-6
_SECONDS = 60  # timeout for a compiler to print its version
_REMEDIES = {
    "numpy": "reinstall NumPy: pip install --force-reinstall numpy",
    "numba": "install compatible versions: pip install --upgrade numba numpy",
    "cupy": "see the lines NVIDIA driver and CuPy above",
    "emulator": "set the variable CXX to a working C++ compiler",
}


def main(argv=None):
    """Run the command: print the report, with --kernels the table of kernels, or with --tune that of convolutions.

    argv: the arguments, sys.argv's if None.

    Returns exit code 1 if the numpy backend, or the one that "auto" chooses, does not work.
    """
    parser = cli.Parser(
        "doctor",
        "Report the installed software and hardware, and which backends work here.",
        "examples: python -m minialex.doctor\n          python -m minialex.doctor --kernels\n"
        "          python -m minialex.doctor --tune my.json --tune-model alexnet",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--kernels",
        action="store_true",
        help="instead compile the CUDA kernels for three GPU architectures (needs no GPU) and list their registers; "
        "takes 20 s (default: no)",
    )
    instead.add_argument(
        "--tune",
        metavar="FILE",
        type=cli.file,
        help="instead measure every way to compute the convolutions of some networks in training, and write the "
        "fastest to FILE, for --conv-table of minialex.train; takes a minute (default: no)",
    )
    parser.add_argument(
        "--tune-model",
        metavar="NAME",
        action="append",
        choices=models.PRESETS,
        help=f"a network to measure with --tune; may be repeated (default: {' and '.join(TUNED)})",
    )
    parser.add_argument(
        "--threads",
        metavar="N",
        type=cli.whole_number(1),
        help="threads that compute with --tune, as many as training will have (default: all that this process may use)",
    )
    options = parser.parse_args(argv)
    if options.tune:
        return _tune(options)
    if options.tune_model or options.threads:
        raise cli.UserError("--tune-model and --threads are only for --tune")
    if options.kernels:
        return _print_kernels()
    print(f"minialex {__version__}\n")
    for name, describe in FACTS.items():
        print(f"{name:<14} {_guarded(describe)}", flush=True)
    print()
    troubles = {}
    for name in backends.available():
        print(f"{name:<14} ", end="", flush=True)  # now, since compiling with Numba takes a while
        troubles[name] = trouble(name)
        print(f"does not work: {troubles[name]}" if troubles[name] else "works", flush=True)
    auto = _guarded(backends.fastest)
    print(f"\n--backend auto chooses {auto}")
    return 1 if troubles["numpy"] or troubles.get(auto, "unknown") else 0


# ------------------------------------------------------------------------------------------------- software, hardware


def _python():
    return f"{platform.python_version()}, {platform.system()} {platform.machine()}, {sys.executable}"


def _numpy():
    return f"{np.__version__}, BLAS: {_guarded(_blas)}"


def _blas():
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return "; ".join(f"{b.internal_api} {b.version}, {_threads(b.num_threads)}" for b in found) or "unknown"


def _numba():
    import numba

    return f"{numba.__version__}; {_guarded(_pool)}"


def _pool():
    return f"kernels run in {_threads(threads.count())} of {_backend('numba').thread_owner}"


def _matplotlib():
    from .support.headless import import_matplotlib

    return import_matplotlib().__version__


def _cupy():
    import cupy

    version = cupy.cuda.runtime.runtimeGetVersion()
    return f"{cupy.__version__}, built for CUDA {version // 1000}.{version % 1000 // 10}, NVRTC {_guarded(_nvrtc)}"


def _nvrtc():
    from cupy.cuda import nvrtc

    return "{}.{}".format(*nvrtc.getVersion())


def _driver():
    from .backends.cuda import gpu

    version = gpu.driver_version()
    return "supports CUDA up to {}.{}".format(*version) if version else "none found"


def _gpus():
    return "; ".join(gpus()) or "none found"


def _compiler():
    from .backends.cuda import emulator

    path = emulator.compiler()
    return f"{path}: {_version(path).splitlines()[0]}"


def _nvcc():
    path = shutil.which("nvcc")
    return f"{path}: {', '.join(re.findall('release.*', _version(path)))}" if path else "not installed (not needed)"


def _mpi():
    import mpi4py

    mpi4py.rc.initialize = False  # to name the library takes no connection
    from mpi4py import MPI

    version = " ".join(MPI.Get_library_version().split("\n")[0].split())
    beside = Path(sys.executable).with_name("mpiexec")
    start = str(beside) if beside.exists() else shutil.which("mpiexec")
    return f"mpi4py {mpi4py.__version__}, {version}; {start or 'no mpiexec found'}"


def _nccl():
    from .parallel import nccl

    return nccl.version()


def _torch():
    import torch

    if not torch.version.cuda:
        return f"{torch.__version__}, without CUDA"
    return f"{torch.__version__}, CUDA {torch.version.cuda}, sees {torch.cuda.device_count()} GPUs"


FACTS = {
    "Python": _python,
    "NumPy": _numpy,
    "Numba": _numba,
    "matplotlib": _matplotlib,
    "CuPy": _cupy,
    "NVIDIA driver": _driver,
    "GPUs": _gpus,
    "C++ compiler": _compiler,
    "nvcc": _nvcc,
    "MPI": _mpi,
    "NCCL": _nccl,
    "torch": _torch,  # last: it loads a BLAS of its own
}


def gpus():
    """Describe every GPU that the NVIDIA driver shows this process, without CuPy, which may be broken.

    Returns a list of texts with name, memory and compute capability; empty without a driver.
    Raises RuntimeError with the driver's error number where one of its functions fails.
    """
    from .backends.cuda import gpu

    try:
        driver = ctypes.CDLL(gpu.DRIVER)
    except OSError:
        return []

    def call(name, *arguments):
        if status := getattr(driver, name)(*arguments):
            raise RuntimeError(f"the NVIDIA driver's {name} failed with error {status}")

    count, device, number = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    memory, name = ctypes.c_size_t(), ctypes.create_string_buffer(256)
    call("cuInit", 0)
    call("cuDeviceGetCount", ctypes.byref(count))
    texts = []
    for index in range(count.value):
        call("cuDeviceGet", ctypes.byref(device), index)
        call("cuDeviceGetName", name, len(name), device)
        call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
        capability = []
        for attribute in (75, 76):  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
            call("cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
            capability.append(str(number.value))
        gib = memory.value / 2**30
        texts.append(f"{name.value.decode()}, {gib:.1f} GiB, compute capability {'.'.join(capability)}")
    return texts


def _guarded(describe):
    try:
        return describe()
    except ModuleNotFoundError as error:
        return f"not installed ({_sentence(error)})"
    except Exception as error:
        return f"unusable: {_sentence(error)}"


def _sentence(error):
    """The first line of an error's message that contains words: CuPy's messages begin with a row of ===."""
    lines = [line.strip() for line in str(error).splitlines() if re.search(r"\w", line)]
    return lines[0] if lines else type(error).__name__


def _version(program):
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode or not done.stdout:
        raise OSError(f"{program} --version failed with code {done.returncode} ({done.stderr.strip() or 'no message'})")
    return done.stdout


def _threads(number):
    return f"{number} thread{'s' if number > 1 else ''}"


# ------------------------------------------------------------------------------------------------- backends


def trouble(name):
    """What is wrong with the backend `name` and how to fix it, a sentence; None if a convolution on it is correct."""
    try:
        backend = _backend(name)
    except BackendUnavailable as error:
        return str(error)
    except Exception as error:
        return f"it does not start ({_sentence(error)}); {_REMEDIES[name]}"
    try:
        worst = _convolution_error(backend)
    except Exception as error:
        return f"it starts but cannot compute ({_sentence(error)}); {_REMEDIES[name]}"
    if not worst < TOLERANCE:
        return f"it starts, but a convolution has a relative error of {worst:.1e}; {_REMEDIES[name]}"
    return None


def _backend(name):
    try:
        return backends.get_backend(name)
    except ValueError as error:
        raise error.__cause__ or error from None


def _convolution_error(backend):
    """The largest error of a convolution and its three gradients in float32, relative to the largest number of each."""
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 9, 8), (4, 3, 3, 2), (4,)))
    gy = rng.standard_normal((2, 4, 7, 7))
    y, gx, gw = b.reshape(1, -1, 1, 1) + np.zeros_like(gy), np.zeros_like(x), np.zeros_like(w)
    for u, v in np.ndindex(*w.shape[2:]):  # the reference, one position of the kernel at a time, in float64
        under = np.s_[:, :, u : u + gy.shape[2], v : v + gy.shape[3]]
        y += np.einsum("nchw,oc->nohw", x[under], w[:, :, u, v])
        gx[under] += np.einsum("nohw,oc->nchw", gy, w[:, :, u, v])
        gw[:, :, u, v] = np.einsum("nohw,nchw->oc", gy, x[under])
    tensors: list[Any] = [Tensor(a, requires_grad=True, dtype=np.float32, backend=backend) for a in (x, w, b)]
    output = conv2d(*tensors)
    output.backward(gy)
    found = [output.numpy(), *(t.grad.numpy() for t in tensors)]
    wanted = [y, gx, gw, gy.sum((0, 2, 3))]
    return np.max([np.abs(f - w).max() / np.abs(w).max() for f, w in zip(found, wanted)])  # NaN if any is


# ------------------------------------------------------------------------------------------------- the kernels


def _print_kernels():
    from .backends.cuda import compile as cuda_compile

    reasons = []
    for compiler, compile_by in (("NVRTC", cuda_compile.by_nvrtc), ("nvcc", cuda_compile.by_nvcc)):
        try:
            with cli.as_user_error(), ThreadPoolExecutor(2) as pool:
                usages = [*pool.map(compile_by, [cuda_compile.all_files()] * 2, ("float", "double"))]
        except OSError as error:
            reasons.append(str(error))
            continue
        print(f"registers per thread, float/double, compiled by {compiler}\n")
        _print_table(usages, cuda_compile.ARCHITECTURES)
        return
    raise cli.UserError("; ".join(reasons))


def _print_table(usages, architectures):
    cells: dict = {}  # {kernel: {architecture: [Usage in float, in double]}}
    for usage in (usage for of_one_real in usages for usage in of_one_real):
        cells.setdefault(usage.kernel, {}).setdefault(usage.architecture, []).append(usage)
    width = max(map(len, ["kernel", *cells]))
    header = "".join(f"{name:>10}" for name in architectures)
    print(f"{'kernel':<{width}}{header}   shared bytes   spills and stack")
    for kernel, row in sorted(cells.items()):
        registers = "".join(f"{'/'.join(str(u.registers) for u in row[a]):>10}" for a in architectures)
        every = [u for pair in row.values() for u in pair]
        shared = "/".join(str(u.shared) for u in row[architectures[-1]])
        print(f"{kernel:<{width}}{registers}   {shared:>12}   {max(u.spilled + u.stack for u in every):>16}")


# ------------------------------------------------------------------------------------------------- the convolutions


def _tune(options):
    from .bench.machine import cpu_name

    path = Path(options.tune)
    if path.is_dir() or not path.parent.is_dir():
        raise cli.UserError(f"{path} cannot be written: it is a folder, or there is no folder {path.parent}")
    with cli.as_user_error():
        backends.get_backend("numba")  # it says what it lacks
    from .backends.fast_cpu import tune

    if options.threads:
        threads.set_count(options.threads)
    convolutions = _convolutions(options.tune_model or TUNED)
    width = max(len(c.name) for c in convolutions)
    columns = [name for name in tune.ways.NAMES if any(name in c.possible for c in convolutions)]
    header = "".join(f"{name:>9}" for name in columns)
    print(f"ms of forward and backward in {_threads(threads.count())} of {cpu_name()}\n")
    print(f"{'layer':<{width}}{header}   built-in   chosen", flush=True)
    measured = []
    with progress.Progress("measuring", sum(c.steps for c in convolutions), "runs") as bar:
        for convolution in convolutions:
            bar.note = convolution.name
            one = tune.measure(convolution, tick=bar.update)
            times = "".join(f"{1e3 * one.seconds[w]:9.2f}" if w in one.seconds else f"{'-':>9}" for w in columns)
            progress.write(f"{convolution.name:<{width}}{times}   {one.built_in:<8}   {one.choice}")
            measured.append(one)
    tune.write(path, measured, __version__, cpu_name())
    other = sum(one.choice != one.built_in for one in measured)
    print(f"\nwritten: {path}, {len(measured)} layers, {other} of them other than built in; to use it:")
    print(f"  {shlex.join(['python', '-m', 'minialex.train', '--conv-table', str(path)])}")
    return 0


def _convolutions(names):
    """The convolutions of presets, each once."""
    from .backends.fast_cpu import tune
    from .models.layout import layout, window_of

    found = {}
    for name in dict.fromkeys(names):
        preset = models.PRESETS[name]
        with nn.init.skipped():
            model = preset.build()
        shape = (3, preset.input_size, preset.input_size)
        batch_size = 128 if preset.input_size <= 32 else 32
        for row in layout(model, shape):
            if isinstance(layer := row.layer, nn.Conv2d):
                size, window = layer.weight.shape, window_of(layer, row.input)
                is_first = row.input == shape
                of = tune.Convolution(f"{name} {row.name}", row.input, size, window, layer.groups, batch_size, is_first)
                found.setdefault(of.key, of)
    return list(found.values())


if __name__ == "__main__":
    sys.exit(cli.run(main))
