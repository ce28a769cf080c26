"""What lesson 11 and its exercises share: a rank that counts what it sends, and a network that is divided."""

from __future__ import annotations

import threading

import numpy as np

from minialex.parallel import threads
from minialex.parallel.group import part

PATIENCE = 10.0  # seconds until ranks that wait in vain say so; the package's own are many more


class CountingGroup:
    """A rank that can do one thing only, and counts the numbers that it sends.

    group: the Group that does it.
    """

    def __init__(self, group):
        self.rank, self.size, self.sent, self._group = group.rank, group.size, 0, group

    def send_recv(self, array, to, source):
        """Send an array to the rank `to`; returns the one, of the same shape, that the rank `source` sends here."""
        received = self._group.send_recv(array, to, source)
        if received.shape != array.shape:
            raise ValueError(f"rank {self.rank} sent {array.shape} and was sent {received.shape}: they must be equal")
        self.sent += array.size
        return received


def split_network(exchange, x, w1, w2, t, group):
    """One rank's gradients of its columns of w1 and w2.    y = relu(x w1) w2,  loss = 1/2 sum (y - t)^2

    exchange(a, group): returns the columns of all ranks, of which a are this rank's, and the function backward(gy).
    """
    mine, own = part(w1.shape[1], group.rank, group.size), part(w2.shape[1], group.rank, group.size)
    h = x @ w1[:, mine]
    whole, backward = exchange(np.maximum(h, 0), group)
    gy = whole @ w2[:, own] - t[:, own]
    ga = backward(gy @ w2[:, own].T)
    return x.T @ (ga * (h > 0)), whole.T @ gy


def on_ranks(size, function):
    """As minialex.parallel.threads.run; RuntimeError, soon, where ranks wait for one that does not come."""
    before, threads.PATIENCE = threads.PATIENCE, PATIENCE
    try:
        return threads.run(size, function)
    except threading.BrokenBarrierError:
        raise RuntimeError("a rank waited in vain: do all make the same calls, in the same order?") from None
    finally:
        threads.PATIENCE = before
