"""The update of 2012, with rates of their own for every weight and bias."""

from __future__ import annotations

import math

from ..optim import SGD, LRScheduler, Optimizer
from ..random import Generator

_NOISE = 2**63  # the first number of the draws for learning rates: no others get so far


class SGD2012(SGD):
    """Gradient descent as in cuda-convnet, each weight and each bias with rates of its own.

        rate = schedule at p = step / total_steps
        V    = momentum V + rate (-coefficient gradient - decay W)         W = W + V
        then every filter w of W with |w| > limit becomes w limit / |w|

    groups: [{"params": [one Parameter], "lr", "momentum", "weight_decay", "limit"}]; a limit of 0 is none.
    schedules: for each group its schedules.RateSchedule.
    filters: for each group how many filters its parameter has.
    total_steps: of the training.
    coefficient: of the cost.
    seed: of the noise of learning rates, which is a function of (seed, step): a run that is continued draws it again.

    A group's lr is the rate of the step done last, its "step" the number of steps done; both are in the state. The
    number of all steps is not: a run that goes on for more epochs has the rates of its new length, as in the program.
    src/weights.cu and src/lr.cu; of the limit: include/layer.cuh.
    """

    def __init__(self, groups, schedules, filters, total_steps, coefficient=1.0, seed=0):
        self.schedules, self.filters = list(schedules), list(filters)
        self.total_steps, self.coefficient, self.seed = max(total_steps, 1), coefficient, seed
        self.velocity = "paper"
        defaults = {"lr": 0.0, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
        Optimizer.__init__(self, groups, {**defaults, "limit": 0.0, "step": 0})

    def check(self, group):
        super().check(group)
        if not 0 <= group["limit"] < math.inf:
            raise ValueError(f"SGD2012: limit must be a number from 0 on, got {group['limit']}")
        if type(group["step"]) is not int or not 0 <= group["step"] < 2**62:
            raise ValueError(f"SGD2012: step must be a whole number from 0 on, got {group['step']}")

    def rates(self, step):
        """The learning rate of each group for a step; step: its number, from 0."""
        p = min(step / self.total_steps, 1.0)
        noise = [0.0] * len(self.schedules)
        if any(schedule.noise for schedule in self.schedules):
            generator = Generator(self.seed)
            generator.call = _NOISE + step
            noise = [float(z) for z in generator.numpy().standard_normal(len(self.schedules))]
        return [schedule.rate(p, z) for schedule, z in zip(self.schedules, noise)]

    def step(self, closure=None):
        """One step; closure: as of Optimizer."""
        loss = None if closure is None else closure()
        for group, rate in zip(self.param_groups, self.rates(self.param_groups[0]["step"])):
            group["lr"] = rate
        super().step()
        for group, filters in zip(self.param_groups, self.filters):
            group["step"] += 1
            (p,) = group["params"]
            if group["limit"] and p.grad is not None:
                _limit(p, filters, group["limit"])
        return loss

    def update(self, p, group, state):
        """One step of one parameter: the coefficient multiplies the gradient, and not the decay."""
        c = self.coefficient
        scaled = {**group, "lr": group["lr"] * c, "weight_decay": group["weight_decay"] / c}
        super().update(p, group if c == 1 else scaled, state)


class EveryStep(LRScheduler):
    """A scheduler that counts epochs: the rates of an SGD2012 change with every step, by its own schedules.

    optimizer: the SGD2012.
    """

    def set_rates(self):
        """Take note of the learning rates."""
        self._own_lrs = self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def load_state_dict(self, state_dict):
        """Continue from a saved state; state_dict: as of LRScheduler."""
        self.last_epoch = self._checked(state_dict)["last_epoch"]
        self.set_rates()


def _limit(p, filters, limit):
    """Shorten the filters of a parameter whose norm is larger than the limit."""
    xp, rows = p.backend.xp, p.data.reshape(filters, -1)
    norms = xp.sqrt((rows * rows).sum(axis=1, keepdims=True))
    rows *= xp.minimum(limit / xp.maximum(norms, limit), 1).astype(rows.dtype)
    p.bump_version()


def make(program, model, network, total_steps, seed):
    """The SGD2012 of a program.Program; arguments: as of Program.optimizer."""
    if program.parameters is None:
        raise ValueError(
            f"{program.texts[0].name} says nothing about how it is trained: give its parameter file, layer-params-*.cfg"
        )
    parameters = dict(model.named_parameters())
    groups, schedules, filters = [], [], []
    for name, learned in network.learned.items():
        rates = program.parameters.rates[learned.layer, learned.input]
        if rates.frozen:
            parameters[name].requires_grad_(False)
            continue
        limit = rates.ball * (learned.filter if program.version == 1 else 1)
        settings = {"lr": rates.schedule.rate(0.0), "momentum": rates.momentum, "weight_decay": rates.decay}
        groups.append({"params": [parameters[name]], **settings, "limit": limit})
        schedules.append(rates.schedule)
        filters.append(learned.count // learned.filter)
    if not groups:
        raise ValueError(
            f"{program.texts[1].name} has no learning rate above 0, so nothing is trained: init_rates=True takes those "
            "of the beginning"
        )
    return SGD2012(groups, schedules, filters, total_steps, program.coefficient, seed)
