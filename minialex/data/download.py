"""Downloads that resume, verify their checksum, and unpack archives safely."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path, PurePosixPath

from ..support.progress import Progress

_BLOCK = 2**18
_TIMEOUT = 30  # seconds without receiving a byte


def fetch(url, path, md5):
    """Download a file, unless it is there already.

    url: the address of the file.
    path: where to save it. An interrupted download leaves PATH.part, which the next one continues (HTTP Range).
    md5: its checksum in hexadecimal; a file with another one is not kept.

    Returns `path` as a Path.
    Raises OSError if the connection fails (the part is kept) or the checksum differs (the part is removed).
    """
    path = Path(path)
    if path.is_file() and _md5(path) == md5:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _transfer(url, part)
    except (OSError, http.client.HTTPException) as error:
        raise OSError(
            f"downloading {url} failed ({error}); the part received is kept in {part}, "
            "run the same command again to continue"
        ) from error
    found = _md5(part)
    if found != md5:
        part.unlink()
        raise OSError(f"{url} sent a file with MD5 {found} where {md5} was expected; it was removed, please try again")
    os.replace(part, path)
    return path


def _transfer(url, part):
    """Append the missing bytes of `url` to `part`; start over where the server does not support Range."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the checksum is compared next
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with open(part, "ab" if have else "wb") as file, Progress(part.stem, total, "B", initial=have) as progress:
            while block := response.read(_BLOCK):
                file.write(block)
                progress.update(len(block))
    arrived = part.stat().st_size
    if total is not None and arrived < total:
        raise ConnectionError(f"the connection closed after {arrived:,} of {total:,} bytes")


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def unpack(archive, folder):
    """Extract a folder from a tar archive; it appears only once all its files are extracted.

    archive: path of the archive, which holds one folder with the name of `folder`, and in it only files.
    folder: where to put it. If it exists already, its files are replaced one by one. What a call that was killed has
        left beside it is removed.

    Returns `folder` as a Path.
    Raises OSError for a damaged archive, and for one with anything else in it: links, devices, ../x, /x.
    """
    archive, folder = Path(archive), Path(folder)
    temporary = unpacking(folder)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        unpacked = temporary / folder.name
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack_member(tar, member, unpacked)
        except (tarfile.TarError, EOFError, ValueError, zlib.error) as error:
            raise OSError(f"{archive} cannot be unpacked ({error}); delete it and download it again") from error
        except OSError as error:  # as of a full disk
            raise OSError(f"{archive} cannot be unpacked into {folder}: {error.strerror or error}") from error
        if not unpacked.is_dir():
            raise OSError(f"{archive} holds no folder {folder.name}; delete it and download it again")
        if folder.is_dir():
            for file in unpacked.iterdir():
                os.replace(file, folder / file.name)
        else:
            os.replace(unpacked, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def unpacking(folder):
    """The Path of the folder in which `folder` is unpacked before it is complete; it is there only meanwhile."""
    return folder.with_name(f".{folder.name}.partial")


def _unpack_member(tar, member, folder):
    """Extract one file into `folder`. Not by tarfile's extraction filters: early releases of Python 3.11 lack them."""
    path = PurePosixPath(member.name)
    if member.isdir() and path.parts == (folder.name,):
        return
    if not member.isfile() or member.issparse() or path.parts[:-1] != (folder.name,) or path.name == "..":
        raise tarfile.TarError(f"{member.name!r} does not belong in {folder.name}")
    folder.mkdir(exist_ok=True)
    with tar.extractfile(member) as source, open(folder / path.name, "wb") as target:
        shutil.copyfileobj(source, target)
