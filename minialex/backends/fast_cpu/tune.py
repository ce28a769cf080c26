"""A table of how convolutions are computed that was measured on the user's own processor, and its file.

python -m minialex.doctor --tune my.json
python -m minialex.train --conv-table my.json
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

import numpy as np

from ... import threads
from ...support import files, schema
from ...support.schema import AtLeast, Length, OneOf
from ...support.types import FileName
from ...window import Window
from . import ways

FORMAT = "minialex convolutions 1"
LARGEST = 2**20  # bytes of a file
ROUNDS = 7
LONG_ENOUGH = 0.03  # s: shorter steps are repeated, and the time is divided
NOISE = 0.05  # of the time of the built-in choice: another way has to save more


@dataclass(frozen=True)
class Convolution:
    """A convolution to be measured.

    name: of the layer, for people.
    image: shape of its input without the batch, (C, H, W).
    filters: shape of its weight, (O, C / groups, KH, KW).
    window: the Window.
    groups: how many.
    batch_size: images.
    first: whether its input is the images, which need no gradient.
    """

    name: str
    image: tuple[int, ...]
    filters: tuple[int, ...]
    window: Window
    groups: int
    batch_size: int
    first: bool = False

    @property
    def key(self) -> str:
        """Its name in a table."""
        return ways.key(self.image, self.filters, self.window, self.groups, np.float32)

    @property
    def possible(self) -> list[str]:
        """All ways that are possible for it."""
        return [str(way) for way in ways.possible(self.filters, self.window, self.groups)]

    @property
    def steps(self) -> int:
        """How often `measure` calls its tick."""
        return (1 + ROUNDS) * len(self.possible)


@dataclass(frozen=True)
class Measured:
    """What was measured of a Convolution.

    convolution: the Convolution.
    seconds: {way: seconds, forward and backward}, medians.
    built_in: the way of the built-in choice.
    """

    convolution: Convolution
    seconds: dict[str, float]
    built_in: str

    @property
    def choice(self) -> str:
        """The fastest way; the built-in choice unless another one takes NOISE less time."""
        fastest = min(self.seconds, key=self.seconds.__getitem__)
        saves = self.seconds[fastest] < (1 - NOISE) * self.seconds[self.built_in]
        return fastest if saves else self.built_in


def measure(
    convolution: Convolution, clock: Callable[[], float] = time.perf_counter, tick: Callable[[], object] = lambda: None
) -> Measured:
    """Time a training step of a convolution in each of its ways, in turn, so that other load affects all equally.

    convolution: the Convolution.
    clock: seconds, as time.perf_counter.
    tick: called after each time that was taken.

    Returns the Measured.
    """
    step, before = _step(convolution), ways.table()
    taken: dict[str, list[float]] = {name: [] for name in convolution.possible}
    try:
        ways.use(None)
        c = convolution
        built_in = ways.choose(c.image, c.filters, c.window, c.groups, np.float32)
        for _ in range(1 + ROUNDS):
            for name, times in taken.items():
                ways.use({convolution.key: name})
                times.append(_seconds(step, clock))
                tick()
    finally:
        ways.use(before)
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}  # the first round compiles
    return Measured(convolution, medians, str(built_in))


def _step(c):
    """A function that computes y, gx (but for images) and gw of noise."""
    rng, window = np.random.default_rng(0), c.window
    x, w, b, gy = (
        rng.standard_normal(shape, np.float32)
        for shape in (
            (c.batch_size, *c.image), c.filters, c.filters[:1], (c.batch_size, c.filters[0], *window.output)
        )
    )  # fmt: skip

    def step():
        ways.conv2d(x, w, b, window, c.groups)
        ways.conv2d_backward(gy, x.shape, w.shape, x, None if c.first else w, window, c.groups)

    return step


def _seconds(step, clock):
    start, count, elapsed = clock(), 0, 0.0
    while elapsed < LONG_ENOUGH:
        step()
        count, elapsed = count + 1, clock() - start
    return elapsed / count


# ------------------------------------------------------------------------------ the file


class Table(TypedDict):
    """The form of a file, besides its format: what was measured when and where, and the way of each layer."""

    minialex: str
    processor: str
    threads: Annotated[int, AtLeast(1)]
    date: str
    ways: Annotated[dict[str, Annotated[str, OneOf(*ways.NAMES)]], Length(1)]


def write(path: FileName, measured: Iterable[Measured], version: str, processor: str) -> None:
    """Write a table to a file, atomically.

    path: of the file.
    measured: a Measured of each layer.
    version: of minialex.
    processor: its name.

    Raises OSError where the file cannot be written.
    """
    table = {
        "format": FORMAT,
        "minialex": version,
        "processor": processor,
        "threads": threads.count(),
        "date": time.strftime("%Y-%m-%d"),
        "ways": {one.convolution.key: one.choice for one in measured},
    }
    files.write_text(path, json.dumps(table, indent=2) + "\n")


def read(path: FileName, thread_count: int) -> dict[str, str]:
    """The table in a file.

    path: of the file.
    thread_count: threads of the run that it is for; with another number, other ways may be the fastest.

    Returns {layer: way}, for ways.use.
    Raises OSError where the file cannot be read, ValueError where it is not such a table, and for other threads.
    """
    try:
        values = schema.from_json_file(Path(path), LARGEST)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of convolutions: it {error}") from error
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ValueError(f'{path} is not a table of convolutions: its format is not "{FORMAT}"')
    try:
        table = schema.read(Table, values)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if table["threads"] != thread_count:
        count = f"{table['threads']:,} thread{'s' if table['threads'] > 1 else ''}"
        raise ValueError(
            f"{path} was measured with {count}, but this run has {thread_count:,}: tune again with "
            f"threads={thread_count}, or leave conv_table=... out"
        )
    return table["ways"]
