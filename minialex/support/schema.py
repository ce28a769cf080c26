"""Validation of dataclasses: types and limits are declared with each field, and checked for values read from a file.

@dataclass
class Settings:
    epochs: Annotated[int, AtLeast(1)]
    momentum: Annotated[float, AtLeast(0), Below(1)] = 0.9
    optimizer: Annotated[str, OneOf("sgd", "adam")] = "sgd"

settings = schema.build(Settings, json.loads(text))
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from types import UnionType
from typing import Annotated, get_args, get_origin, get_type_hints


@dataclasses.dataclass(frozen=True)
class AtLeast:
    """A number of at least `least`; in a list or a dict, each number in it."""

    least: float

    def allows(self, value):
        """Whether `value` is within the limit."""
        return value >= self.least

    def __str__(self):
        return f"at least {self.least:g}"


@dataclasses.dataclass(frozen=True)
class Below:
    """A number below `limit`."""

    limit: float

    def allows(self, value):
        """Whether `value` is within the limit."""
        return value < self.limit

    def __str__(self):
        return f"below {self.limit:g}"


class Finite:
    """A number that is not infinite or NaN; Python reads both from JSON."""

    def allows(self, value):
        """Whether `value` is finite."""
        return math.isfinite(value)

    def __str__(self):
        return "finite"


class OneOf:
    """One of the texts `words`."""

    def __init__(self, *words):
        self.words = words

    def allows(self, value):
        """Whether `value` is one of them."""
        return value in self.words

    def __str__(self):
        return f"one of {', '.join(self.words)}"


def build(cls, values):
    """Build a dataclass from a dict and check it.

    cls: the dataclass.
    values: {field: value}, such as from JSON or TOML.

    Returns cls(**values).
    Raises ValueError for an unknown or missing field, and as `check` does.
    """
    fields = dataclasses.fields(cls)
    if unknown := sorted({*values} - {field.name for field in fields}):
        raise ValueError(f"unknown field {unknown[0]}; the fields are {', '.join(field.name for field in fields)}")
    required = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [name for name in required if name not in values]:
        raise ValueError(f"the field {missing[0]} is missing")
    return check(cls(**values))


def check(instance):
    """Check every field of a dataclass against its declared type and limits, including the items of lists and dicts.

    instance: of the dataclass.

    Returns the instance.
    Raises ValueError for the first field with a wrong type or value.
    """
    for name, declared in get_type_hints(type(instance), include_extras=True).items():
        value = getattr(instance, name)
        kind, *limits = get_args(declared) if get_origin(declared) is Annotated else (declared,)
        if not _is(value, kind):
            raise ValueError(f"{name} should be {_describe(kind)}, got {reprlib.repr(value)}")
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        for one in values:
            if one is not None and not all(limit.allows(one) for limit in limits):
                raise ValueError(f"{name} should be {' and '.join(map(str, limits))}, got {reprlib.repr(one)}")
    return instance


def _is(value, kind):
    if isinstance(kind, UnionType):
        return any(_is(value, one) for one in get_args(kind))
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool  # for Python a bool is an int
    if kind is float:
        return isinstance(value, int | float)
    if not isinstance(value, get_origin(kind) or kind):
        return False
    items = value.values() if isinstance(value, dict) else value
    return all(_is(item, get_args(kind)[-1]) for item in items) if get_args(kind) else True


_WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false", type(None): "null"}


def _describe(kind):
    if isinstance(kind, UnionType):
        return " or ".join(map(_describe, get_args(kind)))
    if get_args(kind):
        item = _describe(get_args(kind)[-1]).removeprefix("a ").removeprefix("an ")
        return f"a {get_origin(kind).__name__} of {item}s"
    return _WORDS.get(kind, f"a {getattr(kind, '__name__', kind)}")
