"""The three forms of a file of torch.save: where its pickle is, and the bytes of each storage.

torch >= 1.6, a zip archive that is not compressed:

    NAME/data.pkl       the pickle, which names storages by their keys
    NAME/data/KEY       the bytes of a storage
    NAME/byteorder      "little" or "big"; "little" where it is missing

torch >= 0.1.10, one behind the other:

    pickles of 0x1950a86a20f9469cfc6c, of 1001, and of a dict about the system
    the pickle
    the pickle of a list of keys; then of each storage the count of its elements, an int64, and its bytes

Before, a tar archive of three members; the persistent ids in `pickle` are the keys of tensors:

    storages    the pickle of a count; of each storage the pickle of (key, device, class), and count and bytes as above;
                the pickle of a list of parts of them, (key, key of the storage, offset, count)
    tensors     the pickle of a count; of each tensor the pickle of (key, key of the storage, class), an int32 of its
                axes, four bytes, and as int64 the sizes, the strides and the offset

All but the first are little-endian. torch/serialization.py of pytorch, _load, _legacy_load and legacy_load.
"""

from __future__ import annotations

import re
import struct

import numpy as np

from ..support.text import printable
from .members import Members
from .pickles import Damaged, NotRun, load
from .torch_tensors import TORCH_NAMES, TYPES, Storage, Type, array, checked, storage

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Source:
    """A file that is open; `found` is what its pickle holds.

    memory: bytes that the arrays may take.
    """

    order = "<"

    def __init__(self, memory):
        self.memory = self._left = memory
        self._contents = {}

    def content(self, key):
        """The bytes of a storage, a one-dimensional array of uint8; raises Damaged where there are none."""
        raise NotImplementedError

    def close(self):
        """Close the file; arrays that were read stay."""

    def arrays(self, tensors):
        """{name: array} of a dict of tensors; raises Damaged with the name of one that cannot be read."""
        arrays = {}
        for key, tensor in tensors.items():
            shown = printable(str(key)[:100])
            self._left -= tensor.nbytes
            if self._left < 0:
                raise Damaged(f"{shown} would take {tensor.nbytes:,} bytes of memory, far more than the file is long")
            try:
                arrays[str(key)] = self._array(tensor)
            except Damaged as error:
                raise Damaged(f"{shown}: {error}") from None
        return arrays

    def _array(self, tensor):
        if isinstance(tensor, np.ndarray):
            return np.array(tensor, tensor.dtype.newbyteorder("="))
        key = tensor.storage.key
        if key not in self._contents:
            self._contents[key] = self.content(key)
        return array(tensor, self._contents[key], self.order)


class Zip(Source):
    """The form of torch >= 1.6; path: of the file."""

    def __init__(self, path, memory):
        super().__init__(memory)
        self._members = Members(path, memory)
        try:
            names = self._members.names
            pickle = min((name for name in names if name.endswith("/data.pkl")), key=len, default=None)
            if pickle is None:
                raise Damaged("it has no data.pkl")
            self._folder = folder = pickle.removesuffix("data.pkl")
            if any(name.startswith((f"{folder}constants.pkl", f"{folder}code/")) for name in names):
                raise NotRun("a program of TorchScript, which was not run")
            if f"{folder}byteorder" in names:
                self.order = {b"little": "<", b"big": ">"}.get(bytes(self._members.read(f"{folder}byteorder")), "")
                if not self.order:
                    raise Damaged("its byte order is neither little nor big")
            self.found, _ = load(self._members.read(pickle), TORCH_NAMES, storage, memory=memory)
        except ValueError:
            self.close()
            raise

    def content(self, key):
        return np.frombuffer(self._members.read(f"{self._folder}data/{key}"), np.uint8)

    def close(self):
        self._members.close()


class _Whole(Source):
    """A file that was read; `_places` are the places of its storages, {key: (start, bytes)}."""

    def __init__(self, content, memory):
        super().__init__(memory)
        self._file, self._places = content, {}

    def content(self, key):
        if key not in self._places:
            raise Damaged(f"the numbers of its storage {printable(str(key)[:100])} are missing")
        start, nbytes = self._places[key]
        return np.frombuffer(self._file, np.uint8, nbytes, start).copy()  # aligned, and without the rest of the file

    def _load(self, at, persistent=None):
        return load(self._file, TORCH_NAMES, persistent, at, self.memory)

    def _place(self, key, kind, at):
        """Note where a storage is, behind the count of its elements; returns the place behind it."""
        count = self._integers(at, 1)[0]
        nbytes = count * TYPES[kind].itemsize
        if count < 0 or nbytes > len(self._file) - at - 8:
            raise Damaged(f"at byte {at:,} a storage of {nbytes:,} bytes is cut short")
        self._places[key] = at + 8, nbytes
        return at + 8 + nbytes

    def _integers(self, at, count):
        if count * 8 > len(self._file) - at:
            raise Damaged(f"at byte {at:,} it is cut short")
        return struct.unpack_from(f"<{count}q", self._file, at)


class Legacy(_Whole):
    """The form of torch >= 0.1.10; content: the whole file, a bytearray."""

    def __init__(self, content, memory):
        super().__init__(content, memory)
        magic, at = self._load(0)
        protocol, at = self._load(at) if isinstance(magic, int) and magic == _MAGIC else (None, at)
        if not isinstance(protocol, int) or protocol != _PROTOCOL:
            raise Damaged("it does not begin with the number that torch.save begins with")
        _, at = self._load(at)
        types = {}

        def noted(key):
            found = storage(key)
            types.setdefault(found.key, found.type)
            return found

        self.found, at = self._load(at, noted)
        keys, at = self._load(at)
        if not isinstance(keys, list) or not all(isinstance(key, str | int) and key in types for key in keys):
            raise Damaged(f"at byte {at:,} the keys of its storages are not those that the pickle names")
        for key in keys:
            at = self._place(key, types[key], at)


class Tar(_Whole):
    """The form of the first torch; content: the whole file, a bytearray."""

    def __init__(self, content, memory):
        super().__init__(content, memory)
        members = self._members()
        values = self._storages(members["storages"])
        self._tensors(members["tensors"], values)

        def value(key):
            key = int(key) if isinstance(key, str) and re.fullmatch(r"\d{1,20}", key) else key
            if not isinstance(key, int) or key not in values:
                raise Damaged("a persistent id is not that of a tensor or a storage")
            return values[key]

        self.found, _ = self._load(members["pickle"], value)

    def _members(self):
        """{name: place}; of a header's 512 bytes 100 are the name, and 12 from the 124th the size in octal digits."""
        at, found = 0, {}
        while at + 512 <= len(self._file) and self._file[at]:
            name, size = bytes(self._file[at : at + 100]), bytes(self._file[at + 124 : at + 136]).strip(b"\0 ")
            if not re.fullmatch(rb"[0-7]+", size):
                raise Damaged(f"at byte {at:,} it is not a tar archive")
            found[name.partition(b"\0")[0].decode("latin-1")] = at + 512
            at += 512 + -(-int(size, 8) // 512) * 512
        if missing := {"storages", "tensors", "pickle"} - found.keys():
            raise Damaged(f"it is a tar archive without {', '.join(sorted(missing))}")
        return found

    def _count(self, at, what):
        count, at = self._load(at)
        if not isinstance(count, int):
            raise Damaged(f"at byte {at:,} the number of {what} is missing")
        return range(count), at

    def _record(self, at):
        """The pickle of a key, a second value and a type."""
        record, at = self._load(at)
        if not isinstance(record, tuple) or len(record) != 3 or not isinstance(record[2], Type):
            raise Damaged(f"at byte {at:,} a storage or a tensor is not described")
        if not all(isinstance(value, int | str) for value in record[:2]):
            raise Damaged(f"at byte {at:,} the key of a storage or a tensor is not a number")
        return record, at

    def _storages(self, at):
        """{key: Storage}, also of the storages that are parts of others, which a list behind them describes."""
        storages = {}
        numbers, at = self._count(at, "storages")
        for _ in numbers:
            (key, _, kind), at = self._record(at)
            at = self._place(key, kind.name, at)
            storages[key] = Storage(kind.name, key, self._places[key][1] // TYPES[kind.name].itemsize)
        views, at = self._load(at)
        for view in views if isinstance(views, list) else ():
            if not isinstance(view, tuple) or len(view) != 4 or not all(type(n) is int and n >= 0 for n in view):
                raise Damaged(f"at byte {at:,} a part of a storage is not described by four numbers")
            key, root, offset, count = view
            if root not in storages:
                raise Damaged(f"at byte {at:,} a part is of a storage that is missing")
            storages[key] = Storage(storages[root].type, root, count, offset)
        return storages

    def _tensors(self, at, values):
        """Add the tensors to the storages in `values`."""
        numbers, at = self._count(at, "tensors")
        for _ in numbers:
            (key, name, _), at = self._record(at)
            axes = self._integers(at, 1)[0] & 0xFFFFFFFF  # an int32, and four bytes that mean nothing
            if axes > 32 or not isinstance(found := values.get(name), Storage):
                raise Damaged(f"at byte {at:,} a tensor has no storage, or {axes:,} axes")
            *sizes, offset = self._integers(at + 8, 2 * axes + 1)
            values[key] = checked(found, offset, tuple(sizes[:axes]), tuple(sizes[axes:]), found.type)
            at += 8 + 8 * len(sizes) + 8
