"""The training loop as a library: the Trainer, recipes, schedules, evaluation, and diagnosis of failing runs."""

from .nonfinite import NonFiniteError, find_nonfinite
from .range_test import RangeTest, lr_find
from .trainer import Diverged, Trainer

__all__ = ["Diverged", "NonFiniteError", "RangeTest", "Trainer", "find_nonfinite", "lr_find"]
