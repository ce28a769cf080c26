"""Validation of what is read from files: forms are types with limits, declared next to what they describe.

@dataclass
class Settings:
    epochs: Annotated[int, AtLeast(1)]
    momentum: Annotated[float, AtLeast(0), Below(1)] = 0.9
    optimizer: Annotated[str, OneOf("sgd", "adam")] = "sgd"

settings = schema.build(Settings, schema.from_json(text))

A form is made of int, float, str, bool, None, np.ndarray, list, dict, `|`, Annotated, Any, and records: dataclasses and
TypedDicts, whose fields have forms. `read` goes exactly as deep as the form does, however deep the value is nested.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import math
import numbers
import re
import reprlib
import types
from collections import Counter
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)  # fmt: skip

import numpy as np

from .text import content


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
class AtMost:
    """A number of at most `most`; in a list or a dict, each number in it."""

    most: float

    def allows(self, value):
        """Whether `value` is within the limit."""
        return value <= self.most

    def __str__(self):
        return f"at most {self.most:,}"


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
        return _is_in_range(value) and math.isfinite(value)

    def __str__(self):
        return "finite"


class NotNaN:
    """A number, perhaps infinite, that is not NaN."""

    def allows(self, value):
        """Whether `value` is a number."""
        return value == value

    def __str__(self):
        return "a number, not NaN"


class OneOf:
    """One of the texts `words`."""

    def __init__(self, *words):
        self.words = words

    def allows(self, value):
        """Whether `value` is one of them."""
        return value in self.words

    def __str__(self):
        return f"one of {', '.join(self.words)}"


@dataclasses.dataclass(frozen=True)
class Length:
    """A list or a dict, not each item of it, with at least `least` and at most `most` items."""

    least: int = 0
    most: float = math.inf
    of_whole = True

    def allows(self, value):
        """Whether `value` has as many items."""
        return self.least <= len(value) <= self.most

    def __str__(self):
        if self.least == self.most:
            return f"of {self.least} item{'s' * (self.least != 1)}"
        return f"of at least {self.least} item{'s' * (self.least != 1)}" if self.least else f"of at most {self.most}"


@dataclasses.dataclass(frozen=True)
class Numbers:
    """An array of real numbers that are all finite; of one that is Stored, only its type is looked at.

    kinds: of NumPy's dtypes, "f" for floating-point numbers, "i" and "u" for integers, "b" for truth values.
    """

    kinds: str = "fiub"

    def allows(self, value):
        """Whether `value`, an array, holds such numbers."""
        if value.dtype.kind not in self.kinds:
            return False
        return value.dtype.kind != "f" or isinstance(value, Stored) or bool(np.isfinite(value).all())

    def __str__(self):
        return "finite floating-point numbers" if self.kinds == "f" else "finite numbers"


class Stored(NamedTuple):
    """An array in a file that has not been read yet: its dtype and shape."""

    dtype: np.dtype
    shape: tuple[int, ...]


class FieldsOf:
    """A dict with fields of records, each as it is declared there.

    records: dataclasses and TypedDicts.
    without: names of fields that it does not have.
    whole: whether the fields have to be there: all of a dataclass, of a TypedDict those that are required.
    or_empty: whether the dict may be empty instead.
    others: the form of the values of other keys; None where there are none.
    """

    def __init__(self, *records, without=(), whole=True, or_empty=False, others=None):
        self.records, self.without, self.whole = records, without, whole
        self.or_empty, self.others = or_empty, others


def from_json(text):
    """The value of a JSON text that comes from a file.

    text: a str, or bytes in UTF-8.

    Raises ValueError, in a clause that follows "it", where it is not JSON, is nested too deeply, or has a key twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except _Twice as error:
        raise ValueError(f"has the key {_key(error.args[0])} twice in one object") from None
    except RecursionError:
        raise ValueError("is not JSON that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None


def from_json_file(path, most=2**24):
    """The value of a file of JSON.

    path: of the file, a Path.
    most: bytes that it may have.

    Raises OSError where it cannot be read, ValueError as from_json does, and where it is longer.
    """
    try:
        text = content(path, most)
    except ValueError:
        raise ValueError(f"is longer than {most:,} bytes") from None
    return from_json(text)


class _Twice(Exception):
    """A key that an object has twice."""


def _once(pairs):
    values = dict(pairs)
    if len(values) < len(pairs):
        raise _Twice(Counter(key for key, _ in pairs).most_common(1)[0][0])
    return values


def build(cls, values):
    """Build a dataclass from a dict and check it.

    cls: the dataclass.
    values: {field: value}, such as from JSON or TOML.

    Returns cls(**values).
    Raises ValueError for an unknown or missing field, and as `read` does.
    """
    return read(cls, values)


def check(instance: Any) -> Any:
    """Check every field of a dataclass against its form.

    instance: of the dataclass; dataclasses in it are not looked into.

    Returns the instance.
    Raises ValueError for the first field with a wrong type or value.
    """
    cls: Any = type(instance)
    for name, form in _record(cls).fields.items():
        _read(form, getattr(instance, name), (name,), None)
    return instance


def fields_of(record):
    """The names of the fields of a dataclass or a TypedDict, a set; record: the class."""
    return {*_record(record).fields}


def check_arguments(function, arguments, place=()):
    """Check arguments against the annotations of a function.

    function: a parameter without an annotation takes anything.
    arguments: {name: value}.
    place: as in `read`.

    Raises ValueError for an unknown argument or one of another type.
    """
    names = inspect.signature(function).parameters
    hints = get_type_hints(function)
    fields = {name: _compiled(hints.get(name, Any)) for name in names}
    _fields(_Record(fields, frozenset(), dict), arguments, place, None)


def read(form, value, place=(), array=None):
    """Check a value against a form.

    form: see the module's docstring.
    value: such as from JSON.
    place: the keys and indices that lead to the value, for messages: ("splits", "train", "shards", 0).
    array: a function of (value, place) that returns an array, or a Stored, where a value stands for one, else None.

    Returns a copy of the value, with a dataclass built where the form says so, and the arrays in place.
    Raises ValueError, with the place, for the first value that is unlike the form.
    """
    return _read(_compiled(form), value, place, array)


def _read(form, value, place, array):
    found = array and array(value, place)
    value = value if found is None else found
    kind = next((one for one in form.kinds if one.fits(value)), None)
    if kind is None:
        raise ValueError(f"{named(place)} should be {form.words}, got {shown(value)}")
    copy = _copy(kind, value, place, array)
    for limit in kind.limits:
        for item in [value] if getattr(limit, "of_whole", False) else _items(value):
            if item is not None and not limit.allows(item):
                raise ValueError(f"{named(place)} should be {' and '.join(map(str, kind.limits))}, got {shown(item)}")
    return copy


def _copy(kind, value, place, array):
    """A copy of a container with its items read; any other value as it is."""
    if kind.record:
        is_built = not isinstance(value, dict)
        return value if is_built or (kind.or_empty and not value) else _fields(kind.record, value, place, array)
    if not kind.items:
        return value
    if isinstance(value, dict):
        keys, items = kind.items
        for key in value:
            if not any(one.fits(key) for one in keys.kinds):
                raise ValueError(f"{named(place)} should have keys that are {_plural(keys.words)}, got {shown(key)}")
        return {key: _read(items, item, (*place, key), array) for key, item in value.items()}
    return type(value)(_read(kind.items[0], item, (*place, i), array) for i, item in enumerate(value))


def _fields(record, value, place, array):
    """A dict with the fields of a record, or the dataclass that they make."""
    if unknown := [key for key in value if key not in record.fields and record.others is None]:
        known = ", ".join(record.fields)
        raise ValueError(f"unknown field {named((*place, unknown[0]))}; the fields are {known}")
    if missing := [name for name in record.fields if name in record.required and name not in value]:
        raise ValueError(f"the field {named((*place, missing[0]))} is missing")
    form_of = record.fields.get
    return record.make({k: _read(form_of(k, record.others), item, (*place, k), array) for k, item in value.items()})


# Forms are taken apart once.


class _Form(NamedTuple):
    """A form.

    kinds: the _Kinds of values that it allows.
    words: what they are, for messages.
    """

    kinds: tuple[_Kind, ...]
    words: str


class _Kind(NamedTuple):
    """One kind of values.

    fits: a function of a value: whether it is of this type; what is in it is not looked at.
    limits: of the value, or of each item in it.
    record: the _Record of a dict with known keys.
    or_empty: whether that dict may be empty instead.
    items: the _Forms of the items of a list, or of the keys and the items of a dict.
    """

    fits: Callable[[Any], bool]
    limits: tuple[Any, ...] = ()
    record: _Record | None = None
    or_empty: bool = False
    items: tuple[_Form, ...] = ()


class _Record(NamedTuple):
    """What a dataclass or a TypedDict declares.

    fields: {name: _Form}.
    required: the names of those without a default.
    make: what builds it from a dict of its fields.
    others: the _Form of other fields; None if there are none.
    """

    fields: Mapping[str, _Form]
    required: frozenset[str]
    make: Callable[..., Any]
    others: _Form | None = None


@functools.cache
def _compiled(form):
    """The _Form of a form."""
    form, limits = _without_limits(form)
    union = get_args(form) if get_origin(form) in (types.UnionType, Union) else (form,)
    kinds = []
    for one in union:
        one, more = _without_limits(one)
        fields_of = next((limit for limit in (*limits, *more) if isinstance(limit, FieldsOf)), None)
        record = _record_of(fields_of) if fields_of else _record(one)
        items = () if record else tuple(_compiled(arg) for arg in get_args(one) if arg is not Ellipsis)
        checked = tuple(limit for limit in (*limits, *more) if hasattr(limit, "allows"))
        kinds.append(_Kind(_test(one), checked, record, bool(fields_of and fields_of.or_empty), items))
    return _Form(tuple(kinds), " or ".join(map(_describe, union)))


@functools.cache
def _record(form):
    """The _Record of a dataclass or a TypedDict; None for another form."""
    if not dataclasses.is_dataclass(form) and not is_typeddict(form):
        return None
    hints = get_type_hints(form, include_extras=True)
    if is_typeddict(form):
        fields = {n: _compiled(get_args(one)[0] if get_origin(one) is NotRequired else one) for n, one in hints.items()}
        return _Record(fields, frozenset(n for n, one in hints.items() if get_origin(one) is not NotRequired), dict)
    own = dataclasses.fields(form)
    required = frozenset(f.name for f in own if f.default is f.default_factory is dataclasses.MISSING)
    return _Record({f.name: _compiled(hints[f.name]) for f in own}, required, lambda values: form(**values))


@functools.cache
def _record_of(fields_of):
    """The _Record of a FieldsOf."""
    records = [_record(one) for one in fields_of.records]
    fields = {name: form for one in records for name, form in one.fields.items() if name not in fields_of.without}
    required: set[str] = set()
    for one, record in zip(fields_of.records, records) if fields_of.whole else ():
        required |= {*record.fields} if dataclasses.is_dataclass(one) else record.required
    others = None if fields_of.others is None else _compiled(fields_of.others)
    return _Record(fields, frozenset(required & {*fields}), dict, others)


def _without_limits(form):
    """(the form, its limits) of an Annotated form; (the form, ()) of another."""
    if get_origin(form) is Annotated:
        inner, *limits = get_args(form)
        return inner, tuple(limits)
    return form, ()


def _items(value):
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]


def _test(form):
    """The function that tells values of the type of a form."""
    if form is Any:
        return lambda value: True
    if form in (None, type(None)):
        return lambda value: value is None
    if form is bool:
        return lambda value: isinstance(value, bool)
    if form is float:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and _is_in_range(value)
    if form is np.ndarray:
        return lambda value: isinstance(value, np.ndarray | Stored)
    cls: Any = (
        dict if is_typeddict(form) else (dict, form) if dataclasses.is_dataclass(form) else get_origin(form) or form
    )
    return lambda value: isinstance(value, cls) and not isinstance(value, bool | Stored)  # for Python a bool is an int


def _is_in_range(number):
    try:
        float(number)
    except OverflowError:
        return False
    return True


def named(place):
    """A place in words: "splits.train.shards[0]"; keys that are not plain are quoted."""
    if not place:
        return "the description"
    steps = [f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in place]
    return "".join(steps).removeprefix(".")


def _key(key):
    return key if isinstance(key, str) and re.fullmatch(r"[\w./-]{1,80}", key, re.ASCII) else reprlib.repr(key)


def shown(value):
    """A value in a message, shortened."""
    if not isinstance(value, np.ndarray | Stored):
        return reprlib.repr(value)
    lost = isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all()
    return f"an array of {value.dtype} {value.shape}" + " with NaN or infinity" * lost


_WORDS = {
    np.ndarray: "an array",
    int: "an integer",
    float: "a number",
    str: "a string",
    bool: "true or false",
    numbers.Real: "a number",
    type(None): "null",
}


def _describe(form):
    form, _ = _without_limits(form)
    if is_typeddict(form) or dataclasses.is_dataclass(form):
        return "an object"
    if get_args(form) and get_args(form)[-1] is not Any:
        return f"a {get_origin(form).__name__} of {_plural(_compiled(get_args(form)[-1]).words)}"
    form = get_origin(form) or form
    return _WORDS.get(form, f"a {getattr(form, '__name__', form)}")


def _plural(words):
    return f"{words.removeprefix('a ').removeprefix('an ')}s"
