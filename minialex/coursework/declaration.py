"""What an assignment is: functions of the library that the student writes, and checks with points.

An assignment is a file of this folder that defines ASSIGNMENT; a1.py is the example. Nothing that is expected is
written down: a check's `run` calls the functions through the library (`functional.add`, `backends.get_backend()`),
once with the library's own in place, once with the student's, and the arrays that it returns are compared. So

* `run` looks functions up when it is called (`functional.add(a, b)`), never by `from ... import add`;
* everything that it calls and that is not this check's subject is the library's own, or its own small stand-in:
  a mistake in one function must not fail the checks of another;
* `draw` draws everything from its generator, constants and permutations too: then hidden inputs, and each term's
  variant, have other ones. Sizes are small and all different.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from .. import backends, random

PUBLIC, HIDDEN, WRITTEN = 50, 40, 10  # points of every assignment


@dataclass(frozen=True)
class Target:
    """Functions of one source file that the student writes.

    file: of the package, as "functional/arithmetic.py", or of the kernels, as "kernels/relu.cu". names: functions,
    "Class.method", or kernels.
    """

    file: str
    names: tuple[str, ...]

    @property
    def student_file(self):
        """The name it has in the student's folder."""
        return PurePosixPath(self.file).name

    @property
    def is_kernel(self):
        return self.file.endswith(".cu")


@dataclass(frozen=True)
class Check:
    """One thing that is looked at.

    draw(rng) -> inputs, a dict of arrays, numbers and texts. run(**inputs) -> a dict of arrays, numbers and texts: of
    the same dtype and shape, and equal up to rtol of the largest expected number. seconds: that `run` may take, on a
    slow machine, many times what the library needs. teach(inputs, got, expected): what the mistake looks like, a
    sentence or None; asked where the values are wrong.
    """

    name: str
    points: int
    draw: Callable[[np.random.Generator], dict]
    run: Callable[..., dict]
    public: bool = True
    rtol: float = 1e-6
    seconds: float = 3.0
    teach: Callable[[dict, dict, dict], str | None] | None = None

    def answers(self, inputs):
        """{name: array} of `run` on the NumPy backend, with the functions that are in place now."""
        backends.use_backend("numpy")
        random.manual_seed(0)
        return {name: np.asarray(value) for name, value in self.run(**inputs).items()}


@dataclass(frozen=True)
class Question:
    """A question of the written part. rubric: what earns the points, a line for each, "2: names the ..."."""

    text: str
    points: int
    rubric: tuple[str, ...]


@dataclass(frozen=True)
class Assignment:
    """name: "a3". hints: three for each name of a target, from a nudge to nearly the answer.

    prepare(submission, built): run once before the checks, in a process of its own with the same limits but a minute
    of time, to compile what the student wrote into the folder `built`, whose path checks find in
    `coursework.kernels`; an OSError's text is shown to the student.
    """

    name: str
    title: str
    targets: tuple[Target, ...]
    checks: tuple[Check, ...]
    hints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    written: tuple[Question, ...] = ()
    prepare: Callable[[Path, Path], None] | None = None

    def __post_init__(self):
        for public, wanted in ((True, PUBLIC), (False, HIDDEN)):
            total = sum(check.points for check in self.checks if check.public == public)
            if total != wanted:
                raise ValueError(
                    f"{self.name}: its {'public' if public else 'hidden'} checks give {total} points, not {wanted}"
                )
        if sum(question.points for question in self.written) != WRITTEN:
            raise ValueError(f"{self.name}: its written questions do not give {WRITTEN} points")
        names = [check.name for check in self.checks]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two checks have one name")
        files = [target.student_file for target in self.targets]
        if len(set(files)) != len(files):
            raise ValueError(f"{self.name}: two files of the student's have one name")

    def check(self, name):
        """The check of that name; KeyError if there is none."""
        return {check.name: check for check in self.checks}[name]
