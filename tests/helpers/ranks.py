"""Functions of a Group, run on ranks: threads of this process, or processes that mpiexec starts."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MPIEXEC = Path(sysconfig.get_path("scripts")) / "mpiexec"
NEEDS_MPI = pytest.mark.skipif(
    not os.environ.get("MINIALEX_MPI") and not (importlib.util.find_spec("mpi4py") and MPIEXEC.exists()),
    reason="needs mpi4py and mpiexec: pip install -e '.[mpi]'",
)
SECONDS = 120  # until ranks that wait for each other are ended


def command(size, *words):
    """The command line that runs Python with these words on so many ranks."""
    return [str(MPIEXEC), "-n", str(size), sys.executable, *map(str, words)]


def start(size, *words, **options):
    """A Popen of that command, whose output is text; in its own session, in which Ctrl-C does what it usually does."""
    environment = os.environ | options.pop("env", {})
    paths = [str(TESTS.parent), str(TESTS), str(TESTS / "helpers"), environment.get("PYTHONPATH", "")]
    return subprocess.Popen(
        command(size, *words),
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def finished(process):
    """A process's exit code, output and errors; its whole session is ended where it takes too long."""
    try:
        output, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        raise AssertionError(f"ranks waited for each other for {SECONDS} s:\n{output}\n{errors}") from None
    return process.returncode, output, errors


def on_ranks(size, file, function, *words, **options):
    """Call a function of a file as function(group, *words) on so many processes; returns what was printed.

    options: of start.
    """
    code, output, errors = finished(start(size, __file__, file, function, *words, **options))
    assert code == 0, f"exit code {code}\n{output}\n{errors}"
    return output


if __name__ == "__main__":
    from minialex.parallel.mpi import MPIGroup

    path, name, *arguments = sys.argv[1:]
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    world = MPIGroup()
    try:
        getattr(module, name)(world, *arguments)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        world.end(1)
