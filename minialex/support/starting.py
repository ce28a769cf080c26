"""Ctrl-C while a command imports its modules ends it at once, without a traceback.

minialex/__init__.py imports this module first. It acts in `python -m minialex.COMMAND` and `minialex COMMAND` only;
when the command begins, `cli.run` takes over. A script that imports minialex is not affected.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys


def is_command(arguments=None, words=None):
    """Whether this process was started as one of minialex's commands.

    arguments, words: sys.argv and sys.orig_argv, if None. While the module behind -m is looked for, the first argument
        is "-m".
    """
    arguments = getattr(sys, "argv", None) if arguments is None else arguments
    words = sys.orig_argv if words is None else words
    if (arguments or [""])[0] != "-m":
        return os.path.basename((arguments or [""])[0]) in ("minialex", "minialex.exe")
    module = re.search(r"\0-[a-zA-Z]*?m\0?([^\0]*)", "\0".join(words))
    return module is not None and module[1].split(".")[0] == "minialex"


def stop(number, frame):
    """Handle a signal where there is nothing to save: end the process at once, with a shell's exit code for it."""
    os._exit(128 + number)


if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not if ignored, as behind nohup
    signal.signal(signal.SIGINT, stop)
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # all is done: while Python clears up, a moment
