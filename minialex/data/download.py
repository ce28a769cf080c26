"""Downloads that resume, verify their checksum, and unpack archives safely."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path, PurePosixPath

from ..support.progress import Progress

LARGEST = 2**30  # bytes of a file whose size nobody states
_BLOCK = 2**18
_TIMEOUT = 30  # seconds without receiving a byte
_SCHEMES = ("http", "https")  # urllib would also open file: and ftp:


class _Wrong(OSError):
    """What the server sends is not the file."""


def fetch(url, path, digest, *, kind="md5", size=None):
    """Download a file, unless it is there already.

    url: the address of the file, http or https; so are those that it may be redirected to.
    path: where to save it. An interrupted download leaves PATH.part, which the next one continues (HTTP Range).
    digest: its checksum in hexadecimal, or the beginning of it; a file with another one is not kept.
    kind: of the checksum: "md5", "sha1" or "sha256".
    size: of the file, bytes, where it is known; no more than that, or than LARGEST, is received.

    Returns `path` as a Path.
    Raises OSError if the connection fails (the part is kept), or the server sends another file (the part is removed).
    """
    path = Path(path)
    if path.is_file() and digest_of(path, kind).startswith(digest):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _transfer(url, part, size)
    except _Wrong:
        raise
    except (OSError, http.client.HTTPException) as error:
        again = "run the same command again"
        if part.is_file():
            again = f"the part received is kept in {part}, {again} to continue"
        raise OSError(f"downloading {url} failed ({_why(error)}); {again}") from error
    found = digest_of(part, kind)
    if not found.startswith(digest):
        part.unlink()
        name = NAMES[kind]
        raise OSError(
            f"{url} sent a file with {name} {found} where {digest} was expected; it was removed, please try again"
        )
    os.replace(part, path)
    return path


def _why(error):
    """What an error of a connection says, without urllib's wrapping."""
    reason = error.reason if type(error) is urllib.error.URLError else error
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _transfer(url, part, size):
    """Append the missing bytes of `url` to `part`; start over where the server does not support Range."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(_checked(url), headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = _opener().open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the checksum is compared next
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        most = LARGEST if size is None else size
        if total is not None and (total > most or size not in (None, total)):
            raise _Wrong(f"{url} sends {total:,} bytes, where {_expected(size)} were expected; nothing was saved")
        with open(part, "ab" if have else "wb") as file, Progress(part.stem, total, "B", initial=have) as progress:
            while block := response.read(_BLOCK):
                have += len(block)
                if have > most:
                    break
                file.write(block)
                progress.update(len(block))
    if have > most:
        part.unlink()
        raise _Wrong(f"{url} sends more than {most:,} bytes, where {_expected(size)} were expected; they were removed")
    if total is not None and have < total:
        raise ConnectionError(f"the connection closed after {have:,} of {total:,} bytes")


def _expected(size):
    return f"at most {LARGEST:,}" if size is None else f"{size:,}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https; urllib itself refuses all others but ftp."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        return super().redirect_request(req, fp, code, msg, headers, _checked(newurl))


def _opener():
    return urllib.request.build_opener(_Redirects)


def _checked(url):
    """The address `url`; raises _Wrong unless it is of http or https."""
    if urllib.parse.urlsplit(url).scheme not in _SCHEMES:
        raise _Wrong(f"{url} is not an address of http or https, so it is not opened")
    return url


NAMES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}


def digest_of(path, kind):
    """The checksum of a file, in hexadecimal.

    path: of the file.
    kind: "md5", "sha1" or "sha256".
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


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
