"""What the threads of one block do to memory, in order: a trace that the emulator's traced build writes.

    events = every load, store and barrier of every thread, with its line, its cell and its value

`steps` puts them in step, as a GPU's threads go; `races` finds what a barrier is missing between.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from . import emulator
from . import launch as cuda_launch

EVENTS = 100_000  # that a trace holds; about 256 threads of a tiled product with 16 tiles
ENDLESS = 4_000_000  # accesses after which a block is stopped
RACES = 100  # that are listed
LOAD, STORE, BARRIER, OUTSIDE_LOAD, OUTSIDE_STORE = range(5)  # enum Kind of kernels/checked.h
_FLAGS = ("-DTRACED", "-O0", "-g0")  # compiled in half the time: what counts here, since a block runs in no time
_EVENT = np.dtype(  # struct Event of kernels/traced.h
    [("value", "f8"), ("index", "i8"), *((name, "i4") for name in ("thread", "kind", "array", "file", "line", "pad"))]
)


@dataclass(frozen=True)
class MemoryArray:
    """An array of global or of shared memory.

    name: as in the source.
    shared: whether the block shares it.
    size: elements.
    columns: of a row, where it has two indices; else 0.
    """

    name: str
    shared: bool
    size: int
    columns: int

    def cell(self, index: int) -> str:
        """A cell as the source names it: tile[3][5], x[17]."""
        return (
            f"{self.name}[{index // self.columns}][{index % self.columns}]" if self.columns else f"{self.name}[{index}]"
        )


@dataclass(frozen=True)
class Race:
    """Two threads at one cell of shared memory, one of them writing, with no barrier between.

    array, index: the cell.
    first, second: numbers of the two events, in the order of the emulator; on a GPU it may be the other one.
    """

    array: MemoryArray
    index: int
    first: int
    second: int


@dataclass(frozen=True)
class Races:
    """All races of a block.

    listed: the first RACES, one for each cell and pair of threads.
    count: how many there are.
    events: numbers of all events that take part in one.
    """

    listed: tuple[Race, ...]
    count: int
    events: frozenset[int]


@dataclass(frozen=True)
class BlockTrace:
    """What the threads of one block did.

    kernel: its name.
    grid, block: three numbers each.
    number: of the block, of which it is told.
    events: in the order in which the emulator ran the threads: a structured array of value, index, thread, kind (LOAD,
        STORE, BARRIER, OUTSIDE_LOAD, OUTSIDE_STORE), array and file (numbers in `names`), line.
    names: number -> MemoryArray, or the name of a file.
    complete: whether these are all events, or the first EVENTS.
    report: what the checked build says of the block.
    text: the source, whole.
    """

    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    number: int
    events: np.ndarray
    names: tuple[Any, ...]
    complete: bool
    report: emulator.Report
    text: str

    @property
    def threads(self) -> int:
        return math.prod(self.block)

    def phases(self) -> np.ndarray:
        """For each event, how many barriers its thread has passed before."""
        phases = np.zeros(len(self.events), np.int64)
        for thread in range(self.threads):
            own = np.flatnonzero(self.events["thread"] == thread)
            barriers = self.events["kind"][own] == BARRIER
            phases[own] = np.cumsum(barriers) - barriers
        return phases

    def steps(self) -> np.ndarray:
        """For each event the number of the step in which a block that goes in step does it.

        Between two barriers, in each step those threads make their next access whose line is the first in the source;
        the others, which are at a later line, wait. So threads that a condition parted come together behind it. (On a
        GPU the 32 threads of a warp do that; warps wait for each other at barriers alone.) A barrier is a step of its
        own, once nobody is before it.
        """
        steps, phases = np.zeros(len(self.events), np.int64), self.phases()
        files, lines = self.events["file"].tolist(), self.events["line"].tolist()
        is_barrier, threads = (self.events["kind"] == BARRIER).tolist(), self.events["thread"].tolist()

        def place(k):  # barriers last
            return (1, 0, 0) if is_barrier[k] else (0, files[k], lines[k])

        now = 0
        for phase in range(int(phases.max(initial=-1)) + 1):
            queues: dict[int, list[int]] = {}  # of each thread its events, the next one last
            for k in reversed(np.flatnonzero(phases == phase).tolist()):
                queues.setdefault(threads[k], []).append(k)
            standing: dict[tuple[int, int, int], list[list[int]]] = {}  # place -> queues of the threads that are there
            for queue in queues.values():
                standing.setdefault(place(queue[-1]), []).append(queue)
            while standing:
                for queue in standing.pop(min(standing)):
                    steps[queue.pop()] = now
                    if queue:
                        standing.setdefault(place(queue[-1]), []).append(queue)
                now += 1
        return steps

    def races(self) -> Races:
        """Where two threads touch one cell of shared memory between the same barriers, and one of them writes."""
        phases = self.phases()
        cells: dict[tuple[int, int, int], list[int]] = {}
        for k, (event, phase) in enumerate(zip(self.events, phases.tolist())):
            if event["kind"] in (LOAD, STORE) and self.names[event["array"]].shared:
                cells.setdefault((int(event["array"]), int(event["index"]), phase), []).append(k)
        found: list[Race] = []
        count, taking_part = 0, set()
        for (array, index, _), members in cells.items():
            first_of: dict[tuple[int, bool], int] = {}  # (thread, writes) -> its first event at this cell
            for k in members:
                first_of.setdefault((int(self.events["thread"][k]), bool(self.events["kind"][k] == STORE)), k)
            pairs = set()
            for (a, _), first in ((key, k) for key, k in first_of.items() if key[1]):  # a writes
                for (b, _), second in first_of.items():
                    if a != b and frozenset((a, b)) not in pairs:
                        pairs.add(frozenset((a, b)))
                        if len(found) < RACES:
                            found.append(Race(self.names[array], index, *sorted((first, second))))
            count += len(pairs)
            threads = frozenset().union(*pairs)
            taking_part.update(k for k in members if self.events["thread"][k] in threads)
        return Races(tuple(found), count, frozenset(taking_part))


def trace(kernel: str, grid: Any, block: Any, *arguments: Any, text: str | None = None, number: int = 0) -> BlockTrace:
    """Run one block of a kernel in the traced build, a thread after the other up to each barrier.

    kernel: a name from the kernels folder or, with `text`, one defined there.
    grid, block: as of launch.Launcher.
    arguments: of the kernel; arrays are NumPy's. What the block writes is in them afterwards.
    text: CUDA source, None for the kernels folder.
    number: of the block: x + y * width + z * width * height of the grid.

    Returns a BlockTrace. Raises as emulator.check does, and ValueError for a block that the grid does not have, and for
    one that makes ENDLESS accesses; a loop that touches no memory is not noticed.
    """
    found, text = emulator.defined(kernel, text)
    real, values = cuda_launch.Launcher().check(found, arguments)
    grid, block = cuda_launch.three(grid, "grid"), cuda_launch.three(block, "block")
    if not 0 <= number < math.prod(grid):
        raise ValueError(f"the grid has {math.prod(grid)} blocks, and there is no number {number}")
    if not 0 < math.prod(block) <= 1024:
        raise ValueError(f"a block has 1 to 1024 threads, got {math.prod(block)}")
    library = _library(text, cuda_launch.REALS[real])
    events = np.zeros(EVENTS, _EVENT)
    library.trace_into(events.ctypes.data_as(ctypes.c_void_p), ctypes.c_longlong(EVENTS), ctypes.c_longlong(ENDLESS))
    report = emulator.watched(getattr(library, f"run_{found.name}"), grid, block, values, [number])
    seen = library.traced_events()
    library.trace_into(None, ctypes.c_longlong(0), ctypes.c_longlong(0))
    if seen >= ENDLESS:
        raise ValueError(
            f"{kernel} was stopped after {ENDLESS:,} accesses of one block: does a loop not end? If all do, trace "
            "it on smaller arrays"
        )
    return BlockTrace(
        found.name, grid, block, number, events[:seen].copy(), _names(library), seen <= EVENTS, report, text
    )


@cache
def _library(text, real):
    library = ctypes.CDLL(str(emulator.build(text, real, True, _FLAGS)))
    library.traced_events.restype = ctypes.c_longlong
    library.trace_name.restype = ctypes.c_char_p
    return library


def _names(library):
    names: list[Any] = []
    while (text := library.trace_name(len(names))) is not None:
        kind, *words = text.decode(errors="replace").split(" ")
        if kind == "file":
            names.append(" ".join(words))
        else:
            names.append(MemoryArray(words[0], kind == "shared", *map(int, words[-2:])))
    return tuple(names)
