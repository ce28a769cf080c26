"""The members of a zip archive that may hold anything, read without more memory than they should take."""

from __future__ import annotations

import zipfile

from ..support.text import brief, printable
from .pickles import Damaged

_PIECE = 2**20  # bytes; zipfile takes memory for all that it is asked to read, also beyond the end of the file


class Members:
    """A zip archive that is open; `names` are those of its members.

    path: of the file.
    memory: bytes that all members that are read may take.

    Raises OSError where the file cannot be read, Damaged where it is not an archive.
    """

    def __init__(self, path, memory):
        self._left = memory
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError:
            raise
        except Exception as error:  # zipfile raises many kinds of errors for a damaged file
            raise Damaged(brief(error)) from None
        self._infos = {info.filename: info for info in self._zip.infolist()}
        self.names = [*self._infos]

    def read(self, name):
        """The bytes of a member, to its end, which verifies the checksum; a bytearray. Raises Damaged."""
        info, shown = self._infos.get(name), printable(name[:100])
        if info is None:
            raise Damaged(f"{shown} is missing")
        self._left -= info.file_size
        if self._left < 0:
            raise Damaged(f"{shown} would take {info.file_size:,} bytes of memory, far more than the file is long")
        content = bytearray()
        try:
            with self._zip.open(info) as file:
                while piece := file.read(_PIECE):
                    content += piece
        except MemoryError:
            raise
        except Exception as error:  # zlib and zipfile raise many kinds of errors for a damaged file
            raise Damaged(f"{shown}: {brief(error)}") from None
        if len(content) != info.file_size:
            raise Damaged(f"{shown} is cut short")
        return content

    def close(self):
        """Close the file."""
        self._zip.close()
