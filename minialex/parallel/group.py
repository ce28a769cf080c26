"""Ranks, the processes that compute together, and what they exchange.

With A_r the array of rank r, of P ranks:

    all_reduce       every rank gets    sum of A_0 ... A_P-1
    all_gather       every rank gets    A_0, A_1, ..., A_P-1, one after the other
    reduce_scatter   rank r gets        part r of the sum
    broadcast        every rank gets    A of one rank, the root
    send_recv        rank r gets        A of one other rank

All ranks call the same methods in the same order, with arrays of the same shape and dtype. Sums are taken in an order
that depends on the number of ranks alone, so that a run can be repeated bit for bit.

A `Group` of this module is one process alone, which has its results at once: what is written for many processes runs
in one. The others speak MPI (mpi.py), NCCL between GPUs (nccl.py), or are threads of one process (threads.py).
"""

from __future__ import annotations

import contextlib
import itertools
import math

import numpy as np

from ..support.types import Any, Array, Iterator, Self, Sequence


class Done:
    """A transfer that is complete."""

    def poke(self) -> None:
        """Let the transfer go on, where it needs the processor for that."""

    def wait(self) -> None:
        """Return when the transfer is complete."""


class Group:
    """Processes that compute together; this one is alone.

    rank: the number of this process, from 0 to size - 1.
    size: the number of processes.
    local_size: how many of them are on this machine.
    local_rank: the number of this process among those.
    """

    rank, size, local_size, local_rank = 0, 1, 1, 0

    def all_reduce(self, array: Array) -> Array:
        """The sum over all ranks, written into the array of each.

        array: contiguous.

        Returns the same array.
        """
        self.start_all_reduce(array).wait()
        return array

    def start_all_reduce(self, array: Array) -> Done:
        """Begin an all_reduce, which goes on while this process computes.

        array: contiguous; neither to be read nor written until the transfer is complete.

        Returns the transfer, whose `wait` must be called.
        """
        return Done()

    def all_gather(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        """The arrays of all ranks, joined in the order of the ranks.

        array: this rank's.
        axis: along which they are joined.
        lengths: of every rank's array along that axis; None where all are as long as this one.

        Returns a new array.
        """
        return array.copy()

    def reduce_scatter(self, array: Array, axis: int = 0, lengths: Sequence[int] | None = None) -> Array:
        """This rank's part of the sum over all ranks.

        array: the whole, of the same shape on all ranks.
        axis: along which it is divided.
        lengths: of every rank's part along that axis; None for equal parts.

        Returns a new array.
        """
        return array.copy()

    def broadcast(self, array: Array, root: int = 0) -> Array:
        """The array of one rank, written into that of every other.

        array: contiguous.
        root: the rank that sends.

        Returns the same array.
        """
        return array

    def start_broadcast(self, array: Array, root: int = 0) -> Done:
        """Begin a broadcast, which goes on while this process computes, where the engine can.

        array: contiguous; not to be written until the transfer is complete, and elsewhere than on the root not to be
            read.
        root: the rank that sends.

        Returns the transfer, whose `wait` must be called.
        """
        self.broadcast(array, root)
        return Done()

    def send_recv(self, array: Array, to: int, source: int) -> Array:
        """Send an array to one rank while receiving one, of the same shape and dtype, from another.

        array: contiguous.
        to: the rank that gets it.
        source: the rank whose array comes here.

        Returns the new array.
        """
        return array.copy()

    def split(self, color: int) -> Group:
        """The Group of those ranks that give the same number, in the order of their ranks here.

        color: from 0.
        """
        return self

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether it is True on any rank."""
        counts = self.all_reduce(np.array([bool(flag) for flag in flags], np.int64))
        return tuple(bool(count) for count in counts)

    def text(self, text: str, root: int = 0) -> str:
        """The text of one rank, on every rank.

        text: this rank's.
        root: the rank whose text it is.
        """
        written = np.frombuffer(text.encode(), np.uint8)
        size = self.broadcast(np.array([len(written)]), root)[0]
        letters = np.zeros(size, np.uint8)
        if self.rank == root:
            letters[:] = written
        return self.broadcast(letters, root).tobytes().decode()

    @contextlib.contextmanager
    def one_first(self) -> Iterator[None]:
        """A context that rank 0 passes through before all others: for files that it makes, and that they find."""
        if self.rank:
            self.agree(False)
        yield
        if not self.rank:
            self.agree(False)

    def leave(self, seconds: float = math.inf) -> bool:
        """Wait for the others before this process ends.

        seconds: how long at most.

        Returns whether all have come.
        """
        return True

    def end(self, code: int) -> None:
        """End all processes now, wherever they are.

        code: the exit code.

        A process that is alone goes on: it has nobody who waits for it.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Close what an engine has opened."""


def part(count: int, rank: int, size: int) -> slice:
    """What falls to one rank when `count` things are dealt out in order, as evenly as whole numbers allow.

        rank r of P gets    floor(r n / P) to floor((r + 1) n / P)

    count: n.
    rank, size: r and P.
    """
    return slice(rank * count // size, (rank + 1) * count // size)


def lengths_of(count: int, size: int) -> list[int]:
    """How many of `count` things fall to each of `size` ranks, see `part`."""
    slices = [part(count, rank, size) for rank in range(size)]
    return [own.stop - own.start for own in slices]


def pieces(array: Array, axis: int, lengths: Sequence[int]) -> list[Array]:
    """An array cut along an axis into pieces of these lengths."""
    if sum(lengths) != array.shape[axis]:
        raise ValueError(f"lengths {list(lengths)} do not add up to {array.shape[axis]}, axis {axis} of {array.shape}")
    ends = list(itertools.accumulate(lengths))
    before: list[Any] = [slice(None)] * (axis % array.ndim)
    return [array[(*before, slice(end - length, end))] for end, length in zip(ends, lengths, strict=True)]


def equal_lengths(array: Array, axis: int, size: int) -> list[int]:
    """The lengths of `size` equal parts along an axis; raises ValueError where it cannot be divided so."""
    length, rest = divmod(array.shape[axis], size)
    if rest:
        raise ValueError(f"axis {axis} of {array.shape} has no {size} equal parts: give lengths=...")
    return [length] * size
