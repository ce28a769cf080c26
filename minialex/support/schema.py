"""What the fields of a dataclass may be, said once beside each field, and checked wherever values come from a file.

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
    """A number of `least` or more; in a list or a dict, each of them."""

    least: float

    def allows(self, value):
        return value >= self.least

    def __str__(self):
        return f"at least {self.least:g}"


@dataclasses.dataclass(frozen=True)
class Below:
    """A number less than `limit`."""

    limit: float

    def allows(self, value):
        return value < self.limit

    def __str__(self):
        return f"below {self.limit:g}"


class Finite:
    """Neither infinite nor NaN, both of which Python reads in JSON."""

    def allows(self, value):
        return math.isfinite(value)

    def __str__(self):
        return "finite"


class OneOf:
    """One of some words."""

    def __init__(self, *words):
        self.words = words

    def allows(self, value):
        return value in self.words

    def __str__(self):
        return f"one of {', '.join(self.words)}"


def build(cls, values):
    """cls(**values), checked.

    values: a dict, as from JSON or TOML. Raises ValueError for a field that is missing or unknown, and as `check`.
    """
    fields = dataclasses.fields(cls)
    if unknown := sorted({*values} - {field.name for field in fields}):
        raise ValueError(f"there is no {unknown[0]}; there are {', '.join(field.name for field in fields)}")
    required = [f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [name for name in required if name not in values]:
        raise ValueError(f"there is no value for {missing[0]}")
    return check(cls(**values))


def check(instance):
    """The dataclass instance itself, if every field is what it is declared to be.

    Raises ValueError that names the first field that is not: its type, that of what its list or dict holds, or a limit.
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


_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "nothing"}


def _describe(kind):
    if isinstance(kind, UnionType):
        return " or ".join(map(_describe, get_args(kind)))
    if get_args(kind):
        return f"a {get_origin(kind).__name__} of {_describe(get_args(kind)[-1]).removeprefix('a ')}s"
    return _WORDS.get(kind, f"a {getattr(kind, '__name__', kind)}")
