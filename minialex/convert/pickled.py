"""What pickles of weights may name: Python's containers and NumPy's arrays, as stand-ins for pickles.load.

NumPy 1 and 2, and Python 2 with Latin-1 texts for bytes, write arrays in three ways:

    _reconstruct(ndarray, (0,), b"b"), then BUILD (version, shape, dtype, Fortran order?, bytes or a list of objects)
    scalar(dtype, bytes)
    _frombuffer(bytes, dtype, shape, "C" or "F"), or (..., "K", axes) for transposed arrays, of protocol 5

numpy/_core/src/multiarray/methods.c, array_reduce and array_setstate; descriptor.c, arraydescr_reduce.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pickles import Call, Damaged, Dict, Unbuilt


@dataclass(frozen=True)
class Name:
    """A class that a pickle names, of which nothing is made."""

    name: str


_CODES = ("b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8", "c8", "c16", "O")
_TYPES = {code: np.dtype(code) for code in _CODES} | dict.fromkeys(("O4", "O8"), np.dtype("O"))
_NDARRAY, _LATIN_1 = Name("ndarray"), ("latin1", "latin-1")
_LARGEST = 2**56  # elements, so that no product of sizes overflows in NumPy


@dataclass
class Objects:
    """An array of Python objects: its shape, and the objects in their order."""

    shape: tuple[int, ...]
    items: list[Any]


def checked_shape(shape):
    """A tuple of sizes; raises Damaged where it is not the shape of an array."""
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise Damaged("a shape is not a tuple of sizes")
    if math.prod(max(1, n) for n in shape) > _LARGEST:
        raise Damaged("a shape is far too large")
    return shape


def _array(content, dtype, shape, fortran):
    """The array of these bytes, or Objects of this list."""
    count = math.prod(checked_shape(shape))
    if not isinstance(dtype, np.dtype):
        raise Damaged("the type of an array is missing")
    if dtype.hasobject:
        if not isinstance(content, list) or len(content) != count:
            raise Damaged(f"an array of {count:,} objects does not have a list of them")
        return Objects(shape, content)
    content = _bytes(content)
    if len(content) != count * dtype.itemsize:
        raise Damaged(f"an array of {count * dtype.itemsize:,} bytes has {len(content):,}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _bytes(content):
    if isinstance(content, str):  # of Python 2
        try:
            return content.encode("latin-1")
        except UnicodeEncodeError:
            raise Damaged("the bytes of an array are a text") from None
    if not isinstance(content, bytes):
        raise Damaged("the bytes of an array are missing")
    return content


def _reconstruct(arguments):
    if len(arguments) != 3 or arguments[0] is not _NDARRAY:
        raise Damaged("an array is not an ndarray")
    return Unbuilt(_array_of_state)


def _array_of_state(state):
    if not isinstance(state, tuple) or len(state) != 5:
        raise Damaged("the state of an array is not a tuple of five")
    _, shape, dtype, fortran, content = state
    return _array(content, dtype, shape, isinstance(fortran, int) and fortran)


def _from_buffer(arguments):
    if len(arguments) not in (4, 5):
        raise Damaged("an array is not made of four or five values")
    content, dtype, shape, order, *axes = arguments
    if not isinstance(order, str) or order not in "CFK":
        raise Damaged("an array is in no order of its axes")
    array = _array(content, dtype, shape, order == "F")
    if order != "K" or not axes:
        return array
    if not isinstance(array, np.ndarray) or sorted(checked_shape(axes[0])) != [*range(array.ndim)]:
        raise Damaged("an array is in no order of its axes")
    return array.transpose(axes[0])


def _scalar(arguments):
    if len(arguments) != 2:
        raise Damaged("a number is not made of two values")
    return _array(arguments[1], arguments[0], (), False)


def _dtype(arguments):
    code = arguments[0] if arguments else None
    if not isinstance(code, str) or code not in _TYPES:
        raise Damaged("the type of an array is not one of numbers")

    def with_order(state):
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if not isinstance(order, str) or order not in ("<", ">", "|", "="):
            raise Damaged("the type of an array has no byte order")
        return _TYPES[code].newbyteorder(">" if order == ">" else "<")

    return Unbuilt(with_order)


def _encoded(arguments):
    """bytes, as protocols 0 to 2 write them: codecs.encode(text, "latin1")."""
    if len(arguments) != 2 or not all(isinstance(one, str) for one in arguments) or arguments[1] not in _LATIN_1:
        raise Damaged("bytes are not written as Latin-1")
    return _bytes(arguments[0])


def _bytes_of(arguments):
    """bytes or a bytearray: of nothing, of bytes, or of a text and its encoding."""
    if len(arguments) == 2:
        return _encoded(arguments)
    if len(arguments) > 1 or not all(isinstance(content, bytes) for content in arguments):
        raise Damaged("bytes are not made of bytes")
    return arguments[0] if arguments else b""


def _items(arguments):
    """The one list of a constructor's arguments; empty where there is none."""
    if len(arguments) > 1 or not all(isinstance(items, (list, tuple, dict)) for items in arguments):
        raise Damaged("a container is not made of a list")
    return arguments[0] if arguments else ()


def _dict(arguments):
    """A dict: of nothing, of another dict, or of the pairs that Python 2 lists."""
    items = _items(arguments[1:] if arguments and isinstance(arguments[0], Call) else arguments)
    if isinstance(items, dict):
        return Dict(items)
    if not all(isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str) for pair in items):
        raise Damaged("a dict is not made of pairs")
    return Dict(map(tuple, items))


def joined(arguments, between):
    """A path or a device as a text, which nothing here uses."""
    if len(arguments) > 100 or not all(isinstance(part, str | int) for part in arguments):
        raise Damaged("a path or a device is not made of texts")
    return between.join(str(part)[:100] for part in arguments)


def _complex(arguments):
    if len(arguments) != 2 or not all(isinstance(part, float) for part in arguments):
        raise Damaged("a complex number is not made of two numbers")
    return complex(*arguments)


_DICT, _SET = Call(_dict), Call(lambda arguments: list(_items(arguments)))
NAMES: dict[str, Any] = {
    **dict.fromkeys(
        ("collections.OrderedDict", "collections.defaultdict", "collections.Counter", "builtins.dict"), _DICT
    ),
    "argparse.Namespace": _DICT,  # of options, which training scripts save beside the weights
    **dict.fromkeys(("builtins.set", "builtins.frozenset", "builtins.list", "collections.deque"), _SET),
    "builtins.complex": Call(_complex),
    **{
        f"pathlib.{name}": Call(lambda arguments: joined(arguments, "/"))
        for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath")
    },
    "_codecs.encode": Call(_encoded),
    **dict.fromkeys(("builtins.bytes", "builtins.bytearray"), Call(_bytes_of)),
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": Call(_dtype),
    "numpy._core.multiarray._reconstruct": Call(_reconstruct),
    "numpy._core.multiarray.scalar": Call(_scalar),
    "numpy._core.numeric._frombuffer": Call(_from_buffer),
}
