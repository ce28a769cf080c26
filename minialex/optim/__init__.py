"""Optimisers and learning-rate schedules, with torch's names, arguments and layout of state."""

# isort: skip_file
from functools import partial
from typing import TYPE_CHECKING

from ..support import absent
from . import lr_scheduler
from .lr_scheduler import (
    CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, LRScheduler, MultiStepLR, OneCycleLR, ReduceLROnPlateau,
    SequentialLR, StepLR,
)  # fmt: skip
from .more import RMSprop
from .optimizers import SGD, Adam, AdamW, Optimizer

__all__ = [
    "SGD", "Adam", "AdamW", "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
    "OneCycleLR", "Optimizer", "RMSprop", "ReduceLROnPlateau", "SequentialLR", "StepLR", "lr_scheduler",
]  # fmt: skip

if not TYPE_CHECKING:  # to a type checker every name would be there
    __getattr__ = partial(absent.refuse, "optim")
