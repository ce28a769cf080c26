"""Small enough to read in a weekend: the budgets of the design, counted."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minialex"
CORE = ("tape.py", "tensor.py", "window.py", "functional/*.py", "nn/*.py", "optim.py", "schedules.py",
        "backends/numpy_backend.py")
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef


def lines_of_code(text):
    """Lines that are neither blank nor a comment nor of a docstring."""
    documentation = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            documentation |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and line.strip()[0] != "#" and n not in documentation for n, line in lines)


def test_counting():
    text = '"""One\ntwo."""\n\n# three\nx = 1  # four\ndef f():\n    """Five."""\n    return """six\n    seven"""\n'
    assert lines_of_code(text) == 4


def test_the_core_stays_under_two_thousand_lines():
    files = [file for pattern in CORE for file in PACKAGE.glob(pattern)]
    assert len(files) > 15
    assert sum(lines_of_code(f.read_text()) for f in files) < 2000


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_outgrows_its_idea(path):
    assert len(path.read_text().splitlines()) <= 400
