"""The CUDA kernels on a processor: the same .cu files, compiled by g++ with `kernels/emulator.h` in CUDA's place.

There are two builds. The fast one is a library of plain loops whose blocks are spread over the cores: the backend
"emulator".
The checked one (`check`, or every launch with MINIALEX_CHECKED=1) watches each access to memory: indices out of bounds,
reads of cells that were never written, races between threads, barriers that not all threads of a block reach. It also
counts loads and stores.
"""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ... import threads
from ...support import resources
from ..base import BackendUnavailable
from . import launch as cuda_launch
from .backend import CudaBackend

_FLAGS = ["-std=c++17", "-O2", "-g", "-fPIC", "-shared", "-fno-gnu-unique", "-U_FORTIFY_SOURCE", "-DEMULATOR"]
_C_TYPES = {"unsigned": "unsigned", "Window": "Window"}


class KernelError(RuntimeError):
    """What the checked build found wrong with a kernel: one line each, with file, line, kernel, block and thread."""


@dataclass(frozen=True)
class Report:
    """What a launch in the checked build did to global memory, and what it should not have done.

    loads, stores: accesses of all threads.
    most_loads, most_stores: of the thread that made most.
    sectors: pieces of 32 bytes that the warps touched, counted again at every access: what a GPU's memory has to
        deliver.
    count: problems found.
    problems: sentences; the first three of a kind in a line are listed.
    """

    loads: int
    stores: int
    most_loads: int
    most_stores: int
    sectors: int
    count: int
    problems: tuple[str, ...]


class CompileError(OSError):
    """A source text that the compiler refuses; `output` is all that the compiler says."""

    def __init__(self, message, output):
        super().__init__(message)
        self.output = output


class Counters(ctypes.Structure):
    """struct Report of kernels/checked.h, which a launch in the checked build fills."""

    _fields_ = [
        *((name, ctypes.c_longlong) for name in ("loads", "stores", "most_loads", "most_stores", "sectors")),
        ("problems", ctypes.c_int),
        ("text", ctypes.c_char * 8192),
    ]

    def report(self):
        """As a Report."""
        lines = self.text.decode(errors="replace").splitlines()
        numbers = self.loads, self.stores, self.most_loads, self.most_stores, self.sectors
        return Report(*numbers, self.problems, tuple(lines))


class EmulatorLauncher(cuda_launch.Launcher):
    """Runs kernels on NumPy arrays.

    checked: whether in the checked build, which raises KernelError where it finds a problem.
    """

    def __init__(self, checked=False):
        self.checked = checked

    def empty(self, shape, dtype):
        """An array for a kernel to write to; in the checked build filled with the pattern of unwritten cells.

        shape, dtype: as of numpy.empty.
        """
        array = np.empty(shape, dtype)
        if self.checked:
            mark_unwritten(array)
        return array

    def function(self, kernel, real):
        """The compiled entry of a kernel.

        kernel: a Kernel.
        real: the type that REAL stands for.
        """
        return _function(kernel, cuda_launch.source(kernel.file), real, self.checked)

    def launch(self, kernel, real, grid, block, values):
        function = self.function(kernel, real)
        if self.checked:
            report = watched(function, grid, block, values)
            if report.count:
                raise KernelError("\n".join(report.problems))
            return
        holders, pointers = _pointers(values)
        dimensions = (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block)
        blocks, at_least = math.prod(grid), max(1, 4096 // math.prod(block))  # a second thread must be worth it
        threads.parallel_for(
            lambda start, stop: function(*dimensions, start, stop, pointers, None, None), blocks, at_least
        )
        del holders  # not before: the pointers lead to them


class EmulatorBackend(CudaBackend):
    """The CUDA backend without a GPU. Raises BackendUnavailable where g++ is missing."""

    name, thread_owner = "emulator", "minialex's pool"

    def __init__(self):
        try:
            compiler()
        except OSError as error:
            raise BackendUnavailable(str(error)) from error
        super().__init__(np, EmulatorLauncher(checked=os.environ.get("MINIALEX_CHECKED", "") not in ("", "0")))

    def on_selected(self):
        pass  # every launch takes the cores


def check(kernel, grid, block, *arguments, text=None):
    """Run a kernel once in the checked build.

    kernel: a name from the kernels folder or, with `text`, one defined there.
    grid, block: as of Launcher.
    arguments: of the kernel; arrays are NumPy's. What `mark_unwritten` filled counts as never written.
    text: CUDA source, None for the kernels folder.

    Returns a Report, problems included. Raises as Launcher does.
    """
    found, text = defined(kernel, text)
    real, values = cuda_launch.Launcher().check(found, arguments)
    return run_checked(found, text, real, cuda_launch.three(grid, "grid"), cuda_launch.three(block, "block"), values)


def defined(kernel, text=None):
    """(a Kernel, the source that defines it, whole).

    kernel, text: as of check.

    Raises ValueError where there is none of that name.
    """
    if text is None:
        found = cuda_launch.find(kernel)
        return found, cuda_launch.source(found.file)
    text = f'{cuda_launch.source("common.cuh")}\n#line 1 "{kernel}.cu"\n{text}'
    named = {k.name: k for k in cuda_launch.parse(text, f"{kernel}.cu")}
    if kernel not in named:
        raise ValueError(f"the text defines no kernel {kernel!r}; it defines {', '.join(named) or 'none'}")
    return named[kernel], text


def mark_unwritten(array):
    """Fill an array, in place, with the pattern that the checked build takes for "never written"; bytes have none.

    array: a NumPy array.
    """
    patterns = {(4, "f"): 0x7FEDBEAD, (8, "f"): 0x7FFDBEADBEADBEAD, (4, "i"): 0x7EADBEAD, (8, "i"): 0x7EADBEADBEADBEAD}
    size, kind = array.dtype.itemsize, "f" if array.dtype.kind == "f" else "i"
    if (size, kind) in patterns:
        array.reshape(-1).view(f"u{size}")[...] = patterns[size, kind]


def run_checked(kernel, text, real, grid, block, values, blocks=None):
    """One launch in the checked build, in one thread; a Report.

    kernel: a Kernel.
    text: its source.
    real, grid, block, values: as of Launcher.launch.
    blocks: numbers of those to run; None for all of the grid.
    """
    return watched(_function(kernel, text, real, checked=True), grid, block, values, blocks)


def watched(function, grid, block, values, blocks=None):
    """One launch of a compiled entry of the checked build, in one thread; a Report.

    function: the entry.
    grid, block, values, blocks: as of run_checked.
    """
    counters = Counters()
    sizes = (ctypes.c_longlong * len(values))(*(v.size for v in values))
    dimensions = (ctypes.c_uint * 3)(*grid), (ctypes.c_uint * 3)(*block)
    holders, pointers = _pointers(values)
    for first, last in [(0, math.prod(grid))] if blocks is None else [(number, number + 1) for number in blocks]:
        function(*dimensions, first, last, pointers, sizes, ctypes.byref(counters))
    del holders
    return counters.report()


def _pointers(values):
    """(what has to stay alive, an array of addresses): of each array's elements, of each number."""
    holders = [v if isinstance(v, np.ndarray) else np.array([v]) for v in values]
    return holders, (ctypes.c_void_p * len(holders))(*(h.ctypes.data for h in holders))


def _function(kernel, text, real, checked):
    """The compiled entry of a kernel, from a library that is built once and kept."""
    library = _library(text, cuda_launch.REALS[real], checked)
    return getattr(library, f"run_{kernel.name}")


@cache
def _library(text, real, checked):
    return ctypes.CDLL(str(build(text, real, checked)))


@cache
def compiler():
    """g++ by its full path: $CXX if set. OSError, in one sentence, where there is none."""
    wanted = os.environ.get("CXX") or "g++"
    found = shutil.which(wanted)
    if not found:
        raise OSError(
            f"the emulator compiles the CUDA kernels with a C++ compiler, and {wanted} is not installed: "
            "install g++ (Debian, Ubuntu: apt install g++), or name another compiler in the variable CXX"
        )
    return found


def build(text, real, checked, extra=(), seconds=None):
    """Compile a source text with an entry for each of its kernels.

    text: CUDA source.
    real: "float" or "double".
    checked: whether for the checked build.
    extra: further flags.
    seconds: that the compiler may take; None for as long as it needs.

    Returns the library's path in the cache folder; its name holds a hash of all that went into it. Raises CompileError,
    an OSError, with the compiler's first error, and subprocess.TimeoutExpired.
    """
    folder = resources.folder("kernels")
    headers = "".join((folder / name).read_text() for name in ("emulator.h", "checked.h", "traced.h", "warps.h"))
    whole, flags = unit(text, real, checked, extra)
    flags += shlex.split(os.environ.get("CXXFLAGS", ""))  # -O0 for a debugger, for example
    key = hashlib.sha256("\0".join([whole, headers, *flags, compiler(), _version()]).encode()).hexdigest()[:24]
    cache = resources.cache_folder() / "kernels"
    library = cache / f"{key}.so"
    if not library.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / "kernels.so"
            command = [compiler(), *flags, "-x", "c++", "-", "-o", str(made)]
            result = subprocess.run(command, input=whole, capture_output=True, text=True, timeout=seconds)
            if result.returncode:
                raise CompileError(f"the kernels do not compile: {_first_error(result.stderr)}", result.stderr)
            os.replace(made, library)
    return library


def unit(text, real, checked, extra=()):
    """(the C++ of a source text with an entry for each of its kernels, g++'s flags for it).

    text, real, checked, extra: as of build.
    """
    flags = [*_FLAGS, f"-DREAL={real}", f"-I{resources.folder('kernels')}", *(["-DCHECKED"] if checked else []), *extra]
    return text + "\n" + "\n".join(_entry(k, checked) for k in cuda_launch.parse(text, "")), flags


@cache
def _version():
    return subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False).stdout


def _first_error(output):
    return next((line for line in output.splitlines() if "error" in line), output[:300] or "no message")


def _entry(kernel, checked):
    """C++ that unpacks the addresses and hands the kernel, as a function of no arguments, to emulator::run."""
    unpacked = []
    for index, parameter in enumerate(kernel.parameters):
        pointer = f"arguments[{index}]"
        if not parameter.array:
            unpacked.append(f"*({parameter.type}*){pointer}")
        else:
            element = parameter.type if parameter.written else f"const {parameter.type}"
            unpacked.append(f"({element}*){pointer}")
            if checked:
                unpacked[-1] = f'global<{element}>{{({element}*){pointer}, sizes[{index}], "{parameter.name}"}}'
    always = "emulator::report = (emulator::Report*)report; emulator::kernel = __func__ + 4;" if checked else ""
    fibers = "true" if checked or kernel.barriers else "false"
    return f"""
extern "C" void run_{kernel.name}(const unsigned* grid, const unsigned* block, long long first, long long last,
                                  void** arguments, const long long* sizes, void* report) {{
    (void)sizes, (void)report;
    {always}
    emulator::run(grid, block, {fibers}, first, last, [=] {{ {kernel.name}({", ".join(unpacked)}); }});
}}"""
