"""Caffe's files by an encoder of our own: protobuf's wire format, with field numbers written by hand from caffe.proto.

    net("name", v2("conv1", "Convolution", "data", "conv1", {106: message({1: 4, 4: 3})}, arrays=[w, b]))

A message is a dict {number: value}: an int is a varint, a float a float32, bytes and texts have a length, a dict is a
message, a list repeats the field, an array is packed.
"""

from __future__ import annotations

import struct

import numpy as np

# BlobProto: num 1, channels 2, height 3, width 4, data 5, diff 6, shape 7 {dim 1}, double_data 8
# NetParameter: name 1, layers 2, input 3, input_dim 4, state 6, input_shape 8, layer 100
# LayerParameter: name 1, type 2, bottom 3, top 4, blobs 7, include 8, exclude 9, phase 10, *_param 100 to 143
# V1LayerParameter: bottom 2, top 3, name 4, type 5, blobs 6, include 32, exclude 33, *_param 9 to 42


def varint(value):
    value %= 2**64
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(fields):
    return b"".join(field(number, value) for number, value in fields.items())


def field(number, value):
    if isinstance(value, list):
        return b"".join(field(number, one) for one in value)
    if isinstance(value, (bool, int)):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, np.ndarray):
        value = value.tobytes()
    elif isinstance(value, str):
        value = value.encode()
    elif isinstance(value, dict):
        value = message(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(array, legacy=False, double=False):
    """A BlobProto; legacy: with num, channels, height and width, of which a vector has the last."""
    shape = (1,) * (4 - array.ndim) + array.shape if legacy else array.shape
    fields = dict(zip((1, 2, 3, 4), shape)) if legacy else {7: message({1: b"".join(map(varint, shape))})}
    numbers = np.ascontiguousarray(array, "<f8" if double else "<f4")
    return message(fields | {8 if double else 5: numbers})


def v2(name, kind, bottom=(), top=(), settings=None, arrays=(), **options):
    """The field `layer` of a NetParameter; arrays: or BlobProtos."""
    fields = {1: name, 2: kind, 3: _names(bottom), 4: _names(top)} | (settings or {})
    return field(
        100, message(fields | {7: [one if isinstance(one, bytes) else blob(one, **options) for one in arrays]})
    )


def v1(name, kind, bottom=(), top=(), settings=None, arrays=(), legacy=True):
    """The field `layers` of a NetParameter; kind: the number of the type."""
    fields = {2: _names(bottom), 3: _names(top), 4: name, 5: kind} | (settings or {})
    return field(2, message(fields | {6: [blob(array, legacy) for array in arrays]}))


def _names(names):
    return [names] if isinstance(names, str) else list(names)


def net(name, *layers, **fields):
    """A NetParameter; fields: input, input_dim, input_shape (list of lists of dims)."""
    numbers = {"input": 3, "input_dim": 4, "state": 6}
    head = {1: name} | {numbers[key]: value for key, value in fields.items() if key in numbers}
    shapes = [message({1: b"".join(map(varint, dims))}) for dims in fields.get("input_shape", [])]
    return message(head | {8: shapes}) + b"".join(layers)
