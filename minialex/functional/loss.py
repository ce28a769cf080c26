"""Loss functions."""

from __future__ import annotations

import warnings

import numpy as np

from ..support import mistakes
from ..support.types import Array
from ..tensor import Tensor, common_backend
from . import unusual


def cross_entropy(
    input: Tensor, target: Tensor | Array, weight: Tensor | Array | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Softmax and negative log-likelihood in one, exact for logits of +-1e4 too.

        loss_n = -sum over c of  q_nc log p_nc        p = softmax(x)
        gx_nc  = gy_n (p_nc sum over c' of q_nc' - q_nc)
        q_nc   = w_c ((1 - s) [c = target_n] + s / C),   s = label_smoothing

    input: logits (N, C) or (N, C, d1, ...), or (C,) of one sample.
    target: class labels, integers (N,) or (N, d1, ...); or class probabilities q, of the input's shape, which are then
        smoothed and multiplied by w_c.
    weight: w_c, a Tensor or array (C); 1 if None.
    size_average, reduce: torch's old arguments, refused.
    ignore_index: the label of rows that do not count.
    reduction: "mean" (divided by the sum of the labels' weights; of probabilities by N), "sum" or "none".
    label_smoothing: s, a share from 0 to 1.

    Returns the loss in nats: a Tensor without axes, or of the target's shape for "none". Raises ValueError for shapes
        that do not fit and for labels that are no class.
    """
    backend = common_backend(input)
    target = target if hasattr(target, "shape") else np.asarray(target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is a share from 0 to 1, got {label_smoothing}")
    if input.ndim < 2 or target.shape == input.shape:
        _check_reduction(size_average, reduce, reduction, "cross_entropy")
        return unusual.cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    setup = _rows(input, target, weight, size_average, ignore_index, reduce, reduction, "cross_entropy")
    xp, rows, labels, valid, w, scale = setup
    inner, shape = (input.shape[0], *input.shape[2:], input.shape[1]), (input.shape[0], *input.shape[2:])
    smoothing = float(label_smoothing)  # a NumPy number would widen float32
    losses, saved = backend.cross_entropy(rows, labels, w, valid, smoothing)

    def backward(gy):
        per_row = _per_row(xp, gy, scale, shape)
        gx = backend.cross_entropy_backward(per_row, saved, labels, w, valid, smoothing)
        return (gx if len(inner) == 2 else xp.moveaxis(gx.reshape(inner), -1, 1),)

    return Tensor.from_operation(_reduced(losses, scale, shape), backward, input, name="cross_entropy")


def nll_loss(
    input: Tensor, target: Tensor | Array, weight: Tensor | Array | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Negative log-likelihood of log-probabilities, as log_softmax gives them.

        loss_n = -w_c x_nc,   c = target_n        gx_nc = -gy_n w_c [c = target_n]

    input: log-probabilities (N, C) or (N, C, d1, ...), or (C,) of one sample.
    target: class labels, integers (N,) or (N, d1, ...).
    weight: w_c, a Tensor or array (C); 1 if None.
    size_average, reduce: torch's old arguments, refused.
    ignore_index: the label of rows that do not count.
    reduction: "mean" (divided by the sum of the targets' weights), "sum" or "none".

    Returns the loss and raises as cross_entropy does.
    """
    common_backend(input)
    if input.ndim < 2:
        _check_reduction(size_average, reduce, reduction, "nll_loss")
        target = target if hasattr(target, "shape") else np.asarray(target)
        return unusual.nll_loss(input, target, weight, ignore_index, reduction)
    setup = _rows(input, target, weight, size_average, ignore_index, reduce, reduction, "nll_loss")
    xp, rows, labels, valid, w, scale = setup
    inner, shape = (input.shape[0], *input.shape[2:], input.shape[1]), (input.shape[0], *input.shape[2:])
    every = xp.arange(len(rows))
    losses = xp.where(valid, -w[labels] * rows[every, labels], rows.dtype.type(0))
    dtype = rows.dtype

    def backward(gy):
        gx = xp.zeros((len(labels), inner[-1]), dtype)
        gx[every, labels] = xp.where(valid, -w[labels] * _per_row(xp, gy, scale, shape), dtype.type(0))
        return (xp.moveaxis(gx.reshape(inner), -1, 1),)

    return Tensor.from_operation(_reduced(losses, scale, shape), backward, input, name="nll_loss")


def mse_loss(
    input: Tensor, target: Tensor | Array, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | Array | None = None,
) -> Tensor:  # fmt: skip
    """Mean squared error.

        loss = w (x - t)^2, its mean, its sum or element by element      gx = 2 w (x - t) gy / sum w, gt = -gx

    input, target: Tensors that broadcast together.
    size_average, reduce: torch's old arguments, refused.
    reduction: "mean", "sum" or "none".
    weight: w, a Tensor of the input's shape; 1 if None.

    Raises ValueError for another reduction, and weights of another shape.
    """
    _check_reduction(size_average, reduce, reduction, "mse_loss")
    if np.shape(input) != np.shape(target):
        shapes = f"{tuple(np.shape(input))} and {tuple(np.shape(target))}"
        mistakes.check_broadcast("mse_loss", np.shape(input), np.shape(target))
        warnings.warn(f"mse_loss of {shapes} broadcasts them, rarely what is meant: reshape the target", stacklevel=2)
    difference = input - target
    squares = difference * difference
    if weight is not None:
        if np.shape(weight) != input.shape:
            raise ValueError(f"mse_loss: weights of shape {np.shape(weight)} for input {input.shape}")
        squares = squares * weight
        return squares if reduction == "none" else squares.sum() / (weight.sum() if reduction == "mean" else 1)
    return squares.mean() if reduction == "mean" else squares.sum() if reduction == "sum" else squares


def _check_reduction(size_average, reduce, reduction, name):
    if size_average is not None or reduce is not None:
        raise ValueError(f'{name}: instead of size_average and reduce use reduction="mean", "sum" or "none"')
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{name}: reduction is "mean", "sum" or "none", got {reduction!r}')


def _rows(input, target, weight, size_average, ignore_index, reduce, reduction, name):
    """What the losses over classes share: (xp, rows (M, C), labels (M,), which of them count, w (C,), scale).

    scale: what each loss is multiplied by in the reduction, None for reduction="none".
    """
    _check_reduction(size_average, reduce, reduction, name)
    backend = common_backend(input)
    _check_scores(name, input)
    xp = backend.xp
    target = target.data if isinstance(target, Tensor) else target
    target = target if isinstance(target, xp.ndarray) else np.asarray(target)
    _check_target(input.shape, target, ignore_index, name)  # NumPy's labels here: to ask a GPU is to wait for it
    labels, classes = backend.asarray(target).reshape(-1), input.shape[1]
    valid = labels != ignore_index
    labels = labels * valid
    weight = weight.data if isinstance(weight, Tensor) else weight
    w = xp.ones(classes, input.dtype) if weight is None else backend.asarray(weight, input.dtype)
    if w.shape != (classes,):
        raise ValueError(f"{name}: {w.shape} class weights for {classes} classes, expected ({classes},)")
    scale = None if reduction == "none" else input.dtype.type(1)
    if reduction == "mean":
        counted = target != ignore_index if weight is None else xp.where(valid, w[labels], 0)
        total = counted.sum(dtype=input.dtype)  # without weights and of NumPy's labels in NumPy: on a GPU, no launch
        with np.errstate(divide="ignore", invalid="ignore"):  # no row that counts: 0 / 0 is NaN, as in torch
            scale = (1 / total) * (total / total)
    rows = input.data if input.ndim == 2 else xp.moveaxis(input.data, 1, -1).reshape(-1, classes)
    return xp, rows, labels, valid, w, scale


def _check_scores(name, input):
    if input.dtype.kind != "f":
        got = f"got {input.dtype} scores: give the scores of all classes first, and then the labels"
        raise TypeError(f"{name} computes with floating-point numbers, {got}")


def _per_row(xp, gy, scale, shape):
    """The gradient of every row's loss."""
    per_row = xp.broadcast_to(gy, shape)
    return (per_row if scale is None else per_row * scale).reshape(-1)


def _reduced(losses, scale, shape):
    return losses.reshape(shape) if scale is None else losses.sum() * scale


def _check_target(shape, target, ignore_index, name):
    if len(shape) < 2 or not shape[1] or target.shape != (shape[0], *shape[2:]):
        raise ValueError(
            f"{name} needs input (N, C, ...) and a target of shape (N, ...), got {shape} and {target.shape}"
            + mistakes.about_labels(shape, target)
        )
    if target.dtype.kind not in "iu":
        raise ValueError(f"{name}: targets are whole numbers (class labels), got {target.dtype}: target.long()")
    wrong = (target != ignore_index) & ((target < 0) | (target >= shape[1]))
    if bool(wrong.any()):
        place = tuple(int(i[0]) for i in wrong.nonzero())
        raise ValueError(f"{name}: label {int(target[place])} at {place} is no class: there are 0 to {shape[1] - 1}")
