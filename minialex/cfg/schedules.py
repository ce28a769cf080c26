"""Learning rates as functions of the progress p, which goes from 0 to 1 over all steps of a training.

    const, default   base
    linear           base (1 - p) + final p                                        final = base / tgtFactor
    exp              base (final / base)^p
    dexp             n = numSteps equal parts; in part i = 0 ... n-1 the rate is base (final / base)^(i / (n-1))
    jdexp            dexp; for 0.2 < p < 0.9 the second half of a part i > 0 has sqrt(rate_i rate_(i-1))
    noise            the rate times 1 + |z| noiseStdev, z ~ N(0, 1) drawn anew for every step

The first grammar has the base in epsW, and in schedW `dexp[tgtFactor=250,noiseStdev=0,numSteps=4]`; the second has all
in epsW, `dexp[base=0.01;tgtFactor=250;numSteps=4]`. Source: src/lr.cu of both programs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from .settings import quoted, suggestion

_FIELDS = {  # in the order in which they stand where they have no names
    "const": ((),),
    "default": ((),),
    "linear": (("tgtFactor",), ("tgtFactor", "noiseStdev")),
    "exp": (("tgtFactor",), ("tgtFactor", "noiseStdev")),
    "dexp": (("tgtFactor", "numSteps"), ("tgtFactor", "noiseStdev", "numSteps")),
    "jdexp": (("tgtFactor", "numSteps"), ("tgtFactor", "noiseStdev", "numSteps")),
}
MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class RateSchedule:
    """A learning rate.

    base: the rate at p = 0, without noise.
    kind: const, linear, exp, dexp or jdexp.
    factor: by which the last rate is smaller, tgtFactor.
    noise: noiseStdev.
    steps: numSteps, of dexp and jdexp.
    """

    base: float
    kind: str = "const"
    factor: float = 1.0
    noise: float = 0.0
    steps: int = 1

    def rate(self, p: float, z: float = 0.0) -> float:
        """The rate at progress p; z: the draw of the noise, from N(0, 1)."""
        return self._rate(p) * (1 + abs(z) * self.noise)

    def _rate(self, p):
        if self.kind == "linear":
            return self.base * (1 - p) + self.base / self.factor * p
        if self.kind == "exp":
            return self.base * (1 / self.factor) ** p
        if self.kind == "const":
            return self.base
        part, n = self._part(p), self.steps
        jumps = self.kind == "jdexp" and part > 0 and 0.2 < p < 0.9 and p > (part + 0.5) / n
        return math.sqrt(self._of_part(part) * self._of_part(part - 1)) if jumps else self._of_part(part)

    def _part(self, p):
        """The first part i with p <= (i + 1) / n."""
        n = self.steps
        i = min(max(math.ceil(p * n) - 1, 0), n - 1)
        while i > 0 and p <= i / n:  # where p n was rounded
            i -= 1
        while i < n - 1 and p > (i + 1) / n:
            i += 1
        return i

    def _of_part(self, i):
        return self.base / self.factor if i == self.steps - 1 else self.base * self.factor ** (-i / (self.steps - 1))

    def __str__(self):
        if self.kind == "const":
            return f"{self.base:g}"
        parts = f" in {self.steps} equal steps" if self.kind in ("dexp", "jdexp") else ""
        noise = f", times 1 + |N(0, 1)| {self.noise:g}" if self.noise else ""
        return f"{self.base:g} to {self.base / self.factor:g}{parts} ({self.kind}){noise}"


def parse(settings, key, text, base=None):
    """The RateSchedule in a text.

    settings, key: where it stands.
    text: of one schedule; a number is a constant rate.
    base: the base rate, where it stands in another key; None where it is in the text.

    Returns (the RateSchedule, whether its numbers have no names).
    Raises ValueError, with the place, for another text.
    """
    kind, arguments = _taken_apart(settings, key, text)
    if kind is None:
        if base is not None:
            raise settings.fault(key, f"={quoted(text)} is no schedule: write one such as dexp[...], or default")
        return RateSchedule(settings.read_number(key, text, 0)), False
    values, positional = _named(settings, key, text, kind, arguments)
    if (base is None) != ("base" in values):
        where = "has no base, its first rate" if base is None else "has a base, which stands in epsW or epsB"
        raise settings.fault(key, f"={quoted(text)} {where}")
    rate = values.pop("base", base)
    needed = _FIELDS[kind][0]
    if missing := [name for name in needed if name not in values]:
        raise settings.fault(key, f"={quoted(text)} has no {missing[0]}")
    factor, steps = values.get("tgtFactor", 1.0), values.get("numSteps", 1.0)
    if factor < 1e-30 or steps != int(steps) or not 1 <= steps <= MOST_STEPS:
        raise settings.fault(
            key, f"={quoted(text)}: tgtFactor should be above 0, numSteps a whole number from 1 to {MOST_STEPS:,}"
        )
    if kind in ("const", "default"):
        return RateSchedule(rate), positional
    return RateSchedule(rate, kind, factor, values.get("noiseStdev", 0.0), int(steps)), positional


def _taken_apart(settings, key, text):
    """(kind, its arguments as texts); (None, []) for a text without brackets that names no kind."""
    match = re.fullmatch(r"(\w+)\s*(?:\[(.*)\])?", text.strip())
    if match and match[1] in _FIELDS:
        return match[1], [part.strip() for part in re.split("[;,]", match[2]) if part.strip()] if match[2] else []
    if match and not match[1][0].isdigit():
        close = suggestion(match[1], _FIELDS)
        raise settings.fault(key, f"={quoted(text)} is no schedule: {', '.join(_FIELDS)} are known{close}")
    return None, []


def _named(settings, key, text, kind, arguments):
    """({field: number}, whether the numbers stood without names)."""
    known = {"base": "base"} | {name.lower(): name for names in _FIELDS[kind] for name in names}
    if arguments and not any("=" in part for part in arguments):
        names = next((names for names in _FIELDS[kind] if len(names) == len(arguments)), None)
        if names is None:
            wanted = " or ".join(f"[{','.join(names)}]" for names in _FIELDS[kind])
            raise settings.fault(key, f"={quoted(text)} should have {wanted}")
        return {name: settings.read_number(key, part, 0) for name, part in zip(names, arguments)}, True
    values = {}
    for part in arguments:
        name, _, number = (word.strip() for word in part.partition("="))
        if name.lower() not in known or known[name.lower()] in values:
            raise settings.fault(key, f"={quoted(text)}: {kind} takes {', '.join(known.values())}, each once")
        values[known[name.lower()]] = settings.read_number(key, number, 0)
    return values, False
