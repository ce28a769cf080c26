"""Operators with numbers and arrays on either side, and the dtype that comes out, against torch."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from minialex import functional
from minialex.functional import unbroadcast
from minialex.tensor import Tensor

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow}


@pytest.mark.parametrize("sign", OPERATORS)
@pytest.mark.parametrize("other", [2, 2.5, np.float64(1.5), np.array([[3.0, 0.5, 2.0]])], ids=type)
def test_numbers_and_arrays_on_either_side(sign, other, torch):
    values = np.array([[1.0, 2.0, 0.5], [4.0, 0.25, 3.0]])
    for swapped in (False, True):
        x, t = Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        theirs = torch.tensor(other) if isinstance(other, np.ndarray) else other
        y = OPERATORS[sign](other, x) if swapped else OPERATORS[sign](x, other)
        z = OPERATORS[sign](theirs, t) if swapped else OPERATORS[sign](t, theirs)
        assert isinstance(y, Tensor)
        np.testing.assert_allclose(y.data, z.detach(), rtol=1e-15)
        y.sum().backward()
        z.sum().backward()
        np.testing.assert_allclose(x.grad, t.grad, rtol=1e-14)


def test_matrix_product_with_an_array_on_either_side(rng):
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    left, right = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    for y in (a @ right, left @ b):
        assert isinstance(y, Tensor)
        np.testing.assert_array_equal(y.data, a @ b)
        y.sum().backward()
    np.testing.assert_allclose(right.grad, a.T @ np.ones((3, 2)))
    np.testing.assert_allclose(left.grad, np.ones((3, 2)) @ b.T)


def test_minus():
    x = Tensor([1.0, -2.0], requires_grad=True)
    y = -x
    y.backward(np.array([3.0, 4.0]))
    assert y.data.tolist() == [-1, 2] and x.grad.tolist() == [-3, -4]


NUMBERS = {"an int": 2, "a float": 0.5}
ARRAYS = {
    "float32": np.ones(3, np.float32),
    "float64": np.ones(3),
    "int64": np.arange(1, 4),
    "int32": np.arange(1, 4, dtype=np.int32),
    "uint8": np.ones(3, np.uint8),
    "float32 of no axes": np.array(1.5, np.float32),
    "float64 of no axes": np.array(1.5),
    "int64 of no axes": np.array(2),
}


@pytest.mark.parametrize("other", [*ARRAYS, *NUMBERS])
@pytest.mark.parametrize("tensor", ARRAYS)
def test_result_dtype_is_torchs(tensor, other, torch):
    a, torch_a = Tensor(ARRAYS[tensor]), torch.tensor(ARRAYS[tensor])
    b = torch_b = NUMBERS.get(other)
    if other in ARRAYS:
        b, torch_b = Tensor(ARRAYS[other]), torch.tensor(ARRAYS[other])
    for apply in OPERATORS.values():
        for y, z in [(apply(a, b), apply(torch_a, torch_b)), (apply(b, a), apply(torch_b, torch_a))]:
            assert str(y.dtype) == str(z.dtype).removeprefix("torch.")
            np.testing.assert_allclose(y.data, z, rtol=1e-6)


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow", "matmul"])
@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.float64, np.float32)])
def test_gradients_have_the_dtype_of_their_operand(op, dtypes):
    a, b = (Tensor(np.full((2, 2), 1.5, dtype), requires_grad=True) for dtype in dtypes)
    y = getattr(functional, op)(a, b)
    assert y.dtype == np.float64
    y.sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == dtypes


@pytest.mark.parametrize("number", [2, 2.5, np.float64(2.5), np.float32(2.5)])
@pytest.mark.parametrize("integers", [np.arange(3), np.arange(3, dtype=np.int32)])
def test_a_fraction_is_not_cut_off_by_integers(integers, number):
    y = Tensor(integers) * number
    np.testing.assert_allclose(y.data, integers * float(number))


def test_a_number_does_not_widen_float32():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    for y in (x * 2, x / 3.0, 2**x, x + np.float64(0.1), 1 - x, x**0.5):
        assert y.dtype == np.float32
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype == np.float32


@pytest.mark.parametrize("function", ["exp", "log", "sqrt", "tanh"])
def test_functions_of_integers_are_float32(function, torch):
    y = getattr(functional, function)(Tensor(np.arange(1, 4)))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.data, getattr(torch, function)(torch.arange(1, 4)), rtol=1e-6)


@pytest.mark.parametrize("base", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0, 0.5])
def test_pow_where_a_factor_vanishes(base, exponent, torch):
    """0^0, 0^-1, a negative base: values and gradients are torch's, NaN and infinity included, and nothing warns."""
    a, b = (Tensor(np.array(v), requires_grad=True) for v in (base, exponent))
    c, d = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (base, exponent))
    y, z = a**b, c**d
    y.backward()
    z.backward()
    np.testing.assert_allclose([y.item(), a.grad, b.grad], [z.item(), c.grad, d.grad], rtol=1e-14)


@pytest.mark.parametrize("x", [0.0, -1.0, 1e4])
@pytest.mark.parametrize("function", ["div", "log", "sqrt", "exp"])
def test_what_is_not_finite_is_torchs_and_warns_of_nothing(function, x, torch):
    a, c = Tensor(np.array(x), requires_grad=True), torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y, z = (1 / a, 1 / c) if function == "div" else (getattr(functional, function)(a), getattr(torch, function)(c))
    y.backward()
    z.backward()
    np.testing.assert_allclose([y.item(), a.grad], [z.item(), c.grad], rtol=1e-15)


def test_an_operand_used_twice():
    x = Tensor(np.array([3.0, -2.0]), requires_grad=True)
    (x * x + x / x - x).backward(np.array([1.0, 10.0]))
    np.testing.assert_allclose(x.grad, [2 * 3 - 1, 10 * (2 * -2 - 1)])


@pytest.mark.parametrize("shape", [(2, 3, 4), (4,), (3, 1), (2, 1, 4), (1, 1, 1), ()])
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, rng):
    gradient = rng.standard_normal((2, 3, 4))
    summed = unbroadcast(gradient, shape)
    assert summed.shape == shape
    for index in np.ndindex(shape):
        one = np.zeros(shape)
        one[index] = 1
        assert summed[index] == pytest.approx((np.broadcast_to(one, (2, 3, 4)) * gradient).sum())


def test_to_another_dtype_and_back():
    x = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    y = x.to(np.float64)
    assert y.dtype == np.float64
    (y * 3).backward(np.array([1.0, 2.0]))
    assert x.grad.dtype == np.float32 and x.grad.tolist() == [3, 6]
