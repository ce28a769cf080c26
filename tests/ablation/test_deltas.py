"""Differences from the base: paired by seed, with Student's interval; the tables that show them."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from minialex.ablation import deltas
from minialex.ablation.experiment import Experiment
from minialex.ablation.lab import Result


@pytest.mark.parametrize("degrees", [1, 2, 5, 29])
def test_quantiles_of_student(degrees):
    """97.5 % of the density lies below; above 2,000 there is nearly nothing left but for one degree of freedom."""
    n, t = degrees, deltas.T975[degrees - 1]
    x = np.linspace(0, t, 200_001)
    log = math.lgamma((n + 1) / 2) - math.lgamma(n / 2) - 0.5 * math.log(n * math.pi)
    y = np.exp(log - (n + 1) / 2 * np.log1p(x**2 / n))
    assert 0.5 + np.trapezoid(y, x) == pytest.approx(0.975, abs=2e-6)


def test_an_interval_worked_by_hand():
    """1, 2, 6: mean 3, std sqrt(7), over sqrt(3) 1.5275; times 4.3027."""
    assert deltas.interval([1.0, 2.0, 6.0]) == pytest.approx((3, 3 - 6.5725, 3 + 6.5725), abs=1e-3)
    assert deltas.interval([2.0]) == (2.0, None, None) and deltas.interval([]) == (None, None, None)
    assert deltas.interval([1.5, 1.5]) == (1.5, 1.5, 1.5)


def result(test, train=0.5, outcome="finished"):
    return Result(outcome, [0.9, train], 1234, 1.0, test)


PLAN = Experiment("cifar_18pct", without=["lrn", "relu"], seeds=3, seed=4, limit=100, train={"epochs": 2})
RESULTS = {
    "base": {4: result(0.30), 5: result(0.20), 6: result(0.25)},
    "lrn": {4: result(0.31), 5: result(0.22), 6: result(0.31)},
    "relu": {4: result(0.40), 5: Result("diverged", [0.9], 1234, 1.0), 6: result(0.45, 0.6)},
}


def test_differences_are_those_of_runs_with_the_same_seed():
    base, lrn, relu = deltas.deltas(PLAN, RESULTS)
    assert base.error == pytest.approx(0.25) and base.differences == {} and base.mean is None
    assert lrn.differences == pytest.approx({4: 1, 5: 2, 6: 6}) and (lrn.mean, lrn.high) == pytest.approx(
        (3, 9.5725), abs=1e-3
    )
    assert relu.differences == pytest.approx({4: 10, 6: 20}) and relu.diverged == 1
    assert relu.train_error == pytest.approx(0.55) and lrn.published.top1 == 1.37 and relu.published is None


def test_a_seed_whose_base_diverged_is_left_out():
    results = RESULTS | {"base": {4: result(None, outcome="diverged"), 5: result(0.2), 6: result(0.25)}}
    lrn = deltas.deltas(PLAN, results)[1]
    assert [*lrn.differences] == [5, 6] and lrn.error == pytest.approx(0.28)


def test_tables():
    found = deltas.deltas(PLAN, RESULTS)
    rows = deltas.table(PLAN, found)
    assert rows[1:] == [
        ["cifar_18pct", "1,234", "3", "25.00 %", "50.00 %", "", "", "", ""],
        ["without lrn", "1,234", "3", "28.00 %", "50.00 %", "+3.00", "-3.57 to +9.57", "+1.37", "+1.15"],
        ["without relu", "1,234", "2, 1 diverged", "42.50 %", "55.00 %", "+15.00", "-48.53 to +78.53", "", ""],
    ]
    said = " ".join(deltas.notes(PLAN, found))
    for words in (
        "at most 100 pictures of each split of cifar10; 2 epochs in batches of 128",
        "on ImageNet",
        "Student's t",
    ):
        assert words in said
    table = [*csv.DictReader(io.StringIO(deltas.as_csv(found)))]
    assert [row["variant"] for row in table] == ["base", "lrn", "relu"] and table[2]["differences"] == "4:10 6:20"
    assert float(table[1]["high"]) == pytest.approx(9.5725, abs=1e-3) and table[0]["difference"] == ""
    lines = deltas.as_markdown(rows, ["One."]).splitlines()
    assert lines[0].startswith("| variant | parameters |") and lines[1] == "|---" * 9 + "|" and lines[-1] == "* One."


def test_one_seed_has_no_interval():
    one = Experiment("cifar_18pct", without=["lrn"], seeds=1)
    found = deltas.deltas(one, {"base": {0: result(0.3)}, "lrn": {0: result(0.31)}})
    assert deltas.table(one, found)[2][5:7] == ["+1.00", ""]
    assert any("--seeds 3" in sentence for sentence in deltas.notes(one, found))


def test_what_has_not_run_yet_is_not_in_the_table():
    found = deltas.deltas(PLAN, {"base": {4: result(0.3)}, "lrn": {}, "relu": {}})
    assert [one.name for one in found] == ["base"]
