"""Fetch a file once, safely: resumed where it broke off, checked before it gets its name, unpacked with care."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path, PurePosixPath

from tqdm import tqdm

_BLOCK = 2**18
_TIMEOUT = 30  # seconds without a byte


def fetch(url, path, md5):
    """Download `url` to `path`, unless a file with this MD5 is there already; returns the path.

    The bytes go to PATH.part, which an interrupted download leaves behind and the next one continues (HTTP Range).
    OSError when the connection fails (the part is kept) and when the finished file is the wrong one (it is removed).
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
            f"downloading {url} failed ({error}); what arrived is kept in {part}, "
            "so run the same command again to go on"
        ) from error
    found = _md5(part)
    if found != md5:
        part.unlink()
        raise OSError(f"{url} sent a file with MD5 {found} where {md5} was expected; it was removed, try again")
    os.replace(part, path)
    return path


def _transfer(url, part):
    """Append to `part` what is missing of `url`; start over where the server does not know Range."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing: the checksum decides
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with open(part, "ab" if have else "wb") as file, _progress(part.stem, have, total) as progress:
            while block := response.read(_BLOCK):
                file.write(block)
                progress.update(len(block))
    arrived = part.stat().st_size
    if total is not None and arrived < total:
        raise ConnectionError(f"the connection closed after {arrived:,} of {total:,} bytes")


def _progress(name, have, total):
    return tqdm(desc=name, initial=have, total=total, unit="B", unit_scale=True, unit_divisor=1024)


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def unpack(archive, folder):
    """Unpack the folder of that name from a tar archive to `folder`, which appears only when it is complete.

    Files of a `folder` that exists already are replaced one by one. OSError says what is wrong with the archive: also
    one with anything in it but files that lie directly in the folder (links, devices, ../x, /x).
    """
    archive, folder = Path(archive), Path(folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
        unpacked = Path(temporary) / folder.name
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    _unpack_member(tar, member, unpacked)
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise OSError(f"{archive} cannot be unpacked ({error}); delete it and download it again") from error
        if not unpacked.is_dir():
            raise OSError(f"{archive} holds no folder {folder.name}; delete it and download it again")
        if folder.is_dir():
            for file in unpacked.iterdir():
                os.replace(file, folder / file.name)
        else:
            os.replace(unpacked, folder)
    return folder


def _unpack_member(tar, member, folder):
    """One file into the folder. By hand: tarfile's own filter against bad names is younger than Python 3.11."""
    path = PurePosixPath(member.name)
    if member.isdir() and path.parts == (folder.name,):
        return
    if not member.isfile() or path.parts[:-1] != (folder.name,) or path.name == "..":
        raise tarfile.TarError(f"{member.name!r} does not belong into {folder.name}")
    folder.mkdir(exist_ok=True)
    with tar.extractfile(member) as source, open(folder / path.name, "wb") as target:
        shutil.copyfileobj(source, target)
