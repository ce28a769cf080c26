"""Locks between processes: one holder at a time, released by any end of the process."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from minialex.support import lock

HOLDER = """
import runpy, sys
held = runpy.run_path(sys.argv[2])["Lock"](sys.argv[1]).acquire()  # without the import of the whole library
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path), lock.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_another_process_is_refused_until_the_first_is_killed(tmp_path, holder):
    with pytest.raises(lock.Held, match=f"another process is packing into {tmp_path}"):
        lock.Lock(tmp_path, "packing into").acquire()
    holder.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    holder.wait()
    assert [path.name for path in tmp_path.iterdir()] == [lock.NAME], "left by the killed process"
    with lock.Lock(tmp_path):
        pass
    assert not [*tmp_path.iterdir()]


def test_a_second_lock_of_the_same_process_is_refused(tmp_path):
    folder = tmp_path / "a" / "b"
    with lock.Lock(folder) as first:
        with pytest.raises(lock.Held):
            lock.Lock(folder).acquire()
        with pytest.raises(RuntimeError, match="already holds"):
            first.acquire()
        with lock.Lock(tmp_path / "a"):
            pass
    lock.Lock(folder).acquire().release()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_a_file_that_its_holder_removed_is_not_the_lock(tmp_path, monkeypatch):
    """The last holder removes the file between our opening and our locking it: a third process would lock a new one."""
    taken, original = [], lock._lock

    def slowly(file):
        if not taken:
            taken.append(lock.Lock(tmp_path))
            (tmp_path / lock.NAME).unlink()
        return original(file)

    monkeypatch.setattr(lock, "_lock", slowly)
    with lock.Lock(tmp_path), pytest.raises(lock.Held):
        taken[0].acquire()


def test_file_systems_without_locks(tmp_path, monkeypatch):
    if lock.fcntl is None:
        pytest.skip("this system has no flock")

    def flock(file, how):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with lock.Lock(tmp_path) as held:
        assert held.is_held


def test_claims_are_unique(tmp_path):
    claimed = []
    starts = threading.Barrier(6)

    def start():
        starts.wait()
        claimed.extend(lock.claim(tmp_path / "runs", "run-20261129") for _ in range(5))

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {f"run-20261129{end}" for end in ("", *(f"-{number}" for number in range(2, 31)))}
    assert sorted(path.name for path in claimed) == sorted(names) and all(path.is_dir() for path in claimed)
