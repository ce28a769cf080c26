"""Checks of several cases, so that every draw contains the decisive ones."""

from __future__ import annotations

import numpy as np


def several(draw_one, run_one, *cases):
    """(draw, run) of a check with several cases; the names of the second get the number 2, and so on.

    draw_one: draw_one(rng, **case) returns the inputs of a case, whose names do not end in digits.
    run_one: run_one(lib, **inputs) returns its answers, likewise.
    cases: dicts.
    """

    def draw(rng):
        drawn = [draw_one(rng, **case) for case in cases]
        return {f"{key}{_number(i)}": value for i, inputs in enumerate(drawn) for key, value in inputs.items()}

    def run(lib, **inputs):
        answers = {}
        for i in range(len(cases)):
            made = run_one(lib, **_case(inputs, i))
            answers |= {f"{key}{_number(i)}": value for key, value in made.items()}
        return answers

    return draw, run


def _number(i):
    return str(i + 1) if i else ""


def _case(named, i):
    """The inputs or answers of a case."""
    number = _number(i)
    return {key.rstrip("0123456789"): value for key, value in named.items() if key == key.rstrip("0123456789") + number}


def together(**checks):
    """(draw, run) of several (draw, run), whose inputs and answers get the name of the part in front.

    checks: {part: (draw, run)}.
    """

    def draw(rng):
        return {f"{part}_{key}": value for part, (one, _) in checks.items() for key, value in one(rng).items()}

    def run(lib, **inputs):
        answers = {}
        for part, (_, one) in checks.items():
            start = f"{part}_"
            given = {key.removeprefix(start): value for key, value in inputs.items() if key.startswith(start)}
            answers |= {f"{start}{key}": value for key, value in one(lib, **given).items()}
        return answers

    return draw, run


def of_a_case(teach):
    """A `teach` for a check of `several`, which explains the first case that is wrong. teach: that of one case."""

    def explain(inputs, got, expected):
        for i in range(len(expected)):
            wanted, mine = _case(expected, i), _case(got, i)
            if not all(near(mine.get(name), value, 1e-9) for name, value in wanted.items()):
                return teach(_case(inputs, i), mine, wanted)
        return None

    return explain


def each(cases, **options):
    """Cases with further options. cases: dicts; options: to add to each."""
    return [case | options for case in cases]


def near(got, wanted, rtol=1e-5):
    """Whether an answer of any shape equals another.

    got, wanted: arrays or None.
    rtol: allowed error, relative to each number, in `wanted`.
    """
    return got is not None and np.shape(got) == np.shape(wanted) and np.allclose(got, wanted, rtol, 1e-8, True)
