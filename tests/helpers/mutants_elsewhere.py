"""Wrong code that finite differences cannot see: each for another check to reject.

A wrong function with its own right gradient shows in torch's values only; other mistakes in float32, where equals meet,
where a saved value is changed, in whose memory a gradient is, in running statistics, where paths of the tape meet.
"""

from __future__ import annotations

import numpy as np
from verdicts import EQUALS, FLOAT32, GOLDEN, KEPT, MEMORY, RETURNED, RUNNING, SAVED, TAPE, altered, mutant

from minialex import functional, tape, tensor
from minialex.backends import numpy_backend
from minialex.backends.base import Backend
from minialex.backends.more_layers import MoreLayers
from minialex.backends.numpy_backend import NumPyBackend
from minialex.functional import more, pooling, unbroadcast
from minialex.support import reachable
from minialex.tensor import Tensor
from minialex.window import Window

# ------------------------------------------------------------------------------ forward and backward wrong alike


@mutant(GOLDEN, NumPyBackend, "dropout", "dropout")
def mask_of_the_next_call(original, self, x, keep, scale, seed, call):
    return original(self, x, keep, scale, seed, call + 1)


@mutant(GOLDEN, Window, "counts", "avg_pool2d")
def padding_counted_when_it_must_not(original, self, include_padding):
    return original(self, not include_padding)


@mutant(GOLDEN, numpy_backend, "_pad", "max_pool2d")
def max_pool_padded_with_zeros(original, xp, x, window, value):
    return original(xp, x, window, 0)


@mutant(GOLDEN, more.pooling, "_windows", "adaptive_max_pool2d")
def adaptive_windows_that_do_not_overlap(original, old, new):
    return [slice(w.start, max(w.start + 1, (i + 1) * old // new)) for i, w in enumerate(original(old, new))]


@mutant(GOLDEN, more.pooling, "_drawn", "stochastic_pool2d")
def drawn_by_the_next_call(original, backend, a, window, seed, call):
    return original(backend, a, window, seed, call + 1)


@mutant(GOLDEN, functional, "stochastic_pool2d", "stochastic_pool2d")
def evaluated_as_a_plain_mean(original, x, kernel_size, *args, training=True, evaluation="mean", **options):
    if training or evaluation == "max":
        return original(x, kernel_size, *args, training=training, evaluation=evaluation, **options)
    return functional.avg_pool2d(functional.relu(x), kernel_size)


@mutant(GOLDEN, functional, "stochastic_pool2d", "stochastic_pool2d")
def drawn_from_absolute_values(original, x, *args, training=True, **options):
    return original(functional.abs(x) if training else x, *args, training=training, **options)


@mutant(GOLDEN, MoreLayers, "_counts", "contrast_norm")
def pixels_that_do_not_exist_count_in_means(original, self, x, size):
    return np.full(x.shape[2:], float(size * size))


@mutant(GOLDEN, functional, "contrast_norm", "contrast_norm")
def contrast_divided_by_existing_pixels(original, x, size, alpha=1e-4, **options):
    """A larger a than the one of a whole window, everywhere."""
    return original(x, size, alpha * size * size / min(size * size, x.shape[2] * x.shape[3] // 2), **options)


@mutant(GOLDEN, functional, "contrast_norm", "contrast_norm")
def contrast_window_from_the_other_side(original, x, *args, **options):
    """Another one only where n is even."""
    return functional.flip(original(functional.flip(x, (2, 3)), *args, **options), (2, 3))


@mutant(GOLDEN, functional, "local2d", "local2d")
def local_with_flipped_filters(original, x, w, *args, **options):
    return original(x, functional.flip(w, (4, 5)), *args, **options)


@mutant(GOLDEN, functional, "local2d", "local2d")
def local_places_from_the_end(original, x, w, *args, **options):
    return original(x, functional.flip(w, (0, 1)), *args, **options)


@mutant(GOLDEN, more.resampling, "_taps", "interpolate")
def the_scale_is_that_of_the_sizes(original, m, n, factor, *rest):
    return original(m, n, None, *rest)


@mutant(GOLDEN, more.resampling, "_taps", "interpolate")
def pixels_are_points_at_their_corners(original, m, n, factor, dtype, mode, align_corners):
    return original(m, n, factor, dtype, mode, align_corners or mode == "bilinear")


@mutant(GOLDEN, functional, "conv2d", "conv2d")
def the_odd_pixel_of_same_padding_at_the_top(original, x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    if padding == "same":
        window = Window.over(x.shape, w.shape[2:], stride, padding, dilation)
        padding = tuple(side[::-1] for side in window.padding)
    return original(x, w, b, stride, padding, dilation, groups)


@mutant(GOLDEN, functional, "conv2d", "conv2d")
def conv_with_flipped_filters(original, x, w, *args, **options):
    """Convolution as mathematics has it: the values of 1x1 filters only are right."""
    flipped = Tensor.from_operation(w.data[..., ::-1, ::-1].copy(), lambda gw: (gw[..., ::-1, ::-1].copy(),), w)
    return original(x, flipped, *args, **options)


@mutant(GOLDEN, functional, "local_response_norm", "local_response_norm")
def lrn_window_from_the_other_side(original, x, *args, **options):
    def turn(t):
        return Tensor.from_operation(t.data[:, ::-1].copy(), lambda g: (g[:, ::-1].copy(),), t)

    return turn(original(turn(x), *args, **options))


@mutant(GOLDEN, functional, "local_response_norm", "local_response_norm")
def lrn_alpha_never_divided(original, x, size, **options):
    return original(x, size, **options | {"alpha_over": "element"})


@mutant(GOLDEN, functional, "cross_entropy", "cross_entropy")
def cross_entropy_summed(original, x, target, reduction="mean", **options):
    return original(x, target, reduction="sum" if reduction == "mean" else reduction, **options)


@mutant(GOLDEN, functional, "cross_entropy", "cross_entropy")
def label_smoothing_ignored(original, x, target, label_smoothing=0.0, **options):
    return original(x, target, **options)


@mutant(GOLDEN, functional, "reshape", "reshape")
def reshape_in_fortran_order(original, x, shape):
    y = x.data.reshape(shape, order="F").copy()
    return Tensor.from_operation(y, lambda gy: (gy.reshape(x.shape, order="F"),), x)


@mutant(GOLDEN, functional, "leaky_relu", "leaky_relu")
def slope_always_a_hundredth(original, x, negative_slope=0.01):
    return original(x)


@mutant(GOLDEN, functional, "flatten", "flatten")
def flatten_to_the_very_end(original, x, start_dim=0, end_dim=-1):
    return original(x, start_dim)


@mutant(GOLDEN, functional, "var", "var")
def var_always_unbiased(original, x, dim=None, *, correction=1, keepdim=False):
    return original(x, dim, keepdim=keepdim)


@mutant(GOLDEN, functional, "pad", "pad")
def pad_counted_from_the_first_axis(original, x, pad, **options):
    pairs = [pad[i : i + 2] for i in range(0, len(pad), 2)]
    return original(x, [n for pair in pairs[::-1] for n in pair], **options)


@mutant(GOLDEN, functional, "concatenate", "concatenate")
def concatenated_in_reverse(original, tensors, dim=0):
    return original(tensors[::-1], dim)


@mutant(GOLDEN, functional, "where", "where")
def where_the_condition_does_not_hold(original, condition, a, b):
    return original(~condition, a, b)


@mutant(GOLDEN, functional, "conv2d", "conv2d")
def conv_groups_dealt_out_in_turn(original, x, w, b=None, *, groups=1, **options):
    """Filter o sees group o % groups."""
    order = np.argsort(np.arange(len(w)) % groups, kind="stable")
    y = original(x, w, b, groups=groups, **options)
    return y[:, np.argsort(order)] if groups > 1 else y


@mutant(GOLDEN, functional, "local_response_norm", "local_response_norm")
def lrn_across_the_groups(original, x, size, groups=1, **options):
    return original(x, size, **options)


@mutant(GOLDEN, pooling, "_averaging", "adaptive_avg_pool2d")
def adaptive_windows_that_never_overlap(original, old, new):
    """The end of a window rounded down."""
    places, first = np.arange(old), np.arange(new)[:, None] * old // new
    end = np.maximum(first + 1, (np.arange(new)[:, None] + 1) * old // new)
    inside = (places >= first) & (places < end)
    return inside / inside.sum(axis=1, keepdims=True)


@mutant(GOLDEN, NumPyBackend, "batch_norm", "batch_norm")
def batch_norm_without_eps(original, self, x, statistics, w, b, eps):
    return original(self, x, statistics, w, b, 0.0)


@mutant(GOLDEN, functional, "nll_loss", "nll_loss")
def nll_weights_ignored(original, x, target, weight=None, **options):
    return original(x, target, **options)


@mutant(GOLDEN, functional, "squeeze", "squeeze")
def squeeze_of_every_axis(original, x, dim=None):
    return original(x)


@mutant(GOLDEN, functional, "unsqueeze", "unsqueeze")
def unsqueeze_counted_from_the_old_end(original, x, dim):
    return original(x, dim + x.ndim if dim < 0 else dim)


@mutant(GOLDEN, functional, "gather", "gather")
def gather_along_the_flipped_axis(original, x, dim, index):
    return original(x, dim, x.shape[dim] - 1 - index)


@mutant(GOLDEN, functional, "repeat", "repeat")
def repeat_each_element(original, x, repeats):
    for axis, n in enumerate(repeats[len(repeats) - x.ndim :]):
        x = functional.getitem(x, (*[slice(None)] * axis, np.repeat(np.arange(x.shape[axis]), n)))
    return original(x, (*repeats[: len(repeats) - x.ndim], *[1] * x.ndim))


@mutant(GOLDEN, functional, "std", "std")
def std_always_unbiased(original, x, dim=None, unbiased=None, keepdim=False, **options):
    return original(x, dim, keepdim=keepdim, **options)


@mutant(GOLDEN, functional, "norm", "norm")
def norm_always_euclidean(original, x, p="fro", dim=None, keepdim=False):
    return original(x, "fro", dim, keepdim)


@mutant(GOLDEN, functional, "gelu", "gelu")
def gelu_always_approximate(original, x, approximate="none"):
    return original(x, "tanh")


@mutant(GOLDEN, functional, "softplus", "softplus")
def softplus_without_a_threshold(original, x, beta=1.0, threshold=20.0):
    return original(x, beta)


@mutant(GOLDEN, functional, "binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits")
def pos_weight_for_every_answer(original, x, target, weight=None, pos_weight=None, **options):
    weight = weight if pos_weight is None else weight * pos_weight
    return original(x, target, weight, **options)


@mutant(GOLDEN, functional, "remainder", "remainder")
def remainder_with_the_sign_of_the_dividend(original, a, b):
    y = original(a, b)
    return y - functional.where((y.data != 0) & (a.data * b.data < 0), b, 0.0)


# ------------------------------------------------------------------------------ where equals meet

altered(
    "maximum",
    "maximum_of_equals_to_both",
    lambda gy, g, a, b: tuple(np.sign(h) * np.ceil(np.abs(h)) if a.shape == b.shape else h for h in g),
    EQUALS,
)
altered("max", "max_of_equals_to_each", lambda gy, g, x: (gy * (x == x.max()),) if not gy.ndim else g, EQUALS)
altered("relu", "relu_with_a_slope_at_zero", lambda gy, g, x: (gy * (x >= 0),), EQUALS)
altered("clamp", "clamp_blocks_at_its_bounds", lambda gy, g, x, *b: (g[0] * (np.abs(x) != 1), *g[1:]), EQUALS)


@mutant(EQUALS, NumPyBackend, "max_pool2d", "max_pool2d")
def max_pool_of_equals_to_the_last(original, self, x, window, save):
    y, winners = original(self, x, window, save)
    if save:
        padded = numpy_backend._pad(np, x, window, -np.inf)
        for place, tap in enumerate(window.taps()):
            np.copyto(winners, place, where=padded[..., *tap] == y)
    return y, winners


# ------------------------------------------------------------------------------ float32, memory, saved values

altered("sigmoid", "sigmoid_gradient_in_float64", lambda gy, g, x: (g[0].astype(np.float64),), FLOAT32)


@mutant(FLOAT32, functional, "leaky_relu", "leaky_relu")
def leaky_relu_slope_that_widens(original, x, negative_slope=0.01):
    slope = np.where(x.data > 0, 1.0, negative_slope)
    return Tensor.from_operation(x.data * slope, lambda gy: (gy * slope,), x)


@mutant(MEMORY, NumPyBackend, "relu_backward", "relu")
def relu_backward_in_place(original, self, gy, y):
    gy *= y > 0
    return gy


@mutant(MEMORY, functional, "exp", "exp")
def exp_written_over_its_input(original, x):
    y = original(x)
    x.data[...] = y.data
    return y


@mutant(MEMORY, tape.Arrival, "__init__", "add")
def gradients_handed_over_uncopied(original, self, gradient, aliased):
    original(self, gradient, False)


@mutant(SAVED, tape, "_saved_by", "mul")
def nothing_saved_is_watched(original, name, backward, tensors, saves):
    return []


@mutant(SAVED, tape.Node, "check", "conv2d")
def versions_not_compared(original, self):
    pass


@mutant(SAVED, functional, "div", "div")
def div_hides_what_it_saves(original, a, b):
    hidden = np.nditer([a.data, b.data])  # which shows the engine nothing of what it holds

    def backward(gy):
        a, b = hidden.operands
        return unbroadcast(gy / b, a.shape), unbroadcast(-gy * a / b**2, b.shape)

    return Tensor.from_operation(a.data / b.data, backward, a, b, name="div", saves=[])


@mutant(SAVED, functional, "reshape", "mul")
def a_view_with_a_version_of_its_own(original, x, shape):
    y = original(x, shape)
    y._version = tape.Version()
    return y


@mutant(RUNNING, NumPyBackend, "batch_norm", "batch_norm")
def running_variance_of_these_values_only(original, self, x, *args):
    y, mean, variance, saved = original(self, x, *args)
    n = x[:, 0].size
    return y, mean, variance * (n - 1) / n, saved


@mutant(RUNNING, functional, "batch_norm", "batch_norm")
def momentum_the_other_way_round(original, *args, momentum=0.1, **options):
    return original(*args, momentum=1 - momentum, **options)


# ------------------------------------------------------------------------------ the tape


@mutant(TAPE, tape.Arrival, "add", "tape")
def the_last_path_wins(original, self, gradient):
    self.gradient = gradient


@mutant(TAPE, tape.Arrival, "add", "tape")
def sums_written_into_borrowed_gradients(original, self, gradient):
    self.gradient += gradient


@mutant(TAPE, tape.Arrival, "deliver", "tape")
def a_second_backward_overwrites_the_gradient(original, self, leaf):
    leaf.grad = self.gradient.copy()


@mutant(TAPE, tape, "sorted_nodes", "tape")
def nodes_wait_for_one_path_only(original, root):
    """Breadth first, each node where it is met first: before the longer paths to it have arrived."""
    order = [root]
    for node in order:
        for parent in getattr(node, "parents", ()):
            if parent is not None and all(parent is not met for met in order):
                order.append(parent)
    return order


@mutant(TAPE, tensor, "is_grad_enabled", "tape")
def no_grad_without_effect(original):
    return True


@mutant(TAPE, tape, "after_hooks", "tape")
def what_a_hook_returns_is_dropped(original, target, gradient):
    original(target, gradient)
    return gradient


@mutant(TAPE, tape, "retaining_graph", "tape")
def the_graph_is_freed_although_it_is_retained(original, retain):
    return original(False)


@mutant(TAPE, tape, "retaining_graph", "tape")
def the_graph_is_never_freed(original, retain):
    return original(True)


@mutant(TAPE, tape.Node, "run", "tape")
def nodes_that_keep_what_they_saved(original, self, gy):
    backward, parents = self.backward, self.parents
    edges = original(self, gy)
    self.backward, self.parents = backward, parents
    return edges


# ------------------------------------------------------------------------------ operations of one's own


@mutant(KEPT, tape, "_saved_by", "tape")
def only_the_arrays_themselves_are_watched(original, name, backward, tensors, saves):
    held = {id(thing) for thing in reachable.reachable(backward, (Backend, Tensor))}
    return [t for t in tensors if id(t.data) in held or id(t) in held]


@mutant(KEPT, tape, "_saved_by", "tape")
def only_closures_are_searched(original, name, backward, tensors, saves):
    """What the engine did before: cells, and the tuples and lists in them."""
    held, stack = [], [cell.cell_contents for cell in getattr(backward, "__closure__", None) or ()]
    while stack:
        thing = stack.pop()
        if isinstance(thing, (tuple, list)):
            stack.extend(thing)
        else:
            held.append(thing)
    arrays = [thing for thing in held if isinstance(thing, np.ndarray)]
    return [t for t in tensors if any(np.may_share_memory(a, t.data) or thing is t for a in arrays for thing in held)]


@mutant(KEPT, reachable, "_global_names", "tape")
def globals_are_not_searched(original, code):
    return set()


@mutant(KEPT, reachable, "_referents", "tape")
def objects_are_not_entered(original, thing):
    return ()


@mutant(KEPT, reachable, "_referents", "tape")
def only_attributes_are_entered(original, thing):
    return list(vars(thing).values()) if hasattr(thing, "__dict__") else ()


@mutant(KEPT, tape, "reachable", "tape")
def tensors_that_are_kept_are_overlooked(original, function, stop, **options):
    return [thing for thing in original(function, stop, **options) if not isinstance(thing, Tensor)]


@mutant(RETURNED, tape.Node, "_check_gradient", "tape")
def gradients_are_not_checked(original, self, number, gradient, edge):
    pass


@mutant(RETURNED, tape.Node, "_check_gradient", "tape")
def gradients_that_broadcast_are_let_pass(original, self, number, gradient, edge):
    original(self, number, np.broadcast_to(gradient, edge.shape) if np.shape(gradient) == (1,) else gradient, edge)


@mutant(RETURNED, tape.Node, "_check_gradient", "tape")
def gradients_of_another_dtype_are_let_pass(original, self, number, gradient, edge):
    original(self, number, gradient.astype(edge.dtype) if isinstance(gradient, np.ndarray) else gradient, edge)


@mutant(RETURNED, tape.Node, "_check_gradient", "tape")
def gradients_are_checked_by_assert(original, self, number, gradient, edge):
    assert gradient.shape == edge.shape and gradient.dtype == edge.dtype


@mutant(RETURNED, tape.Node, "run", "tape")
def gradients_are_not_counted(original, self, gy):
    backward, missing = self.backward, len(self.parents)
    self.backward = lambda gy: (tuple(backward(gy)) + (gy,) * missing)[:missing]
    return original(self, gy)
