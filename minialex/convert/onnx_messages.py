"""How many fields an ONNX file has, counted before protobuf makes objects of them.

An empty message takes 2 bytes in a file and about 100 in memory. A field of a message is

    key     a varint, 8 times the field's number plus 0 (a varint), 1 (8 bytes), 2 (a length and bytes) or 5 (4 bytes)
    value   its bytes; those of kind 2 are a text, packed numbers, or another message, as onnx.proto says

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import onnx

from .onnx_tensors import Fault

MOST = 1_000_000  # fields: a hundred times those of the largest networks
_DAMAGED = "it is cut short or damaged, or not an ONNX file"


def check(content):
    """Raise Fault where the bytes of a ModelProto have more than MOST fields, or no fields of protobuf."""
    waiting, count = [(0, len(content), onnx.ModelProto.DESCRIPTOR)], 0
    while waiting:
        at, end, message = waiting.pop()
        while at < end:
            key, at = _varint(content, at, end)
            size = {1: 8, 5: 4}.get(key & 7, 0)
            if key & 7 in (0, 2):
                number, at = _varint(content, at, end)
                size = number if key & 7 == 2 else 0
            if key & 7 not in (0, 1, 2, 5) or at + size > end:
                raise Fault(_DAMAGED)
            field = message.fields_by_number.get(key >> 3)
            if key & 7 == 2 and field is not None and field.message_type is not None:
                waiting.append((at, at + size, field.message_type))
            at, count = at + size, count + 1
            if count > MOST:
                raise Fault(f"it has more than {MOST:,} nodes, tensors, attributes and names, which take much memory")


def _varint(content, at, end):
    """(a number of 7 bits in each byte, the lowest first, the place after it)."""
    number = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        number, shift, at = number | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return number, at
    raise Fault(_DAMAGED)
