"""Ctrl-C at a chosen line of minialex."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import minialex

PACKAGE = str(Path(minialex.__file__).parent)


class CtrlC:
    """Presses Ctrl-C at the n-th line of minialex that is run; `lines` counts them."""

    def __init__(self, n):
        self.n, self.lines = n, 0

    def __enter__(self):
        self._before = sys.gettrace()
        sys.settrace(self._call)

    def __exit__(self, *error):
        sys.settrace(self._before)

    def _call(self, frame, event, argument):
        inside = frame.f_code.co_filename.startswith(PACKAGE) and "reachable" not in frame.f_code.co_filename
        return self._line if inside else None

    def _line(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines == self.n:
                signal.raise_signal(signal.SIGINT)
        return self._line
