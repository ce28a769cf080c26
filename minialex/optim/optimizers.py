"""Gradient descent: SGD with momentum, Adam, AdamW. Names, arguments and the layout of the state are torch's."""

from __future__ import annotations

import math

from ..support.arguments import refuse
from ..support.types import Any, Callable, Iterable, TypeAlias
from ..tensor import Tensor
from . import loading

Params: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]]  # parameters, or groups of them with settings


class Optimizer:
    """What all optimisers share: groups of parameters with their settings, and a state for each parameter.

    params: parameters, or a list of groups {"params": [...], "lr": ..., "weight_decay": ...}, whose own settings
        override the defaults. A parameter without a gradient is not changed.
    defaults: the settings of groups that do not give their own.

    Raises ValueError for no parameters, for one that is listed twice, for unknown settings and impossible numbers,
    TypeError for what is not a Parameter.
    """

    keeps: tuple[str, ...] | None = None  # the names in the state of a parameter; None for any
    may_lack: tuple[str, ...] = ()  # those that it does not have under all settings

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        if hasattr(params, "parameters") or hasattr(params, "bump_version"):  # a Module, a Tensor
            raise TypeError(f"the optimiser takes model.parameters(), or a list, not a {type(params).__name__}")
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("the optimiser got no parameters")
        groups = groups if isinstance(groups[0], dict) else [{"params": groups}]
        self.param_groups, self._parameters = [], []
        self.state = {}  # index of a parameter -> its arrays by name
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters to those that are trained, such as a layer that is no longer frozen.

        param_group: {"params": [...], "lr": ..., ...}; settings that it does not give are the optimiser's defaults.

        Raises as the constructor does. Make schedulers afterwards: each knows the groups of when it was made.
        """
        group = self._group(param_group)
        parameters = [*self._parameters, *group["params"]]
        if len({id(p) for p in parameters}) != len(parameters):
            raise ValueError("a parameter stands in the optimiser twice")
        self.param_groups.append(group)
        self._parameters = parameters

    def _group(self, group):
        unknown = set(group) - {"params", *self.defaults}
        if unknown:
            raise ValueError(f"unknown settings in a parameter group: {', '.join(sorted(unknown))}")
        params = group["params"]
        group = {**self.defaults, **group, "params": [params] if hasattr(params, "bump_version") else list(params)}
        wrong = [p for p in group["params"] if not hasattr(p, "bump_version")]
        if wrong:
            raise TypeError(f"an optimiser changes Parameters, got {type(wrong[0]).__name__}")
        loading.check(self, group)
        return group

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError where a group's settings are impossible; each optimiser checks its own.

        group: a dict of settings.
        """

    def update(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """One step of one parameter, in place.

        p: the Parameter, whose gradient is there.
        group: the settings of its group.
        state: a dict of its own, kept from step to step.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients of all parameters to None, or, with set_to_none=False, those that are there to 0."""
        for p in self._parameters:
            p.grad = None if set_to_none or p.grad is None else p.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place.

        closure: a function that computes the gradients anew and returns the loss, which is called first.

        Returns what closure returned, or None.
        """
        loss = None if closure is None else closure()
        index = -1
        for group in self.param_groups:
            for p in group["params"]:
                index += 1
                if p.grad is not None:
                    self.update(p, group, self.state.setdefault(index, {}))
                    p.bump_version()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """{"state": {index: {name: array or number}}, "param_groups": [settings with parameter indices]}."""
        groups, start = [], 0
        for group in self.param_groups:
            indices = list(range(start, start + len(group["params"])))
            groups.append({**group, "params": indices})
            start += len(indices)
        return {"state": {i: dict(s) for i, s in self.state.items() if s}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over arrays (copied) and settings.

        state_dict: what the method state_dict returned.

        Raises ValueError, before anything is changed, where groups, settings, names or shapes are not this optimiser's.
        """
        settings, loaded = loading.read(self, state_dict)
        for group, saved in zip(self.param_groups, settings, strict=True):
            group.update(saved)
        self.state = loaded


class SGD(Optimizer):
    """Stochastic gradient descent with momentum.

        g = gradient + weight_decay w
        velocity="torch":   v = momentum v + (1 - dampening) g       w = w - lr v
        velocity="paper":   v = momentum v + (1 - dampening) lr g    w = w - v

    The paper has the learning rate inside the velocity, torch outside. While the rate is constant both take the same
    path; after a change of rate the paper's velocity still carries the old one.

    params: as of Optimizer.
    lr: learning rate.
    momentum: share of the velocity that a step keeps.
    dampening: share of the gradient that does not enter the velocity.
    weight_decay: L2 penalty.
    nesterov: w moves by g + momentum v (torch) or lr g + momentum v (paper) instead of v.
    maximize, differentiable: torch's, False only.
    foreach, fused: torch's; they choose how it computes, not what, and change nothing here.
    velocity: "torch" or "paper".

    Raises as Optimizer does, and ValueError for nesterov without momentum or with dampening.
    Krizhevsky et al. 2012, section 5.
    """

    keeps = ("momentum_buffer",)

    def __init__(
        self, params: Params, lr: float = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None, velocity: str = "torch",
    ) -> None:  # fmt: skip
        refuse("SGD", maximize=(maximize, False), differentiable=(differentiable, False))
        if velocity not in ("torch", "paper"):
            raise ValueError(f'velocity is "torch" or "paper", got {velocity!r}')
        self.velocity = velocity
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        if not 0 <= group["momentum"] < math.inf:
            raise ValueError(f"SGD: momentum must be a number from 0 on, got {group['momentum']}")
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")

    def update(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """One step of one parameter; the arithmetic is the backend's `sgd`."""
        momentum, dampening, v = group["momentum"], group["dampening"], None
        if momentum:
            if not state:  # torch's first velocity is the gradient, undampened
                state["momentum_buffer"], dampening = p.backend.xp.zeros_like(p.data), 0
            v = state["momentum_buffer"]
        p.backend.sgd(
            p.data, p._grad, v, group["lr"], momentum, dampening, group["weight_decay"], group["nesterov"],
            self.velocity == "paper",
        )  # fmt: skip


class Adam(Optimizer):
    """Adaptive moments.

        g = gradient + weight_decay w
        m = b1 m + (1 - b1) g            v = b2 v + (1 - b2) g^2          moving averages, which start from 0 and so are
        m^ = m / (1 - b1^t)              v^ = v / (1 - b2^t)              too small at first: corrected at step t
        w = w - lr m^ / (sqrt(v^) + eps)

    params: as of Optimizer.
    lr: learning rate.
    betas: (b1, b2), each at least 0 and below 1.
    eps: keeps the divisor above 0.
    weight_decay: L2 penalty.
    amsgrad, maximize, capturable, differentiable, decoupled_weight_decay: torch's, False only.
    foreach, fused: as of SGD.

    Raises as Optimizer does.
    Kingma and Ba 2015, algorithm 1.
    """

    keeps = "step", "exp_avg", "exp_avg_sq"
    decoupled = False  # whether the decay goes into the gradient, and so through the averages

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        refuse("Adam", "AdamW has it", decoupled_weight_decay=(decoupled_weight_decay, False))
        refuse(
            type(self).__name__, amsgrad=(amsgrad, False), maximize=(maximize, False),
            capturable=(capturable, False), differentiable=(differentiable, False),
        )  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def check(self, group: dict[str, Any]) -> None:
        if not all(0 <= b < 1 for b in group["betas"]):
            raise ValueError(f"{type(self).__name__}: betas must be from 0 to below 1, got {group['betas']}")
        if not 0 <= group["eps"] < math.inf:
            raise ValueError(f"{type(self).__name__}: eps must be a number from 0 on, got {group['eps']}")

    def update(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """One step of one parameter; the arithmetic is the backend's `adam`."""
        if not state:
            state.update(step=0, exp_avg=p.backend.xp.zeros_like(p.data), exp_avg_sq=p.backend.xp.zeros_like(p.data))
        state["step"] += 1
        p.backend.adam(
            p.data, p._grad, state["exp_avg"], state["exp_avg_sq"], state["step"],
            group["lr"], *group["betas"], group["eps"], group["weight_decay"], self.decoupled,
        )  # fmt: skip


class AdamW(Adam):
    """Adam whose weight decay does not pass through the moving averages.

        w = w - lr weight_decay w, then Adam's step with g = gradient

    params, lr, betas, eps, weight_decay, amsgrad, maximize, foreach, capturable, differentiable, fused: as of Adam.

    Loshchilov and Hutter 2019, algorithm 2.
    """

    decoupled = True

    def __init__(
        self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        torchs = {"maximize": maximize, "capturable": capturable, "differentiable": differentiable}
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **torchs)
