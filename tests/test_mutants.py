"""The tests are tested: every piece of wrong code in mutants.py and mutants_elsewhere.py must be rejected."""

from __future__ import annotations

import re

import mutants
import pytest
import verdicts

from minialex import functional
from minialex.cases import CASES

every_mutant = pytest.mark.parametrize("mutant", verdicts.MUTANTS, ids=lambda m: f"{m.op}: {m.name}")


@pytest.mark.heavy
@every_mutant
def test_a_mutant_is_rejected_by_the_check_that_it_is_meant_for(mutant):
    """The first check to see it: those before must have found nothing wrong."""
    check, message = verdicts.verdict(mutant)
    assert check == mutant.check and message
    if check == verdicts.FINITE:  # wrong by a lot, not at the edge of the tolerance
        assert float(re.search(r": error (\S+) in input", message)[1]) > 1e-2


@pytest.mark.parametrize("mutant", [m for m in verdicts.MUTANTS if m.check == verdicts.GOLDEN], ids=lambda m: m.name)
def test_torchs_values_are_said_to_differ_not_to_be_missing(mutant):
    with mutant.planted(), pytest.raises(AssertionError, match=f"{mutant.op}: ") as error:
        verdicts.torchs_values(mutant.op)
    assert "make.py" not in str(error.value)


@pytest.mark.parametrize("op", [*sorted({case.op for case in CASES}), "tape"])
def test_the_right_code_passes(op):
    """Finite differences and torch's values of the right code are in test_cases.py."""
    for name, check in verdicts.CHECKS.items():
        if name not in (verdicts.FINITE, verdicts.GOLDEN):
            check(op)


def test_every_operation_has_a_mutant_and_no_two_are_one():
    assert {case.op for case in CASES} | {"tape"} == {m.op for m in verdicts.MUTANTS}
    assert len({(m.op, m.name) for m in verdicts.MUTANTS}) == len(verdicts.MUTANTS) >= 90


def test_a_mutant_leaves_no_trace():
    mutant = next(m for m in verdicts.MUTANTS if m.function is mutants.tanh_with_y_unsquared)
    right = functional.tanh
    with pytest.raises(KeyError), mutant.planted():
        assert functional.tanh is not right
        raise KeyError
    assert functional.tanh is right


def test_the_table_of_mutants_is_printed(capsys, monkeypatch):
    """A line each, and one that survives is named."""
    harmless = verdicts.Mutant(verdicts.FINITE, functional, "tanh", "tanh", lambda original, x: original(x))
    monkeypatch.setattr(verdicts, "MUTANTS", [m for m in verdicts.MUTANTS if m.op == "tanh"] + [harmless])
    verdicts.print_table()
    survivor, rejected = capsys.readouterr().out.splitlines()
    assert re.match(r"tanh +tanh_with_y_unsquared +finite differences +plain: error", rejected)
    assert re.match(r"tanh +<lambda> +SURVIVES", survivor)
