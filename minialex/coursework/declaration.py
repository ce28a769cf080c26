"""The parts of an assignment: functions of the library that students write, checks with points, and questions.

An assignment is a file in this folder that defines ASSIGNMENT; a1.py is an example. Expected results are not stored: a
check's `run` calls the functions through the library (`functional.add`, `backends.get_backend()`), once with the
library's own functions and once with the student's, and the arrays that it returns are compared. So

* `run` must look functions up when it is called (`functional.add(a, b)`), never by `from ... import add`;
* everything else that it calls must be the library's own, or a small stand-in: a mistake in one function must not fail
  the checks of another;
* `draw` must draw everything from its generator, constants and permutations too, so that hidden inputs and each term's
  variant differ. Sizes are small and all different.
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

    file: "functional/arithmetic.py", in the package, or "kernels/relu.cu".
    names: functions, "Class.method", or kernels.
    """

    file: str
    names: tuple[str, ...]

    @property
    def student_file(self):
        """Its name in the student's folder."""
        return PurePosixPath(self.file).name

    @property
    def is_kernel(self):
        """Whether it is a CUDA file."""
        return self.file.endswith(".cu")


@dataclass(frozen=True)
class Check:
    """A test of the student's functions.

    name: unique within the assignment.
    points: for passing it.
    draw: draw(rng) returns the inputs, a dict of arrays, numbers and texts.
    run: run(**inputs) returns a dict of arrays, numbers and texts. They must have the expected dtype and shape.
    public: whether students see it.
    rtol: allowed error, relative to the largest expected number.
    seconds: time limit of `run`, many times what the library needs on a slow machine.
    teach: teach(inputs, got, expected) is called for wrong values and explains the mistake in a sentence, or returns
        None.
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
        """{name: array} from `run(**inputs)` on the NumPy backend, with the functions currently in place."""
        backends.use_backend("numpy")
        random.manual_seed(0)
        return {name: np.asarray(value) for name, value in self.run(**inputs).items()}


@dataclass(frozen=True)
class Question:
    """A question of the written part.

    text: the question.
    points: for a complete answer.
    rubric: what earns points, one line each: "2: names the ...".
    """

    text: str
    points: int
    rubric: tuple[str, ...]


@dataclass(frozen=True)
class Assignment:
    """An assignment.

    name: "a3".
    title: of the handout.
    targets: what the student writes.
    checks: public ones for PUBLIC points, hidden ones for HIDDEN points.
    hints: {function: three hints}, from a nudge to nearly the answer.
    written: questions for WRITTEN points.
    prepare: prepare(submission, built) compiles the student's kernels into the folder `built`, whose path checks find
        in `coursework.kernels`. It runs once before the checks, in a process with the same limits but a minute of time;
        the text of an OSError is shown to the student.

    Raises ValueError where the points do not add up, or names are not unique.
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
            raise ValueError(f"{self.name}: two checks have the same name")
        files = [target.student_file for target in self.targets]
        if len(set(files)) != len(files):
            raise ValueError(f"{self.name}: two of the student's files have the same name")

    def check(self, name):
        """The check of this name; raises KeyError if there is none."""
        return {check.name: check for check in self.checks}[name]
