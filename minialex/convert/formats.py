"""Reading and writing files of weights; the suffix gives the format.

    .npz            a minialex checkpoint; or, without a description, the arrays of a state dict
    .keras.npz      np.savez(file, *model.get_weights()) of Keras: the arrays arr_0, arr_1, ...
    .safetensors    the tensors of a state dict; the description is in the metadata
    .pth, .pt       torch's state dict; the description is in its `_metadata`, which load_state_dict ignores
    .onnx           the network as a graph that computes logits; written, not read

The description is that of checkpoint.py, so nothing is lost between formats. A file is written completely or not at
all. Only plain tensors are unpickled, by torch.load(weights_only=True).
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pickle
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from ..models.layout import layout
from ..runs import checkpoint
from ..support import files, npz
from ..support.text import brief
from . import safetensors_file
from .keras import to_keras

DESCRIPTION = "checkpoint"  # the name of the description in checkpoint.to_arrays, and in the metadata of other formats
_WEIGHTS = "weights/"  # the prefix of weights in checkpoint.to_arrays
_TORCH = (".pth", ".pt", ".pth.tar", ".pt.tar", ".ckpt", ".bin")  # torch.save writes one format
_FLOATS = ("torch.float16", "torch.float32", "torch.float64")
_NESTED = (  # under which training scripts save a state dict beside others, the likeliest first
    *(
        "state_dict",
        "model_state_dict",
        "model",
        "model_state",
        "net",
        "network",
        "net_state_dict",
        "weights",
        "params",
    ),
    *("module", "ema", "state_dict_ema", "model_ema"),
)
_EXTRAS = {"safetensors": "convert", "onnx": "convert", "torch": "torch"}


SUFFIXES = (".safetensors", *_TORCH)  # of what `read` reads, besides .npz


def read(path, **companions):
    """Read a file of weights.

    path: of the file: .npz, .safetensors, or one of torch.save: .pth, .pt, .pth.tar, .pt.tar, .ckpt or .bin.

    companions: {name: path} of other files that a format takes.

    Returns a Checkpoint, an Imported, or {name: array} where the file holds no description.
    Raises FileNotFoundError where there is no such file; ValueError for a damaged file, an unknown format, or a file
    that could only be read by running code in it.
    """
    readers = {".npz": _read_npz, ".safetensors": _read_safetensors} | dict.fromkeys(_TORCH, _read_torch)
    name = Path(path).name.lower()
    if name.endswith(".onnx"):
        raise ValueError(f"{path}: .onnx files can be written, not read; convert the file it was made from")
    reader = next((read for suffix, read in readers.items() if name.endswith(suffix)), None)
    if reader is None:
        raise ValueError(f"{path}: the suffix must give the format, one of {', '.join(readers)}")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path}")
    return reader(path)


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
        ".pth": (_write_torch, "torch"),
        ".pt": (_write_torch, "torch"),
        ".onnx": (_write_onnx, "onnx"),
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
    torch = library("torch")
    _check_memory(path, _unpacked(path))
    try:
        with warnings.catch_warnings(action="ignore"):  # about files that it then refuses
            state = torch.load(_bounded(path), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} is damaged, or holds Python objects whose code was not run: save model.state_dict(), not the model"
        ) from None
    except Exception as error:  # torch raises many kinds of errors for a damaged file
        raise ValueError(f"{path} is cut short or damaged, or not a PyTorch file ({brief(error)})") from error
    state = _state_dict_in(path, state)
    try:
        _check_memory(path, sum(tensor.numel() * tensor.element_size() for tensor in state.values()))
        ours = getattr(state, "_metadata", {}).get(DESCRIPTION, {"text": None, "arrays": {}})
        weights, rest = ({str(n): _numpy(t) for n, t in tensors.items()} for tensors in (state, ours["arrays"]))
        text = None if ours["text"] is None else str(ours["text"])
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} holds a state dict that NumPy cannot hold ({brief(error)})") from None
    return _described(path, weights, rest, text)


def _bounded(path):
    """What torch.load can read a file from without taking memory for lengths that the file only claims to have."""
    with open(path, "rb") as file:
        is_zip = file.read(4) == b"PK\3\4"  # as torch.load tells them apart
    return path if is_zip else io.BytesIO(Path(path).read_bytes())


def _check_memory(path, needed):
    """Raise ValueError where tensors take far more bytes of memory than the file is long: compressed, or expanded."""
    if needed > npz.allowance(os.path.getsize(path)):
        raise ValueError(f"{path} would take {needed:,} bytes of memory, far more than the file is long")


def _unpacked(path):
    """The bytes in the members of a .zip file, which torch.save writes without compression; 0 for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except Exception:  # zipfile raises many kinds of errors; torch.load says what is damaged
        return 0


def _state_dict_in(path, found):
    """The dict of tensors in what torch.load returned: itself, or nested in it, as training scripts save it."""
    if _is_state_dict(found):
        return found
    if plain := _among_numbers(found):
        return plain
    level, names = [found], []
    for _ in range(3):
        inner = {str(key): value for one in level if isinstance(one, dict) for key, value in one.items()}
        names += inner
        states = {name: value for name, value in inner.items() if _is_state_dict(value)}
        chosen = next((name for name in _NESTED if name in states), None)
        if chosen or len(states) == 1:
            return states[chosen or next(iter(states))]
        if states:
            raise ValueError(f"{path} holds several state dicts, {', '.join(states)}: save one of them alone")
        level = list(inner.values())
    there = f"; it holds {', '.join([*dict.fromkeys(names)][:5])}" if names else ""
    raise ValueError(f"{path} holds no state dict, neither at the top nor under 'state_dict' or another name{there}")


def _is_state_dict(value):
    return isinstance(value, dict) and bool(value) and all(hasattr(tensor, "detach") for tensor in value.values())


def _among_numbers(found):
    """The tensors of a state dict to which numbers and texts were added; None for another thing."""
    if not isinstance(found, dict):
        return None
    tensors = {name: value for name, value in found.items() if hasattr(value, "detach")}
    added = [value for name, value in found.items() if name not in tensors]
    if not any("." in str(name) for name in tensors):
        return None
    return tensors if all(value is None or isinstance(value, int | float | str) for value in added) else None


def _numpy(tensor):
    """A tensor as an array; types that NumPy lacks, bfloat16 and float8, become float32 without loss."""
    tensor = tensor.detach()
    lacking = tensor.dtype.is_floating_point and str(tensor.dtype) not in _FLOATS
    return (tensor.float() if lacking else tensor).numpy()


def _write_torch(path, saved, weights_only):
    torch = library("torch")
    weights, rest, text = _flat(saved, weights_only)
    state: Any = OrderedDict((name, torch.from_numpy(array)) for name, array in weights.items())
    if text is not None:
        arrays = {name: torch.from_numpy(np.asarray(array, order="C")) for name, array in rest.items()}
        state._metadata = {DESCRIPTION: {"text": text, "arrays": arrays}}
    with files.replacing(path) as file:
        torch.save(state, file)


# -------------------------------------------------------------------------------------------------------------- .onnx


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
