"""Optimisers and learning-rate schedules, with torch's names, arguments and layout of state."""

from functools import partial
from typing import TYPE_CHECKING

from ..support import absent
from .lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, ReduceLROnPlateau, SequentialLR, StepLR
from .optimizers import SGD, Adam, AdamW, Optimizer

__all__ = [
    "SGD", "Adam", "AdamW", "CosineAnnealingLR", "LinearLR", "MultiStepLR", "Optimizer", "ReduceLROnPlateau",
    "LRScheduler", "SequentialLR", "StepLR",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "optim")
