"""What the table of cases leaves out, against torch live: what is empty, infinite, NaN, equal, of a mixed dtype.

Each call is made with minialex and with torch: both must raise, or give the same values, gradients, shapes and dtypes.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
import oracle

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own

inf, nan = np.inf, np.nan


def normal(*shape, dtype=np.float64):
    return np.random.default_rng([9, *shape]).standard_normal(shape).astype(dtype)


def tensor(names, array):
    """An array as a tensor without a gradient, of minialex or of torch."""
    return oracle.torch.tensor(array) if isinstance(names, oracle.Names) else oracle.Tensor(array)


# ------------------------------------------------------------------------------ nothing at all, or a number

EMPTY = [(0,), (0, 3), (3, 0), (2, 0, 3), (), (1,), (2, 3)]
DIMS = [None, 0, 1, -1, -2, (0, 1), (-1,), 3]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("shape", EMPTY, ids=str)
@pytest.mark.parametrize("op", ["sum", "mean", "logsumexp", "var", "max", "min"])
def test_reductions_of_nothing(op, shape, dim, keepdim):
    if dim is None and op in ("max", "min"):
        oracle.assert_same(lambda F, x: getattr(F, op)(x), normal(*shape))
    elif dim is not None or op in ("sum", "mean", "var"):
        oracle.assert_same(lambda F, x: getattr(F, op)(x, dim=dim, keepdim=keepdim), normal(*shape))


@pytest.mark.parametrize("dim", [0, 1, -1, 2])
@pytest.mark.parametrize("shape", EMPTY, ids=str)
@pytest.mark.parametrize("op", ["softmax", "log_softmax"])
def test_softmax_of_nothing(op, shape, dim):
    oracle.assert_same(lambda F, x: getattr(F, op)(x, dim), normal(*shape))


@pytest.mark.parametrize(
    "shapes",
    [
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((2, 3), (3, 0)),
        ((0,), (0,)),
        ((0, 2, 3), (0, 3, 4)),
        ((4,), (0, 4, 3)),
        ((0, 4), (4,)),
        ((3,), (3, 0)),
        ((5, 0, 3), (3, 4)),
        ((0, 3), (2, 3)),
        ((), (3,)),
        ((1, 2, 3), (0, 3, 1)),
    ],
    ids=str,
)
def test_matrix_products_of_nothing(shapes):
    oracle.assert_same(lambda F, a, b: F.matmul(a, b), *(normal(*s) for s in shapes))


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "mse_loss"])
@pytest.mark.parametrize(
    "shapes", [((0, 3), (3,)), ((0, 1), (1, 3)), ((2, 0), (2, 1)), ((), (0, 3)), ((0,), (2,))], ids=str
)
def test_arithmetic_with_nothing(op, shapes):
    oracle.assert_same(lambda F, a, b: getattr(F, op)(a, b), *(normal(*s) for s in shapes))


@pytest.mark.parametrize(
    "x,w,options",
    [
        ((0, 2, 5, 4), (3, 2, 3, 2), {}),
        ((0, 2, 5, 4), (3, 2, 3, 2), {"padding": 1, "stride": 2}),
        ((0, 4, 5, 4), (6, 2, 3, 2), {"groups": 2}),
        ((0, 2, 2, 2), (3, 2, 3, 2), {}),
        ((2, 2, 0, 4), (3, 2, 1, 1), {}),
        ((2, 2, 5, 4), (0, 2, 3, 2), {}),
        ((2, 2, 5, 4), (3, 2, 0, 2), {}),
    ],
)
def test_convolution_of_nothing(x, w, options):
    oracle.assert_same(lambda F, x, w, b: F.conv2d(x, w, b, **options), normal(*x), normal(*w), normal(w[0]))


@pytest.mark.parametrize(
    "call",
    [
        lambda F, x: F.max_pool2d(x, 2, padding=1),
        lambda F, x: F.avg_pool2d(x, (2, 1), 3, ceil_mode=True),
        lambda F, x: F.adaptive_avg_pool2d(x, (2, 3)),
        lambda F, x: F.local_response_norm(x, 3),
        lambda F, x: F.batch_norm(x, None, None, training=True),
        lambda F, x: F.flatten(x, 1),
        lambda F, x: F.relu(x),
        lambda F, x: F.dropout(x, 0.0),
        lambda F, x: F.pad(x, (1, -1, 2, 0), value=2),
        lambda F, x: x.permute(3, 0, 1, 2),
        lambda F, x: F.reshape(x, (0, -1)),
        lambda F, x: F.reshape(x, (-1, 2)),
        lambda F, x: F.transpose(x, 0, -1),
        lambda F, x: x[..., 0],
        lambda F, x: x[:, 1:2],
        lambda F, x: F.stack([x, x], 1),
        lambda F, x: F.sigmoid(x),
        lambda F, x: F.clamp(x, 0, 1),
        lambda F, x: F.leaky_relu(x),
        lambda F, x: x**2,
        lambda F, x: abs(-x),
    ],
)
def test_layers_of_a_batch_of_nothing(call):
    oracle.assert_same(call, normal(0, 2, 5, 4))


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 4), (2, 3, 0), (1, 3), (5, 3), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_running_statistics(shape, training):
    """Those of nothing stay as they are; those of a single value raise; of float32 they are float32."""

    def call(names, x, w, b):
        mean, var = (tensor(names, np.full(3, v, np.float32)) for v in (0.5, 2.0))
        y = names.batch_norm(x, mean, var, w, b, training, 0.3, 1e-3)
        return y, mean, var

    oracle.assert_same(call, normal(*shape, dtype=np.float32), normal(3, dtype=np.float32), normal(3, dtype=np.float32))


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 3), (0, 3)],
        [(0,), (2, 3)],
        [(2, 3), (0,), (0, 3)],
        [(0,), (0,)],
        [(2, 3), (2, 4)],
        [(), ()],
        [(2, 3), (2,)],
        [(2, 0), (2, 3)],
        [(1, 0, 3), (0,)],
        [(2, 3)],
        [(0, 3), (2, 0)],
    ],
    ids=str,
)
def test_concatenate_and_stack_with_nothing(shapes, dim):
    if dim in (0, -1) or shapes != [(0,), (0,)]:  # torch takes any axis of nothing
        oracle.assert_same(lambda F, *tensors: F.concatenate(tensors, dim), *(normal(*s) for s in shapes))
    oracle.assert_same(lambda F, *tensors: F.stack(tensors, dim), *(normal(*s) for s in shapes))


# ------------------------------------------------------------------------------ infinite, NaN, equal

SPECIAL = np.array([nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e30, -1e30])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", ["exp", "log", "sqrt", "neg", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_functions_of_what_is_not_finite(op, dtype):
    oracle.assert_same(lambda F, x: getattr(F, op)(x), SPECIAL.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", ["div", "pow", "maximum", "minimum"])
def test_pairs_of_what_is_not_finite(op, dtype):
    a, b = (x.astype(dtype) for x in np.meshgrid(SPECIAL, SPECIAL))
    oracle.assert_same(lambda F, a, b: getattr(F, op)(a, b), a, b)


@pytest.mark.parametrize("op", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize(
    "row", [[-inf, -inf], [inf, 0], [nan, 1], [-inf, 0], [inf, inf], [1e30, -1e30], [1e3, -1e3]], ids=str
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponentials_of_what_is_not_finite(op, row, dtype):
    oracle.assert_same(lambda F, x: getattr(F, op)(x, 1), np.array([row, [0.5, 2.0]], dtype))


@pytest.mark.parametrize(
    "row", [[nan, 1], [1, nan, nan], [inf, -inf], [1, 1, 0], [-inf, -inf], [0.0, -0.0], [2, 3, 3]], ids=str
)
@pytest.mark.parametrize("op", ["max", "min"])
def test_largest_of_equals_and_of_nan(op, row):
    """Of all: shared evenly. Along an axis: the first, and NaN before anything else."""
    oracle.assert_same(lambda F, x: getattr(F, op)(x), np.array(row, float))
    oracle.assert_same(lambda F, x: getattr(F, op)(x, 0), np.array(row, float))
    oracle.assert_same(lambda F, x: getattr(F, op)(x, 1, True), np.array([row, row[::-1]], float))


@pytest.mark.parametrize(
    "low,high", [(-1, 1), (None, 0.0), (0, None), (1, -1), (nan, 1), (-1, nan), (0, 0), (-inf, inf), (None, None)]
)
def test_clamp_between_numbers(low, high):
    oracle.assert_same(lambda F, x: F.clamp(x, low, high), SPECIAL)
    oracle.assert_same(lambda F, x: F.clip(x, low, high), SPECIAL.astype(np.float32))


def test_clamp_between_tensors_of_all_kinds():
    """Crossed, equal, infinite and NaN bounds."""
    few = [nan, -inf, -1.0, 0.0, 1.0, inf]
    x, low, high = np.array(list(itertools.product(few, few, few))).T
    oracle.assert_same(lambda F, x, low, high: F.clamp(x, low, high), x, low, high)
    oracle.assert_same(lambda F, x, low: F.clamp(x, low), x, low)
    oracle.assert_same(lambda F, x, high: F.clamp(x, max=high), x, high)
    oracle.assert_same(lambda F, x, low, high: F.clamp(x, low, high), normal(3, 4), normal(4), normal(3, 1))


@pytest.mark.parametrize("correction", [0, 1, 2, 5])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_variance_of_too_few(correction, dim):
    """NaN or infinite, as in torch; what its gradient is then, torch itself does not agree on."""
    for shape in [(3, 2), (1, 1), (2, 1)]:
        x = normal(*shape)
        n = {0: shape[0], 1: shape[1], None: x.size}[dim]

        def call(names, x, n=n):
            y = names.var(x, dim, correction=correction)
            return y if n > correction else y.detach()

        oracle.assert_same(call, x)


# ------------------------------------------------------------------------------ dtypes

ARRAYS = {
    "float32": np.array([2, 3, 0.5], np.float32),
    "float64": np.array([2, 3, 0.5]),
    "int64": np.arange(1, 4),
    "int32": np.arange(1, 4, dtype=np.int32),
    "uint8": np.array([1, 2, 255], np.uint8),
    "bool": np.array([True, False, True]),
    "float32, a number": np.array(1.5, np.float32),
    "float64, a number": np.array(1.5),
    "int64, a number": np.array(2),
    "bool, a number": np.array(True),
}


@pytest.mark.parametrize("second", ARRAYS)
@pytest.mark.parametrize("first", ARRAYS)
def test_dtype_of_two(first, second):
    a, b = ARRAYS[first], ARRAYS[second]
    calls = [
        lambda F, a, b: a + b,
        lambda F, a, b: a * b,
        lambda F, a, b: F.maximum(a, b),
        lambda F, a, b: a / b,
        lambda F, a, b: F.minimum(a, b),
        lambda F, a, b: F.clamp(a, b),
        lambda F, a, b: F.stack([a, b]),
        lambda F, a, b: F.concatenate([a, b]),
    ]
    if "bool" not in (a.dtype.name, b.dtype.name):
        calls += [lambda F, a, b: a - b, lambda F, a, b: a**b]
    for call in calls:
        oracle.assert_same(call, a, b)
    oracle.assert_same(lambda F, a, b: F.where(tensor(F, np.array([True, False, True])), a, b), a, b)


@pytest.mark.parametrize("number", [2, -1, 2.5, True, np.float64(2.5), np.float32(0.5)], ids=repr)
@pytest.mark.parametrize("array", ARRAYS)
def test_dtype_of_a_tensor_and_a_number(array, number):
    x, theirs = ARRAYS[array], number.item() if isinstance(number, np.generic) else number
    calls = [lambda x, n: x + n, lambda x, n: n * x, lambda x, n: x / n]
    if x.dtype != bool and number is not True:
        calls += [lambda x, n: n - x, lambda x, n: x - n]
        if number != -1 or x.dtype.kind == "f":
            calls += [lambda x, n: x**n]
    for call in calls:
        oracle.assert_same(lambda F, x, call=call: call(x, theirs if isinstance(F, oracle.Names) else number), x)
    if not isinstance(number, np.generic):
        oracle.assert_same(lambda F, x: F.where(tensor(F, np.array([True, False, True])), x, number), x)
        oracle.assert_same(lambda F, x: F.where(tensor(F, np.array([True, False, True])), number, x), x)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("op", ["sum", "max", "exp", "sqrt", "tanh", "sigmoid"])
def test_dtype_of_one(op, array):
    oracle.assert_same(lambda F, x: getattr(F, op)(x), ARRAYS[array])
    if op == "sum":
        oracle.assert_same(lambda F, x: F.logsumexp(x, 0), ARRAYS[array])


# ------------------------------------------------------------------------------ losses over classes


@pytest.mark.parametrize("weight", [None, np.array([0.5, 1.0, 2.0, 0.0]), np.zeros(4)], ids=["", "weights", "zeros"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize(
    "shape,target",
    [
        ((3, 4), [0, 1, 3]),
        ((3, 4), [-100, -100, -100]),
        ((3, 4), [1, 1, 1]),
        ((0, 4), []),
        ((3, 4), [4, 0, 0]),
        ((2, 4, 3), [[0, 1, 2], [3, 1, 0]]),
        ((2, 4, 0), [[], []]),
        ((1, 4, 2, 2), [[[0, 1], [2, 3]]]),
        ((3, 4), [0, 1]),
    ],
    ids=str,
)
def test_losses_over_classes(shape, target, ignore, reduction, weight):
    options = {"ignore_index": ignore, "reduction": reduction}

    def call(names, x, op="nll_loss", **more):
        w = None if weight is None else tensor(names, weight)
        return getattr(names, op)(x, tensor(names, np.array(target, np.int64)), w, **options, **more)

    oracle.assert_same(call, normal(*shape))
    oracle.assert_same(lambda F, x: call(F, x, "cross_entropy"), normal(*shape))
    oracle.assert_same(lambda F, x: call(F, x, "cross_entropy", label_smoothing=0.3), normal(*shape))


@pytest.mark.parametrize(
    "logits", [[[-inf, 0.0, 1.0]], [[0.0, -inf, 1.0]], [[0.0, inf, 1.0]], [[nan, 0.0, 1.0]]], ids=str
)
def test_cross_entropy_of_infinite_logits(logits):
    oracle.assert_same(lambda F, x: F.cross_entropy(x, tensor(F, np.array([1]))), np.array(logits))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "average"])
@pytest.mark.parametrize(
    "shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((0, 3), (0, 3)), ((), ()), ((2, 3), (2,))], ids=str
)
def test_mse_loss(shapes, reduction):
    oracle.assert_same(lambda F, a, b: F.mse_loss(a, b, reduction=reduction), *(normal(*s) for s in shapes))


# ------------------------------------------------------------------------------ shapes and indices


@pytest.mark.parametrize(
    "call",
    [
        *(
            lambda F, x, s=s: F.reshape(x, s)
            for s in [(3, 2), (-1,), (6, -1, 1), (4, 2), (-1, -1), (-2, 3), (), (0, -1)]
        ),
        *(lambda F, x, a=a: F.flatten(x, *a) for a in [(), (1,), (-2,), (1, 1), (1, 0), (0, 5), (-5,)]),
        *(lambda F, x, a=a: F.permute(x, a) for a in [(0, 1), (1, 0), (-1, 0), (0, 0), (0,), (0, 1, 2)]),
        *(lambda F, x, a=a: F.transpose(x, *a) for a in [(0, 1), (-1, 0), (1, 1), (0, 2), (-3, 0)]),
        *(
            lambda F, x, p=p: F.pad(x, p)
            for p in [(), (1, 2), (1, 2, 3, 4), (-1, 0), (-2, -1), (-2, -2), (1,), (1,) * 6]
        ),
        lambda F, x: F.pad(x, (5, -4)),
        lambda F, x: F.pad(x, (4, -2)),
        lambda F, x: F.pad(x, (1, 1), "constant", None),
        lambda F, x: F.pad(x, (1, 0), value=2),
    ],
)
def test_arrangements(call):
    oracle.assert_same(call, normal(2, 3))
    oracle.assert_same(call, np.arange(6).reshape(2, 3))


INDICES = [
    0,
    -1,
    5,
    (0, 1),
    (0, 0, 0),
    (),
    None,
    (None, None),
    True,
    False,
    "a",
    range(2),
    [0, 2],
    [True, False, True],
    np.s_[1:],
    np.s_[::2],
    np.s_[:, 1],
    np.s_[..., 0],
    np.s_[...],
    np.s_[:, None, 1:],
    np.s_[:0],
    np.s_[5:],
    np.s_[0:100, -100:2],
    np.s_[:, [0, 0, 1]],
    np.s_[np.array([2, 0]), 1:3],
    np.array([0, 2, 0]),
    np.array([], np.int64),
    np.array([-3]),
    np.array([7]),
    np.array(1),
    np.array([1.0]),
    np.array(True),
    np.array([True, False, True]),
    np.array([[True, False]]),
    np.ones(4, bool),
    np.zeros((3, 4), bool),
    np.ones((3, 4), bool),
    np.s_[np.array([True, False, True]), np.array([0, 2])],
    (np.array([0, 1]), np.array([1, 1])),
    (np.array([[0], [1]]), np.array([1, 2])),
    (np.array([0, 1, 2]), np.array([0, 1])),
]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indices(index):
    def call(names, x):
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(tensor(names, i) if isinstance(i, np.ndarray) else i for i in parts)
        return x[parts] if isinstance(index, tuple) else x[parts[0]]

    oracle.assert_same(call, normal(3, 4))
    if index is None or index is ... or index is True or isinstance(index, tuple):
        oracle.assert_same(call, normal())
