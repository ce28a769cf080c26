"""Who takes part: minialex on each backend, torch in its three ways."""

from __future__ import annotations

from ..support.errors import UserError
from .ours import Minialex
from .rivals import RIVALS, Torch


def make(name, thread_count, device="cpu"):
    """The contender of this name, a backend's or one of RIVALS; device: torch's, "cpu" or "cuda".

    Where it does not run here: ImportError, OSError, RuntimeError or whatever else its libraries raise.
    """
    return Torch(name, thread_count, device) if name in RIVALS else Minialex(name)


def choose(device, backend_names, rival_names, say):
    """The contenders asked for by name, None meaning all that run on the device; say(line) for each that is left out.

    UserError where one that was named does not run.
    """
    chosen = []
    for names, known in ((backend_names, device.backends), (rival_names, device.rivals)):
        for name in known if names is None else dict.fromkeys(names):
            try:
                chosen.append(device.make(name))
            except Exception as error:  # a library's own: an extension that does not load, a device that is not there
                if names is not None:
                    raise UserError(f"{name} does not run here ({reason(error)})") from error
                say(f"{name}: left out ({reason(error)})")
    return chosen


def reason(error):
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
