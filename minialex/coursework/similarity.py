"""Similarity of solutions, independent of names, comments and layout.

The body of a function becomes a sequence of tokens in which every name is "n" and every number "0", without docstrings
and comments. The multisets of their 5-grams are compared by the Jaccard index:

    similarity = |a and b| / |a or b|      from 0 to 1

Short functions are similar by nature: only those of at least LEAST 5-grams count. A high value is a reason to look, not
a proof. Sources are only read, in a process of their own when submissions are compared (see worker.py).
"""

from __future__ import annotations

import ast
import keyword
import re
import zlib
from collections import Counter
from pathlib import Path

from . import emptied, tree

LENGTH, LEAST = 5, 100
MOST = 100_000  # tokens of a function that is compared
_TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[A-Za-z_]\w*|\d[\w.]*|\s+|.", re.S)
_KEPT = {*keyword.kwlist, "__syncthreads", "__shared__", "float", "double", "int"}


def grams(text):
    """A Counter of the 5-grams, as checksums, of a text in Python (as ast.unparse writes it) or CUDA C++."""
    tokens = []
    for found in _TOKEN.finditer(text):
        if found[0].strip() and not found[0].startswith(("//", "/*")):
            tokens.append(_normal(found[0]))
            if len(tokens) > MOST:
                raise ValueError("too long to be compared")
    return Counter(zlib.crc32("\0".join(gram).encode()) for gram in zip(*(tokens[i:] for i in range(LENGTH))))


def _normal(token):
    if token[0].isalpha() or token[0] == "_":
        return token if token in _KEPT else "n"
    return "0" if token[0].isdigit() else "s" if token[0] in "\"'" else token


def similarity(a, b):
    """The similarity of two Counters of 5-grams, a and b, from 0 to 1; 0 if either has fewer than LEAST."""
    if min(a.total(), b.total()) < LEAST:
        return 0.0
    return (a & b).total() / (a | b).total()


def functions(assignment, folder=None):
    """The 5-grams of all functions of an assignment.

    assignment: an Assignment.
    folder: a student's; the library itself if None.

    Returns {name: Counter}, without functions that do not parse, or are nested too deeply.
    """
    found = {}
    for target in assignment.targets:
        path = Path(folder) / target.student_file if folder else tree.source_of(target.file)
        for name in target.names:
            try:
                source = path.read_bytes().decode("utf-8-sig", "replace")  # Python ignores what a comment contains, too
                found[name] = grams(_cuda(source, name) if target.is_kernel else _python(source, name))
            except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
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
    """The most similar function of other solutions.

    mine: what `functions` returns.
    others: {owner: what `functions` returns}.

    Returns (similarity, owner, function), (0.0, "", "") without any.
    """
    both = [(f, whose) for whose, theirs in others.items() for f in mine if f in theirs]
    pairs = [(similarity(mine[f], others[whose][f]), whose, f) for f, whose in both]
    return max(pairs, default=(0.0, "", ""))
