"""What a file is that cannot be what its suffix says: a page of an error, a pointer of git-lfs, another format."""

from __future__ import annotations

import os
import re

_KNOWN = (  # what files begin with, which suffixes they have, what they are, and the suffix to give
    (re.compile(rb"\x89HDF\r\n\x1a\n"), (".h5", ".hdf5", ".keras", ".caffemodel"), "an HDF5 file", ".h5"),
    (re.compile(rb"\x93NUMPY"), (".npy",), "an array of NumPy", ".npy"),
    (
        re.compile(rb"PK\x03\x04"),
        (".npz", ".keras", ".h5", ".pth", ".pt", ".pth.tar", ".pt.tar", ".ckpt", ".bin"),
        "a zip archive, as PyTorch, NumPy and Keras write it",
        ".pth, .npz or .keras",
    ),
    (re.compile(rb"(?s).{6}\0\0\{\s*\""), (".safetensors",), "a safetensors file", ".safetensors"),
)
_PAGE = re.compile(rb"\s*(<!doctype html|<html|<\?xml|<head)", re.IGNORECASE)
_SHARD = re.compile(r"(.*)-\d+-of-\d+(\.safetensors|\.bin)")


def check(path: str | os.PathLike[str]) -> None:
    """Raise an error for a file that holds no weights, whatever its suffix, with what to do.

    path: of the file, whose suffix gives the format.

    Raises FileNotFoundError where there is none, IsADirectoryError for a folder; ValueError for a web page, a
    pointer of git-lfs, or a format of another suffix.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as file:
        start = file.read(64)
    if _PAGE.match(start):
        raise ValueError(f"{path} is a web page, as a failed download leaves it: download the file itself")
    if start.startswith(b"version https://git-lfs"):
        raise ValueError(f"{path} is a pointer of git-lfs, not the file that it stands for: run git lfs pull")
    for beginning, suffixes, kind, own in _KNOWN:
        if beginning.match(start) and not os.fspath(path).lower().endswith(suffixes):
            raise ValueError(f"{path} is {kind}: give it the suffix {own}")


def advice(path: str | os.PathLike[str]) -> str:
    """What to do with a file of weights that fits no network, if its name says that it is one of several; else ""."""
    if match := _SHARD.fullmatch(os.path.basename(path)):
        return f"it is one of several files: name {match[1]}{match[2]}.index.json, which lists them, instead"
    return ""
