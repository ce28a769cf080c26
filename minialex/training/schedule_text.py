"""The rate of learning, epoch by epoch, as a recipe or an option words it: "multistep:25,51,79"."""

from __future__ import annotations

from .. import optim


def parse_schedule(text):
    """("step", [30], 0.1, 0, None): the kind, its whole numbers, gamma, epochs of warm-up before it, most changes.

    "constant"; "step:30", every 30 epochs; "multistep:8,9", after these epochs; "plateau:3", after more than 3
    epochs without a lower validation loss; "cosine", down to 0 at the end. "step:30:0.5" halves the rate where the
    others divide it by ten. "plateau:3:0.1:2" does so twice and no more. "warmup:5+cosine" first raises the rate for
    5 epochs. ValueError for any other text.
    """
    warmup, _, rest = text.rpartition("+")
    kind, *fields = rest.split(":")
    try:
        before = int(warmup.removeprefix("warmup:")) if warmup else 0
        if warmup and (before < 1 or not warmup.startswith("warmup:") or kind == "plateau"):
            raise ValueError
        if kind in ("constant", "cosine") and not fields:
            return kind, [], 1.0, before, None
        numbers = [int(number) for number in fields[0].split(",")]
        gamma = float(fields[1]) if len(fields) >= 2 else 0.1
        times = int(fields[2]) if len(fields) == 3 else None
        if (
            kind in ("step", "multistep", "plateau")
            and len(fields) <= (3 if kind == "plateau" else 2)
            and 0 < gamma < 1
            and (kind == "multistep" or len(numbers) == 1)
            and min(numbers) >= 1
            and (times is None or times >= 1)
        ):
            return kind, numbers, gamma, before, times
    except (ValueError, IndexError):
        pass
    raise ValueError(
        f"'{text}' is no schedule; there are constant, cosine, step:EPOCHS, multistep:EPOCH,EPOCH,... and "
        "plateau:EPOCHS, the last three with an optional factor below 1, as in step:30:0.1, and plateau then with the "
        "most times that it may act, as in plateau:5:0.1:3; all but plateau may come after a warm-up, as in "
        "warmup:5+cosine"
    )


def make_schedule(text, optimizer, epochs):
    """The schedule that `text` names, see parse_schedule, for a training of so many epochs."""
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


class Plateau(optim.ReduceLROnPlateau):
    """ReduceLROnPlateau that acts at most `times` times: three in the paper (section 5). None: as often as it comes."""

    def __init__(self, optimizer, factor, patience, times=None):
        super().__init__(optimizer, factor=factor, patience=patience)
        self.times, self.acted = times, 0

    def step(self, metric):
        if self.times is not None and self.acted >= self.times:
            return
        before = [group["lr"] for group in self.optimizer.param_groups]
        super().step(metric)
        self.acted += before != [group["lr"] for group in self.optimizer.param_groups]


class ByGroup(optim.LRScheduler):
    """A schedule of its own for each group of parameters: `texts`, one a group, as make_schedule takes them.

    ValueError for plateau among them: it is no function of the epoch.
    """

    def __init__(self, optimizer, texts, epochs):
        super().__init__(optimizer)
        self.schedules = []
        for text in texts:
            schedule = make_schedule(text, optimizer, epochs)
            if not isinstance(schedule, optim.LRScheduler):
                raise ValueError(f"{text} can only be the schedule of all layers, weights and biases alike")
            self.schedules.append(schedule)
            for group, base in zip(optimizer.param_groups, self.base_lrs, strict=True):
                group["lr"] = base  # a warm-up lowers all of them as it is made
        self.set_rates()

    def set_rates(self):
        groups = self.optimizer.param_groups
        for group, base, schedule in zip(groups, self.base_lrs, self.schedules, strict=True):
            group["lr"] = schedule.rate(base, self.last_epoch)
