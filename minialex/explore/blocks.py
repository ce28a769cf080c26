"""The threads of one block of a CUDA kernel, step by step: `explore.block(kernel, grid, block, *arguments)`."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np

from ..backends.cuda import emulator, tracing
from ..support.text import printable
from .captured import number as _number
from .notebook import Shown
from .page import document

CELLS = 4096  # of an array that is drawn
LINES = 200  # of a file that are shown
PROBLEMS = 20  # of the checked build that are listed
_DID = {tracing.LOAD: "reads", tracing.STORE: "writes"}


def block(kernel: str, grid: Any, block: Any, *arguments: Any, text: str | None = None, number: int = 0) -> BlockSteps:
    """What the threads of one block do, to be stepped through: the emulator runs it, and writes down every access.

    kernel: a name from the kernels folder or, with `text`, one defined there.
    grid, block: how many blocks, and how many threads in each; a number or up to three.
    arguments: of the kernel; arrays are NumPy's. What this block writes is in them afterwards.
    text: CUDA source, in which `global<const REAL> x`, `SHARED(REAL, tile, 64)` and `SHARED2(REAL, tile, 16, 16)`
        declare arrays; None for the kernels folder.
    number: of the block.

    Returns what a notebook shows, and what a page can be made of. Raises as minialex.backends.cuda.tracing.trace does,
    and OSError where the kernel does not compile, or no compiler is installed.
    """
    before = [a.copy() if isinstance(a, np.ndarray) and a.size <= CELLS else None for a in arguments]
    names = [p.name for p in emulator.defined(kernel, text)[0].parameters]
    trace = tracing.trace(kernel, grid, block, *arguments, text=text, number=number)
    shapes = {name: a.shape for name, a in zip(names, arguments) if isinstance(a, np.ndarray)}
    return BlockSteps(trace, dict(zip(names, before)), shapes)


class BlockSteps:
    """The steps of a block: a notebook shows them as the last value of a cell.

    trace: the BlockTrace.
    before: {parameter: its array before the kernel ran, None for a large one or a number}.
    shapes: {parameter: the shape of its array}.
    """

    def __init__(
        self, trace: tracing.BlockTrace, before: dict[str, Any], shapes: dict[str, tuple[int, ...]]
    ) -> None:  # fmt: skip
        self.trace, self._before, self._shapes = trace, before, shapes

    @property
    def races(self) -> list[str]:
        """A sentence for each race, at most tracing.RACES of them: both threads, both lines, the cell."""
        return [self._sentence(race) for race in self.trace.races().listed]

    @property
    def problems(self) -> tuple[str, ...]:
        """What the checked build complains of, races included: sentences."""
        return self.trace.report.problems

    def page(self, title: str | None = None) -> str:
        """The steps as a page: HTML, which holds all that it needs.

        title: of the page; the kernel's name by default.

        Raises ValueError where no thread touched memory or waited.
        """
        if not len(self.trace.events):
            raise ValueError(f"no thread of this block of {self.trace.kernel} reads, writes or waits: nothing to show")
        title = self.trace.kernel if title is None else title
        return document({"title": printable(title), "block": self._data()}, title)

    def show(self, *, height: int = 900) -> Shown:
        """The page in the output of a notebook's cell.

        height: of the frame, pixels.
        """
        return Shown(self.page(), height)

    def _repr_html_(self):
        return self.show()._repr_html_()

    def _data(self):
        trace = self.trace
        events, steps = trace.events, trace.steps()
        races = trace.races()
        fields = ("thread", "kind", "array", "index", "file", "line")
        numbers = np.stack([steps, *(events[name] for name in fields)]).astype("<i4")
        return {
            "kernel": printable(trace.kernel),
            "grid": trace.grid,
            "block": trace.block,
            "number": trace.number,
            "steps": int(steps.max()) + 1,
            "names": [self._named(name) for name in trace.names],
            "numbers": _encoded(numbers),
            "values": _encoded(events["value"].astype("<f8")),
            "sources": self._sources(),
            "races": [{"events": [race.first, race.second], "text": self._sentence(race)} for race in races.listed],
            "raceCount": races.count,
            "raced": sorted(races.events),
            "problems": [printable(text) for text in self.problems[:PROBLEMS]],
            "stopped": None
            if trace.complete
            else f"A trace holds {tracing.EVENTS:,} accesses: what the threads did after them is not in it.",
        }

    def _named(self, name):
        if isinstance(name, str):
            return {"file": printable(name)}
        before = self._before.get(name.name) if not name.shared else None
        shape = self._shapes.get(name.name, ()) if not name.shared else ()
        columns = name.columns or (shape[1] if len(shape) == 2 else 0)
        values = None if before is None else [_number(x) for x in before.ravel()]
        about = {"name": printable(name.name), "shared": name.shared, "size": name.size, "columns": columns}
        return {**about, "drawn": name.size <= CELLS, "before": values}

    def _sentence(self, race):
        words = []
        for k in (race.first, race.second):
            event = self.trace.events[k]
            line = f"line {event['line']} of {self.trace.names[event['file']]}"
            words.append(f"thread {event['thread']} {_DID[int(event['kind'])]} ({line})")
        return printable(f"{race.array.cell(race.index)}: {' and '.join(words)}, with no barrier between")

    def _sources(self):
        """{file, lines} for each file in which something was done, the kernel's own first."""
        files = _lines_by_file(self.trace.text)
        done = {name: set() for name in self.trace.names if isinstance(name, str)}
        for file, line in {(int(e["file"]), int(e["line"])) for e in self.trace.events}:
            done[self.trace.names[file]].add(line)
        shown = {file: self._shown(files.get(file, {}), lit) for file, lit in done.items() if lit}
        return [
            {"file": printable(file), "lines": [[n, printable(text.expandtabs(4))] for n, text in lines]}
            for file, lines in shown.items()
        ]

    def _shown(self, lines, lit):
        """The kernel from its first line to its last, or what stands around the lines that are lit."""
        begins = re.compile(rf"__global__.*\b{re.escape(self.trace.kernel)}\s*\(")
        first = min([min(lit) - 3, *(n for n, text in lines.items() if begins.search(text))])
        return [(n, lines[n]) for n in sorted(lines) if first <= n <= max(lit) + 1][:LINES]


def _lines_by_file(text):
    """{file: {number: line}} of a source whose #line directives say what is from where."""
    files: dict[str, dict[int, str]] = {}
    file, number = "", 1
    for line in text.split("\n"):
        directive = re.fullmatch(r'#line (\d+) "(.*)"', line)
        if directive:
            number, file = int(directive[1]), directive[2]
            continue
        files.setdefault(file, {})[number] = line
        number += 1
    return files


def _encoded(array):
    return base64.b64encode(array.tobytes()).decode()
