"""The parts of an assignment: functions of the library that students write, checks with points, and questions.

An assignment is a file in this folder that defines ASSIGNMENT; a1.py is an example. Its hidden checks are in the folder
`hidden`, which the students' package leaves out. Expected results are not stored: a check's `run` calls the functions
through `lib`, once with the library's own functions and once with the student's, and the arrays that it returns are
compared. library.py says what `lib` can do. So

* whatever `run` passes to the student's functions is an input, an array that it has made of inputs, or a function of
  its own, which runs in the grader; no result of the reference is among them that another check asks for;
* all that `run` calls but the functions to be written must be the library's own or replaced: a mistake in one function
  must not fail the checks of another;
* `draw` draws everything from its generator, constants and permutations too, so that hidden inputs and each term's
  variant differ; but the decisive cases are in every draw. Sizes are small and all different;
* every argument has another value than its default in some check.

These hold for every check without a word in it: an input must not change, and an answer has the expected dtype and
shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .. import backends, random
from .library import Here, fingerprint
from .targets import Target
from .wire import MOST

PUBLIC, HIDDEN, WRITTEN = 50, 40, 10  # points of every assignment


@dataclass(frozen=True)
class Check:
    """A test of the student's functions.

    name: unique within the assignment.
    points: for passing it.
    draw: draw(rng) returns the inputs, a dict of arrays, numbers and texts.
    run: run(lib, **inputs) returns a dict of arrays, numbers and texts. They must have the expected dtype and shape.
    public: whether students see it.
    rtol: allowed error, relative to the largest expected number.
    seconds: of processor time that the student's process may use, many times what the library needs.
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
        """The answers of the library in this process, on the NumPy backend, with the functions currently in place.

        inputs: a dict.

        Returns ({name: array}, names of the inputs that have changed).
        Raises whatever the functions raise, and TypeError for an answer that is neither an array nor a number.
        """
        backends.use_backend("numpy")
        random.manual_seed(0)
        before = {name: fingerprint(value) for name, value in inputs.items() if isinstance(value, np.ndarray)}
        with Here() as library:
            got = arrays(self.run(library, **inputs))
        return got, [name for name, digest in before.items() if fingerprint(inputs[name]) != digest]


def arrays(answers):
    """{name: array} of a check's answers; raises TypeError for one that is neither an array nor numbers nor text."""
    made = {}
    for name, value in answers.items():
        if not isinstance(value, _ANSWERS):
            raise TypeError(f"{name} is {_described(value)}, expected an array")
        if isinstance(value, (list, tuple)):
            _check_list(name, value)
        try:
            made[name] = np.asarray(value)
        except ValueError:
            raise TypeError(f"{name} is a list of different lengths, expected an array") from None
        if made[name].dtype.kind not in "biufcU":
            raise TypeError(f"{name} is {_described(value)}, expected an array of numbers")
    return made


def _check_list(name, value):
    """Raise TypeError for a list of anything but numbers and texts, or one that makes a huge array."""
    count, widest, lists = 0, 16, [value]
    while lists:
        for item in lists.pop():
            if isinstance(item, (list, tuple)):
                lists.append(item)
            elif isinstance(item, (str, np.str_)):
                widest = max(widest, 4 * len(item))
            elif not isinstance(item, (bool, int, float, np.number, np.bool_)):
                raise TypeError(f"{name} is a list that contains {_described(item)}, expected an array")
            count += 1
            if count * widest > MOST:
                raise TypeError(f"{name} is a list of more than {MOST >> 20} MB, expected an array")


_ANSWERS = (np.ndarray, np.generic, bool, int, float, str, list, tuple)


def _described(value):
    return "None" if value is None else f"a {type(value).__name__}"


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

    Raises ValueError where the points do not add up, or names are not unique.
    """

    name: str
    title: str
    targets: tuple[Target, ...]
    checks: tuple[Check, ...]
    hints: dict[str, tuple[str, ...]] = field(default_factory=dict)
    written: tuple[Question, ...] = ()

    @property
    def native(self):
        """Whether it has kernels, which are compiled once before the checks."""
        return any(target.is_kernel for target in self.targets)

    def __post_init__(self):
        for public, wanted in ((True, PUBLIC), (False, HIDDEN)):
            points = [check.points for check in self.checks if check.public == public]
            total = sum(points)
            if total != wanted and (public or points):  # the students' package has no hidden checks
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
