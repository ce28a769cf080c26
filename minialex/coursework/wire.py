"""Messages between the grader and the process that runs a student's code: JSON and raw arrays, never pickles.

A message is two lengths, JSON, and the bytes of its arrays one after the other. Values travel as

    None, bool, int, float, str          themselves
    list, tuple, dict, slice, ...        {"list": [...]}, {"tuple": [...]}, {"dict": [[key, value], ...]}, ...
    array, number of NumPy               {"array": [dtype, shape]}, {"number": dtype}; its bytes follow
    the same array again                 {"again": its number in this message}
    an object of the child               {"handle": n}, a number by which the grader refers to it
    a function of the grader             {"function": n}, which the child can call

The grader reads what a hostile process may have written: nothing in a message is executed, and sizes are bounded.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

MOST, MOST_TEXT = 64 * 2**20, 2 * 2**20  # bytes of a message, and of its JSON
HEAD = struct.Struct("<QQ")
KINDS = "biufcU"  # of arrays: booleans, integers, floating-point and complex numbers, text


def packed(value: Any, unknown: Callable[[Any], dict | None], arrays: list | None = None) -> bytes:
    """Encode a message.

    value: what is sent.
    unknown: unknown(thing) returns {tag: number} for whatever has no form of its own, None for an array to be copied.
    arrays: a list to which the message's arrays are appended.

    Returns bytes.
    Raises TypeError for arrays of other kinds than KINDS, ValueError for a message that is too large.
    """
    blocks: list[bytes] = []
    kept = [] if arrays is None else arrays  # also so that ids stay unique
    numbers: dict[int, int] = {}

    def encoded(value):
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if value is Ellipsis:
            return {"ellipsis": 0}
        if isinstance(value, np.ndarray):
            return unknown(value) or array("array", value, [value.dtype.str, list(value.shape)])
        if isinstance(value, np.generic):
            return array("number", value, value.dtype.str)
        if isinstance(value, tuple):
            return {"tuple": [encoded(item) for item in value]}
        if isinstance(value, list):
            return {"list": [encoded(item) for item in value]}
        if isinstance(value, dict):
            return {"dict": [[encoded(key), encoded(item)] for key, item in value.items()]}
        if kind is slice:
            return {"slice": [encoded(part) for part in (value.start, value.stop, value.step)]}
        if isinstance(value, np.dtype):
            return {"dtype": value.str}
        if isinstance(value, type) and issubclass(value, np.generic):
            return {"type": value.__name__.rstrip("_")}
        return unknown(value)

    def array(tag, value, form):
        if id(value) in numbers:
            return {"again": numbers[id(value)]}
        if value.dtype.kind not in KINDS or not value.dtype.isnative:
            raise TypeError(f"an array of dtype {value.dtype} instead of numbers")
        numbers[id(value)] = len(blocks)
        kept.append(value)
        blocks.append(np.asarray(value, order="C").tobytes())
        return {tag: form}

    text = json.dumps(encoded(value)).encode()
    size = sum(map(len, blocks))
    if len(text) > MOST_TEXT or len(text) + size > MOST:
        raise ValueError(f"more than {MOST >> 20} MB in one message, or {MOST_TEXT >> 20} MB of texts and lists")
    return b"".join([HEAD.pack(len(text), size), text, *blocks])


def lengths(head: bytes) -> tuple[int, int]:
    """(bytes of JSON, bytes of arrays) that follow the first sixteen, `head`; ValueError if they are too many."""
    text, arrays = HEAD.unpack(head)
    if text > MOST_TEXT or text + arrays > MOST:
        raise ValueError("a message is too large")
    return text, arrays


def unpacked(text: bytes, blocks: bytes, known: Callable[[str, Any], Any], arrays: list | None = None) -> Any:
    """Decode a message.

    text: its JSON.
    blocks: the bytes of its arrays.
    known: known(tag, number) returns what {tag: number} stands for.
    arrays: a list to which the message's arrays are appended.

    Returns the value.
    Raises ValueError for anything that `packed` does not write.
    """
    made: list = [] if arrays is None else arrays
    place = 0

    def decoded(value):
        if isinstance(value, list):
            raise ValueError("a list without its tag")
        if not isinstance(value, dict):
            return value
        ((tag, inner),) = value.items()
        match tag:
            case "array":
                return array(*inner)
            case "number":
                return array(inner, [])[()]
            case "again":
                return made[inner]
            case "tuple":
                return tuple([decoded(item) for item in inner])
            case "list":
                return [decoded(item) for item in inner]
            case "dict":
                return {decoded(key): decoded(item) for key, item in inner}
            case "slice":
                return slice(*[decoded(part) for part in inner])
            case "dtype":
                return _dtype(inner)
            case "type":
                return _dtype(inner).type
            case "ellipsis":
                return ...
        return known(tag, inner)

    def array(dtype, shape):
        nonlocal place
        dtype = _dtype(dtype)
        if len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
            raise ValueError("an array of an impossible shape")
        size = math.prod(shape) * dtype.itemsize
        if place + size > len(blocks):
            raise ValueError("an array is longer than its message")
        values = np.frombuffer(blocks, dtype, math.prod(shape), place) if size else np.empty(0, dtype)
        place += size
        made.append(np.array(values.reshape(shape)))  # a copy, which owns its memory like any function's result
        return made[-1]

    try:
        value = decoded(json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"a message cannot be read ({type(error).__name__}: {error})") from None
    if place != len(blocks):
        raise ValueError("a message is longer than its arrays")
    return value


def _dtype(name):
    if not isinstance(name, str) or not (_DTYPE.fullmatch(name) or name in _TYPES):
        raise ValueError("an array of an unknown dtype")
    return np.dtype(name)


_DTYPE = re.compile(r"[<>|=]?(?:[biufc](?:1|2|4|8|16)|U[1-9]\d{0,5})", re.ASCII)
_TYPES = {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)} - {"float8"} | {"bool"}
