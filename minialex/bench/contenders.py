"""Who takes part: minialex on each backend, torch in its three ways."""

from __future__ import annotations

from .. import backends, cli
from .ours import Minialex
from .rivals import RIVALS, Torch


def make(name, thread_count):
    """The contender of this name, a backend's or one of RIVALS.

    Where it does not run here: ImportError, OSError, RuntimeError or whatever else its libraries raise.
    """
    return Torch(name, thread_count) if name in RIVALS else Minialex(name)


def choose(backend_names, rival_names, thread_count, say):
    """The contenders asked for by name, None meaning all that run here; say(line) for each that is left out.

    UserError where one that was named does not run.
    """
    chosen = []
    timed = [name for name in backends.available() if name != "emulator"]  # which is there to be stepped through
    for names, known in ((backend_names, timed), (rival_names, RIVALS)):
        for name in known if names is None else dict.fromkeys(names):
            try:
                chosen.append(make(name, thread_count))
            except Exception as error:  # a library's own: an extension that does not load, a device that is not there
                if names is not None:
                    raise cli.UserError(f"{name} does not run here ({reason(error)})") from error
                say(f"{name}: left out ({reason(error)})")
    return chosen


def reason(error):
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
