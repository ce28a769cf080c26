"""Numbers worked out by hand: equals, NaN, infinities, bounds, running statistics, views, repeated indices, numbers."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from minialex import functional as F
from minialex.tensor import Tensor

inf, nan = np.inf, np.nan


def leaf(data, dtype=np.float64):
    return Tensor(np.asarray(data, dtype), requires_grad=True)


def gradient(y, *leaves, gy=None):
    """The gradients of the leaves, as lists, for a gradient of 1, 10, 100, ... in C order, or the one given."""
    y.backward((10.0 ** np.arange(y.numel())).reshape(y.shape) if gy is None else gy)
    return [t.grad.tolist() for t in leaves]


# ------------------------------------------------------------------------------ equals


def test_two_equals_get_half_each():
    for function in (F.maximum, F.minimum):
        a, b = leaf([1.0, 2.0]), leaf([1.0, 2.0])
        assert gradient(function(a, b), a, b) == [[0.5, 5], [0.5, 5]]
    a, b = leaf([1.0, 5.0, 2.0]), leaf(2.0)
    assert gradient(F.maximum(a, b), a, b) == [[0, 10, 50], 51]


def test_equals_share_the_gradient_of_the_largest_of_all():
    x = leaf([[3.0, 1.0], [3.0, 3.0]])
    y = F.max(x)
    assert y.shape == () and gradient(y, x, gy=np.array(6.0)) == [[[2, 0], [2, 2]]]


def test_along_an_axis_the_first_of_equals_has_it_all():
    x = leaf([[3.0, 1.0, 3.0], [0.0, 2.0, 2.0]])
    y = F.max(x, 1)
    assert (y.values.data.tolist(), y.indices.data.tolist(), y.indices.dtype) == ([3, 2], [0, 1], np.int64)
    assert not y.indices.requires_grad and gradient(y.values, x) == [[[1, 0, 0], [0, 10, 0]]]
    x.grad = None
    values, indices = x.min(1, keepdim=True)
    assert indices.data.tolist() == [[1], [0]] and gradient(values, x) == [[[0, 1, 0], [10, 0, 0]]]


def test_a_tensor_in_place_of_an_axis():
    assert F.max(Tensor([1.0, 4.0]), Tensor([3.0, 2.0])).data.tolist() == [3, 4]
    assert F.min(Tensor([1.0, 4.0]), Tensor([3.0, 2.0])).data.tolist() == [1, 2]


def test_what_lies_on_a_bound_is_inside():
    x = leaf([-2.0, -1.0, 0.0, 1.0, 2.0])
    y = F.clamp(x, -1, 1)
    assert y.data.tolist() == [-1, -1, 0, 1, 1] and gradient(y, x) == [[0, 10, 100, 1000, 0]]


# ------------------------------------------------------------------------------ NaN and infinity


def test_nan_goes_on_and_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, y = Tensor(np.array([nan, 1.0])), Tensor(np.array([0.0, nan]))
        for result in (F.maximum(x, y), F.minimum(x, y), F.maximum(y, x)):
            assert np.isnan(result.data).all()
        for result in (F.max(x), F.min(x), F.max(x, 0).values, F.min(y, 0).values):
            assert np.isnan(result.item())
        assert (F.max(x, 0).indices.item(), F.min(y, 0).indices.item()) == (0, 1)
        for result in (F.clamp(x, 0, 2), F.relu(x), F.leaky_relu(x), F.abs(x), F.sigmoid(x)):
            assert np.isnan(result.data).tolist() == [True, False]


def test_a_nan_does_not_end_a_gradient_unseen():
    """What lies below it may be at fault, so the gradient through relu goes on, as in torch."""
    x = leaf([nan, -1.0, 2.0])
    assert gradient(F.relu(x), x) == [[1, 0, 100]]
    x = leaf([1.0, nan, nan])
    assert gradient(F.max(x), x, gy=np.array(4.0)) == [[0, 2, 2]]


def test_logarithms_of_sums_of_nothing_but_minus_infinity():
    x = leaf([[-inf, -inf], [0.0, 0.0], [-inf, 1.0], [1e4, 1e4]])
    y = F.logsumexp(x, 1)
    np.testing.assert_allclose(y.data, [-inf, math.log(2), 1, 1e4 + math.log(2)])
    y.backward(np.array([0.0, 1, 1, 1]))
    np.testing.assert_allclose(x.grad[1:], [[0.5, 0.5], [0, 1], [0.5, 0.5]])


def test_probabilities_of_masked_logits():
    """-inf is a probability of 0 with a gradient of 0; a row of nothing else has no probabilities."""
    x = leaf([[-inf, 0.0, 0.0], [-inf, -inf, -inf]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = F.softmax(x, -1)
    np.testing.assert_array_equal(y.data, [[0, 0.5, 0.5], [nan] * 3])
    y.backward(np.array([[7, 1, 0], [0, 0, 0]], np.float32))
    np.testing.assert_array_equal(x.grad[0], [0, 0.25, -0.25])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_far_out(dtype):
    x = leaf([-1000, -inf, 0, 1000, inf], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = F.sigmoid(x)
        y.backward(np.ones(5, dtype))
    assert y.data.tolist() == [0, 0, 0.5, 1, 1] and x.grad.tolist() == [0, 0, 0.25, 0, 0] and y.dtype == dtype
    assert F.sigmoid(Tensor(np.array(-80.0))).item() == pytest.approx(math.exp(-80), rel=1e-12)  # not rounded to 0


@pytest.mark.parametrize(
    "n,correction,expected",
    [(1, 1, nan), (1, 0, 0.0), (0, 0, nan), (2, 2, inf), (2, 1, 2.0), (2, 0, 1.0), (3, 2, 8.0), (3, 7, inf)],
)
def test_variance_of_few(n, correction, expected):
    """Of 0, 2, 4 so far as they are there."""
    y = F.var(Tensor(2.0 * np.arange(n)), correction=correction)
    np.testing.assert_array_equal(y.data, expected)


def test_gradient_of_the_variance_by_hand():
    """1, 2, 6: mean 3, so 2 (x - 3) / 2; biased 2 (x - 3) / 3."""
    for correction, divisor in ((1, 2), (0, 3)):
        x = leaf([1.0, 2.0, 6.0])
        np.testing.assert_allclose(
            gradient(x.var(correction=correction), x, gy=np.array(3.0))[0], [-12 / divisor, -6 / divisor, 18 / divisor]
        )


def test_variance_of_large_numbers_that_lie_close():
    x = np.array([1e4 + 1, 1e4 + 2, 1e4 + 3], np.float32)
    assert F.var(Tensor(x)).item() == 1.0


# ------------------------------------------------------------------------------ where and clamp


@pytest.mark.parametrize("make", [np.array, Tensor, list], ids=["array", "Tensor", "list"])
def test_where_takes_its_condition_in_any_form(make):
    a, b = leaf([1.0, 2.0, 3.0]), leaf([[10.0], [20.0]])
    y = F.where(make([True, False, True]), a, b)
    assert y.data.tolist() == [[1, 10, 3], [1, 20, 3]]
    assert gradient(y, a, b, gy=np.ones((2, 3))) == [[2, 0, 2], [[1], [1]]]


def test_where_with_numbers():
    x = leaf([1.0, -2.0], np.float32)
    y = F.where(x.data > 0, x, 0.0)
    assert y.dtype == np.float32 and y.data.tolist() == [1, 0] and gradient(y, x) == [[1, 0]]
    assert F.where(np.array([True, False]), 1.0, 2.0).data.tolist() == [1, 2]


@pytest.mark.parametrize("condition", [np.array([1, 0]), np.array([0.5, 0.0]), Tensor([1, 0]), [1, 0]])
def test_where_needs_truth_values(condition):
    with pytest.raises(TypeError, match="where needs a condition of truth values, got (int64|float64|float32)"):
        F.where(condition, Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))


def test_bounds_that_cross_give_the_upper_one():
    x, low, high = leaf([-3.0, 0.0, 3.0]), leaf(1.0), leaf(-1.0)
    y = F.clamp(x, low, high)
    assert y.data.tolist() == [-1, -1, -1] and gradient(y, x, low, high) == [[0, 0, 0], 0, 111]
    assert F.clamp(Tensor([0.0, 5.0]), 2, 1).data.tolist() == [1, 1]


def test_bounds_that_are_tensors_get_what_they_cut_off():
    x, low, high = leaf([[-3.0, 0.0], [0.5, 9.0]]), leaf([-1.0, -1.0]), leaf([[0.0], [4.0]])
    y = F.clamp(x, low, high)
    assert y.data.tolist() == [[-1, 0], [0.5, 4]]
    assert gradient(y, x, low, high) == [[[0, 10], [100, 0]], [1, 0], [[0], [1000]]]


# ------------------------------------------------------------------------------ running statistics


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_running_statistics_by_hand(dtype):
    """1, 2, 6 and 0, 0, 3: means 3 and 1, unbiased variances 7 and 3; a tenth of them is taken."""
    mean, var = Tensor(np.array([0, 5], dtype)), Tensor(np.array([1, 1], dtype))
    x = Tensor(np.array([[1, 0], [2, 0], [6, 3]], dtype))
    y = F.batch_norm(x, mean, var, training=True, eps=0.0)
    np.testing.assert_allclose(mean.data, [0.3, 4.6], rtol=1e-6)
    np.testing.assert_allclose(var.data, [1.6, 1.2], rtol=1e-6)
    assert (mean.dtype, var.dtype, y.dtype) == (dtype,) * 3
    np.testing.assert_allclose(y.data[:, 1], [-math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2)], rtol=1e-6)
    F.batch_norm(x, mean, var, training=False)
    np.testing.assert_allclose(mean.data, [0.3, 4.6], rtol=1e-6)
    F.batch_norm(x, mean, var, training=True, momentum=1.0)
    np.testing.assert_allclose([mean.data, var.data], [[3, 1], [7, 3]], rtol=1e-6)


def test_batch_norm_of_float32_with_statistics_of_float32_only():
    y = F.batch_norm(leaf(np.ones((2, 3)), np.float32), None, None, training=True)
    assert y.dtype == np.float32 and not y.data.any()


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_a_single_value_has_no_std(shape):
    with pytest.raises(ValueError, match="more than one value for every channel, got input"):
        F.batch_norm(Tensor(np.ones(shape)), None, None, training=True)
    one = Tensor(np.ones(3))
    assert F.batch_norm(Tensor(np.ones(shape)), one, one).shape == shape


# ------------------------------------------------------------------------------ losses


def test_losses_of_two_rows_by_hand():
    """Squares 1, 0, 9, 4; log-probabilities picked: -1 and -4."""
    a, b = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([[2.0, 2.0], [0.0, 2.0]])
    assert F.mse_loss(a, b).item() == 3.5 and F.mse_loss(a, b, reduction="sum").item() == 14
    assert F.mse_loss(a, b, reduction="none").data.tolist() == [[1, 0], [9, 4]]
    assert gradient(F.mse_loss(a, b), a, b) == [[[-0.5, 0], [1.5, 1]], [[0.5, 0], [-1.5, -1]]]
    x, target = leaf([[-1.0, -2.0], [-3.0, -4.0]]), np.array([0, 1])
    assert F.nll_loss(x, target).item() == 2.5 and F.nll_loss(x, target, reduction="sum").item() == 5
    assert F.nll_loss(x, target, Tensor(np.array([3.0, 1.0]))).item() == 7 / 4  # (3 * 1 + 1 * 4) / (3 + 1)
    assert gradient(F.nll_loss(x, target, np.array([3.0, 1.0])), x) == [[[-0.75, 0], [0, -0.25]]]


def test_a_target_for_every_place_of_a_map():
    x = leaf(-np.arange(12.0).reshape(1, 3, 2, 2))
    target = np.array([[[0, 1], [2, -100]]])
    y = F.nll_loss(x, target, reduction="none")
    assert y.data.tolist() == [[[0, 5], [10, 0]]]
    assert F.nll_loss(x, target).item() == 5  # of the three that count
    gx = gradient(y, x)[0]
    assert (gx[0][0][0][0], gx[0][1][0][1], gx[0][2][1][0], np.count_nonzero(gx)) == (-1, -10, -100, 3)


def test_where_no_row_counts_the_mean_is_nan_and_the_gradient_zero():
    for loss in (F.nll_loss, F.cross_entropy):
        x = leaf([[1.0, 2.0]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            y = loss(x, np.array([-100]))
            y.backward()
        assert np.isnan(y.item()) and x.grad.tolist() == [[0, 0]]
        assert loss(x, np.array([-100]), reduction="sum").item() == 0


@pytest.mark.parametrize("loss", ["nll_loss", "mse_loss", "cross_entropy"])
def test_what_torch_has_retired_is_refused(loss):
    x, target = Tensor([[1.0, 2.0]]), Tensor([0]) if loss != "mse_loss" else Tensor([[1.0, 2.0]])
    for option in ({"size_average": True}, {"reduce": False}, {"size_average": False, "reduce": True}):
        with pytest.raises(ValueError, match="instead of size_average and reduce use reduction="):
            getattr(F, loss)(x, target, **option)
    with pytest.raises(ValueError, match="got 'average'"):
        getattr(F, loss)(x, target, reduction="average")


@pytest.mark.parametrize("number", [0.1, np.float64(0.1), np.float32(0.1)], ids=type)
def test_a_numpy_number_as_an_argument_does_not_widen(number):
    x, target = leaf(np.ones((2, 3)), np.float32), np.array([0, 1])
    calls = [
        F.cross_entropy(x, target, label_smoothing=number),
        F.leaky_relu(x, number),
        F.clamp(x, number),
        F.local_response_norm(x.reshape(1, 2, 3, 1), 2, number),
        F.dropout(x, number),
        F.pad(x, (1, 1), value=number),
        F.batch_norm(x, None, None, None, None, True, number, number),
        x**number,
        number - x,
    ]
    for y in calls:
        x.grad = None
        y.backward(np.ones(y.shape, np.float32))
        assert (y.dtype, x.grad.dtype) == (np.float32, np.float32)


# ------------------------------------------------------------------------------ indices and views


def test_an_element_chosen_twice_gets_both_gradients():
    x = leaf([1.0, 2.0, 3.0])
    assert gradient(x[[0, 2, 0, -1]], x) == [[101, 0, 1010]]
    x.grad = None
    assert gradient(x[Tensor([1, 1])], x) == [[0, 11, 0]]
    x = leaf(np.arange(6.0).reshape(2, 3))
    rows, columns = Tensor(np.array([[0], [0]])), Tensor(np.array([2, 1]))
    assert gradient(x[rows, columns], x) == [[[0, 1010, 101], [0, 0, 0]]]


def test_slices_that_run_backwards():
    x = leaf(np.arange(5.0))
    y = x[::-2]
    assert y.data.tolist() == [4, 2, 0] and gradient(y, x) == [[100, 0, 10, 0, 1]]
    assert x[3:0:-1].data.tolist() == [3, 2, 1] and x[5:2].shape == (0,)


def test_truth_values_as_an_index():
    x = leaf([[1.0, -2.0], [-3.0, 4.0]])
    y = x[x.data > 0]
    assert y.data.tolist() == [1, 4] and gradient(y, x) == [[[1, 0], [0, 10]]]
    assert x[Tensor(np.array([False, True]))].data.tolist() == [[-3, 4]]
    assert x[np.zeros((2, 2), bool)].shape == (0,)


def test_a_chain_of_views_shares_the_array_and_brings_the_gradient_home():
    x = leaf(np.arange(24.0).reshape(2, 3, 4))
    y = x[:, 1:].permute(2, 0, 1)[::-1].transpose(0, 1)[1]
    assert np.shares_memory(y.data, x.data) and y.data.tolist() == [[19, 23], [18, 22], [17, 21], [16, 20]]
    x.data[1, 1, 0] = -5  # a write into the array is seen by all of them
    assert y.data[3, 0] == -5
    gx = np.array(gradient(y, x)[0])
    assert gx[1, 1:].tolist() == [[1e6, 1e4, 1e2, 1], [1e7, 1e5, 1e3, 10]] and np.count_nonzero(gx) == 8


def test_a_change_through_a_view_is_noticed():
    x = leaf(np.arange(6.0).reshape(2, 3))
    y = x * x
    x.detach()[1:].flatten().bump_version()
    with pytest.raises(RuntimeError, match="mul needs a value that was changed in place"):
        y.backward(np.ones((2, 3)))
    copy = x[[0, 1]]
    version = x.version
    copy.bump_version()  # an array of indices copies
    assert x.version == version


def test_relu_in_place_is_refused_on_a_slice():
    h = leaf(np.arange(6.0)) * 2
    for t in (h[1:], h):
        with pytest.raises(RuntimeError, match="view"):
            F.relu(t, inplace=True)
    np.testing.assert_array_equal(h.data, 2 * np.arange(6.0))


def test_iterating_over_the_first_axis():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    assert gradient(sum(row[i] for i, row in enumerate(x)), x) == [[[1, 0], [0, 1]]]
    with pytest.raises(IndexError, match=r"shape \(\) cannot be indexed with 0"):
        Tensor(1.0)[0]


# ------------------------------------------------------------------------------ numbers without axes


def test_a_tensor_without_axes_goes_through_everything():
    calls = [
        F.sum,
        F.mean,
        F.max,
        F.exp,
        F.relu,
        F.sigmoid,
        F.tanh,
        abs,
        lambda t: F.sum(t, 0),
        lambda t: F.mean(t, -1),
        lambda t: F.max(t, 0).values,
        lambda t: F.softmax(t, 0),
        lambda t: F.logsumexp(t, -1),
        lambda t: t[...],
        lambda t: F.flatten(t)[0],
        lambda t: t.reshape(1, 1)[0, 0],
        lambda t: F.permute(t, ()),
        lambda t: t[None][0],
        lambda t: F.transpose(t, 0, -1),
        lambda t: F.stack([t, t])[1],
        lambda t: F.clamp(t, 0, 3),
        lambda t: t**2,
        lambda t: F.var(t, correction=0),
        lambda t: F.dropout(t, 0.0),
        lambda t: 1 / t,
    ]
    for call in calls:
        t = leaf(2.0)
        y = call(t)
        assert y.shape == () and isinstance(y.data, np.ndarray)
        y.backward()
        assert isinstance(t.grad.data, np.ndarray) and t.grad.shape == ()


def test_operators_from_either_side_with_everything():
    others = 3, 3.0, np.float32(3), np.float64(3), np.int64(3), np.array(3.0), np.full(2, 3.0), [3.0, 3.0], Tensor(3.0)
    expected = [  # of 2 and 4 with 3: what it is, its slope
        (lambda t, o: t + o, [5, 7], 1),
        (lambda t, o: o + t, [5, 7], 1),
        (lambda t, o: t - o, [-1, 1], 1),
        (lambda t, o: o - t, [1, -1], -1),
        (lambda t, o: t * o, [6, 12], 3),
        (lambda t, o: o * t, [6, 12], 3),
        (lambda t, o: t / o, [2 / 3, 4 / 3], 1 / 3),
        (lambda t, o: o / t, [1.5, 0.75], [-0.75, -3 / 16]),
        (lambda t, o: t**o, [8, 64], [12, 48]),
        (lambda t, o: o**t, [9, 81], [9 * np.log(3), 81 * np.log(3)]),
    ]
    for other in others:
        for i, (apply, values, slope) in enumerate(expected):
            t = leaf([2.0, 4.0])
            y = apply(t, other)
            assert isinstance(y, Tensor) and y.dtype == np.float64, (i, other)
            np.testing.assert_allclose(y.data, values, err_msg=f"{i}, {other!r}")
            y.backward(np.ones(2))
            np.testing.assert_allclose(t.grad, np.broadcast_to(slope, 2), err_msg=f"{i}, {other!r}")


def test_a_list_of_fractions_is_not_cut_off():
    for y in (Tensor([1, 2]) + [0.5, 0.5], [0.5, 0.5] + Tensor([1, 2])):
        assert y.data.tolist() == [1.5, 2.5] and y.dtype == np.float32


def test_small_integers_and_negative_numbers():
    """A byte has no -1: the quotient is a fraction, and the sum of many bytes does not run over."""
    bytes_ = Tensor(np.full(300, 255, np.uint8))
    assert (bytes_ / -1).data[0] == -255 and (bytes_ * 0.5).data[0] == 127.5
    assert (
        bytes_.sum().item() == 76500 and bytes_.mean(dtype=np.float32).item() == 255 and bytes_.sum().dtype == np.int64
    )
    assert (Tensor(np.array([True, False])) + 1).data.tolist() == [2, 1]


def test_powers_at_the_edges():
    x = leaf([0.0, 0.0, -2.0])
    assert gradient(x ** np.array([0.0, 2.0, 3.0]), x) == [[0, 0, 1200]]
    assert (2 ** Tensor([3, 4])).data.tolist() == [8, 16]
    with pytest.raises(ValueError, match="to the power of -1 are fractions"):
        Tensor([1, 2]) ** -1


def test_what_cannot_be_an_operand():
    for wrong in ("text", None, object(), 1j, np.float16(1), np.array(["a"])):
        with pytest.raises(TypeError):
            Tensor([1.0]) + wrong
