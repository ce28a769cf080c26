"""Right solutions of the assignments, in many styles: how they are declared in tests/coursework/right/.

A right solution is the library's own code with functions rewritten as another student would write them:

    right(
        "einsum",
        edit("imports", "tape.py", "import sys\n", "import collections\nimport sys\n", set()),
        rewrite("sums", "arithmetic.py", "unbroadcast", "def unbroadcast(gradient, shape): ...", set()),
    )

It must pass every check.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wrong_solutions import Wrong, own, put

from minialex.coursework import tree

FOLDER = Path(__file__).parents[1] / "coursework"


@dataclass(frozen=True)
class Right:
    """style: what is different in it. change: {file: source} of the library's own -> of the right solution."""

    style: str
    change: Callable[[dict, dict], dict]


def right(style: str, *changes: Wrong) -> Right:
    """The library's own code with all changes, one after the other.

    style: its name.
    changes: what edit() and rewrite() of wrong_solutions return; whatever they say about checks does not count.
    """

    def change(own, empty):
        for each in changes:
            own = each.change(own, empty)
        return own

    return Right(style, change)


def imports(file: str, source: str) -> Wrong:
    """Imports that a student has added to a file, to be passed to right().

    file: the student's.
    source: one import per line.
    """
    first = "from __future__ import annotations\n"

    def change(own, empty):
        assert own[file].count(first) == 1
        return own | {file: own[file].replace(first, f"{first}\n{source}", 1)}

    return Wrong("imports", change, frozenset())


def made_right(solution, assignment, folder):
    """The right solution as a folder."""
    return put(solution.change(own(assignment), tree.skeleton(assignment)), folder, assignment.name)


def right_solutions(name):
    """RIGHT of tests/coursework/right/<name>.py."""
    return importlib.import_module(f"coursework.right.{name}").RIGHT


def with_right():
    """The names of the assignments that have right solutions."""
    return sorted(path.stem for path in (FOLDER / "right").glob("a?.py"))
