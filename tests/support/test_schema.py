"""Fields of a dataclass against what they are declared to be: types, limits, names."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import pytest

from minialex.support import schema
from minialex.support.schema import AtLeast, Below, Finite, OneOf


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
        ({"decay": {"a": "1"}}, "decay should be a number or a dict of numbers, got {'a': '1'}"),
        ({"decay": {"a": None}}, "decay should be a number or a dict of numbers, got {'a': None}"),
        ({"decay": [1.0]}, r"decay should be a number or a dict of numbers, got \[1.0\]"),
        ({"decay": {"a": 1, "b": -0.5}}, "decay should be at least 0, got -0.5"),
        ({"names": [1]}, r"names should be a tuple or a list of strings, got \[1\]"),
        ({"names": "a"}, "names should be a tuple or a list of strings, got 'a'"),
        ({"weights": {"a": [1]}}, "weights should be a dict of ndarrays or null, got"),
        ({"weights": []}, "weights should be a dict of ndarrays or null, got"),
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
