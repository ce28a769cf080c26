"""Figures of training runs and networks: `plotting.curves(history, path)` and the others write PNG or SVG files."""

from __future__ import annotations

from .architecture import architecture
from .bars import bars
from .compare import compare
from .curves import curves
from .diagnosis import diagnosis
from .features import features
from .filters import filters
from .graph import graph
from .neighbours import neighbours
from .results import confusion, predictions
from .saliency import saliency
from .sheets import mistakes

__all__ = [
    "architecture",
    "bars",
    "compare",
    "confusion",
    "curves",
    "diagnosis",
    "features",
    "filters",
    "graph",
    "mistakes",
    "neighbours",
    "predictions",
    "saliency",
]
