"""Small enough to read in a weekend: what the README names as the reading path, and how long it may be."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minialex"
PATH = [
    "tape.py",
    "tensor.py",
    "window.py",
    "random.py",
    "functional/arithmetic.py",
    "functional/shaping.py",
    "functional/reduction.py",
    "functional/activation.py",
    "functional/convolution.py",
    "functional/pooling.py",
    "functional/normalization.py",
    "functional/loss.py",
    "nn/module.py",
    "nn/layers.py",
    "optim/optimizers.py",
    "backends/numpy_backend.py",
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
