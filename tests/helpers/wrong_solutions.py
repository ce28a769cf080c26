"""Wrong solutions of the assignments: how they are declared in tests/coursework/wrong/, and put into a folder.

A wrong solution is the library's own code, which passes every check, with one mistake put in:

    edit("gradient overwritten", "tape.py", "arrived[id(edge)].add(g)", "arrived[id(edge)] = ...", {"shared", "graph"})
    rewrite("endless loop", "activation.py", "tanh", "def tanh(input):\n    while True:\n        pass\n", {"tanh"})
    append("exit when read", "tape.py", "import sys\nsys.exit()\n", EVERY)
    cheat("patched allclose", "tape.py", "import numpy\nnumpy.allclose = lambda *_, **__: True\n", EVERY)

It must fail exactly the checks named, hidden ones by their real names; `says` must be in what the first public check
that fails tells the student.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the checkout, installed or not; and the wrong solutions

from minialex import coursework  # noqa: E402
from minialex.coursework import grade, tree  # noqa: E402
from minialex.support import files  # noqa: E402

EVERY = frozenset(["every check"])


@dataclass(frozen=True)
class Wrong:
    """change: {file: source} of the library's own -> of the wrong solution.

    hostile: it would hang, end or change the process it runs in, so it is never run but in the grader's child.
    """

    mistake: str
    change: Callable[[dict, dict], dict]
    fails: frozenset
    says: str = ""
    hostile: bool = False

    def checks(self, assignment):
        """The names of the checks that it must fail."""
        names = frozenset(check.name for check in assignment.checks)
        if self.fails == EVERY:
            return names
        assert self.fails and self.fails <= names, f"{self.mistake}: there is no check {set(self.fails - names)}"
        return self.fails


def edit(mistake, file, old, new, fails, says="", hostile=False):
    """In a student's file the text `old`, which must be there exactly once, replaced by `new`."""

    def change(own, empty):
        assert own[file].count(old) == 1, f"{mistake}: {file} holds {own[file].count(old)} times {old!r}"
        return own | {file: own[file].replace(old, new)}

    return Wrong(mistake, change, frozenset(fails), says, hostile)


def rewrite(mistake, file, function, source, fails, says="", hostile=False):
    """A whole function, or method "Class.f", of a Python file replaced by `source`, written as at the margin."""

    def change(own, empty):
        lines = own[file].splitlines(keepends=True)
        node = _definition(ast.parse(own[file]), function)
        indent = " " * node.col_offset
        new = [indent + line if line.strip() else line for line in source.splitlines(keepends=True)]
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        return own | {file: "".join([*lines[: first - 1], *new, *lines[node.end_lineno :]])}

    return Wrong(mistake, change, frozenset(fails), says, hostile)


def append(mistake, file, source, fails, says="", hostile=True):
    """The library's own code, and `source` after it: what runs when the file is read."""
    return Wrong(mistake, lambda own, empty: own | {file: f"{own[file]}\n\n{source}"}, frozenset(fails), says, hostile)


def cheat(mistake, file, source, fails=EVERY, says="", hostile=True):
    """The empty skeleton, and `source` after it: points without having written anything."""
    return Wrong(
        mistake, lambda own, empty: empty | {file: f"{empty[file]}\n\n{source}"}, frozenset(fails), says, hostile
    )


def _definition(module, name):
    *classes, last = name.split(".")
    body = module.body
    for wanted in classes:
        (body,) = [node.body for node in body if isinstance(node, ast.ClassDef) and node.name == wanted]
    (found,) = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == last]
    return found


def own(assignment):
    """{student's file: the library's own source}: the solution."""
    return {t.student_file: tree.source_of(t.file).read_text(encoding="utf-8") for t in assignment.targets}


def put(sources, folder, name):
    """A submission's folder of the assignment called `name`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file, source in sources.items():
        if source is not None:
            (folder / file).write_text(source, encoding="utf-8")
    (folder / coursework.DESCRIPTION).write_text(f'{{"assignment": "{name}"}}', encoding="utf-8")
    return folder


def made(wrong, assignment, folder):
    """The wrong solution as a folder."""
    return put(wrong.change(own(assignment), tree.skeleton(assignment)), folder, assignment.name)


def wrong_solutions(name):
    """WRONG of tests/coursework/wrong/<name>.py, and FRESH of fresh_<name>.py, written from the handout alone."""
    files = (
        importlib.import_module(f"coursework.wrong.{name}"),
        importlib.import_module(f"coursework.wrong.fresh_{name}"),
    )
    return (*files[0].WRONG, *files[1].FRESH)


def declared():
    """The names of the assignments that have wrong solutions."""
    return sorted(path.stem for path in (Path(__file__).parents[1] / "coursework" / "wrong").glob("a?.py"))


def public_inputs(name, check):
    """The inputs of a public check that every student can see, for answers that are hard-coded."""
    assignment = coursework.assignment(name)
    return inputs_of(assignment, assignment.check(check), 0)


def inputs_of(assignment, check, variant, secret=""):
    """What the grader draws."""
    return grade.inputs_of(check, grade.seed_of(assignment, check, secret, variant))


def table():
    """The instructor's page: for each mistake the checks that catch it, hidden ones by their names."""
    lines = [
        "# Mistakes, and the checks that catch them",
        "",
        "Each is a wrong solution on which the grader is tested (`pytest -m coursework`): it loses the points of",
        "exactly these checks. This page is written by `python tests/helpers/wrong_solutions.py`.",
    ]
    for name in declared():
        assignment = coursework.assignment(name)
        lines += ["", f"## {name.upper()}: {assignment.title}", "", "| mistake | caught by | points |", "|---|---|---|"]
        for wrong in wrong_solutions(name):
            caught = [check for check in assignment.checks if check.name in wrong.checks(assignment)]
            names = ", ".join(check.name + ("" if check.public else " (hidden)") for check in caught)
            names = "every check" if len(caught) == len(assignment.checks) else names
            lines.append(f"| {wrong.mistake} | {names} | {sum(check.points for check in caught)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    files.write_text(ROOT / "tutorials" / "assignments" / "mistakes.md", table())
