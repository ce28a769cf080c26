"""Converting weights between minialex, NumPy, safetensors, PyTorch, Keras and ONNX: `python -m minialex.convert`.

The libraries of other formats are optional; each is imported where it is used.
"""

from __future__ import annotations

from ..runs.checkpoint import Checkpoint
from .description import describe, state_dict
from .formats import read, write
from .imported import Imported
from .loading import load
from .variants import grouped, in_channel_order, merged

__all__ = ["Imported", "describe", "grouped", "in_channel_order", "load", "load_weights", "merged", "read", "write"]


def load_weights(path):
    """The state dict in a file of any format; the network need not be known.

    path: of the file; its suffix gives the format, see formats.py.

    Returns {name: array}.
    Raises FileNotFoundError where there is no such file, ValueError for a damaged file or an unknown format.
    """
    found = read(path)
    if isinstance(found, Imported):
        return found.network.state_dict()
    return found.weights if isinstance(found, Checkpoint) else state_dict(found)
