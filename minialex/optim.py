"""Gradient descent with momentum, and the schedules of its rate. Names, arguments and state layout are torch's."""

from __future__ import annotations

import bisect
import math


class SGD:
    """Stochastic gradient descent with momentum.

    g = gradient + weight_decay w
    velocity="torch":   v = momentum v + (1 - dampening) g       w = w - lr v
    velocity="paper":   v = momentum v + (1 - dampening) lr g    w = w - v

    The paper (Krizhevsky et al. 2012, section 5) has the rate inside the velocity, torch outside; while the rate
    is constant both take the same path. After a change of rate the paper's velocity still carries the old one.
    nesterov: w moves by g + momentum v (torch) or lr g + momentum v (paper) instead of v.

    params: parameters, or a list of groups {"params": [...], "lr": ..., "weight_decay": ...}, where a group's
    own settings go before the rest. A parameter without a gradient is left alone. ValueError for impossible settings.
    """

    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, velocity="torch"):
        if velocity not in ("torch", "paper"):
            raise ValueError(f'velocity is "torch" or "paper", got {velocity!r}')
        self.velocity = velocity
        self.defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
        }
        groups = list(params)
        if not groups:
            raise ValueError("the optimiser got no parameters")
        groups = groups if isinstance(groups[0], dict) else [{"params": groups}]
        self.param_groups = [self._group(group) for group in groups]
        self._parameters = [p for group in self.param_groups for p in group["params"]]
        if len({id(p) for p in self._parameters}) != len(self._parameters):
            raise ValueError("a parameter stands in the optimiser twice")
        self.state = {}  # index of a parameter -> {"momentum_buffer": v}

    def _group(self, group):
        unknown = set(group) - {"params", *self.defaults}
        if unknown:
            raise ValueError(f"unknown settings in a parameter group: {', '.join(sorted(unknown))}")
        group = {**self.defaults, **group, "params": list(group["params"])}
        for name in ("lr", "momentum", "weight_decay"):
            if not 0 <= group[name] < math.inf:
                raise ValueError(f"SGD: {name} must be a number from 0 on, got {group[name]}")
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")
        return group

    def zero_grad(self):
        """Forget all gradients."""
        for p in self._parameters:
            p.grad = None

    def step(self):
        """Move every parameter that has a gradient, in place."""
        index = -1
        for group in self.param_groups:
            for p in group["params"]:
                index += 1
                if p.grad is not None:
                    self._update(index, p, group)

    def _update(self, index, p, group):
        momentum, dampening, v = group["momentum"], group["dampening"], None
        if momentum:
            if index not in self.state:  # torch's first velocity is the gradient, undampened
                self.state[index], dampening = {"momentum_buffer": p.backend.xp.zeros_like(p.data)}, 0
            v = self.state[index]["momentum_buffer"]
        p.backend.sgd(
            p.data, p.grad, v, group["lr"], momentum, dampening, group["weight_decay"], group["nesterov"],
            self.velocity == "paper",
        )
        p.bump_version()

    def state_dict(self):
        """{"state": {index: {"momentum_buffer": v}}, "param_groups": [settings with parameter indices]}."""
        groups, start = [], 0
        for group in self.param_groups:
            indices = list(range(start, start + len(group["params"])))
            groups.append({**group, "params": indices})
            start += len(indices)
        return {"state": {i: dict(s) for i, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state):
        """Take over velocities (copied) and settings; ValueError where groups or shapes differ."""
        sizes = [len(g["params"]) for g in self.param_groups]
        if [len(g["params"]) for g in state["param_groups"]] != sizes:
            raise ValueError(f"this optimiser state is of other parameters: the groups should hold {sizes} of them")
        buffers = {int(i): s["momentum_buffer"] for i, s in state["state"].items()}
        for i, v in buffers.items():
            if v.shape != self._parameters[i].shape:
                raise ValueError(f"velocity {i} has shape {v.shape}, its parameter {self._parameters[i].shape}")
        for group, saved in zip(self.param_groups, state["param_groups"], strict=True):
            group.update({name: value for name, value in saved.items() if name != "params"})
        own = {i: self._parameters[i] for i in buffers}
        self.state = {
            i: {"momentum_buffer": p.backend.xp.array(p.backend.asarray(buffers[i], p.dtype))} for i, p in own.items()
        }


class _Schedule:
    """Changes every group's rate between epochs."""

    def __init__(self, optimizer):
        self.optimizer, self.last_epoch = optimizer, 0
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]

    def _set_rates(self, factor):
        self.last_epoch += 1
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * factor(self.last_epoch)

    def state_dict(self):
        """All that the schedule knows, but the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state):
        """Go on from a saved state."""
        vars(self).update(state)


class StepLR(_Schedule):
    """lr = initial lr * gamma^floor(epoch / step_size)"""

    def __init__(self, optimizer, step_size, gamma=0.1):
        super().__init__(optimizer)
        self.step_size, self.gamma = step_size, gamma

    def step(self):
        """To be called after every epoch."""
        self._set_rates(lambda epoch: self.gamma ** (epoch // self.step_size))


class MultiStepLR(_Schedule):
    """lr = initial lr * gamma^(number of milestones reached)"""

    def __init__(self, optimizer, milestones, gamma=0.1):
        super().__init__(optimizer)
        self.milestones, self.gamma = sorted(milestones), gamma

    def step(self):
        """To be called after every epoch."""
        self._set_rates(lambda epoch: self.gamma ** bisect.bisect_right(self.milestones, epoch))


class ReduceLROnPlateau(_Schedule):
    """lr = lr * factor once `patience` epochs in a row brought nothing better: the paper's rule, by hand in 2012.

    Better: below best * (1 - threshold) for mode="min", above best * (1 + threshold) for "max".
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4):
        super().__init__(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f'mode is "min" or "max", got {mode!r}')
        self.mode, self.by, self.patience, self.threshold = mode, factor, patience, threshold
        self.best, self.bad_epochs = None, 0

    def step(self, metric):
        """To be called after every epoch with the figure that should improve."""
        self.last_epoch += 1
        if self._better(float(metric)):
            self.best, self.bad_epochs = float(metric), 0
        else:
            self.bad_epochs += 1
        if self.bad_epochs > self.patience:
            self.bad_epochs = 0
            for group in self.optimizer.param_groups:
                group["lr"] *= self.by

    def _better(self, metric):
        if self.best is None:
            return metric == metric
        if self.mode == "min":
            return metric < self.best * (1 - self.threshold)
        return metric > self.best * (1 + self.threshold)
