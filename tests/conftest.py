"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

# Before NumPy is loaded, and for every process that tests start: on small matrices, beside other threads, the threads
# of OpenBLAS wait for each other many times longer than they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

from minialex import backends, random


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file of tests that needs a library which is not installed, as where there is NumPy and CuPy alone."""
    report = yield
    libraries = "PIL|matplotlib|numba|threadpoolctl|tqdm"
    missing = re.search(rf"No module named '({libraries})\b", str(report.longrepr)) if report.failed else None
    if missing:
        report.outcome = "skipped"
        report.longrepr = str(collector.path), 0, f"Skipped: {missing[1]} is not installed"
    return report


@pytest.fixture(autouse=True)
def fresh_defaults():
    """Every test starts at the same place, and leaves it so for the fixtures that several share: seed 0, NumPy."""
    random.manual_seed(0)
    backends.use_backend("numpy")
    yield
    backends.use_backend("numpy")


@pytest.fixture
def rng(request):
    """A NumPy generator of the test's own: other tests, and their order, do not change what it draws."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture
def torch():
    """The torch module, at seed 0."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    return torch


@pytest.fixture(scope="session")
def data_dir():
    """The folder of real data that MINIALEX_DATA names, which holds cifar-10-batches-bin/."""
    if not os.environ.get("MINIALEX_DATA"):
        pytest.skip("MINIALEX_DATA does not name a folder with real data")
    folder = Path(os.environ["MINIALEX_DATA"])
    assert folder.is_dir(), f"MINIALEX_DATA names {folder}, which is no folder"
    return folder
