"""Files of tests that a run leaves out before they are imported: which, that they are counted, and how they run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from left_out import whole_file

TESTS = Path(__file__).parent
MARKERS = {"heavy", "coursework", "gpu"}

LEFT_OUT = {
    "a mark of the module": ("pytestmark = pytest.mark.heavy\ndef test_a(): pass", "heavy"),
    "a mark under its own name": ("from on_request import heavy\npytestmark = heavy\ndef test_a(): pass", "heavy"),
    "one of several": (
        "pytestmark = [pytest.mark.filterwarnings('error'), pytest.mark.coursework]\ndef test_a(): pass",
        "coursework",
    ),
    "marks of the functions": (
        "@pytest.mark.heavy\n@pytest.mark.parametrize('x', [1])\ndef test_a(x): pass\n"
        "@heavy\ndef test_b(rng): pass\ndef helper(): pass",
        "heavy",
    ),
    "with local names": ("@heavy\ndef test_a():\n    for test in []: pass\n    def test_b(): pass", "heavy"),
    "of a class": ("@heavy\nclass TestA:\n    def test_a(self): pass\n    def helper(self): pass", "heavy"),
    "within a class": ("class TestA:\n    pytestmark = heavy\n    def test_a(self): pass", "heavy"),
    "of its methods": ("class TestA:\n    @heavy\n    def test_a(self): pass", "heavy"),
    "the fixture": ("def test_a(torch): pass\ndef test_b(rng, torch): pass", "torch"),
    "a fixture that takes it": (
        "@pytest.fixture\ndef compare(oracle): pass\n@pytest.fixture(scope='module')\ndef oracle(torch): pass\n"
        "def test_a(compare): pass",
        "torch",
    ),
    "the package": ("pytest.importorskip('torch', reason='none')\ndef test_a(): pass", "torch"),
    "the package, kept": ("torch = pytest.importorskip('torch')\ndef test_a(): pass", "torch"),
}
COLLECTED = {
    "no tests": "pytestmark = pytest.mark.heavy",
    "no marks": "def test_a(rng): pass",
    "another mark": "pytestmark = pytest.mark.usefixtures('heavy')\ndef test_a(): pass",
    "a light test": "@pytest.mark.heavy\ndef test_a(): pass\ndef test_b(): pass",
    "a light test in a class": "@heavy\ndef test_a(): pass\nclass TestB:\n    def test_b(self): pass",
    "a mark of one parameter": (
        "@pytest.mark.parametrize('x', [1, pytest.param(2, marks=pytest.mark.heavy)])\ndef test_a(x): pass"
    ),
    "a mark of a class alone": "class TestA:\n    pytestmark = heavy\n    def test_a(self): pass\ndef test_b(): pass",
    "two reasons": "@heavy\ndef test_a(): pass\ndef test_b(torch): pass",
    "a fixture without it": "@pytest.fixture\ndef compare(rng): pass\ndef test_a(compare): pass",
    "a test under a condition": "@heavy\ndef test_a(): pass\nif True:\n    def test_b(): pass",
    "a test by assignment": "@heavy\ndef test_a(): pass\ntest_b = make()",
    "a test of another file": "from test_more import test_b\n@heavy\ndef test_a(): pass",
    "whatever another file has": "from more import *\n@heavy\ndef test_a(): pass",
    "a class that inherits": "@heavy\ndef test_a(): pass\nclass TestB(Base): pass",
    "another package": "pytest.importorskip('onnx')\ndef test_a(): pass",
    "a package within a test": "def test_a():\n    pytest.importorskip('torch')",
    "no Python": "pytestmark = pytest.mark.heavy\ndef test_a(:",
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_a_file_is_left_out_where_all_its_tests_are(case):
    text, reason = LEFT_OUT[case]
    assert whole_file(text, MARKERS, "torch") == reason
    assert whole_file(text, MARKERS - {reason}, None if reason == "torch" else "torch") is None


@pytest.mark.parametrize("case", COLLECTED)
def test_any_other_file_is_collected(case):
    assert whole_file(COLLECTED[case], MARKERS, "torch") is None


@pytest.fixture
def run(tmp_path_factory):
    """A function of a folder and arguments -> (exit status, output) of pytest, as without torch and CuPy."""
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text("import sys\n\nsys.modules['torch'] = sys.modules['cupy'] = None\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))

    def function(folder, *arguments):
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=120)
        return done.returncode, done.stdout + done.stderr

    return function


@pytest.mark.heavy
def test_pytest_would_have_left_out_every_test_of_these_files(run):
    files = {path: whole_file(path.read_text(encoding="utf-8"), MARKERS, "torch") for path in TESTS.rglob("test_*.py")}
    chosen = [path for path, reason in files.items() if reason]
    assert {files[path] for path in chosen} == {*MARKERS, "torch"}
    status, output = run(TESTS.parent, "--collect-only", "-q", *chosen)
    assert status == pytest.ExitCode.NO_TESTS_COLLECTED, output
    assert "error" not in output and "deselected" in output


FILES = {
    "test_light": "def test_a(): pass\n@pytest.mark.heavy\ndef test_b(): pass",
    "test_heavy": "pytestmark = pytest.mark.heavy\n@pytest.mark.parametrize('x', range(3))\ndef test_carried(x): pass",
    "more/test_course": "@pytest.mark.coursework\ndef test_d(): pass",
    "more/test_torch": "def test_e(torch): pass",
    "more/test_gpu": "pytestmark = pytest.mark.gpu\ndef test_h(): pass",
    "more/test_more": "def test_f(): pass\n@pytest.mark.gpu\ndef test_i(): pass",
    "test_z": "def test_g(): pass",
}


@pytest.fixture
def project(tmp_path):
    """A folder with tests of every kind, under this conftest.py; a file that is imported notes that."""
    tests = tmp_path / "tests"
    (tests / "more").mkdir(parents=True)
    for name, text in FILES.items():
        noting = "import pytest\nfrom pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n"
        (tests / f"{name}.py").write_text(noting + text)
    (tests / "conftest.py").write_text((TESTS / "conftest.py").read_text(encoding="utf-8"), encoding="utf-8")
    paths = f"{TESTS.parent} {TESTS / 'helpers'}"
    markers = "heavy\n coursework\n gpu"
    ini = f"addopts = --import-mode=importlib\ntestpaths = tests\npythonpath = {paths}\nmarkers = {markers}\n"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\n{ini}")
    return tmp_path


EVERYWHERE = [
    "1 tests and 1 files of tests marked heavy", "1 files of tests marked coursework",
    "1 files of tests comparing with torch", "1 tests and 1 files of tests for a GPU",
]  # fmt: skip
ALL = " ".join(FILES)
RUNS = {  # arguments -> files imported, number of tests that passed, what the last lines count
    "-n 0": ("test_light more/test_more test_z", 3, EVERYWHERE),
    "-n 2": ("test_light more/test_more test_z", 3, EVERYWHERE),
    "tests/more": ("more/test_more", 1, EVERYWHERE[1:]),
    "--heavy -n 0": ("test_light test_heavy more/test_more test_z", 7, EVERYWHERE[1:]),
    "-m coursework": (ALL, 1, []),
    "-m gpu": (ALL, 2, []),
    "-k carried": (ALL, 0, ["3 tests marked heavy"]),
    "tests/test_heavy.py": ("test_heavy", 0, ["3 tests marked heavy"]),
    "tests/test_heavy.py::test_carried": ("test_heavy", 3, []),
    "tests/more/test_course.py::test_d tests/test_z.py": ("more/test_course test_z", 2, []),
}


@pytest.mark.heavy
@pytest.mark.parametrize("arguments", RUNS)
def test_what_is_left_out_is_not_imported_but_counted(project, run, arguments):
    imported, passed, counted = RUNS[arguments]
    _, output = run(project, "-q", *arguments.split())
    tests = project / "tests"
    assert {str(path.relative_to(tests).with_suffix("")) for path in tests.rglob("*.imported")} == {*imported.split()}
    assert f"{passed} passed" in output if passed else "passed" not in output
    lines = [line.partition(": ")[0].removeprefix("LEFT OUT ") for line in output.splitlines() if "LEFT OUT" in line]
    assert lines == counted, output
