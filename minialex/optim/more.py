"""Optimisers that a reader of the core may skip."""

from __future__ import annotations

import math
from typing import Any

from ..support.arguments import refuse
from ..tensor import Tensor
from .optimizers import Optimizer, Params


class RMSprop(Optimizer):
    """Root mean square propagation: each weight's step is divided by the recent size of its gradient.

        g = gradient + weight_decay w
        s = alpha s + (1 - alpha) g^2            centered: a = alpha a + (1 - alpha) g, and s - a^2 instead of s below
        w = w - lr g / (sqrt(s) + eps)           with momentum: b = momentum b + g / (sqrt(s) + eps), w = w - lr b

    params: as of Optimizer.
    lr: learning rate.
    alpha: share of the moving averages that a step keeps, from 0 to 1.
    eps: keeps the divisor above 0.
    weight_decay: L2 penalty.
    momentum: share of b that a step keeps.
    centered: whether to divide by the standard deviation of the gradient rather than by its root mean square.
    capturable, maximize, differentiable: torch's, False only.
    foreach: as of SGD.

    Raises as Optimizer does.
    Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning".
    """

    keeps = "step", "square_avg", "momentum_buffer", "grad_avg"
    may_lack = "momentum_buffer", "grad_avg"

    def __init__(
        self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        torchs = {"capturable": capturable, "maximize": maximize, "differentiable": differentiable}
        refuse("RMSprop", **{name: (value, False) for name, value in torchs.items()})
        settings = {"alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, {"lr": lr, **settings, "centered": centered})

    def check(self, group: dict[str, Any]) -> None:
        if not 0 <= group["alpha"] <= 1:
            raise ValueError(f"RMSprop: alpha must be from 0 to 1, got {group['alpha']}")
        for name in ("eps", "momentum"):
            if not 0 <= group[name] < math.inf:
                raise ValueError(f"RMSprop: {name} must be a number from 0 on, got {group[name]}")

    def update(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """One step of one parameter, on arrays of its backend."""
        xp, w, g = p.backend.xp, p.data, p._grad
        lr, alpha, eps = float(group["lr"]), float(group["alpha"]), float(group["eps"])  # NumPy's would widen float32
        needed = ["square_avg"] + ["momentum_buffer"] * (group["momentum"] > 0) + ["grad_avg"] * group["centered"]
        for name in needed:
            if name not in state:
                state[name] = xp.zeros_like(w)
        state["step"] = state.get("step", 0) + 1
        if group["weight_decay"]:
            g = g + float(group["weight_decay"]) * w
        square = state["square_avg"]
        square *= alpha
        square += (1 - alpha) * g * g
        if group["centered"]:
            mean = state["grad_avg"]
            mean += (1 - alpha) * (g - mean)
            square = xp.maximum(square - mean * mean, 0)  # rounding may bring it below 0
        step = g / (xp.sqrt(square) + eps)
        if group["momentum"]:
            buffer = state["momentum_buffer"]
            buffer *= float(group["momentum"])
            buffer += step
            step = buffer
        w -= lr * step
