"""Learners' kernels, compiled for the checked emulator that counts warps, and run in a process of their own."""

from __future__ import annotations

import ctypes
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minialex.backends.cuda import emulator
from minialex.backends.cuda import launch as cuda_launch
from minialex.window import Window

from .specifications import PUZZLES, Part, cases

COMPILE_SECONDS, SECONDS, ACCESSES = 60, 10, 1_000_000
TOO_LONG = 97  # kernels/warps.h: the exit code of a process that has made so many accesses
FLAGS = ("-DCOUNT_WARPS", "-O1", "-g0", "-fwrapv", "-Werror=float-conversion", "-fno-diagnostics-show-caret")
PAGE = 4096  # arrays begin where a sector does, each in a page of its own


@dataclass(frozen=True)
class Counts:
    """What a launch asked for, in all or in one line of the source; see kernels/warps.h."""

    loads: int = 0
    stores: int = 0
    sectors: int = 0
    shared: int = 0
    steps: int = 0
    conflicts: int = 0
    most: int = 0
    shared_bytes: int = 0


def parameters(puzzle):
    """The Parameters of a puzzle's kernel."""
    return cuda_launch.parse(puzzle.declaration, "")[0].parameters


# ---------------------------------------------------------------------------------------------- compiling

_compiled: dict[tuple[str, str], tuple[Path, str]] = {}


def compile_together(kernels):
    """Compile several kernels at once, which takes less time than each alone; `grade` then finds them.

    kernels: (name of the puzzle, text) of each. Raises CompileError for all if one of them does not compile.
    """
    texts = []
    for number, (name, text) in enumerate(kernels):
        kernel = PUZZLES[name].kernel
        renamed = re.sub(rf"\b{kernel}\b", f"{kernel}_{number}", text)
        texts.append(
            f'namespace kernel_{number} {{\n#line 1 "learner.cu"\n{renamed}\n}}\n'
            f"using kernel_{number}::{kernel}_{number};"
        )
    whole = "\n".join([cuda_launch.source("common.cuh"), *texts])
    library = emulator.build(whole, "float", True, FLAGS, COMPILE_SECONDS)
    for number, (name, text) in enumerate(kernels):
        _compiled[name, text] = library, f"run_{PUZZLES[name].kernel}_{number}"


# ---------------------------------------------------------------------------------------------- running


def count(kernel, grid, block, *arguments, text=None):
    """The Counts of one launch of any kernel, in this process and without limits.

    kernel, grid, block, arguments, text: as of `emulator.check`.
    """
    found, text = emulator.defined(kernel, text)
    real, values = cuda_launch.Launcher().check(found, arguments)
    library = ctypes.CDLL(str(emulator.build(text, cuda_launch.REALS[real], True, FLAGS)))
    warps = Warps(limit=2**62)
    library.watch_warps(ctypes.byref(warps))
    sizes = cuda_launch.three(grid, "grid"), cuda_launch.three(block, "block")
    emulator.watched(getattr(library, f"run_{kernel}"), *sizes, values)
    return _counts(warps)


class _Line(ctypes.Structure):  # struct Line of kernels/warps.h
    _fields_ = [
        (name, ctypes.c_longlong)
        for name in ("line", "loads", "stores", "sectors", "shared", "steps", "conflicts", "most")
    ]


class Warps(ctypes.Structure):  # struct Warps of kernels/warps.h
    _fields_ = [
        *((name, ctypes.c_longlong) for name in ("accesses", "limit", "most", "shared_bytes", "line")),
        ("block", ctypes.c_longlong * 3),
        ("thread", ctypes.c_longlong * 3),
        ("watched", ctypes.c_void_p),
        ("writer_line", ctypes.c_longlong),
        ("writer_block", ctypes.c_longlong * 3),
        ("writer_thread", ctypes.c_longlong * 3),
        ("count", ctypes.c_longlong),
        ("lines", _Line * 256),
    ]


class _Slot(ctypes.Structure):
    """What a case leaves behind, beside its arrays."""

    _fields_ = [("report", emulator.Counters), ("warps", Warps), ("done", ctypes.c_longlong)]


class Run:
    """All cases of a puzzle, run once with a kernel."""

    def __init__(self, name, text):
        if (name, text) not in _compiled:
            compile_together([(name, text)])
        self.name, self.text, self.cases = name, text, cases(name)
        self.parameters = parameters(PUZZLES[name])
        self.slots, self.outputs, self.ended = self.again(self.cases)

    def again(self, tried, watched=None):
        """([_Slot], [what stands in each output], how the process ended); watched: an element of the only output."""
        library, entry = _compiled[self.name, self.text]
        with tempfile.TemporaryDirectory() as folder:
            memory = _Memory(Path(folder) / "memory")
            jobs = [self._job(memory, case, watched) for case in tried]
            job = {
                "library": str(library),
                "entry": entry,
                "memory": str(memory.path),
                "seconds": SECONDS,
                "cases": jobs,
            }
            memory.write()
            command = [sys.executable, "-I", "-S", str(Path(__file__).with_name("child.py"))]
            try:
                ended = subprocess.run(
                    command, input=json.dumps(job), capture_output=True, text=True, timeout=SECONDS, errors="replace"
                ).returncode
            except subprocess.TimeoutExpired:
                ended = TOO_LONG
            slots = [_Slot.from_buffer_copy(memory.read(job["slot"], ctypes.sizeof(_Slot))) for job in jobs]
            outputs = [self._output(memory, case, job) for case, job in zip(tried, jobs)]
        return slots, outputs, ended

    def _job(self, memory, case, watched):
        arguments = [memory.add(self._stored(case, number)) for number in range(len(case.arguments))]
        slot = _Slot()
        slot.warps.limit = ACCESSES
        at, _ = memory.add(np.frombuffer(bytes(slot), np.uint8))
        addresses = []
        if watched is not None:
            output, _ = arguments[case.output]
            addresses = [[at + _Slot.warps.offset + Warps.watched.offset, output + 4 * watched]]
        return {
            "grid": (*case.grid, 1, 1)[:3],
            "block": (*case.block, 1, 1)[:3],
            "blocks": [case.blocks or (0, math.prod(case.grid))],
            "arguments": arguments,
            "addresses": addresses,
            "slot": at,
            "report": at + _Slot.report.offset,
            "problems": at + _Slot.report.offset + emulator.Counters.problems.offset,
            "warps": at + _Slot.warps.offset,
            "done": at + _Slot.done.offset,
        }

    def _stored(self, case, number):
        """What an argument of a case is to the kernel's process: an array or a Part."""
        argument, parameter = case.arguments[number], self.parameters[number]
        if number == case.output:
            expected = case.expected
            return replace(expected, values=blank(expected.values)) if isinstance(expected, Part) else blank(expected)
        if isinstance(argument, Window):
            return np.frombuffer(bytes(cuda_launch.struct(argument)), np.uint8)
        if parameter.array:
            return argument
        return np.array([argument], parameter.dtype(np.dtype(np.float32)))

    def _output(self, memory, case, job):
        offset, _ = job["arguments"][case.output]
        expected = case.expected
        if isinstance(expected, Part):
            offset, expected = offset + 4 * expected.start, expected.values
        return np.frombuffer(memory.read(offset, expected.nbytes), np.float32).reshape(expected.shape)

    def counts(self, number):
        """The Counts of a case."""
        return _counts(self.slots[number].warps)

    def lines(self, number):
        """{line of the source: its Counts} of a case."""
        warps = self.slots[number].warps
        return {line.line: Counts(**_fields(line)) for line in warps.lines[: warps.count]}


def blank(expected):
    """An array of this shape that nobody has written."""
    blank = np.empty_like(expected)
    emulator.mark_unwritten(blank)
    return blank


def _counts(warps):
    sums = Counter()
    for line in warps.lines[: warps.count]:
        sums.update(_fields(line))
    return Counts(**{**sums, "most": warps.most, "shared_bytes": warps.shared_bytes})


def _fields(line):
    return {name: getattr(line, name) for name, _ in _Line._fields_[1:]}


class _Memory:
    """A file that the kernel's process maps: pages of arrays. A Part takes no room but for its values."""

    def __init__(self, path):
        self.path, self.size, self.pieces = path, 0, []

    def add(self, array):
        """(the place in the file, the number of elements) of an array or a Part."""
        values, start, size = (
            (array.values, array.start, array.size) if isinstance(array, Part) else (array, 0, array.size)
        )
        offset = self.size
        self.pieces.append((offset + start * values.itemsize, values))
        self.size += -(-size * values.itemsize // PAGE) * PAGE + PAGE
        return offset, size

    def write(self):
        with self.path.open("wb") as file:
            file.truncate(self.size)
            for offset, values in self.pieces:
                file.seek(offset)
                file.write(np.ascontiguousarray(values).tobytes())

    def read(self, offset, count):
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(count)
