"""Gradients that cross ranks: equal to those of one process that has everything."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor
from minialex.parallel import group as groups
from minialex.parallel import operations, threads

LENGTHS = [1, 3, 2]  # along axis 1, of three ranks
SIZE = len(LENGTHS)


def parts():
    draw = np.random.default_rng(0).standard_normal((2, sum(LENGTHS)))
    return np.split(draw, np.cumsum(LENGTHS)[:-1], axis=1)


def cotangents(shape):
    return list(np.random.default_rng(1).standard_normal((SIZE, *shape)))


def on_each(operation, inputs, gradients):
    """The result and the gradient of the input, on every rank."""

    def each(group):
        x = Tensor(inputs[group.rank].copy(), requires_grad=True)
        y = operation(x, group)
        y.backward(gradients[group.rank].copy())
        return y.numpy(), x.grad.numpy()

    return threads.run(SIZE, each)


def test_all_reduce():
    inputs, gradients = list(np.random.default_rng(2).standard_normal((SIZE, 4))), cotangents((4,))
    for y, gx in on_each(operations.all_reduce, inputs, gradients):
        np.testing.assert_allclose(y, sum(inputs), rtol=1e-15)
        np.testing.assert_allclose(gx, sum(gradients), rtol=1e-15)


def test_all_gather_adds_the_gradients_of_all_ranks():
    gradients = cotangents((2, sum(LENGTHS)))

    def gather(x, group):
        return operations.all_gather(x, group, 1, LENGTHS)

    wanted = np.split(sum(gradients), np.cumsum(LENGTHS)[:-1], axis=1)
    for (y, gx), own in zip(on_each(gather, parts(), gradients), wanted, strict=True):
        np.testing.assert_array_equal(y, np.concatenate(parts(), 1))
        np.testing.assert_allclose(gx, own, rtol=1e-15)


def test_gather_same_takes_its_part_of_the_one_gradient():
    gradient = cotangents((2, sum(LENGTHS)))[0]

    def gather(x, group):
        return operations.gather_same(x, group, 1, LENGTHS)

    wanted = np.split(gradient, np.cumsum(LENGTHS)[:-1], axis=1)
    for (y, gx), own in zip(on_each(gather, parts(), [gradient] * SIZE), wanted, strict=True):
        np.testing.assert_array_equal(y, np.concatenate(parts(), 1))
        np.testing.assert_array_equal(gx, own)


def test_own_part_is_one_of_a_whole():
    x = np.random.default_rng(5).standard_normal((2, sum(LENGTHS)))
    gradients = [np.random.default_rng(6).standard_normal((2, length)) for length in LENGTHS]

    def own(x, group):
        return operations.own_part(x, group, 1, LENGTHS)

    for rank, (y, gx) in enumerate(on_each(own, [x] * SIZE, gradients)):
        np.testing.assert_array_equal(y, np.split(x, np.cumsum(LENGTHS)[:-1], axis=1)[rank])
        others = [np.zeros_like(g) if r != rank else g for r, g in enumerate(gradients)]
        np.testing.assert_array_equal(gx, np.concatenate(others, 1))


@pytest.mark.parametrize("root", range(SIZE))
def test_broadcast_adds_the_gradients_at_the_root(root):
    inputs = [np.random.default_rng(7 + rank).standard_normal((length, 2)) for rank, length in enumerate(LENGTHS)]
    gradients = cotangents((LENGTHS[root], 2))

    def broadcast(x, group):
        return operations.start_broadcast(x, group, root, LENGTHS[root])()

    for rank, (y, gx) in enumerate(on_each(broadcast, inputs, gradients)):
        np.testing.assert_array_equal(y, inputs[root])
        np.testing.assert_allclose(gx, sum(gradients) if rank == root else np.zeros((LENGTHS[rank], 2)), rtol=1e-15)


@pytest.mark.parametrize("name", ["all_reduce", "all_gather", "gather_same"])
def test_alone_they_are_the_identity(name):
    x = Tensor(np.random.default_rng(3).standard_normal((2, 3)), requires_grad=True)
    y = getattr(operations, name)(x, groups.Group())
    gradient = np.random.default_rng(4).standard_normal((2, 3))
    y.backward(gradient)
    np.testing.assert_array_equal(y.numpy(), x.numpy())
    np.testing.assert_array_equal(x.grad.numpy(), gradient)
