"""Reading `.npz` files that may hold anything: only the arrays that are wanted, after a look at their sizes.

Zeros are compressed to a thousandth, so the length of a file does not limit the memory that its arrays take. The header
of each array says how much it takes.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping

import numpy as np

from .text import brief

_AT_LEAST, _TIMES = 2**26, 16  # bytes of memory: of any file, and for each byte of its length
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def allowance(length):
    """The bytes of memory that the arrays of a file may take: 64 MiB, or 16 times its `length` if that is more."""
    return max(_AT_LEAST, _TIMES * length)


class Damaged(ValueError):
    """A file, or an array in one, that cannot be read."""


class HoldsObjects(Damaged):
    """An array of Python objects, which is not read."""


class Archive(Mapping):
    """The arrays of an .npz file, {name: array}; each is read when it is first asked for. A context that closes it.

    file: a path, or a binary file open for reading.

    The arrays that are read take at most the `allowance` together: np.savez does not compress, and trained weights
    cannot be compressed by much.

    Raises OSError where there is no such file, and Damaged, here or where an array is read.
    """

    def __init__(self, file):
        try:
            self._zip = zipfile.ZipFile(file)
        except OSError:
            raise
        except Exception as error:  # zipfile raises many kinds of errors for a damaged file
            raise Damaged(brief(error)) from error
        self._arrays: dict[str, np.ndarray] = {}
        self._left = allowance(sum(member.compress_size for member in self._zip.infolist()))
        self._members = {member.filename.removesuffix(".npy"): member for member in self._zip.infolist()}

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)

    def __contains__(self, name):
        return name in self._members

    def header(self, name):
        """(dtype, shape) of the array `name`, which is not read; raises as `archive[name]` does."""
        return self._read(name, whole=False)

    def nbytes(self, name):
        """The bytes of memory that the array `name` takes; it is not read."""
        dtype, shape = self.header(name)
        return dtype.itemsize * math.prod(shape)

    def stored(self, name):
        """The bytes that the array `name` takes in the file."""
        return self._members[name].compress_size

    def __getitem__(self, name):
        """The array `name`; raises KeyError where there is none, Damaged where it cannot be read, or holds objects."""
        if name not in self._arrays:
            needed = self.nbytes(name)
            if needed > self._left:
                raise Damaged(f"{name} would take {needed:,} bytes of memory, far more than the file is long")
            self._left -= needed
            self._arrays[name] = self._read(name, whole=True)
        return self._arrays[name]

    def _read(self, name, whole):
        member = self._members[name]
        try:
            with self._zip.open(member) as file:
                version = np.lib.format.read_magic(file)
                if version not in _HEADERS:
                    raise ValueError(f"version {version} of NumPy's format is not known")
                try:
                    shape, _, dtype = _HEADERS[version](file)
                except MemoryError:  # raised by the compiler for a text that nests too deeply
                    raise ValueError("its header is no header") from None
                if dtype.hasobject:
                    raise HoldsObjects(f"{name[:100]}: it holds Python objects")
                stored, needed = member.file_size - file.tell(), dtype.itemsize * math.prod(shape)
                if stored != needed:
                    raise ValueError(f"an array {shape} of {dtype} takes {needed:,} bytes, but {stored:,} are stored")
            if not whole:
                return dtype, shape
            with self._zip.open(member) as file:
                return np.lib.format.read_array(file, allow_pickle=False)  # to its end, which verifies the checksum
        except (MemoryError, HoldsObjects):
            raise
        except Exception as error:  # zlib, zipfile and NumPy raise many kinds of errors for a damaged file
            raise Damaged(f"{name[:100]}: {brief(error)}") from error

    def close(self):
        """Close the file; arrays that were read stay."""
        self._zip.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def read(file, expected):
    """Read arrays whose types and shapes are known.

    file: a path, or a binary file open for reading.
    expected: {name: (dtype, shape)}.

    Returns {name: array}.
    Raises OSError where there is no such file, ValueError where it is damaged, or an array is missing or different.
    """
    with Archive(file) as archive:
        for name, (dtype, shape) in expected.items():
            if name not in archive:
                raise ValueError(f"the array {name} is missing")
            if archive.header(name) != (dtype, shape):
                found, its = archive.header(name)
                raise ValueError(f"{name} is {found} {its}, expected {np.dtype(dtype)} {shape}")
        return {name: archive[name] for name in expected}
