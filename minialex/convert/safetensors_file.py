"""Reading .safetensors files, of every type of number that float32 holds exactly, without the library.

    8 bytes     the length N of the header, little-endian
    N bytes     JSON: {name: {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, "__metadata__": {...}}
    the rest    the numbers of all tensors, one behind the other, little-endian

https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import json
import math
import os
import reprlib
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..support import schema
from ..support.schema import AtLeast
from . import floats

_LARGEST_HEADER = 100_000_000  # bytes, the format's limit
_NUMPY = {
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    "BOOL": "?",
}
_WIDENED = {  # to float32: {name in the file: name in floats.py}
    "BF16": "bfloat16",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
_STORED = _NUMPY | {name: floats.STORED[kind].newbyteorder("<") for name, kind in _WIDENED.items()}


@dataclass
class _Entry:
    dtype: str
    shape: Annotated[list[int], AtLeast(0)]
    data_offsets: Annotated[list[int], AtLeast(0)]


def read(path):
    """Read a .safetensors file.

    path: of the file.

    Returns {name: array} and the metadata, {name: text}; bfloat16 and float8 become float32, which holds them
    exactly.
    Raises OSError where the file cannot be read, ValueError where it is damaged or of other types.
    """
    length = os.path.getsize(path)
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        if size > min(length - 8, _LARGEST_HEADER):
            raise ValueError("it is cut short, or not a .safetensors file")
        entries, metadata = _entries(file.read(size), length - 8 - size)
        return {name: _array(file.read(nbytes), entry) for name, entry, nbytes in entries}, metadata


def _entries(header, length):
    """[(name, _Entry, bytes)] in the order of the file, and the metadata."""
    try:
        described = json.loads(header)
    except (ValueError, RecursionError):
        raise ValueError("its header is not JSON") from None
    if not isinstance(described, dict):
        raise ValueError("its header is not an object")
    metadata = described.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("its metadata are not texts")
    entries = []
    for name, values in described.items():
        shown = reprlib.repr(name)
        if not isinstance(values, dict):
            raise ValueError(f"{shown} is described by {reprlib.repr(values)}")
        try:
            entry = schema.build(_Entry, values)
        except ValueError as error:
            raise ValueError(f"{shown}: {error}") from None
        if entry.dtype not in _STORED:
            raise ValueError(f"{shown} has the type {reprlib.repr(entry.dtype)}; {', '.join(_STORED)} are read")
        entries.append((name, entry, np.dtype(_STORED[entry.dtype]).itemsize * math.prod(entry.shape)))
    entries.sort(key=lambda one: one[1].data_offsets)
    end = 0
    for name, entry, nbytes in entries:  # one behind the other: no byte is read twice
        if entry.data_offsets != [end, end + nbytes] or end + nbytes > length:
            raise ValueError(f"{reprlib.repr(name)} is not where its shape and the tensor before it leave room for it")
        end += nbytes
    if end != length:
        raise ValueError(f"it has {length - end:,} bytes behind the last tensor")
    return entries, metadata


def _array(content, entry):
    array = np.frombuffer(bytearray(content), _STORED[entry.dtype]).reshape(entry.shape)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return floats.widened(array, _WIDENED[entry.dtype]) if entry.dtype in _WIDENED else array
