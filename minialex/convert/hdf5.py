"""Reading HDF5 files without the HDF5 library, which loops without end over some damaged files.

    superblock      the address of the root group's object header
    object header   messages: of a group, its links; of a dataset, its shape, type, filters and place; attributes
    group           a B-tree of nodes with (name, address of an object header); or a few messages, a link each

Read is what h5py writes by default: datasets in one piece, compact, or in chunks, compressed by deflate. Nothing leads
out of the file: links to other files, external and virtual datasets are refused. Addresses are bytes, little-endian.
HDF5 File Format Specification, version 3.0, https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html
"""

from __future__ import annotations

import struct

from ..support import npz
from ..support.text import printable
from . import hdf5_data

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = 2**64 - 1  # the address of what is not there
_ONE_READ = 256  # what each access to the file counts beside its bytes
_IN_MEMORY = 200  # what a name, an address or a message takes in memory, at most
_LATEST = "it was written with libver='latest': write it again with h5py's default"
# Types of messages.
_SPACE, _LINKS, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE = 1, 2, 3, 6, 7, 8, 11, 12
_CONTINUATION, _SYMBOLS, _ATTRIBUTES = 16, 17, 21


class File:
    """An HDF5 file.

    file: a binary file, open for reading.
    allowed: bytes; support.npz.allowance of the file's length if None.

    All that is read, and the memory that it takes, are at most `allowed` bytes together, so that no file can make its
    reader busy for long. `root` is the root group, a Node. Raises ValueError, in a clause
    about "it", where the file is damaged or of an unknown form, as its nodes do.
    """

    def __init__(self, file, allowed=None):
        self._file = file
        self.length = file.seek(0, 2)
        self._left = npz.allowance(self.length) if allowed is None else allowed
        self.base = 0
        self._nodes: dict[int, Node] = {}
        self.root = self.node(self._superblock(), "/")

    def node(self, address, path):
        """The Node whose object header is at an address; each is read once. path: by which it was found."""
        if address not in self._nodes:
            self._nodes[address] = Node(self, address, path)
        return self._nodes[address]

    def spend(self, amount):
        """Count bytes of memory, or of the file; raises ValueError where that is too much."""
        self._left -= amount
        if self._left < 0:
            raise ValueError("it takes far more memory, or refers to itself more often, than its length justifies")

    def read(self, address, size):
        """`size` bytes at an address; raises ValueError where the file has not so many."""
        start = self.base + address
        if start + size > self.length:
            raise ValueError(f"it is cut short: {size:,} bytes at {start:,} are beyond its {self.length:,} bytes")
        self.spend(size + _ONE_READ)
        self._file.seek(start)
        return self._file.read(size)

    def numbers(self, form, address):
        """Little-endian numbers at an address; form: of the module struct, such as "HQ"."""
        return struct.unpack(f"<{form}", self.read(address, struct.calcsize(f"<{form}")))

    def expect(self, signature, address):
        """Raise ValueError unless a structure begins with its signature."""
        if self.read(address, len(signature)) != signature:
            raise ValueError(f"it is damaged: at byte {self.base + address:,} there is no {signature.decode()}")

    def _superblock(self):
        """The address of the root group's object header; a superblock may begin at 0, 512, 1024, 2048, ..."""
        at = 0
        while at + 16 <= self.length and self.read(at, 8) != _SIGNATURE:
            at = max(512, 2 * at)
        if at + 16 > self.length:
            raise ValueError("it is not an HDF5 file")
        version = self.read(at + 8, 1)[0]
        if version > 3:
            raise ValueError(f"it is damaged, or of a new form: version {version} of the superblock, known are 0 to 3")
        sizes, addresses = (at + 13, at + 24 + 4 * version) if version < 2 else (at + 9, at + 12)
        if self.read(sizes, 2) != b"\x08\x08":
            raise ValueError("its addresses and lengths do not have 8 bytes: write it again with h5py's default")
        base, _, _, other, *rest = self.numbers("QQQQQQ" if version < 2 else "QQQQ", addresses)
        self.base = base
        return rest[1] if version < 2 else other


class Node:
    """A group or a dataset.

    of: the File.
    address: of its object header.
    path: where it is in the file, for messages.
    """

    def __init__(self, of, address, path):
        self.of, self.address, self.path = of, address, path
        of.spend(_IN_MEMORY)
        self._messages = list(self._all_messages())
        self._children = None

    def _found(self, kind):
        """The content of the messages of a type."""
        found = [(flags, content) for type_, flags, content in self._messages if type_ == kind]
        if any(flags & 2 for flags, _ in found):
            raise ValueError(f"{self}: types that several objects share are not read")
        return [content for _, content in found]

    def __str__(self):
        return printable(self.path[:200])

    def _all_messages(self):
        """Yield (type, flags, content) of each message of the object header, in all its pieces."""
        file, at = self.of, self.address
        start = file.read(at, 6)
        if start[:4] == b"OHDR":
            flags = start[5]
            at += 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
            width = 1 << (flags & 3)
            size = int.from_bytes(file.read(at, width), "little")
            pieces, form, tail = [(at + width, size)], "<BHBH" if flags & 4 else "<BHB", 0
        elif start[0] == 1:
            pieces, form, tail = [(at + 16, *file.numbers("I", at + 8))], "<HHB3x", 0
        else:
            raise ValueError(f"{self}: it is damaged: at byte {file.base + at:,} no object begins")
        for at, size in pieces:  # which grow while they are read
            piece, place = file.read(at, size), 4 if tail else 0
            end = size - tail
            while place + struct.calcsize(form) <= end:
                kind, length, flags, *_ = struct.unpack_from(form, piece, place)
                place += struct.calcsize(form)
                if place + length > end:
                    raise ValueError(f"{self}: it is damaged: a message reaches beyond its object header")
                content = piece[place : place + length]
                place += length
                file.spend(_IN_MEMORY)
                if kind == _CONTINUATION:
                    pieces.append(_unpacked("QQ", content, self))
                    continue
                yield kind, flags, content
            tail = 4 if start[:4] == b"OHDR" else 0  # later pieces begin with OCHK and end with a checksum

    # ------------------------------------------------------------------------------------------------------- groups

    @property
    def children(self):
        """{name: address of the object header, or None of a link that is not followed}, in order of names."""
        if self._children is None:
            self._children = dict(sorted((*self._symbols(), *self._links())))
        return self._children

    def __contains__(self, name):
        return name in self.children

    def __getitem__(self, path):
        """The Node at a path below this one; raises ValueError where there is none."""
        node = self
        for name in filter(None, path.split("/")):
            if node.children.get(name) is None:
                what = "is a link, which is not followed" if name in node.children else "is missing"
                raise ValueError(f"{printable(name[:200])} in {node} {what}")
            node = node.of.node(node.children[name], f"{node.path.rstrip('/')}/{name}")
        return node

    def _links(self):
        for content in self._found(_LINKS):
            place = 10 if content[1:2] and content[1] & 1 else 2
            if _unpacked("Q", content[place:], self)[0] != _NOWHERE:
                raise ValueError(f"{self}: {_LATEST}")
        for content in self._found(_LINK):
            flags, place = _unpacked("BB", content, self)[1], 2
            hard = not (flags & 8 and content[2:3] != b"\0")
            place += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
            width = 1 << (flags & 3)
            length = int.from_bytes(content[place : place + width], "little")
            place += width
            name = content[place : place + length].decode("utf-8", "backslashreplace")
            yield name, _unpacked("Q", content[place + length :], self)[0] if hard else None

    def _symbols(self):
        """The links of a group in the old form: a B-tree, whose leaves are nodes of symbols, names in a heap."""
        for content in self._found(_SYMBOLS):
            tree, heap = _unpacked("QQ", content, self)
            self.of.expect(b"HEAP", heap)
            size, _, start = self.of.numbers("QQQ", heap + 8)
            names = self.of.read(start, size)
            for _, leaf in self.of_tree(tree, 0, "Q"):
                self.of.expect(b"SNOD", leaf)
                count = self.of.numbers("H", leaf + 6)[0]
                self.of.spend(_IN_MEMORY * count)
                for name, header, cached in struct.iter_unpack("<QQI20x", self.of.read(leaf + 8, 40 * count)):
                    text = names[name : names.find(b"\0", name)]
                    self.of.spend(len(text))
                    yield text.decode("utf-8", "backslashreplace"), header if cached != 2 else None

    def of_tree(self, address, kind, key):
        """The (key, address) that the leaves of a B-tree hold.

        address: of its root.
        kind: 0 of a group, 1 of chunks.
        key: form of a key, of the module struct.

        Returns a list.
        """
        found, size, levels = [], struct.calcsize(f"<{key}"), [(address, None)]
        while levels:
            address, above = levels.pop()
            self.of.expect(b"TREE", address)
            type_, level, count = self.of.numbers("BBH", address + 4)
            if type_ != kind or (above is not None and level != above - 1):
                raise ValueError(f"{self}: it is damaged: a B-tree has a node of another kind")
            content = self.of.read(address + 24, count * (size + 8))
            self.of.spend(_IN_MEMORY * count)
            for *values, child in struct.iter_unpack(f"<{key}Q", content):
                if level:
                    levels.append((child, level))
                else:
                    found.append((tuple(values), child))
        return found

    # --------------------------------------------------------------------------------------- attributes and datasets

    def attribute(self, name):
        """The value of an attribute: a text, an array, or a list of texts; None where there is none."""
        for content in self._found(_ATTRIBUTE):
            known, kind, shape, value = hdf5_data.attribute(content, self)
            if known == name:
                return hdf5_data.values(self, kind, shape, value)
        for content in self._found(_ATTRIBUTES):
            place = 4 if content[1:2] and content[1] & 1 else 2
            if _unpacked("Q", content[place:], self)[0] != _NOWHERE:
                raise ValueError(f"{self}: {_LATEST}")
        return None

    @property
    def is_dataset(self):
        """Whether it has numbers, and no children."""
        return any(kind == _LAYOUT for kind, _, _ in self._messages)

    def array(self):
        """The numbers of a dataset, an array in the machine's byte order; bfloat16 becomes float32."""
        if not self.is_dataset:
            raise ValueError(f"{self} is a group, where numbers are expected")
        if self._found(_EXTERNAL):
            raise ValueError(f"{self}: its numbers are in another file, which is not read")
        found = [self._found(kind) for kind in (_TYPE, _SPACE, _LAYOUT)]
        if not all(found):
            raise ValueError(f"{self}: it is damaged: a dataset without a type or a shape")
        kind, space, layout = (contents[0] for contents in found)
        filters = [hdf5_data.filters(content, self) for content in self._found(_FILTERS)]
        return hdf5_data.array(self, kind, space, layout, filters[0] if filters else [])


def _unpacked(form, content, node):
    """Numbers at the beginning of a message; raises ValueError where it is too short."""
    if len(content) < struct.calcsize(f"<{form}"):
        raise ValueError(f"{node}: it is damaged: a message of its object header is too short")
    return struct.unpack_from(f"<{form}", content)
