"""The arguments of a network's function besides num_classes and input_size: norm="lrn", dropout="before"."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from typing import Any

from .preset import Preset

OF_THEIR_OWN = ("num_classes", "input_size")  # which commands have options for
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def defaults(preset: Preset) -> dict[str, Any]:
    """The arguments of a network's function that can be set, with their defaults.

    preset: a Preset.

    Returns {name: default}, without num_classes and input_size.
    """
    parameters = inspect.signature(preset.build).parameters.values()
    named = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    return {p.name: p.default for p in named if p.name not in (*OF_THEIR_OWN, "description")}


def parsed(name: str, preset: Preset, texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Values for the arguments of a network's function, from texts.

    name: of the network, for messages.
    preset: its Preset.
    texts: pairs (argument, value as text). A value is read as the default's type says: true or false, a number, a word.

    Returns {argument: value}.
    Raises ValueError for an unknown argument, a value of another type, or an argument that is given twice.
    """
    values: dict[str, Any] = {}
    for argument, text in texts:
        if argument in values:
            raise ValueError(f"{argument} is set twice, to {values[argument]} and to {text}")
        values[argument] = _read(argument, text, _default(name, preset, argument))
    return values


def check(name: str, preset: Preset, values: Mapping[str, Any]) -> None:
    """Check that a network's function has these arguments, and that they are of its defaults' types.

    name: of the network, for messages.
    preset: its Preset.
    values: {argument: value}.

    Raises ValueError for another argument, or a value of another type.
    """
    for argument, value in values.items():
        kind = type(_default(name, preset, argument))
        if kind in _KINDS and type(value) is not kind and (kind, type(value)) != (float, int):
            raise ValueError(f"{argument} of {name} should be {_KINDS[kind]}, got {value!r}")


def _default(name, preset, argument):
    """The default of an argument; raises ValueError where the function has none of this name."""
    known = defaults(preset)
    if argument in OF_THEIR_OWN:
        raise ValueError(f"{argument} is not set like other arguments of {name}: use {argument}=...")
    if argument not in known:
        has = f"it has {', '.join(known)}" if known else "it has none but num_classes and input_size"
        raise ValueError(f"{name} has no argument {argument!r}: {has}")
    return known[argument]


def _read(argument, text, default):
    """The value that a text stands for."""
    if default is None:
        return next(value for kind in _KINDS if (value := _as(kind, text)) is not None)
    if type(default) not in _KINDS:
        raise ValueError(f"{argument} cannot be set as a text: its default is {default!r}")
    value = _as(type(default), text)
    if value is None:
        raise ValueError(f"{argument} must be {_KINDS[type(default)]}, got {text!r}")
    return value


def _as(kind, text):
    """A text as a value of a type; None where it is none."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    try:
        value = kind(text)
    except ValueError:
        return None
    return None if kind is float and not math.isfinite(value) else value
