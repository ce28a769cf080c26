"""Clipping of gradients, in place, between backward() and the optimiser's step. Names and arguments are torch's."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..support import absent
from ..tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale all gradients by one factor, so that together they are no longer than max_norm.

        g = g min(1, max_norm / (|g| + 1e-6)),    |g|: the norm of all gradients as one vector

    parameters: Tensors, or one; those without a gradient do not count.
    max_norm: the largest norm.
    norm_type: p of the p-norm; math.inf, or "inf", for the largest absolute value.
    error_if_nonfinite: whether a norm that is NaN or infinite is an error rather than the factor.
    foreach: accepted, without effect.

    Returns |g| from before, a Tensor without axes. Raises RuntimeError for one that is NaN or infinite, where asked to,
    before anything is changed.
    Pascanu, Mikolov and Bengio 2013, algorithm 1.
    """
    found, norm_type = _with_gradient(parameters), float(norm_type)
    if not found:
        return Tensor(0.0)
    backend = found[0].backend
    xp, norms = backend.xp, [_norm(p.backend.xp, p.grad.data, norm_type) for p in found]
    if any(p.backend is not backend for p in found):
        xp, norms = np, [p.backend.to_numpy(norm) for p, norm in zip(found, norms, strict=True)]
    with np.errstate(over="ignore", invalid="ignore"):
        total = _norm(xp, xp.stack([xp.asarray(norm, np.float64) for norm in norms]), norm_type)
        if error_if_nonfinite and not math.isfinite(total):
            raise RuntimeError(
                f"the norm of the gradients is {float(total)}, so they cannot be clipped: find the NaN or inf, or use "
                "error_if_nonfinite=False to scale by it all the same"
            )
        factor = xp.minimum(max_norm / (total + 1e-6), 1.0)
        if xp is np:
            factor = float(factor)
        # A GPU multiplies by 1 rather than have the host wait for the factor.
        for p in found if xp is not np or factor != 1 else ():
            p.grad.data *= p.dtype.type(factor) if xp is np else factor.astype(p.dtype)
    return Tensor(backend.asarray(total, found[0].dtype), backend=backend)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Clip every element of the gradients to -clip_value ... clip_value.

    parameters: Tensors, or one.
    clip_value: the largest absolute value.
    foreach: accepted, without effect.
    """
    for p in _with_gradient(parameters):
        p.grad.clamp_(-float(clip_value), float(clip_value))


def _with_gradient(parameters):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p for p in parameters if p.grad is not None]


def _norm(xp, array, p):
    """The p-norm of an array as one vector, in float64."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if not array.size:
            return xp.zeros(())
        if math.isinf(p):
            return (xp.max if p > 0 else xp.min)(xp.abs(array))
        if p == 0:
            return (array != 0).sum()
        if p == 2:
            return xp.sqrt(xp.sum(xp.square(array), dtype=np.float64))
        return xp.sum(xp.abs(array) ** p, dtype=np.float64) ** (1 / p)


if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "nn.utils")
