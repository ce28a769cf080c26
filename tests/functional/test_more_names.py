"""torch's names of operators, indices and what NumPy does element by element: by hand, and against torch live."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own

inf, nan = np.inf, np.nan
SPECIAL = np.array([[-2.5, -1.0, -0.5, 0.0], [0.5, 1.5, 2.5, 3.7], [inf, -inf, nan, -0.0]])


@pytest.fixture
def assert_same(torch):
    """A function of (names, *tensors) -> result, and arrays: AssertionError unless minialex does as torch."""
    import oracle

    return oracle.assert_same


def normal(*shape, dtype=np.float64):
    return np.random.default_rng([6, *shape]).standard_normal(shape).astype(dtype)


def whole(*shape, low=-4, high=5):
    return np.random.default_rng([7, *shape]).integers(low, high, shape)


ELEMENTWISE = ["square", "reciprocal", "rsqrt", "sin", "cos", "sign", "floor", "ceil", "round"]
ELEMENTWISE += ["isnan", "isinf", "isfinite"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_element_by_element(assert_same, name):
    values = np.abs(SPECIAL) + 0.5 if name in ("reciprocal", "rsqrt") else SPECIAL
    values = values[:2] if name in ("sin", "cos") else values
    for x in (values, values.astype(np.float32), normal(2, 3) ** 2, whole(4, low=1), normal(0, 2), np.float64(0.7)):
        assert_same(lambda F, x: getattr(F, name)(x), x)
        assert_same(lambda F, x: getattr(x, name)(), x)


@pytest.mark.parametrize("decimals", [0, 1, 3, -1])
def test_rounding_to_decimals(assert_same, decimals):
    for x in (normal(3, 4) * 30, np.array([0.25, 0.35, 2.5, 15.0, 25.0]), normal(5, dtype=np.float32)):
        assert_same(lambda F, x: x.round(decimals=decimals), x)
        assert_same(lambda F, x: F.round(x, decimals=decimals), x)


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(assert_same, name):
    for x, y in [(SPECIAL, SPECIAL.T[:1].T), (whole(3, 4), whole(4)), (whole(3), normal(3)), (normal(2), normal(3))]:
        assert_same(lambda F, x, y: getattr(F, name)(x, y), x, y)
        assert_same(lambda F, x, y: getattr(x, name)(y), x, y)
    assert_same(lambda F, x: getattr(x, name)(0.5), SPECIAL)
    assert_same(lambda F, x: getattr(F, name)(x, 1), whole(5))


def test_equal_and_allclose(torch):
    a, close = normal(3, 2), normal(3, 2) * (1 + 1e-6)
    pairs = [(a, a), (a, close), (a, a + 1e-3), (SPECIAL, SPECIAL), (SPECIAL[:2], SPECIAL[:2]), (a, a[:2]), (a[:1], a)]
    for x, y in pairs:
        for call in (lambda x, y: x.equal(y), lambda x, y: x.allclose(y), lambda x, y: x.allclose(y, 0, 1e-2, True)):
            if x.shape == y.shape or call(Tensor(x), Tensor(x)) is None:
                assert call(Tensor(x), Tensor(y)) is call(torch.tensor(x), torch.tensor(y))
    assert Tensor(a).equal(Tensor(a[:2])) is False


ARITHMETIC = {
    "add": lambda F, x, y: x.add(y),
    "add alpha": lambda F, x, y: x.add(y, alpha=3),
    "sub": lambda F, x, y: x.sub(y),
    "sub alpha": lambda F, x, y: x.sub(y, alpha=0.5),
    "mul": lambda F, x, y: x.mul(y),
    "div": lambda F, x, y: x.div(y),
    "neg": lambda F, x, y: x.neg(),
    "where": lambda F, x, y: x.where(x > 0, y),
    "view_as": lambda F, x, y: x.view_as(y),
    "expand_as": lambda F, x, y: y[:, :1].expand_as(x),
    "type_as": lambda F, x, y: x.type_as(y),
}


@pytest.mark.parametrize("call", ARITHMETIC.values(), ids=ARITHMETIC.keys())
def test_methods_of_two_tensors(assert_same, call):
    assert_same(call, normal(3, 4), normal(4, 3).T)
    assert_same(call, normal(3, 4), normal(3, 4, dtype=np.float32).astype(np.float64) * 2)


@pytest.mark.parametrize("name, shapes", [
    ("mm", ((2, 3), (3, 4))), ("mm", ((2, 3), (2, 3))), ("mm", ((2, 3), (3,))), ("mm", ((5, 2, 3), (3, 4))),
    ("bmm", ((5, 2, 3), (5, 3, 4))), ("bmm", ((1, 2, 3), (5, 3, 4))), ("bmm", ((2, 3), (3, 4))),
    ("dot", ((4,), (4,))), ("dot", ((4,), (3,))), ("dot", ((2, 4), (4,))),
    ("outer", ((4,), (3,))), ("outer", ((4,), (0,))), ("outer", ((4, 1), (3,))),
])  # fmt: skip
def test_products(assert_same, name, shapes):
    assert_same(lambda F, x, y: getattr(F, name)(x, y), *(normal(*shape) for shape in shapes))
    assert_same(lambda F, x, y: getattr(x, name)(y), *(normal(*shape) for shape in shapes))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)], ids=str)
def test_t(assert_same, shape):
    assert_same(lambda F, x: x.t(), normal(*shape))
    assert_same(lambda F, x: F.t(x) * 2, normal(*shape))


EXTREMES = [(), 0, -1, (0, 2), 1, 3]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", EXTREMES, ids=str)
@pytest.mark.parametrize("name", ["amax", "amin"])
def test_amax_and_amin(assert_same, name, dim, keepdim):
    for x in (normal(2, 3, 4), np.round(normal(2, 3, 4)), whole(2, 3, 2)):  # with equal ones, too
        assert_same(lambda F, x: getattr(F, name)(x, dim, keepdim), x)
        assert_same(lambda F, x: getattr(x, name)(dim=dim, keepdim=keepdim), x)


@pytest.mark.parametrize("name", ["argmax", "argmin", "all", "any"])
def test_functions_of_methods(assert_same, name):
    assert_same(lambda F, x: getattr(F, name)(x), np.round(normal(3, 4)))
    assert_same(lambda F, x: getattr(F, name)(x, 1), np.round(normal(3, 4)))
    assert_same(lambda F, x: getattr(F, name)(x, 0, True), np.round(normal(3, 4)))


PARTS = {
    "unbind": lambda F, x, i: x.unbind(),
    "unbind, an axis": lambda F, x, i: F.unbind(x, -1),
    "unbind, no such axis": lambda F, x, i: F.unbind(x, 2),
    "index_select": lambda F, x, i: x.index_select(0, i),
    "index_select, from the end": lambda F, x, i: F.index_select(x, -1, i),
    "index_select, two axes": lambda F, x, i: F.index_select(x, 0, i.view(-1, 1)),
    "masked_select": lambda F, x, i: x.masked_select(x > 0),
    "masked_select, broadcast": lambda F, x, i: F.masked_select(x, x[:1] > 0),
    "masked_select, larger mask": lambda F, x, i: F.masked_select(x[:1], x > 0),
    "vstack": lambda F, x, i: F.vstack([x, x[0], x[1:]]),
    "vstack, vectors": lambda F, x, i: F.vstack((x[0], x[1])),
    "hstack": lambda F, x, i: F.hstack([x, x[:, :1]]),
    "hstack, vectors": lambda F, x, i: F.hstack([x[0], x[1]]),
    "hstack, numbers": lambda F, x, i: F.hstack([x[0, 0], x[1, 1]]),
    "normalize": lambda F, x, i: F.normalize(x),
    "normalize, an axis": lambda F, x, i: F.normalize(x, 1.0, dim=0),
    "normalize, zeros": lambda F, x, i: F.normalize(x * 0.0),
}


@pytest.mark.parametrize("call", PARTS.values(), ids=PARTS.keys())
def test_parts(assert_same, call):
    assert_same(call, normal(3, 4), np.array([2, 0, 2]))


def test_bincount(assert_same):
    for x in (np.array([0, 3, 3, 1]), np.zeros(0, np.int64)):
        assert_same(lambda F, x: x.bincount(), x)
        assert_same(lambda F, x: F.bincount(x, minlength=6), x)
    assert_same(lambda F, x, w: F.bincount(x, w.detach()), np.array([0, 3, 3]), np.float32([1.5, 2, 4]))
    assert_same(lambda F, x, w: x.bincount(w.detach(), 5), np.array([0, 3, 3]), np.array([1, 2, 4]))
    assert_same(lambda F, x, w: F.bincount(x, w), np.array([0, 3, 3]), normal(3))  # no gradient: refused
    assert_same(lambda F, x: x.bincount(), normal(3))
    assert_same(lambda F, x: x.bincount(), whole(2, 2, low=0))
