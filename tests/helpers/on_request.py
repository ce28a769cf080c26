"""Parameters of which a few are enough for a first run of the tests: the others are heavy, and run with --heavy."""

from __future__ import annotations

import pytest

heavy = pytest.mark.heavy


def heavy_but(kept, values):
    """`values` for pytest.mark.parametrize, all of them heavy but those in `kept`."""
    return [value if value in kept else pytest.param(value, marks=heavy) for value in values]
