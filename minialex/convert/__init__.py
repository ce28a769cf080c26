"""Weights that travel: between minialex, NumPy, safetensors, torch, Keras and ONNX. `python -m minialex.convert`.

Libraries of other formats are imported where they are used, so that this package needs none of them.
"""

from __future__ import annotations

from ..runs.checkpoint import Checkpoint
from .description import describe, state_dict
from .formats import read, write
from .variants import grouped, in_channel_order, merged

__all__ = ["describe", "grouped", "in_channel_order", "load_weights", "merged", "read", "write"]


def load_weights(path):
    """The state dict in a file of any format but ONNX, {name: array}, without saying which network it is of.

    FileNotFoundError where there is no file, ValueError for one that is damaged or of no known format.
    """
    found = read(path)
    return found.weights if isinstance(found, Checkpoint) else state_dict(found)
