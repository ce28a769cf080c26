"""Kernels are kept on disk where there is a place for them, and computed where there is none."""

import os
from pathlib import Path

import numba
import pytest
from numba.core import caching

from minialex.backends.fast_cpu import compiled
from minialex.data import cache
from minialex.support import resources

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A module of its own with a function, and a folder for what is compiled."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "_kept", set())
    return tmp_path


def made(folder):
    """The function of that module, compiled anew, as by another process."""
    path = folder / "module.py"
    path.write_text("def triple(x):\n    return 3 * x\n")
    os.utime(path, (1, 1))
    names: dict = {}
    exec(compile(path.read_text(), path, "exec"), {"__file__": str(path)}, names)
    return compiled.kernel(names["triple"])


def announced(function):
    said: list = []
    with compiled.announcing(said.append):
        assert function(7) == 21
    return said


def test_kept_and_found_again(places):
    assert announced(made(places)) == [
        "compiling the kernels: once, ten seconds to half a minute, then they are on disk"
    ]
    assert announced(made(places)) == [] and [*(places / "cache").rglob("*.nbi")]


def test_damaged_files_are_compiled_again(places):
    announced(made(places))
    for path in (places / "cache").rglob("*.nb*"):
        path.write_bytes(path.read_bytes()[:10])
    assert len(announced(made(places))) == 1


def test_a_full_disk(places, monkeypatch):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", full)
    assert len(announced(made(places))) == 1


def test_no_place_to_keep_them(places, monkeypatch):
    """As of a package that is installed by somebody else, for a user without a home folder."""

    def refuse(self, *arguments):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    (said,) = announced(made(places))
    assert "at every start" in said and said.endswith("name one with NUMBA_CACHE_DIR")


def test_no_folder_called_tilde(places, monkeypatch):
    """Numba would make one in the current folder where the user's home is not known."""
    monkeypatch.chdir(places)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(os, "access", lambda path, how: False)
    monkeypatch.setattr(caching.InTreeCacheLocator, "ensure_cache_path", lambda self: {}[self])
    assert len(announced(made(places))) == 1 and not (places / "~").exists()


def test_a_user_without_a_home(monkeypatch, capsys):
    """Nothing is cached, and that is said; what needs the cache says what to set."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    platformdirs = pytest.importorskip("platformdirs")

    def unknown(name):
        raise RuntimeError("could not determine the home directory")

    for user_cache_path in (unknown, lambda name: Path("~/.cache") / name):
        monkeypatch.setattr(platformdirs, "user_cache_path", user_cache_path)
        with pytest.raises(FileNotFoundError, match="set HOME"):
            resources.cache_folder()
    assert cache.cached("key", ["a"], lambda: {"a": 1}) == {"a": 1}
    assert "no home folder for a cache: set HOME or XDG_CACHE_HOME" in capsys.readouterr().err
