"""What training makes small."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """Softmax and negative log-likelihood in one, so that logits of +-1e4 neither overflow nor lose the gradient.

    loss_n = -sum over c of  q_nc log p_nc        p = softmax(x)
    gx_nc  = gy_n (p_nc sum over c' of q_nc' - q_nc)
    q_nc   = w_c ((1 - s) [c = target_n] + s / C),   s = label_smoothing

    input (N, C) or (N, C, d1, ...), target (N, d1, ...) of whole numbers: classes, or ignore_index where a row does
    not count. weight: w_c, a Tensor or array (C); 1 where left out. reduction: "mean" (divided by the sum of the
    weights of the targets), "sum" or "none". ValueError for shapes that do not fit and labels out of range.
    """
    if size_average is not None or reduce is not None:
        raise ValueError('cross_entropy: instead of size_average and reduce use reduction="mean", "sum" or "none"')
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction is "mean", "sum" or "none", got {reduction!r}')
    backend = input.backend
    xp = backend.xp
    target = backend.asarray(target.data if isinstance(target, Tensor) else target)
    _check_target(xp, input.shape, target, ignore_index)
    classes = input.shape[1]
    rows = xp.moveaxis(input.data, 1, -1).reshape(-1, classes)
    labels = target.reshape(-1)
    valid = labels != ignore_index
    labels = xp.where(valid, labels, 0)
    weight = weight.data if isinstance(weight, Tensor) else weight
    w = xp.ones(classes, input.dtype) if weight is None else backend.asarray(weight, input.dtype)
    if w.shape != (classes,):
        raise ValueError(f"cross_entropy: {w.shape} class weights for {classes} classes, expected ({classes},)")
    losses, saved = backend.cross_entropy(rows, labels, w, valid, label_smoothing)
    with np.errstate(invalid="ignore", divide="ignore"):  # no row that counts: 0 / 0 is NaN, as in torch
        scale = 1 / xp.where(valid, w[labels], 0).sum() if reduction == "mean" else input.dtype.type(1)
    shape, inner = target.shape, (input.shape[0], *input.shape[2:], classes)

    def backward(gy):
        per_row = xp.broadcast_to(gy * scale if reduction != "none" else gy, shape).reshape(-1)
        gx = backend.cross_entropy_backward(per_row, saved, labels, w, valid, label_smoothing)
        return (xp.moveaxis(gx.reshape(inner), -1, 1),)

    y = losses.reshape(shape) if reduction == "none" else losses.sum() * scale
    return Tensor.from_operation(y, backward, input)


def _check_target(xp, shape, target, ignore_index):
    if len(shape) < 2 or target.shape != (shape[0], *shape[2:]):
        raise ValueError(
            f"cross_entropy needs input (N, C, ...) and a target of shape (N, ...), got {shape} and {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise ValueError(f"cross_entropy: targets are whole numbers (class labels), got {target.dtype}")
    wrong = (target != ignore_index) & ((target < 0) | (target >= shape[1]))
    if bool(wrong.any()):
        place = tuple(int(i[0]) for i in xp.nonzero(wrong))
        raise ValueError(
            f"cross_entropy: label {int(target[place])} at {place} is no class: there are 0 to {shape[1] - 1}"
        )
