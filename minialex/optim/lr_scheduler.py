"""Schedules of the learning rate; names and arguments are those of torch.optim.lr_scheduler. See minialex.optim."""

from __future__ import annotations

import bisect
import math


class _State:
    """What every schedule remembers."""

    def __init__(self, optimizer):
        self.optimizer, self.last_epoch = optimizer, 0
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]

    def state_dict(self):
        """All that the schedule knows, but the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state):
        """Go on from a saved state."""
        vars(self).update(state)


class LRScheduler(_State):
    """A rate that is a function of the epochs done: `rate(base, epoch)`, base being the initial rate of a group."""

    def rate(self, base, epoch):
        raise NotImplementedError(f"{type(self).__name__} has no rate()")

    def set_rates(self):
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(base, self.last_epoch)

    def step(self):
        """To be called after every epoch."""
        self.last_epoch += 1
        self.set_rates()

    def state_dict(self):
        """The epochs done and the initial rates; all else is given when a schedule is made."""
        return {"last_epoch": self.last_epoch, "base_lrs": self.base_lrs}

    def load_state_dict(self, state):
        """Go on from a saved state; a schedule made for another length sets its own rates from here on."""
        super().load_state_dict(state)
        self.set_rates()


class StepLR(LRScheduler):
    """lr = initial lr * gamma^floor(epoch / step_size)"""

    def __init__(self, optimizer, step_size, gamma=0.1):
        super().__init__(optimizer)
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1 epoch, got {step_size}")
        self.step_size, self.gamma = step_size, gamma

    def rate(self, base, epoch):
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """lr = initial lr * gamma^(number of milestones reached)"""

    def __init__(self, optimizer, milestones, gamma=0.1):
        super().__init__(optimizer)
        self.milestones, self.gamma = sorted(milestones), gamma

    def rate(self, base, epoch):
        return base * self.gamma ** bisect.bisect_right(self.milestones, epoch)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial lr - eta_min) (1 + cos(pi epoch / T_max)) / 2      Loshchilov and Hutter 2017."""

    def __init__(self, optimizer, T_max, eta_min=0.0):
        super().__init__(optimizer)
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1 epoch, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min

    def rate(self, base, epoch):
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class LinearLR(LRScheduler):
    """Warm-up: lr = initial lr * (start_factor + (end_factor - start_factor) min(epoch / total_iters, 1))"""

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
        super().__init__(optimizer)
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: factors must be from 0 to 1, got {start_factor} and {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        self.set_rates()

    def rate(self, base, epoch):
        share = min(epoch / self.total_iters, 1) if self.total_iters else 1
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class SequentialLR(LRScheduler):
    """One schedule after another: `schedules[i]` from `milestones[i - 1]` on, counting its epochs from there.

    Warm-up, then a cosine: SequentialLR(o, [LinearLR(o, 0.1, total_iters=5), CosineAnnealingLR(o, 85)], [5]).
    """

    def __init__(self, optimizer, schedulers, milestones):
        super().__init__(optimizer)
        if len(schedulers) != len(milestones) + 1:
            count = len(schedulers)
            raise ValueError(f"SequentialLR: {count} schedules need one milestone less, got {len(milestones)}")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        self.base_lrs = list(schedulers[0].base_lrs)  # before a warm-up among them lowered the rates
        self.set_rates()

    def rate(self, base, epoch):
        i = bisect.bisect_right(self.milestones, epoch)
        return self.schedulers[i].rate(base, epoch - (self.milestones[i - 1] if i else 0))


class ReduceLROnPlateau(_State):
    """lr = lr * factor once more than `patience` epochs in a row brought nothing better: done by hand in 2012.

    Better: below best * (1 - threshold) for mode="min", above best * (1 + threshold) for "max".
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4):
        super().__init__(optimizer)
        if mode not in ("min", "max"):
            raise ValueError(f'mode is "min" or "max", got {mode!r}')
        if not 0 <= factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, got {factor}")
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
