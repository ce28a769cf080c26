"""Fields of a dataclass against what they are declared to be: types, limits, names."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np
import pytest

from minialex.support import schema
from minialex.support.schema import AtLeast, AtMost, Below, FieldsOf, Finite, Length, Numbers, OneOf, Stored


@dataclass
class Example:
    name: str
    count: Annotated[int, AtLeast(1)] = 1
    rate: Annotated[float, AtLeast(0), Below(1)] = 0.5
    size: Annotated[float, Finite()] = 1.0
    kind: Annotated[str, OneOf("a", "b")] = "a"
    flag: bool = False
    limit: Annotated[int | None, AtLeast(0)] = None
    decay: Annotated[float | dict[str, float], AtLeast(0)] = 0.1
    names: tuple | list[str] = ()
    weights: dict[str, np.ndarray] | None = None
    anything: dict = field(default_factory=dict)


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"count": 10**30},
        {"rate": 0},
        {"size": -1e300},
        {"kind": "b"},
        {"limit": 3},
        {"limit": 0},
        {"decay": {"a": 1, "b": 0.5}},
        {"decay": {}},
        {"names": ["a"]},
        {"names": (1, "b")},
        {"flag": True},
        {"weights": {"a": np.zeros(2)}},
        {"anything": {"a": 1, 2: [None]}},
    ],
)
def test_what_is_allowed(good):
    values = {"name": "x"} | good
    assert schema.build(Example, values) == Example(**values)


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"count": 1.0}, "count should be an integer, got 1.0"),
        ({"count": "1"}, "count should be an integer, got '1'"),
        ({"count": None}, "count should be an integer, got None"),
        ({"count": True}, "count should be an integer, got True"),
        ({"count": 0}, "count should be at least 1, got 0"),
        ({"rate": "0.5"}, "rate should be a number, got '0.5'"),
        ({"rate": True}, "rate should be a number, got True"),
        ({"rate": 1}, "rate should be at least 0 and below 1, got 1"),
        ({"rate": math.nan}, "rate should be at least 0 and below 1, got nan"),
        ({"size": math.inf}, "size should be finite, got inf"),
        ({"size": math.nan}, "size should be finite, got nan"),
        ({"kind": "c"}, "kind should be one of a, b, got 'c'"),
        ({"flag": 1}, "flag should be true or false, got 1"),
        ({"flag": None}, "flag should be true or false, got None"),
        ({"limit": "3"}, "limit should be an integer or null, got '3'"),
        ({"limit": False}, "limit should be an integer or null, got False"),
        ({"limit": -1}, "limit should be at least 0, got -1"),
        ({"decay": {"a": "1"}}, "decay.a should be a number, got '1'"),
        ({"decay": {"a": None}}, "decay.a should be a number, got None"),
        ({"decay": [1.0]}, r"decay should be a number or a dict of numbers, got \[1.0\]"),
        ({"decay": {"a": 1, "b": -0.5}}, "decay should be at least 0, got -0.5"),
        ({"names": [1]}, r"names\[0\] should be a string, got 1"),
        ({"names": "a"}, "names should be a tuple or a list of strings, got 'a'"),
        ({"weights": {"a": [1]}}, r"weights.a should be an array, got \[1\]"),
        ({"weights": []}, "weights should be a dict of arrays or null, got"),
        ({"anything": [1]}, "anything should be a dict, got"),
        ({"name": 3}, "name should be a string, got 3"),
        ({"colour": "blue"}, "unknown field colour; the fields are name, count, "),
    ],
)
def test_what_is_refused(bad, message):
    values = {"name": "x"} | bad
    with pytest.raises(ValueError, match=f"^{message}"):
        schema.build(Example, values)


def test_a_field_without_a_default_must_be_there():
    with pytest.raises(ValueError, match="^the field name is missing$"):
        schema.build(Example, {"count": 2})


def test_a_long_value_is_not_repeated_in_full():
    with pytest.raises(ValueError) as error:
        schema.check(Example("x", kind="y" * 10**6))
    assert len(str(error.value)) < 200


@dataclass
class Part:
    size: Annotated[int, AtLeast(1)]
    names: list[str] = field(default_factory=list)


class Row(TypedDict):
    epoch: Annotated[int, AtLeast(1), AtMost(9)]
    loss: NotRequired[Annotated[float, Finite()]]
    parts: NotRequired[list[Part]]


class LongRow(Row):
    more: bool | None


@dataclass
class Whole:
    parts: dict[str, Part]
    rows: Annotated[list[Row], Length(1)]
    long: LongRow | None = None
    some: Annotated[dict[str, Any], FieldsOf(Part, Row, without=("names",), whole=False)] = field(default_factory=dict)
    open: Annotated[dict[str, Any], FieldsOf(Row, or_empty=True, others=int | None)] = field(default_factory=dict)
    pair: Annotated[list[float], Length(2, 2), Below(1)] = field(default_factory=lambda: [0.0, 0.0])
    array: Annotated[np.ndarray, Numbers("f")] | None = None


RIGHT = {"parts": {"a": {"size": 3}}, "rows": [{"epoch": 1}]}


def test_what_is_nested_is_built():
    read = schema.build(Whole, RIGHT | {"long": {"epoch": 2, "more": None, "parts": [{"size": 1, "names": ["x"]}]}})
    assert read.parts == {"a": Part(3, [])} and read.rows == [{"epoch": 1}]
    assert read.long == {"epoch": 2, "more": None, "parts": [Part(1, ["x"])]}
    assert schema.check(read) is read


@pytest.mark.parametrize(
    "changes",
    [
        {"some": {"size": 2, "epoch": 3, "parts": []}},
        {"some": {}},
        {"open": {}},
        {"open": {"epoch": 1, "zzz": 3, "y": None}},
        {"pair": [0.5, -1]},
        {"array": np.ones(2)},
        {"array": Stored(np.dtype("f4"), (3,))},
    ],
)
def test_what_is_allowed_inside(changes):
    built = schema.build(Whole, RIGHT | changes)
    assert {name: repr(getattr(built, name)) for name in changes} == {name: repr(v) for name, v in changes.items()}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"parts": {"a": {}}}, "the field parts.a.size is missing"),
        ({"parts": {"a": {"size": 0}}}, "parts.a.size should be at least 1, got 0"),
        ({"parts": {"a": 3}}, "parts.a should be an object, got 3"),
        ({"parts": {"a": {"size": 1, "names": ["x", 2]}}}, r"parts.a.names\[1\] should be a string, got 2"),
        ({"parts": {"a": {"size": 1, "zzz": 2}}}, "unknown field parts.a.zzz; the fields are size, names"),
        ({"parts": {3: {"size": 1}}}, "parts should have keys that are strings, got 3"),
        ({"parts": []}, r"parts should be a dict of objects, got \[\]"),
        ({"rows": []}, r"rows should be of at least 1 item, got \[\]"),
        ({"rows": [{}]}, r"the field rows\[0\].epoch is missing"),
        ({"rows": [{"epoch": 1, "loss": None}]}, r"rows\[0\].loss should be a number, got None"),
        ({"rows": [{"epoch": 10}]}, r"rows\[0\].epoch should be at least 1 and at most 9, got 10"),
        ({"rows": [{"epoch": 1, "loss": 10**400}]}, r"rows\[0\].loss should be a number, got 1000"),
        (
            {"rows": [{"epoch": 1, "parts": [{"size": "x"}]}]},
            r"rows\[0\].parts\[0\].size should be an integer, got 'x'",
        ),
        ({"long": {"epoch": 1}}, "the field long.more is missing"),
        ({"long": {"more": 1, "epoch": 1}}, "long.more should be true or false or null, got 1"),
        ({"some": {"names": []}}, "unknown field some.names; the fields are size, epoch, loss, parts"),
        ({"some": {"size": "x"}}, "some.size should be an integer, got 'x'"),
        ({"open": {"zzz": 3}}, "the field open.epoch is missing"),
        ({"open": {"epoch": 1, "zzz": "x"}}, "open.zzz should be an integer or null, got 'x'"),
        ({"pair": [0.5]}, r"pair should be of 2 items and below 1, got \[0.5\]"),
        ({"pair": [0.5, 1]}, "pair should be of 2 items and below 1, got 1"),
        ({"pair": [0.5, "x"]}, r"pair\[1\] should be a number, got 'x'"),
        ({"array": [1.0]}, r"array should be an array or null, got \[1.0\]"),
        ({"array": np.ones(2, int)}, r"array should be finite floating-point numbers, got an array of int64 \(2,\)"),
        ({"array": np.array([1, math.nan])}, "array should be finite floating-point numbers, got .* with NaN or inf"),
        ({"array": Stored(np.dtype("O"), (3,))}, r"array should be finite .*, got an array of object \(3,\)"),
        ({"\x1b[31m": 1}, r"unknown field '\\x1b\[31m'"),
        ({"rows": Stored(np.dtype("f4"), (3,))}, "rows should be a list of objects, got an array of float32"),
    ],
)
def test_what_is_refused_inside(changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        schema.build(Whole, RIGHT | changes)


@pytest.mark.parametrize("depth", [600, 900, 100_000])
def test_however_deep_a_value_is(depth):
    """A message is short, and no recursion error comes up; values are read as deep as forms are."""
    deep: Any = 0
    for _ in range(depth):
        deep = [deep]
    for changes in (
        {"rows": deep},
        {"rows": [deep]},
        {"rows": [{"epoch": deep}]},
        {"zzz": deep},
        {"open": {"z": deep}},
    ):
        with pytest.raises(ValueError) as error:
            schema.build(Whole, RIGHT | changes)
        assert len(str(error.value)) < 200
    while isinstance(deep, list) and deep:  # taking it apart at once would recurse in C
        deep = deep.pop()


def test_arrays_are_found_by_a_function():
    def found(value, place):
        return np.full(2, len(place)) * 1.0 if isinstance(value, dict) and "$array" in value else None

    assert schema.read(dict[str, list[np.ndarray]], {"a": [{"$array": 1}]}, (), found)["a"][0].tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match=r"^a\[1\] should be an array, got 3"):
        schema.read(dict[str, list[np.ndarray]], {"a": [{"$array": 1}, 3]}, (), found)


def build(num_classes: int = 10, *, norm: str = "lrn", inverted: bool = False, rate: float | None = None) -> None:
    """A function whose arguments are checked."""


def test_arguments_of_a_function():
    schema.check_arguments(build, {"num_classes": 3, "norm": "x", "inverted": True, "rate": None})
    for arguments, message in (
        ({"num_classes": "3"}, "arguments.num_classes should be an integer, got '3'"),
        ({"inverted": 1}, "arguments.inverted should be true or false, got 1"),
        ({"rate": "x"}, "arguments.rate should be a number or null, got 'x'"),
        ({"zzz": 1}, "unknown field arguments.zzz; the fields are num_classes, norm, inverted, rate"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            schema.check_arguments(build, arguments, ("arguments",))


@pytest.mark.parametrize(
    "text, message",
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON that can be read: it is nested too deeply"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "has the key c twice in one object"),
        (b'{"\\u001b[31m": 1, "\\u001b[31m": 2}', r"has the key '\\x1b\[31m' twice"),
        (b"9" * 5000, "is not JSON"),
        (b"1 2", "is not JSON"),
    ],
)
def test_json_from_files(text, message, tmp_path):
    (tmp_path / "a.json").write_bytes(text)
    for read in (lambda: schema.from_json(text), lambda: schema.from_json_file(tmp_path / "a.json")):
        with pytest.raises(ValueError, match=f"^{message}"):
            read()


def test_a_file_of_json_is_not_read_beyond_a_length(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": [1, 2.5, null]}')
    assert schema.from_json_file(path) == {"a": [1, 2.5, None]}
    with open(path, "ab") as file:
        file.truncate(2**33)  # a hole
    with pytest.raises(ValueError, match="^is longer than 16,777,216 bytes"):
        schema.from_json_file(path)
