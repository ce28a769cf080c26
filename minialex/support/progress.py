"""Progress of long work: a bar in a terminal or notebook, and where there is neither, a line every 30 seconds.

with Progress("reading train", total=len(paths), unit="images") as bar:
    for path in paths:
        ...
        bar.update()

Which of the three it is, is decided here alone. A terminal's bar and the lines of a log are on stderr, so that output
can be piped. A notebook's bar is a line of text below the cell that is replaced in place, in its file, too; at the end
it says how long the work took. The environment variable MINIALEX_PROGRESS=off switches all of them off.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
from collections import deque

TERMINAL, NOTEBOOK, LOG = "terminal", "notebook", "log"
LOG_EVERY = 30  # seconds of silence before a line of a log
TICK = {TERMINAL: 0.1, NOTEBOOK: 0.5, LOG: 1.0}  # seconds between two drawings of the bar, or two looks at the clock
WINDOW = 60  # seconds: the speed is that of the last minute
NOTEBOOK_COLUMNS = 80
QUICK = 0.5  # seconds: what takes no longer leaves no line in a notebook
LONGEST_BAR, SHORTEST_BAR = 30, 6  # characters

_shown: list[Progress] = []  # the bars at work; only the innermost is drawn


def form():
    """How progress is shown now: "terminal", "notebook" or "log"; None where it is switched off."""
    if os.environ.get("MINIALEX_PROGRESS") == "off":
        return None
    if type(sys.stdout).__module__.split(".")[0] == "ipykernel":
        return NOTEBOOK
    stream = sys.stderr
    return TERMINAL if stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb" else LOG


def columns(stream):
    """The width of the terminal that `stream` writes to, in characters; 80 where it is unknown."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        width = 0
    return width or shutil.get_terminal_size().columns


def write(text, file=None):
    """Print a line at once, above the bar if there is one.

    text: the line, or several.
    file: the stream; sys.stdout if None.
    """
    bar = _shown[-1] if _shown else None
    if bar:
        bar.clear()
    print(text, file=file or sys.stdout, flush=True)
    if bar:
        bar.redraw()


def folded(text, file=None):
    """The text, with lines broken after a comma where a terminal is too narrow for them; unchanged in a file.

    text: one line, of parts with a comma between them.
    file: the stream that it is meant for; sys.stdout if None.
    """
    file = file or sys.stdout
    width = columns(file) if file is not None and file.isatty() else 0
    if not width or len(text) <= width:
        return text
    lines = [""]
    for part in text.replace(", ", ",\n").splitlines():
        if lines[-1] and len(f"{lines[-1]} {part}") > width:
            lines.append(" ")
        lines[-1] += f" {part}" if lines[-1] else part
    return "\n".join(lines)


class Progress:
    """How far some work is, shown while the `with` block runs.

    description: what is being done, a few words.
    total: items of the whole work; None if unknown.
    unit: what the items are, such as "images"; "B" for bytes, which are shown in MB.
    initial: items that were done before.
    delay: seconds before anything is shown.
    shown: whether to show anything at all.

    Set `description`, `note` (such as the loss) and `place` (for a log: where the work is) at any time.
    """

    def __init__(self, description, total=None, unit="items", *, initial=0, delay=0.0, shown=True):
        self.description, self.total, self.unit = description, total, unit
        self.done = self._initial = initial
        self.note, self.place = "", ""
        self._form = form() if shown else None
        self._stream, self._handle = sys.stderr, None
        self._delay, self._drawn, self._next, self._spoke = delay, 0, math.inf, 0.0
        self._start = 0.0
        self._seen: deque[tuple[float, int]] = deque()

    def __enter__(self):
        _shown.append(self)
        now = time.monotonic()
        self._seen.append((now, self.done))
        self._start = now
        wait = max(self._delay, QUICK if self._form == NOTEBOOK else 0)
        self._next, self._spoke = now + wait if self._form else math.inf, now
        return self

    def __exit__(self, *error):
        self.clear()
        _shown.remove(self)
        if self._handle is not None:
            took = f"{_amount(self.done - self._initial, self.unit)} in {_clock(time.monotonic() - self._start)}"
            self._display(", ".join(filter(None, [f"{self.description}: {took}", self.note])))

    def update(self, count=1):
        """Count items as done, and draw if the last drawing is long enough ago; count: how many."""
        self.done += count
        now = time.monotonic()
        if self._form is None or now < self._next:
            return
        self._next = now + TICK[self._form]
        self._seen.append((now, self.done))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW:
            self._seen.popleft()
        if _shown[-1:] == [self]:
            self._draw(now)

    def over(self, items):
        """Iterate over `items`, and count each as done when the next one is asked for."""
        for item in items:
            yield item
            self.update()

    def _draw(self, now):
        if self._form == LOG:
            if now - self._spoke >= LOG_EVERY:
                self._spoke = now
                print(self.line(), file=self._stream, flush=True)
            return
        if self._form == NOTEBOOK:
            self._display(self.bar(NOTEBOOK_COLUMNS))
            return
        text = self.bar(columns(self._stream) - 1)
        self._stream.write("\r" + text + " " * (self._drawn - len(text)))
        self._stream.flush()
        self._drawn = len(text)

    def _display(self, text):
        """Show a line below the notebook's cell, in the place of the one before."""
        from IPython.display import display

        if self._handle is None:
            self._handle = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": text}, raw=True)

    def clear(self):
        """Remove the bar from the screen."""
        self._spoke = time.monotonic()
        if self._drawn:
            self._stream.write("\r" + " " * self._drawn + "\r")
            self._stream.flush()
            self._drawn = 0

    def redraw(self):
        """Draw the bar again with the next update."""
        if self._form:
            self._next = min(self._next, time.monotonic())

    def speed(self):
        """Items per second during the last minute; 0 before any are done."""
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def _left(self):
        speed = self.speed()
        return f"{_clock((self.total - self.done) / speed)} left" if speed and self.total else ""

    def bar(self, width):
        """The bar as text of at most `width` characters; the note is kept longest, the bar itself goes first."""
        speed = f"{_amount(self.speed(), self.unit)}/s" if len(self._seen) > 1 else ""
        share = min(self.done / self.total, 1) if self.total else None
        percent = f"{100 * share:3.0f}%" if share is not None else _amount(self.done, self.unit)
        for left_out in ((), ("bar",), ("bar", "speed"), ("bar", "speed", "left"), ("bar", "speed", "left", "percent")):
            parts = {"speed": speed, "left": self._left(), "note": self.note}
            tail = ", ".join(text for name, text in parts.items() if text and name not in left_out)
            head = self.description + (f": {percent}" if "percent" not in left_out else "")
            if "bar" not in left_out and share is not None:
                length = min(LONGEST_BAR, width - len(f"{head} || {tail}"))
                if length < SHORTEST_BAR:
                    continue
                head += f" |{_drawing(share, length, self._stream)}|"
            text = f"{head}{' ' if head.endswith('|') else ', '}{tail}" if tail else head
            if len(text) <= width:
                return text
        return f"{self.description[: max(width - len(tail) - 2, 0)]}, {tail}"[:width] if tail else head[:width]

    def line(self):
        """The progress as a line of a log."""
        done, total = _amount(self.done, self.unit, False), _amount(self.total or 0, self.unit)
        place = self.place or (f"{done} of {total}" if self.total else _amount(self.done, self.unit))
        parts = (place, f"{_amount(self.speed(), self.unit)}/s", self.note, self._left())
        return f"{self.description}: {', '.join(part for part in parts if part)}"


def track(items, description, unit="items", total=None):
    """Iterate over `items` with a progress bar.

    items: an iterable.
    description, unit: as in Progress.
    total: how many items there are; len(items) if None.
    """
    with Progress(description, len(items) if total is None else total, unit) as bar:
        yield from bar.over(items)


def _amount(number, unit, with_unit=True):
    if unit == "B":
        number, unit = number / 1e6, "MB"
    digits = 1 if unit == "MB" else 0 if float(number).is_integer() or number >= 100 else 1 if number >= 10 else 2
    return f"{number:,.{digits}f} {unit}" if with_unit else f"{number:,.{digits}f}"


def _clock(seconds):
    """1:02:03, or 2:03 below an hour."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _drawing(share, length, stream):
    full = round(share * length)
    try:
        "█".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#" * full + "-" * (length - full)
    return "█" * full + " " * (length - full)
