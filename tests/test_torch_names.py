"""What a torch script reaches first on tensors: values, gradients, dtypes and errors as torch, or a sentence."""

from __future__ import annotations

import copy
import importlib
import math
import pickle

import numpy as np
import pytest
import usable

from minialex import Tensor, functional, nn
from minialex.support import absent

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own

inf, nan = np.inf, np.nan


@pytest.fixture
def compare(torch):
    """A function of (names, *tensors) -> result, and arrays: AssertionError unless minialex does as torch."""
    import oracle

    return oracle.compare


def normal(*shape, dtype=np.float64):
    return np.random.default_rng([4, *shape]).standard_normal(shape).astype(dtype)


def whole(*shape, low=-4, high=5, dtype=np.int64):
    return np.random.default_rng([5, *shape]).integers(low, high, shape).astype(dtype)


def given(label_and_values):
    return pytest.mark.parametrize("call", label_and_values.values(), ids=label_and_values.keys())


# ------------------------------------------------------------------------------ shapes

SHAPES = [(), (1,), (0,), (3,), (2, 1, 3), (0, 4), (1, 2, 1, 3)]
DIMS = [0, 1, -1, -2, 2, -4, 5]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
dims = pytest.mark.parametrize("dim", DIMS)


@shapes
@pytest.mark.parametrize("dim", [None, *DIMS, (0, 2), (0, -1), (0, 0), ()], ids=str)
def test_squeeze(compare, shape, dim):
    compare(lambda F, x: x.squeeze() if dim is None else x.squeeze(dim), normal(*shape))
    compare(lambda F, x: F.squeeze(x) if dim is None else F.squeeze(x, dim), normal(*shape))


@shapes
@dims
def test_unsqueeze(compare, shape, dim):
    compare(lambda F, x: x.unsqueeze(dim), normal(*shape))


VIEWS = {
    "a number": lambda F, x: x.view(24),
    "-1": lambda F, x: x.view(-1),
    "-1 and others": lambda F, x: x.view(4, -1, 2),
    "a tuple": lambda F, x: x.view((6, 4)),
    "a list": lambda F, x: x.view([6, 4]),
    "as it is": lambda F, x: x.view(2, 3, 4),
    "transposed, as it is": lambda F, x: x.transpose(0, 2).view(4, 3, 2),
    "transposed, an axis split": lambda F, x: x.transpose(0, 2).view(2, 2, 3, 2),
    "transposed, two joined": lambda F, x: x.transpose(0, 2).view(12, 2),
    "transposed, two joined that lie apart": lambda F, x: x.transpose(0, 1).view(3, 8),
    "a part, two joined": lambda F, x: x[:, :, 1:3].view(6, 2),
    "a part, the last two joined": lambda F, x: x[:, :, 1:3].view(2, 6),
    "steps": lambda F, x: x[:, :, ::2].view(-1),
    "expanded": lambda F, x: x[:, :1].expand(2, 3, 4).view(2, 12),
    "copied": lambda F, x: x.transpose(0, 2).contiguous().view(-1),
    "another size": lambda F, x: x.view(5, 5),
    "two of -1": lambda F, x: x.view(-1, -1),
    "negative": lambda F, x: x.view(-2, 12),
}


@given(VIEWS)
def test_view(compare, call):
    compare(call, normal(2, 3, 4))


def test_a_view_shares_memory_and_reshape_is_its_hint():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    y = x.view(3, 2)
    y[0, 0] = 7.0
    assert x.tolist() == [[7.0, 1.0, 2.0], [3.0, 4.0, 5.0]] and x.version == y.version == 1
    with pytest.raises(RuntimeError, match="without a copy: use reshape"):
        x.transpose(0, 1).view(6)
    with pytest.raises(TypeError, match="to\\(dtype\\)"):
        x.view(np.int32)
    assert Tensor(np.zeros((0, 3))).view(3, 0).shape == (3, 0)


SIZES = [(3, 4), (2, 3, 4), (-1, 4), (2, -1, 4), (3, -1), (5, -1, -1), (-1, -1, 4), (4,), (), (3, 0), (2, 4), (3, -2)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("shape", [(3, 1), (3, 4), (1, 4), (1,), ()], ids=str)
def test_expand(compare, shape, sizes):
    compare(lambda F, x: x.expand(sizes), normal(*shape))
    if sizes:
        compare(lambda F, x: x.expand(*sizes) * 2, normal(*shape))


def test_an_expanded_tensor_is_not_written_to():
    y = Tensor(np.zeros((3, 1), np.float32)).expand(3, 4)
    for write in (lambda: y.zero_(), lambda: y.__iadd__(1.0), lambda: y.__setitem__(0, 1.0)):
        with pytest.raises(RuntimeError, match=r"clone\(\)"):
            write()
    z = y.clone()
    z += 1.0
    assert z.tolist() == [[1.0] * 4] * 3 and y.tolist() == [[0.0] * 4] * 3


@pytest.mark.parametrize("repeats", [(2,), (2, 3), (1, 1), (2, 1, 3), (0, 2), (2, 0, 1), (), (2, -1)], ids=str)
@pytest.mark.parametrize("shape", [(3, 4), (3,), (), (0,), (0, 2)], ids=str)
def test_repeat(compare, shape, repeats):
    compare(lambda F, x: x.repeat(repeats), normal(*shape))
    if repeats:
        compare(lambda F, x: x.repeat(*repeats), normal(*shape))


@shapes
@pytest.mark.parametrize("axes", [(0,), (-1,), (0, 2), (1, -1), (0, 0), (), (4,)], ids=str)
def test_flip(compare, shape, axes):
    compare(lambda F, x: x.flip(axes), normal(*shape))
    compare(lambda F, x: F.flip(x, axes), normal(*shape))
    if axes:
        compare(lambda F, x: x.flip(*axes), normal(*shape))


def test_a_flipped_tensor_is_a_copy():
    x = Tensor(np.arange(3.0))
    x.flip(0).zero_()
    assert x.tolist() == [0.0, 1.0, 2.0]


@shapes
@pytest.mark.parametrize("dim", [0, -1, 1])
@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 7, 0])
def test_chunk(compare, shape, chunks, dim):
    compare(lambda F, x: x.chunk(chunks, dim), normal(*shape))


@pytest.mark.parametrize("dim", [0, -1, 1])
@pytest.mark.parametrize("sizes", [1, 2, 3, 5, 8, 0, -1, [2, 3], [5], [0, 5, 0], [2, 2], [7, -2], []], ids=str)
def test_split(compare, sizes, dim):
    def weighted(F, x):
        return F.cat([part * (i + 2.0) for i, part in enumerate(x.split(sizes, dim))], dim)

    for shape in [(5,), (5, 5), (0, 5), ()]:
        compare(lambda F, x: x.split(sizes, dim), normal(*shape))
        compare(weighted, normal(*shape))
    compare(lambda F, x: F.split(x, sizes), normal(5, 5))


@pytest.mark.parametrize("dim", [0, 1, -1, 3])
@pytest.mark.parametrize(
    "size", [(2, 3, 4), (2, 7, 4), (1, 1, 1), (2, 3, 9), (0, 3, 4), (3, 3, 4), (2, 3), (2, 3, 4, 1)]
)
def test_gather(compare, size, dim):
    """From the axis that is named, however long the index is there; of repeated elements the gradients add up."""
    index = whole(*size, low=0, high=2)
    import oracle

    def call(F, x):
        i = oracle.torch.tensor(index) if isinstance(F, oracle.Names) else Tensor(index)
        return F.gather(x, dim, i), x.gather(dim, i)

    compare(call, normal(2, 3, 4))


@pytest.mark.parametrize("index", [[[0, 3]], [[-1, 0]], [[0.0, 1.0]], [0, 1]], ids=str)
def test_gather_refuses(torch, index):
    index = np.array(index)
    with pytest.raises((RuntimeError, IndexError)):
        torch.zeros(2, 3).gather(1, torch.tensor(index))
    with pytest.raises((ValueError, IndexError, TypeError)):
        Tensor(np.zeros((2, 3))).gather(1, Tensor(index))


def test_gather_picks_the_logit_of_each_label():
    """The line that is written for a loss by hand; of numbers without axes, too."""
    x = Tensor(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), requires_grad=True)
    y = x.gather(1, np.array([[2], [0]]))
    assert y.tolist() == [[3.0], [4.0]]
    y.backward(np.array([[10.0], [20.0]]))
    assert np.asarray(x.grad).tolist() == [[0.0, 0.0, 10.0], [20.0, 0.0, 0.0]]
    assert Tensor(5.0).gather(0, np.array(0)).item() == 5.0


def test_masked_fill(compare):
    import oracle

    for shape, size in [((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((), ()), ((0, 3), (3,)), ((3, 4), (5,))]:
        mask = whole(*size, low=0, high=2).astype(bool)
        for value in (0, -1.5, -inf, nan, 3, True):
            for x in (normal(*shape), normal(*shape, dtype=np.float32)):

                def call(F, x, mask=mask, value=value):
                    m = oracle.torch.tensor(mask) if isinstance(F, oracle.Names) else Tensor(mask)
                    return x.masked_fill(m, value)

                compare(call, x)


def test_masked_fill_with_a_tensor_and_what_it_refuses():
    x, v = Tensor(np.ones((2, 2)), requires_grad=True), Tensor(np.array(5.0), requires_grad=True)
    mask = np.array([[True, False], [True, True]])
    y = x.masked_fill(mask, v)
    assert y.tolist() == [[5.0, 1.0], [5.0, 5.0]]
    y.backward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert np.asarray(x.grad).tolist() == [[0.0, 2.0], [0.0, 0.0]] and float(v.grad) == 8.0
    with pytest.raises(TypeError, match="mask of truth values"):
        x.masked_fill(np.array([1, 0]), 0.0)
    with pytest.raises(TypeError, match="int64 cannot hold 0.5"):
        Tensor(np.array([1, 2])).masked_fill(np.array([True, False]), 0.5)
    with pytest.raises(TypeError, match="cannot hold"):
        Tensor(np.array([1, 2])).masked_fill(np.array([True, False]), -inf)
    with pytest.raises(ValueError, match="one value"):
        x.masked_fill(mask, Tensor(np.zeros(2)))


def test_a_mask_that_was_changed_is_missed():
    x, mask = Tensor(np.ones(3), requires_grad=True), Tensor(np.array([True, False, True]))
    y = x.masked_fill(mask, 0.0)
    mask ^= True
    with pytest.raises(RuntimeError, match="masked_fill needs a value that was changed in place"):
        y.backward(np.ones(3))


# ------------------------------------------------------------------------------ copies and conversions


def test_a_clone_is_another_array_of_the_same_tape(compare):
    compare(lambda F, x: x.clone() * x, normal(2, 3))
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x.transpose(0, 1).clone()
    assert y.data.flags.c_contiguous and not np.shares_memory(x.data, y.data) and y.is_leaf is False
    assert x.contiguous() is x and x.transpose(0, 1).contiguous().data.flags.c_contiguous
    compare(lambda F, x: x.transpose(0, 1).contiguous(), normal(2, 3))


CONVERSIONS = ["float", "double", "int", "long", "bool"]
VALUES = {
    "float64": np.array([[0.0, -0.0, 2.9], [-2.9, 1e-3, 1e6]]),
    "float32": np.array([0.0, 2.9, -2.9, 1e-3], np.float32),
    "int64": np.array([0, 1, -3, 70000]),
    "uint8": np.array([0, 1, 255], np.uint8),
    "bool": np.array([True, False]),
    "no axes": np.array(-1.5),
    "nothing": np.zeros((0, 2), np.float32),
}


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions(compare, name, values):
    compare(lambda F, x: getattr(x, name)(), VALUES[values])


@pytest.mark.parametrize("values", VALUES)
def test_questions_about_a_tensor(torch, values):
    x = VALUES[values]
    ours, theirs = Tensor(x), torch.tensor(x)
    assert ours.tolist() == theirs.tolist() and type(ours.tolist()) is type(theirs.tolist())
    assert ours.dim() == theirs.dim() and ours.is_floating_point() is theirs.is_floating_point()
    assert ours.cpu() is ours and ours.float().dtype == np.float32
    assert ours.any().item() == theirs.any().item() and ours.all().item() == theirs.all().item()


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, -1])
def test_any_and_all_along_an_axis(compare, dim, keepdim):
    for x in (whole(4, 3, low=0, high=2), whole(4, 3, low=0, high=2).astype(bool), np.zeros((0, 3)), normal(2, 3)):
        compare(lambda F, x: x.all(dim, keepdim), x)
        compare(lambda F, x: x.any(dim, keepdim), x)


@pytest.mark.parametrize("value", [1.23456, -2.5, 7, True, [3.75], [[2]], [1.0, 2.0]], ids=str)
def test_numbers_of_python(torch, value):
    """int(t), t as an index, and a format: what torch gives, or an error where torch raises one."""
    ours, theirs = Tensor(np.array(value)), torch.tensor(np.array(value))
    for use in (int, lambda t: range(10, 20)[t], lambda t: f"{t:.3f}", lambda t: f"{t:>8}", lambda t: f"{t:d}"):
        try:
            expected = use(theirs)
        except (TypeError, ValueError, RuntimeError):
            if np.ndim(value) and np.size(value) == 1 and use is not int:  # formats of [3.75]: torch has none
                continue
            with pytest.raises((TypeError, ValueError)):
                use(ours)
        else:
            assert use(ours) == expected and type(use(ours)) is type(expected)
    if not np.ndim(value):
        assert f"{ours}" == f"{theirs}"


def test_formats_by_hand():
    assert f"{Tensor(0.123456):.3f} {Tensor([[2.0]]):5.1f}|{Tensor([1.0])}" == "0.123   2.0|Tensor([1.])"
    with pytest.raises(TypeError, match=r"'.2f' formats one number, this tensor has shape \(2,\)"):
        f"{Tensor([1.0, 2.0]):.2f}"
    with pytest.raises(TypeError, match="float32"):
        [1, 2, 3][Tensor(1.0)]
    assert [1, 2, 3][Tensor(np.array([2]))] == 3 and np.arange(3)[Tensor(np.array([0, 2]))].tolist() == [0, 2]


# ------------------------------------------------------------------------------ order

TIED = np.array([[2.0, nan, -inf, 2.0, 0.0], [1.0, 1.0, 1.0, inf, -0.0], [nan, nan, 3.0, -1.0, 3.0]])
ORDERED = {
    "ties, NaN, inf": TIED,
    "float32": normal(3, 4, 5, dtype=np.float32),
    "integers": whole(4, 6),
    "bytes": whole(4, 6, low=0, high=9, dtype=np.uint8),
    "truth values": whole(3, 4, low=0, high=2).astype(bool),
    "no axes": np.array(2.5),
    "nothing": np.zeros((0, 3)),
    "nothing along the last": np.zeros((3, 0)),
}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dim", [-1, 0, 1, 3])
@pytest.mark.parametrize("values", ORDERED)
def test_sort(compare, values, dim, descending):
    """Of equal ones the order is torch's stable one; NaN is the largest."""
    x = ORDERED[values]
    compare(lambda F, x: tuple(x.sort(dim=dim, descending=descending, stable=True)), x)
    compare(lambda F, x: x.argsort(dim=dim, descending=descending, stable=True), x)
    if x.dtype.kind == "f" and values != "ties, NaN, inf":
        compare(lambda F, x: (F.sort(x, dim, descending).values, F.argsort(x, dim, descending)), x)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dim", [-1, 0, 1, 3])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 9, -1])
def test_topk(compare, k, dim, largest):
    for x in (normal(3, 4), normal(4, dtype=np.float32), np.array([3, -1, 7]), np.array([nan, 1.0, inf]), np.ones(())):
        if x.ndim or k:
            compare(lambda F, x: tuple(x.topk(k, dim, largest)), x)


def test_named_results_and_their_gradient():
    x = Tensor(np.array([3.0, 1.0, 2.0]), requires_grad=True)
    y = x.topk(2)
    assert y.values.tolist() == [3.0, 2.0] and y.indices.tolist() == [0, 2] and y.indices.dtype == np.int64
    y.values.backward(np.array([10.0, 20.0]))
    assert np.asarray(x.grad).tolist() == [10.0, 0.0, 20.0]
    assert Tensor(np.array([1, 1, 1])).argsort(descending=True).tolist() == [0, 1, 2]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, -1, 3])
def test_argmin_and_argmax(compare, dim, keepdim):
    for x in (normal(3, 4), np.array([nan, 1.0]), np.array(2.0), np.zeros((0, 2))):
        compare(lambda F, x: x.argmin(dim, keepdim), x)
        compare(lambda F, x: x.argmax(dim, keepdim), x)


# ------------------------------------------------------------------------------ along axes


@shapes
@dims
def test_cumsum(compare, shape, dim):
    compare(lambda F, x: x.cumsum(dim), normal(*shape))
    compare(lambda F, x: F.cumsum(x, dim), whole(*shape).astype(np.uint8))
    compare(lambda F, x: x.cumsum(dim), whole(*shape) > 0)


NORMED = {
    "normal": normal(3, 4),
    "float32": normal(2, 3, 4, dtype=np.float32),
    "zeros": np.array([[0.0, 0.0, 0.0], [0.0, -2.0, 2.0], [3.0, 0.0, -3.0]]),
    "all zeros": np.zeros((2, 3)),
    "NaN": np.array([[nan, 1.0], [2.0, 3.0]]),
    "no axes": np.array(-2.5),
    "nothing": np.zeros((0, 3)),
}


@pytest.mark.parametrize("p", [2, 1, inf, -inf, 0, 3, 2.5, 1.5, 0.5, -1, "fro"])
@pytest.mark.parametrize("values", NORMED)
def test_norm(compare, values, p):
    x = NORMED[values]
    if values == "NaN":  # whose gradient is NaN here, for some p 0 in torch
        compare(lambda F, x: (x.detach().norm(p), x.detach().norm(p, 0), x.detach().norm(p, -1)), x)
        return
    compare(lambda F, x: x.norm(p), x)
    for dim in (0, -1, (0, -1)):
        compare(lambda F, x, dim=dim: x.norm(p, dim), x)
        compare(lambda F, x, dim=dim: F.norm(x, p, dim, True), x)


def test_norm_by_hand():
    x = Tensor(np.array([[3.0, -4.0], [0.0, 0.0]]), requires_grad=True)
    y = x.norm(dim=1)
    assert y.tolist() == [5.0, 0.0]
    y.backward(np.array([10.0, 10.0]))
    assert np.asarray(x.grad).tolist() == [[6.0, -8.0], [0.0, 0.0]]
    for wrong, error in [
        (lambda: x.norm("nuc"), ValueError), (lambda: Tensor(np.array([1, 2])).norm(), TypeError),
        (lambda: Tensor(np.zeros(0)).norm(inf), ValueError),
    ]:  # fmt: skip
        with pytest.raises(error, match="norm"):
            wrong()


STDS = {
    "all": lambda F, x: x.std(),
    "biased": lambda F, x: x.std(False),
    "biased, by its name": lambda F, x: x.std(unbiased=False),
    "an axis": lambda F, x: x.std(0),
    "an axis, biased": lambda F, x: x.std(-1, False),
    "an axis, unbiased, kept": lambda F, x: x.std(-1, True, True),
    "several": lambda F, x: F.std(x, (0, -1), keepdim=True),
    "correction": lambda F, x: F.std(x, dim=-1, correction=2),
    "both": lambda F, x: x.std(0, False, correction=0),
}


@given(STDS)
def test_std(compare, call):
    constant = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    for x in (normal(4, 5), normal(2, 3, 4, dtype=np.float32), constant, np.ones((3, 1)), np.ones((1, 1)), np.ones(())):
        compare(call, x)


def test_the_gradient_where_nothing_varies_is_0():
    x = Tensor(np.ones(3), requires_grad=True)
    x.std().backward()
    assert np.asarray(x.grad).tolist() == [0.0, 0.0, 0.0]


# ------------------------------------------------------------------------------ element by element

OPERATORS = {
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
OPERANDS = {
    "truth values": np.array([[True, False, True]]),
    "more truth values": np.array([[True], [False]]),
    "int64": np.array([[7, -7, 3], [5, -5, 12]]),
    "a column": np.array([[3], [-2]]),
    "int32": np.array([4, 2, 3], np.int32),
    "bytes": np.array([4, 2, 255], np.uint8),
    "float64": np.array([[7.5, -7.5, 0.5], [2.0, -2.0, 3.25]]),
    "float32": np.array([2.0, -1.5, 0.75], np.float32),
}


def operated(sign, a, b):
    """torch has a RuntimeError for a division of whole numbers by 0, and no derivative of //."""
    if sign == "//":
        a, b = (t.detach() if hasattr(t, "detach") else t for t in (a, b))
    try:
        return OPERATORS[sign](a, b)
    except ValueError as error:
        raise RuntimeError from error


@pytest.mark.parametrize("second", OPERANDS)
@pytest.mark.parametrize("first", OPERANDS)
@pytest.mark.parametrize("sign", OPERATORS)
def test_operators(compare, sign, first, second):
    compare(lambda F, x, y: operated(sign, x, y), OPERANDS[first], OPERANDS[second])


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("number", [3, True, 2.5], ids=str)
@pytest.mark.parametrize("sign", OPERATORS)
def test_operators_with_numbers(compare, sign, number, operand):
    compare(lambda F, x: operated(sign, x, number), OPERANDS[operand])
    compare(lambda F, x: operated(sign, number, x.detach()), OPERANDS[operand])  # torch: no derivative of number % x


@pytest.mark.parametrize("operand", OPERANDS)
def test_not(compare, operand):
    compare(lambda F, x: ~x, OPERANDS[operand])


def test_operators_by_hand():
    x = Tensor(np.array([-1.0, 0.5, 2.0]))
    assert ((x > 0) & ~(x > 1)).tolist() == [False, True, False] and ((x < 0) | (x > 1)).tolist() == [True, False, True]
    assert (x // 1.5).tolist() == [-1.0, 0.0, 1.0] and (Tensor(np.array([7, -7])) % 4).tolist() == [3, 1]
    assert (x % 0.0).tolist()[0] != 0 and (x // 0.0).tolist() == [-inf, inf, inf]
    for wrong in (lambda: Tensor(np.array([1])) % 0, lambda: 1 // Tensor(np.array([0]))):
        with pytest.raises(ValueError, match="float"):
            wrong()
    for wrong in (lambda: x & 1, lambda: ~x, lambda: Tensor(np.array([True])) % 1.0 & x):
        with pytest.raises(TypeError, match="compare first"):
            wrong()


def test_operators_in_place():
    """`mask &= other` writes into the array: every name of it sees the change."""
    mask = alias = Tensor(np.array([True, True, False]))
    mask &= np.array([True, False, True])
    assert mask is alias and alias.tolist() == [True, False, False] and alias.version == 1
    mask |= np.array([False, False, True])
    mask ^= True
    assert mask is alias and alias.tolist() == [False, True, False]
    t = name = Tensor(np.array([7, -7, 9]))
    t //= 2
    t %= 3
    assert t is name and name.tolist() == [0, 2, 1]
    with pytest.raises(RuntimeError, match="would lose"):
        x = Tensor(np.ones(2), requires_grad=True)
        x %= 2.0


# ------------------------------------------------------------------------------ activations

FAR = np.array([-1e4, -700.0, -45.0, -20.1, -19.9, -6.5, -3.3, -1.0, -1e-4, 0.5, 2.0, 7.7, 21.0, 90.0, 1e4, nan])
ACTIVATIONS = {
    "gelu": lambda F, x: F.gelu(x),
    "gelu, tanh": lambda F, x: F.gelu(x, approximate="tanh"),
    "elu": lambda F, x: F.elu(x),
    "elu, alpha": lambda F, x: F.elu(x, 0.3),
    "elu, negative alpha": lambda F, x: F.elu(x, -2.0),
    "silu": lambda F, x: F.silu(x),
    "softplus": lambda F, x: F.softplus(x),
    "softplus, beta": lambda F, x: F.softplus(x, 2.5),
    "softplus, threshold": lambda F, x: F.softplus(x, 0.7, 5.0),
    "elu, in place": lambda F, x: F.elu(x * 1.0, 1.5, True),
    "silu, in place": lambda F, x: F.silu(x * 1.0, True),
    "elu, in place of a leaf": lambda F, x: F.elu(x, inplace=True),
    "elu, in place of what is needed": lambda F, x: F.elu(x.reshape(-1).exp(), inplace=True),
}


@given(ACTIVATIONS)
def test_activations(compare, call):
    for x in (FAR, FAR.astype(np.float32), np.linspace(-7, 7, 57), np.array(0.7), np.zeros((0, 2)), whole(3)):
        compare(call, x)


@pytest.mark.parametrize("name", ["gelu", "elu", "silu", "softplus"])
def test_whole_numbers_are_refused(name):
    with pytest.raises(TypeError, match=f"{name} computes with floating-point numbers, got int64"):
        getattr(functional, name)(Tensor(np.array([1, 2])))


def test_the_error_function_to_the_last_digits():
    """erfc of small and large numbers against the C library."""
    from minialex.functional.more import activation

    x = np.linspace(-8, 30, 3801)
    expected = np.array([math.erfc(v) for v in x])
    ours = activation._erfc(np, x)
    np.testing.assert_allclose(ours[x < 6], expected[x < 6], rtol=5e-14)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-15)
    assert activation._erfc(np, np.array([inf, -inf])).tolist() == [0.0, 2.0]
    assert functional.gelu(Tensor(np.array([-40.0, 40.0]))).tolist() == [0.0, 40.0]


# ------------------------------------------------------------------------------ classes

BCE = {
    "as it is": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "weights": {"weight": [0.5, 1.0, 3.0]},
    "weights of each": {"weight": [[0.5], [2.0], [0.0], [1.0]], "reduction": "sum"},
    "pos_weight": {"pos_weight": [3.0, 0.2, 1.0]},
    "both": {"weight": [[0.5], [2.0], [0.0], [1.0]], "pos_weight": [3.0, 0.2, 1.0], "reduction": "none"},
    "another reduction": {"reduction": "average"},
    "weights that do not fit": {"weight": [1.0, 2.0]},
    "weights of more axes": {"weight": [[[1.0]], [[2.0]]], "reduction": "none"},
}


@pytest.mark.parametrize("options", BCE)
def test_binary_cross_entropy_with_logits(compare, options):
    import oracle

    def call(F, x, t):
        make = oracle.torch.tensor if isinstance(F, oracle.Names) else Tensor
        given = {k: v if isinstance(v, str) else make(np.array(v, x_dtype)) for k, v in BCE[options].items()}
        return F.binary_cross_entropy_with_logits(x, t, **given)

    for x_dtype in (np.float64, np.float32):
        x, t = 3 * normal(4, 3, dtype=x_dtype), np.abs(np.tanh(normal(4, 3))).astype(x_dtype)
        compare(call, x, t)
        compare(call, 1e4 * x, np.round(t))
    x_dtype = np.float64
    compare(call, np.zeros((0, 3)), np.zeros((0, 3)))
    compare(call, normal(4, 3), np.ones((4, 1)))


def test_binary_cross_entropy_by_hand():
    x = Tensor(np.array([0.0, 0.0], np.float32), requires_grad=True)
    loss = functional.binary_cross_entropy_with_logits(x, np.array([1, 0]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2)) and np.asarray(x.grad).tolist() == [-0.25, 0.25]
    with pytest.raises(ValueError, match=r"logits' shape \(2,\), got \(2, 1\)"):
        functional.binary_cross_entropy_with_logits(x, np.ones((2, 1)))
    with pytest.raises(ValueError, match="reduction="):
        functional.binary_cross_entropy_with_logits(x, np.ones(2), size_average=True)


PROBABILITIES = np.array([[0.0, 1.0, 0.5], [1e-30, 1 - 1e-9, 0.3]])
DIFFERENCES = np.array([[0.0, 0.5, -0.5], [1.0, -1.0, 2.5], [-30.0, 0.3, -0.3]])
PAIRS = {
    "l1": lambda F, x, t: F.l1_loss(x, t),
    "l1, sum": lambda F, x, t: F.l1_loss(x, t, reduction="sum"),
    "l1, weights": lambda F, x, t: F.l1_loss(x, t, weight=t * t + 1, reduction="mean"),
    "l1, weights of another shape": lambda F, x, t: F.l1_loss(x, t, weight=t[0]),
    "l1, another reduction": lambda F, x, t: F.l1_loss(x, t, reduction="average"),
    "l1, broadcast": lambda F, x, t: F.l1_loss(x, t[:1]),
    "smooth l1": lambda F, x, t: F.smooth_l1_loss(x, t, reduction="none"),
    "smooth l1, beta": lambda F, x, t: F.smooth_l1_loss(x, t, beta=0.5),
    "smooth l1, 0": lambda F, x, t: F.smooth_l1_loss(x, t, beta=0.0),
    "smooth l1, negative": lambda F, x, t: F.smooth_l1_loss(x, t, beta=-1.0),
    "huber": lambda F, x, t: F.huber_loss(x, t),
    "huber, none": lambda F, x, t: F.huber_loss(x, t, "none", 0.5),
    "huber, weights": lambda F, x, t: F.huber_loss(x, t, "mean", 0.3, t * t),
    "huber, 0": lambda F, x, t: F.huber_loss(x, t, delta=0.0),
}


@given(PAIRS)
def test_losses_of_differences(compare, call):
    """At the ends of the parabola and at 0, too."""
    for x in (DIFFERENCES, normal(3, 3)):
        compare(call, x, np.zeros((3, 3)) if x is DIFFERENCES else normal(3, 3)[::-1].copy())
        compare(call, x.astype(np.float32), np.ones((3, 3), np.float32))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "average"])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 0.0], [[1.0], [3.0]], [1.0, 2.0]], ids=str)
def test_binary_cross_entropy(compare, weight, reduction):
    """At 0 and 1, where the logarithm is cut off; what is no probability is refused."""
    import oracle

    def call(F, x, t):
        make = oracle.torch.tensor if isinstance(F, oracle.Names) else Tensor
        w = None if weight is None else make(np.array(weight, x_dtype))
        t = t.detach()  # its gradient is that of the loss here, infinite in torch, where x is 0 or 1
        return F.binary_cross_entropy(x, t, w, reduction=reduction)

    for x_dtype in (np.float64, np.float32):
        for t in (np.round(PROBABILITIES), 1 - np.round(PROBABILITIES), PROBABILITIES[::-1].copy()):
            compare(call, PROBABILITIES.astype(x_dtype), t.astype(x_dtype))
    x_dtype = np.float64
    compare(call, np.array([[0.5, 1.1, 0.2], [0.1, 0.2, 0.3]]), np.ones((2, 3)))
    compare(call, np.full((2, 3), 0.5), np.ones((2, 1)))


INTERPOLATED = {
    "a factor that changes nothing": {"scale_factor": 1.1},
    "a factor that doubles one": {"scale_factor": (2.3, 2.0)},
    "a half": {"scale_factor": 0.5},
    "as it is": {"size": (3, 4)},
    "one pixel": {"size": 1},
    "large": {"size": (7, 13)},
    "recomputed": {"scale_factor": 1.7, "recompute_scale_factor": True},
    "neither": {},
    "both": {"size": 2, "scale_factor": 2.0},
    "recomputed from sizes": {"size": 2, "recompute_scale_factor": True},
    "nothing": {"size": (0, 2)},
    "negative": {"size": (2, -1)},
    "too many": {"size": (2, 2, 2)},
}
MODES = ["nearest", "nearest-exact", "bilinear", "bicubic", "area", "linear", "lanczos"]


@pytest.mark.parametrize("align", [None, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", INTERPOLATED.values(), ids=INTERPOLATED.keys())
def test_interpolate(compare, options, mode, align):
    given = options | {"mode": mode, "align_corners": align}
    values_alone = mode == "bicubic" and options == {"scale_factor": 1.1}  # whose gradient torch takes for gy itself
    for dtype in (np.float64, np.float32):
        compare(lambda F, x: F.interpolate(x.detach() if values_alone else x, **given), normal(2, 1, 3, 4, dtype=dtype))


def test_interpolate_of_other_axes(compare):
    for shape in [(2, 3), (1, 2, 5), (1, 1, 3, 2, 4), (0, 2, 3, 3), (1, 2, 0, 3)]:
        for mode in ("nearest", "linear", "bilinear", "trilinear"):
            if shape[0]:  # torch refuses a batch of nothing for some modes only
                compare(lambda F, x: F.interpolate(x, size=6, mode=mode), normal(*shape))  # noqa: B023
    with pytest.raises(ValueError, match="no antialias"):
        functional.interpolate(Tensor(normal(1, 1, 2, 2)), 4, mode="bilinear", antialias=True)


def test_interpolate_by_hand():
    x = Tensor(np.array([[[[1.0, 3.0]]]]), requires_grad=True)
    assert functional.interpolate(x, (1, 4)).tolist() == [[[[1.0, 1.0, 3.0, 3.0]]]]
    y = functional.interpolate(x, (1, 4), mode="bilinear")
    assert y.tolist() == [[[[1.0, 1.5, 2.5, 3.0]]]]
    y.backward(np.array([[[[1.0, 10.0, 100.0, 1000.0]]]]))
    assert x.grad.tolist() == [[[[1 + 7.5 + 25, 2.5 + 75 + 1000]]]]
    spread = functional.interpolate(Tensor(np.array([[[[inf, 1.0, 2.0]]]])), (1, 6))
    assert spread.tolist() == [[[[inf, inf, 1.0, 1.0, 2.0, 2.0]]]]


ADAPTIVE = [1, (3, 2), (None, 3), (7, 9), (5, 4), (-1, 2), (1, 2, 3)]


@pytest.mark.parametrize("size", ADAPTIVE, ids=str)
def test_adaptive_max_pool2d(compare, size):
    tied = np.array([[[[1.0, 1.0, 0.0], [nan, 2.0, 2.0], [0.0, -inf, 2.0]]]])
    for x in (normal(2, 3, 5, 4), normal(3, 5, 4, dtype=np.float32), tied, normal(1, 2, 0, 3), normal(2, 3)):
        compare(lambda F, x: F.adaptive_max_pool2d(x, size), x)
        compare(lambda F, x: F.adaptive_max_pool2d(x, size, return_indices=True), x)


@pytest.mark.parametrize("classes", [-1, 5, 4, 3, 0])
@pytest.mark.parametrize("labels", [[0, 3, 1], [[3, 0]], 2, [], [-1, 2]], ids=str)
def test_one_hot(compare, labels, classes):
    compare(lambda F, x: F.one_hot(x, classes), np.array(labels, np.int64))


def test_one_hot_by_hand():
    assert functional.one_hot(np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    with pytest.raises(TypeError, match="float64"):
        functional.one_hot(np.array([0.5]))
    with pytest.raises(ValueError, match="labels from 0 to 3 for 3 classes"):
        functional.one_hot(np.array([0, 3]), 3)


# ------------------------------------------------------------------------------ every backend

EVERYWHERE = {
    "squeeze": lambda x: x.unsqueeze(1).squeeze(),
    "view": lambda x: x.view(-1, 2),
    "expand": lambda x: functional.relu(x.unsqueeze(0).expand(2, -1, -1)),
    "expand to its own shape": lambda x: functional.linear(x.expand(3, 4), x.expand(1, 3, 4)[0]),
    "repeat": lambda x: x.repeat(2, 3),
    "flip": lambda x: functional.relu(x.flip(-1)),
    "chunk": lambda x: functional.cat([part * 2 for part in x.chunk(2, 1)]),
    "split": lambda x: x.split([1, 3], 1)[1],
    "gather": lambda x: x.gather(1, np.array([[3, 0], [1, 1]])),
    "masked_fill": lambda x: x.masked_fill(x > 0, -2.0),
    "sort": lambda x: x.sort(0, True).values,
    "topk": lambda x: x.topk(2, largest=False).values,
    "clone": lambda x: x.transpose(0, 1).clone(),
    "contiguous": lambda x: x.transpose(0, 1).contiguous(),
    "float": lambda x: x.double().float(),
    "norm": lambda x: x.norm(2, 1),
    "std": lambda x: x.std(0),
    "cumsum": lambda x: x.cumsum(1),
    "remainder": lambda x: x % 0.7,
    "gelu": lambda x: functional.gelu(x),
    "silu in place": lambda x: functional.silu(x * 1.0, inplace=True),
    "bce": lambda x: functional.binary_cross_entropy_with_logits(x, np.ones((3, 4))),
    "argmin": lambda x: x.argmin(1),
    "argsort": lambda x: x.argsort(),
    "one_hot": lambda x: functional.one_hot(x.abs().long() + 1),
    "operators": lambda x: (x > 0) & ~(x > 1) | (x < -1),
    "//": lambda x: x // 0.5,
    "any": lambda x: x.bool().any(0),
}


@pytest.mark.parametrize("backend", usable.EVERY)
@given(EVERYWHERE)
def test_every_backend_as_numpy(backend, call):
    results = []
    for name in ("numpy", usable.or_skip(backend).name):
        x = Tensor(normal(3, 4, dtype=np.float32), requires_grad=True, backend=name)
        y = call(x)
        assert y.backend.name == name
        if y.requires_grad:
            y.backward(normal(*y.shape, dtype=np.float32))
        results.append((y.numpy(), 0 if x.grad is None else Tensor(x.grad, backend=x.backend).numpy()))
        assert y.cpu().backend.name == ("numpy" if name == "cupy" else name) and y.tolist() == y.numpy().tolist()
    for ours, numpys in zip(results[1], results[0]):
        np.testing.assert_allclose(ours, numpys, rtol=1e-6, atol=1e-6)


# ------------------------------------------------------------------------------ names that are missing

PLACES = ("functional", "nn", "optim", "data", "backends")
EVERY_NAME = [(place, name) for place, names in absent.WRITE.items() for name in names]


@pytest.mark.parametrize("place, name", EVERY_NAME, ids=".".join)
def test_a_missing_name_says_what_to_write(place, name):
    things = {"Tensor": Tensor([1.0]), "Module": nn.ReLU()}
    thing = importlib.import_module(f"minialex.{place}") if place in PLACES else things[place]
    with pytest.raises(AttributeError) as error:
        getattr(thing, name)
    assert str(error.value) == f"minialex has no {place}.{name}: write {absent.WRITE[place][name]}"
    assert not hasattr(thing, name) and getattr(thing, name, 3) == 3


def test_the_missing_names_are_torchs(torch):
    theirs = {"Tensor": [torch.Tensor], "functional": [torch.nn.functional, torch], "nn": [torch.nn]}
    theirs |= {"optim": [torch.optim], "Module": [torch.nn.Module], "backends": [torch.backends]}
    for place, homes in theirs.items():
        assert not [name for name in absent.WRITE[place] if not any(hasattr(home, name) for home in homes)]


def test_other_names_are_missing_as_usual():
    with pytest.raises(AttributeError, match=r"^'Tensor' object has no attribute 'reshap'$"):
        Tensor([1.0]).reshap  # noqa: B018
    with pytest.raises(AttributeError, match=r"^'Parameter' object has no attribute 'x'$"):
        nn.Parameter(np.zeros(1)).x  # noqa: B018
    for place in PLACES:
        module = importlib.import_module(f"minialex.{place}")
        with pytest.raises(AttributeError, match=rf"^module 'minialex.{place}' has no attribute 'nonsense'$") as error:
            module.nonsense  # noqa: B018
        assert error.value.obj is module and error.value.name == "nonsense"  # what "Did you mean" is made of
    with pytest.raises(ImportError, match="cannot import name 'Embedding'"):
        from minialex.nn import Embedding  # noqa: F401
    from minialex.data import pack  # a submodule that nothing imports

    assert pack.main


def test_protocols_see_no_more_than_there_is():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    for clone in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert clone.tolist() == [1.0, 2.0] and clone.requires_grad
    assert not {"log1p", "cuda", "is_cuda"} & set(dir(x)) and "view" in dir(x)
    for name in ("__deepcopy__", "__array_interface__", "__cuda_array_interface__", "__length_hint__"):
        assert not hasattr(x, name)
    empty = Tensor.__new__(Tensor)
    with pytest.raises(AttributeError):
        empty.shape  # noqa: B018


X, Y = normal(3, 3, dtype=np.float32), normal(3, 3, dtype=np.float32)[::-1].copy() + 2
OF_ONE = "log1p expm1 mT ravel nansum trunc tan nelement ndimension element_size logical_not short byte nonzero"
OF_TWO = "fmod mv inner logical_and maximum"


@pytest.mark.parametrize("name", [*OF_ONE.split(), *OF_TWO.split()])
def test_advice_is_what_torch_does(torch, name):
    """What is advised is evaluated as it stands."""
    x, y = X, Y
    if name in ("log1p", "byte", "fmod"):
        x, y = np.abs(x), np.abs(y)
    y = y[0] if name == "mv" else y
    theirs = getattr(torch.tensor(x), name)
    theirs = theirs(torch.tensor(y)) if name in OF_TWO.split() else theirs if name == "mT" else theirs()
    advice = absent.TENSOR[name].removesuffix(", without a gradient").removesuffix(", which has the sign of y")
    names = {"x": Tensor(x), "y": Tensor(y), "np": np, "math": math, "Tensor": Tensor, "functional": functional}
    ours = eval(advice, names)
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-5, atol=1e-6)
    assert np.shape(ours) == np.shape(theirs)
