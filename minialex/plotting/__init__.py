"""Figures of training runs and networks, as Matplotlib's Figures, which notebooks show.

`plotting.curves(history)` returns one; `plotting.curves(history, "curves.png")` also writes it, as PNG or SVG.
"""

from __future__ import annotations

from ..support.headless import import_matplotlib

import_matplotlib()  # before the modules below do

from .architecture import architecture  # noqa: E402
from .bars import bars  # noqa: E402
from .compare import compare  # noqa: E402
from .curves import curves  # noqa: E402
from .deltas import deltas  # noqa: E402
from .diagnosis import diagnosis  # noqa: E402
from .features import features  # noqa: E402
from .filters import filters  # noqa: E402
from .graph import graph  # noqa: E402
from .lr_range import lr_range  # noqa: E402
from .neighbours import neighbours  # noqa: E402
from .race import race  # noqa: E402
from .results import confusion, predictions  # noqa: E402
from .saliency import saliency  # noqa: E402
from .sheets import mistakes  # noqa: E402

__all__ = [
    "architecture",
    "bars",
    "compare",
    "confusion",
    "curves",
    "deltas",
    "diagnosis",
    "features",
    "filters",
    "graph",
    "lr_range",
    "mistakes",
    "neighbours",
    "predictions",
    "race",
    "saliency",
]
