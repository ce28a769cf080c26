"""What the functions of the core also take, as torch does: single samples, whole numbers, probabilities as targets.

A function of the core comes here with what is not its usual case, a batch of floating-point numbers, and hands on all
its arguments: see there what they mean.
"""

from __future__ import annotations

import math

import numpy as np

from .. import functional
from ..backends.numpy_backend import NumPyBackend
from ..support import mistakes
from ..tensor import Tensor, check_dtypes, common_backend
from ..window import Window


def _single(function, sample, *arguments, **options):
    """function(a batch of one sample, ...), without the axis of the batch again."""
    result = function(functional.unsqueeze(sample, 0), *arguments, **options)
    if isinstance(result, tuple):
        return tuple(functional.squeeze(y, 0) for y in result)
    return functional.squeeze(result, 0)


def _check_whole(name, *tensors):
    """Raise TypeError unless all are whole numbers of one dtype."""
    if tensors[0].dtype.kind not in "iu" or any(t is not None and t.dtype != tensors[0].dtype for t in tensors):
        check_dtypes(name, *tensors)


# ------------------------------------------------------------------------------------------ layers


def linear(input, weight, bias):
    """functional.linear of whole numbers."""
    _check_whole("linear", input, weight, bias)
    b = None if bias is None else bias.data
    return Tensor(NumPyBackend.linear(input.backend, input.data, weight.data, b), backend=input.backend)


def conv2d(input, weight, bias, stride, padding, dilation, groups):
    """functional.conv2d of an image (C, H, W), and of whole numbers."""
    if input.ndim == 3:
        return _single(functional.conv2d, input, weight, bias, stride, padding, dilation, groups)
    _check_whole("conv2d", input, weight, bias)
    window = Window.over(input.shape, weight.shape[2:], stride, padding, dilation)
    b = None if bias is None else bias.data
    needs = False, False, False
    y, _ = NumPyBackend.conv2d(input.backend, input.data, weight.data, b, window, groups, needs)
    return Tensor(y, backend=input.backend)


def max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """functional.max_pool2d of an image (C, H, W), and of whole numbers; and the pixels where the largest stood."""
    if input.ndim == 3:
        settings = kernel_size, stride, padding, dilation, ceil_mode, return_indices
        return _single(functional.max_pool2d, input, *settings)
    backend = common_backend(input)
    window = Window.over_pool(input.shape, kernel_size, stride, padding, dilation, ceil_mode)
    if input.dtype.kind == "f":
        y = functional.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)
        places = NumPyBackend.max_pool2d(backend, input.data, window, True)[1]
    else:
        _check_whole("max_pool2d", input)
        y, places = _largest(backend.xp, input.data, window)
        y = Tensor(y, backend=backend)
    if not return_indices:
        return y
    u, v = places // window.kernel[1], places % window.kernel[1]
    rows, columns = (
        backend.asarray(np.arange(out) * s - before)
        for out, s, (before, _) in zip(window.output, window.stride, window.padding, strict=True)
    )
    pixels = (rows[:, None] + u * window.dilation[0]) * window.size[1] + columns + v * window.dilation[1]
    return y, Tensor(pixels.astype(np.int64), backend=backend)


def _largest(xp, x, window):
    """The largest whole number in every window, and the place where it stands: the first one of equals."""
    lowest = np.iinfo(x.dtype).min
    padded = xp.full((*x.shape[:2], *window.padded), lowest, x.dtype)
    padded[..., *window.inside] = x
    under = xp.stack([padded[..., *tap] for tap in window.taps()], 2)
    y = under.max(axis=2)
    return y, xp.where(y == lowest, xp.asarray(window.first_inside()), under.argmax(axis=2))  # padding wins nothing


def avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """functional.avg_pool2d of an image (C, H, W), and of int64, whose means are cut off to whole numbers."""
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    if input.ndim == 3:
        return _single(functional.avg_pool2d, input, *settings)
    if input.dtype != np.int64:
        check_dtypes("avg_pool2d", input)
    backend = common_backend(input)
    window = Window.over_pool(input.shape, kernel_size, stride, padding, 1, ceil_mode)
    sums = NumPyBackend.avg_pool2d(backend, input.data, 1, window)
    divisor = backend.asarray(divisor_override or window.counts(count_include_pad))
    return functional.div(Tensor(sums, backend=backend), Tensor(divisor, backend=backend), rounding_mode="trunc")


def adaptive_avg_pool2d(input, output_size):
    """functional.adaptive_avg_pool2d of an image (C, H, W)."""
    return _single(functional.adaptive_avg_pool2d, input, output_size)


def local_response_norm(input, size, alpha, beta, k, alpha_over, within_channel, groups):
    """functional.local_response_norm of (N, C, ...), and of int64, whose mean squares are cut off to whole numbers."""
    if input.ndim < 3 or within_channel:
        raise ValueError(
            f"local_response_norm needs input (N, C, ...), or (N, C, H, W) within a channel, got {input.shape}"
        )
    if input.dtype.kind == "f":
        flat = functional.reshape(input, (*input.shape[:2], 1, math.prod(input.shape[2:])))
        ours = {"alpha_over": alpha_over, "groups": groups}
        return functional.reshape(functional.local_response_norm(flat, size, alpha, beta, k, **ours), input.shape)
    if input.dtype != np.int64 or alpha_over != "window" or groups != 1:
        check_dtypes("local_response_norm", input)
    if not input.numel():
        return input
    maps = functional.reshape(input * input, (input.shape[0], 1, input.shape[1], math.prod(input.shape[2:])))
    neighbours = functional.pad(maps, (0, 0, size // 2, (size - 1) // 2))
    means = functional.reshape(functional.avg_pool2d(neighbours, (size, 1), 1), input.shape)
    return input / (means * float(alpha) + float(k)) ** float(beta)


def batch_norm(input):
    """functional.batch_norm of other than (N, C, ...): of nothing it is nothing."""
    if input.shape != (0,):
        raise ValueError(f"batch_norm needs input (N, C, ...), got {input.shape}")
    return functional.clone(input)


# ------------------------------------------------------------------------------------------ losses


def cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing):
    """functional.cross_entropy of one sample (C,), and of class probabilities as targets."""
    options = {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": label_smoothing}
    if target.shape != input.shape or not input.ndim:
        return _one_label(functional.cross_entropy, input, target, weight, options)
    if target.dtype.kind != "f":
        raise ValueError(
            f"cross_entropy: a target of the input's shape holds class probabilities, which {target.dtype} is not, got "
            f"{input.shape} and {tuple(target.shape)}" + mistakes.about_labels(input.shape, target)
        )
    if ignore_index >= 0:
        raise ValueError(f"cross_entropy: ignore_index={ignore_index} goes with labels, the target has probabilities")
    axis = min(1, input.ndim - 1)
    target = target if isinstance(target, Tensor) else Tensor(target, backend=input.backend)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    if weight is not None:
        weight = weight.detach() if isinstance(weight, Tensor) else Tensor(weight, backend=input.backend)
        if weight.shape != (input.shape[axis],):
            raise ValueError(f"cross_entropy: {weight.shape} class weights for {input.shape[axis]} classes")
        target = target * functional.reshape(weight, (-1, *[1] * (input.ndim - 1 - axis)))
    losses = -(functional.log_softmax(input, axis) * target).sum(axis)
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def nll_loss(input, target, weight, ignore_index, reduction):
    """functional.nll_loss of one sample (C,)."""
    return _one_label(
        functional.nll_loss, input, target, weight, {"ignore_index": ignore_index, "reduction": reduction}
    )


def _one_label(loss, input, target, weight, options):
    functional.loss._check_scores(loss.__name__, input)
    if not input.ndim or target.shape not in ((), (1,)):
        raise ValueError(
            f"{loss.__name__} needs input (N, C, ...) and a target of shape (N, ...), or one sample (C,) and its "
            f"label, got {input.shape} and {tuple(target.shape)}"
        )
    result = loss(functional.unsqueeze(input, 0), target.reshape(1), weight, **options)
    return functional.reshape(result, target.shape if options["reduction"] == "none" else ())


# ------------------------------------------------------------------------------------------ arithmetic and shapes


def div(input, other, rounding_mode):
    """functional.div, rounded to whole numbers; the gradient is 0."""
    if rounding_mode not in ("trunc", "floor"):
        raise ValueError(f'div: rounding_mode is None, "trunc" or "floor", got {rounding_mode!r}')
    left, right = functional.more.arithmetic._dividable("div", input, other)
    a, b, xp = left.data, right.data, left.backend.xp
    shapes = a.shape, b.shape
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if rounding_mode == "floor":
            y = xp.floor_divide(a, b)
        elif a.dtype.kind == "f":
            y = xp.trunc(a / b)
        else:
            y = xp.floor_divide(a, b)
            y = xp.where((y < 0) & (y * b != a), y + 1, y).astype(a.dtype, copy=False)

    def backward(gy):
        return tuple(xp.zeros(shape, gy.dtype) for shape in shapes)

    return Tensor.from_operation(y, backward, left, right, name="div")


def pow(base, exponent, is_number):
    """functional.pow of whole numbers. is_number: whether the exponent is a plain number."""
    a, b, xp = base.data, exponent.data, base.backend.xp
    if a.dtype.kind == "b":
        raise TypeError("pow of truth values: convert them with .long() first")
    negative = b < 0
    if not negative.any():
        return Tensor(a**b, backend=base.backend)
    if is_number:
        raise ValueError(f"pow: whole numbers to the power of {int(b)} are fractions: convert with .float() first")
    one = a.dtype.type(1)
    sign = xp.where(b % 2 == 0, one, a)  # of 1 and -1; all else to a negative power lies between -1 and 1: cut off to 0
    fraction = xp.where(abs(a) == 1, sign, a.dtype.type(0))
    return Tensor(xp.where(negative, fraction, a ** xp.where(negative, one, b)), backend=base.backend)


def pad(input, pad, mode, value):
    """functional.pad with a margin of the input's own elements."""
    if mode not in ("reflect", "replicate", "circular"):
        raise ValueError(f'pad: mode is "constant", "reflect", "replicate" or "circular", got {mode!r}')
    if value:
        raise ValueError(f'pad: value={value} goes with mode="constant", {mode!r} takes the margin from the input')
    y, xp = input, input.backend.xp
    for number, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        axis = input.ndim - 1 - number
        n = input.shape[axis]
        most = {"reflect": n - 1, "circular": n + min(before, 0) + min(after, 0), "replicate": math.inf if n else 0}
        if max(before, after) > most[mode] or n + before + after < 0:
            raise ValueError(f"pad={pad}: {mode!r} has no margin of {before} and {after} for an axis of length {n}")
        places = xp.arange(-before, n + after)
        if mode == "reflect":
            places = n - 1 - abs(n - 1 - abs(places))
        elif mode == "replicate":
            places = places.clip(0, max(n - 1, 0))
        else:  # goes round in what negative numbers leave
            places = (places - max(-before, 0)) % max(most[mode], 1) + max(-before, 0)
        y = functional.getitem(y, (*[slice(None)] * axis, places))
    return y
