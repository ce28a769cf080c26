"""A command in several processes: the first speaks, and an error of any ends all."""

from __future__ import annotations

import io
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from .. import cli
from ..parallel import launch

FIRST_SPEAKS = 5.0  # seconds that other ranks leave to the first one, which has mostly met the same error
OTHERS_COME = 3.0  # seconds in which the others are interrupted, too, where a second Ctrl-C was for all
INTERRUPTED = 130  # the exit code of cli.run after Ctrl-C

last_words = ""  # what a process that ends the others says of what was saved


def run(main: Callable[[Any], Any], argv: Any = None) -> int:
    """As cli.run, where the launcher may have started several processes.

    main: takes argv and returns an exit code or None.
    argv: the arguments, sys.argv's if None.

    Rank 0 prints as one process does. What another rank prints is not shown, but for its error, if no other rank has
    ended the run by then. Returns the exit code; after an error all processes are ended with it.
    """
    rank, size = launch.launched()
    if size == 1:
        return cli.run(main, argv)
    shown = sys.stderr
    if rank:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the process ends
        sys.stderr = io.StringIO()
    code, returned = _code(main, argv)
    if returned:  # as in all processes, of which the first one may still write files
        launch.world().leave()
        return code
    if code == INTERRUPTED and launch.world().leave(OTHERS_COME + bool(rank)):
        return code
    if rank:
        time.sleep(FIRST_SPEAKS if code != INTERRUPTED else 0)
        words = sys.stderr.getvalue()  # type: ignore[union-attr]
        print(f"process {rank} of {size}: {words}{last_words}", end="", file=shown, flush=True)
    sys.stdout.flush()
    launch.end(code)
    return code


def _code(main, argv):
    """The exit code, and whether main has returned it: an error ends the others, which may wait for this process."""
    returned = []

    def connected(argv):
        launch.world()  # first: nobody can end the others who is not connected to them yet
        returned.append(main(argv) or 0)
        return returned[0]

    try:
        code = cli.run(connected, argv)
        return code, [code] == returned
    except Exception:  # an error of the library deserves its traceback, also of a rank that is silent otherwise
        traceback.print_exc()
        return 1, False
