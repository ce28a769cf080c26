"""Further losses."""

from __future__ import annotations

import math
import operator
import warnings

import numpy as np

from ...support.types import Array
from ...tensor import Tensor, check_dtypes, common_backend
from ..arithmetic import _operands, to, unbroadcast
from ..loss import _check_reduction

_LEAST_DIVISOR = np.float32(1e-12)  # of binary_cross_entropy: rounded as torch has it, also for float64


def one_hot(tensor: Tensor | Array, num_classes: int = -1) -> Tensor:
    """1 at the place that a label names, 0 elsewhere.

    tensor: labels, whole numbers of any shape: a Tensor or an array.
    num_classes: how many there are; the largest label and 1 if -1.

    Returns an int64 Tensor (..., num_classes). Raises TypeError for other than whole numbers, ValueError for a label
    that is no class.
    """
    labels = tensor if isinstance(tensor, Tensor) else Tensor(tensor)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot takes labels, which are whole numbers, got {labels.dtype}")
    if num_classes == -1 and not labels.numel():
        raise ValueError("one_hot of no labels: give num_classes")
    low, high = (int(labels.data.min()), int(labels.data.max())) if labels.numel() else (0, -1)
    classes = high + 1 if num_classes == -1 else operator.index(num_classes)
    if low < 0 or high >= classes or classes < 1:
        raise ValueError(f"one_hot: labels from {low} to {high} for {classes} classes, 0 to {classes - 1}")
    y = labels.data[..., None] == labels.backend.xp.arange(classes)
    return Tensor(y.astype(np.int64), backend=labels.backend)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor | Array, weight: Tensor | Array | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | Array | None = None,
) -> Tensor:  # fmt: skip
    """Sigmoid and the cross-entropy of yes-or-no questions in one, exact for logits of +-1e4 too.

        loss = w ((1 - t) x + l log(1 + e^-x)),   l = 1 + (pos_weight - 1) t
        gx   = gy w ((1 - t) - l s(-x)),          s(-x) = 1 / (1 + e^x)
        gt   = gy w ((pos_weight - 1) log(1 + e^-x) - x)

    input: logits x, any shape.
    target: t, the probability of yes: a Tensor or array of the input's shape.
    weight: w, a Tensor or array that broadcasts to that shape; 1 if None.
    size_average, reduce: torch's old arguments, refused.
    reduction: "mean", "sum" or "none".
    pos_weight: how much a yes counts, likewise; 1 if None.

    Returns the loss in nats. Raises ValueError where the shapes differ.
    """
    name = "binary_cross_entropy_with_logits"
    _check_reduction(size_average, reduce, reduction, name)
    target = _target_like(input, target, name, "logits")
    backend, dtype, shape = input.backend, input.dtype, input.shape
    xp, x, t = backend.xp, input.data, target.data
    w, positive = (
        xp.ones((), dtype) if v is None else backend.asarray(v.data if isinstance(v, Tensor) else v, dtype)
        for v in (weight, pos_weight)
    )
    e = xp.exp(-xp.abs(x))  # at most 1, so that nothing overflows
    log_term = xp.maximum(-x, dtype.type(0)) + xp.log1p(e)
    factor = 1 + (positive - 1) * t
    losses = w * ((1 - t) * x + factor * log_term)
    if losses.shape != shape:
        raise ValueError(f"{name}: weights of shape {w.shape} and {positive.shape} do not broadcast to {shape}")
    scale = _scale(x, reduction)

    def backward(gy):
        gy = gy * scale * w
        no = xp.where(x >= 0, e / (1 + e), 1 / (1 + e))
        return gy * ((1 - t) - factor * no), gy * ((positive - 1) * log_term - x)

    y = losses if reduction == "none" else losses.sum() * scale
    return Tensor.from_operation(y, backward, input, target, name="binary_cross_entropy_with_logits")


def binary_cross_entropy(
    input: Tensor, target: Tensor | Array, weight: Tensor | Array | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Cross-entropy of yes-or-no questions, of probabilities; of logits binary_cross_entropy_with_logits is exact.

        loss = -w (t log x + (1 - t) log(1 - x)),   each logarithm at least -100
        gx   = gy w (x - t) / (x (1 - x)),   the divisor at least 1e-12
        gt   = gy w (log(1 - x) - log x),   each logarithm as above

    input: probabilities x from 0 to 1, any shape.
    target: t, the probability of yes: a Tensor or array of the input's shape.
    weight: w, a Tensor or array that broadcasts to that shape; 1 if None.
    size_average, reduce: torch's old arguments, refused.
    reduction: "mean", "sum" or "none".

    Returns the loss in nats. Raises ValueError where the shapes differ and where x is not from 0 to 1.
    """
    name = "binary_cross_entropy"
    _check_reduction(size_average, reduce, reduction, name)
    target = _target_like(input, target, name, "probabilities")
    backend, dtype, shape = input.backend, input.dtype, input.shape
    xp, x, t = backend.xp, input.data, target.data
    if not bool(((x >= 0) & (x <= 1)).all()):
        raise ValueError(f"{name} takes probabilities, from 0 to 1: sigmoid() comes first, or {name}_with_logits")
    w = xp.ones((), dtype)
    if weight is not None:
        w = backend.asarray(weight.data if isinstance(weight, Tensor) else weight, dtype)
    one, least = dtype.type(1), dtype.type(-100)
    with np.errstate(divide="ignore"):
        log_yes, log_no = xp.maximum(xp.log(x), least), xp.maximum(xp.log1p(-x), least)
    losses = -w * (t * log_yes + (one - t) * log_no)
    if losses.shape != shape:
        raise ValueError(f"{name}: weights of shape {w.shape} do not broadcast to {shape}")
    scale = _scale(x, reduction)

    def backward(gy):
        gy = gy * scale * w
        return gy * (x - t) / xp.maximum(x * (one - x), dtype.type(_LEAST_DIVISOR)), gy * (log_no - log_yes)

    y = losses if reduction == "none" else losses.sum() * scale
    return Tensor.from_operation(y, backward, input, target, name="binary_cross_entropy")


def _target_like(input: Tensor, target: Tensor | Array, name: str, what: str) -> Tensor:
    """The target as a Tensor of the input's dtype; of its shape and backend it must be. what: the input holds."""
    check_dtypes(name, input)
    if isinstance(target, Tensor):
        target = to(target, input.dtype)
    else:
        target = Tensor(target, dtype=input.dtype, backend=input.backend)
    common_backend(input, target)
    if target.shape != input.shape:
        raise ValueError(f"{name} needs a target of the {what}' shape {input.shape}, got {target.shape}: reshape it")
    return target


def _scale(x, reduction):
    """What each loss is multiplied by; the mean of nothing is NaN."""
    return 1.0 if reduction != "mean" else 1 / x.size if x.size else math.nan


def l1_loss(
    input: Tensor, target: Tensor | Array, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | Array | None = None,
) -> Tensor:  # fmt: skip
    """Mean absolute error.

        loss = |x - t|, its mean, its sum or element by element      gx = gy sign(x - t), gt = -gx

    input, target: Tensors that broadcast together.
    size_average, reduce: torch's old arguments, refused.
    reduction: "mean" (with weights, divided by their sum), "sum" or "none".
    weight: a Tensor or array of the input's shape; 1 if None.

    Raises ValueError for another reduction or shape of weights.
    """
    _check_reduction(size_average, reduce, reduction, "l1_loss")

    def distance(xp, d):
        return xp.abs(d), xp.sign(d)

    losses = _of_difference(input, target, distance, "l1_loss")
    if weight is None:
        return _reduced(losses, reduction)
    weight = _weight(weight, input, "l1_loss")
    total = _reduced(losses * weight, "none" if reduction == "none" else "sum")
    return total / weight.sum() if reduction == "mean" else total


def smooth_l1_loss(
    input: Tensor, target: Tensor | Array, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """Absolute error, with a parabola in the place of the kink.

        loss = d^2 / (2 beta) where |d| < beta, else |d| - beta / 2,   d = x - t
        gx   = gy d / beta    where |d| < beta, else gy sign(d);       gt = -gx

    input, target: Tensors that broadcast together.
    size_average, reduce: torch's old arguments, refused.
    reduction: "mean", "sum" or "none".
    beta: where the parabola ends; 0 for l1_loss.

    Raises ValueError for another reduction and a negative beta.
    Girshick, "Fast R-CNN", 2015.
    """
    _check_reduction(size_average, reduce, reduction, "smooth_l1_loss")
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    beta = float(beta)

    def distance(xp, d):
        size = xp.abs(d)
        if not beta:
            return size, xp.sign(d)
        near = size < beta
        return xp.where(near, d * d * (0.5 / beta), size - 0.5 * beta), xp.where(near, d * (1 / beta), xp.sign(d))

    return _reduced(_of_difference(input, target, distance, "smooth_l1_loss"), reduction)


def huber_loss(
    input: Tensor, target: Tensor | Array, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | Array | None = None,
) -> Tensor:  # fmt: skip
    """Squared error of small differences, absolute error of large ones.

        loss = d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2),   d = x - t
        gx   = gy d    where |d| <= delta, else gy delta sign(d);          gt = -gx

    input, target: Tensors that broadcast together.
    reduction: "mean", "sum" or "none".
    delta: where the parabola ends, above 0.
    weight: a Tensor or array of the input's shape that multiplies each loss; 1 if None.

    Raises ValueError for another reduction, another delta or shape of weights.
    """
    _check_reduction(None, None, reduction, "huber_loss")
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be above 0, got {delta}")
    delta = float(delta)

    def distance(xp, d):
        size = xp.abs(d)
        near = size <= delta
        return xp.where(near, 0.5 * d * d, delta * (size - 0.5 * delta)), xp.where(near, d, delta * xp.sign(d))

    losses = _of_difference(input, target, distance, "huber_loss")
    return _reduced(losses if weight is None else losses * _weight(weight, input, "huber_loss"), reduction)


def _of_difference(input, target, distance, name):
    """An operation on input - target; distance: (xp, difference) -> its values and their slopes."""
    x, t = _operands(input, target)
    check_dtypes(name, x)
    if x.shape != t.shape:
        warnings.warn(
            f"{name} of {x.shape} and {t.shape} broadcasts them, rarely what is meant: reshape the target", stacklevel=3
        )
    shapes = x.shape, t.shape
    y, slope = distance(x.backend.xp, x.data - t.data)

    def backward(gy):
        gx = gy * slope
        return unbroadcast(gx, shapes[0]), unbroadcast(-gx, shapes[1])

    return Tensor.from_operation(y, backward, x, t, name=name)


def _reduced(losses, reduction):
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def _weight(weight, input, name):
    weight = weight if isinstance(weight, Tensor) else Tensor(weight, dtype=input.dtype, backend=input.backend)
    if weight.shape != input.shape:
        raise ValueError(f"{name} needs a weight for each element, of shape {input.shape}, got {weight.shape}")
    return weight
