"""The registry of backends."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from minialex import Tensor, backends, cli, train


@pytest.fixture
def without_numba(monkeypatch):
    """As if numba, or the NumPy that it needs, were not installed."""
    monkeypatch.setitem(sys.modules, "numba", None)
    for name in [name for name in sys.modules if name.startswith("minialex.backends.")]:
        package, _, last = name.rpartition(".")
        if package == "minialex.backends":  # importing it again changes the package's attribute, too
            monkeypatch.setattr(backends, last, sys.modules[name])
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(backends, "_made", {})


def test_auto_is_the_fast_cpu():
    assert backends.fastest() == "numba" == backends.get_backend("auto").name
    assert Tensor([1.0], backend="auto").backend is backends.get_backend("numba")


def test_auto_without_numba_is_numpy(without_numba):
    assert backends.fastest() == "numpy" == backends.get_backend("auto").name


def test_a_backend_that_cannot_be_used_here(without_numba, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"the numba backend cannot be used here \(.*numba.*\); choose another"):
        backends.use_backend("numba")
    assert cli.run(train.main, ["--backend", "numba", "--limit", "10", "--out", str(tmp_path / "r")]) == 2
    assert capsys.readouterr().err.startswith("error: the numba backend cannot be used here")


def test_an_unknown_backend():
    with pytest.raises(ValueError, match="unknown backend 'tpu'; this version has numpy, numba"):
        backends.use_backend("tpu")


def test_a_mistake_of_our_own_is_not_told_as_something_missing(monkeypatch):
    """A backend whose module imports what is not there, or fails otherwise, is broken."""
    for module, raised in ((".no_such_module", ModuleNotFoundError), (".base", AttributeError)):
        monkeypatch.setitem(backends._CLASSES, "broken", (module, "NoSuchBackend"))
        with pytest.raises(raised, match="no_such_module|NoSuchBackend"):
            backends.get_backend("broken")


def test_a_broken_package_is_told_as_such(monkeypatch, tmp_path):
    (tmp_path / "numba.py").write_text("raise AttributeError('numpy has no attribute long\\nand more')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba")
    monkeypatch.setattr(backends, "_made", {})
    with pytest.raises(
        ValueError, match=r"no attribute long; compatible versions: pip install --upgrade numba numpy\)"
    ):
        backends.get_backend("numba")
    assert backends.fastest() == "numpy"


def test_threads_that_ask_at_once_get_the_same_backend(monkeypatch):
    monkeypatch.setattr(backends, "_made", {})
    started, made = threading.Barrier(4), []

    class Slow:
        def __init__(self):
            time.sleep(0.01)

    monkeypatch.setattr(backends.numpy_backend, "NumPyBackend", Slow)

    def ask():
        started.wait()
        made.append(backends.get_backend("numpy"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, made))) == 1 and len(made) == 4
