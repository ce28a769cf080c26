"""Which tests run, in how many processes, and the fixtures that every test may ask for."""

from __future__ import annotations

import importlib.util
import os
import re
import zlib
from pathlib import Path

# Before NumPy is loaded, and for every process that tests start: on small matrices, beside other threads, the threads
# of OpenBLAS wait for each other many times longer than they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

from minialex import backends, random, threads

# ------------------------------------------------------------------------------ which tests run, in how many processes

# Markers whose tests run only on request, and how they are requested.
ON_REQUEST = {"heavy": "python -m pytest --heavy", "coursework": "python -m pytest -m coursework -n 2"}
COMPARED = "torch"  # the fixture; without the package, skipping four thousand tests one by one would take half a minute
LEFT_OUT = pytest.StashKey[dict]()  # marker -> number of tests left out
PHASES = {}  # test -> whether each of its phases, set-up, call and tear-down, passed


def pytest_addoption(parser):
    parser.addoption("--heavy", action="store_true", help="run the tests marked heavy as well")
    parser.addoption("--record-passed", metavar="FILE", help="write the names of the tests that pass, a line each")
    parser.addoption("--leave-out-passed", metavar="FILE", help="leave out the tests that such a file names")


def requested(config):
    """The markers of ON_REQUEST that --heavy or -m asks for."""
    markers = {marker for marker in ON_REQUEST if re.search(rf"\b{marker}\b", config.option.markexpr or "")}
    return markers | ({"heavy"} if config.option.heavy else set())


def is_named(item):
    """Whether the command line names this test itself, `file.py::test`, not just its file."""
    names = [argument.partition("::")[2] for argument in item.config.args if "::" in argument]
    return any(item.nodeid.partition("::")[2].startswith(name) for name in names)


@pytest.hookimpl(trylast=True)  # after -k and -m, so that only tests that would have run are counted
def pytest_collection_modifyitems(config, items):
    """Leave out the tests that run on request only; pytest_terminal_summary says how many."""
    left_out, kept, deselected = dict.fromkeys((*ON_REQUEST, COMPARED), 0), [], []
    without_torch = importlib.util.find_spec("torch") is None
    passed = config.option.leave_out_passed
    names = set(Path(passed).read_text(encoding="utf-8").splitlines()) if passed else ()
    for item in items:
        markers = [marker for marker in ON_REQUEST if item.get_closest_marker(marker)]
        if item.nodeid in names:
            deselected.append(item)
        elif without_torch and COMPARED in item.fixturenames and not is_named(item):
            left_out[COMPARED] += 1
            deselected.append(item)
        elif not markers or requested(config).intersection(markers) or is_named(item):
            kept.append(item)
        else:
            left_out[markers[0]] += 1
            deselected.append(item)
    items[:] = kept
    config.stash[LEFT_OUT] = left_out
    if deselected:
        config.hook.pytest_deselected(items=deselected)


def pytest_configure(config):
    os.environ.pop("PYTEST_ADDOPTS", None)  # is for this run, not for those that tests start


def pytest_runtest_logreport(report):
    """Called for each phase of a test, and by pytest-xdist in the first process for those of all others."""
    PHASES.setdefault(report.nodeid, []).append(report.passed)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # a process of pytest-xdist: only the first one has a terminal
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, {})
    elif session.config.option.record_passed:
        passed = [name for name, phases in PHASES.items() if all(phases)]
        Path(session.config.option.record_passed).write_text("\n".join(passed), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[LEFT_OUT] = left_out  # every process has collected, and left out, the same tests


def pytest_terminal_summary(terminalreporter, config):
    for marker, count in config.stash.get(LEFT_OUT, {}).items():
        if count:
            what = "comparing with torch" if marker == COMPARED else f"marked {marker}"
            how = ON_REQUEST.get(marker, "pip install torch==2.13.0")
            terminalreporter.write_line(f"LEFT OUT {count} tests {what}: {how} runs them")


def is_whole(option):
    """Whether nothing on the command line chooses tests or wants to see them as they run."""
    choices = "keyword", "markexpr", "lf", "stepwise", "collectonly", "usepdb", "trace", "setupplan", "setuponly"
    return not any(getattr(option, name, None) for name in choices) and option.capture != "no"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads these options
def pytest_cmdline_main(config):
    """Run the whole suite in a process per core, at most eight; a file, a selection or a debugger in this process.

    -n overrides. Processes take tests from each other, and otherwise run neighbours: files share compiled kernels.
    """
    option = config.option
    if hasattr(config, "workerinput") or not hasattr(option, "numprocesses"):
        return
    if option.numprocesses is None and config.args_source is config.ArgsSource.TESTPATHS and is_whole(option):
        option.numprocesses = min(8, threads.default_count())
    if option.numprocesses and option.dist == "no":
        option.dist = "worksteal"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Skip a file of tests that needs a library which is not installed, as where there is NumPy and CuPy alone."""
    report = yield
    libraries = "PIL|matplotlib|numba|threadpoolctl"
    missing = re.search(rf"No module named '({libraries})\b", str(report.longrepr)) if report.failed else None
    if missing:
        report.outcome = "skipped"
        report.longrepr = str(collector.path), 0, f"Skipped: {missing[1]} is not installed"
    return report


# ------------------------------------------------------------------------------ fixtures


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


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The folder of a run of three epochs, TINY of tiny_runs.py at seed 5, that nothing interrupted."""
    from tiny_runs import TINY, run

    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run(*TINY, "--epochs", 3, "--seed", 5, "--out", folder) == 0
    return folder


@pytest.fixture
def quick_figures(monkeypatch):
    """The figures of runs take no time: files without a picture. Drawing takes longer than a tiny run."""
    from tiny_runs import without_figures

    without_figures(monkeypatch)
