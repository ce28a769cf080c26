"""What torch takes besides batches of floats: single images, whole numbers, probabilities, indices, margins, dtype=.

Each call is made with minialex and with torch: both must raise, or give the same values, gradients, shapes and dtypes.
"""

from __future__ import annotations

import numpy as np
import pytest

from minialex import Tensor, functional

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own


@pytest.fixture
def assert_same(torch):
    import oracle

    return oracle.assert_same


def normal(*shape, dtype=np.float64):
    return np.random.default_rng([7, *shape]).standard_normal(shape).astype(dtype)


def whole(*shape, dtype=np.int64):
    low = 0 if np.dtype(dtype).kind == "u" else -9
    return np.random.default_rng([8, *shape]).integers(low, 10, shape).astype(dtype)


def fixed(F, array):
    """An array as a tensor without a gradient, of minialex or of torch."""
    import oracle

    return oracle.torch.tensor(array) if isinstance(F, oracle.Names) else Tensor(array)


def given(calls):
    return pytest.mark.parametrize("call", calls.values(), ids=calls.keys())


# ------------------------------------------------------------------------------ images without a batch, other axes

ALONE = {
    "conv2d": lambda F, x: F.conv2d(x, fixed(F, normal(4, 3, 3, 2)), None, (2, 1), 1),
    "conv2d, weights": lambda F, x: F.conv2d(fixed(F, normal(3, 5, 4)), x[:, None, :3, :3], padding="same", groups=3),
    "conv2d, bias": lambda F, x: F.conv2d(fixed(F, normal(3, 7, 6)), fixed(F, normal(3, 3, 3, 2)), x[:, 0, 0]),
    "conv2d, channels that differ": lambda F, x: F.conv2d(x, fixed(F, normal(4, 2, 3, 2))),
    "max_pool2d": lambda F, x: F.max_pool2d(x, (3, 2), 2, 1, ceil_mode=True),
    "max_pool2d, indices": lambda F, x: F.max_pool2d(x, 3, 1, 1, return_indices=True),
    "avg_pool2d": lambda F, x: F.avg_pool2d(x, 2, 1, 1, False, False),
    "adaptive_avg_pool2d": lambda F, x: F.adaptive_avg_pool2d(x, (2, None)),
    "local_response_norm": lambda F, x: F.local_response_norm(x, 3, 0.7, 0.6, 1.5),
    "two axes": lambda F, x: F.max_pool2d(x[0], 2),
    "two axes averaged": lambda F, x: F.avg_pool2d(x[0], 2),
    "two axes convolved": lambda F, x: F.conv2d(x[0], fixed(F, normal(4, 3, 3, 2))),
    "five axes": lambda F, x: F.max_pool2d(x[None, None], 2),
}


@given(ALONE)
def test_an_image_without_a_batch(assert_same, call):
    assert_same(call, normal(3, 5, 4))
    assert_same(call, normal(3, 5, 4, dtype=np.float32))


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 2, 3, 2), (0, 4, 3), (2, 0, 3), (2, 4, 0), (2, 3), (4,)], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_response_norm_of_other_axes(assert_same, shape, size):
    assert_same(lambda F, x: F.local_response_norm(x, size, 0.9, 0.8, 1.2), normal(*shape))


SHORT = {
    "max_pool2d": lambda F, x: F.max_pool2d(x, (2,), (1,), (1,), (1,)),
    "max_pool2d, no stride": lambda F, x: F.max_pool2d(x, 2, ()),
    "avg_pool2d": lambda F, x: F.avg_pool2d(x, [3], [2], [1], True, False, 5),
    "avg_pool2d, no stride": lambda F, x: F.avg_pool2d(x, 2, []),
    "conv2d": lambda F, x: F.conv2d(x, x[:, :, :2, :2], None, (2,), (1,), (1,)),
    "adaptive_avg_pool2d": lambda F, x: F.adaptive_avg_pool2d(x, (2,)),
    "a fraction": lambda F, x: F.max_pool2d(x, 2.0),
}


@given(SHORT)
def test_tuples_of_one(assert_same, call):
    assert_same(call, normal(2, 3, 5, 4))


def test_batch_norm_of_nothing_at_all(assert_same):
    def call(F, x, training=True):
        return F.batch_norm(x, *(fixed(F, np.ones(x.shape)) for _ in range(2)), training=training)

    for x in (np.zeros(0), normal(3)):
        assert_same(call, x)
        assert_same(lambda F, x: call(F, x, False), x)


# ------------------------------------------------------------------------------ where the maxima stood

ROWS = np.array([[1.0, 7, 7, 0], [2, 7, -np.inf, 3], [np.nan, 4, 4, np.nan], [-5, -6, -7, -8]])
POOLED = [
    dict(kernel_size=2),
    dict(kernel_size=3, stride=1, padding=1),
    dict(kernel_size=(2, 3), stride=(3, 2), padding=(1, 0), ceil_mode=True),
    dict(kernel_size=2, stride=1, dilation=(2, 1)),
    dict(kernel_size=(3, 1), stride=2, dilation=2, padding=(1, 0)),
]


@pytest.mark.parametrize("options", POOLED, ids=str)
def test_indices_of_pooling(assert_same, options):
    """Ties, NaN, all of a window -inf; the values alone have the gradient."""
    for x in (normal(2, 3, 7, 5), np.floor(normal(1, 2, 6, 6)), ROWS[None, None], np.full((1, 1, 5, 5), -np.inf)):
        assert_same(lambda F, x: F.max_pool2d(x, **options, return_indices=True), x)
    assert_same(lambda F, x: F.max_pool2d(x, **options, return_indices=True), whole(2, 3, 7, 6))


# ------------------------------------------------------------------------------ whole numbers

WHOLE = {
    "linear": lambda F, x: F.linear(x, x[0, 0]),
    "linear, bias": lambda F, x: F.linear(x, x[0, 0], x[0, 0, :, 0]),
    "conv2d": lambda F, x: F.conv2d(x, x[:, :, :3, :2], x[0, 0, :2, 0], (2, 1), (1, 0)),
    "conv2d, groups": lambda F, x: F.conv2d(x, x[:, :1, 1:3, :2], None, 1, 1, 1, 2),
    "conv2d, an image": lambda F, x: F.conv2d(x[0], x[:, :, :3, :2]),
    "max_pool2d": lambda F, x: F.max_pool2d(x, 2, 1, 1, 1, True),
    "max_pool2d, an image": lambda F, x: F.max_pool2d(x[0], (3, 2)),
    "avg_pool2d": lambda F, x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "avg_pool2d, divisor": lambda F, x: F.avg_pool2d(x[0], 2, 1, divisor_override=-3),
    "local_response_norm": lambda F, x: F.local_response_norm(x, 2, 0.9, 0.8, 1.2),
    "adaptive_avg_pool2d": lambda F, x: F.adaptive_avg_pool2d(x, 2),
    "batch_norm": lambda F, x: F.batch_norm(x, None, None, training=True),
    "dropout": lambda F, x: F.dropout(x),
    "dropout in evaluation": lambda F, x: F.dropout(x, 0.5, False),
    "softmax": lambda F, x: F.softmax(x, 1),
    "softmax, float": lambda F, x: F.softmax(x, 1, dtype=np_or_torch(F, "float64")),
    "log_softmax": lambda F, x: F.log_softmax(x, 1),
    "mean": lambda F, x: F.mean(x),
    "mean, float": lambda F, x: F.mean(x, 1, dtype=np_or_torch(F, "float32")),
    "var": lambda F, x: F.var(x),
    "std": lambda F, x: F.std(x, 0),
    "logsumexp": lambda F, x: F.logsumexp(x, 1),
}


def np_or_torch(F, name):
    import oracle

    return getattr(oracle.torch, name) if isinstance(F, oracle.Names) else np.dtype(name)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
@given(WHOLE)
def test_whole_numbers_as_torch(assert_same, call, dtype):
    assert_same(call, whole(2, 2, 5, 5, dtype=dtype))


# ------------------------------------------------------------------------------ losses

W3 = [0.5, 2.0, 1.0]
OPTIONS = {
    "mean": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "weights": {"weight": W3},
    "smoothing": {"label_smoothing": 0.3},
    "weights, smoothing, none": {"weight": W3, "label_smoothing": 0.2, "reduction": "none"},
    "weights, smoothing": {"weight": W3, "label_smoothing": 0.2},
    "ignored": {"ignore_index": 1},
    "not ignored": {"ignore_index": -1},
    "weights that do not fit": {"weight": [1.0, 2.0]},
    "another reduction": {"reduction": "average"},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("shape", [(4, 3), (3,), (2, 3, 4), (2, 3, 2, 2), (0, 3), (2, 3, 0)], ids=str)
def test_class_probabilities_as_targets(assert_same, shape, options):
    """Their gradient too."""

    def call(F, x, t):
        given = dict(OPTIONS[options])
        if "weight" in given:
            given["weight"] = fixed(F, np.array(given["weight"]))
        return F.cross_entropy(x, t, **given)

    assert_same(call, 3 * normal(*shape), np.abs(normal(*shape[::-1])).reshape(shape))


@pytest.mark.parametrize("options", [o for o in OPTIONS if o != "not ignored"])
@pytest.mark.parametrize("label", [1, 0, [0, 1], 3, -1])
@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
def test_the_loss_of_one_sample(assert_same, loss, label, options):
    if loss == "nll_loss" and "smoothing" in options:
        return

    def call(F, x):
        given = dict(OPTIONS[options])
        if "weight" in given:
            given["weight"] = fixed(F, np.array(given["weight"]))
        return getattr(F, loss)(x, fixed(F, np.array(label)), **given)

    assert_same(call, normal(3))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss_with_weights(assert_same, reduction):
    w = np.abs(normal(3, 2))
    assert_same(lambda F, x, t: F.mse_loss(x, t, reduction=reduction, weight=fixed(F, w)), normal(3, 2), normal(2, 3).T)
    assert_same(lambda F, x, t: F.mse_loss(x, t, None, None, reduction, fixed(F, w[:1])), normal(3, 2), normal(2, 3).T)


# ------------------------------------------------------------------------------ margins

PADS = [(1, 2), (0, 1), (2, 2), (3, 0), (4, 0), (-1, 1), (1, -2), (-2, -1), (1, 1, 2, 0), (2, 1, -1, 1), (0, 0, -1, -1)]


@pytest.mark.parametrize("pad", PADS, ids=str)
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_margins_of_the_input_itself(assert_same, mode, pad):
    shape = (1, 2, 3, 4)[-1 - len(pad) // 2 :]
    assert_same(lambda F, x: F.pad(x, pad, mode), normal(*shape))
    assert_same(lambda F, x: F.pad(x, pad, mode), whole(1, *shape))
    assert_same(lambda F, x: F.pad(x, pad[:2], mode), normal(2, 4, dtype=np.float32))


PAD = {
    "another mode": lambda F, x: F.pad(x, (1, 1), "edge"),
    "a value": lambda F, x: F.pad(x, (1, 1), "reflect", 2.0),
    "no value": lambda F, x: F.pad(x, (1, 1), "reflect", 0),
    "fractions": lambda F, x: F.pad(x, (1.5, 1)),
    "a constant": lambda F, x: F.pad(x, (1, 1), "constant", 2.0),
}


@given(PAD)
def test_margins_refused(assert_same, call):
    assert_same(call, normal(1, 2, 4))


# ------------------------------------------------------------------------------ reductions: dtype, overloads, flags

REDUCED = {
    "sum, dtype": lambda F, x: F.sum(x, 1, True, dtype=np_or_torch(F, "float32")),
    "sum, int32": lambda F, x: F.sum(x, dtype=np_or_torch(F, "int32")),
    "sum, bool": lambda F, x: x.sum(0, dtype=np_or_torch(F, "bool")),
    "mean, dtype": lambda F, x: x.mean(0, dtype=np_or_torch(F, "float32")),
    "mean, int64": lambda F, x: F.mean(x, dtype=np_or_torch(F, "int64")),
    "cumsum, dtype": lambda F, x: x.cumsum(1, dtype=np_or_torch(F, "float32")),
    "cumsum, int32": lambda F, x: F.cumsum(x, 0, dtype=np_or_torch(F, "int32")),
    "softmax, dtype": lambda F, x: x.softmax(1, np_or_torch(F, "float32")),
    "softmax, no axis": lambda F, x: F.softmax(x),
    "log_softmax, no axis": lambda F, x: F.log_softmax(x[None] + x[:, None]),
    "log_softmax, dtype": lambda F, x: F.log_softmax(x, dim=0, dtype=np_or_torch(F, "float32")),
    "norm, dtype": lambda F, x: x.norm(3, 0, False, np_or_torch(F, "float32")),
    "norm, positions": lambda F, x: F.norm(x, 3, 0, True, None, np_or_torch(F, "float64")),
    "var, unbiased": lambda F, x: F.var(x, False),
    "var, axis and unbiased": lambda F, x: x.var(0, False, True),
    "var, both names": lambda F, x: F.var(x, dim=1, unbiased=False, keepdim=True),
    "var, correction": lambda F, x: F.var(x, (0, 1), correction=2),
    "var, no correction": lambda F, x: F.var(x, 0, correction=None),
    "std, no correction": lambda F, x: x.std(0, correction=None),
    "std, axis and unbiased": lambda F, x: x.std(1, False, True),
    "var, unbiased and correction": lambda F, x: F.var(x, 0, True, correction=0),
    "var, two axes as numbers": lambda F, x: x.var(0, 1),
    "var, two flags": lambda F, x: x.var(True, False),
    "std, two axes as numbers": lambda F, x: F.std(x, 0, 1),
    "sum, two axes as numbers": lambda F, x: x.sum(0, 1),
    "mean, two axes as numbers": lambda F, x: F.mean(x, 0, 1),
    "logsumexp, two axes": lambda F, x: x.logsumexp(0, 1),
    "max, two axes": lambda F, x: x.max(0, 1),
    "max, a flag": lambda F, x: x.max(True),
    "argmax, two axes": lambda F, x: x.argmax(0, 1),
    "norm, a number for a flag": lambda F, x: x.norm(2, 0, 1),
    "all of no axes": lambda F, x: (x > 0).all(()),
    "any of no axes": lambda F, x: (x > 0).any([]),
    "all of several": lambda F, x: (x > 0).all((0, 1), True),
}


@given(REDUCED)
def test_reductions(assert_same, call):
    assert_same(call, normal(3, 4, dtype=np.float32))
    assert_same(call, np.abs(normal(3, 4)).astype(np.int32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_])
def test_all_and_any_of_bytes_are_bytes(assert_same, dtype):
    for call in (lambda F, x: x.all(0), lambda F, x: x.any(), lambda F, x: x.any((0, 1), True), lambda F, x: x.all(())):
        assert_same(call, np.array([[0, 1, 2], [0, 0, 3]]).astype(dtype))


# ------------------------------------------------------------------------------ arithmetic

ROUNDED = [np.array([7, -7, 9, 0, 1]), np.array([2.5, -2.5, -0.5, 9.0, 0.0])]


@pytest.mark.parametrize("mode", ["trunc", "floor", None, "ceil"])
@pytest.mark.parametrize("divisor", [2, -2, 0.7, 0.0])
def test_quotients_rounded(assert_same, mode, divisor):
    for x in (*ROUNDED, ROUNDED[0].astype(np.uint8), ROUNDED[0] > 0):
        assert_same(lambda F, x: F.div(x, divisor, rounding_mode=mode), x)
    assert_same(lambda F, x, y: F.div(x, y, rounding_mode=mode), normal(3, 1), normal(2))
    assert_same(lambda F, x: x.clone().div_(divisor, rounding_mode=mode), ROUNDED[1])
    if mode is None:
        assert np.isnan(functional.div(Tensor(ROUNDED[0]), 0).numpy()[3])  # 0 / 0
    else:
        with pytest.raises(ValueError, match="divided by 0|rounding_mode"):
            functional.div(Tensor(ROUNDED[0]), 0, rounding_mode=mode)


def test_powers_of_whole_numbers(assert_same):
    bases, exponents = np.array([2, -1, 1, 0, -1, 3, -2])[:, None], np.array([-1, -2, 0, 2, 3])
    assert_same(lambda F, x, y: F.pow(x, y), bases, exponents)
    assert_same(lambda F, x, y: F.pow(x, y), bases.astype(np.uint8), np.abs(exponents).astype(np.uint8))
    assert_same(lambda F, y: F.pow(2, y), exponents)
    assert_same(lambda F, x: x ** fixed(F, np.array(-1)), bases)
    for power in (lambda F, x: x**2, lambda F, x: x**-1, lambda F, x: x**0.5, lambda F, x: x**True):
        assert_same(power, bases)
    assert_same(lambda F, x, y: F.pow(x, y), bases > 0, bases > 0)


@pytest.mark.parametrize("alpha", [-3, 2, 0, 1, 1.5, True])
@pytest.mark.parametrize("op", ["add", "sub"])
def test_alpha_of_whole_numbers(assert_same, op, alpha):
    for dtype in (np.uint8, np.int64, np.float32):
        if alpha is not True:  # torch refuses a flag of numbers, here it is 1
            assert_same(lambda F, x, y: getattr(F, op)(x, y, alpha=alpha), *whole(2, 5, dtype=dtype))
    assert_same(lambda F, x, y: getattr(F, op)(x, y, alpha=alpha), *(whole(2, 5) > 0))


TRUTH = {
    "x - y": lambda F, x: x - x,
    "-x": lambda F, x: -x,
    "x - y in place": lambda F, x: x.clone().sub_(x),
    "mse_loss": lambda F, x: F.mse_loss(x, x),
}


@given(TRUTH)
def test_truth_values_are_no_numbers(assert_same, call):
    assert_same(call, np.array([True, False]))
    with pytest.raises(TypeError, match="~x is the opposite"):
        call(functional, Tensor(np.array([True, False])))


# ------------------------------------------------------------------------------ shapes and copies

NAMED = {
    "view": lambda F, x: x.view(size=(3, 4)),
    "reshape": lambda F, x: x.reshape(shape=(2, -1)),
    "permute": lambda F, x: x.permute(dims=(2, 0, 1)),
    "flip": lambda F, x: x.flip(dims=(0, 2)),
    "repeat": lambda F, x: x.repeat(repeats=(2, 1, 1, 2)),
    "expand": lambda F, x: x.expand(size=(2, 2, 3, 2)),
    "another name": lambda F, x: x.view(shapes=(3, 4)),
    "both": lambda F, x: x.view(3, size=(3, 4)),
    "nothing": lambda F, x: x.view(),
    "nothing to reshape": lambda F, x: x.reshape(),
    "no axes": lambda F, x: x[0, 0, 0].reshape(()),
    "gather of a number": lambda F, x: x[0, 0, 0].gather(0, fixed(F, np.array([0, 0]))),
    "gather a number": lambda F, x: x[0, 0].gather(0, fixed(F, np.array(1))),
    "gather nothing": lambda F, x: x[0].gather(0, fixed(F, np.zeros((4, 0), np.int64))),
    "gather nothing of other axes": lambda F, x: x.gather(1, fixed(F, np.zeros((4, 0), np.int64))),
    "topk of a fraction": lambda F, x: x.topk(1.0),
    "chunk of a fraction": lambda F, x: x.chunk(1.5),
    "one_hot of a fraction": lambda F, x: F.one_hot(fixed(F, np.array([1])), 3.0),
}


@given(NAMED)
def test_sequences_by_torchs_names(assert_same, call):
    assert_same(call, normal(2, 3, 2))


MOVED = {
    "dtype": lambda F, x: x.to(np_or_torch(F, "float32")),
    "dtype and flags": lambda F, x: x.to(np_or_torch(F, "float32"), True, True),
    "a place": lambda F, x: x.to("cpu"),
    "a place and a dtype": lambda F, x: x.to("cpu", np_or_torch(F, "float32"), False, True),
    "names": lambda F, x: x.to(device="cpu", dtype=np_or_torch(F, "float32")),
    "dtype by its name": lambda F, x: x.to(dtype=np_or_torch(F, "int64")),
    "like another": lambda F, x: x.to(fixed(F, np.zeros(2, np.float32))),
    "nothing": lambda F, x: x.to(),
    "None": lambda F, x: x.to(None),
    "nowhere": lambda F, x: x.to("nowhere"),
}


@given(MOVED)
def test_to(assert_same, call):
    assert_same(call, normal(2, 3))


def test_torchs_dtypes_stand_for_numpys(torch):
    x = Tensor(whole(2, 3))
    assert x.to(torch.float64).dtype == np.float64 and functional.sum(x, dtype=torch.int32).dtype == np.int32
    for wrong in (torch.bfloat16, torch.complex64, torch.float16):
        with pytest.raises((ValueError, TypeError), match="cannot move to|float32 and float64"):
            x.to(wrong)


def test_order_in_memory(torch):
    x = normal(2, 3, 4, 5)
    y = Tensor(x, requires_grad=True)
    for made in (y.clone(memory_format="channels_last"), y.contiguous(torch.channels_last)):
        assert made.data.transpose(0, 2, 3, 1).flags.c_contiguous
        np.testing.assert_array_equal(made.numpy(), x)
    made.backward(x)
    np.testing.assert_array_equal(y.grad.numpy(), x)
    assert y.contiguous() is y and y.float(torch.preserve_format).dtype == np.float32
    for wrong in (lambda: y.clone(memory_format="channels_last_3d"), lambda: y[0].clone(memory_format="channels_last")):
        with pytest.raises(ValueError, match="memory_format=channels_last"):
            wrong()


# ------------------------------------------------------------------------------ in place

FILLED = {
    "zero_": lambda F, x: x.clone().zero_(),
    "fill_": lambda F, x: x.exp().fill_(2.5),
    "of a leaf": lambda F, x: x.fill_(1.0),
    "then added to": lambda F, x: x.clone().zero_() + x * x,
    "of integers": lambda F, x: (x > 0).zero_(),
}


@given(FILLED)
def test_filled_in_the_graph(assert_same, call):
    assert_same(call, normal(2, 3))
