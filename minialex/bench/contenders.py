"""The contenders of a benchmark: minialex on each backend, and torch in three modes."""

from __future__ import annotations

from ..support.errors import UserError
from .ours import Minialex
from .rivals import RIVALS, Torch


def make(name, thread_count, device="cpu"):
    """The contender of this name.

    name: of a backend, or one of RIVALS.
    thread_count: threads for torch.
    device: torch's, "cpu" or "cuda".

    Raises ImportError, OSError, RuntimeError or another error of its libraries where it does not run here.
    """
    return Torch(name, thread_count, device) if name in RIVALS else Minialex(name)


def choose(device, backend_names, rival_names, say):
    """The contenders for a benchmark.

    device: a host.Host or gpu.Gpu.
    backend_names, rival_names: the contenders by name; None for all that run on the device.
    say: say(line) is called for each contender left out because it does not run.

    Returns a list of contenders.
    Raises UserError where a contender that was named does not run.
    """
    chosen = []
    for names, known in ((backend_names, device.backends), (rival_names, device.rivals)):
        for name in known if names is None else dict.fromkeys(names):
            try:
                chosen.append(device.make(name))
            except Exception as error:  # of any library: an extension that does not load, a missing device
                if names is not None:
                    raise UserError(f"{name} does not run here ({reason(error)})") from error
                say(f"{name}: left out ({reason(error)})")
    return chosen


def reason(error):
    """The first line of an error's message, or its type without a message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
