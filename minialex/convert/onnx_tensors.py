"""The numbers in an ONNX file, and in the files beside it that it names.

    TensorProto     dims, data_type, and the numbers: little-endian in raw_data, or in a list such as float_data, or,
                    where data_location is EXTERNAL, in another file: external_data {location, offset, length}

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
"""

from __future__ import annotations

import math
import os
import re

import numpy as np

from ..support import npz
from ..support.text import brief, printable

# number of a TensorProto.DataType: (its name, how raw_data has it, the list that may have it instead)
TYPES = {
    1: ("float32", "<f4", "float_data"),
    2: ("uint8", "u1", "int32_data"),
    3: ("int8", "i1", "int32_data"),
    4: ("uint16", "<u2", "int32_data"),
    5: ("int16", "<i2", "int32_data"),
    6: ("int32", "<i4", "int32_data"),
    7: ("int64", "<i8", "int64_data"),
    9: ("bool", "?", "int32_data"),
    10: ("float16", "<u2", "int32_data"),  # lists have the bits of both halves, too
    11: ("float64", "<f8", "double_data"),
    12: ("uint32", "<u4", "uint64_data"),
    13: ("uint64", "<u8", "uint64_data"),
    16: ("bfloat16", "<u2", "int32_data"),
}
_LISTS = {"float_data": "<f4", "double_data": "<f8", "uint64_data": "<u8"}  # of others, integers of 8 bytes
_MOST_AXES = 8


class Fault(ValueError):
    """What is wrong in a file, in words to which its place is added."""


def shown(name):
    """A name from the file as text on one line; protobuf has bytes for what is not UTF-8."""
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
    return brief(printable(text), 100) if text else "without a name"


class Tensors:
    """Reads the tensors of one model; all arrays together take at most npz.allowance of what the files are long.

    folder: of the model, within which external data must lie.
    length: bytes of the model's file.
    """

    def __init__(self, folder, length):
        self._folder, self._length, self._used = os.path.realpath(folder), length, 0
        self._files: dict[str, int] = {}  # path -> its length

    def reserve(self, nbytes):
        """Raise Fault where another array of `nbytes` would take more memory than the files' lengths justify."""
        if self._used + nbytes > npz.allowance(self._length):
            raise Fault(f"{nbytes:,} more bytes would take far more memory than the file is long")
        self._used += nbytes

    def read(self, tensor):
        """The array of a TensorProto; float16 and bfloat16 become float32, which holds them exactly.

        Raises Fault, with the tensor's name, where it is damaged, too large or of another type.
        """
        try:
            return self._array(tensor)
        except Fault as fault:
            raise Fault(f"the tensor {shown(tensor.name)}: {fault}") from None

    def _array(self, tensor):
        if tensor.data_type not in TYPES:
            known = ", ".join(name for name, _, _ in TYPES.values())
            raise Fault(f"its data type has the number {tensor.data_type}; {known} are read")
        kind, stored, field = TYPES[tensor.data_type]
        shape, itemsize = tuple(tensor.dims), np.dtype(stored).itemsize
        if len(shape) > _MOST_AXES or min(shape, default=1) < 0 or max(shape, default=1) > 2**40:
            raise Fault(f"its shape {brief(str(shape), 60)} is impossible; up to {_MOST_AXES} axes are read")
        count = math.prod(shape)
        if tensor.HasField("segment"):
            raise Fault("it is stored in segments, which are not read; save the model again with onnx.save")
        if not count and len(shape) > 1:
            raise Fault(f"its shape {shape} has no elements")
        self.reserve(count * max(itemsize, 4 if kind.endswith("float16") else 1))
        if tensor.data_location == 1:  # EXTERNAL
            content = self._outside(tensor, count * itemsize)
        elif tensor.HasField("raw_data"):
            content = tensor.raw_data
        else:
            numbers = getattr(tensor, field)
            if len(numbers) != count:
                raise Fault(f"its shape {shape} needs {count:,} numbers, but {field} has {len(numbers):,}")
            wide = np.fromiter(numbers, _LISTS.get(field, "<i8"), count)
            content = wide.astype(stored).tobytes()
        if len(content) != count * itemsize:
            raise Fault(f"its shape {shape} needs {count * itemsize:,} bytes, but {len(content):,} are stored")
        return _widened(np.frombuffer(content, stored), kind).reshape(shape)

    def _outside(self, tensor, nbytes):
        """The bytes of a tensor in a file beside the model."""
        entries = {shown(entry.key): entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        name = shown(location)
        parts = re.split(r"[/\\]", location) if isinstance(location, str) else [".."]
        if name != location or ".." in parts or not parts[0] or ":" in location or os.path.isabs(location):
            raise Fault(f"its numbers are in the file {name!r}, which must be a file in the model's own folder")
        path = os.path.realpath(os.path.join(self._folder, *parts))
        if os.path.commonpath([path, self._folder]) != self._folder:
            raise Fault(f"its numbers are in the file {name!r}, a link that leads out of the model's folder")
        if not os.path.isfile(path):
            raise Fault(f"its numbers are in the file {name!r}, which is missing: put it beside the model")
        size = os.path.getsize(path)
        if path not in self._files:
            self._files[path] = size
            self._length += size
        offset, length = (
            _whole_number(key, entries.get(key, missing)) for key, missing in (("offset", "0"), ("length", str(nbytes)))
        )
        if length != nbytes or offset + length > size:
            raise Fault(
                f"it needs {nbytes:,} bytes from byte {offset:,} of the file {name!r} on, which has {size:,} bytes, "
                f"but its length is given as {length:,}"
            )
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(nbytes)


def _whole_number(key, text):
    if not isinstance(text, str) or not re.fullmatch("[0-9]{1,18}", text):
        raise Fault(f"the {key} of its external data is no whole number")
    return int(text)


def _widened(array, kind):
    """An array as NumPy has it, which may be changed: of float16 and bfloat16, the upper half of a float32, float32."""
    if kind == "float16":
        return array.view("<f2").astype(np.float32)
    if kind == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(kind)
