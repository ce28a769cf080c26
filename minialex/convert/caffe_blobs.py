"""Numbers in Caffe's files: protobuf's wire format as far as it leads to them, and mean images.

    field       a varint, 8 times its number + its type, and the value: 0, a varint; 1, 8 bytes; 5, 4 bytes;
                2, a varint with the length and as many bytes, which are text, a message or packed numbers
    varint      7 bits a byte, the lowest first; the highest bit of a byte says that another one follows

    NetParameter        layers 2 (V1), layer 100                a .caffemodel
    V1LayerParameter    blobs 6, layer 1 (of Caffe before 2014, V0)
    LayerParameter      blobs 7
    BlobProto           num 1, channels 2, height 3, width 4; or shape 7, whose dim is 1;       a .binaryproto
                        data 5 (float32, packed), double_data 8 (float64, packed)

Numbers are taken from the bytes of the file. protobuf, which takes 350 bytes of memory for a layer of three bytes,
parses only what is left of a network, its settings, and these may be 1 MiB long.

https://protobuf.dev/programming-guides/encoding/; src/caffe/proto/caffe.proto and src/caffe/blob.cpp of BVLC's Caffe
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data.pipeline import LARGEST_SIDE
from ..support.text import printable

_MOST_FIELDS = 200_000  # of a file
_MOST_LAYERS = 5_000  # a residual network with 1,001 convolutions has 4,000
_LONGEST_SETTINGS = 2**20  # bytes of all layers, without their numbers
_MOST_AXES = 32  # of a blob, as in Caffe
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LAYERS, _LAYER = 2, 100  # in NetParameter
_V0 = 1  # in V1LayerParameter
_BLOBS = {_LAYERS: 6, _LAYER: 7}


@dataclass
class Blob:
    """An array in a file, which is not read yet.

    shape: of the array.
    chunks: bytes, the numbers one behind the other.
    double: whether they are float64.
    """

    shape: tuple[int, ...]
    chunks: list[Any]
    double: bool = False

    def array(self):
        """The numbers as float32, which is what Caffe computes with."""
        stored = "<f8" if self.double else "<f4"
        array, at = np.empty(math.prod(self.shape), np.float32), 0
        with np.errstate(all="ignore"):  # numbers that float32 does not hold, and NaNs of all kinds
            for chunk in self.chunks:
                numbers = np.frombuffer(chunk, stored)
                array[at : at + len(numbers)] = numbers
                at += len(numbers)
        return array.reshape(self.shape)


@dataclass
class Layer:
    """A layer in a file.

    v1: whether it is a V1LayerParameter, else a LayerParameter.
    settings: that message without its blobs, bytes.
    blobs: its arrays.
    """

    v1: bool
    settings: bytes
    blobs: list[Blob] = field(default_factory=list)


def read_network(path):
    """Read a .caffemodel.

    path: of the file.

    Returns the NetParameter without its layers, bytes, and a list of Layers; where there are layers of both versions,
    those of V1, as in Caffe.
    Raises OSError where the file cannot be read, ValueError, with the byte, where it is damaged.
    """
    wire = _Wire(Path(path).read_bytes())
    rest, layers = [], []
    for part in wire.fields():
        if part.number not in _BLOBS or part.type != _BYTES:
            rest.append(part.whole)
            continue
        if len(layers) == _MOST_LAYERS:
            raise ValueError(f"it has more than {_MOST_LAYERS:,} layers, too many for a network of Caffe")
        layers.append(_layer(wire, part))
    if any(layer.v1 for layer in layers):
        layers = [layer for layer in layers if layer.v1]
    settings = b"".join(rest)
    if sum(len(layer.settings) for layer in layers) + len(settings) > _LONGEST_SETTINGS:
        raise ValueError(f"its layers have more than {_LONGEST_SETTINGS:,} bytes of settings, too many for Caffe")
    return settings, layers


def read_mean(path):
    """Read a mean image, the .binaryproto that Caffe's compute_image_mean writes.

    path: of the file.

    Returns float64 (3, H, W), of pixels from 0 to 255, blue first.
    Raises OSError where the file cannot be read, ValueError where it is damaged or holds another array.
    """
    shown = printable(str(path))
    try:
        blob = _blob(_Wire(Path(path).read_bytes()))
    except ValueError as error:
        raise ValueError(f"{shown} is damaged, or not a mean image of Caffe ({error})") from None
    shape = blob.shape[1:] if len(blob.shape) == 4 and blob.shape[0] == 1 else blob.shape
    if len(shape) != 3 or shape[0] != 3 or not all(0 < side <= LARGEST_SIDE for side in shape[1:]):
        raise ValueError(f"{shown} holds an array of shape {blob.shape}, but a mean image is (3, H, W)")
    mean = blob.array().reshape(shape)
    if not np.isfinite(mean).all():
        raise ValueError(f"{shown} holds a mean image with numbers that are NaN or infinite")
    return mean.astype(np.float64)


def _layer(wire, part):
    """The Layer in a field of NetParameter."""
    rest, blobs = [], []
    for inner in wire.fields(part.value):
        if inner.type == _BYTES and inner.number == _BLOBS[part.number]:
            blobs.append(_blob(wire, inner.value))
        elif part.number == _LAYERS and inner.number == _V0:
            raise ValueError(
                f"byte {inner.at:,}: a layer of Caffe's first format, V0, which is not read: "
                "convert it with Caffe's upgrade_net_proto_binary"
            )
        else:
            rest.append(inner.whole)
    return Layer(part.number == _LAYERS, b"".join(rest), blobs)


def _blob(wire, span=None):
    """The Blob in the bytes of a BlobProto."""
    legacy: dict[int, int] = {}
    shape, floats, doubles = [], [], []
    start = span.start if span else 0
    for part in wire.fields(span):
        if part.number in (1, 2, 3, 4) and part.type == _VARINT:
            legacy[part.number] = part.value
        elif part.number == 7 and part.type == _BYTES:
            for inner in wire.fields(part.value):
                if inner.number == 1 and inner.type in (_BYTES, _VARINT):
                    shape += wire.varints(inner.value) if inner.type == _BYTES else [inner.value]
        elif part.number in (5, 8) and part.type in (_BYTES, _FIXED32 if part.number == 5 else _FIXED64):
            size, found = (4, floats) if part.number == 5 else (8, doubles)
            if len(part.value) % size:
                raise ValueError(f"byte {part.at:,}: {len(part.value):,} bytes are no numbers of {size} bytes each")
            found.append(wire.content[part.value.start : part.value.stop])
        if len(shape) > _MOST_AXES:
            break
    dims = [legacy.get(number, 0) for number in (1, 2, 3, 4)] if legacy else shape
    chunks, size = (doubles, 8) if doubles else (floats, 4)
    count = sum(map(len, chunks)) // size
    if len(dims) > _MOST_AXES or not all(n < 2**31 for n in dims) or math.prod(dims) != count:
        shown = " x ".join(map(str, dims[:_MOST_AXES])) or "a single number"
        raise ValueError(f"byte {start:,}: an array of {shown} has {count:,} numbers")
    return Blob(tuple(dims), chunks, bool(doubles))


class _Field(NamedTuple):
    """A field: its number and type, its value, the bytes of all of it, and where it begins."""

    number: int
    type: int
    value: Any  # an int, or the range of its bytes
    whole: Any
    at: int


class _Wire:
    """The fields of messages in some bytes; `content`: the bytes. All errors are ValueErrors with the place."""

    def __init__(self, content):
        self.content, self._left = memoryview(content), _MOST_FIELDS

    def fields(self, span=None):
        """The _Fields in a range of the bytes, in all of them if None."""
        at, end = (0, len(self.content)) if span is None else (span.start, span.stop)
        while at < end:
            start = at
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {_MOST_FIELDS:,} fields, too many for a file of Caffe")
            tag, at = self._varint(at, end)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value, at = self._varint(at, end)
            elif kind in (_FIXED32, _FIXED64, _BYTES):
                length, at = self._varint(at, end) if kind == _BYTES else (4 if kind == _FIXED32 else 8, at)
                if length > end - at:
                    raise ValueError(
                        f"byte {start:,}: a field of {length:,} bytes, but {end - at:,} are left: the file is cut short"
                    )
                value, at = range(at, at + length), at + length
            if not 0 < number < 2**29 or kind not in (_VARINT, _FIXED32, _FIXED64, _BYTES):
                raise ValueError(f"byte {start:,}: there is no field of number {number} and type {kind}")
            yield _Field(number, kind, value, self.content[start:at], start)

    def varints(self, span):
        """The integers of a packed field, a list."""
        found, at = [], span.start
        while at < span.stop and len(found) <= _MOST_AXES:
            value, at = self._varint(at, span.stop)
            found.append(value)
        return found

    def _varint(self, at, end):
        """(the integer that begins at a byte, where the next one begins)."""
        value, start = 0, at
        for shift in range(0, 70, 7):
            if at == end:
                break
            byte, at = self.content[at], at + 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value, at
        raise ValueError(f"byte {start:,}: an integer does not end: the file is cut short or damaged")
