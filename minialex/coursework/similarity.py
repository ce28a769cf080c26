"""How alike two solutions are, whatever their names, comments and layout.

The body of a function becomes a row of tokens in which every name is "n" and every number "0"; docstrings and comments
are gone. Its 5-grams, each as often as it occurs, are compared:

    similarity = |a and b| / |a or b|      from 0 to 1

Short functions are alike by nature: only those of at least LEAST 5-grams count. A high figure is a reason to look, not
a proof.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections import Counter
from pathlib import Path

from . import emptied, tree

LENGTH, LEAST = 5, 100
_TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|\d[\w.]*|\s+|.", re.S)
_KEPT = {*keyword.kwlist, "__syncthreads", "__shared__", "float", "double", "int"}


def grams(text):
    """The 5-grams of a piece of Python (as ast.unparse writes it) or CUDA C++."""
    tokens = [_normal(token) for token in _TOKEN.findall(text) if token.strip() and not token.startswith(("//", "/*"))]
    return Counter(zip(*(tokens[i:] for i in range(LENGTH))))


def _normal(token):
    if token[0].isalpha() or token[0] == "_":
        return token if token in _KEPT else "n"
    return "0" if token[0].isdigit() else "s" if token[0] in "\"'" else token


def similarity(a, b):
    """Of two Counters of 5-grams; 0 where one has too few to say."""
    if min(a.total(), b.total()) < LEAST:
        return 0.0
    return (a & b).total() / (a | b).total()


def functions(assignment, folder=None):
    """{name of a target: its 5-grams} in a student's folder, or in the library. What does not parse is left out."""
    found = {}
    for target in assignment.targets:
        path = Path(folder) / target.student_file if folder else tree.source_of(target.file)
        for name in target.names:
            try:
                source = path.read_text(encoding="utf-8")
                found[name] = grams(_cuda(source, name) if target.is_kernel else _python(source, name))
            except (OSError, ValueError, SyntaxError):
                continue
    return found


def _python(source, name):
    body = emptied.definition(ast.parse(source), name).body
    return "\n".join(ast.unparse(node) for node in body if not _is_text(node))


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _cuda(source, name):
    opening, closing = emptied.kernel_body(source, name)
    return source[opening + 1 : closing]


def most_alike(mine, others):
    """(similarity, whose, function) of the most similar function in `others`, {whose: functions}; (0, "", "") if none.

    A solution is its functions as `functions` gives them.
    """
    both = [(f, whose) for whose, theirs in others.items() for f in mine if f in theirs]
    pairs = [(similarity(mine[f], others[whose][f]), whose, f) for f, whose in both]
    return max(pairs, default=(0.0, "", ""))
