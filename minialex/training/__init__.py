"""The training loop as a library: the Trainer, recipes, schedules, evaluation, and diagnosis of failing runs."""

from .live import Live
from .nonfinite import NonFiniteError, find_nonfinite
from .range_test import RangeTest, lr_find
from .trainer import Diverged, Trainer

__all__ = ["Diverged", "Live", "NonFiniteError", "RangeTest", "Trainer", "find_nonfinite", "lr_find"]
