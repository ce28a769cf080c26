"""What optimisers save, as a form for files, and what they load, checked before anything is changed."""

from __future__ import annotations

import math
import numbers
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np

from ..nn.module_methods import loaded
from ..support import schema
from ..support.schema import AtLeast, Below, FieldsOf, Finite, Length, Numbers


class GroupState(TypedDict):
    """A parameter group in a file: the numbers of its parameters, and its settings."""

    params: Annotated[list[int], AtLeast(0)]
    lr: Annotated[float, AtLeast(0), Finite()]
    weight_decay: Annotated[float, AtLeast(0), Finite()]
    momentum: NotRequired[Annotated[float, AtLeast(0), Finite()]]
    dampening: NotRequired[Annotated[float, Finite()]]
    nesterov: NotRequired[bool]
    betas: NotRequired[Annotated[list[float], Length(2, 2), AtLeast(0), Below(1)]]
    eps: NotRequired[Annotated[float, AtLeast(0), Finite()]]
    alpha: NotRequired[Annotated[float, AtLeast(0), Finite()]]
    centered: NotRequired[bool]


_OTHER_SETTING = float | bool | str | None  # of an optimiser that is not the library's
_FLOATS_OR_STEP = Annotated[np.ndarray, Numbers("f")] | Annotated[int, AtLeast(0)]


class OptimizerState(TypedDict):
    """What Optimizer.state_dict returns, in a file."""

    state: dict[str, dict[str, _FLOATS_OR_STEP]]
    param_groups: Annotated[list[Annotated[dict[str, Any], FieldsOf(GroupState, others=_OTHER_SETTING)]], Length(1)]


class _Given(TypedDict):
    """The form of what load_state_dict takes; the arrays in it may be on a GPU, or torch's."""

    state: dict
    param_groups: list[dict]


_NOT_DONE = ("maximize", "amsgrad", "capturable", "differentiable")  # torch's settings: False only
_OF_TORCH = ("foreach", "fused", "initial_lr")  # without an effect


def read(optimizer: Any, state_dict: Any) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """Check a state for an optimiser, which is not changed.

    optimizer: an Optimizer.
    state_dict: as of Optimizer.load_state_dict.

    Returns the settings of each group, and {index of a parameter: its arrays, copied, by name}.
    Raises ValueError where groups, settings, shapes or names are not the optimiser's.
    """
    given = schema.read(Annotated[dict, FieldsOf(_Given, others=Any)], state_dict)
    groups, sizes = optimizer.param_groups, [len(group["params"]) for group in optimizer.param_groups]
    indices = [group.get("params") for group in given["param_groups"]]
    if [len(i) if isinstance(i, list | tuple) else None for i in indices] != sizes:
        raise ValueError(
            f"this optimiser state is of other parameters: the params of its param_groups should be {sizes}"
        )
    numbered = [list(range(sum(sizes[:i]), sum(sizes[: i + 1]))) for i in range(len(sizes))]
    for i, expected in enumerate(numbered):
        if list(indices[i]) != expected:
            raise ValueError(f"param_groups[{i}].params should be {_short(expected)}, got {schema.shown(indices[i])}")
    settings = [
        _settings(optimizer, own, saved, f"param_groups[{i}]")
        for i, (own, saved) in enumerate(zip(groups, given["param_groups"], strict=True))
    ]
    parameters = [p for group in groups for p in group["params"]]
    entries = {}
    for key, saved in given["state"].items():
        index = _index(key, len(parameters))
        if arrays := _entries(optimizer, index, parameters[index], saved):
            entries[index] = arrays
    return settings, entries


def check(optimizer: Any, group: dict[str, Any]) -> None:
    """Raise ValueError where a group's settings are impossible.

    optimizer: an Optimizer, which checks its own settings.
    group: a dict of settings.
    """
    for name in ("lr", "weight_decay"):
        if not 0 <= group[name] < math.inf:
            raise ValueError(f"{type(optimizer).__name__}: {name} must be a number from 0 on, got {group[name]}")
    optimizer.check(group)


def _short(values):
    return f"the numbers from {values[0]} to {values[-1]}" if len(values) > 10 else str(values)


def _settings(optimizer, own, saved, place):
    """The settings of a group, in the optimiser's types."""
    kind, settings = type(optimizer).__name__, {}
    fixed = dict.fromkeys(_NOT_DONE, False) | {"decoupled_weight_decay": getattr(optimizer, "decoupled", False)}
    for name, value in saved.items():
        if name in own and name != "params":
            if not _is_like(value, own[name]):
                raise ValueError(f"{place}.{name} should be {_words(own[name])}, got {schema.shown(value)}")
            settings[name] = tuple(value) if isinstance(own[name], tuple) else value
        elif name in fixed and value is not fixed[name]:
            raise ValueError(f"{place}.{name} should be {fixed[name]} for {kind}, got {schema.shown(value)}")
        elif name not in ("params", *fixed, *_OF_TORCH):
            raise ValueError(
                f"{place} has an unknown setting {schema.shown(name)}; {kind} has {', '.join(optimizer.defaults)}"
            )
    try:
        check(optimizer, {**own, **settings})
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    return settings


def _is_like(value, own):
    """Whether a setting is of the type of the optimiser's own; numbers have to be finite."""
    if isinstance(own, bool) or isinstance(value, bool):
        return isinstance(own, bool) and isinstance(value, bool)
    if isinstance(own, numbers.Real):
        return isinstance(value, numbers.Real) and Finite().allows(value)
    if isinstance(own, tuple | list):
        return isinstance(value, tuple | list) and len(value) == len(own) and all(map(_is_like, value, own))
    return own is None or isinstance(value, type(own))


def _words(own):
    if isinstance(own, bool):
        return "true or false"
    if isinstance(own, tuple | list):
        return f"{len(own)} numbers"
    return "a finite number" if isinstance(own, numbers.Real) else f"a {type(own).__name__}"


def _index(key, count):
    """The index of a parameter, which JSON has as text."""
    index = int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 10 else key
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise ValueError(f"this optimiser state has a parameter {schema.shown(key)}; there are {count}")
    return index


def _entries(optimizer, index, p, saved):
    """Copies of the arrays that an optimiser keeps for a parameter, and its step."""
    names = optimizer.keeps
    if not isinstance(saved, dict):
        raise ValueError(f"state.{index} should be a dict of arrays, got {schema.shown(saved)}")
    if names is not None and saved:
        if unknown := [name for name in saved if name not in names]:
            known = ", ".join(names) or "nothing"
            raise ValueError(f"state.{index} has {schema.shown(unknown[0])}; {type(optimizer).__name__} keeps {known}")
        if missing := [name for name in names if name not in saved and name not in optimizer.may_lack]:
            raise ValueError(f"state.{index} has no {missing[0]}, which {type(optimizer).__name__} keeps")
    return {
        name: _step(index, value) if name == "step" else _array(name, index, p, value) for name, value in saved.items()
    }


def _step(index, value):
    """The number of steps; torch has it as a tensor."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool | str) or not (0 <= number < 2**53 and number == int(number)):
        raise ValueError(f"the step of parameter {index} should be a whole number, got {schema.shown(value)}")
    return int(number)


def _array(name, index, p, value):
    shape = getattr(value, "shape", ())
    if shape != p.shape:
        raise ValueError(f"{name} of parameter {index} has shape {shape}, its parameter {p.shape}")
    return p.backend.xp.array(loaded(f"{name} of parameter {index}", value, p))
