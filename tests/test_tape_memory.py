"""Memory and the tape: what is freed when, and who owns a gradient."""

from __future__ import annotations

import itertools
import weakref

import numpy as np
import pytest

from minialex import Tensor, no_grad
from minialex.cases import CASES


def leaf(rng, *shape):
    return Tensor(rng.standard_normal(shape), requires_grad=True)


# --------------------------------------------------------------------------------------------- freeing, and twice


def test_what_an_operation_saved_dies_with_its_backward(rng):
    x = leaf(rng, 3)
    h = x + 1.0
    saved = weakref.ref(h.data)
    y = h * h
    del h
    assert saved() is not None  # mul needs its factors
    y.backward(np.ones(3))
    assert saved() is None  # although y is still here


def test_each_closure_is_freed_before_the_next_one_runs(rng):
    """Memory falls while backward goes on, not only at its end."""
    x, saved, alive = leaf(rng, 3), [], []

    def backward(gy):
        alive.append(saved[0]() is not None)
        return (gy,)

    h = Tensor.from_operation(x.data.copy(), backward, x) + 1.0
    saved.append(weakref.ref(h.data))
    y = h * h
    del h
    y.backward(np.ones(3))
    assert alive == [False]


def test_values_that_no_backward_needs_die_in_the_forward_pass(rng):
    x = leaf(rng, 3)
    h = x + 1.0
    unneeded = weakref.ref(h.data)
    y = h + 2.0  # neither addition needs its operands
    del h
    assert unneeded() is None
    y.backward(np.ones(3))


def test_nothing_is_kept_under_no_grad(rng):
    x = leaf(rng, 3)
    with no_grad():
        h = x * 3.0
        y = h * h
    kept = weakref.ref(h.data)
    del h
    assert kept() is None and y.node is None and not y.requires_grad


def test_gradients_of_intermediate_values_are_not_kept(rng):
    """Each operation sees only the gradient that it is given; the one before last is gone, and in the end all are."""
    passed, alive = [], []

    def backward(gy):
        alive.extend(g() is not None for g in passed[:-1])
        passed.append(weakref.ref(gy))
        return (gy * 2.0,)

    y = leaf(rng, 3)
    for _ in range(4):
        y = Tensor.from_operation(y.data.copy(), backward, y)
    (y * 1.0).backward(np.ones(3))
    assert alive == [False] * 3 and y.grad is None
    assert [g() for g in passed] == [None] * 4


def test_a_second_backward_is_refused_and_adds_nothing(rng):
    x = leaf(rng, 3)
    y = (x * x).sum()
    y.backward()
    before = x.grad.numpy().copy()
    with pytest.raises(RuntimeError, match=r"second backward\(\).*sum"):
        y.backward()
    assert np.array_equal(x.grad, before)


def test_a_second_backward_through_a_shared_part_is_refused_and_adds_nothing(rng):
    """The second loss has a part of its own, which must not be half done."""
    x, own = leaf(rng, 3), leaf(rng, 3)
    shared = x.exp()
    first, second = shared.sum(), (shared * own + own).sum()
    first.backward()
    before = x.grad.numpy().copy()
    with pytest.raises(RuntimeError, match="exp"):
        second.backward()
    assert own.grad is None and np.array_equal(x.grad, before)


def test_accumulation_over_two_forward_passes_adds_in_place(rng):
    x = leaf(rng, 3)
    (x * 2.0).sum().backward()
    array = x.grad
    (x * 5.0).sum().backward()
    assert x.grad is array and array.tolist() == [7.0, 7.0, 7.0]


# ------------------------------------------------------------------------------------------------ who owns a gradient


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_no_gradient_shares_memory_with_anything(case):
    """With itself, other gradients, the inputs, the result or the gradient given; and nothing given is written to."""
    arrays = case.arrays()
    tensors = [Tensor(a.copy(), requires_grad=True) for a in arrays]
    y = case.run(*tensors)
    result, given = y.numpy().copy(), case.cotangent(y.shape)
    y.backward(given)
    gradients = [t.grad.data for t in tensors]
    for g, a, t in zip(gradients, arrays, tensors):
        assert isinstance(g, np.ndarray) and g.flags.writeable and g.shape == a.shape and g.dtype == a.dtype
        assert not np.shares_memory(g, given)
        assert not any(np.shares_memory(g, other) for other in [y.data, *(t.data for t in tensors)])
        assert np.array_equal(t.data, a)
    assert not any(np.shares_memory(g, h) for g, h in itertools.combinations(gradients, 2))
    assert np.array_equal(given, case.cotangent(y.shape)) and np.array_equal(y.numpy(), result)


SHARING = {
    "gy handed to both": lambda a, b: a + b,
    "gy handed to both, then again": lambda a, b: (a + b) + 0.0,
    "views": lambda a, b: a.reshape(3, 2).reshape(2, 3) + b.permute(1, 0).T,
    "a sum, handed to both": lambda a, b: (lambda s: s + s)(a + b),
    "read-only broadcast": lambda a, b: (a + b).sum() + 0.0,
}


@pytest.mark.parametrize("build", SHARING.values(), ids=SHARING.keys())
def test_leaves_never_share_a_gradient(rng, build):
    a, b = leaf(rng, 2, 3), leaf(rng, 2, 3)
    y = build(a, b)
    given = rng.standard_normal(y.shape)
    expected = given.copy()
    y.backward(given)
    first = a.grad.numpy().copy()
    b.grad += 100.0  # a user, or the next backward, adds in place
    assert np.array_equal(a.grad, first)
    a.grad += 100.0
    assert np.array_equal(given, expected)


def test_one_new_array_for_two_leaves_is_copied_for_one_of_them(rng):
    a, b = leaf(rng, 3), leaf(rng, 3)

    def backward(gy):
        g = gy * 2.0
        return g, g

    Tensor.from_operation(a.data + b.data, backward, a, b).backward(np.ones(3))
    assert a.grad.tolist() == b.grad.tolist() == [2.0] * 3 and not np.shares_memory(a.grad.data, b.grad.data)


def delivered(rng, make, shapes):
    """The gradients that leaves of these shapes receive where backward returns make()."""
    leaves = [leaf(rng, *shape) for shape in shapes]
    Tensor.from_operation(np.zeros(()), lambda gy: make(), *leaves, name="op").backward(np.ones(()))
    return [x.grad.data for x in leaves]


def test_a_view_that_is_all_that_is_left_of_an_array_is_handed_over(rng):
    """A weight's gradient is a product in another shape: to copy AlexNet's would take 244 MB more."""
    at = []

    def product():
        new = np.ones((1, 4, 6))
        at.append(new.ctypes.data)
        return (new[0].reshape(4, 3, 2),)

    (gradient,) = delivered(rng, product, [(4, 3, 2)])
    assert gradient.ctypes.data == at[0] and gradient.shape == (4, 3, 2)


KEPT = np.arange(6.0)
VIEWS = {
    "an array that is kept elsewhere": lambda: (KEPT.reshape(2, 3),),
    "two views of one array": lambda: (lambda new: (new.reshape(2, 3), new[::1]))(np.arange(6.0)),
    "an array and a view of it": lambda: (lambda new: (new.reshape(2, 3), new))(np.arange(6.0)),
    "a part of an array": lambda: (np.arange(60.0)[:6].reshape(2, 3),),
    "a transposed array": lambda: (np.arange(6.0).reshape(3, 2).T,),
    "a broadcast array": lambda: (np.broadcast_to(np.arange(3.0), (2, 3)),),
    "a buffer that is not an array": lambda: (np.frombuffer(bytes(48)).reshape(2, 3),),
}


@pytest.mark.parametrize("make", VIEWS.values(), ids=VIEWS.keys())
def test_any_other_view_is_copied(rng, make):
    before = KEPT.copy()
    gradients = delivered(rng, make, [(2, 3), (6,)][: len(make())])
    for number, g in enumerate(gradients):
        assert g.flags.c_contiguous and g.flags.writeable
        owner = g if g.base is None else g.base
        assert owner.nbytes == g.nbytes  # no larger array is kept alive
        g += 100.0 * (number + 1)
    assert np.array_equal(KEPT, before)
    if len(gradients) == 2:
        assert np.array_equal(gradients[0].ravel() - 100.0, gradients[1].ravel() - 200.0)


def test_the_gradient_given_for_a_leaf_is_copied(rng):
    x, given = leaf(rng, 3), np.ones(3)
    x.backward(given)
    assert not np.shares_memory(x.grad.data, given)
    x.backward(given)
    assert x.grad.tolist() == [2.0] * 3 and given.tolist() == [1.0] * 3


def test_a_gradient_without_axes_is_an_array_too():
    x = Tensor(3.0, requires_grad=True)
    (x * 2.0).backward()
    array = x.grad.data
    assert isinstance(array, np.ndarray) and array.shape == () and array.dtype == np.float32
    x = Tensor(3.0, requires_grad=True)
    (x * x).backward()
    assert isinstance(x.grad.data, np.ndarray) and x.grad == 6.0


# --------------------------------------------------------------------------------------------- operations that err


def faulty(answer):
    """An operation of two parents whose backward gives `answer(gy)`."""

    def apply(a, b):
        def backward(gy):
            return answer(gy)

        return Tensor.from_operation(a.data + b.data, backward, a, b)

    return apply


def test_none_is_right_for_a_parent_that_needs_no_gradient(rng):
    a, constant = leaf(rng, 3), Tensor(rng.standard_normal(3))
    faulty(lambda gy: (gy * 2.0, None))(a, constant).backward(np.ones(3))
    assert a.grad.tolist() == [2.0] * 3 and constant.grad is None
