"""Further losses."""

from __future__ import annotations

import math

import numpy as np

from ...tensor import Tensor, check_dtypes, common_backend
from ..arithmetic import to
from ..loss import _check_reduction


def one_hot(tensor, num_classes=-1):
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
    classes = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= classes or classes < 1:
        raise ValueError(f"one_hot: labels from {low} to {high} for {classes} classes, 0 to {classes - 1}")
    y = labels.data[..., None] == labels.backend.xp.arange(classes)
    return Tensor(y.astype(np.int64), backend=labels.backend)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
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
    check_dtypes(name, input)
    backend, dtype, shape = input.backend, input.dtype, input.shape
    target = to(target, dtype) if isinstance(target, Tensor) else Tensor(target, dtype=dtype, backend=backend)
    common_backend(input, target)
    if target.shape != shape:
        raise ValueError(f"{name} needs a target of the logits' shape {shape}, got {target.shape}: reshape it")
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
    scale = math.nan if not x.size else 1 / x.size
    scale = scale if reduction == "mean" else 1.0

    def backward(gy):
        gy = gy * scale * w
        no = xp.where(x >= 0, e / (1 + e), 1 / (1 + e))
        return gy * ((1 - t) - factor * no), gy * ((positive - 1) * log_term - x)

    y = losses if reduction == "none" else losses.sum() * scale
    return Tensor.from_operation(y, backward, input, target, name="binary_cross_entropy_with_logits")
