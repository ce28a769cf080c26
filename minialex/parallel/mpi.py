"""Groups of processes that MPI connects: mpi4py, started by mpiexec.

mpiexec -n 4 python -m minialex.train --parallel data
"""

from __future__ import annotations

import math
import time

import numpy as np
from mpi4py import MPI

from ..support.types import Any, Array, Sequence
from .group import Done, Group, equal_lengths, pieces


class _Pending(Done):
    def __init__(self, request: Any) -> None:
        self.request = request

    def poke(self) -> None:
        self.request.Test()

    def wait(self) -> None:
        self.request.Wait()


class MPIGroup(Group):
    """The processes of an MPI communicator; the methods are those of Group.

    communicator: of mpi4py; None for that of all processes.
    """

    def __init__(self, communicator: Any = None) -> None:
        self.communicator = MPI.COMM_WORLD if communicator is None else communicator
        self.rank, self.size = self.communicator.Get_rank(), self.communicator.Get_size()
        machine = self.communicator.Split_type(MPI.COMM_TYPE_SHARED)
        self.local_size, self.local_rank = machine.Get_size(), machine.Get_rank()
        machine.Free()

    def start_all_reduce(self, array: Array) -> Done:
        return _Pending(self.communicator.Iallreduce(MPI.IN_PLACE, array))

    def all_gather(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        lengths = [array.shape[axis]] * self.size if lengths is None else lengths
        shapes = [(*array.shape[:axis], length, *array.shape[axis:][1:]) for length in lengths]
        counts = [int(np.prod(shape)) for shape in shapes]
        received = np.empty(sum(counts), array.dtype)
        self.communicator.Allgatherv(np.ascontiguousarray(array), [received, counts])
        parts = np.split(received, np.cumsum(counts)[:-1])
        return np.concatenate([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)], axis)

    def reduce_scatter(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        parts = pieces(array, axis, equal_lengths(array, axis, self.size) if lengths is None else lengths)
        own = np.empty(parts[self.rank].shape, array.dtype)
        sent = np.concatenate([part.reshape(-1) for part in parts])
        self.communicator.Reduce_scatter(sent, own, [part.size for part in parts])
        return own

    def broadcast(self, array: Array, root: int = 0) -> Array:
        self.communicator.Bcast(array, root)
        return array

    def start_broadcast(self, array: Array, root: int = 0) -> Done:
        return _Pending(self.communicator.Ibcast(array, root))

    def send_recv(self, array: Array, to: int, source: int) -> Array:
        received = np.empty_like(array)
        self.communicator.Sendrecv(array, to, recvbuf=received, source=source)
        return received

    def split(self, color: int) -> Group:
        return MPIGroup(self.communicator.Split(color, self.rank))

    def leave(self, seconds: float = math.inf) -> bool:
        request, end = self.communicator.Ibarrier(), time.monotonic() + seconds
        while not (all_there := request.Test()) and time.monotonic() < end:
            time.sleep(0.01)
        return bool(all_there)

    def end(self, code: int) -> None:
        MPI.COMM_WORLD.Abort(code)
