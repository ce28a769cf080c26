"""Reading and writing files of weights; the suffix gives the format.

    .npz            a minialex checkpoint; or, without a description, the arrays of a state dict
    .keras.npz      np.savez(file, *model.get_weights()) of Keras: the arrays arr_0, arr_1, ...
    .npy            a dict of layers, as caffe-tensorflow makes it of Caffe's weights; read, not written
    .safetensors    the tensors of a state dict; the description is in the metadata
    .index.json     of a .safetensors or .bin file in several parts: read, not written
    .pth, .pt       torch's state dict; the description is in its `_metadata`, which load_state_dict ignores
    .keras, .h5     Keras's whole models, or weights, which may be .weights.h5, too; read also from .hdf5: keras_file.py
    .onnx           the network as a graph that computes logits
    .caffemodel     Caffe's network and weights, with its .prototxt and .binaryproto beside it; read, not written

The description is that of checkpoint.py, so nothing is lost between formats. A file is written completely or not at
all. Nothing that a file names is imported or run.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..models.layout import layout
from ..runs import checkpoint
from ..support import files, npz
from . import keras_export, keras_file, mistaken, npy_file, safetensors_file, shards, torch_file
from .description import describe, fits
from .keras import to_keras

DESCRIPTION = "checkpoint"  # the name of the description in checkpoint.to_arrays, and in the metadata of other formats
_WEIGHTS = "weights/"  # the prefix of weights in checkpoint.to_arrays
_TORCH = (".pth", ".pt", ".pth.tar", ".pt.tar", ".ckpt", ".bin")  # torch.save writes one format
_EXTRAS = {"safetensors": "convert", "h5py": "convert", "onnx": "convert", "google": "convert"}


SUFFIXES = (  # of what `read` reads
    *(".npz", ".npy", ".safetensors", ".safetensors.index.json", ".bin.index.json", *_TORCH),
    *(".h5", ".hdf5", ".keras", ".caffemodel", ".onnx"),
)


def read(path, **companions):
    """Read a file of weights.

    path: of the file, whose suffix is one of SUFFIXES.
    companions: files that belong to it, or None: prototxt and mean, see caffe.read, for a .caffemodel.

    Returns a Checkpoint; an Imported, where another framework has written a whole network; else {name: array}.
    Raises OSError where there is no such file, or it is a folder; ValueError for a damaged file, an unknown format, or
    a file that could only be read by running code in it.
    """
    readers = {
        ".npz": _read_npz,
        ".npy": _read_npy,
        ".safetensors": _read_safetensors,
        ".safetensors.index.json": lambda path: shards.read(path, ".safetensors", _weights),
        ".bin.index.json": lambda path: shards.read(path, ".bin", _weights),
        **dict.fromkeys(_TORCH, _read_torch),
        **dict.fromkeys((".h5", ".hdf5", ".keras"), keras_file.read),
        ".onnx": _read_onnx,
        **dict.fromkeys((".caffemodel", ".prototxt", ".binaryproto"), _read_caffe),
    }
    name = Path(path).name.lower()
    reader = next((read for suffix, read in readers.items() if name.endswith(suffix)), None)
    if reader is None:
        raise ValueError(f"{path}: the suffix must give the format, one of {', '.join(readers)}")
    mistaken.check(path)
    given = {key: file for key, file in companions.items() if file is not None}
    if unfit := [key for key in given if key not in _COMPANIONS.get(reader, ())]:
        raise ValueError(f"{path} is read by itself, without {unfit[0]}=...: leave it out")
    return reader(path, **given)


def _weights(path):
    """The weights alone of a file."""
    found = read(path)
    return found.weights if isinstance(found, checkpoint.Checkpoint) else found


def writer(path):
    """The function that writes the format given by a suffix.

    path: a file name.

    Returns a function of (path, Checkpoint, weights_only).
    Raises ValueError for an unknown suffix, or where the format's library is not installed.
    """
    known = {
        ".keras.npz": (_write_keras, None),
        ".npz": (_write_npz, None),
        ".safetensors": (_write_safetensors, "safetensors"),
        ".pth": (_write_torch, None),
        ".pt": (_write_torch, None),
        ".onnx": (_write_onnx, "onnx"),
        ".h5": (keras_export.write, "h5py"),
        ".keras": (keras_export.write, "h5py"),
    }
    for suffix, (write, name) in known.items():
        if Path(path).name.endswith(suffix):
            if name:
                library(name)
            return write
    raise ValueError(f"{path}: the suffix must give the format, one of {', '.join(known)}")


def write(path, saved, weights_only=False):
    """Write a file of weights.

    path: of the file; its suffix gives the format.
    saved: a Checkpoint.
    weights_only: whether to leave out the description and the training state.

    Raises ValueError for an unknown suffix or a missing library, OSError where the file cannot be written.
    """
    writer(path)(path, saved, weights_only)


def library(name):
    """Import the optional library `name`; raises ValueError, with the way to install it, where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        extra = _EXTRAS[name.partition(".")[0]]
        raise ValueError(f"this format needs {name}: pip install 'minialex[{extra}]'") from None


def _flat(saved, weights_only):
    """(the state dict, the other arrays {name: array}, the description as JSON or None)."""
    arrays = checkpoint.to_arrays(saved)
    weights = {name: np.asarray(arrays.pop(_WEIGHTS + name), order="C") for name in saved.weights}
    if weights_only:
        return weights, {}, None
    return weights, arrays, arrays.pop(DESCRIPTION).tobytes().decode()


def _described(path, weights, rest, text):
    """The inverse of `_flat`: a Checkpoint, or the weights alone where there is no description."""
    if text is None:
        return weights
    arrays = {DESCRIPTION: np.frombuffer(text.encode(), np.uint8)} | rest
    return checkpoint.from_arrays(path, arrays | {_WEIGHTS + name: array for name, array in weights.items()})


# -------------------------------------------------------------------------------------------------------------- .npz


def _read_npz(path):
    try:
        with npz.Archive(path) as archive:
            if DESCRIPTION not in archive:
                if not len(archive):
                    raise ValueError("it holds no arrays")
                return dict(archive)
    except npz.HoldsObjects:
        return _of_caffe(npy_file.read_npz(path))
    except ValueError as error:
        raise ValueError(f"{path} is cut short or damaged, or not an .npz file of arrays ({error})") from error
    return checkpoint.load(path)


def _write_npz(path, saved, weights_only):
    if not weights_only:
        return checkpoint.save(path, saved)
    with files.replacing(path) as file:
        np.savez(file, **_flat(saved, weights_only)[0])


def _write_keras(path, saved, weights_only):
    rows = layout(saved.build_model(), (3, saved.input_size, saved.input_size))
    with files.replacing(path) as file:
        np.savez(file, *to_keras(saved.weights, rows))


# -------------------------------------------------------------------------------------------------------------- .npy


def _read_npy(path):
    return _of_caffe(npy_file.read(path))


def _of_caffe(arrays):
    """A Checkpoint of Caffe's AlexNet where weights fit it, of those with its shapes the one that such files are of."""
    if not fits(arrays, "alexnet_caffe"):
        return arrays
    return describe(arrays, "alexnet_caffe", normalization=npy_file.caffe_normalization())


# ------------------------------------------------------------------------------------------------------- .safetensors


def _read_safetensors(path):
    try:
        tensors, metadata = safetensors_file.read(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged, or not a .safetensors file that NumPy can read ({error})") from None
    prefix, text = f"{DESCRIPTION}/", metadata.get(DESCRIPTION)
    rest = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
    return _described(path, {n: array for n, array in tensors.items() if not n.startswith(prefix)}, rest, text)


def _write_safetensors(path, saved, weights_only):
    weights, rest, text = _flat(saved, weights_only)
    tensors = weights | {f"{DESCRIPTION}/{name}": np.asarray(array, order="C") for name, array in rest.items()}
    content = library("safetensors.numpy").save(tensors, metadata=text and {DESCRIPTION: text})
    with files.replacing(path) as file:
        file.write(content)


# -------------------------------------------------------------------------------------------------------- .pth, .pt


def _read_torch(path):
    weights, rest, text = torch_file.read(path, DESCRIPTION)
    return _described(path, weights, rest, text)


def _write_torch(path, saved, weights_only):
    weights, rest, text = _flat(saved, weights_only)
    metadata = None if text is None else {DESCRIPTION: {"text": text, "arrays": rest}}
    with files.replacing(path) as file:
        torch_file.write(file, weights, metadata)


# -------------------------------------------------------------------------------------------------------------- .onnx


def _read_onnx(path):
    library("onnx")
    from . import onnx_file  # imports the library itself

    return onnx_file.read(path)


def _write_onnx(path, saved, weights_only):
    library("onnx")
    from .graph import to_onnx  # imports the library itself

    rows = layout(saved.build_model(), (3, saved.input_size, saved.input_size))
    metadata = {
        "model": saved.model,
        "classes": json.dumps(saved.classes),
        "channel_order": saved.channel_order,
        "normalization": json.dumps({name: array.tolist() for name, array in saved.normalization.items()}),
    }
    content = to_onnx(rows, metadata).SerializeToString()
    with files.replacing(path) as file:
        file.write(content)


# ------------------------------------------------------------------------------------------------------- .caffemodel


def _read_caffe(path, **companions):
    from . import caffe

    return caffe.read(path, **companions)


_COMPANIONS: dict[Any, tuple[str, ...]] = {_read_caffe: ("prototxt", "mean")}  # which files a reader takes, too
