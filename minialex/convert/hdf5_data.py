"""Types, shapes, attributes and numbers of HDF5 files, as hdf5.py finds them.

HDF5 File Format Specification, version 3.0, sections IV.A.2 (messages) and III.A.1 (chunks in a B-tree).
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..support.text import printable

_NOWHERE = 2**64 - 1
_FLOATS = {  # precision, place and size of the exponent, place and size of the mantissa, bias
    (16, 10, 5, 0, 10, 15): "f2",
    (32, 23, 8, 0, 23, 127): "f4",
    (64, 52, 11, 0, 52, 1023): "f8",
    (16, 7, 8, 0, 7, 127): "bfloat16",
}
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
_MOST_AXES, _MOST_VALUES = 32, 2**48


@dataclass(frozen=True)
class Type:
    """A type of values.

    size: bytes of one value in the file.
    numbers: NumPy's name of it, "<f4"; "<u2*" of bfloat16, the upper half of a float32; None where it is no number.
    text: "fixed" of strings of `size` bytes, "variable" of strings elsewhere in the file; None of numbers.
    """

    size: int
    numbers: str | None = None
    text: str | None = None


class _Bytes:
    """A message that is read from its beginning to its end; node: for messages about what is damaged."""

    def __init__(self, content, node):
        self.content, self.at, self.node = content, 0, node

    def take(self, size):
        if self.at + size > len(self.content):
            raise ValueError(f"{self.node}: it is damaged: a message of its object header is too short")
        self.at += size
        return self.content[self.at - size : self.at]

    def numbers(self, form):
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))


def type_of(content, node):
    """The Type in a datatype message; raises ValueError where it is neither numbers nor strings."""
    message = _Bytes(content, node)
    kind, bits, _, _, size = message.numbers("BBBBI")
    order = "<>"[bits & 1]
    if kind & 15 == 0 and size in (1, 2, 4, 8):
        return Type(size, f"{order}{'i' if bits & 8 else 'u'}{size}")
    if kind & 15 == 1:
        _, *form = message.numbers("HHBBBBI")
        name = _FLOATS.get(tuple(form))
        if name is not None and size * 8 == form[0] and not bits & 64:
            return Type(size, order + ("u2*" if name == "bfloat16" else name))
    if kind & 15 == 5 and size == 2:  # "opaque", as which h5py writes what NumPy lacks: bfloat16
        return Type(size, "<u2*")
    if kind & 15 == 3 and size:
        return Type(size, text="fixed")
    if kind & 15 == 9 and bits & 15 == 1 and size == 16:
        return Type(size, text="variable")
    raise ValueError(f"{node} has values of a type that is not read: float16, 32 and 64, integers and text are")


def shape_of(content, node):
    """The shape in a dataspace message."""
    message = _Bytes(content, node)
    version, axes, _ = message.numbers("BBB")
    if version == 2:
        if message.numbers("B")[0] == 2:
            return (0,)
    elif version == 1:
        message.take(5)
    else:
        raise ValueError(f"{node}: it is damaged: version {version} of a shape is not known")
    shape = message.numbers(f"{axes}Q")
    if axes > _MOST_AXES or math.prod(max(n, 1) for n in shape) > _MOST_VALUES:
        raise ValueError(f"{node}: it is damaged: no array has {axes} axes of {shape[:4]}")
    return shape


def attribute(content, node):
    """(name, content of its type, content of its shape, values) of an attribute message."""
    message = _Bytes(content, node)
    version, shared, *sizes = message.numbers("BBHHH")
    if version not in (1, 2, 3) or (version > 1 and shared):
        raise ValueError(f"{node}: it is damaged, or has attributes of a form that is not read")
    if version == 3:
        message.take(1)
    parts = []
    for size in sizes:
        parts.append(message.take(size))
        if version == 1:
            message.take(min(-size % 8, len(content) - message.at))
    name, kind, shape = parts
    return name.partition(b"\0")[0].decode("utf-8", "backslashreplace"), kind, shape, content[message.at :]


def values(node, kind, space, content):
    """The values of an attribute: an array of numbers, a text, or a list of texts."""
    kind, shape = type_of(kind, node), shape_of(space, node)
    count = math.prod(shape)
    if count * kind.size > len(content):
        raise ValueError(f"{node}: it is damaged: an attribute is cut short")
    if kind.numbers:
        return _numbers(content[: count * kind.size], kind).reshape(shape)
    node.of.spend(100 * count)
    pieces = [content[at : at + kind.size] for at in range(0, count * kind.size, kind.size)]
    if kind.text == "variable":
        heaps: dict[int, dict[int, bytes]] = {}
        pieces = [_elsewhere(node, piece, heaps) for piece in pieces]
    texts = [piece.rstrip(b"\0").decode("utf-8", "backslashreplace") for piece in pieces]
    return texts if shape else texts[0]


def _elsewhere(node, reference, heaps):
    """The bytes that a reference to a global heap stands for; heaps: those that were read, by address."""
    length, address, index = struct.unpack("<IQI", reference)
    if not length:
        return b""
    if address not in heaps:
        heaps[address] = _heap(node, address)
    if index not in heaps[address] or length > len(heaps[address][index]):
        raise ValueError(f"{node}: it is damaged: the text of an attribute is not where it should be")
    node.of.spend(length)
    return heaps[address][index][:length]


def _heap(node, address):
    """{number: bytes} of the objects in a global heap."""
    node.of.expect(b"GCOL", address)
    size = node.of.numbers("Q", address + 8)[0]
    content, at, found = node.of.read(address, size), 16, {}
    while at + 16 <= size:
        index, length = struct.unpack_from("<H6xQ", content, at)
        if not index:  # free space
            break
        found[index] = content[at + 16 : at + 16 + length]
        at += 16 + length + -length % 8
    return found


def filters(content, node):
    """The numbers of a dataset's filters, in the order in which they were applied."""
    message, found = _Bytes(content, node), []
    version, count = message.numbers("BB")
    message.take(6 if version == 1 else 0)
    for _ in range(count):
        (number,) = message.numbers("H")
        named = message.numbers("H")[0] if version == 1 or number >= 256 else 0
        _, parameters = message.numbers("HH")
        name = message.take(named + (-named % 8 if version == 1 else 0)).partition(b"\0")[0]
        message.take(4 * parameters + (4 if version == 1 and parameters % 2 else 0))
        if number not in (_DEFLATE, _SHUFFLE, _CHECKSUM):
            shown = printable(name[:50].decode("utf-8", "backslashreplace")) or f"number {number}"
            raise ValueError(f"{node} is compressed by the filter {shown}: of filters, gzip and shuffle are read")
        found.append(number)
    return found


def array(node, kind, space, layout, applied):
    """The array of a dataset from the messages with its type, its shape and its place, and its filters."""
    kind, shape = type_of(kind, node), shape_of(space, node)
    if not kind.numbers:
        raise ValueError(f"{node} holds text, where numbers are expected")
    count = math.prod(shape)
    node.of.spend(count * kind.size)
    message = _Bytes(layout, node)
    version, form = message.numbers("BB")
    if version not in (3, 4) or form > 2 or (form == 2 and version == 4):
        raise ValueError(f"{node}: its numbers are stored in a form that is not read: write it with h5py's default")
    if form == 2:
        return _chunks(node, kind, shape, message, applied)
    if form == 0:
        content = message.take(message.numbers("H")[0])
    else:
        address, size = message.numbers("QQ")
        if count and (address == _NOWHERE or size != count * kind.size):
            raise ValueError(f"{node}: it is damaged, or its numbers were never written")
        content = node.of.read(address, size) if count else b""
    if len(content) < count * kind.size:
        raise ValueError(f"{node}: it is damaged: {len(content):,} bytes are too few for the shape {shape}")
    return _numbers(content[: count * kind.size], kind).reshape(shape)


def _chunks(node, kind, shape, message, applied):
    """The array of a dataset in chunks; a key of their tree is (bytes, skipped filters, place along each axis, 0)."""
    axes, tree = message.numbers("BQ")
    chunk = message.numbers(f"{axes}I")[:-1]
    if len(chunk) != len(shape) or 0 in chunk:
        raise ValueError(f"{node}: it is damaged: chunks of {chunk} do not fit the shape {shape}")
    size = math.prod(chunk) * kind.size
    expected = {*product(*(range(0, n, step) for n, step in zip(shape, chunk)))} if _few(node, shape, chunk) else set()
    found = node.of_tree(tree, 1, f"II{axes}Q") if expected else []
    pieces = {key[2:-1]: (key[:2], address) for key, address in found}
    if pieces.keys() != expected:
        raise ValueError(f"{node}: it is damaged, or some of its chunks were never written")
    result: np.ndarray = np.empty(shape, _numbers(b"", kind).dtype)
    for place, ((stored, skipped), address) in pieces.items():
        content = node.of.read(address, stored)
        node.of.spend(3 * size)
        block = _numbers(_unfiltered(node, content, size, kind.size, applied, skipped), kind).reshape(chunk)
        inside = tuple(slice(min(step, n - at)) for at, step, n in zip(place, chunk, shape))
        result[tuple(slice(at, at + step) for at, step in zip(place, chunk))] = block[inside]
    return result


def _few(node, shape, chunk):
    """Whether there are chunks; raises ValueError where there are more than the file can hold."""
    count = math.prod(-(-n // step) for n, step in zip(shape, chunk))
    node.of.spend(200 * count)
    return count > 0


def _unfiltered(node, content, size, item, applied, skipped):
    """The `size` bytes of a chunk before the filters; skipped: a bit for each filter that was not applied."""
    for place, number in reversed([*enumerate(applied)]):
        if skipped >> place & 1:
            continue
        if number == _DEFLATE:
            try:
                content = zlib.decompressobj().decompress(content, size + 4)  # a checksum may be within
            except zlib.error as error:
                raise ValueError(f"{node}: it is damaged: a chunk cannot be decompressed ({error})") from None
        elif number == _CHECKSUM:
            content = content[:-4]
        elif len(content) % item == 0:  # shuffled: first the first bytes of all values, then the second ones
            content = np.frombuffer(content, np.uint8).reshape(item, -1).T.tobytes()
    if len(content) != size:
        raise ValueError(f"{node}: it is damaged: a chunk has {len(content):,} bytes instead of {size:,}")
    return content


def _numbers(content, kind):
    """Bytes as an array in the machine's byte order, writeable."""
    values = np.frombuffer(content, kind.numbers.removesuffix("*"))
    if kind.numbers.endswith("*"):  # bfloat16, the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(values.dtype.newbyteorder("="))
