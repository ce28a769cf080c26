"""Every figure, drawn with one palette: `plotting.curves(history, path)` and the others write PNG files."""

from __future__ import annotations

from .curves import curves
from .diagnosis import diagnosis
from .filters import filters
from .results import confusion, predictions

__all__ = ["confusion", "curves", "diagnosis", "filters", "predictions"]
