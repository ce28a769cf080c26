"""Optimisers and learning-rate schedules, with torch's names, arguments and layout of state."""

from .lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, ReduceLROnPlateau, SequentialLR, StepLR
from .optimizers import SGD, Adam, AdamW, Optimizer

__all__ = [
    "SGD", "Adam", "AdamW", "CosineAnnealingLR", "LinearLR", "MultiStepLR", "Optimizer", "ReduceLROnPlateau",
    "LRScheduler", "SequentialLR", "StepLR",
]  # fmt: skip
