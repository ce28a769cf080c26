"""From a learner's kernel to a verdict: it is compiled for the checked emulator, and run in a process of its own.

A kernel is C++, and C++ may do whatever you may do: grade what you wrote yourself, or would run yourself. What a slip
can do is bounded: compiling ends after 60 seconds, a run after 10, or a million accesses to memory, or 2 GB; a crash
ends the process of the kernel, not yours.
"""

from __future__ import annotations

import math
import re
import subprocess
import textwrap
from typing import NamedTuple

import numpy as np

from minialex import explore
from minialex.backends.cuda import emulator
from minialex.backends.cuda import launch as cuda_launch

from . import running
from .specifications import PUZZLES, Part, cases

INDENT = 5 * " "


class Verdict(NamedTuple):
    """right: True, False, or None where there is no kernel yet; text: what the learner is told."""

    right: bool | None
    text: str


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
    """(the Verdict, the number of the case that it is about, the Run); None where there is none."""
    puzzle = PUZZLES[name]
    problem = _unfit(puzzle, text)
    if problem:
        return problem, None, None
    try:
        run = running.Run(name, text)
    except emulator.CompileError as error:
        return Verdict(False, _compile_error(error.output, text)), None, None
    except subprocess.TimeoutExpired:
        return Verdict(False, f"The compiler was stopped after {running.COMPILE_SECONDS} seconds."), None, None
    except OSError as error:  # there is no compiler
        return Verdict(None, f"A kernel cannot be judged here: {error}."), None, None
    for number, case in enumerate(cases(name)):
        problem = _fault(run, number) or _wrong_value(run, number) or _over_budget(puzzle, case, run, number)
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
    arguments = [a if i != case.output else running.blank(case.expected) for i, a in enumerate(case.arguments)]
    x, y, z = map(int, (re.findall(r"block \((\d+), (\d+), (\d+)\)", verdict.text) or [(0, 0, 0)])[0])
    width, height, _ = cuda_launch.three(case.grid, "grid")
    there = x + width * (y + height * z)
    return explore.block(puzzle.kernel, case.grid, case.block, *arguments, text=text, number=there)


def counts(name, text):
    """The Counts of a kernel on its puzzle's last case with a budget; None where the kernel is not right."""
    if not grade(name, text).right:
        return None
    return running.Run(name, text).counts(_measured(name))


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
    if len(found) != 1 or found[0].parameters != running.parameters(puzzle):
        return Verdict(False, f"The first line of the kernel stays as it was: {puzzle.declaration}")
    if re.search(rf"void\s+{puzzle.kernel}\s*\([^)]*\)\s*{{\s*}}", plain):
        return Verdict(None, "not answered yet. Write the kernel's lines between its braces, and run the cell again.")
    return None


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


def _fault(run, number):
    """What the checked build found in a case, or how the process ended in it; None where nothing is wrong."""
    slot = run.slots[number]
    problems = slot.report.report().problems
    for pattern, rule in RULES:
        for problem in problems:
            if re.search(pattern, problem):
                return _told(run, problem, rule)
    if slot.done:
        return None
    warps = slot.warps
    last = f"line {warps.line}, block {(*warps.block,)}, thread {(*warps.thread,)}"
    last = f"The last access to memory was in {last}:\n{_quoted(run.text, warps.line)}" if warps.line else ""
    if run.ended in (running.TOO_LONG, -24):  # SIGXCPU
        return (
            f"it does not end: stopped after {running.ACCESSES:,} accesses to memory, or {running.SECONDS} seconds. "
            f"{last}"
            "\nRule: every loop ends, for every thread and every size."
        )
    return (
        f"the process that ran the kernel died (exit code {run.ended}). {last}"
        "\nRule: use global<...>, SHARED and small local variables; nothing else is checked."
    )


def _told(run, problem, rule):
    line, where, what = re.match(r"learner\.cu:(\d+): \w+, (block .*?, thread .*?): (.*)", problem).groups()
    for array, columns in re.findall(r"SHARED2\(\w+, *(\w+), *[^,)]+, *(\d+)\)", run.text):
        what = re.sub(
            rf"\b{array}\[(\d+)\](?!\[)",
            lambda found, array=array, columns=int(columns): "{}[{}][{}]".format(
                array, *divmod(int(found[1]), columns)
            ),
            what,
        )
    return f"line {line}, {where}:\n{what}\n{_quoted(run.text, int(line))}\nRule: {rule}"


def _wrong_value(run, number):
    """The first element of a case that is not NumPy's, and who wrote it; None where all are right."""
    case, given = run.cases[number], run.outputs[number]
    part = isinstance(case.expected, Part)
    expected = case.expected.values if part else case.expected
    with np.errstate(invalid="ignore"):
        wrong = np.argwhere(~(np.abs(given - expected) <= 1e-5 * np.abs(expected)))
    if not len(wrong):
        return None
    flat = int(np.ravel_multi_index(tuple(wrong[0]), expected.shape)) + (case.expected.start if part else 0)
    index = str(flat) if part else ", ".join(map(str, wrong[0]))
    (slot,), _, _ = run.again([case], watched=flat)
    warps = slot.warps
    output = run.parameters[case.output].name
    many = f"{len(wrong):,} of {expected.size:,} are wrong" if len(wrong) > 1 else "it is the only wrong one"
    formula = f"\nRule: {case.rule or PUZZLES[run.name].formula}."
    if not warps.writer_line:
        return f"nobody writes {output}[{index}]; {many}.{formula}"
    writer = f"line {warps.writer_line}, block {(*warps.writer_block,)}, thread {(*warps.writer_thread,)}"
    return (
        f"{writer}:\n{output}[{index}] is {given[tuple(wrong[0])]:.6g}, in NumPy {expected[tuple(wrong[0])]:.6g}; "
        f"{many}.\n{_quoted(run.text, warps.writer_line)}{formula}"
    )


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
