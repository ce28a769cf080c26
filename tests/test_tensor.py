"""Tensor itself: what it is made of, its dtype, backward()'s arguments, detach, to, printing."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, functional
from minialex.backends.numpy_backend import NumPyBackend


class Elsewhere(NumPyBackend):
    name = "elsewhere"


# ------------------------------------------------------------------------------------------------------------ making


@pytest.mark.parametrize(
    "data, dtype",
    [
        (1.5, np.float32),
        ([1.5, 2.0], np.float32),
        ([[1.0], [2.0]], np.float32),
        (3, np.int64),
        ([1, 2], np.int64),
        ([1, 2.5], np.float32),
        (True, np.bool_),
        (np.float64(1.5), np.float64),
        (np.float32(1.5), np.float32),
        (np.zeros(2), np.float64),
        (np.zeros(2, np.float32), np.float32),
        (np.zeros(2, np.uint8), np.uint8),
        (np.zeros(2, bool), np.bool_),
        (np.zeros((0, 3), np.float32), np.float32),
        (Tensor(np.zeros(2)), np.float64),
    ],
    ids=repr,
)
def test_dtype_follows_the_data(data, dtype):
    t = Tensor(data)
    assert t.dtype == dtype and isinstance(t.data, np.ndarray)
    assert t.shape == np.shape(getattr(data, "data", data) if isinstance(data, Tensor) else data)
    assert (t.backend.name, t.requires_grad, t.grad, t.node, t.is_leaf) == ("numpy", False, None, None, True)


@pytest.mark.parametrize("data", [1, [1, 2], np.zeros(2), np.zeros(2, np.float32), np.zeros(2, np.int32)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float64", np.int64])
def test_a_dtype_asked_for_is_given(data, dtype):
    assert Tensor(data, dtype=dtype).dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    "data",
    [np.zeros(2, np.float16), np.zeros(2, np.complex64), 1j, "text", ["a"], None, object()],
    ids=lambda data: type(data).__name__,
)
def test_other_types_are_refused(data):
    with pytest.raises(TypeError, match="float32 and float64"):
        Tensor(data)


def test_float16_is_refused_when_asked_for():
    with pytest.raises(TypeError, match="float32 and float64, got float16"):
        Tensor([1.0], dtype=np.float16)


@pytest.mark.parametrize("data", [3, [1, 2], np.zeros(2, np.uint8), True])
def test_only_floats_require_gradients(data):
    with pytest.raises(TypeError, match="only floating-point tensors can require gradients"):
        Tensor(data, requires_grad=True)
    with pytest.raises(TypeError, match="only floating-point tensors can require gradients"):
        Tensor(data).requires_grad_()
    assert Tensor(data, requires_grad=True, dtype=np.float32).requires_grad


def test_an_array_is_not_copied():
    array = np.ones((2, 3))
    assert np.shares_memory(Tensor(array).data, array)


def test_a_backend_may_be_named_or_given():
    away = Elsewhere()
    assert Tensor([1.0], backend="numpy").backend.name == "numpy"
    assert Tensor([1.0], backend=away).backend is away
    assert Tensor(Tensor([1.0], backend=away)).backend is away  # stays where it was
    with pytest.raises(ValueError, match="unknown backend 'abacus'.*numpy"):
        Tensor([1.0], backend="abacus")


# ---------------------------------------------------------------------------------------------- arguments of backward


def test_one_element_needs_no_gradient_whatever_its_shape():
    x = Tensor([2.0, 3.0], requires_grad=True)
    (x * x).sum().reshape(1, 1).backward()
    assert x.grad.tolist() == [4.0, 6.0]


def test_several_elements_need_a_gradient():
    x = Tensor([2.0, 3.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"single element, this tensor has shape \(2,\)"):
        (x * x).backward()
    assert x.grad is None


@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 1), (1,), ()])
def test_a_gradient_of_another_shape_is_refused(shape):
    """Even one that would broadcast."""
    x = Tensor([2.0, 3.0], requires_grad=True)
    y = x * x
    with pytest.raises(ValueError, match=r"shape \(2,\), got"):
        y.backward(np.ones(shape, np.float32))
    assert x.grad is None
    y.backward(np.ones(2, np.float32))  # nothing was used up
    assert x.grad.tolist() == [4.0, 6.0]


@pytest.mark.parametrize(
    "gradient",
    [np.array([1.0, 10.0], np.float32), np.array([1.0, 10.0]), np.array([1, 10]), [1, 10], Tensor([1.0, 10.0])],
    ids=lambda g: f"{type(g).__name__} {getattr(g, 'dtype', '')}",
)
def test_a_gradient_may_be_an_array_a_list_or_a_tensor(gradient):
    x = Tensor([2.0, 3.0], requires_grad=True)
    (x * x).backward(gradient)
    assert x.grad.tolist() == [4.0, 60.0] and x.grad.dtype == np.float32


def test_backward_from_what_requires_no_gradient():
    with pytest.raises(RuntimeError, match="requires no gradient"):
        (Tensor([1.0]) * 2.0).backward()


def test_backward_of_a_leaf_itself():
    x = Tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad == 1.0


# -------------------------------------------------------------------------------------------------- data and versions


def test_assigning_data_keeps_the_dtype_and_counts_as_a_change():
    t = Tensor([1.0, 2.0])
    t.data = np.array([3, 4])
    assert (t.data.tolist(), t.dtype, t.version) == ([3.0, 4.0], np.float32, 1)
    with pytest.raises(ValueError, match=r"shape \(2,\), the new data \(3,\)"):
        t.data = np.zeros(3)
    assert t.version == 1
    t.bump_version()
    assert t.version == 2


def test_views_and_detached_tensors_share_the_version():
    t = Tensor(np.zeros((2, 3)))
    relatives = [t.detach(), t.reshape(3, 2), t.T, t.permute(1, 0), t.flatten(), t.T.detach()]
    strangers = [t + 0.0, t.T.reshape(6), t.to(np.float32)]  # the middle one had to be copied
    t.bump_version()
    assert [r.version for r in relatives] == [1] * 6
    assert [s.version for s in strangers] == [0] * 3
    relatives[1].bump_version()
    assert t.version == 2


@pytest.mark.parametrize("make", [lambda t: t, lambda t: t.T, lambda t: t.reshape(6)], ids=["plain", "T", "reshape"])
def test_detach_shares_the_array_and_cuts_the_tape(make):
    t = make(Tensor(np.ones((2, 3)), requires_grad=True) * 2.0)
    d = t.detach()
    assert np.shares_memory(d.data, t.data)
    assert not d.requires_grad and d.node is None and t.requires_grad


def test_no_gradient_flows_through_detach():
    x = Tensor([3.0], requires_grad=True)
    (x * (x * x).detach()).backward()
    assert x.grad.tolist() == [9.0]


def test_requires_grad_can_be_switched_on_leaves():
    x = Tensor([3.0])
    assert x.requires_grad_() is x and x.requires_grad
    y = x * 2.0
    with pytest.raises(RuntimeError, match="leaves only"):
        y.requires_grad_(False)
    assert not x.requires_grad_(False).requires_grad


# ------------------------------------------------------------------------------------------------------------------ to


def test_to_a_dtype_is_differentiable_and_the_gradient_comes_back_in_the_old_one():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x.to(np.float64)
    assert y.dtype == np.float64 and y.node.name == "to"
    (y * 3.0).backward(np.array([1.0, 1e-3]))
    assert x.grad.dtype == np.float32 and x.grad.tolist() == np.array([3.0, 3e-3], np.float32).tolist()


def test_to_a_whole_number_type_ends_the_gradient():
    """A step function has no gradient; as in torch, the result requires none."""
    assert not Tensor([1.5], requires_grad=True).to(np.int64).requires_grad


@pytest.mark.parametrize("target", ["abacus", "float12", "cuppy"])
def test_to_an_unknown_place_says_what_there_is(target):
    with pytest.raises(ValueError, match=f"{target}.*numpy"):
        Tensor([1.0]).to(target)


def test_to_a_backend():
    away, x = Elsewhere(), Tensor([1.0, 2.0], requires_grad=True)
    y = x.to(away)
    assert y.backend is away and y.requires_grad
    (y * 2.0).backward(np.ones(2))
    assert x.grad.tolist() == [2.0, 2.0]


# --------------------------------------------------------------------------------------------- NumPy on the left side


@pytest.mark.parametrize("left", [np.array([6.0, 8.0], np.float32), np.float32(6), 6, 6.0, [6.0, 8.0]], ids=repr)
def test_operators_with_something_else_on_the_left(left):
    a, values = np.asarray(left, np.float32), np.array([2.0, 4.0], np.float32)
    t = Tensor(values, requires_grad=True)
    for got, expected in [
        (left + t, a + values),
        (left - t, a - values),
        (left * t, a * values),
        (left / t, a / values),
        (left**t, a**values),
    ]:
        assert isinstance(got, Tensor) and got.requires_grad and got.dtype == np.float32
        np.testing.assert_allclose(got.data, np.broadcast_to(expected, 2), rtol=1e-6)


def test_a_matrix_on_the_left():
    a, t = np.arange(6.0).reshape(2, 3), Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    y = a @ t
    assert isinstance(y, Tensor) and np.array_equal(y.data, a @ t.data)
    y.backward(np.ones((2, 4)))
    assert np.array_equal(t.grad, a.T @ np.ones((2, 4)))


# --------------------------------------------------------------------------------------------------- asking a tensor


def test_item_and_truth_and_float():
    assert Tensor([[2.5]]).item() == 2.5 and isinstance(Tensor(2.5).item(), float)
    assert isinstance(Tensor(3).item(), int) and float(Tensor([2.5])) == 2.5
    assert bool(Tensor([1.0])) and not bool(Tensor(0.0))
    for ask in (Tensor.item, float, bool):
        with pytest.raises(ValueError, match=r"shape \(2,\)"):
            ask(Tensor([1.0, 2.0]))


def test_sizes():
    t = Tensor(np.zeros((2, 3, 4)))
    assert (t.shape, t.size(), t.size(1), t.ndim, t.numel(), len(t)) == ((2, 3, 4), (2, 3, 4), 3, 3, 24, 2)


def test_numpy_shares_memory():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert np.shares_memory(t.numpy(), t.data)


def test_tensors_can_be_kept_in_dicts_and_sets():
    a, b = Tensor([1.0]), Tensor([1.0])
    assert len({a, b}) == 2 and len({a: 1, b: 2}) == 2 and a in {a} and b not in {a}


def test_unknown_attributes_are_errors():
    with pytest.raises(AttributeError):
        _ = Tensor([1.0]).gard
    with pytest.raises(AttributeError):
        Tensor([1.0]).gard = 1


def test_repr():
    assert repr(Tensor([1.0, 2.5])) == "Tensor([1. , 2.5])"
    leaf = Tensor([1.0], dtype=np.float64, requires_grad=True)
    assert repr(leaf) == "Tensor([1.], dtype=float64, requires_grad=True)"
    assert repr(functional.exp(Tensor([0.0], requires_grad=True))) == "Tensor([1.], made_by=exp)"
    assert repr(Tensor([[1, 2], [3, 4]])) == "Tensor([[1, 2],\n        [3, 4]], dtype=int64)"
    assert "..." in repr(Tensor(np.zeros((100, 100, 3))))


def test_comparisons_give_truth_values_element_by_element():
    a, b = Tensor([1.0, 2.0, 3.0], requires_grad=True), Tensor([2.0, 2.0, 2.0])
    expected = {"<": [1, 0, 0], "<=": [1, 1, 0], ">": [0, 0, 1], ">=": [0, 1, 1], "==": [0, 1, 0], "!=": [1, 0, 1]}
    for sign, truth in expected.items():
        for other in (b, b.data, 2, 2.0):
            result = eval(f"a {sign} other", {"a": a, "other": other})
            assert result.dtype == bool and not result.requires_grad
            np.testing.assert_array_equal(result.numpy(), np.array(truth, bool))
        np.testing.assert_array_equal(eval(f"array {sign} b", {"array": a.data, "b": b}).numpy(), np.array(truth, bool))
    assert len({a, b, a}) == 2  # hashed by identity
