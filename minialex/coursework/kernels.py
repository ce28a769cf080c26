"""A student's CUDA kernels: compiling them, using them in place of the library's, in the emulator's checked build.

What is compiled is the library's own file with the bodies of the student's kernels, see a5_bodies.py. Checks call
`layers()`: the library's host code on the student's kernels while they are plugged in, otherwise the NumPy backend,
which computes the expected results.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import backends
from ..backends.cuda import emulator
from ..backends.cuda import launch as cuda_launch
from ..backends.cuda.backend import CudaBackend
from ..backends.cuda.emulator import KernelError
from . import a5_bodies

FAULTS = "faults.json"  # in the folder of compiled kernels: {file: why it does not compile}
PROCESSOR_SECONDS = 30  # of g++ for a file and a type; it needs two
SECONDS = 300  # until a file is compiled, on a machine that is busy with other things
SIDE = 16  # of the tiles of matmul_tiled
SMALL = 2**18  # multiplications: thirty milliseconds in the emulator
FLAGS = (
    "-O1",
    "-g0",
    "-fmax-errors=3",  # compiled for one grading only
    "-static-libstdc++",
    "-static-libgcc",  # loaded where no system libraries are available
    "-fsanitize-undefined-trap-on-error",
)
_LIMITED = f'ulimit -S -t {PROCESSOR_SECONDS}; exec "$0" "$@"'  # a process of cc1plus inherits it
_NOT_THE_STUDENTS = ("Killed signal", "Terminated signal", "out of memory", "No space left", "Cannot allocate memory")
THREADS, BLOCKS, ROWS = 32, 2, 3  # of a launch: few, so that grid-stride loops are necessary
_WHY = {  # words of the checked build's messages -> advice; earlier ones are the causes of later ones
    "waits at a barrier": "all threads of a block must reach every barrier, also those without an element: no barrier "
    "in a branch, after a return, or in a loop that ends earlier for some threads",
    "race:": "put a __syncthreads() between the write and the read",
    "but ": "check this index against the array's bounds",
    "no thread of this block": "write every cell before it is read, with 0 beyond the end of the matrix",
    "nobody has written": "initialise it before you read it",
}
built: Path | None = None  # in the grader's child: the folder that `prepare` compiled into, in another child
_plugged = None  # the Launcher of the student's kernels
cuda_launch.kernels()  # parsed now, since paths change once the child runs a check


class GraderFault(OSError):
    """The grader's machine is to blame, not the submission, which can be graded again."""


# ------------------------------------------------------------------------------------------------- compiling


def text(target, folder):
    """The source to compile for a student's file.

    target: a Target.
    folder: the student's.

    Returns (the library's file with the student's bodies, names of the kernels that are still empty).
    Raises OSError or ValueError with a message for the student.
    """
    path = Path(folder) / target.student_file
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing")
    student = path.read_text(encoding="utf-8", errors="replace")
    empty = a5_bodies.empty(student, target.names, path.name)
    return a5_bodies.spliced(cuda_launch.source(path.name), student, target.names, path.name), empty


def prepare(targets, folder, built):
    """Compile each file of a submission for float and double.

    A file that does not compile fails only the checks that use it, with the compiler's message.

    targets: the assignment's.
    folder: the student's.
    built: the folder to write the libraries to.

    Raises OSError where there is no compiler, GraderFault where the machine gave it too little time, memory or space.
    """
    found, built, faults, empty = compiler(), Path(built), {}, []
    for target in targets:
        file = target.student_file
        try:
            source, unwritten = text(target, folder)
            empty += unwritten
            _compile(found, source, built / file)
        except GraderFault:
            raise
        except (OSError, ValueError) as error:
            faults[file] = str(error)
    (built / FAULTS).write_text(json.dumps({"faults": faults, "empty": empty}), encoding="utf-8")


def compiler():
    """The path of g++, or of the compiler that $CXX names, also searched in the usual folders outside PATH."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{before}:/usr/local/bin:{os.defpath}"
    try:
        return emulator.compiler()
    finally:
        os.environ["PATH"] = before


def _compile(compiler, source, place):
    """Compile a source to place.float.so and place.double.so; ValueError with what the compiler says against it."""
    processes: list[Any] = []
    try:
        for real in ("float", "double"):
            processes.append(_start(compiler, source, real, place.with_name(f"{place.name}.{real}")))
        deadline = time.monotonic() + SECONDS
        for process in processes:
            _finish(process, place.name, deadline)
    except GraderFault:
        raise
    except OSError as error:
        raise GraderFault(f"the grader could not compile {place.name} ({error}): grade again") from error
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stderr.close()


def _start(compiler, source, real, place):
    """Start compiling place.cc to place.so; returns the process."""
    whole, flags = emulator.unit(source, real, True, (*FLAGS, _bounds()))
    place.with_name(f"{place.name}.cc").write_text(whole, encoding="utf-8")
    folder = str(place.parent)
    environment = {
        "PATH": f"{Path(compiler).parent}:/usr/local/bin:{os.defpath}",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": folder,
    }
    return subprocess.Popen(
        ["/bin/sh", "-c", _LIMITED, compiler, *flags, f"{place}.cc", "-o", f"{place}.so"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=folder,
        text=True,
        errors="replace",
    )  # in the group of this process: who ends it ends the compiler, too


def _bounds():
    """The sanitizer of arrays that the checked build does not watch: local ones, and the last in a struct."""
    return "-fsanitize=bounds" if "clang" in emulator._version() else "-fsanitize=bounds-strict"


def _finish(process, file, deadline):
    """Wait for a compiler; ValueError with its first errors, at the line numbers of the student's file."""
    try:
        _, output = process.communicate(timeout=max(0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:  # while it had processor time left
        raise GraderFault(f"the grader could not compile {file} in time: grade again") from None
    if not process.returncode:
        return
    if process.returncode == -signal.SIGXCPU or "CPU time limit exceeded" in output:
        raise ValueError(f"{file}: the compiler was stopped after {PROCESSOR_SECONDS} seconds of processor time")
    if process.returncode < 0 or any(words in output for words in _NOT_THE_STUDENTS):
        reason = next((line for line in output.splitlines() if any(words in line for words in _NOT_THE_STUDENTS)), "")
        reason = reason[:200] or f"the compiler was ended by signal {-process.returncode}"
        raise GraderFault(f"the grader could not compile {file} ({reason}): grade again")
    errors = [line[:300] for line in output.splitlines() if ": error:" in line]
    raise ValueError(f"{file} does not compile: " + ("; ".join(errors[:2]) or "the compiler failed"))


# ------------------------------------------------------------------------------------------------- launching


class _Built:
    """The functions of the libraries that `prepare` has compiled into a folder."""

    def __init__(self, folder):
        read = json.loads((folder / FAULTS).read_text(encoding="utf-8"))
        self.folder, self.faults, self.empty = folder, read["faults"], read["empty"]

    def function(self, kernel, real):
        """The function of a kernel; raises KernelError with the reason where its file did not compile."""
        if kernel.file in self.faults:
            raise KernelError(self.faults[kernel.file])
        library = ctypes.CDLL(str(self.folder / f"{kernel.file}.{cuda_launch.REALS[real]}.so"))
        return getattr(library, f"run_{kernel.name}")


class Here:
    """The functions of a student's kernels, compiled when first needed and cached, on the student's own machine.

    targets: the assignment's.
    folder: the student's.
    """

    def __init__(self, targets, folder):
        self.targets, self.folder = {target.student_file: target for target in targets}, folder
        self.texts, self.libraries, self.empty = {}, {}, []

    def function(self, kernel, real, checked=True):
        """The function of a kernel; raises KernelError with the reason where its file does not compile.

        kernel: a Kernel of the library.
        real: the dtype.
        checked: use the checked build.
        """
        key = kernel.file, real, checked
        if key not in self.libraries:
            try:
                options = ("-O0",) if checked else ()  # for a debugger; it also compiles faster
                path = emulator.build(self.text(kernel.file), cuda_launch.REALS[real], checked, options)
            except (OSError, ValueError) as error:
                message = str(error).replace("the kernels do not compile", f"{kernel.file} does not compile")
                raise KernelError(message) from error
            self.libraries[key] = ctypes.CDLL(str(path))
        return getattr(self.libraries[key], f"run_{kernel.name}")

    def text(self, file):
        """The source to compile for a file."""
        if file not in self.targets:
            return cuda_launch.source(file)
        if file not in self.texts:
            self.texts[file], empty = text(self.targets[file], self.folder)
            self.empty += empty
        return self.texts[file]


class Launcher(emulator.EmulatorLauncher):
    """Launches the student's kernels in the checked build, always with few threads, and counts the calls.

    found: a _Built or Here.
    calls: {kernel: number of launches}, which is updated.

    loads[kernel] is the number of loads from global memory in the last launch.
    Launches raise KernelError with advice for whatever the checked build finds and for cells of an output left
    unwritten, and NotImplementedError for a kernel without a body.
    """

    def __init__(self, found, calls):
        super().__init__(checked=True)
        self.found, self.calls, self.loads = found, calls, {}

    def empty(self, shape, dtype):
        """An array of this shape and dtype, marked as unwritten."""
        array = super().empty(shape, dtype)
        if array.dtype.itemsize == 1:
            array[...] = _pattern(array.dtype)
        return array

    def elements(self, name, count, *arguments, block=THREADS):
        """As the library's launcher, with few blocks."""
        self(name, min(-(-count // block), BLOCKS), block, *arguments)

    def planes(self, name, places, planes, *arguments):
        """As the library's launcher, with few blocks."""
        self(name, (min(-(-places // THREADS), BLOCKS), min(planes, ROWS)), THREADS, *arguments)

    def launch(self, kernel, real, grid, block, values):
        """As the library's launcher; raises what the class docstring says."""
        self.calls[kernel.name] = self.calls.get(kernel.name, 0) + 1
        function = self.found.function(kernel, real)
        if kernel.name in self.found.empty:
            raise NotImplementedError(f"{kernel.file}: {kernel.name} is yours to write")
        report = emulator.watched(function, grid, block, values)
        self.loads[kernel.name] = report.loads
        if report.count:
            raise KernelError(_explained(report))
        for parameter, value in zip(kernel.parameters, values, strict=True):
            if parameter.written:
                _all_written(kernel, parameter, value)


def _explained(report):
    """The problem that most likely causes the others, how many there are, and advice."""
    words, problem = next((w, p) for w in (*_WHY, "") for p in report.problems if w in p)
    more = f" (one of {report.count} findings)" if report.count > 1 else ""
    why = _WHY.get(words, "")
    return f"{problem}{more}" + (f". {why[0].upper()}{why[1:]}" if why else "")


def _all_written(kernel, parameter, value):
    bits = f"u{value.itemsize}"
    unwritten = np.flatnonzero(value.reshape(-1).view(bits) == _pattern(value.dtype).view(bits))
    if unwritten.size:
        name = parameter.name
        raise KernelError(
            f"{kernel.name} has left {unwritten.size} of {value.size} cells of {name} unwritten, the "
            f"first is {name}[{unwritten[0]}]"
        )


def _pattern(dtype):
    """The bit pattern of an unwritten cell."""
    cell = np.full(1, 255, dtype)
    emulator.mark_unwritten(cell)
    return cell


# ------------------------------------------------------------------------------------------------- plugging


def layers():
    """The backend that checks use: the library's on the student's kernels while plugged in, else NumPy."""
    return backends.get_backend("numpy") if _plugged is None else Layers(np, _plugged)


def product(a, b):
    """a @ b, by the student's matmul_tiled while plugged in, else by NumPy. a, b: matrices of the same dtype."""
    if _plugged is None:
        return a @ b
    (rows, depth), columns = a.shape, b.shape[1]
    c = _plugged.empty((rows, columns), a.dtype)
    blocks = -(-rows // SIDE) * -(-columns // SIDE)
    _plugged("matmul_tiled", blocks, (SIDE, SIDE), a, b, c, rows, columns, depth)
    return c


def loads(kernel):
    """Loads from global memory in a kernel's last launch; None where they are not counted. kernel: its name."""
    return None if _plugged is None else _plugged.loads.get(kernel)


@contextlib.contextmanager
def launching(launcher):
    """A context in which `layers()` uses a Launcher, `launcher`."""
    global _plugged
    before, _plugged = _plugged, launcher
    try:
        yield
    finally:
        _plugged = before


@contextlib.contextmanager
def plugged(targets, folder, calls):
    """A context in which `layers()` and the backend "emulator" run on a student's kernels.

    targets: the assignment's Targets with kernels.
    folder: the student's.
    calls: {kernel: number of launches}, which is updated and yielded.
    """
    found = _Built(Path(built)) if built else Here(targets, folder)
    calls.update({name: 0 for target in targets for name in target.names})
    before = backends._made.get("emulator")
    backends._made["emulator"] = _Training(found, calls)
    try:
        with launching(Launcher(found, calls)):
            yield calls
    finally:
        del backends._made["emulator"]
        if before is not None:
            backends._made["emulator"] = before


class Layers(CudaBackend):
    """The library's host code, always on the kernels that students write."""

    in_registers = ()


class _Training(Layers):
    """The emulator's fast build on the student's kernels, for training a network."""

    name, thread_owner = "emulator", emulator.EmulatorBackend.thread_owner

    def __init__(self, found, calls):
        super().__init__(np, _FastLauncher(found, calls))

    def on_selected(self):
        pass


class _FastLauncher(emulator.EmulatorLauncher):
    def __init__(self, found, calls):
        super().__init__()
        self.found, self.calls = found, calls

    def function(self, kernel, real):
        if kernel.name in self.calls:
            self.calls[kernel.name] += 1
        return self.found.function(kernel, real, checked=False)

    def gemm(self, a, b, out, transpose_a=False, transpose_b=False, add=False):
        """Small products by the student's matmul_tiled; large ones, which would take it seconds, by NumPy."""
        a, b, out = (x if x.ndim == 3 else x[None] for x in (a, b, out))  # one matrix, or a stack of them
        (count, rows, columns), depth = out.shape, a.shape[1] if transpose_a else a.shape[2]
        if "matmul_tiled" not in self.calls or add or not 0 < rows * columns * depth <= SMALL:
            super().gemm(a, b, out, transpose_a, transpose_b, add)
            return
        left, right = (a.swapaxes(1, 2) if transpose_a else a), (b.swapaxes(1, 2) if transpose_b else b)
        blocks = -(-rows // SIDE) * -(-columns // SIDE)
        for i in range(count):
            factors = np.ascontiguousarray(left[i]), np.ascontiguousarray(right[i])
            product = self.empty((rows, columns), out.dtype)
            self("matmul_tiled", blocks, (SIDE, SIDE), *factors, product, rows, columns, depth)
            out[i] = product
