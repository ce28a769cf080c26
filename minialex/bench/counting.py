"""A Group that counts what it exchanges, and how long that takes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

from .exchanges import Exchange


@dataclass
class Log:
    """What a Counted group has exchanged.

    calls: (group, method, shape, dtype, further arguments, Exchange), in order.
    seconds: that this rank was in them.
    """

    calls: list = field(default_factory=list)
    seconds: float = 0.0

    def clear(self):
        """Forget all."""
        self.calls, self.seconds = [], 0.0

    @contextlib.contextmanager
    def timed(self):
        """A context whose seconds are added."""
        start = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - start


class Counted:
    """A Group that logs its sums, gathers and scatters, and those of the groups that are split off.

    group: a parallel.group.Group; what is not logged goes to it as it is.
    log: a Log.
    """

    def __init__(self, group, log):
        self.group, self.log = group, log

    def __getattr__(self, name):
        return getattr(self.group, name)

    def _made(self, method, array, arguments, size):
        if self.group.size > 1:
            exchange = Exchange(method, size, self.group.size)
            self.log.calls.append((self.group, method, array.shape, array.dtype, arguments, exchange))

    def all_reduce(self, array):
        """As Group's."""
        self.start_all_reduce(array).wait()
        return array

    def start_all_reduce(self, array):
        """As Group's."""
        self._made("all_reduce", array, (), array.nbytes)
        with self.log.timed():
            return _Transfer(self.group.start_all_reduce(array), self.log)

    def all_gather(self, array, axis=0, lengths=None):
        """As Group's."""
        with self.log.timed():
            joined = self.group.all_gather(array, axis, lengths)
        self._made("all_gather", array, (axis, lengths), joined.nbytes)
        return joined

    def reduce_scatter(self, array, axis=0, lengths=None):
        """As Group's."""
        self._made("reduce_scatter", array, (axis, lengths), array.nbytes)
        with self.log.timed():
            return self.group.reduce_scatter(array, axis, lengths)

    def split(self, color):
        """As Group's."""
        return Counted(self.group.split(color), self.log)


class _Transfer:
    def __init__(self, transfer, log):
        self.transfer, self.log = transfer, log

    def poke(self):
        with self.log.timed():
            self.transfer.poke()

    def wait(self):
        with self.log.timed():
            self.transfer.wait()
