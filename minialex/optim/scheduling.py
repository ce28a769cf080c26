"""What learning rate schedulers have in common: their state, and how several of them share a learning rate."""

from __future__ import annotations

from typing import Any

from ..support.arguments import refuse
from .optimizers import Optimizer


class _State:
    """The state that all schedulers have."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.last_epoch = optimizer, 0
        self.base_lrs = _initial_lrs(optimizer)
        self._last_lr = _lrs(optimizer)

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, a list, as this scheduler's last step left them."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """The scheduler's state, a dict without the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state; state_dict: what the method `state_dict` returned."""
        self._last_lr = _lrs(self.optimizer)
        vars(self).update(state_dict)


def _check_epoch(scheduler: _State, epoch: int | None) -> None:
    name = type(scheduler).__name__
    refuse(f"{name}.step", "each call counts one epoch, load_state_dict() continues a schedule", epoch=(epoch, None))


def _lrs(optimizer: Optimizer) -> list[float]:
    return [group["lr"] for group in optimizer.param_groups]


def _initial_lrs(optimizer: Optimizer) -> list[float]:
    """The learning rates from before any scheduler changed them, which the first one leaves with the optimiser."""
    known = vars(optimizer).setdefault("_initial_lrs", [])
    known += _lrs(optimizer)[len(known) :]  # of groups that were added in the meantime
    return list(known)


class LRScheduler(_State):
    """Base class of schedulers whose learning rate is a function of the number of epochs done.

    optimizer: whose param_groups' "lr" is set; the rates before any scheduler was made are the initial ones.
    last_epoch: torch's, -1 only: load_state_dict continues a schedule.

    A subclass defines `rate(base, epoch)`. While nothing else changes a learning rate it is exactly that. Where
    something else has changed it, another scheduler or the user, a step changes it in the proportion in which `rate`
    changes: the factors of several schedulers multiply, as in torch.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        refuse(type(self).__name__, "load_state_dict() continues a schedule", last_epoch=(last_epoch, -1))
        super().__init__(optimizer)
        self._own_lrs = list(self.base_lrs)  # rates of this schedule alone, for the epoch that the groups' follow

    def rate(self, base: float, epoch: int) -> float:
        """The learning rate of a group after `epoch` epochs; base: its initial learning rate."""
        raise NotImplementedError(f"{type(self).__name__} has no rate()")

    def rates(self, bases: list[float], epoch: int) -> list[float]:
        """The learning rates of all groups after `epoch` epochs; bases: their initial ones."""
        return [self.rate(base, epoch) for base in bases]

    def _floor(self, epoch):
        """What the schedule falls towards: a proportion is one of distances from there."""
        return 0.0

    def _restarts(self, epoch):
        """Whether this epoch's learning rates replace the groups', whatever else has changed these."""
        return False

    def _set_others(self, epoch):
        """Set what a schedule sets besides learning rates."""

    def set_rates(self) -> None:
        """Set the learning rates of the optimiser's groups for the current epoch."""
        groups, own = self.optimizer.param_groups, self.rates(self.base_lrs, self.last_epoch)
        if len(groups) != len(own):
            raise ValueError(
                f"{type(self).__name__} was made for {len(own)} parameter groups, the optimiser has {len(groups)}: "
                "make schedulers after add_param_group"
            )
        floor = self._floor(self.last_epoch)
        for group, old, new in zip(groups, self._own_lrs, own, strict=True):
            group["lr"] = new if group["lr"] == old else _in_proportion(group["lr"], old, new, floor)
        self._set_others(self.last_epoch)
        self._own_lrs, self._last_lr = own, _lrs(self.optimizer)

    def _replace_rates(self):
        self._own_lrs = _lrs(self.optimizer)
        self.set_rates()

    def step(self, epoch: int | None = None) -> None:
        """Count an epoch and set the learning rates; to be called after every epoch. epoch: torch's, refused."""
        _check_epoch(self, epoch)
        self.last_epoch += 1
        if self._restarts(self.last_epoch):
            self._replace_rates()
        else:
            self.set_rates()

    def state_dict(self) -> dict[str, Any]:
        """Epochs done, initial learning rates, this schedule's and the groups' of now; arguments are not in it."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": self.base_lrs,
            "own_lrs": self._own_lrs,
            "group_lrs": _lrs(self.optimizer),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state, also one saved by a scheduler with other arguments, with this scheduler's rates.

        state_dict: a dict from `state_dict`; of several schedulers each loads its own, before or after the optimiser.

        What another scheduler, or the user, had made of the learning rates is kept. Raises ValueError for a state of
        another number of parameter groups.
        """
        state, before, now = dict(state_dict), self.last_epoch, _lrs(self.optimizer)
        initial = vars(self.optimizer)["_initial_lrs"]
        if len(state["base_lrs"]) != len(now):
            count = len(state["base_lrs"])
            raise ValueError(f"this schedule's state is of {count} parameter groups, the optimiser has {len(now)}")
        own, groups = state.pop("own_lrs", None), state.pop("group_lrs", None)
        super().load_state_dict(state)
        if own == groups:  # nothing else had changed them, or the state is older than these two
            self._own_lrs = now
        elif groups == now:  # the optimiser's state is loaded: the rates contain what `own` says
            self._own_lrs = own
        else:  # not yet: they contain what this scheduler gave so far, and other initial rates than the loaded ones
            alone, self._own_lrs = self._own_lrs, self.rates(self.base_lrs, before)
            for i, group in enumerate(self.optimizer.param_groups):
                if group["lr"] == alone[i]:
                    self._own_lrs[i] = alone[i]
                elif initial[i]:
                    group["lr"] *= self.base_lrs[i] / initial[i]
        initial[:] = self.base_lrs
        self.set_rates()


def _in_proportion(lr, old, new, floor):
    """A learning rate, moved as another one moves from old to new, measured from a floor."""
    if old == new:
        return lr
    return floor + (lr - floor) * ((new - floor) / (old - floor)) if old != floor else lr + (new - old)
