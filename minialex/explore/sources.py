"""Lines of source beside the steps of a trace: the user's own, and the functions of minialex that they call."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import textwrap
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..support.text import printable

PACKAGE = str(Path(__file__).parents[1]) + os.sep
AROUND = 4  # lines of the user's that are shown above and below each that is lit
LINES = 120  # of one file that are shown
LONGEST = 200  # characters of a line


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of minialex."""
    return frame.f_code.co_filename.startswith(PACKAGE)


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of code that is not minialex's.

    frame: where to begin.
    """
    while frame is not None and is_ours(frame):
        frame = frame.f_back
    return frame


@cache
def _parsed(code: CodeType) -> tuple[list[str], Any] | None:
    """(the lines of a function, the statement that defines it, numbered from 1); None where there is no source."""
    try:
        lines = inspect.getsourcelines(code)[0]
        tree: Any = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    return (lines, tree.body[0]) if isinstance(tree.body[0], ast.FunctionDef) else None


def function(code: CodeType) -> dict[str, Any] | None:
    """A function of minialex as data: {file, lines: [[number, text], ...]}, without its docstring; None if unknown.

    code: of the function.
    """
    found = _parsed(code)
    if found is None:
        return None
    lines, definition = found
    first = definition.body[0]
    has_docstring = ast.get_docstring(definition) is not None and len(definition.body) > 1
    hidden = range(first.lineno, first.end_lineno + 1) if has_docstring else range(0)
    shown = [[code.co_firstlineno - 1 + k, _shown(text)] for k, text in enumerate(lines, 1) if k not in hidden]
    return {"file": name_of(code.co_filename), "lines": shown}


def forward_lines(code: CodeType) -> list[int]:
    """The lines of a function that compute in the usual case: no check, no special case, and no function within.

    code: of the function.
    """
    found = _parsed(code)
    statements = [] if found is None else [s for s in found[1].body if not _is_aside(s)]
    return _numbers(code, statements)


def backward_lines(code: CodeType, backward: CodeType) -> list[int]:
    """The lines of a function within a function.

    code, backward: of both; the same for a backward that stands by itself.
    """
    found = _parsed(code)
    if found is None or code is backward:
        return [] if found is None else _numbers(code, found[1].body)
    line = backward.co_firstlineno - code.co_firstlineno + 1
    return _numbers(code, [s for s in ast.walk(found[1]) if isinstance(s, ast.FunctionDef) and s.lineno == line])


def _is_aside(statement):
    ends = isinstance(statement, ast.If) and isinstance(statement.body[-1], (ast.Raise, ast.Return))
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return ends or text or isinstance(statement, ast.FunctionDef)


def _numbers(code, statements):
    return [code.co_firstlineno - 1 + line for s in statements for line in range(s.lineno, s.end_lineno + 1)]


def own(file: str, lit: set[int]) -> dict[str, Any]:
    """The user's lines as data, as `function` gives them: those that are lit with what stands around them.

    file: as a frame names it.
    lit: numbers of lines.
    """
    text = linecache.getlines(file)
    near = {n for line in lit for n in range(line - AROUND, line + AROUND + 1)}
    shown = sorted(near & {*range(1, len(text) + 1)})[:LINES]
    return {"file": name_of(file), "lines": [[n, _shown(text[n - 1])] for n in shown]}


def name_of(file: str) -> str:
    """A file's name for a page: within minialex its path there, otherwise without the folders before it."""
    if file.startswith(PACKAGE):
        return Path(file).relative_to(Path(PACKAGE).parent).as_posix()
    return "the notebook's cell" if "ipykernel" in file or file.startswith("<ipython") else printable(Path(file).name)


def _shown(line):
    return printable(line.rstrip("\n"))[:LONGEST]
