"""What a torch script reaches first on tensors, against torch live: values, gradients, dtypes and errors."""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, functional

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own

inf, nan = np.inf, np.nan


@pytest.fixture
def assert_same(torch):
    """A function of (names, *tensors) -> result, and arrays: AssertionError unless minialex does as torch."""
    import oracle

    return oracle.assert_same


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
def test_squeeze(assert_same, shape, dim):
    assert_same(lambda F, x: x.squeeze() if dim is None else x.squeeze(dim), normal(*shape))
    assert_same(lambda F, x: F.squeeze(x) if dim is None else F.squeeze(x, dim), normal(*shape))


@shapes
@dims
def test_unsqueeze(assert_same, shape, dim):
    assert_same(lambda F, x: x.unsqueeze(dim), normal(*shape))


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
def test_view(assert_same, call):
    assert_same(call, normal(2, 3, 4))


SIZES = [(3, 4), (2, 3, 4), (-1, 4), (2, -1, 4), (3, -1), (5, -1, -1), (-1, -1, 4), (4,), (), (3, 0), (2, 4), (3, -2)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("shape", [(3, 1), (3, 4), (1, 4), (1,), ()], ids=str)
def test_expand(assert_same, shape, sizes):
    assert_same(lambda F, x: x.expand(sizes), normal(*shape))
    if sizes:
        assert_same(lambda F, x: x.expand(*sizes) * 2, normal(*shape))


@pytest.mark.parametrize("repeats", [(2,), (2, 3), (1, 1), (2, 1, 3), (0, 2), (2, 0, 1), (), (2, -1)], ids=str)
@pytest.mark.parametrize("shape", [(3, 4), (3,), (), (0,), (0, 2)], ids=str)
def test_repeat(assert_same, shape, repeats):
    assert_same(lambda F, x: x.repeat(repeats), normal(*shape))
    if repeats:
        assert_same(lambda F, x: x.repeat(*repeats), normal(*shape))


@shapes
@pytest.mark.parametrize("axes", [(0,), (-1,), (0, 2), (1, -1), (0, 0), (), (4,)], ids=str)
def test_flip(assert_same, shape, axes):
    assert_same(lambda F, x: x.flip(axes), normal(*shape))
    assert_same(lambda F, x: F.flip(x, axes), normal(*shape))
    if axes:
        assert_same(lambda F, x: x.flip(*axes), normal(*shape))


@shapes
@pytest.mark.parametrize("dim", [0, -1, 1])
@pytest.mark.parametrize("chunks", [1, 2, 3, 4, 7, 0])
def test_chunk(assert_same, shape, chunks, dim):
    assert_same(lambda F, x: x.chunk(chunks, dim), normal(*shape))


@pytest.mark.parametrize("dim", [0, -1, 1])
@pytest.mark.parametrize("sizes", [1, 2, 3, 5, 8, 0, -1, [2, 3], [5], [0, 5, 0], [2, 2], [7, -2], []], ids=str)
def test_split(assert_same, sizes, dim):
    def weighted(F, x):
        return F.cat([part * (i + 2.0) for i, part in enumerate(x.split(sizes, dim))], dim)

    for shape in [(5,), (5, 5), (0, 5), ()]:
        assert_same(lambda F, x: x.split(sizes, dim), normal(*shape))
        assert_same(weighted, normal(*shape))
    assert_same(lambda F, x: F.split(x, sizes), normal(5, 5))


@pytest.mark.parametrize("dim", [0, 1, -1, 3])
@pytest.mark.parametrize(
    "size", [(2, 3, 4), (2, 7, 4), (1, 1, 1), (2, 3, 9), (0, 3, 4), (3, 3, 4), (2, 3), (2, 3, 4, 1)]
)
def test_gather(assert_same, size, dim):
    """From the axis that is named, however long the index is there; of repeated elements the gradients add up."""
    index = whole(*size, low=0, high=2)
    import oracle

    def call(F, x):
        i = oracle.torch.tensor(index) if isinstance(F, oracle.Names) else Tensor(index)
        return F.gather(x, dim, i), x.gather(dim, i)

    assert_same(call, normal(2, 3, 4))


@pytest.mark.parametrize("index", [[[0, 3]], [[-1, 0]], [[0.0, 1.0]], [0, 1]], ids=str)
def test_gather_refuses(torch, index):
    index = np.array(index)
    with pytest.raises((RuntimeError, IndexError)):
        torch.zeros(2, 3).gather(1, torch.tensor(index))
    with pytest.raises((ValueError, IndexError, TypeError)):
        Tensor(np.zeros((2, 3))).gather(1, Tensor(index))


def test_masked_fill(assert_same):
    import oracle

    for shape, size in [((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((), ()), ((0, 3), (3,)), ((3, 4), (5,))]:
        mask = whole(*size, low=0, high=2).astype(bool)
        for value in (0, -1.5, -inf, nan, 3, True):
            for x in (normal(*shape), normal(*shape, dtype=np.float32)):

                def call(F, x, mask=mask, value=value):
                    m = oracle.torch.tensor(mask) if isinstance(F, oracle.Names) else Tensor(mask)
                    return x.masked_fill(m, value)

                assert_same(call, x)


# ------------------------------------------------------------------------------ copies and conversions


def test_a_clone_is_another_array_of_the_same_tape(assert_same):
    assert_same(lambda F, x: x.clone() * x, normal(2, 3))
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x.transpose(0, 1).clone()
    assert y.data.flags.c_contiguous and not np.shares_memory(x.data, y.data) and y.is_leaf is False
    assert x.contiguous() is x and x.transpose(0, 1).contiguous().data.flags.c_contiguous
    assert_same(lambda F, x: x.transpose(0, 1).contiguous(), normal(2, 3))


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
def test_conversions(assert_same, name, values):
    assert_same(lambda F, x: getattr(x, name)(), VALUES[values])


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
def test_any_and_all_along_an_axis(assert_same, dim, keepdim):
    for x in (whole(4, 3, low=0, high=2), whole(4, 3, low=0, high=2).astype(bool), np.zeros((0, 3)), normal(2, 3)):
        assert_same(lambda F, x: x.all(dim, keepdim), x)
        assert_same(lambda F, x: x.any(dim, keepdim), x)


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
def test_sort(assert_same, values, dim, descending):
    """Of equal ones the order is torch's stable one; NaN is the largest."""
    x = ORDERED[values]
    assert_same(lambda F, x: tuple(x.sort(dim=dim, descending=descending, stable=True)), x)
    assert_same(lambda F, x: x.argsort(dim=dim, descending=descending, stable=True), x)
    if x.dtype.kind == "f" and values != "ties, NaN, inf":
        assert_same(lambda F, x: (F.sort(x, dim, descending).values, F.argsort(x, dim, descending)), x)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dim", [-1, 0, 1, 3])
@pytest.mark.parametrize("k", [0, 1, 2, 3, 9, -1])
def test_topk(assert_same, k, dim, largest):
    for x in (normal(3, 4), normal(4, dtype=np.float32), np.array([3, -1, 7]), np.array([nan, 1.0, inf]), np.ones(())):
        if x.ndim or k:
            assert_same(lambda F, x: tuple(x.topk(k, dim, largest)), x)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, -1, 3])
def test_argmin_and_argmax(assert_same, dim, keepdim):
    for x in (normal(3, 4), np.array([nan, 1.0]), np.array(2.0), np.zeros((0, 2))):
        assert_same(lambda F, x: x.argmin(dim, keepdim), x)
        assert_same(lambda F, x: x.argmax(dim, keepdim), x)


# ------------------------------------------------------------------------------ along axes


@shapes
@dims
def test_cumsum(assert_same, shape, dim):
    assert_same(lambda F, x: x.cumsum(dim), normal(*shape))
    assert_same(lambda F, x: F.cumsum(x, dim), whole(*shape).astype(np.uint8))
    assert_same(lambda F, x: x.cumsum(dim), whole(*shape) > 0)


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
def test_norm(assert_same, values, p):
    x = NORMED[values]
    if values == "NaN":  # whose gradient is NaN here, for some p 0 in torch
        assert_same(lambda F, x: (x.detach().norm(p), x.detach().norm(p, 0), x.detach().norm(p, -1)), x)
        return
    assert_same(lambda F, x: x.norm(p), x)
    for dim in (0, -1, (0, -1)):
        assert_same(lambda F, x, dim=dim: x.norm(p, dim), x)
        assert_same(lambda F, x, dim=dim: F.norm(x, p, dim, True), x)


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
def test_std(assert_same, call):
    constant = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    for x in (normal(4, 5), normal(2, 3, 4, dtype=np.float32), constant, np.ones((3, 1)), np.ones((1, 1)), np.ones(())):
        assert_same(call, x)


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
def test_operators(assert_same, sign, first, second):
    assert_same(lambda F, x, y: operated(sign, x, y), OPERANDS[first], OPERANDS[second])


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("number", [3, True, 2.5], ids=str)
@pytest.mark.parametrize("sign", OPERATORS)
def test_operators_with_numbers(assert_same, sign, number, operand):
    assert_same(lambda F, x: operated(sign, x, number), OPERANDS[operand])
    assert_same(lambda F, x: operated(sign, number, x.detach()), OPERANDS[operand])  # torch: no derivative


@pytest.mark.parametrize("operand", OPERANDS)
def test_not(assert_same, operand):
    assert_same(lambda F, x: ~x, OPERANDS[operand])


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
def test_activations(assert_same, call):
    for x in (FAR, FAR.astype(np.float32), np.linspace(-7, 7, 57), np.array(0.7), np.zeros((0, 2)), whole(3)):
        assert_same(call, x)


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
def test_binary_cross_entropy_with_logits(assert_same, options):
    import oracle

    def call(F, x, t):
        make = oracle.torch.tensor if isinstance(F, oracle.Names) else Tensor
        given = {k: v if isinstance(v, str) else make(np.array(v, x_dtype)) for k, v in BCE[options].items()}
        return F.binary_cross_entropy_with_logits(x, t, **given)

    for x_dtype in (np.float64, np.float32):
        x, t = 3 * normal(4, 3, dtype=x_dtype), np.abs(np.tanh(normal(4, 3))).astype(x_dtype)
        assert_same(call, x, t)
        assert_same(call, 1e4 * x, np.round(t))
    x_dtype = np.float64
    assert_same(call, np.zeros((0, 3)), np.zeros((0, 3)))
    assert_same(call, normal(4, 3), np.ones((4, 1)))


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
def test_losses_of_differences(assert_same, call):
    """At the ends of the parabola and at 0, too."""
    for x in (DIFFERENCES, normal(3, 3)):
        assert_same(call, x, np.zeros((3, 3)) if x is DIFFERENCES else normal(3, 3)[::-1].copy())
        assert_same(call, x.astype(np.float32), np.ones((3, 3), np.float32))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "average"])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 0.0], [[1.0], [3.0]], [1.0, 2.0]], ids=str)
def test_binary_cross_entropy(assert_same, weight, reduction):
    """At 0 and 1, where the logarithm is cut off; what is no probability is refused."""
    import oracle

    def call(F, x, t):
        make = oracle.torch.tensor if isinstance(F, oracle.Names) else Tensor
        w = None if weight is None else make(np.array(weight, x_dtype))
        t = t.detach()  # its gradient is that of the loss here, infinite in torch, where x is 0 or 1
        return F.binary_cross_entropy(x, t, w, reduction=reduction)

    for x_dtype in (np.float64, np.float32):
        for t in (np.round(PROBABILITIES), 1 - np.round(PROBABILITIES), PROBABILITIES[::-1].copy()):
            assert_same(call, PROBABILITIES.astype(x_dtype), t.astype(x_dtype))
    x_dtype = np.float64
    assert_same(call, np.array([[0.5, 1.1, 0.2], [0.1, 0.2, 0.3]]), np.ones((2, 3)))
    assert_same(call, np.full((2, 3), 0.5), np.ones((2, 1)))


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
def test_interpolate(assert_same, options, mode, align):
    given = options | {"mode": mode, "align_corners": align}
    values_alone = mode == "bicubic" and options == {"scale_factor": 1.1}  # whose gradient torch takes for gy itself
    for dtype in (np.float64, np.float32):
        assert_same(
            lambda F, x: F.interpolate(x.detach() if values_alone else x, **given), normal(2, 1, 3, 4, dtype=dtype)
        )


def test_interpolate_of_other_axes(assert_same):
    for shape in [(2, 3), (1, 2, 5), (1, 1, 3, 2, 4), (0, 2, 3, 3), (1, 2, 0, 3)]:
        for mode in ("nearest", "linear", "bilinear", "trilinear"):
            if shape[0]:  # torch refuses a batch of nothing for some modes only
                assert_same(lambda F, x: F.interpolate(x, size=6, mode=mode), normal(*shape))  # noqa: B023
    with pytest.raises(ValueError, match="no antialias"):
        functional.interpolate(Tensor(normal(1, 1, 2, 2)), 4, mode="bilinear", antialias=True)


ADAPTIVE = [1, (3, 2), (None, 3), (7, 9), (5, 4), (-1, 2), (1, 2, 3)]


@pytest.mark.parametrize("size", ADAPTIVE, ids=str)
def test_adaptive_max_pool2d(assert_same, size):
    tied = np.array([[[[1.0, 1.0, 0.0], [nan, 2.0, 2.0], [0.0, -inf, 2.0]]]])
    for x in (normal(2, 3, 5, 4), normal(3, 5, 4, dtype=np.float32), tied, normal(1, 2, 0, 3), normal(2, 3)):
        assert_same(lambda F, x: F.adaptive_max_pool2d(x, size), x)
        assert_same(lambda F, x: F.adaptive_max_pool2d(x, size, return_indices=True), x)


@pytest.mark.parametrize("classes", [-1, 5, 4, 3, 0])
@pytest.mark.parametrize("labels", [[0, 3, 1], [[3, 0]], 2, [], [-1, 2]], ids=str)
def test_one_hot(assert_same, labels, classes):
    assert_same(lambda F, x: F.one_hot(x, classes), np.array(labels, np.int64))
