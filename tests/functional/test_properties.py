"""Layers with arguments that nobody would think of, drawn by hypothesis, against the plain loops of loops.py."""

from __future__ import annotations

import math

import loops
import numpy as np
from drawing import assert_as_loops, close, cotangent, draws, hypothesis, leaf, normal, seeds, st
from hypothesis import given
from on_request import heavy

from minialex import functional
from minialex.backends import numpy_backend
from minialex.tensor import Tensor

pytestmark = heavy  # cases.py holds the awkward ones of a first run; hypothesis alone takes seconds to load

# ------------------------------------------------------------------------------ windows

pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def either(values):
    """A pair, or one number for both."""
    return st.one_of(values, values.map(lambda pair: pair[0]))


def as_pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


@st.composite
def convolutions(draw):
    """Shapes and options of a convolution whose window fits, padding in any of its five forms."""
    kernel, dilation, stride = draw(pairs), draw(either(pairs)), draw(either(pairs))
    extent = [d * (k - 1) + 1 for d, k in zip(as_pair(dilation), kernel)]
    side = st.integers(0, 3)
    padding = draw(
        st.one_of(
            st.just("same"),
            st.just("valid"),
            side,
            st.tuples(side, side),
            st.tuples(st.tuples(side, side), st.tuples(side, side)),
        )
    )
    margins = [(0, 0), (0, 0)]
    if not isinstance(padding, str):
        margins = [(p, p) if isinstance(p, int) else p for p in as_pair(padding)]
    size = [draw(st.integers(max(1, e - sum(m)), max(1, e - sum(m)) + 4)) for e, m in zip(extent, margins)]
    if padding == "same":  # as TensorFlow's documentation has it: the output is n / s, rounded up
        totals = [max((math.ceil(n / s) - 1) * s + e - n, 0) for n, s, e in zip(size, as_pair(stride), extent)]
        margins = [(t // 2, t - t // 2) for t in totals]
    if padding == "valid":
        size = [max(n, e) for n, e in zip(size, extent)]
    groups, each, filters = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    shapes = (draw(st.integers(0, 3)), groups * each, *size), (groups * filters, each, *kernel)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return shapes, options, (as_pair(stride), tuple(margins), as_pair(dilation), groups)


@draws(160)
@given(convolutions(), st.booleans(), st.sampled_from([1, 700, 1 << 20]), seeds)
def test_conv2d(convolution, bias, block, seed):
    """block: how many bytes of columns are made at a time, which must not matter."""
    (x_shape, w_shape), options, plain = convolution
    x, w, b = normal(seed, x_shape), normal(seed, w_shape), normal(seed, w_shape[:1])
    y, gx, gw, gb = loops.conv2d(x, w, b if bias else 0 * b, cotangent(seed), *plain)
    leaves = [leaf(x), leaf(w), *([leaf(b)] if bias else [])]
    before, numpy_backend._COLUMNS = numpy_backend._COLUMNS, block
    try:
        assert_as_loops(functional.conv2d(*leaves, **options), leaves, seed, y, [gx, gw, gb][: len(leaves)])
    finally:
        numpy_backend._COLUMNS = before


@st.composite
def pools(draw, dilated=True):
    """(shape, kernel, stride, padding, dilation, ceil_mode) of a pooling that fits, plain numbers or pairs."""
    kernel = draw(either(pairs))
    dilation = draw(either(pairs)) if dilated else 1
    extent = [d * (k - 1) + 1 for d, k in zip(as_pair(dilation), as_pair(kernel))]
    padding = tuple(draw(st.integers(0, k // 2)) for k in as_pair(kernel))
    size = [draw(st.integers(max(1, e - 2 * p), e + 5)) for e, p in zip(extent, padding)]
    stride = draw(st.one_of(st.none(), either(pairs)))
    return (
        (draw(st.integers(0, 2)), draw(st.integers(1, 2)), *size),
        kernel,
        stride,
        padding,
        dilation,
        draw(st.booleans()),
    )


def plain_pool(kernel, stride, padding):
    return as_pair(kernel), as_pair(kernel if stride is None else stride), tuple((p, p) for p in padding)


@draws(160)
@given(pools(), seeds)
def test_max_pool2d(pool, seed):
    """Few different values, so that most windows hold a tie; some of them -inf."""
    shape, kernel, stride, padding, dilation, ceil_mode = pool
    x = np.random.default_rng(seed).choice([-np.inf, -3.0, -2.0, -1.0], shape)
    y, gx = loops.max_pool2d(x, cotangent(seed), *plain_pool(kernel, stride, padding), as_pair(dilation), ceil_mode)
    t = leaf(x)
    assert_as_loops(functional.max_pool2d(t, kernel, stride, padding, dilation, ceil_mode), [t], seed, y, [gx])


@draws(160)
@given(pools(dilated=False), st.booleans(), st.sampled_from([None, 3, -2]), seeds)
def test_avg_pool2d(pool, include, divisor, seed):
    shape, kernel, stride, padding, _, ceil_mode = pool
    x, plain = normal(seed, shape), plain_pool(kernel, stride, padding)
    y, gx = loops.avg_pool2d(x, cotangent(seed), *plain, ceil_mode, include, divisor)
    t = leaf(x)
    assert_as_loops(functional.avg_pool2d(t, kernel, stride, padding, ceil_mode, include, divisor), [t], seed, y, [gx])


@draws(100)
@given(
    st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(1, 7), st.integers(1, 7)),
    st.tuples(*[st.none() | st.integers(1, 9)] * 2),
    seeds,
)
def test_adaptive_avg_pool2d(shape, out, seed):
    x = normal(seed, shape)
    y, gx = loops.adaptive_avg_pool2d(x, cotangent(seed), [n or old for n, old in zip(out, shape[2:])])
    t = leaf(x)
    assert_as_loops(functional.adaptive_avg_pool2d(t, out), [t], seed, y, [gx])


# ------------------------------------------------------------------------------ normalisation and loss


@draws(100)
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 7),
    st.booleans(),
    st.sampled_from(["window", "element"]),
    st.sampled_from([0.75, 0.5, 1.3]),
    seeds,
)
def test_local_response_norm(groups, each, n, height, width, size, within, over, beta, seed):
    x = normal(seed, (n, groups * each, height, width))
    a = 1.3 / {"element": 1, "window": size**2 if within else size}[over]
    gy = cotangent(seed)(x.shape)
    y, gx = loops.local_response_norm(x, gy, size, a, beta, 0.8, within, groups)
    t = leaf(x)
    options = {"alpha_over": over, "within_channel": within, "groups": groups}
    assert_as_loops(functional.local_response_norm(t, size, 1.3, beta, 0.8, **options), [t], seed, y, [gx])


@draws(80)
@given(
    st.integers(2, 4),
    st.integers(1, 3),
    st.lists(st.integers(1, 3), max_size=2),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.1, 1.0]),
    seeds,
)
def test_batch_norm(n, channels, rest, scaled, shifted, momentum, seed):
    """Training, with the statistics it leaves behind; then evaluation with those."""
    x, (w, b) = normal(seed, (n, channels, *rest)), normal(seed, (2, channels))
    gy = cotangent(seed)(x.shape)
    used = w if scaled else np.ones(channels), b if shifted else np.zeros(channels)
    y, gx, gw, gb, mean, variance = loops.batch_norm(x, *used, gy, 1e-3)
    mean, variance = 0.5 + momentum * (mean - 0.5), 2 + momentum * (variance - 2)
    running = Tensor(np.full(channels, 0.5)), Tensor(np.full(channels, 2.0))
    leaves = leaf(x), leaf(w) if scaled else None, leaf(b) if shifted else None
    given_ones = [(t, g) for t, g in zip(leaves, (gx, gw, gb)) if t is not None]
    y_ours = functional.batch_norm(leaves[0], *running, *leaves[1:], True, momentum, 1e-3)
    assert_as_loops(y_ours, [t for t, _ in given_ones], seed, y, [g for _, g in given_ones])
    close(running[0].data, mean)
    close(running[1].data, variance)
    t = leaf(x)
    column, kept = (-1, *[1] * len(rest)), running[0].data.copy()
    mean, root, w, b = (v.reshape(column) for v in (mean, np.sqrt(variance + 1e-3), *used))
    y_ours = functional.batch_norm(t, *running, *(Tensor(v) for v in used), eps=1e-3)
    assert_as_loops(y_ours, [t], seed, (x - mean) / root * w + b, [gy * w / root])
    np.testing.assert_array_equal(running[0].data, kept)  # evaluation moves nothing


@draws(120)
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.lists(st.integers(1, 2), max_size=2),
    st.booleans(),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from(["mean", "sum", "none"]),
    st.sampled_from([-100, 0]),
    seeds,
)
def test_cross_entropy_and_nll_loss(n, classes, rest, weighted, smoothing, reduction, ignore, seed):
    rng = np.random.default_rng(seed)
    x, target = normal(seed, (n, classes, *rest)), rng.integers(0, classes, (n, *rest))
    target[rng.random(target.shape) < 0.2] = ignore
    target.flat[0] = classes - 1 if classes > 1 or ignore else target.flat[0]
    hypothesis.assume((target != ignore).any())  # the mean of nothing: test_functional_loss.py
    w = rng.random(classes) + 0.5 if weighted else np.ones(classes)

    def rows(a):
        return np.moveaxis(a, 1, -1).reshape(-1, classes)

    def gy(shape):  # the loops see a flat batch
        return cotangent(seed)(target.shape if reduction == "none" else ()).reshape(shape)

    y, gx = loops.cross_entropy(rows(x), target.reshape(-1), w, gy, ignore, smoothing, reduction)
    y = y.reshape(target.shape) if reduction == "none" else y
    gx = np.moveaxis(gx.reshape(n, *rest, classes), -1, 1)
    options = {"weight": w if weighted else None, "ignore_index": ignore, "reduction": reduction}
    t = leaf(x)
    assert_as_loops(functional.cross_entropy(t, target, **options, label_smoothing=smoothing), [t], seed, y, [gx])
    if not smoothing:
        t = leaf(x)
        assert_as_loops(functional.nll_loss(functional.log_softmax(t, 1), target, **options), [t], seed, y, [gx])
