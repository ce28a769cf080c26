"""Skeletons: the library's source with the bodies of some functions removed.

Signatures, docstrings and all other code stay as they are, so no second copy of the library has to be maintained.
"""

from __future__ import annotations

import ast
import re


def empty_python(source, names, message):
    """Replace the bodies of Python functions by `raise NotImplementedError(message)`.

    source: of a file.
    names: functions and methods ("Class.method").
    message: of the error.

    Returns the new source.
    Raises ValueError for a name that the source does not define, or defines twice.
    """
    lines = source.splitlines(keepends=True)
    tree = ast.parse(source)
    functions = [definition(tree, name) for name in names]
    for function in sorted(
        functions, key=lambda node: -node.lineno
    ):  # from the end, so that earlier line numbers stay valid
        has_docstring = ast.get_docstring(function) is not None
        kept = function.body[0].end_lineno if has_docstring else _signature_end(function, lines)
        indent = " " * function.body[0].col_offset
        lines[kept : function.end_lineno] = [f"{indent}raise NotImplementedError({message!r})\n"]
    return "".join(lines)


def definition(tree, name):
    """The node of the parsed file `tree` that defines `name`, "f" or "Class.f"; ValueError unless it is unique."""
    *classes, last = name.split(".")
    body = tree.body
    for wanted in classes:
        owners = [node for node in body if isinstance(node, ast.ClassDef) and node.name == wanted]
        if len(owners) != 1:
            raise ValueError(f"{name}: {len(owners)} classes are called {wanted}")
        body = owners[0].body
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == last]
    if len(found) != 1:
        raise ValueError(f"{len(found)} functions are called {name}")
    return found[0]


def _signature_end(function, lines):
    """The number of the line that ends the signature: the last before the body that is not just a comment."""
    number = function.body[0].lineno - 1
    while not lines[number - 1].split("#")[0].rstrip().endswith(":"):
        number -= 1
    return number


def empty_cuda(source, names, message):
    """Replace the bodies of CUDA kernels by a comment.

    source: of a .cu file.
    names: of its `__global__` functions.
    message: the comment.

    Returns the new source.
    Raises ValueError for a name that the source does not define, or defines twice.
    """
    for name in names:
        opening, closing = kernel_body(source, name)
        source = f"{source[: opening + 1]}\n    // {message}\n{source[closing:]}"
    return source


def kernel_body(source, name):
    """(index of the opening brace, of the closing brace) of the kernel `name` in `source`; ValueError unless unique."""
    found = [*re.finditer(rf"__global__\s+void\s+{re.escape(name)}\s*\(", source)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} kernels are called {name}")
    opening = source.index("{", found[0].end())
    return opening, _closing(source, opening)


def _closing(source, opening):
    """The index of the brace that closes the one at `opening`; braces in comments and strings do not count."""
    depth = 0
    for token in re.finditer(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[{}]', source[opening:], re.S):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return opening + token.start()
    raise ValueError("a brace is never closed")
