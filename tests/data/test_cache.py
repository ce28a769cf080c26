"""The disk cache: what is damaged in it is computed again, however it is damaged."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from minialex.data import cache


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """The path of an entry that has been written, with a count of how often it was computed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert get()["a"].tolist() == [1, 2, 3]
    (path,) = tmp_path.rglob("key.npz")
    return path


def get(computed=None):
    def compute():
        if computed is not None:
            computed.append(1)
        return {"a": np.array([1, 2, 3])}

    return cache.cached("key", ["a"], compute)


def test_it_is_computed_once(entry):
    computed = []
    assert get(computed)["a"].tolist() == [1, 2, 3] and not computed


def _at(path, signature, field, value):
    """Write another number into the headers of an archive."""
    content = bytearray(path.read_bytes())
    at = content.index(signature) + field
    content[at : at + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "a method of compression that there is not": lambda path: _at(path, b"PK\1\2", 10, 77),
    "a method that needs what is not there": lambda path: _at(path, b"PK\1\2", 10, zipfile.ZIP_DEFLATED),
    "a password": lambda path: _at(path, b"PK\1\2", 8, 1),
    "another name": lambda path: np.savez(path, b=np.zeros(3)),
    "objects": lambda path: np.savez(path, a=np.array([{}])),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_computed_again(entry, damage):
    DAMAGES[damage](entry)
    computed = []
    assert get(computed)["a"].tolist() == [1, 2, 3] and computed
    assert get()["a"].tolist() == [1, 2, 3]
    assert not get(computed := []).keys() ^ {"a"} and not computed, "it has been replaced"
