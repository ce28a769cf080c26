"""Many workers at once: each submission is read and graded by a process of its own (see worker.py)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from . import tree

STOPPING = 10.0  # seconds that a worker has to remove its temporary files


@dataclass(frozen=True)
class Ended:
    """How a worker ended.

    lines: what it printed, the values of lines of JSON.
    fault: why it did not finish its work, a clause; an empty text if it did.
    """

    lines: tuple = ()
    fault: str = ""


class Workers:
    """A context with at most `jobs` workers at a time; leaving it by an exception, such as of Ctrl-C, ends them all.

    jobs: how many.
    """

    def __init__(self, jobs):
        self._pool = ThreadPoolExecutor(jobs)
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            with self._lock:
                self._stopped = True
                for process in self._running:
                    _end(process, signal.SIGTERM)
        self._pool.shutdown(cancel_futures=True)

    def over(self, requests, seconds):
        """Run a worker for each request.

        requests: {key: request}, see worker.py.
        seconds: after which a worker is stopped.

        Yields (key, Ended) as they end.
        """
        running = {self._pool.submit(self._run, request, seconds): key for key, request in requests.items()}
        for future in as_completed(running):
            yield running[future], future.result()

    def _run(self, request, seconds):
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
            with self._lock:
                if self._stopped:
                    return Ended(fault="it was stopped")
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", f"{__package__}.worker"],
                    stdin=subprocess.PIPE,
                    stdout=printed,
                    stderr=errors,
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C is for this process, which ends them
                )
                self._running.add(process)
            fault = ""
            try:
                process.communicate(json.dumps(request).encode(), timeout=seconds)
            except subprocess.TimeoutExpired:
                fault = f"it was stopped after {seconds / 60:.0f} minutes"
                _end(process, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOPPING)
            finally:
                _end(process, signal.SIGKILL)
                process.wait()
                with self._lock:
                    self._running.discard(process)
            return Ended(_lines(printed), fault or _why(process.returncode, errors))


def _end(process, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _environment():
    """This process's environment, with one thread for NumPy, and this package to be found wherever it is."""
    path = os.pathsep.join(filter(None, [str(tree.PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    hidden = {"MINIALEX_SECRET": ""}  # it comes with the request
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return os.environ | threads | hidden | {"PYTHONPATH": path, "MINIALEX_PROGRESS": "off"}


def _lines(printed):
    printed.seek(0)
    found = []
    for line in printed.read().decode(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return tuple(found)


def _why(code, errors):
    """Why a process did not finish its work."""
    if code == 0:
        return ""
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4000))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    if code < 0:
        number = -code
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return f"its process was ended by {name}, as where memory or time runs out"
    return " ".join(lines[-1].split())[:300] if lines else f"its process ended with code {code}"
