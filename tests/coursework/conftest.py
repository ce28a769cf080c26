"""The whole set of wrong solutions goes through the real grader where it is asked for: it takes minutes."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config, items):
    if "coursework" not in (config.option.markexpr or ""):
        skip = pytest.mark.skip(reason="every wrong solution through the grader takes minutes: pytest -m coursework")
        for item in items:
            if item.get_closest_marker("coursework"):
                item.add_marker(skip)
