"""Wrong gradients on purpose, for the tests of the tests: finite differences must reject every one.

python tests/helpers/mutants.py      prints all mutants, each with the check that rejects it
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (2, 1)]  # the checkout, and tests/

import mutants_elsewhere  # noqa: F401  registers the others
from verdicts import FINITE, altered, mutant, print_table

from minialex import functional
from minialex.backends.more_layers import MoreLayers
from minialex.backends.numpy_backend import NumPyBackend
from minialex.functional import arithmetic, unbroadcast
from minialex.functional.more import loss, resampling
from minialex.tensor import Tensor


def with_backward(y, backward, *parents):
    return Tensor.from_operation(y.data.copy(), backward, *parents)


altered("clone", "clone_that_ends_the_gradient", lambda gy, g, x: (0 * gy,))
altered("flip", "flip_gradient_as_it_came", lambda gy, g, x: (gy.copy(),))
altered("expand", "expand_gradient_averaged", lambda gy, g, x: (g[0] * (x.size / gy.size),))
altered("repeat", "repeat_gradient_averaged", lambda gy, g, x: (g[0] * (x.size / gy.size),))
altered("cumsum", "cumsum_gradient_from_the_start", lambda gy, g, x: (np.cumsum(gy, axis=1),))
altered("masked_fill", "gradient_through_what_was_filled", lambda gy, g, x: (unbroadcast(gy, x.shape), None))
altered("std", "std_with_the_gradient_of_the_variance", lambda gy, g, x: (2 * g[0],))
altered("norm", "norm_gradient_without_signs", lambda gy, g, x: (g[0] * np.sign(x),))
altered("remainder", "remainder_of_a_constant_divisor", lambda gy, g, a, b: (g[0], 0 * g[1]))
altered("gelu", "gelu_of_a_constant_share", lambda gy, g, x: (g[0] - gy * x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi),))
altered("elu", "elu_with_relus_gradient", lambda gy, g, x: (gy * (x > 0),))
altered("silu", "silu_of_a_constant_gate", lambda gy, g, x: (gy / (1 + np.exp(-x)),))
altered("softplus", "softplus_with_relus_gradient", lambda gy, g, x: (gy * (x > 0),))
altered("binary_cross_entropy", "bce_of_logits", lambda gy, g, x, t: (g[0] * x * (1 - x), g[1]))
altered("dropout2d", "dropped_maps_have_a_gradient", lambda gy, g, x: (gy.copy(), g[1]))
altered("binary_cross_entropy_with_logits", "bce_without_the_targets_gradient", lambda gy, g, x, t: (g[0], 0 * g[1]))


@mutant(FINITE, NumPyBackend, "log_softmax_backward", "log_softmax")
def zero_softmax_gradient(original, self, gy, y, axis):
    return 0 * gy


@mutant(FINITE, NumPyBackend, "log_softmax_backward", "log_softmax")
def softmax_over_the_wrong_axis(original, self, gy, y, axis):
    return original(self, gy, y, 0)


@mutant(FINITE, NumPyBackend, "local_response_norm_backward", "local_response_norm")
def lrn_without_its_cross_term(original, self, gy, saved, size, a, beta, k, *rest):
    return gy * saved[1] ** -beta


@mutant(FINITE, NumPyBackend, "local_response_norm_backward", "local_response_norm")
def lrn_cross_term_over_the_unmirrored_window(original, self, gy, saved, size, *rest):
    """All channels turned round, which turns the window round: another one only where n is even."""
    turned = original(self, gy[:, ::-1], tuple(s[:, ::-1] for s in saved), size, *rest)
    return turned[:, ::-1].copy()


@mutant(FINITE, NumPyBackend, "max_pool2d_backward", "max_pool2d")
def max_pool_window_off_by_one(original, self, gy, winners, window):
    return original(self, gy, winners + 1, window)


@mutant(FINITE, NumPyBackend, "max_pool2d_backward", "max_pool2d")
def max_pool_assigns_where_it_must_add(original, self, gy, winners, window):
    padded = np.zeros((*gy.shape[:2], *window.padded))
    for place, tap in enumerate(window.taps()):
        padded[..., *tap] = np.where(winners == place, gy, padded[..., *tap])
    return padded[..., *window.inside]


@mutant(FINITE, NumPyBackend, "avg_pool2d_backward", "avg_pool2d")
def avg_pool_assigns_where_it_must_add(original, self, gy, scale, window):
    padded = np.zeros((*gy.shape[:2], *window.padded))
    for tap in window.taps():
        padded[..., *tap] = gy * scale
    return padded[..., *window.inside]


@mutant(FINITE, NumPyBackend, "avg_pool2d_backward", "avg_pool2d")
def avg_pool_not_divided(original, self, gy, scale, window):
    return original(self, gy, np.ones_like(scale), window)


@mutant(FINITE, NumPyBackend, "conv2d_backward", "conv2d")
def conv_without_bias_gradient(original, self, gy, *rest):
    gx, gw, gb = original(self, gy, *rest)
    return gx, gw, None if gb is None else 0 * gb


@mutant(FINITE, NumPyBackend, "conv2d_backward", "conv2d")
def conv_filter_gradient_flipped(original, self, gy, *rest):
    gx, gw, gb = original(self, gy, *rest)
    return gx, gw[..., ::-1, ::-1].copy(), gb


@mutant(FINITE, NumPyBackend, "conv2d_backward", "conv2d")
def conv_padding_ignored_in_gx(original, self, gy, saved, window, *rest):
    gx, gw, gb = original(self, gy, saved, window, *rest)
    (top, _), (left, _) = window.padding
    return np.roll(gx, (top, left), (2, 3)), gw, gb


@mutant(FINITE, MoreLayers, "local2d_backward", "local2d")
def local_filters_shared_after_all(original, self, gy, *rest):
    """The gradient of a convolution's filters, at every place."""
    gx, gw, gb = original(self, gy, *rest)
    return gx, gw if gw is None else np.broadcast_to(gw.sum((0, 1)), gw.shape).copy(), gb


@mutant(FINITE, MoreLayers, "local2d_backward", "local2d")
def local_bias_gradient_of_one_picture(original, self, gy, *rest):
    gx, gw, gb = original(self, gy, *rest)
    return gx, gw, None if gb is None else gy[0].copy()


@mutant(FINITE, MoreLayers, "_from_local_columns", "local2d")
def local_assigns_where_it_must_add(original, self, columns, x_shape, window):
    padded = np.zeros((*x_shape[:2], *window.padded))
    taps = columns.reshape(*window.output, columns.shape[1], len(padded), -1, np.prod(window.kernel))
    for place, tap in enumerate(window.taps()):
        moved = taps[..., place].transpose(3, 2, 4, 0, 1)
        padded[..., *tap] = moved.reshape(*x_shape[:2], *window.output)
    return padded[..., *window.inside]


@mutant(FINITE, MoreLayers, "contrast_norm_backward", "contrast_norm")
def contrast_with_constant_means(original, self, gy, saved, size, a, beta, k):
    x, d, scale = saved
    ratio = gy * scale ** (-beta - 1) * x
    return gy * scale**-beta - 2 * a * beta * d * self._sums(ratio, size, mirrored=True)


@mutant(FINITE, MoreLayers, "_sums", "contrast_norm")
def contrast_sums_never_mirrored(original, self, x, size, mirrored=False):
    """Another window only where n is even."""
    return original(self, x, size)


@mutant(FINITE, NumPyBackend, "linear_backward", "linear")
def linear_bias_gradient_of_one_row(original, self, gy, x, w, needs):
    gx, gw, gb = original(self, gy, x, w, needs)
    return gx, gw, None if gb is None else gy.reshape(-1, len(w))[0].copy()


@mutant(FINITE, NumPyBackend, "relu_backward", "relu")
def relu_lets_negatives_pass(original, self, gy, y):
    return gy.copy()


@mutant(FINITE, NumPyBackend, "cross_entropy_backward", "cross_entropy")
def cross_entropy_gradient_not_divided_by_n(original, self, gy, logp, *rest):
    return original(self, gy, logp, *rest) * len(logp)


@mutant(FINITE, NumPyBackend, "cross_entropy_backward", "cross_entropy")
def cross_entropy_counts_ignored_rows(original, self, gy, logp, labels, w, valid, smoothing):
    return original(self, gy, logp, labels, w, np.ones_like(valid), smoothing)


@mutant(FINITE, arithmetic, "unbroadcast", "add")
@mutant(FINITE, arithmetic, "unbroadcast", "mul")
@mutant(FINITE, arithmetic, "unbroadcast", "matmul")
def unbroadcast_takes_one_copy(original, gradient, shape):
    gradient = gradient[(0,) * (gradient.ndim - len(shape))]
    return gradient[tuple(slice(n) for n in shape)]


@mutant(FINITE, loss, "_of_difference", "l1_loss")
@mutant(FINITE, loss, "_of_difference", "smooth_l1_loss")
@mutant(FINITE, loss, "_of_difference", "huber_loss")
def slope_without_its_sign(original, input, target, distance, name):
    def without(xp, d):
        y, slope = distance(xp, d)
        return y, xp.abs(slope)

    return original(input, target, without, name)


@mutant(FINITE, loss, "_of_difference", "smooth_l1_loss")
@mutant(FINITE, loss, "_of_difference", "huber_loss")
def slope_of_l1(original, input, target, distance, name):
    return original(input, target, lambda xp, d: (distance(xp, d)[0], xp.sign(d)), name)


@mutant(FINITE, resampling, "_add_at", "interpolate")
def interpolate_assigns_where_it_must_add(original, x, j, values, axis, xp):
    x[(*[slice(None)] * axis, j)] = values


@mutant(FINITE, functional, "tanh", "tanh")
def tanh_with_y_unsquared(original, x):
    y = original(x)
    return with_backward(y, lambda gy: (gy * (1 - y.data),), x)


@mutant(FINITE, functional, "matmul", "matmul")
def matmul_reshaped_where_it_must_transpose(original, a, b):
    y = original(a, b)
    if a.ndim != 2 or b.ndim != 2:
        return y
    return with_backward(y, lambda gy: (gy @ b.data.reshape(b.shape[::-1]), a.data.reshape(a.shape[::-1]) @ gy), a, b)


@mutant(FINITE, functional, "mean", "mean")
def mean_not_divided(original, x, dim=None, keepdim=False):
    gradient = Tensor(np.zeros(x.shape), requires_grad=True)
    total = functional.sum(gradient, dim, keepdim)

    def backward(gy):
        total.backward(gy)
        return (gradient.grad.data,)

    return with_backward(original(x, dim, keepdim), backward, x)


@mutant(FINITE, functional, "dropout", "dropout")
def dropout_redrawn_with_another_call(original, x, *args, generator, **options):
    y = original(x, *args, generator=generator, **options)

    def backward(gy):
        return (original(Tensor(gy), *args, generator=generator, **options).data,)

    return with_backward(y, backward, x)


@mutant(FINITE, functional, "sub", "sub")
def sub_without_its_sign(original, a, b, **options):
    return with_backward(original(a, b, **options), lambda gy: functional.add(a, b, **options).node.backward(gy), a, b)


@mutant(FINITE, functional, "maximum", "maximum")
def maximum_to_the_smaller(original, a, b):
    return with_backward(original(a, b), lambda gy: functional.minimum(a, b).node.backward(gy), a, b)


@mutant(FINITE, functional, "minimum", "minimum")
def minimum_to_the_larger(original, a, b):
    return with_backward(original(a, b), lambda gy: functional.maximum(a, b).node.backward(gy), a, b)


@mutant(FINITE, functional, "min", "min")
def min_to_the_largest(original, x, *args, **options):
    y, largest = original(x, *args, **options), functional.max(x, *args, **options)
    node, other = getattr(y, "values", y).node, getattr(largest, "values", largest).node
    if node is not None:
        node.backward = other.backward
    return y


@mutant(FINITE, functional, "softmax", "softmax")
def softmax_of_its_diagonal_only(original, x, dim):
    y = original(x, dim)
    return with_backward(y, lambda gy: (gy * y.data * (1 - y.data),), x)


@mutant(FINITE, NumPyBackend, "add_at", "getitem")
def getitem_assigns_where_it_must_add(original, self, target, index, values):
    target[index] = values


@mutant(FINITE, NumPyBackend, "batch_norm_backward", "batch_norm")
def batch_norm_statistics_taken_for_constants(original, self, gy, saved, w, training):
    return original(self, gy, saved, w, False)


# ------------------------------------------------------------------------------ one line each: the gradients, changed

altered("abs", "abs_without_its_sign", lambda gy, g, x: (gy,))
altered("adaptive_avg_pool2d", "adaptive_turned_round", lambda gy, g, x: (g[0][..., ::-1],))
altered("batch_norm", "batch_norm_weight_without_z", lambda gy, g, x, *w: (g[0], g[2], g[2]) if w else g)
altered("clamp", "clamp_lets_all_pass", lambda gy, g, x, *bounds: (gy.copy(), *g[1:]))
altered("clamp", "clamp_keeps_nothing_for_its_bounds", lambda gy, g, x, *bounds: (g[0], *(0 * h for h in g[1:])))
altered("concatenate", "concatenate_parts_back_to_front", lambda gy, g, *x: tuple(h[..., ::-1] for h in g))
altered("div", "div_by_b_where_it_must_be_b_squared", lambda gy, g, a, b: (g[0], unbroadcast(-gy * a / b, b.shape)))
altered("exp", "exp_with_x_for_y", lambda gy, g, x: (gy * x,))
altered("flatten", "flatten_back_to_front", lambda gy, g, x: (g[0][::-1],))
altered("getitem", "getitem_a_step_too_far", lambda gy, g, x: (np.roll(g[0], 1, 0),))
altered("leaky_relu", "leaky_relu_with_relus_gradient", lambda gy, g, x: (gy * (x > 0),))
altered(
    "linear",
    "linear_weights_of_one_row",
    lambda gy, g, x, w, *b: (g[0], np.outer(gy.reshape(-1, len(w))[0], x.reshape(-1, x.shape[-1])[0]), *g[2:]),
)
altered("log", "log_times_where_it_must_divide", lambda gy, g, x: (gy * x,))
altered("logsumexp", "logsumexp_like_max", lambda gy, g, x: (g[0] * (g[0] == g[0].max()),))
altered("max", "max_to_its_neighbour", lambda gy, g, x: (np.roll(g[0], 1),))
altered("mse_loss", "mse_without_its_two", lambda gy, g, *x: tuple(h / 2 for h in g))
altered("neg", "neg_without_its_sign", lambda gy, g, x: (gy,))
altered("nll_loss", "nll_without_its_sign", lambda gy, g, x: (-g[0],))
altered("pad", "pad_off_by_one", lambda gy, g, x: (np.roll(g[0], 1, -1),))
altered("permute", "permute_reshaped_where_it_must_permute", lambda gy, g, x: (gy.reshape(x.shape),))
altered("pow", "pow_without_lowering_the_exponent", lambda gy, g, a, *b: (g[0] * a, g[1]))
altered("pow", "pow_with_a_constant_exponent", lambda gy, g, a, *b: (g[0], *((0 * g[1],) if b else g[1:])))
altered("reshape", "reshape_back_in_fortran_order", lambda gy, g, x: (gy.reshape(-1).reshape(x.shape, order="F"),))
altered("sigmoid", "sigmoid_with_y_unsquared", lambda gy, g, x: (gy / (1 + np.exp(-x)),))
altered("sqrt", "sqrt_without_its_half", lambda gy, g, x: (2 * g[0],))
altered("stack", "stack_gives_all_of_them_the_first", lambda gy, g, *x: (g[0],) * len(g))
altered("stochastic_pool2d", "stochastic_pool_of_its_neighbour", lambda gy, g, x: (np.roll(g[0], 1, -1),))
altered("sum", "sum_shared_out_like_a_mean", lambda gy, g, x: (g[0] * gy.size / x.size,))
altered("transpose", "transpose_reshaped_where_it_must_transpose", lambda gy, g, x: (gy.reshape(x.shape),))
altered("var", "var_without_its_two", lambda gy, g, x: (g[0] / 2,))
altered("where", "where_to_the_first_only", lambda gy, g, a, b: (g[0], 0 * g[1]))


if __name__ == "__main__":
    print_table()
