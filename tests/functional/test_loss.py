"""cross_entropy and log_softmax: hand-worked numbers at extreme logits, targets that do not count or are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minialex.functional import cross_entropy, log_softmax
from minialex.tensor import Tensor


def loss_and_gradient(logits, target, dtype=np.float64, **options):
    x = Tensor(np.array(logits, dtype), requires_grad=True)
    y = cross_entropy(x, np.asarray(target), **options)
    y.backward(np.ones(y.shape))
    return y.numpy(), x.grad


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("target,loss,gradient", [(0, 0, [0, 0, 0]), (1, 1e4, [1, -1, 0]), (2, 2e4, [1, 0, -1])])
def test_logits_of_ten_thousand(dtype, target, loss, gradient):
    y, gx = loss_and_gradient([[1e4, 0, -1e4]], [target], dtype)
    assert y == loss and y.dtype == dtype
    np.testing.assert_array_equal(gx, [gradient])


def test_two_extreme_logits_that_tie():
    y, gx = loss_and_gradient([[1e4, 1e4, -1e4], [-1e4, -1e4, -1e4]], [0, 2], reduction="none")
    np.testing.assert_allclose(y, [math.log(2), math.log(3)], rtol=1e-15)
    np.testing.assert_allclose(gx, [[-1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, -2 / 3]], rtol=1e-15)


def test_equal_logits_cost_the_logarithm_of_the_classes():
    y, gx = loss_and_gradient(np.full((4, 1000), 0.3), [0, 7, 500, 999])
    assert y == pytest.approx(math.log(1000), rel=1e-14)
    assert gx[1, 7] == pytest.approx((0.001 - 1) / 4) and gx[1, 8] == pytest.approx(0.001 / 4)


def test_weights_and_smoothing_by_hand():
    """p = (1/2, 1/4, 1/4), w = (1, 2, 4), s = 0.3, target 2: q = w (0.1, 0.1, 0.8)."""
    logits, w = [[math.log(2), 0, 0]], np.array([1.0, 2.0, 4.0])
    expected = 1 * 0.1 * math.log(2) + (2 * 0.1 + 4 * 0.8) * math.log(4)
    assert loss_and_gradient(logits, [2], weight=w, label_smoothing=0.3, reduction="sum")[0] == pytest.approx(expected)
    y, gx = loss_and_gradient(logits, [2], weight=Tensor(w), label_smoothing=0.3)
    assert y == pytest.approx(expected / 4)
    np.testing.assert_allclose(gx * 4, [[3.5 / 2 - 0.1, 3.5 / 4 - 0.2, 3.5 / 4 - 3.2]], rtol=1e-14)


@pytest.mark.parametrize("shape,target", [((2, 3), [-100, -100]), ((0, 3), np.zeros(0, int))])
def test_no_row_that_counts(shape, target, torch):
    """The mean of nothing is NaN, as in torch, and no warning; sum is 0; the gradients are torch's."""
    for reduction in ("mean", "sum"):
        y, gx = loss_and_gradient(np.ones(shape), target, reduction=reduction)
        x = torch.ones(shape, dtype=torch.float64, requires_grad=True)
        z = torch.nn.functional.cross_entropy(x, torch.tensor(target), reduction=reduction)
        z.backward()
        np.testing.assert_array_equal(y, z.detach())
        np.testing.assert_array_equal(gx, x.grad)
    assert y == 0


def test_an_ignored_row_may_hold_anything():
    y, gx = loss_and_gradient([[1.0, 2.0, 3.0]], [1])
    both, both_gx = loss_and_gradient([[1.0, 2.0, 3.0], [1e300, -1e300, 0.0]], [1, -100])
    assert both == y
    np.testing.assert_array_equal(both_gx, [gx[0], [0, 0, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_targets_of_any_integer_type(dtype):
    y, _ = loss_and_gradient([[1.0, 2.0], [0.0, 3.0]], np.array([0, 1], dtype))
    assert y == loss_and_gradient([[1.0, 2.0], [0.0, 3.0]], [0, 1])[0]
    assert cross_entropy(Tensor(np.ones((1, 2))), Tensor(np.array([1], dtype))).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "shape,target,message",
    [
        ((2, 3), [0, 3], r"label 3 at \(1,\).*0 to 2"),
        ((2, 3), [-1, 0], r"label -1 at \(0,\).*0 to 2"),
        ((2, 3, 2), [[0, 1], [2, 5]], r"label 5 at \(1, 1\).*0 to 2"),
        ((2, 3), [0, 1, 2], r"target of shape.*got.*\(3,\)"),
        ((2, 3), [[0], [1]], r"target of shape.*got.*\(2, 1\)"),
        ((2, 3, 4), [0, 1], r"target of shape.*got.*\(2,\)"),
        ((3,), [0, 1], r"input \(N, C.*one sample.*got \(3,\) and \(2,\)"),
        ((), 0, r"input \(N, C.*got \(\)"),
        ((3,), 3, r"label 3 at \(0,\).*0 to 2"),
        ((2, 3), [0.0, 1.0], "whole numbers .class labels.*got float"),
        ((2, 3), [True, False], "whole numbers .class labels.*got bool"),
    ],
)
def test_wrong_targets(shape, target, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(Tensor(np.zeros(shape)), np.array(target))


@pytest.mark.parametrize(
    "options,message",
    [
        ({"reduction": "average"}, '"mean", "sum" or "none", got \'average\''),
        ({"size_average": True}, "size_average.*use reduction"),
        ({"reduce": False}, "reduce.*use reduction"),
        ({"weight": np.ones(2)}, r"\(2,\) class weights for 3 classes"),
        ({"label_smoothing": 1.5}, "label_smoothing"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        cross_entropy(Tensor(np.zeros((2, 3))), np.array([0, 1]), **options)


def test_log_softmax_at_the_ends_of_the_range():
    y = log_softmax(Tensor([[1e4, 0.0, -1e4], [-np.inf, 0.0, 0.0]]), 1).numpy()
    np.testing.assert_array_equal(y[0], [0, -1e4, -2e4])
    np.testing.assert_allclose(y[1], [-np.inf, -math.log(2), -math.log(2)], rtol=1e-7)


def test_log_softmax_gradient_sums_to_zero_along_its_axis_only(rng):
    x = Tensor(rng.standard_normal((3, 4, 5)), requires_grad=True)
    log_softmax(x, 1).backward(rng.standard_normal(x.shape))
    np.testing.assert_allclose(x.grad.sum(1), 0, atol=1e-14)
    assert x.grad.sum(2).abs().max() > 0.1
