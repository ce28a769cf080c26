"""Summaries of a network in several formats: `python -m minialex.summary MODEL`, or `table(model, (3, 32, 32))`."""

from __future__ import annotations

from .tables import Table, table

__all__ = ["Table", "table"]
