"""What each variant does to the test error: differences from the base, run by run, and their mean with an interval.

A variant and the base with the same seed see the same pictures in the same order. With d_s the difference of their
errors for seed s, in percentage points, and n seeds:

    interval = mean(d) +- t * std(d) / sqrt(n)      std with n - 1; t: the 97.5 % quantile of Student's t, n - 1 degrees

It says how far the mean may be from that of infinitely many seeds, on the same pictures.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Mapping, Sequence
from textwrap import TextWrapper
from typing import Any, NamedTuple

from ..support.text import aligned
from .experiment import BASE, MOST_SEEDS, Experiment
from .lab import Lab, Result
from .words import WORDS, Published

# 97.5 % quantiles of Student's t with 1, 2, ... degrees of freedom
T975 = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452),
)
assert len(T975) == MOST_SEEDS - 1


class Delta(NamedTuple):
    """A variant beside the base.

    name, meaning: of the variant.
    parameters: how many it has.
    error, train_error: means over its runs, shares; the training error is that of the last epoch.
    differences: {seed: test error minus the base's, in percentage points}.
    mean, low, high: of the differences, and the 95 % interval; None where there are too few.
    diverged: how many of its runs did.
    published: what was measured in 2012; None where nothing was.
    """

    name: str
    meaning: str
    parameters: int
    error: float | None
    train_error: float | None
    differences: dict[int, float]
    mean: float | None
    low: float | None
    high: float | None
    diverged: int
    published: Published | None


def interval(differences: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """The mean of some differences and the ends of its 95 % interval; None for what needs more of them."""
    if not differences:
        return None, None, None
    mean = statistics.fmean(differences)
    if len(differences) < 2:
        return mean, None, None
    half = T975[len(differences) - 2] * statistics.stdev(differences) / math.sqrt(len(differences))
    return mean, mean - half, mean + half


def run(experiment: Experiment, lab: Lab, update: Any) -> list[Delta]:
    """Run an ablation: every variant with the first seed, then with the second, and so on.

    experiment: an Experiment without a target.
    lab: a Lab, entered.
    update: a function that is called with what `deltas` returns, after each run that was trained.
    """
    results: dict[str, dict[int, Result]] = {name: {} for name in experiment.all_variants()}
    for seed in experiment.all_seeds():
        for name, variant in experiment.all_variants().items():
            results[name][seed] = lab.result(f"{name}-seed{seed}", variant, seed)
            update(deltas(experiment, results))
    return deltas(experiment, results)


def deltas(experiment: Experiment, results: Mapping[str, Mapping[int, Result]]) -> list[Delta]:
    """The Delta of each variant that has runs, the base first; results: {variant: {seed: Result}}."""
    base = {seed: result.test_error for seed, result in results[BASE].items() if result.test_error is not None}
    return [
        _delta(name, variant.meaning, results[name], base, name)
        for name, variant in experiment.all_variants().items()
        if results[name]
    ]


def _delta(name, meaning, results, base, word):
    errors = {seed: result.test_error for seed, result in results.items() if result.test_error is not None}
    of_training = [result.train_errors[-1] for result in results.values() if result.test_error is not None]
    differences = {seed: 100 * (error - base[seed]) for seed, error in errors.items() if seed in base}
    mean, low, high = (None, None, None) if name == BASE else interval([*differences.values()])
    return Delta(
        name,
        meaning,
        next(iter(results.values())).parameters,
        statistics.fmean(errors.values()) if errors else None,
        statistics.fmean(of_training) if of_training else None,
        {} if name == BASE else differences,
        mean,
        low,
        high,
        sum(result.outcome == "diverged" for result in results.values()),
        WORDS[word].published if word in WORDS else None,
    )


def label(experiment: Experiment, name: str) -> str:
    """The name of a variant in tables and pictures: "without lrn"."""
    prefix = "without " if name in experiment.without else "with " if name in experiment.adding else ""
    return experiment.base if name == BASE else prefix + name


def table(experiment: Experiment, found: Sequence[Delta]) -> list[list[str]]:
    """The rows of the table, its heading first; found: what `deltas` returns."""
    rows = [
        [
            "variant",
            "parameters",
            "runs",
            "test error",
            "training",
            "difference",
            "95 % interval",
            "2012: top-1",
            "top-5",
        ]
    ]
    for one in found:
        runs = f"{len(one.differences)}" if one.name != BASE else f"{experiment.seeds - one.diverged}"
        runs += f", {one.diverged} diverged" if one.diverged else ""
        percent = [f"{100 * e:.2f} %" if e is not None else "-" for e in (one.error, one.train_error)]
        mean = "" if one.mean is None else f"{one.mean:+.2f}"
        limits = "" if one.low is None else f"{one.low:+.2f} to {one.high:+.2f}"
        p = one.published
        published = [f"{p.top1:+.2f}", f"{p.top5:+.2f}"] if p else ["", ""]
        rows.append([label(experiment, one.name), f"{one.parameters:,}", runs, *percent, mean, limits, *published])
    return rows


def notes(experiment: Experiment, found: Sequence[Delta]) -> list[str]:
    """Sentences below the table; found: what `deltas` returns."""
    recipe = experiment.recipe()
    which = f"at most {experiment.limit:,} pictures of each split" if experiment.limit else "all pictures"
    epochs = f"{recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''} in batches of {recipe.batch_size}"
    sentences = [
        f"Test error of the last epoch, on {which} of {recipe.dataset}; {epochs}; differences from {experiment.base} "
        "in percentage points.",
        "The interval is that of the mean of the differences between runs with the same seed, by Student's t: it holds "
        "chance of initial values and order, not that of the pictures, nor that of another recipe.",
    ]
    if experiment.seeds == 1:
        sentences.append("One seed gives no interval: with --seeds 3 there is one.")
    of_2012 = [one for one in found if one.published]
    if of_2012:
        sentences.append(
            "2012: what the same change did to the error of the paper's network on ImageNet, from the notes in the "
            "released source. With other data, or a smaller experiment, compare the signs, not the sizes."
        )
    sentences += [f"{one.name}: {one.meaning}." for one in found if one.name != BASE]
    sentences += [f"{one.name}, 2012: {one.published.source}." for one in of_2012 if one.published]
    return sentences


COLUMNS = (
    *("variant", "parameters", "test_error", "train_error", "difference", "low", "high", "differences", "diverged"),
    *("top1_2012", "top5_2012", "source_2012", "meaning"),
)


def as_csv(found: Sequence[Delta]) -> str:
    """The table as CSV with all digits: errors as shares, differences in percentage points, those of each seed too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        p = one.published
        differences = " ".join(f"{seed}:{value:.4g}" for seed, value in one.differences.items())
        of_2012 = (p.top1, p.top5, p.source) if p else ("", "", "")
        middle = (one.error, one.train_error, one.mean, one.low, one.high)
        row = (one.name, one.parameters, *middle, differences, one.diverged, *of_2012, one.meaning)
        writer.writerow("" if value is None else value for value in row)
    return text.getvalue()


def as_text(rows: Sequence[Sequence[str]], sentences: Sequence[str], width: int = 120) -> str:
    """A table, its heading first, and the sentences below it, in lines of at most `width` characters."""
    wrapper = TextWrapper(width, subsequent_indent="  ")
    return "\n".join([aligned(rows, rules=(0,)), "", *map(wrapper.fill, sentences)])


def as_markdown(rows: Sequence[Sequence[str]], sentences: Sequence[str]) -> str:
    """A table, its heading first, and the sentences below it, as Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join([*lines, "", *(f"* {sentence}" for sentence in sentences)]) + "\n"
