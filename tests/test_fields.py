"""Fields of a dataclass against their declared types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from minialex import fields


@dataclass
class Example:
    count: int = 1
    rate: float = 0.5
    flag: bool = False
    limit: int | None = None
    decay: float | dict[str, float] = 0.1
    names: tuple | list[str] = ()
    weights: dict[str, np.ndarray] | None = None
    anything: dict | None = None


@pytest.mark.parametrize(
    "good",
    [{}, {"rate": 2}, {"limit": 3}, {"decay": {"a": 1, "b": 0.5}}, {"decay": {}}, {"names": ["a"]}, {"names": (1, "b")},
     {"flag": True}, {"weights": {"a": np.zeros(2)}}, {"anything": {"a": 1, 2: [None]}}],
)  # fmt: skip
def test_right_types(good):
    fields.check_types(Example(**good))


@pytest.mark.parametrize(
    "bad",
    [{"count": 1.0}, {"count": "1"}, {"count": None}, {"count": True}, {"rate": "0.5"}, {"rate": True}, {"flag": 1},
     {"flag": None}, {"limit": "3"}, {"limit": False}, {"decay": {"a": "1"}}, {"decay": {"a": None}}, {"decay": [1.0]},
     {"names": [1]}, {"names": "a"}, {"weights": {"a": [1]}}, {"weights": []}, {"anything": [1]}],
)  # fmt: skip
def test_wrong_types(bad):
    with pytest.raises(TypeError, match=f"^{next(iter(bad))} is no "):
        fields.check_types(Example(**bad))
