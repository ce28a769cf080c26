"""Small enough to read in a weekend: the reading path as README names it, and how long code and README may be."""

import ast
from pathlib import Path

import reading_path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minialex"
PATH = [  # in the order in which README recommends to read it
    "tape.py",
    "tensor.py",
    "functional/arithmetic.py",
    "functional/shaping.py",
    "functional/reduction.py",
    "random.py",
    "functional/activation.py",
    "functional/loss.py",
    "window.py",
    "functional/convolution.py",
    "functional/pooling.py",
    "functional/normalization.py",
    "backends/numpy_backend.py",
    "nn/module.py",
    "nn/layers.py",
    "optim/optimizers.py",
]
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


def test_the_core_stays_under_2200_lines():
    assert sum(lines_of_code((PACKAGE / file).read_text()) for file in PATH) < 2200


def test_the_readme_names_the_path_with_its_lines():
    text = reading_path.README.read_text(encoding="utf-8")
    assert reading_path.files(text) == PATH
    assert text == reading_path.updated(text), "update README's line counts: python tests/helpers/reading_path.py"


def test_outdated_line_counts_are_put_right():
    row = "| 1 | autograd | [`tape.py`](minialex/tape.py) 1, [`tensor.py`](minialex/tensor.py) 22,222 | 3 |\n"
    tape, tensor = reading_path.lines("tape.py"), reading_path.lines("tensor.py")
    expected = (
        f"| 1 | autograd | [`tape.py`](minialex/tape.py) {tape}, [`tensor.py`](minialex/tensor.py) {tensor} | {{}} |"
    )
    assert reading_path.updated(row) == expected.format(tape + tensor) + "\n"
    assert reading_path.updated(f"These 7 lines are\n{row}").startswith(f"These {tape + tensor:,} lines are\n")


def test_the_readme_has_at_most_200_lines():
    assert len(reading_path.README.read_text(encoding="utf-8").splitlines()) <= 200
