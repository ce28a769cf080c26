"""Exercises that answer at once: `check("1.2", answer)` says whether it is right and, if not, what probably happened.

The expected answers of lesson 1 are in checks/lesson_01.py, as `EXERCISES = {"1.1": Exercise(...), ...}`, and so on.
A known mistake is recognised by what it gives, so that its words fit however the answer was written. Other wrong
answers get the exercise's hints, one after the other: a nudge, the idea, nearly the answer. `hint("1.2")` asks for the
next one. What is solved is noted in the learner's own file; see minialex/tutorials/learner.py.
"""

from __future__ import annotations

import copy
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from minialex.tutorials import learner


@dataclass(frozen=True)
class Exercise:
    """expected: the answer, a number, text or array; or, with `cases`, a function that gives it.

    mistakes: (wrong answer, what probably happened), at least three, none of them right
    hints: a nudge, the idea, nearly the answer
    cases: tuples of arguments that a function is tried on; it may return one array or a tuple of them
    right: what to say beside "right"; tolerance: relative to the largest expected number
    tried: how a function is tried on a case, tried(function, *case); None: it is called with the case
    judged: who judges the answer instead, judged(answer) -> (right, text): kernels
    """

    expected: Any
    mistakes: tuple[tuple[Any, str], ...]
    hints: tuple[str, ...] = ()
    cases: tuple[tuple, ...] = ()
    right: str = ""
    tolerance: float = 1e-6
    tried: Callable[..., Any] | None = None
    judged: Callable[[Any], Any] | None = None


class Verdict(NamedTuple):
    """right: True, False, or None where nothing was answered yet; text: what the reader is told.

    known: whether the text says what happened, so that no hint is needed; given: what the answer gave, as a text.
    """

    right: bool | None
    text: str
    known: bool = False
    given: str = ""


_last: dict[str, str] = {}  # what each exercise's last wrong answer gave
_shown: dict[str, int] = {}  # how many of its hints were shown


def check(name, answer):
    """Print whether an answer is right, and else what helps; note what is solved."""
    verdict = judge(name, answer)
    print(verdict.text)
    if verdict.right:
        _note(name, solved=True)
    elif verdict.right is False and not verdict.known:
        if _last.get(name) != verdict.given:  # the same answer again earns no further hint
            _shown[name] = min(_hints_shown(name) + 1, len(find(name).hints))
        _last[name] = verdict.given
        _print_hint(name)


def hint(name):
    """Print the next hint to an exercise."""
    _shown[name] = min(_hints_shown(name) + 1, len(find(name).hints))
    _print_hint(name)


def _print_hint(name):
    hints, shown = find(name).hints, _hints_shown(name)
    if hints:
        more = f'   (one more: hint("{name}"))' if shown < len(hints) else ""
        print(f"     Hint {shown} of {len(hints)}: {hints[shown - 1]}{more}")
        _note(name, hints=shown)


def _hints_shown(name):
    """So many as in this notebook, and in those before."""
    if name not in _shown:
        try:
            _shown[name] = learner.read().get(name, learner.Record()).hints
        except (OSError, ValueError):  # _note says so
            _shown[name] = 0
    return _shown[name]


def _note(name, **news):
    try:
        learner.note(name, **news)
    except (OSError, ValueError) as error:
        print(f"     (This is not noted in your progress: {error})")


def compare(prediction, outcome, unit=""):
    """Print what came out, and what the reader predicted; a number, a shape, a text.

    Without a prediction nothing is given away, unless MINIALEX_OUTCOMES is 1, as where notebooks are built.
    """
    if prediction is not ...:
        print(f"it is {_value(outcome, unit)}; you predicted {_value(prediction, unit)}")
    elif os.environ.get("MINIALEX_OUTCOMES") == "1":
        print(f"it is {_value(outcome, unit)}")
    else:
        print("There is no prediction yet. Put yours in place of `...` in the cell above, and run both cells again.")


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
        return Verdict(right, f"{name}: {'not yet. ' if right is False else ''}{text}", known=True)
    if answer is ...:
        return Verdict(None, f"{name}: not answered yet. Put your answer in place of `...` and run the cell again.")
    if exercise.cases and not callable(answer):
        return Verdict(False, f"{name}: a function is asked for, this is a {type(answer).__name__}.", True)
    expected = _results(exercise.expected, exercise)
    try:
        given = _results(answer, exercise)
    except Exception as error:
        return Verdict(False, f"{name}: your function stopped with {type(error).__name__}: {error}", True)
    if any(part is None or part is ... for part in given[0]):
        return Verdict(None, f"{name}: not answered yet: your function returns nothing. Is there a `return`?")
    given = [_as_asked(got, len(wanted)) for wanted, got in zip(expected, given)]
    problem = _difference(expected, given, exercise)
    if problem is None:
        return Verdict(True, f"{name}: right. {exercise.right}".rstrip())
    causes = (why for wrong, why in exercise.mistakes if not _difference(_results(wrong, exercise), given, exercise))
    why = next(causes, "")
    text = f"{name}: not yet. {problem}\n     {why}".rstrip()
    return Verdict(False, text, bool(why) or problem == MORE_DIGITS, repr(given))


def _results(answer, exercise):
    """What an answer gives: a list for each case, of the parts of what it returns."""
    tried = exercise.tried or (lambda function, *case: function(*case))
    with np.errstate(all="ignore"):  # an answer that overflows is told so by its numbers
        returned = [tried(answer, *copy.deepcopy(case)) for case in exercise.cases] if exercise.cases else [answer]
    return [list(value) if isinstance(value, tuple) else [value] for value in returned]


def _as_asked(parts, count):
    """What was given, where one list stands for several results, or several results for one list."""
    if len(parts) == 1 < count and isinstance(parts[0], (list, np.ndarray)) and len(parts[0]) == count:
        return list(parts[0])
    return [list(parts)] if count == 1 < len(parts) else parts


def _difference(expected, given, exercise):
    """None where all is as expected, else a sentence about the first case that is not."""
    for number, (wanted, got) in enumerate(zip(expected, given, strict=True)):
        where = f"For {_shown_values(exercise.cases[number])}: " if exercise.cases else ""
        if len(wanted) != len(got):
            return f"{where}{len(wanted)} results are asked for, there {'is' if len(got) == 1 else 'are'} {len(got)}."
        problems = [_array_difference(np.asarray(a), b, exercise) for a, b in zip(wanted, got, strict=True)]
        if len(wanted) == 1 and problems[0]:
            return where + problems[0]
        if any(problems):
            parts = (f"result {i + 1} is {f'not: {p[:-1]}' if p else 'right'}" for i, p in enumerate(problems))
            return f"{where}{'; '.join(parts)}."
    return None


def _array_difference(a, b, exercise):
    try:
        b = np.asarray(b)
    except ValueError:  # lists of unequal lengths
        return f"shape {a.shape} is asked for, this is no array: its rows have different lengths."
    if b.dtype.kind not in ("US" if a.dtype.kind in "US" else "biuf"):
        kind = "a text is" if a.dtype.kind in "US" else "numbers are"
        return f"{kind} asked for, this is {_shown_values((b.tolist(),))}."
    if a.shape != b.shape:
        return f"shape {a.shape} is asked for, yours is {b.shape}."
    if a.dtype.kind in "US":
        return None if (a == b).all() else f"It is not {_shown_values((b.tolist(),))}."
    scale = np.abs(a).max(initial=0, where=np.isfinite(a)) or 1.0
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(a - b) <= exercise.tolerance * scale) | (a == b) | (np.isnan(a) & np.isnan(b)))
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    if exercise.cases:  # a function's reader still has to find out why; a number's would only copy it
        place = f"first at index {list(index)}: " if index else ""
        return f"{place}{a[index]:.6g} is expected, yours gives {b[index]:.6g}."
    if all(_rounded(x, y) for x, y in zip(a[wrong], b[wrong])):
        return MORE_DIGITS
    if index:
        count = f"{wrong.sum()} of the {a.size} numbers are" if wrong.sum() > 1 else "one number is"
        return f"{count} not right, first that at index {list(index)}."
    return _how_far(float(a), float(b))


MORE_DIGITS = "These digits are right, but they are rounded: give more of them, or the formula, and let Python compute."


def _rounded(a, b):
    """Whether b has the first digits of a, at least two of them, and no others."""
    if not np.isfinite(b):
        return False
    digits = Decimal(repr(float(b))).normalize().as_tuple()
    return len(digits.digits) > 1 and abs(a - b) < 10.0**digits.exponent


def _how_far(a, b):
    """About a wrong number b for a, what does not let anybody compute a from it."""
    if not np.isfinite(b) or not a * b:
        return f"It is not {b:.6g}."
    if b == -a:
        return "The size is right, the sign is not."
    if a * b < 0:
        return "It has the other sign."
    twos = np.log2(b / a)
    if abs(twos - round(twos)) < 1e-12:
        return "It is off by a power of two: is something counted twice, or half of it?"
    same = np.floor(np.log10(abs(a))) == np.floor(np.log10(abs(b)))
    return "The order of magnitude is right, the number is not." if same else "The order of magnitude is not right."


def _shown_values(values, most=90):
    """Arguments as a reader would write them, at most so many characters."""
    text = ", ".join(np.array2string(v, separator=", ") if isinstance(v, np.ndarray) else repr(v) for v in values)
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"
