"""The library's own source with some functions emptied: what a student begins with.

Signature, docstring and all the code around stay as they are; nothing in the library marks what an assignment asks
for, and nothing is kept twice.
"""

from __future__ import annotations

import ast
import re


def empty_python(source, names, message):
    """`source` with the bodies of functions and methods ("Class.method") replaced by NotImplementedError(message).

    ValueError for a name that the source does not define, or defines twice.
    """
    lines = source.splitlines(keepends=True)
    functions = [definition(ast.parse(source), name) for name in names]
    for function in sorted(functions, key=lambda node: -node.lineno):  # from below, so that lines above keep numbers
        has_docstring = ast.get_docstring(function) is not None
        kept = function.body[0].end_lineno if has_docstring else _signature_end(function, lines)
        indent = " " * function.body[0].col_offset
        lines[kept : function.end_lineno] = [f"{indent}raise NotImplementedError({message!r})\n"]
    return "".join(lines)


def definition(tree, name):
    """The node that defines "f" or "Class.f" in a parsed file; ValueError unless there is exactly one."""
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
    """The number of the line that ends the signature: the last one before the body that holds more than a comment."""
    number = function.body[0].lineno - 1
    while not lines[number - 1].split("#")[0].rstrip().endswith(":"):
        number -= 1
    return number


def empty_cuda(source, names, message):
    """The same for `__global__` functions of CUDA C++: their bodies become a comment, their signatures stay."""
    for name in names:
        opening, closing = kernel_body(source, name)
        source = f"{source[: opening + 1]}\n    // {message}\n{source[closing:]}"
    return source


def kernel_body(source, name):
    """Where the braces around a kernel's body stand; ValueError unless there is exactly one of that name."""
    found = [*re.finditer(rf"__global__\s+void\s+{re.escape(name)}\s*\(", source)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} kernels are called {name}")
    opening = source.index("{", found[0].end())
    return opening, _closing(source, opening)


def _closing(source, opening):
    """Where the brace at `opening` is closed; braces in comments and texts do not count."""
    depth = 0
    for token in re.finditer(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|[{}]', source[opening:], re.S):
        depth += {"{": 1, "}": -1}.get(token.group(), 0)
        if depth == 0:
            return opening + token.start()
    raise ValueError("a brace is never closed")
