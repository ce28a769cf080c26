"""Converting weights between minialex and the formats of other frameworks: `python -m minialex.convert`.

    formats.py        which file is read and written by what; loading.py, a Trained of any file; network.py and
                      description.py, a Checkpoint of what came in; published.py, weights by name
    torch_*.py        .pth without torch; pickle*.py, a machine that reads pickles and runs nothing in them
    safetensors_file.py, shards.py, npy_file.py
    onnx_*.py         .onnx; graph.py writes it
    caffe*.py         .caffemodel and .prototxt
    keras*.py         .h5, .keras; hdf5*.py reads HDF5
    layouts.py        orders of axes, groups and colours; variants.py, equivalent networks

The libraries of other formats are optional; each is imported where it is used.
"""

from __future__ import annotations

from ..runs.checkpoint import Checkpoint
from .description import describe, state_dict
from .formats import read, write
from .imported import Imported
from .loading import Given, load
from .published import load_published
from .variants import grouped, in_channel_order, merged

__all__ = [
    "Given",
    "Imported",
    "describe",
    "grouped",
    "in_channel_order",
    "load",
    "load_published",
    "load_weights",
    "merged",
    "read",
    "write",
]


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
