"""What lesson 11 and its checks stand on: the rank that counts, and the divided network."""

from __future__ import annotations

import numpy as np
import pytest

from minialex.parallel import threads
from minialex.parallel.group import part
from tutorials import toy_group
from tutorials.toy_group import CountingGroup, on_ranks, split_network

ARRAYS = [np.random.default_rng(0).standard_normal(shape) for shape in ((7, 5), (5, 6), (6, 4), (7, 4))]


def summing(a, group):
    mine = part(a.shape[1] * group.size, group.rank, group.size)
    return group.all_gather(a, axis=1), lambda gy: group.all_reduce(gy)[:, mine]


@pytest.mark.parametrize("size", [1, 2])
def test_the_divided_network_has_the_gradients_of_the_whole_one(size):
    x, w1, w2, t = ARRAYS
    h = x @ w1
    gy = np.maximum(h, 0) @ w2 - t
    found = on_ranks(size, lambda group: split_network(summing, *ARRAYS, group))
    for columns, wanted in zip(zip(*found), (x.T @ (gy @ w2.T * (h > 0)), np.maximum(h, 0).T @ gy)):
        np.testing.assert_allclose(np.concatenate(columns, axis=1), wanted, rtol=1e-12, atol=1e-12)


def test_what_is_sent_is_counted():
    def each(group):
        counting = CountingGroup(group)
        came = [counting.send_recv(np.full((n, 2), group.rank), 1 - group.rank, 1 - group.rank) for n in (1, 3)]
        return counting.sent, [array.tolist() for array in came]

    assert on_ranks(2, each) == [(8, [[[1, 1]], 3 * [[1, 1]]]), (8, [[[0, 0]], 3 * [[0, 0]]])]


def test_parts_of_different_lengths_are_refused():
    """MPI's ranks could not receive them."""
    with pytest.raises(ValueError, match=r"rank \d sent \(\d,\) and was sent \(\d,\)"):
        on_ranks(
            2, lambda group: CountingGroup(group).send_recv(np.zeros(group.rank + 1), 1 - group.rank, 1 - group.rank)
        )


def test_ranks_that_wait_in_vain_say_so_soon(monkeypatch):
    monkeypatch.setattr(toy_group, "PATIENCE", 0.01)
    before = threads.PATIENCE
    with pytest.raises(RuntimeError, match="waited in vain"):
        on_ranks(2, lambda group: group.rank or group.all_reduce(np.zeros(1)))
    assert before == threads.PATIENCE
