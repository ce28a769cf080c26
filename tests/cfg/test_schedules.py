"""Learning rates against their formulas, worked by hand."""

from __future__ import annotations

import math
import re

import pytest

from minialex.cfg import schedules
from minialex.cfg.schedules import RateSchedule
from minialex.cfg.settings import Settings
from minialex.cfg.text import Text, sections

HERE = Settings(sections(Text("p.cfg", "[conv1]\nepsW=1\nschedW=1"))["conv1"])


def parsed(text, base=None):
    return schedules.parse(HERE, "schedW" if base is not None else "epsW", text, base)


def test_constant_linear_and_exponential():
    assert RateSchedule(0.5).rate(0.3) == 0.5
    assert RateSchedule(0.8, "linear", 4).rate(0.25) == pytest.approx(0.8 * 0.75 + 0.2 * 0.25)
    assert RateSchedule(0.8, "exp", 16).rate(0.5) == pytest.approx(0.2)


def test_discrete_steps():
    """The rates of cuda-convnet2's ImageNet files: 0.01, 1.59e-3, 2.52e-4, 4e-5, each for a quarter."""
    dexp = RateSchedule(0.01, "dexp", 250, steps=4)
    rates = [0.01, 0.01 * 250 ** (-1 / 3), 0.01 * 250 ** (-2 / 3), 0.00004]
    assert rates[1:3] == pytest.approx([1.587e-3, 2.520e-4], rel=1e-3)
    for part, rate in enumerate(rates):
        for p in (part / 4 + 1e-9, part / 4 + 0.1, (part + 1) / 4):  # an end belongs to the part before it
            assert dexp.rate(p) == pytest.approx(rate), p
    assert dexp.rate(0.0) == 0.01 and dexp.rate(1.0) == 0.00004
    assert RateSchedule(0.02, "dexp", 10, steps=1).rate(0.0) == pytest.approx(0.002)  # one part has the last rate


def test_every_end_of_a_part_belongs_to_the_part_before_it():
    for n in range(2, 60):
        schedule = RateSchedule(1.0, "dexp", 2.0, steps=n)
        for i in range(n):
            assert schedule._part((i + 1) / n) == i


def test_jumps():
    jdexp = RateSchedule(1.0, "jdexp", 1000, steps=4)  # rates 1, 0.1, 0.01, 0.001
    assert jdexp.rate(0.2) == 1.0, "the first part has no earlier one"
    assert jdexp.rate(0.3) == pytest.approx(0.1)
    assert jdexp.rate(0.4) == pytest.approx(math.sqrt(0.1))  # beyond the middle, 0.375
    assert jdexp.rate(0.6) == pytest.approx(0.01)
    assert jdexp.rate(0.7) == pytest.approx(math.sqrt(0.001))
    assert jdexp.rate(0.89) == pytest.approx(math.sqrt(0.00001))
    assert jdexp.rate(0.95) == pytest.approx(0.001), "not beyond 0.9"
    early = RateSchedule(1.0, "jdexp", 100, steps=20)
    assert early.rate(0.148) == pytest.approx(100 ** (-2 / 19)), "not before 0.2"


def test_noise():
    noisy = RateSchedule(0.1, "linear", 1, 0.5)
    assert noisy.rate(0.7, -2.0) == pytest.approx(0.1 * (1 + 2 * 0.5)) and noisy.rate(0.7) == pytest.approx(0.1)


def test_both_grammars():
    named = parsed("dexp[tgtFactor=250,noiseStdev=0.5,numSteps=4]", 0.01)
    assert named == (RateSchedule(0.01, "dexp", 250, 0.5, 4), False)
    assert parsed("dexp[base=0.01;tgtFactor=250;numSteps=4]") == (RateSchedule(0.01, "dexp", 250, 0.0, 4), False)
    assert parsed("dexp[numSteps=4; TGTFACTOR=250]", 0.01)[0] == RateSchedule(0.01, "dexp", 250, 0.0, 4)
    assert parsed("dexp[1000,4]", 0.01) == (RateSchedule(0.01, "dexp", 1000, 0.0, 4), True)
    assert parsed("jdexp[250,.5,4]", 0.01) == (RateSchedule(0.01, "jdexp", 250, 0.5, 4), True)
    assert parsed("linear[1,1]", 0.01) == (RateSchedule(0.01, "linear", 1, 1.0), True)
    assert parsed("exp[10]", 0.01)[0] == RateSchedule(0.01, "exp", 10)
    assert parsed("default", 0.01)[0] == RateSchedule(0.01) == parsed("const[base=0.01]")[0] == parsed("1e-2")[0]


@pytest.mark.parametrize(
    ("text", "base", "what"),
    [
        ("dexp[1]", 0.1, "should have [tgtFactor,numSteps] or [tgtFactor,noiseStdev,numSteps]"),
        ("dexp[tgtFactor=250]", 0.1, "has no numSteps"),
        ("dexp[tgtFactor=250;numSteps=4]", None, "has no base"),
        ("dexp[base=1;tgtFactor=250;numSteps=4]", 0.1, "has a base"),
        ("dexp[tgtFactor=0,numSteps=4]", 0.1, "tgtFactor should be above 0"),
        ("dexp[tgtFactor=2,numSteps=1.5]", 0.1, "numSteps a whole number"),
        ("exp[tgtFactor=2,tgtFactor=3]", 0.1, "each once"),
        ("dxp[2,3]", 0.1, "did you mean dexp?"),
        ("7", 0.1, "is no schedule"),
        ("nan", None, "is no schedule"),
        ("1_0", None, "should be a number"),
        ("-1", None, "should be a number of at least 0"),
    ],
)
def test_what_is_no_schedule(text, base, what):
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        parsed(text, base)
    assert str(caught.value).startswith(f"p.cfg, line {3 if base is not None else 2}: [conv1] ")
