"""Figures of training runs and networks, as Matplotlib's Figures, which notebooks show.

`plotting.curves(history)` returns one; `plotting.curves(history, "curves.png")` also writes it, as PNG or SVG.
"""

from __future__ import annotations

from .architecture import architecture
from .bars import bars
from .compare import compare
from .curves import curves
from .diagnosis import diagnosis
from .features import features
from .filters import filters
from .graph import graph
from .lr_range import lr_range
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
    "lr_range",
    "mistakes",
    "neighbours",
    "predictions",
    "saliency",
]
