"""One training run in many processes: groups of ranks, and what they share out among them."""

from .group import Group

__all__ = ["Group"]
