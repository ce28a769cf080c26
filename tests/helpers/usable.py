"""The backends that tests are run on: all of them, skipped with the reason where one cannot be used."""

from __future__ import annotations

import pytest

from minialex import backends

EVERY = [pytest.param(name, marks=pytest.mark.gpu) if name == "cupy" else name for name in backends.available()]


def or_skip(name):
    """The backend, or a skipped test: without a GPU, without a compiler."""
    try:
        return backends.get_backend(name)
    except ValueError as error:
        pytest.skip(str(error))
