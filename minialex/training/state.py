"""What a training saves: the form of its state and its history, checked before anything is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any, NotRequired, TypedDict

from ..support import schema
from ..support.schema import AtLeast, AtMost, Below, FieldsOf, Finite
from . import diagnose
from .evaluation import Metrics

_SHARE = Annotated[float, AtLeast(0), AtMost(1)]
_COUNTED = Annotated[int, AtLeast(0), Below(2**64)]


class EpochRow(TypedDict):
    """A row of Trainer.history. Those of a validation are all there or none; `layers` are from diagnose.measure."""

    epoch: Annotated[int, AtLeast(1), AtMost(1_000_000_000)]
    train_loss: Annotated[float, Finite()]
    train_error: _SHARE
    val_loss: NotRequired[Annotated[float, Finite()]]
    val_top1_error: NotRequired[_SHARE]
    val_top5_error: NotRequired[_SHARE]
    lr: Annotated[float, Finite()]
    seconds: Annotated[float, AtLeast(0), Finite()]
    images_per_second: Annotated[float, AtLeast(0), Finite()]
    layers: NotRequired[list[diagnose.LayerRow]]


class GeneratorState(TypedDict):
    """The state of the default generator: which draw of which seed is the next."""

    seed: _COUNTED
    call: _COUNTED


class Position(TypedDict):
    """How far a training is: finished epochs, batches of the current one, its metrics so far and the time."""

    epoch: _COUNTED
    batch: _COUNTED
    running: Annotated[dict[str, Any], FieldsOf(Metrics)]
    seconds: Annotated[float, AtLeast(0), Finite()]
    generator: GeneratorState


class TrainerState(Position):
    """What Trainer.state_dict returns."""

    optimizer: dict[str, Any]
    schedule: dict[str, Any] | None


def check_position(trainer: Any, state: dict[str, Any]) -> None:
    """Check that a state is at the end of a step of a training, and has counted the images so far.

    trainer: the Trainer.
    state: a dict as of TrainerState.

    Raises ValueError where it is not, or where its schedule does not fit the optimiser's state.
    """
    batch, batches, running = state["batch"], len(trainer.loader), state["running"]
    if not 0 <= batch <= batches:
        raise ValueError(f"the state is at batch {batch} of an epoch with {batches} batches")
    if batch % trainer.accumulate and batch < batches:
        raise ValueError(f"the state is at batch {batch}, within a step of {trainer.accumulate} batches")
    seen = min(batch * trainer.loader.batch_size, len(trainer.loader.dataset))
    if running["pictures"] != seen:
        raise ValueError(f"running.pictures should be {seen:,} after batch {batch}, got {running['pictures']:,}")
    for name in ("top1_errors", "top5_errors"):
        if running[name] > seen:
            raise ValueError(f"running.{name} should be at most {seen:,}, got {running[name]:,}")
    schedule, groups = state["schedule"], state["optimizer"].get("param_groups")
    if (schedule is None) != (trainer.schedule is None):
        theirs, ours = ("no ", "a ") if schedule is None else ("a ", "no ")
        raise ValueError(f"the state is of a training with {theirs}schedule, this one has {ours}schedule")
    lrs = [group.get("lr") for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    if schedule and schedule.get("group_lrs", lrs) != lrs:
        rates = schema.shown(schedule["group_lrs"])
        raise ValueError(
            f"schedule.group_lrs should be the learning rates {lrs} of optimizer.param_groups, got {rates}"
        )


@contextlib.contextmanager
def naming(part: str) -> Iterator[None]:
    """A context in which a ValueError says to which part of a state it belongs; part: its name."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{part}: {error}") from error
