"""Are the fields of a dataclass what they are declared to be? For what was read from a file."""

from __future__ import annotations

from types import UnionType
from typing import get_args, get_origin, get_type_hints


def check_types(instance):
    """TypeError unless every field is of its declared type, and what its lists and dicts hold as well."""
    for name, kind in get_type_hints(type(instance)).items():
        if not _is(getattr(instance, name), kind):
            raise TypeError(f"{name} is no {getattr(kind, '__name__', kind)}")


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
