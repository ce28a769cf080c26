"""Learning rate schedules written as text in recipes and options, such as "multistep:25,51,79"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from .. import optim
from ..optim.lr_scheduler import PlateauState
from ..support.schema import AtLeast
from ..tensor import Tensor

MOST = 1_000_000_000  # epochs


def parse_schedule(text: str) -> tuple[str, list[int], float, int, int | None]:
    """Parse a schedule.

    text: one of

        constant
        step:30            multiply the learning rate by 0.1 every 30 epochs
        multistep:8,9      after 8 and after 9 epochs
        plateau:3          after more than 3 epochs without a lower validation loss
        cosine             fall to 0 at the end of training
        step:30:0.5        any other factor below 1; likewise for multistep and plateau
        plateau:3:0.1:2    at most 2 times
        warmup:5+cosine    rise for 5 epochs first; likewise for all but plateau

    Returns (kind, numbers, gamma, epochs of warm-up, most changes or None), such as ("step", [30], 0.1, 0, None).
    Raises ValueError for any other text.
    """
    warmup, _, rest = text.rpartition("+")
    kind, *fields = rest.split(":")
    try:
        before = int(warmup.removeprefix("warmup:")) if warmup else 0
        if warmup and (before < 1 or not warmup.startswith("warmup:") or kind == "plateau"):
            raise ValueError
        if kind in ("constant", "cosine") and not fields and before <= MOST:
            return kind, [], 1.0, before, None
        numbers = [int(number) for number in fields[0].split(",")]
        gamma = float(fields[1]) if len(fields) >= 2 else 0.1
        times = int(fields[2]) if len(fields) == 3 else None
        if (
            kind in ("step", "multistep", "plateau")
            and len(fields) <= (3 if kind == "plateau" else 2)
            and 0 < gamma < 1
            and (kind == "multistep" or len(numbers) == 1)
            and 1 <= min(numbers) <= max(numbers) <= MOST
            and before <= MOST
            and (times is None or times >= 1)
        ):
            return kind, numbers, gamma, before, times
    except (ValueError, IndexError):
        pass
    raise ValueError(
        f"'{text[:100]}' is not a schedule; expected constant, cosine, step:EPOCHS, multistep:EPOCH,EPOCH,... or "
        "plateau:EPOCHS, the last three optionally with a factor below 1, as in step:30:0.1, and plateau then with the "
        "maximum number of changes, as in plateau:5:0.1:3; all but plateau can follow a warm-up, as in warmup:5+cosine"
    )


def make_schedule(text: str, optimizer: optim.Optimizer, epochs: int) -> optim.LRScheduler | Plateau:
    """Make a scheduler from a text.

    text: see `parse_schedule`.
    optimizer: whose learning rates it sets.
    epochs: the length of the training.

    Returns an LRScheduler, or a Plateau.
    Raises ValueError as `parse_schedule` does.
    """
    kind, numbers, gamma, warmup, times = parse_schedule(text)
    if kind == "plateau":
        return Plateau(optimizer, gamma, numbers[0], times)
    schedule: optim.LRScheduler
    if kind == "step":
        schedule = optim.StepLR(optimizer, numbers[0], gamma)
    elif kind == "cosine":
        schedule = optim.CosineAnnealingLR(optimizer, max(epochs - warmup, 1))
    else:
        schedule = optim.MultiStepLR(optimizer, numbers, gamma)  # constant: no milestones
    if warmup:
        rising = optim.LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup)
        schedule = optim.SequentialLR(optimizer, [rising, schedule], [warmup])
    return schedule


class LimitedPlateauState(PlateauState):
    """The state of a Plateau: times, its limit, and how often it has acted."""

    times: Annotated[int | None, AtLeast(1)]
    acted: Annotated[int, AtLeast(0)]


class Plateau(optim.ReduceLROnPlateau):
    """A ReduceLROnPlateau that lowers the learning rate a limited number of times: three in the paper (section 5).

    optimizer, factor, patience: as in ReduceLROnPlateau.
    times: the limit; None for no limit.
    """

    _form = LimitedPlateauState

    def __init__(self, optimizer: optim.Optimizer, factor: float, patience: int, times: int | None = None) -> None:
        super().__init__(optimizer, factor=factor, patience=patience)
        self.times, self.acted = times, 0

    def step(self, metrics: float | Tensor, epoch: int | None = None) -> None:
        """As in ReduceLROnPlateau, while the limit is not reached. metrics, epoch: as there."""
        if self.times is not None and self.acted >= self.times:
            return
        before = [group["lr"] for group in self.optimizer.param_groups]
        super().step(metrics, epoch)
        self.acted += before != [group["lr"] for group in self.optimizer.param_groups]


class ByGroup(optim.LRScheduler):
    """A scheduler with a separate schedule for each parameter group.

    optimizer: whose learning rates it sets.
    texts: the groups' schedules, see `parse_schedule`.
    epochs: the length of the training.

    Raises ValueError for a plateau schedule, which is not a function of the epoch.
    """

    def __init__(self, optimizer: optim.Optimizer, texts: Sequence[str], epochs: int) -> None:
        super().__init__(optimizer)
        self.schedules = []
        for text in texts:
            schedule = make_schedule(text, optimizer, epochs)
            if not isinstance(schedule, optim.LRScheduler):
                raise ValueError(f"{text} can only be the schedule of all layers, weights and biases alike")
            self.schedules.append(schedule)
            for group, base in zip(optimizer.param_groups, self.base_lrs, strict=True):
                group["lr"] = base  # making a warm-up has lowered all of them
        self.set_rates()

    def rates(self, bases: list[float], epoch: int) -> list[float]:
        """Each group's learning rate by its own schedule, after `epoch` epochs; bases: the initial learning rates."""
        return [schedule.rate(base, epoch) for base, schedule in zip(bases, self.schedules, strict=True)]
