"""Ctrl-C while a command is imported, and when it has begun."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from on_request import heavy_but

from minialex import cli
from minialex.__main__ import COMMANDS
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


# Python imports it before anything else.
SITE = """
import os, signal, sys

class CtrlC:
    def find_spec(name, path=None, target=None):
        if name == os.environ["AT"]:
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, CtrlC)
"""


def hears_ctrl_c():
    """In a child, before Python starts: tests that run in the background ignore Ctrl-C, and so would the child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals of another system")
@pytest.mark.parametrize(
    ("command", "at"),
    heavy_but(
        [("train", "minialex.functional")],
        [(command, "minialex.functional") for command in COMMANDS]
        + [("train", at) for at in ("numpy", "minialex.cli", "minialex.runs.run")]
        + [("", "numpy"), ("bench.kernels", "minialex.cli")],
    ),
)
def test_ctrl_c_while_a_command_is_imported(tmp_path, command, at):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    (tmp_path / "sitecustomize.py").write_text(SITE)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), root]), "AT": at}
    module = ".".join(filter(None, ("minialex", command)))
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=hears_ctrl_c,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


LAST = """
import os, signal

class Last:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGINT):
        kill(process, number)

last = Last()
"""


@pytest.mark.heavy
@pytest.mark.skipif(os.name != "posix", reason="signals of another system")
def test_ctrl_c_when_all_is_done_changes_nothing(tmp_path):
    """While Python clears up, at the end of the process."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    (tmp_path / "sitecustomize.py").write_text(LAST)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), root])}
    done = subprocess.run(
        [sys.executable, "-m", "minialex", "--version"], capture_output=True, env=environment, preexec_fn=hears_ctrl_c
    )
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout.startswith(b"minialex ")
