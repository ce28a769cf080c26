"""Every collective, on every engine, against what NumPy makes of the arrays of all ranks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ranks import NEEDS_MPI, on_ranks

from minialex.parallel import group as groups
from minialex.parallel import threads

SHAPES = [(), (1,), (3, 5), (4, 3, 2), (0, 2)]


def arrays(size, shape, dtype, seed=0):
    """An array for each rank, known to all of them: small whole numbers, whose sums are exact in any order."""
    draws = np.random.default_rng(seed).integers(-9, 9, (size, *shape))
    return [np.array(draw, dtype) for draw in draws]


def check(group, xp=np):
    """Every method of a group of any size, on the arrays of NumPy or of CuPy."""
    rank, size = group.rank, group.size

    def same(found, expected):
        assert isinstance(found, xp.ndarray)
        same_numbers(found if xp is np else xp.asnumpy(found), expected)

    for shape, dtype in itertools.product(SHAPES, (np.float32, np.float64, np.int64)):
        every = arrays(size, shape, dtype)
        total, own = sum(every), xp.array(every[rank])
        assert group.all_reduce(own) is own
        same(own, total)
        pending, own = group.start_all_reduce(before := xp.array(every[rank])), before
        pending.poke()
        pending.wait()
        same(own, total)
        for root in range(size):
            sent = xp.array(every[rank])
            assert group.broadcast(sent, root) is sent
            same(sent, every[root])
            pending, sent = group.start_broadcast(before := xp.array(every[rank]), root), before
            pending.wait()
            same(sent, every[root])
        moved = group.send_recv(xp.array(every[rank]), (rank + 1) % size, (rank - 1) % size)
        same(moved, every[rank - 1])
        for axis in range(-1, len(shape)) if shape else ():
            own = xp.array(every[rank])
            same(group.all_gather(own, axis), np.concatenate(every, axis))
            same(own, every[rank])
            longer = [np.repeat(array, number + 1, axis) for number, array in enumerate(every)]
            lengths = [array.shape[axis] for array in longer]
            same(group.all_gather(xp.array(longer[rank]), axis, lengths), np.concatenate(longer, axis))
            whole = arrays(size, np.concatenate(longer, axis).shape, dtype, seed=1)
            parts = np.split(sum(whole), np.cumsum(lengths)[:-1], axis)
            same(group.reduce_scatter(xp.array(whole[rank]), axis, lengths), parts[rank])
            equal = [np.concatenate([array] * size, axis) for array in every]
            same(group.reduce_scatter(xp.array(equal[rank]), axis), np.split(sum(equal), size, axis)[rank])
    halves = group.split(rank % 2)
    assert (halves.rank, halves.size) == (rank // 2, len(range(rank % 2, size, 2)))
    same(halves.all_reduce(xp.array([rank])), np.array([sum(range(rank % 2, size, 2))]))
    assert group.agree(rank == size - 1, False, rank == 0) == (True, False, True)
    texts = ["", "one", "größer"] * size
    for root in range(size):
        assert group.text(texts[rank], root) == texts[root]
    assert 0 <= group.local_rank < group.local_size <= size


def same_numbers(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected, strict=True)


def check_repeats(group):
    """The same sums of awkward numbers have the same bits, on all ranks, each time, short and long."""
    for count in (7, 100_001):
        own = np.random.default_rng(group.rank).standard_normal(count).astype(np.float32)
        sums = [group.all_reduce(own.copy()) for _ in range(4)]
        first = group.broadcast(sums[0].copy())
        for other in sums:
            same_numbers(other, first)


def check_mpi(group, size):
    assert group.size == int(size) and group.local_size == group.size
    check(group)
    check_repeats(group)


def check_nccl(world):
    """On CuPy's arrays, in every order of the streams, and on NumPy's."""
    import cupy
    import fake_cuda
    import sitecustomize as fake

    from minialex.parallel.nccl import NCCLGroup

    with NCCLGroup(world) as group:
        assert cupy.cuda.runtime.getDevice() == group.device == world.local_rank
        check(group)
        for order in fake_cuda.ORDERS:
            fake.set_order(order)
            check(group, cupy)


def test_alone():
    check(groups.Group())


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_threads(size):
    assert len(threads.run(size, check)) == size


@NEEDS_MPI
@pytest.mark.heavy
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_mpi(size):
    on_ranks(size, __file__, "check_mpi", size)


def test_errors_of_ranks_end_all():
    def some(group):
        if group.rank == 1:
            raise ZeroDivisionError("rank 1")
        group.all_reduce(np.zeros(1))

    with pytest.raises(ZeroDivisionError, match="rank 1"):
        threads.run(3, some)


def test_results_come_in_the_order_of_the_ranks():
    assert threads.run(3, lambda group: group.rank) == [0, 1, 2]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 6, 7, 20])
def test_parts_are_whole_and_even(count, size):
    parts = [groups.part(count, rank, size) for rank in range(size)]
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    lengths = groups.lengths_of(count, size)
    assert lengths == [part.stop - part.start for part in parts] and max(lengths) - min(lengths) <= 1


def test_lengths_that_do_not_add_up():
    with pytest.raises(ValueError, match=r"lengths \[1, 1\] do not add up to 3"):
        groups.pieces(np.zeros((2, 3)), 1, [1, 1])
    with pytest.raises(ValueError, match="no 2 equal parts"):
        groups.equal_lengths(np.zeros((2, 3)), 1, 2)
