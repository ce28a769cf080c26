"""Skeletons: the library's source with the bodies of some functions removed.

Signatures, docstrings and all other code stay as they are, so no second copy of the library has to be maintained.
Comments within a function belong to its body.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize


def empty_python(source, messages):
    """Replace the bodies of Python functions by `raise NotImplementedError(message)`.

    source: of a file.
    messages: {function or method ("Class.method"): message of its error}.

    Returns the new source.
    Raises ValueError for a name that the source does not define, or defines twice.
    """
    lines = source.split("\n")  # as ast counts them: str.splitlines would also end a line at a form feed
    tree = ast.parse(source)
    functions = [(definition(tree, name), message) for name, message in messages.items()]
    for function, message in sorted(functions, key=lambda pair: -pair[0].lineno):  # the last first: lines keep numbers
        line, column = _signature_end(function, lines)
        rest = lines[line - 1][column:].lstrip()
        start = function.body[0]
        indent = " " * (start.col_offset if start.lineno > line else function.col_offset + 4)
        kept = [lines[line - 1] if rest.startswith("#") else lines[line - 1][:column]]
        if ast.get_docstring(function) is not None:
            kept += [*lines[line : start.lineno - 1], indent + ast.get_source_segment(source, start)]
        kept.append(f"{indent}raise NotImplementedError({json.dumps(message, ensure_ascii=False)})")
        lines[line - 1 : _end(function, lines)] = kept
    return "\n".join(lines)


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
    """(line, column) behind the colon that ends the signature: the first outside all brackets."""
    text = "\n".join(lines[function.lineno - 1 : function.body[0].end_lineno]) + "\n"
    depth = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == ":" and not depth:
                return function.lineno + token.end[0] - 1, token.end[1]
    raise AssertionError("a function has a colon")


def _end(function, lines):
    """The number of the function's last line, with the comments behind its last statement that belong to it."""
    last = function.end_lineno
    for number, line in enumerate(lines[last:], last + 1):
        text = line.lstrip()
        if not text:
            continue
        if not text.startswith("#") or len(line) - len(text) <= function.col_offset:
            break
        last = number
    return last


def empty_cuda(source, messages):
    """Replace the bodies of CUDA kernels by a comment.

    source: of a .cu file.
    messages: {`__global__` function: the comment}.

    Returns the new source.
    Raises ValueError for a name that the source does not define, or defines twice.
    """
    for name, message in messages.items():
        opening, closing = kernel_body(source, name)
        source = f"{source[: opening + 1]}\n    // {message}\n{source[closing:]}"
    return source


def kernel_body(source, name):
    """(index of the opening brace, of the closing brace) of the kernel `name` in `source`; ValueError unless unique."""
    code = _QUIET.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), source)
    found = [*re.finditer(rf"__global__\s+void\s+{re.escape(name)}\s*\(", code)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} kernels are called {name}")
    opening, depth = code.index("{", found[0].end()), 0
    for brace in re.compile("[{}]").finditer(code, opening):
        depth += 1 if brace.group() == "{" else -1
        if not depth:
            return opening, brace.start()
    raise ValueError("a brace is never closed")


# Comments and strings, whose braces and names are not the compiler's.
_QUIET = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
