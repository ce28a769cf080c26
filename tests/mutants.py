"""Gradients and functions made wrong on purpose, for the tests of the tests.

BACKWARD: the forward pass is right, the gradient wrong: finite differences must see it. CONSISTENT: a wrong function
with its own right gradient, which only torch's values can tell.
"""

from __future__ import annotations

import numpy as np

from minialex import functional
from minialex.backends import numpy_backend
from minialex.backends.numpy_backend import NumPyBackend
from minialex.functional import arithmetic
from minialex.tensor import Tensor
from minialex.window import Window

BACKWARD, CONSISTENT = [], []  # (mutant, owner, attribute, operation)


def mutant(kind, owner, attribute, op):
    """Register a function that takes the place of owner.attribute; its first argument is what stood there."""
    return lambda function: kind.append((function, owner, attribute, op)) or function


def with_backward(y, backward, *parents):
    return Tensor.from_operation(y.data.copy(), backward, *parents)


# ------------------------------------------------------------------------------ forward right, backward wrong


@mutant(BACKWARD, NumPyBackend, "log_softmax_backward", "log_softmax")
def zero_softmax_gradient(original, self, gy, y, axis):
    return 0 * gy


@mutant(BACKWARD, NumPyBackend, "log_softmax_backward", "log_softmax")
def softmax_over_the_wrong_axis(original, self, gy, y, axis):
    return original(self, gy, y, 0)


@mutant(BACKWARD, NumPyBackend, "local_response_norm_backward", "local_response_norm")
def lrn_without_its_cross_term(original, self, gy, saved, size, a, beta, k, *rest):
    return gy * saved[1] ** -beta


@mutant(BACKWARD, NumPyBackend, "local_response_norm_backward", "local_response_norm")
def lrn_cross_term_over_the_unmirrored_window(original, self, gy, saved, size, *rest):
    """All channels turned round, which turns the window round: another one only where n is even."""
    turned = original(self, gy[:, ::-1], tuple(s[:, ::-1] for s in saved), size, *rest)
    return turned[:, ::-1].copy()


@mutant(BACKWARD, NumPyBackend, "max_pool2d_backward", "max_pool2d")
def max_pool_window_off_by_one(original, self, gy, winners, window):
    return original(self, gy, winners + 1, window)


@mutant(BACKWARD, NumPyBackend, "max_pool2d_backward", "max_pool2d")
def max_pool_assigns_where_it_must_add(original, self, gy, winners, window):
    padded = np.zeros((*gy.shape[:2], *window.padded))
    for place, tap in enumerate(window.taps()):
        padded[..., *tap] = np.where(winners == place, gy, padded[..., *tap])
    return padded[..., *window.inside]


@mutant(BACKWARD, NumPyBackend, "avg_pool2d_backward", "avg_pool2d")
def avg_pool_assigns_where_it_must_add(original, self, gy, scale, window):
    padded = np.zeros((*gy.shape[:2], *window.padded))
    for tap in window.taps():
        padded[..., *tap] = gy * scale
    return padded[..., *window.inside]


@mutant(BACKWARD, NumPyBackend, "avg_pool2d_backward", "avg_pool2d")
def avg_pool_not_divided(original, self, gy, scale, window):
    return original(self, gy, np.ones_like(scale), window)


@mutant(BACKWARD, NumPyBackend, "conv2d_backward", "conv2d")
def conv_without_bias_gradient(original, self, gy, *rest):
    gx, gw, gb = original(self, gy, *rest)
    return gx, gw, None if gb is None else 0 * gb


@mutant(BACKWARD, NumPyBackend, "conv2d_backward", "conv2d")
def conv_filter_gradient_flipped(original, self, gy, *rest):
    gx, gw, gb = original(self, gy, *rest)
    return gx, gw[..., ::-1, ::-1].copy(), gb


@mutant(BACKWARD, NumPyBackend, "conv2d_backward", "conv2d")
def conv_padding_ignored_in_gx(original, self, gy, saved, window, *rest):
    gx, gw, gb = original(self, gy, saved, window, *rest)
    (top, _), (left, _) = window.padding
    return np.roll(gx, (top, left), (2, 3)), gw, gb


@mutant(BACKWARD, NumPyBackend, "linear_backward", "linear")
def linear_bias_gradient_of_one_row(original, self, gy, x, w, needs):
    gx, gw, gb = original(self, gy, x, w, needs)
    return gx, gw, None if gb is None else gy.reshape(-1, len(w))[0].copy()


@mutant(BACKWARD, NumPyBackend, "relu_backward", "relu")
def relu_lets_negatives_pass(original, self, gy, y):
    return gy.copy()


@mutant(BACKWARD, NumPyBackend, "cross_entropy_backward", "cross_entropy")
def cross_entropy_gradient_not_divided_by_n(original, self, gy, logp, *rest):
    return original(self, gy, logp, *rest) * len(logp)


@mutant(BACKWARD, NumPyBackend, "cross_entropy_backward", "cross_entropy")
def cross_entropy_counts_ignored_rows(original, self, gy, logp, labels, w, valid, smoothing):
    return original(self, gy, logp, labels, w, np.ones_like(valid), smoothing)


@mutant(BACKWARD, arithmetic, "unbroadcast", "add")
@mutant(BACKWARD, arithmetic, "unbroadcast", "mul")
def unbroadcast_takes_one_copy(original, gradient, shape):
    gradient = gradient[(0,) * (gradient.ndim - len(shape))]
    return gradient[tuple(slice(n) for n in shape)]


@mutant(BACKWARD, functional, "tanh", "tanh")
def tanh_with_y_unsquared(original, x):
    y = original(x)
    return with_backward(y, lambda gy: (gy * (1 - y.data),), x)


@mutant(BACKWARD, functional, "matmul", "matmul")
def matmul_reshaped_where_it_must_transpose(original, a, b):
    y = original(a, b)
    if a.ndim != 2 or b.ndim != 2:
        return y
    return with_backward(y, lambda gy: (gy @ b.data.reshape(b.shape[::-1]), a.data.reshape(a.shape[::-1]) @ gy), a, b)


@mutant(BACKWARD, functional, "mean", "mean")
def mean_not_divided(original, x, dim=None, keepdim=False):
    gradient = Tensor(np.zeros(x.shape), requires_grad=True)
    total = functional.sum(gradient, dim, keepdim)

    def backward(gy):
        total.backward(gy)
        return (gradient.grad,)

    return with_backward(original(x, dim, keepdim), backward, x)


@mutant(BACKWARD, functional, "dropout", "dropout")
def dropout_redrawn_with_another_call(original, x, *args, generator, **options):
    y = original(x, *args, generator=generator, **options)

    def backward(gy):
        return (original(Tensor(gy), *args, generator=generator, **options).data,)

    return with_backward(y, backward, x)


@mutant(BACKWARD, functional, "sub", "sub")
def sub_without_its_sign(original, a, b, **options):
    return with_backward(original(a, b, **options), lambda gy: functional.add(a, b, **options).node.backward(gy), a, b)


# ------------------------------------------------------------------------------ forward and backward wrong alike


@mutant(CONSISTENT, NumPyBackend, "dropout", "dropout")
def mask_of_the_next_call(original, self, x, keep, scale, seed, call):
    return original(self, x, keep, scale, seed, call + 1)


@mutant(CONSISTENT, Window, "counts", "avg_pool2d")
def padding_counted_when_it_must_not(original, self, include_padding):
    return original(self, not include_padding)


@mutant(CONSISTENT, numpy_backend, "_pad", "max_pool2d")
def max_pool_padded_with_zeros(original, xp, x, window, value):
    return original(xp, x, window, 0)


@mutant(CONSISTENT, functional, "conv2d", "conv2d")
def the_odd_pixel_of_same_padding_at_the_top(original, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    if padding == "same":
        window = Window.over(x.shape, w.shape[2:], stride, padding, dilation)
        padding = tuple(side[::-1] for side in window.padding)
    return original(x, w, b, stride, padding, dilation, groups)


@mutant(CONSISTENT, functional, "conv2d", "conv2d")
def conv_with_flipped_filters(original, x, w, *args, **options):
    """Convolution as mathematics has it: the values of 1x1 filters only are right."""
    flipped = Tensor.from_operation(w.data[..., ::-1, ::-1].copy(), lambda gw: (gw[..., ::-1, ::-1].copy(),), w)
    return original(x, flipped, *args, **options)


@mutant(CONSISTENT, functional, "local_response_norm", "local_response_norm")
def lrn_window_from_the_other_side(original, x, *args, **options):
    def turn(t):
        return Tensor.from_operation(t.data[:, ::-1].copy(), lambda g: (g[:, ::-1].copy(),), t)

    return turn(original(turn(x), *args, **options))


@mutant(CONSISTENT, functional, "local_response_norm", "local_response_norm")
def lrn_alpha_never_divided(original, x, size, **options):
    return original(x, size, **options | {"alpha_over": "element"})


@mutant(CONSISTENT, functional, "cross_entropy", "cross_entropy")
def cross_entropy_summed(original, x, target, reduction="mean", **options):
    return original(x, target, reduction="sum" if reduction == "mean" else reduction, **options)


@mutant(CONSISTENT, functional, "cross_entropy", "cross_entropy")
def label_smoothing_ignored(original, x, target, label_smoothing=0.0, **options):
    return original(x, target, **options)


@mutant(CONSISTENT, functional, "reshape", "reshape")
def reshape_in_fortran_order(original, x, shape):
    y = x.data.reshape(shape, order="F").copy()
    return Tensor.from_operation(y, lambda gy: (gy.reshape(x.shape, order="F"),), x)
