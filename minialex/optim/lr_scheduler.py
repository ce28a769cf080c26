"""Learning rate schedulers; names and arguments are those of torch.optim.lr_scheduler. See minialex.optim."""

from __future__ import annotations

import bisect
import math


class _State:
    """The state that all schedulers have."""

    def __init__(self, optimizer):
        self.optimizer, self.last_epoch = optimizer, 0
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]

    def state_dict(self):
        """The scheduler's state, a dict without the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state):
        """Continue from `state`, a dict from `state_dict`."""
        vars(self).update(state)


class LRScheduler(_State):
    """Base class of schedulers whose learning rate is a function of the number of epochs done.

    optimizer: whose param_groups' "lr" is set; the rates at construction are the initial ones.

    A subclass defines `rate(base, epoch)`.
    """

    def rate(self, base, epoch):
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        raise NotImplementedError(f"{type(self).__name__} has no rate()")

    def set_rates(self):
        """Set the learning rates of the optimiser's groups for the current epoch."""
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(base, self.last_epoch)

    def step(self):
        """Count an epoch and set the learning rates; to be called after every epoch."""
        self.last_epoch += 1
        self.set_rates()

    def state_dict(self):
        """The number of epochs done and the initial learning rates; all else is given to the constructor."""
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}

    def load_state_dict(self, state):
        """Continue from `state`, also one saved by a scheduler with other arguments, with this scheduler's rates."""
        super().load_state_dict(state)
        self.set_rates()


class StepLR(LRScheduler):
    """Multiplies the learning rate by gamma every step_size epochs.

        lr = initial lr * gamma^floor(epoch / step_size)

    optimizer: see LRScheduler.
    step_size: epochs between changes.
    gamma: the factor.

    Raises ValueError for a step_size below 1.
    """

    def __init__(self, optimizer, step_size, gamma=0.1):
        super().__init__(optimizer)
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1 epoch, got {step_size}")
        self.step_size, self.gamma = step_size, gamma

    def rate(self, base, epoch):
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by gamma after given numbers of epochs.

        lr = initial lr * gamma^(number of milestones reached)

    optimizer: see LRScheduler.
    milestones: numbers of epochs.
    gamma: the factor.
    """

    def __init__(self, optimizer, milestones, gamma=0.1):
        super().__init__(optimizer)
        self.milestones, self.gamma = sorted(milestones), gamma

    def rate(self, base, epoch):
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return base * self.gamma ** bisect.bisect_right(self.milestones, epoch)


class CosineAnnealingLR(LRScheduler):
    """Lowers the learning rate along half a cosine wave.

        lr = eta_min + (initial lr - eta_min) (1 + cos(pi epoch / T_max)) / 2

    optimizer: see LRScheduler.
    T_max: epochs until eta_min is reached.
    eta_min: the last learning rate.

    Raises ValueError for a T_max below 1.
    Loshchilov and Hutter 2017.
    """

    def __init__(self, optimizer, T_max, eta_min=0.0):
        super().__init__(optimizer)
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1 epoch, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min

    def rate(self, base, epoch):
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class LinearLR(LRScheduler):
    """Warm-up: changes the learning rate linearly.

        lr = initial lr * (start_factor + (end_factor - start_factor) min(epoch / total_iters, 1))

    optimizer: see LRScheduler.
    start_factor, end_factor: of the first and of the last epoch, from 0 to 1; start_factor is not 0.
    total_iters: epochs until end_factor is reached.

    Raises ValueError for factors out of range.
    """

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
        super().__init__(optimizer)
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: factors must be from 0 to 1, got {start_factor} and {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        self.set_rates()

    def rate(self, base, epoch):
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        share = min(epoch / self.total_iters, 1) if self.total_iters else 1
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class SequentialLR(LRScheduler):
    """Several schedulers one after another.

    optimizer: see LRScheduler.
    schedulers: LRSchedulers of the same optimiser, the one with a warm-up first.
    milestones: numbers of epochs; from milestones[i - 1] on, schedulers[i] sets the rates and counts its epochs.

    Raises ValueError unless there is one milestone less than schedulers.

    Warm-up, then a cosine: SequentialLR(o, [LinearLR(o, 0.1, total_iters=5), CosineAnnealingLR(o, 85)], [5]).
    """

    def __init__(self, optimizer, schedulers, milestones):
        super().__init__(optimizer)
        if len(schedulers) != len(milestones) + 1:
            count = len(schedulers)
            raise ValueError(f"SequentialLR: {count} schedulers need {count - 1} milestones, got {len(milestones)}")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        self.base_lrs = list(schedulers[0].base_lrs)  # from before a warm-up among them lowered the rates
        self.set_rates()

    def rate(self, base, epoch):
        """The rate that the current scheduler gives after `epoch` epochs; base: the initial learning rate."""
        i = bisect.bisect_right(self.milestones, epoch)
        return self.schedulers[i].rate(base, epoch - (self.milestones[i - 1] if i else 0))


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
        self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0,
        min_lr=0.0, eps=1e-8,
    ):  # fmt: skip
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
        self.best, self.bad_epochs, self.cooling = None, 0, 0

    def step(self, metric):
        """Count an epoch and, if need be, lower the learning rates; metric: the number that should improve."""
        self.last_epoch += 1
        if self._better(float(metric)):
            self.best, self.bad_epochs = float(metric), 0
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

    def _better(self, metric):
        if self.best is None:
            return metric == metric
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            to_beat = self.best * (1 + sign * self.threshold)
        else:
            to_beat = self.best + sign * self.threshold
        return metric < to_beat if self.mode == "min" else metric > to_beat
