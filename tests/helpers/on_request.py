"""Parameters of which a few are enough for a first run of the tests: the others are heavy, and run with --heavy."""

from __future__ import annotations

import pytest

heavy = pytest.mark.heavy


def heavy_but(kept, values):
    """`values` for pytest.mark.parametrize, all of them heavy but those in `kept`."""
    several = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*each, marks=() if value in kept else heavy) for value, each in zip(values, several)]
