"""Exercises that answer at once: `check("1.2", answer)` prints whether it is right and, if not, what probably happened.

The expected answers of lesson 1 are in checks/lesson_01.py, as `EXERCISES = {"1.1": Exercise(...), ...}`, and so on.
A known mistake is recognised by what it gives, so the hint fits however the answer was written.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Exercise:
    """expected: the answer, a number, text or array; or, with `cases`, a function that gives it.

    mistakes: (wrong answer, what probably happened), at least three, none of them right
    cases: tuples of arguments that a function is tried on; it may return one array or a tuple of them
    right: what to say beside "right"; tolerance: relative to the largest expected number
    tried: how a function is tried on a case, tried(function, *case); None: it is called with the case
    """

    expected: Any
    mistakes: tuple[tuple[Any, str], ...]
    cases: tuple[tuple, ...] = ()
    right: str = ""
    tolerance: float = 1e-6
    tried: Callable[..., Any] | None = None
    judged: Callable[[Any], Any] | None = None
    hints: tuple[str, ...] = ()


class Verdict(NamedTuple):
    """right: True, False, or None where nothing was answered yet; text: what the reader is told."""

    right: bool | None
    text: str


def check(name, answer):
    """Print what `judge` says."""
    print(judge(name, answer).text)


def compare(prediction, outcome, unit=""):
    """Print what came out, and what the reader predicted; a number, a shape, a text."""
    given = "you made no prediction" if prediction is ... else f"you predicted {_value(prediction, unit)}"
    print(f"it is {_value(outcome, unit)}; {given}")


def _value(x, unit):
    return f"{x:,.6g}{unit}" if np.isscalar(x) and not isinstance(x, str) else f"{x}{unit}"


def find(name):
    """The exercise "1.2": the second of lesson 1. KeyError where there is none."""
    return importlib.import_module(f"checks.lesson_{int(name.split('.')[0]):02}").EXERCISES[name]


def judge(name, answer):
    """The Verdict on an answer to exercise `name`."""
    exercise = find(name)
    if exercise.judged and answer is not ...:
        right, text = exercise.judged(answer)
        return Verdict(right, f"{name}: {text}" if right is not False else f"{name}: not yet. {text}")
    if answer is ...:
        return Verdict(None, f"{name}: not answered yet. Put your answer in place of `...` and run the cell again.")
    if exercise.cases and not callable(answer):
        return Verdict(False, f"{name}: a function is asked for, this is a {type(answer).__name__}.")
    expected = _results(exercise.expected, exercise)
    try:
        given = _results(answer, exercise)
    except Exception as error:
        return Verdict(False, f"{name}: your function stopped with {type(error).__name__}: {error}")
    if any(part is None or part is ... for part in given[0]):
        return Verdict(None, f"{name}: not answered yet: your function returns nothing. Is there a `return`?")
    problem = _difference(expected, given, exercise)
    if problem is None:
        return Verdict(True, f"{name}: right. {exercise.right}".rstrip())
    causes = (why for wrong, why in exercise.mistakes if not _difference(_results(wrong, exercise), given, exercise))
    return Verdict(False, f"{name}: not yet. {problem}\n     {next(causes, '')}".rstrip())


def _results(answer, exercise):
    """What an answer gives: a list for each case, of the parts of what it returns."""
    tried = exercise.tried or (lambda function, *case: function(*case))
    with np.errstate(all="ignore"):  # an answer that overflows is told so by its numbers
        returned = [tried(answer, *copy.deepcopy(case)) for case in exercise.cases] if exercise.cases else [answer]
    return [list(value) if isinstance(value, tuple) else [value] for value in returned]


def _difference(expected, given, exercise):
    """None where all is as expected, else a sentence about the first thing that is not."""
    for number, (wanted, got) in enumerate(zip(expected, given, strict=True)):
        where = f"For {_shown(exercise.cases[number])}: " if exercise.cases else ""
        if len(wanted) != len(got):
            return f"{where}{len(wanted)} results are asked for, there are {len(got)}."
        for part, (a, b) in enumerate(zip(wanted, got, strict=True)):
            which = f"result {part + 1}: " if len(wanted) > 1 else ""
            problem = _array_difference(np.asarray(a), b, exercise)
            if problem:
                return where + which + problem
    return None


def _array_difference(a, b, exercise):
    try:
        b = np.asarray(b)
    except ValueError:  # lists of unequal lengths
        return f"shape {a.shape} is asked for, this is no array: its rows have different lengths."
    if b.dtype.kind not in ("US" if a.dtype.kind in "US" else "biuf"):
        return f"{'a text is' if a.dtype.kind in 'US' else 'numbers are'} asked for, this is {_shown((b.tolist(),))}."
    if a.shape != b.shape:
        return f"shape {a.shape} is asked for, yours is {b.shape}."
    if a.dtype.kind in "US":
        return None if (a == b).all() else f"It is not {_shown((b.tolist(),))}."
    scale = np.abs(a).max(initial=0, where=np.isfinite(a)) or 1.0
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(a - b) <= exercise.tolerance * scale) | (a == b) | (np.isnan(a) & np.isnan(b)))
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"first at index {list(index)}: " if index else ""
    if exercise.cases:  # a function's reader still has to find out why; a number's would only copy it
        return f"{place}{a[index]:.6g} is expected, yours gives {b[index]:.6g}."
    if a[index] and b[index] and np.isfinite(b[index]):
        ratio = b[index] / a[index]
        return f"{place}{b[index]:.10g} is {ratio:.7g} times what it should be."
    return f"{place}it is not {b[index]:.6g}."


def _shown(values, most=90):
    """Arguments as a reader would write them, at most so many characters."""
    text = ", ".join(np.array2string(v, separator=", ") if isinstance(v, np.ndarray) else repr(v) for v in values)
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
