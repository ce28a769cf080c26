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
# The oracle must not depend on the processor: with AVX-512, torch 2.13's gradient of ELU at NaN is 1, elsewhere NaN.
os.environ.setdefault("ATEN_CPU_CAPABILITY", "default")

import numpy as np
import pytest
from left_out import whole_file

from minialex import backends, random, threads

# ------------------------------------------------------------------------------ which tests run, in how many processes

# Which tests are left out, unless they are asked for or what they need is installed: what they are, and what runs them.
REASONS = {
    "heavy": ("marked heavy", "python -m pytest --heavy"),
    "coursework": ("marked coursework", "python -m pytest -m coursework -n 2"),
    "torch": ("comparing with torch", "pip install torch==2.13.0"),  # the fixture; the others are markers
    "gpu": ("for a GPU", "CuPy on a machine with one (pip install 'minialex[cuda13]')"),
}
# Skipping thousands of tests one by one would take half a minute.
MISSING = {name for name, package in {"torch": "torch", "gpu": "cupy"}.items() if not importlib.util.find_spec(package)}
FILES = pytest.StashKey[dict]()  # file that is left out before it is imported -> reason of all its tests
LEFT_OUT = pytest.StashKey[dict]()  # reason -> numbers of tests and of files left out
PHASES = {}  # test -> whether each of its phases, set-up, call and tear-down, passed


def pytest_addoption(parser):
    parser.addoption("--heavy", action="store_true", help="run the tests marked heavy as well")
    parser.addoption("--record-passed", metavar="FILE", help="write the names of the tests that pass, a line each")
    parser.addoption("--leave-out-passed", metavar="FILE", help="leave out the tests that such a file names")


def pytest_configure(config):
    os.environ.pop("PYTEST_ADDOPTS", None)  # is for this run, not for those that tests start
    if (
        not config.option.heavy
    ):  # a first run has the emulator's kernels in half the time; all of it, as users have them
        os.environ.setdefault("CXXFLAGS", "-O0 -g0")


def reasons(config):
    """The keys of REASONS that hold in this run."""
    asked = {name for name in REASONS if re.search(rf"\b{name}\b", config.option.markexpr or "")}
    return ({"heavy", "coursework"} | MISSING) - asked - ({"heavy"} if config.option.heavy else set())


def is_worker(config):
    """Whether this is one of several processes that pytest-xdist has started."""
    return hasattr(config, "workeroutput")


def goes_backwards(config):
    """Whether this is every second one of them."""
    return is_worker(config) and int(config.workerinput["workerid"].removeprefix("gw")) % 2 == 1


def is_named(item):
    """Whether the command line names this test itself, `file.py::test`, not just its file."""
    names = [argument.partition("::")[2] for argument in item.config.args if "::" in argument]
    return any(item.nodeid.partition("::")[2].startswith(name) for name in names)


def pytest_ignore_collect(collection_path, config):
    """Leave out a file without importing it where every test in it would be left out one by one.

    A file that the command line names is not asked about; with -k or -m, tests are chosen one by one.
    """
    is_tests = collection_path.match("test_*.py") and collection_path.is_file()
    if not is_tests or config.option.keyword or config.option.markexpr:
        return None
    text, names = collection_path.read_text(encoding="utf-8"), reasons(config)
    reason = whole_file(text, names - {"torch"}, "torch" if "torch" in names else None)
    if reason:
        config.stash.setdefault(FILES, {})[collection_path] = reason
    return True if reason else None


def files_left_out(config):
    """The reasons of the files left out as a whole, one for each in a folder that the command line names."""
    folders = {(config.invocation_params.dir / argument).resolve() for argument in config.args}
    files = config.stash.get(FILES, {})  # pytest asks about the neighbours of a file that it was given as well
    return [reason for path, reason in files.items() if folders.intersection(path.resolve().parents)]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config, items):
    """Leave out the tests that run on request only; pytest_terminal_summary says how many."""
    if is_worker(config):
        items.sort(key=lambda item: item.path)  # every process must name the same tests in the same order
    yield  # to -k and -m, so that only tests that would have run are counted
    whole, names = files_left_out(config), reasons(config)
    left_out = {reason: [0, whole.count(reason)] for reason in REASONS}
    kept, deselected, passed = [], [], config.option.leave_out_passed
    passed = set(Path(passed).read_text(encoding="utf-8").splitlines()) if passed else ()
    for item in items:
        marks = {mark.name for mark in item.iter_markers()} | ({"torch"} & set(item.fixturenames))
        reason = next((name for name in REASONS if name in marks & names), None)
        if item.nodeid in passed:
            deselected.append(item)
        elif reason is None or is_named(item):
            kept.append(item)
        else:
            left_out[reason][0] += 1
            deselected.append(item)
    items[:] = kept
    config.stash[LEFT_OUT] = left_out
    if deselected:
        config.hook.pytest_deselected(items=deselected)


def pytest_runtest_logreport(report):
    """Called for each phase of a test, and by pytest-xdist in the first process for those of all others."""
    PHASES.setdefault(report.nodeid, []).append(report.passed)


def pytest_sessionfinish(session):
    if is_worker(session.config):  # only the first process has a terminal
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, {})
    elif session.config.option.record_passed:
        passed = [name for name, phases in PHASES.items() if all(phases)]
        Path(session.config.option.record_passed).write_text("\n".join(passed), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[LEFT_OUT] = left_out  # every process has collected, and left out, the same tests


def pytest_terminal_summary(terminalreporter, config):
    for reason, (tests, files) in config.stash.get(LEFT_OUT, {}).items():
        if tests or files:
            counts = [f"{tests} tests"] * bool(tests) + [f"{files} files of tests"] * bool(files)
            what, how = REASONS[reason]
            terminalreporter.write_line(f"LEFT OUT {' and '.join(counts)} {what}: {how} runs them")


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
    if is_worker(config) or not hasattr(option, "numprocesses"):
        return
    if option.numprocesses is None and config.args_source is config.ArgsSource.TESTPATHS and is_whole(option):
        option.numprocesses = min(8, threads.default_count())
    if option.numprocesses and option.dist == "no":
        option.dist = "worksteal"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Two changes to what a folder or a file of tests gives.

    Every second process goes through the folders backwards: pytest rewrites the asserts of a file once and stores the
    bytecode, so that each process rewrites half of the files; pytest_collection_modifyitems restores the order.
    A file that needs a library which is not installed is skipped, as where there is NumPy and CuPy alone.
    """
    report = yield
    if isinstance(collector, pytest.Directory) and report.passed and goes_backwards(collector.config):
        report.result.reverse()
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
