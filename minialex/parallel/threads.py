"""Groups of threads in one process: to learn and to test where there is no MPI.

    def each(group):
        return group.all_reduce(np.array([group.rank]))

    run(3, each)        # [array([3]), array([3]), array([3])]

Threads share one processor time and one interpreter: nothing becomes faster.
"""

from __future__ import annotations

import threading

import numpy as np

from ..support.types import Any, Array, Callable, Sequence
from .group import Done, Group, equal_lengths, pieces

PATIENCE = 60.0  # seconds until a rank that does not come makes the others give up


class _Table:
    """Where the ranks of a group put down what they exchange."""

    def __init__(self, size: int) -> None:
        self.arrays: list[Any] = [None] * size
        self.barrier = threading.Barrier(size)
        self.groups: dict[Any, _Table] = {}


class ThreadGroup(Group):
    """Threads of one process; the methods are those of Group. Made by `run`.

    rank, size: as of Group.
    table: that of the group.
    """

    def __init__(self, rank: int, size: int, table: _Table) -> None:
        self.rank, self.size, self._table = rank, size, table
        self.local_rank, self.local_size = rank, size

    def _exchange(self, thing: Any) -> list[Any]:
        """What every rank has put down, in the order of the ranks."""
        self._table.arrays[self.rank] = thing
        self._table.barrier.wait(PATIENCE)
        things = list(self._table.arrays)
        self._table.barrier.wait(PATIENCE)
        return things

    def start_all_reduce(self, array: Array) -> Done:
        arrays = self._exchange(array.copy())
        array[...] = _sum(arrays)
        return Done()

    def all_gather(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        return np.concatenate(self._exchange(array.copy()), axis)

    def reduce_scatter(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        lengths = equal_lengths(array, axis, self.size) if lengths is None else lengths
        return pieces(_sum(self._exchange(array.copy())), axis, lengths)[self.rank].copy()

    def broadcast(self, array: Array, root: int = 0) -> Array:
        array[...] = self._exchange(array.copy())[root]
        return array

    def send_recv(self, array: Array, to: int, source: int) -> Array:
        sent = self._exchange((to, array.copy()))
        receiver, received = sent[source]
        if receiver != self.rank:
            raise RuntimeError(f"rank {self.rank} waits for rank {source}, which sends to rank {receiver}")
        return received

    def split(self, color: int) -> Group:
        colors = self._exchange(color)
        own = [rank for rank, other in enumerate(colors) if other == color]
        if self.rank == own[0]:
            self._table.groups[color] = _Table(len(own))
        self._table.barrier.wait(PATIENCE)
        group = ThreadGroup(own.index(self.rank), len(own), self._table.groups[color])
        self._table.barrier.wait(PATIENCE)
        return group

    def end(self, code: int) -> None:
        self._table.barrier.abort()


def _sum(arrays):
    total = arrays[0].copy()
    for array in arrays[1:]:
        total += array
    return total


def run(size: int, function: Callable[[Group], Any]) -> list[Any]:
    """What a function returns on each of so many ranks, which are threads.

    size: the number of ranks.
    function: called with the Group of each.

    Returns a list, in the order of the ranks. Raises what the function raises on a rank; on several, the lowest one's.
    """
    table, results, errors = _Table(size), [None] * size, {}

    def work(rank: int) -> None:
        try:
            results[rank] = function(ThreadGroup(rank, size, table))
        except BaseException as error:
            errors[rank] = error
            table.barrier.abort()

    workers = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    own = [error for _, error in sorted(errors.items()) if not isinstance(error, threading.BrokenBarrierError)]
    for error in own or errors.values():
        raise error
    return results
