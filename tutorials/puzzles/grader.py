"""From a learner's kernel to a verdict: it is compiled for the checked emulator, and run in a process of its own.

A kernel is C++, and C++ may do whatever you may do: grade what you wrote yourself, or would run yourself. What a slip
can do is bounded: compiling ends after 60 seconds, a run after 10, or a million accesses to memory, or 2 GB; a crash
ends the process of the kernel, not yours.
"""

from __future__ import annotations

import ctypes
import json
import math
import re
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minialex import explore
from minialex.backends.cuda import emulator
from minialex.backends.cuda import launch as cuda_launch
from minialex.window import Window

from .specifications import PUZZLES, Part, cases

COMPILE_SECONDS, SECONDS, ACCESSES = 60, 10, 1_000_000
TOO_LONG = 97  # kernels/warps.h: the exit code of a process that has made so many accesses
FLAGS = ("-DCOUNT_WARPS", "-O1", "-g0", "-fwrapv", "-Werror=float-conversion", "-fno-diagnostics-show-caret")
INDENT = 5 * " "
PAGE = 4096  # arrays begin where a sector does, each in a page of its own


class Verdict(NamedTuple):
    """right: True, False, or None where there is no kernel yet; text: what the learner is told."""

    right: bool | None
    text: str


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


NAMES = {
    "loads": "loads from global memory",
    "sectors": "sectors of 32 bytes",
    "steps": "steps of warps",
    "conflicts": "bank conflicts",
    "most": "accesses by one thread",
    "shared_bytes": "bytes of shared memory",
}

# What the checked build says -> what to keep to; tried in this order: what is wrong first of all comes first.
RULES = (
    (r"\[-?(2147|4294)\d{6}\], but", "An int ends at 2,147,483,647, and threadIdx has no sign: 0 - 1 is "
     "4,294,967,295. Use int for small numbers with a sign, long long for large ones."),
    (r"elements$|but \w+ has \d+ rows", "An index is at least 0 and below the size of the array: for every thread, "
     "also of the last block and beside the edges."),
    (r"misaligned|whose address", "Four numbers at once begin at a multiple of 16 bytes."),
    (r"waits at a barrier", "All threads of a block come to the same __syncthreads(), or none: also those that have "
     "nothing to do."),
    (r"race: .* of block", "Nothing orders the threads of different blocks: what one writes, no other may touch."),
    (r"race: ", "What one thread writes, another may read or overwrite only after a barrier that both have passed."),
    (r"no thread of this block has written|nobody has written", "Memory holds nothing until a thread has written "
     "there: which thread was to do it?"),
)  # fmt: skip


# ---------------------------------------------------------------------------------------------- verdicts


def grade(name, text):
    """The Verdict on a kernel: the first thing that is wrong, where, and the rule that it breaks.

    name: of a puzzle, one of PUZZLES.
    text: CUDA source that defines its kernel.
    """
    return _tried(name, text)[0]


def _tried(name, text):
    """(the Verdict, the number of the case that it is about, the _Run); None where there is none."""
    puzzle = PUZZLES[name]
    problem = _unfit(puzzle, text)
    if problem:
        return problem, None, None
    try:
        run = _Run(name, text)
    except emulator.CompileError as error:
        return Verdict(False, _compile_error(error.output, text)), None, None
    except subprocess.TimeoutExpired:
        return Verdict(False, f"The compiler was stopped after {COMPILE_SECONDS} seconds."), None, None
    except OSError as error:  # there is no compiler
        return Verdict(None, f"A kernel cannot be judged here: {error}."), None, None
    for number, case in enumerate(cases(name)):
        problem = run.fault(number) or run.wrong_value(number) or _over_budget(puzzle, case, run, number)
        if problem:
            told = f"For {case.told} ({_launch(case)}):\n{_laid_out(problem)}"
            return Verdict(False, told), number, run
    return Verdict(True, _praise(run, cases(name))), None, run


def step(name, text):
    """The block in which a kernel went wrong, to be stepped through in a notebook; of a right kernel, a small one.

    name, text: as of grade.

    Returns what `minialex.explore.block` does. Raises ValueError, with the verdict, for a kernel that cannot be run
    here: it does not compile, does not end, dies, or its arrays are too long.
    """
    verdict, number, run = _tried(name, text)
    number = 2 if number is None else number
    if run is None or not run.slots[number].done or isinstance(cases(name)[number].expected, Part):
        raise ValueError(f"it cannot be stepped through: {verdict.text}")
    case, puzzle = cases(name)[number], PUZZLES[name]
    arguments = [a if i != case.output else _blank(case.expected) for i, a in enumerate(case.arguments)]
    x, y, z = map(int, (re.findall(r"block \((\d+), (\d+), (\d+)\)", verdict.text) or [(0, 0, 0)])[0])
    width, height, _ = cuda_launch.three(case.grid, "grid")
    there = x + width * (y + height * z)
    return explore.block(puzzle.kernel, case.grid, case.block, *arguments, text=text, number=there)


def counts(name, text):
    """The Counts of a kernel on its puzzle's last case with a budget; None where the kernel is not right."""
    if not grade(name, text).right:
        return None
    return _Run(name, text).counts(_measured(name))


def _measured(name):
    """The number of a puzzle's last case with a budget."""
    return [number for number, case in enumerate(cases(name)) if case.budget][-1]


def _unfit(puzzle, text):
    """A Verdict where the text cannot be the kernel that is asked for, else None."""
    if not isinstance(text, str):
        return Verdict(False, f"The text of a kernel is asked for, this is a {type(text).__name__}.")
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    if re.search(r"^\s*#\s*include", plain, re.M):
        return Verdict(False, "Take out #include: all that a kernel needs here is there already.")
    try:
        found = [kernel for kernel in cuda_launch.parse(text, "") if kernel.name == puzzle.kernel]
    except ValueError as error:
        return Verdict(False, f"{error}. The first line of the kernel stays as it was: {puzzle.declaration}")
    if len(found) != 1 or found[0].parameters != _parameters(puzzle):
        return Verdict(False, f"The first line of the kernel stays as it was: {puzzle.declaration}")
    if re.search(rf"void\s+{puzzle.kernel}\s*\([^)]*\)\s*{{\s*}}", plain):
        return Verdict(None, "not answered yet. Write the kernel's lines between its braces, and run the cell again.")
    return None


def _parameters(puzzle):
    return cuda_launch.parse(puzzle.declaration, "")[0].parameters


def _compile_error(output, text):
    """The first error of the compiler, and the learner's line: its own, or that of a macro or template behind it."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if "error: " in line), None)
    if first is None:
        return f"It does not compile: {output[:300]}"
    after = next((i for i in range(first + 1, len(lines)) if "error: " in lines[i]), len(lines))
    message = lines[first].split("error: ", 1)[1]
    for line in (*lines[first:after], *lines[:first][::-1]):
        here = re.match(r"learner\.cu:(\d+):", line)
        if here and int(here[1]) <= len(text.splitlines()):
            number = int(here[1])
            return f"It does not compile: line {number}: {message}\n{_quoted(text, number)}{_compiler_hint(message)}"
    return f"It does not compile: {message}. Is a brace or a parenthesis still open?"


def _compiler_hint(message):
    for pattern, hint in (
        ("__shared__", "Write SHARED(REAL, tile, 64), or SHARED2(REAL, tile, 16, 16): the emulator watches those."),
        (r"from .*‘?double.* may change", "Write numbers as (REAL)0.5: 0.5 alone makes the sum a double."),
        ("may change value", "In `c ? a : b` both have one type: write (REAL)0."),
        ("deduced conflicting types", "Both arguments have one type: write (REAL)0, or (int)threadIdx.x."),
        (
            "not a constant|non-type|constant expression",
            "The size of a shared array is a number written in the source.",
        ),
        ("whole number", "An index is an int or a long long."),
    ):
        if re.search(pattern, message):
            return f"\n     {hint}"
    return ""


def _over_budget(puzzle, case, run, number):
    """What exceeds the budget of a case, or None: the first of its counts, and the line that most of it comes from."""
    whole = run.counts(number)
    for count, most in case.budget.items():
        value = getattr(whole, count)
        if value <= most:
            continue
        by_line = {line: getattr(counts, count) for line, counts in run.lines(number).items()}
        worst = max(by_line, key=by_line.get, default=0)
        where = ""
        if by_line.get(worst):
            where = f"\nMost {NAMES[count]} come from line {worst}:\n{_quoted(run.text, worst)}"
        return (
            f"the values are right, but it needs {value:,} {NAMES[count]}; the budget is {most:,}.{where}"
            f"\nRule: {puzzle.rules[count]}"
        )
    return None


def _praise(run, tried):
    measured = [(number, case) for number, case in enumerate(tried) if case.budget]
    if not measured:
        return f"right, on {len(tried)} sizes."
    number, case = measured[-1]
    whole = run.counts(number)
    needs = (f"{getattr(whole, count):,} of {most:,} {NAMES[count]}" for count, most in case.budget.items())
    return f"right, on {len(tried)} sizes; for {case.told} it takes {', '.join(needs)}."


def _laid_out(problem):
    """Indented, and the rule wrapped."""
    lines = []
    for line in problem.splitlines():
        lines += textwrap.wrap(line, 100) if line.startswith("Rule: ") else [line.removeprefix(INDENT)]
    return textwrap.indent("\n".join(lines), INDENT)


def _launch(case):
    return f"{_times(case.grid)} block{'s' * (math.prod(case.grid) > 1)} of {_times(case.block)} threads"


def _times(sizes):
    return " x ".join(f"{size:,}" for size in sizes)


def _quoted(text, number):
    lines = text.splitlines()
    return f"     {number:3} | {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""


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
    warps = _Warps(limit=2**62)
    library.watch_warps(ctypes.byref(warps))
    sizes = cuda_launch.three(grid, "grid"), cuda_launch.three(block, "block")
    emulator.watched(getattr(library, f"run_{kernel}"), *sizes, values)
    return _counts(warps)


def launch(name, text):
    """The launch of a kernel on its puzzle's last case with a budget, as `instructions.count` takes it; None where the
    kernel is not right."""
    if not grade(name, text).right:
        return None
    case = cases(name)[_measured(name)]
    kernel = next(k for k in cuda_launch.parse(text, "") if k.name == PUZZLES[name].kernel)
    arguments = [np.empty_like(case.expected) if isinstance(a, str) else a for a in case.arguments]
    real, values = cuda_launch.Launcher().check(kernel, arguments)
    sizes = cuda_launch.three(case.grid, "grid"), cuda_launch.three(case.block, "block")
    return kernel, cuda_launch.source("common.cuh") + text, real, *sizes, values


class _Line(ctypes.Structure):  # struct Line of kernels/warps.h
    _fields_ = [
        (name, ctypes.c_longlong)
        for name in ("line", "loads", "stores", "sectors", "shared", "steps", "conflicts", "most")
    ]


class _Warps(ctypes.Structure):  # struct Warps of kernels/warps.h
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

    _fields_ = [("report", emulator.Counters), ("warps", _Warps), ("done", ctypes.c_longlong)]


class _Run:
    """All cases of a puzzle, run once with a kernel."""

    def __init__(self, name, text):
        if (name, text) not in _compiled:
            compile_together([(name, text)])
        self.name, self.text, self.cases = name, text, cases(name)
        self.parameters = _parameters(PUZZLES[name])
        self.slots, self.outputs, self.ended = self._run(self.cases)

    def _run(self, tried, watched=None):
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
            addresses = [[at + _Slot.warps.offset + _Warps.watched.offset, output + 4 * watched]]
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
            return replace(expected, values=_blank(expected.values)) if isinstance(expected, Part) else _blank(expected)
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

    def fault(self, number):
        """What the checked build found in a case, or how the process ended in it; None where nothing is wrong."""
        slot = self.slots[number]
        problems = slot.report.report().problems
        for pattern, rule in RULES:
            for problem in problems:
                if re.search(pattern, problem):
                    return self._told(problem, rule)
        if slot.done:
            return None
        warps = slot.warps
        last = f"line {warps.line}, block {(*warps.block,)}, thread {(*warps.thread,)}"
        last = f"The last access to memory was in {last}:\n{_quoted(self.text, warps.line)}" if warps.line else ""
        if self.ended in (TOO_LONG, -24):  # SIGXCPU
            return (
                f"it does not end: stopped after {ACCESSES:,} accesses to memory, or {SECONDS} seconds. {last}"
                "\nRule: every loop ends, for every thread and every size."
            )
        return (
            f"the process that ran the kernel died (exit code {self.ended}). {last}"
            "\nRule: use global<...>, SHARED and small local variables; nothing else is checked."
        )

    def _told(self, problem, rule):
        line, where, what = re.match(r"learner\.cu:(\d+): \w+, (block .*?, thread .*?): (.*)", problem).groups()
        for array, columns in re.findall(r"SHARED2\(\w+, *(\w+), *[^,)]+, *(\d+)\)", self.text):
            what = re.sub(
                rf"\b{array}\[(\d+)\](?!\[)",
                lambda found, array=array, columns=int(columns): "{}[{}][{}]".format(
                    array, *divmod(int(found[1]), columns)
                ),
                what,
            )
        return f"line {line}, {where}:\n{what}\n{_quoted(self.text, int(line))}\nRule: {rule}"

    def wrong_value(self, number):
        """The first element of a case that is not NumPy's, and who wrote it; None where all are right."""
        case, given = self.cases[number], self.outputs[number]
        part = isinstance(case.expected, Part)
        expected = case.expected.values if part else case.expected
        with np.errstate(invalid="ignore"):
            wrong = np.argwhere(~(np.abs(given - expected) <= 1e-5 * np.abs(expected)))
        if not len(wrong):
            return None
        flat = int(np.ravel_multi_index(tuple(wrong[0]), expected.shape)) + (case.expected.start if part else 0)
        index = str(flat) if part else ", ".join(map(str, wrong[0]))
        (slot,), _, _ = self._run([case], watched=flat)
        warps = slot.warps
        output = self.parameters[case.output].name
        many = f"{len(wrong):,} of {expected.size:,} are wrong" if len(wrong) > 1 else "it is the only wrong one"
        formula = f"\nRule: {case.rule or PUZZLES[self.name].formula}."
        if not warps.writer_line:
            return f"nobody writes {output}[{index}]; {many}.{formula}"
        writer = f"line {warps.writer_line}, block {(*warps.writer_block,)}, thread {(*warps.writer_thread,)}"
        return (
            f"{writer}:\n{output}[{index}] is {given[tuple(wrong[0])]:.6g}, in NumPy {expected[tuple(wrong[0])]:.6g}; "
            f"{many}.\n{_quoted(self.text, warps.writer_line)}{formula}"
        )


def _blank(expected):
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
