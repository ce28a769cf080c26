"""Whether this process is one of several, which mpiexec or the like has started, and their Group."""

from __future__ import annotations

import functools
import os
import sys
import time
import warnings

from ..support.errors import UserError
from .group import Group

STDERR = 2  # the number of the file
PASSED_ON = 0.3  # seconds that a launcher gets to pass on what its processes have written

# What launchers tell the processes that they start: how many they are, and which of them this one is.
_TOLD = (
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # Open MPI
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun
)


def launched() -> tuple[int, int]:
    """(rank, size) as the launcher says, without MPI; (0, 1) where there is none."""
    for size, rank in _TOLD:
        if os.environ.get(size, "").isdigit() and os.environ.get(rank, "").isdigit():
            return int(os.environ[rank]), int(os.environ[size])
    return 0, 1


@functools.cache
def world() -> Group:
    """The Group of all processes that were started together: of MPI, or of this one alone.

    From then on an exception that nobody catches ends all of them: the others would wait for this process for ever.
    Raises UserError where mpi4py, or the MPI library, is missing, or is not that of the launcher.
    """
    rank, size = launched()
    if size == 1:
        return Group()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of the wrong launcher: the error below says more
            from .mpi import MPIGroup
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f"{size} processes were started, which need MPI to talk to each other ({error}): pip install mpi4py mpich, "
            "and start them with the mpiexec that comes with it"
        ) from error
    group = MPIGroup()
    if (group.rank, group.size) != (rank, size):
        raise UserError(
            f"the launcher has started {size} processes, but MPI knows of {group.size}: start them with the mpiexec of "
            "the MPI that mpi4py uses, which pip install mpich puts beside python"
        )
    sys.excepthook = _ending_all(sys.excepthook)
    return group


def _ending_all(report):
    """A sys.excepthook that reports an exception as another one does, and ends all processes."""

    def report_and_end(kind, error, trace):
        report(kind, error, trace)
        sys.stderr.flush()
        end(1)

    return report_and_end


def end(code: int) -> None:
    """End all processes that were started together, without asking them; returns where there is no MPI.

    code: the exit code.

    What this process has said is first left to the launcher, which drops what it has not passed on by the end.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError):
        return
    time.sleep(PASSED_ON)
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)  # not a line of MPI's about it, too
    MPI.COMM_WORLD.Abort(code)
