"""How the processes of a command end: together where main has returned in all, else by the one that knows why."""

from __future__ import annotations

import os
import sys
import types

import pytest

from minialex.parallel import launch
from minialex.parallel.group import Group
from minialex.runs import launching
from minialex.support.errors import UserError


class World(Group):
    """A Group of two whose other process comes, or does not come, when it is waited for."""

    size = 2

    def __init__(self, others_come):
        self.others_come, self.waited = others_come, []

    def leave(self, seconds=float("inf")):
        self.waited.append(seconds)
        return self.others_come


@pytest.fixture
def started(monkeypatch):
    """Calls launching.run in rank 0 of two; returns its code, how long it waited, and with which codes it ended all."""

    def run(main, others_come=True):
        world, ended = World(others_come), []
        monkeypatch.setattr(launch, "launched", lambda: (0, 2))
        monkeypatch.setattr(launch, "world", lambda: world)
        monkeypatch.setattr(launch, "end", ended.append)
        return launching.run(main, []), world.waited, ended

    return run


def raising(error):
    def main(argv):
        raise error

    return main


def test_what_main_returns_is_the_end_of_all(started):
    """Without limit: another process may be writing a large checkpoint, which nobody must end."""
    for code in (0, 1, 130, 143):
        assert started(lambda argv, code=code: code) == (code, [float("inf")], [])
    assert started(lambda argv: None) == (0, [float("inf")], [])


def test_an_error_ends_the_others(started, capsys):
    assert started(raising(UserError("no such thing"))) == (2, [], [2])
    assert capsys.readouterr().err == "error: no such thing\n"
    assert started(raising(ZeroDivisionError("ours"))) == (1, [], [1])
    assert "Traceback" in capsys.readouterr().err


def test_a_second_ctrl_c_of_one_process_ends_the_others(started):
    assert started(raising(KeyboardInterrupt())) == (130, [launching.OTHERS_COME], [])
    assert started(raising(KeyboardInterrupt()), others_come=False) == (130, [launching.OTHERS_COME], [130])


def test_a_launcher_gets_time_to_pass_words_on(monkeypatch, tmp_path):
    """Before MPI ends all; the line that MPI itself writes about that is not seen."""
    events = []

    class Communicator:
        @staticmethod
        def Abort(code):
            os.write(file.fileno(), b"application called MPI_Abort")
            events.append(code)

    with open(tmp_path / "stderr", "w") as file:
        mpi4py = types.SimpleNamespace(MPI=types.SimpleNamespace(COMM_WORLD=Communicator))
        monkeypatch.setitem(sys.modules, "mpi4py", mpi4py)
        monkeypatch.setattr(launch, "STDERR", file.fileno())
        monkeypatch.setattr(launch.time, "sleep", events.append)
        launch.end(2)
    assert events == [launch.PASSED_ON, 2]
    assert (tmp_path / "stderr").read_text() == ""
