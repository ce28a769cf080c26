"""Learning rate schedulers; names and arguments are those of torch.optim.lr_scheduler. See minialex.optim."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..support import absent
from ..tensor import Tensor
from .optimizers import Optimizer
from .scheduling import LRScheduler as LRScheduler
from .scheduling import _check_epoch, _lrs, _State


class StepLR(LRScheduler):
    """Multiplies the learning rate by gamma every step_size epochs.

        lr = initial lr * gamma^floor(epoch / step_size)

    optimizer, last_epoch: see LRScheduler.
    step_size: epochs between changes.
    gamma: the factor.

    Raises ValueError for a step_size below 1.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        super().__init__(optimizer, last_epoch)
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1 epoch, got {step_size}")
        self.step_size, self.gamma = step_size, gamma

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by gamma after given numbers of epochs.

        lr = initial lr * gamma^(number of milestones reached)

    optimizer, last_epoch: see LRScheduler.
    milestones: numbers of epochs.
    gamma: the factor.
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, last_epoch)
        self.milestones, self.gamma = sorted(milestones), gamma
        if 0 in self.milestones:
            self.set_rates()

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return base * self.gamma ** bisect.bisect_right(self.milestones, epoch)


class CosineAnnealingLR(LRScheduler):
    """Lowers the learning rate along half a cosine wave.

        lr = eta_min + (initial lr - eta_min) (1 + cos(pi epoch / T_max)) / 2

    optimizer, last_epoch: see LRScheduler.
    T_max: epochs until eta_min is reached.
    eta_min: the last learning rate.

    Raises ValueError for a T_max below 1.
    Loshchilov and Hutter 2017.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        super().__init__(optimizer, last_epoch)
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1 epoch, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min

    def _floor(self, epoch):
        return self.eta_min

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class LinearLR(LRScheduler):
    """Warm-up: changes the learning rate linearly.

        lr = initial lr * (start_factor + (end_factor - start_factor) min(epoch / total_iters, 1))

    optimizer, last_epoch: see LRScheduler.
    start_factor, end_factor: of the first and of the last epoch, from 0 to 1; start_factor is not 0.
    total_iters: epochs until end_factor is reached.

    Raises ValueError for factors out of range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, last_epoch)
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: factors must be from 0 to 1, got {start_factor} and {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        self.set_rates()

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        share = min(epoch / self.total_iters, 1) if self.total_iters else 1
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by gamma after every epoch.

        lr = initial lr * gamma^epoch

    optimizer, last_epoch: see LRScheduler.
    gamma: the factor.
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        super().__init__(optimizer, last_epoch)
        self.gamma = gamma

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return base * self.gamma**epoch


class LambdaLR(LRScheduler):
    """The initial learning rate times a function of the number of epochs done.

        lr = initial lr * lr_lambda(epoch)

    optimizer, last_epoch: see LRScheduler.
    lr_lambda: a function of the number of epochs, or a list of one for each group; not part of the state.

    As in torch it replaces whatever else has changed the learning rates. Raises ValueError unless there are as many
    functions as groups.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, last_epoch)
        self.lr_lambdas = _for_each_group("lr_lambda", optimizer, lr_lambda)
        self._replace_rates()

    def rates(self, bases: list[float], epoch: int) -> list[float]:
        """The learning rates of all groups after `epoch` epochs; bases: their initial ones."""
        return [base * factor(epoch) for base, factor in zip(bases, self.lr_lambdas, strict=True)]

    def _restarts(self, epoch):
        return True


def _for_each_group(name, optimizer, value):
    """A list with a value for each parameter group, from such a list or from one value."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(values) != groups:
        raise ValueError(f"{name} has {len(values)} values, the optimiser {groups} parameter groups: give one for each")
    return values


class OneCycleLR(LRScheduler):
    """Warm-up to a high learning rate, then annealing to one far below the first; to be stepped after every batch.

        lr: max_lr / div_factor  ->  max_lr  ->  max_lr / (div_factor * final_div_factor)

    optimizer, last_epoch: see LRScheduler; the learning rates that the optimiser had are not used.
    max_lr: the highest learning rate, a number or one for each group.
    total_steps: steps of the cycle; epochs * steps_per_epoch if None.
    epochs, steps_per_epoch: instead of total_steps.
    pct_start: share of the steps in which the learning rate rises, from 0 to 1.
    anneal_strategy: "cos" for half a cosine wave, "linear" for a straight line.
    cycle_momentum: whether the momentum, or Adam's first beta, moves against the learning rate.
    base_momentum, max_momentum: its lowest and its highest value, a number or one for each group.
    div_factor: max_lr divided by the first learning rate.
    final_div_factor: the first learning rate divided by the last.
    three_phase: whether to fall to the first learning rate as slowly as it rose, and then to the last.

    As in torch it replaces whatever else has changed the learning rates.
    Raises ValueError for impossible numbers, an optimiser without a momentum to cycle, and a step beyond the cycle.
    Smith and Topin 2018.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | Sequence[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR needs total_steps, or both epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        self.total_steps = total_steps
        if self.total_steps < 1 or self.total_steps != int(self.total_steps):
            raise ValueError(f"OneCycleLR: a cycle has at least 1 step, a whole number of them, got {self.total_steps}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start is a share from 0 to 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f'OneCycleLR: anneal_strategy must be "cos" or "linear", got {anneal_strategy!r}')
        if cycle_momentum and not {"momentum", "betas"} & {*optimizer.defaults}:
            raise ValueError(
                f"OneCycleLR: {type(optimizer).__name__} has neither momentum nor betas: use cycle_momentum=False"
            )
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.momentums = [
            _for_each_group(name, optimizer, value)
            for name, value in (("base_momentum", base_momentum), ("max_momentum", max_momentum))
        ]
        last, rise = self.total_steps - 1, float(pct_start * self.total_steps) - 1
        # (a phase's last step, and where it leads: 0 to the initial learning rate, 1 to the highest, 2 to the lowest)
        self.phases = [(rise, 1), (2 * rise, 0), (last, 2)] if three_phase else [(rise, 1), (last, 2)]
        initial = [highest / div_factor for highest in _for_each_group("max_lr", optimizer, max_lr)]
        super().__init__(optimizer, last_epoch)
        self.base_lrs = initial
        vars(optimizer)["_initial_lrs"] = list(initial)
        self._replace_rates()

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` steps; base: its initial learning rate."""
        return self._annealed(epoch, (base, base * self.div_factor, base / self.final_div_factor))

    def _annealed(self, step, levels):
        """What moves between levels (initial, highest, lowest) as the learning rate does, after `step` steps."""
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: step {step} of a cycle of total_steps={self.total_steps}")
        start, before = 0.0, 0
        for number, (end, after) in enumerate(self.phases, 1):
            if step <= end or number == len(self.phases):
                break
            start, before = end, after
        share = (step - start) / (end - start) if end != start else 1.0
        if self.anneal_strategy == "linear":
            return levels[before] + (levels[after] - levels[before]) * share
        return levels[after] + (levels[before] - levels[after]) / 2 * (math.cos(math.pi * share) + 1)

    def _restarts(self, epoch):
        return True

    def _set_others(self, epoch):
        for group, low, high in zip(self.optimizer.param_groups, *self.momentums, strict=True):
            if self.cycle_momentum:
                momentum = self._annealed(epoch, (high, low, high))
                if "betas" in self.optimizer.defaults:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum


class SequentialLR(LRScheduler):
    """Several schedulers one after another.

    optimizer, last_epoch: see LRScheduler.
    schedulers: LRSchedulers of the same optimiser.
    milestones: numbers of epochs; from milestones[i - 1] on, schedulers[i] sets the rates and counts its epochs.

    As in torch each scheduler starts from the initial learning rates, whatever else has changed them. Raises ValueError
    unless there is one milestone less than schedulers, and for a ReduceLROnPlateau, whose steps take a metric.

    Warm-up, then a cosine: SequentialLR(o, [LinearLR(o, 0.1, total_iters=5), CosineAnnealingLR(o, 85)], [5]).
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        super().__init__(optimizer, last_epoch)
        if len(schedulers) != len(milestones) + 1:
            count = len(schedulers)
            raise ValueError(f"SequentialLR: {count} schedulers need {count - 1} milestones, got {len(milestones)}")
        for scheduler in schedulers:
            if not isinstance(scheduler, LRScheduler):
                raise ValueError(f"SequentialLR takes schedulers of epochs alone, got {type(scheduler).__name__}")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        self._replace_rates()  # a warm-up among them, or another schedule, has changed the rates

    def _current(self, epoch):
        """(the scheduler after `epoch` epochs, how many of them are its own)"""
        i = bisect.bisect_right(self.milestones, epoch)
        return self.schedulers[i], epoch - (self.milestones[i - 1] if i else 0)

    def rate(self, base: float, epoch: int) -> float:
        """The rate that the current scheduler gives after `epoch` epochs; base: the initial learning rate."""
        scheduler, own_epoch = self._current(epoch)
        return scheduler.rate(base, own_epoch)

    def rates(self, bases: list[float], epoch: int) -> list[float]:
        """The learning rates of all groups after `epoch` epochs; bases: their initial ones."""
        scheduler, own_epoch = self._current(epoch)
        return scheduler.rates(bases, own_epoch)

    def _floor(self, epoch):
        scheduler, own_epoch = self._current(epoch)
        return scheduler._floor(own_epoch)

    def _restarts(self, epoch):
        scheduler, own_epoch = self._current(epoch)
        return epoch in self.milestones or scheduler._restarts(own_epoch)

    def _set_others(self, epoch):
        scheduler, own_epoch = self._current(epoch)
        scheduler._set_others(own_epoch)


class ReduceLROnPlateau(_State):
    """Multiplies the learning rate by factor when a metric has stopped improving; in 2012 this was done by hand.

        lr = max(lr * factor, min_lr) after more than `patience` epochs in a row without improvement

    optimizer: whose param_groups' "lr" is changed.
    mode: "min" if the metric is to fall, "max" if it is to rise.
    factor: from 0 to below 1.
    patience: epochs.
    threshold: an improvement is below best * (1 - threshold) for "min", above best * (1 + threshold) for "max".
    threshold_mode: "rel" for that, "abs" for best - threshold and best + threshold.
    cooldown: epochs after a change in which none without improvement is counted.
    min_lr: the smallest learning rate, a number or one for each group.
    eps: smaller changes of a learning rate are not made.

    Raises ValueError for another mode, or a factor out of range.
    """

    def __init__(
        self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
        threshold_mode: str = "rel", cooldown: int = 0, min_lr: float | Sequence[float] = 0.0, eps: float = 1e-8,
    ) -> None:  # fmt: skip
        super().__init__(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f'ReduceLROnPlateau: mode must be "min" or "max", got {mode!r}')
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f'ReduceLROnPlateau: threshold_mode must be "rel" or "abs", got {threshold_mode!r}')
        if not 0 <= factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be at least 0 and below 1, got {factor}")
        groups = len(optimizer.param_groups)
        self.min_lrs = [min_lr] * groups if isinstance(min_lr, (int, float)) else [*min_lr]
        if len(self.min_lrs) != groups:
            raise ValueError(f"ReduceLROnPlateau: {len(self.min_lrs)} values of min_lr for {groups} groups")
        self.mode, self.by, self.patience, self.threshold = mode, factor, patience, threshold
        self.threshold_mode, self.cooldown, self.eps = threshold_mode, cooldown, eps
        self.best: float | None = None
        self.bad_epochs, self.cooling = 0, 0

    def step(self, metrics: float | Tensor, epoch: int | None = None) -> None:
        """Count an epoch and, if need be, lower the learning rates.

        metrics: the number that should improve.
        epoch: torch's, refused.
        """
        _check_epoch(self, epoch)
        metric = float(metrics)
        self.last_epoch += 1
        if self._better(metric):
            self.best, self.bad_epochs = metric, 0
        else:
            self.bad_epochs += 1
        if self.cooling > 0:
            self.cooling, self.bad_epochs = self.cooling - 1, 0
        if self.bad_epochs > self.patience:
            self.bad_epochs, self.cooling = 0, self.cooldown
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
                lower = max(group["lr"] * self.by, least)
                if group["lr"] - lower > self.eps:
                    group["lr"] = lower
        self._last_lr = _lrs(self.optimizer)

    def _better(self, metric):
        if self.best is None:
            return metric == metric
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            to_beat = self.best * (1 + sign * self.threshold)
        else:
            to_beat = self.best + sign * self.threshold
        return metric < to_beat if self.mode == "min" else metric > to_beat


if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "optim.lr_scheduler")
