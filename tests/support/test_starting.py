"""Ctrl-C while a command is imported, and when it has begun."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from minialex import cli
from minialex.support import starting

WORDS = [
    ("-m", "python -m minialex.train --limit 3", True),
    ("-m", "python -W error -Im minialex.data.pack D -m other", True),
    ("-m", "python -X dev -mminialex --help", True),
    ("-m", "python -m pytest -m minialex.train", False),
    ("-m", "python -m minialexander", False),
    ("-m", "python -m tool.minialex", False),
    ("/usr/bin/minialex", "python /usr/bin/minialex train", True),
    ("train.py", "python train.py -m minialex.train", False),
    ("-c", "python -c 'import minialex'", False),
    ("", "python", False),
]


@pytest.mark.parametrize(("first", "words", "expected"), WORDS)
def test_commands_are_told_from_scripts(first, words, expected):
    assert starting.is_command([first, "x"], words.split()) is expected


def test_without_arguments():
    assert not starting.is_command([], ["python"])


def test_ctrl_c_is_raised_once_and_then_ends_the_process():
    """In a command; its caller's way to handle Ctrl-C is the same afterwards."""
    before, hook, seen = signal.getsignal(signal.SIGINT), sys.unraisablehook, []

    def main(argv):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            seen.append(signal.getsignal(signal.SIGINT))

    assert cli.run(main, []) == 130 and seen == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) is before and sys.unraisablehook is hook


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_who_ignores_or_handles_ctrl_c_goes_on_to_do_so(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert cli.run(lambda argv: signal.raise_signal(signal.SIGINT), []) == 0
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_no_signal_is_handled():
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli.run(lambda argv: 7, [])))
    thread.start()
    thread.join()
    assert codes == [7]


UNRAISABLE = """
import signal, sys
from minialex import cli
class Collected:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
def main(argv):
    Collected()
    print("went on")
sys.exit(cli.run(main))
"""


@pytest.mark.heavy
@pytest.mark.skipif(os.name != "posix", reason="signals of another system")
def test_where_ctrl_c_cannot_be_raised_it_ends_the_process():
    """Python prints it otherwise, with a traceback, and goes on."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = os.environ | {"PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", UNRAISABLE], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
