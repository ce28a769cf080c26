"""Groups of processes with a GPU each, which NCCL connects: CuPy arrays go from GPU to GPU, without the host.

    group = NCCLGroup(MPIGroup())        # in each process that mpiexec has started

NCCL's transfers are work in a stream. All of a group's are in one stream of its own; events put them behind what
computed the array and before what reads the result, and the host waits for nothing:

    current stream    compute x ── event        compute y      wait ── read x
                                    │                            │
    group's stream                 wait ── all_reduce x ─────── event

NCCL adds in the order of its rings and trees, which depends on the ranks, the GPUs and the length of the array alone.
NCCL's guide: https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/usage.html
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import platform
import warnings

import numpy as np

from ..backends.base import BackendUnavailable
from ..backends.cuda import gpu
from ..support.types import Any, Array, Callable, Sequence
from .group import Done, Group, equal_lengths, pieces


class _Queued(Done):
    """A transfer in the group's stream; it keeps its array, whose memory CuPy would give to another one."""

    def __init__(self, cupy: Any, array: Array, event: Any) -> None:
        self.cupy, self.array, self.event = cupy, array, event

    def wait(self) -> None:
        """Let the current stream go on only when the transfer is complete; the host does not wait."""
        self.cupy.cuda.get_current_stream().wait_event(self.event)


class NCCLGroup(Group):
    """Processes with a GPU each; the methods are those of Group, on CuPy arrays. NumPy arrays take the host's way.

    host: the Group of the same processes, such as MPIGroup().
    device: the number of this process's GPU, which becomes its current one; None for its local_rank, modulo the number
        of GPUs that it sees. Make the group before anything else uses a GPU: what lies on another one cannot be sent.

    Raises BackendUnavailable where CuPy, NCCL or a GPU is missing; the other processes wait for one that raises this:
    end them, see Group.end. It is raised in all of them where there are fewer GPUs than processes.
    """

    def __init__(self, host: Group, device: int | None = None) -> None:
        self.host, self.rank, self.size = host, host.rank, host.size
        self.local_rank, self.local_size = host.local_rank, host.local_size
        self.cupy, count = gpu.cupy_and_gpus()
        self.device = host.local_rank % count if device is None else device
        self.cupy.cuda.Device(self.device).use()
        self._nccl = _nccl(self.cupy)
        if (gpus := _gpus_of(host, self.cupy)) < self.size:
            raise BackendUnavailable(
                f"NCCL needs a GPU for each process, and {self.size} processes have {gpus}: "
                f"start fewer (mpiexec -n {gpus})"
            )
        identity = np.zeros(128, np.uint8)
        if self.rank == 0:
            identity[:] = np.frombuffer(self._nccl.get_unique_id(), np.uint8)
        self._communicator = self._nccl.NcclCommunicator(self.size, host.broadcast(identity).tobytes(), self.rank)
        self._stream = self.cupy.cuda.Stream(non_blocking=True)

    def start_all_reduce(self, array: Array) -> Done:
        if self._on_host(array):
            return self.host.start_all_reduce(array)
        pointer, kind, add = _pointer(array), self._kind(array), self._nccl.NCCL_SUM
        return self._queue(
            array, lambda stream: self._communicator.allReduce(pointer, pointer, array.size, kind, add, stream)
        )

    def all_gather(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        if self._on_host(array):
            return self.host.all_gather(array, axis, lengths)
        sent, kind = self._front(array, axis), self._kind(array)
        lengths = [len(sent)] * self.size if lengths is None else lengths
        if lengths[self.rank] != len(sent):
            raise ValueError(
                f"axis {axis} of {array.shape} has not the length {lengths[self.rank]} of rank {self.rank}"
            )
        received = self.cupy.empty((sum(lengths), *sent.shape[1:]), array.dtype)

        def gather(stream: int) -> None:
            if len(set(lengths)) == 1:
                return self._communicator.allGather(_pointer(sent), _pointer(received), sent.size, kind, stream)
            with self._together():
                for root, part in enumerate(pieces(received, 0, lengths)):
                    if part.size:
                        self._communicator.broadcast(_pointer(sent), _pointer(part), part.size, kind, root, stream)

        self._queue(received, gather).wait()
        return self._back(received, axis)

    def reduce_scatter(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        if self._on_host(array):
            return self.host.reduce_scatter(array, axis, lengths)
        sent, kind, add = self._front(array, axis), self._kind(array), self._nccl.NCCL_SUM
        lengths = equal_lengths(array, axis, self.size) if lengths is None else lengths
        parts = pieces(sent, 0, lengths)
        own = self.cupy.empty_like(parts[self.rank])

        def scatter(stream: int) -> None:
            if len(set(lengths)) == 1:
                return self._communicator.reduceScatter(_pointer(sent), _pointer(own), own.size, kind, add, stream)
            with self._together():
                for root, part in enumerate(parts):
                    if part.size:
                        self._communicator.reduce(_pointer(part), _pointer(own), part.size, kind, add, root, stream)

        self._queue(sent, scatter).wait()
        return self._back(own, axis)

    def broadcast(self, array: Array, root: int = 0) -> Array:
        if self._on_host(array):
            return self.host.broadcast(array, root)
        self.start_broadcast(array, root).wait()
        return array

    def start_broadcast(self, array: Array, root: int = 0) -> Done:
        if self._on_host(array):
            return self.host.start_broadcast(array, root)
        pointer, kind = _pointer(array), self._kind(array)
        return self._queue(
            array, lambda stream: self._communicator.broadcast(pointer, pointer, array.size, kind, root, stream)
        )

    def send_recv(self, array: Array, to: int, source: int) -> Array:
        if self._on_host(array):
            return self.host.send_recv(array, to, source)
        received, kind = self.cupy.empty_like(array), self._kind(array)

        def exchange(stream: int) -> None:
            with self._together():  # alone, each would wait for the other
                self._communicator.send(_pointer(array), array.size, kind, to, stream)
                self._communicator.recv(_pointer(received), array.size, kind, source, stream)

        self._queue(array, exchange).wait()
        return received

    def split(self, color: int) -> Group:
        group = NCCLGroup(self.host.split(color), self.device)
        group._stream = self._stream  # in one stream, the transfers of both groups have one order on all GPUs
        return group

    def leave(self, seconds: float = math.inf) -> bool:
        return self.host.leave(seconds)

    def end(self, code: int) -> None:
        self.host.end(code)

    def __exit__(self, *exception: object) -> None:
        """Close NCCL's connections; after an exception without waiting for the others, which may not come."""
        if exception[0] is None:
            self._communicator.destroy()
        else:
            self._communicator.abort()

    def _front(self, array: Array, axis: int) -> Array:
        """An array with that axis in front, where pieces are contiguous; a copy unless it is so already."""
        return self.cupy.ascontiguousarray(self.cupy.moveaxis(array, axis, 0))

    def _back(self, array: Array, axis: int) -> Array:
        return self.cupy.ascontiguousarray(self.cupy.moveaxis(array, 0, axis))

    def _on_host(self, array: Array) -> bool:
        return not isinstance(array, self.cupy.ndarray)

    def _kind(self, array: Array) -> int:
        """NCCL's number of an array's dtype."""
        kind = getattr(self._nccl, f"NCCL_{array.dtype.name.upper()}", None)
        if kind is None:
            raise TypeError(f"NCCL sends whole and floating-point numbers, not {array.dtype}: convert it by astype")
        return kind

    def _queue(self, array: Array, transfer: Callable[[int], None]) -> Done:
        """Start a transfer in the group's stream, behind the work of the current one.

        array: kept until it is complete; nothing is done where it is empty.
        transfer: calls NCCL with the stream's number.
        """
        if not array.size:
            return Done()
        self._stream.wait_event(self.cupy.cuda.get_current_stream().record())
        transfer(self._stream.ptr)
        return _Queued(self.cupy, array, self._stream.record())

    @contextlib.contextmanager
    def _together(self):
        """NCCL starts the calls inside as one."""
        self._nccl.groupStart()
        try:
            yield
        finally:
            self._nccl.groupEnd()


def _pointer(array: Any) -> int:
    """Where an array's numbers begin on the GPU; raises ValueError where they do not lie one after the other."""
    if not array.flags.forc:
        raise ValueError(f"an array of shape {array.shape} is not contiguous: give a copy of it")
    return array.data.ptr


def _gpus_of(host: Group, cupy: Any) -> int:
    """On how many GPUs the processes of a group are: each may call its own number 0."""
    name = f"{platform.node()} {cupy.cuda.Device().pci_bus_id}"
    number = np.frombuffer(hashlib.sha256(name.encode()).digest(), np.int64)[:1]
    return len(np.unique(host.all_gather(number)))


def version() -> str:
    """NCCL's version; raises BackendUnavailable where it is missing, ImportError where CuPy is."""
    import cupy

    number = _nccl(cupy).get_version()
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def _nccl(cupy: Any) -> Any:
    """CuPy's binding of NCCL; raises BackendUnavailable where NCCL is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # CuPy's, of several lines
        from cupy.cuda import nccl
    if not nccl.available:
        version = cupy.cuda.runtime.runtimeGetVersion() // 1000
        raise BackendUnavailable(f"NCCL, which connects GPUs, is missing: pip install nvidia-nccl-cu{version}")
    return nccl
