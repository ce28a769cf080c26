"""A race: who needs fewer epochs to a training error? Figure 1 of the paper.

The training error of an epoch is the mean over its pictures, each seen as the network was when it was trained on, as
cuda-convnet reported it. The finish lies on the straight line between two epochs:

    epochs = e + (error(e) - target) / (error(e) - error(e + 1))      for the first e with error(e + 1) <= target

For each variant the learning rate is chosen first, by the same search: every rate of its list, with the first seed; the
best is the one that needs the fewest epochs or, where none arrives, has the lowest error at the end.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..support import schema
from ..support.types import FileName
from . import deltas
from .experiment import Experiment
from .lab import Lab, Result


def epochs_to(errors: Sequence[float], target: float) -> float:
    """When the training error first falls to the target, in epochs, with a fraction; math.inf if it never does.

    errors: of epochs 1, 2, ..., shares.
    target: a share.
    """
    if errors and errors[0] <= target:
        return 1.0
    for epoch, (before, after) in enumerate(itertools.pairwise(errors), 1):
        if after <= target:
            return epoch + (before - target) / (before - after)
    return math.inf


def best_rate(results: Mapping[float, Result], target: float) -> float:
    """The best learning rate of a search.

    results: {learning rate: Result}.
    target: of the race.

    Runs that diverged come last; among equals the lowest rate is taken.
    """

    def order(rate):
        result = results[rate]
        last = result.train_errors[-1] if result.train_errors else 1.0
        return epochs_to(result.train_errors, target), result.outcome == "diverged", last, rate

    return min(results, key=order)


def count(experiment: Experiment) -> int:
    """How many runs a race has: the searches', and one for each further seed."""
    return sum(max(len({*v.rates}), 1) + experiment.seeds - 1 for v in experiment.all_variants().values())


def run(experiment: Experiment, lab: Lab) -> dict[str, Any]:
    """Run a race.

    experiment: an Experiment with a target.
    lab: a Lab, entered.

    Returns what `results` does.
    """
    target: Any = experiment.target
    first, *others = experiment.all_seeds()

    def result(name, variant, lr, seed):
        folder = f"{name}-lr{lr:g}-seed{seed}"
        enough = lambda history: bool(history) and history[-1]["train_error"] <= target  # noqa: E731
        return lab.result(folder, variant, seed, lr, test=False, enough=enough)

    searches, best = {}, {}
    for name, variant in experiment.all_variants().items():
        rates = sorted({*variant.rates}) or [experiment.configuration(variant, first).recipe.lr]
        searches[name] = {lr: result(name, variant, lr, first) for lr in rates}
        best[name] = best_rate(searches[name], target)
    runs = {name: {first: searches[name][best[name]]} for name in searches}
    for seed in others:
        for name, variant in experiment.all_variants().items():
            runs[name][seed] = result(name, variant, best[name], seed)
    return results(experiment, searches, runs)


def results(
    experiment: Experiment, searches: Mapping[str, Mapping[float, Result]], runs: Mapping[str, Mapping[int, Result]]
) -> dict[str, Any]:
    """All that is to be said of a race, for JSON; infinite numbers of epochs are None.

    experiment: the Experiment.
    searches: {variant: {learning rate: Result}}.
    runs: {variant: {seed: Result}}, with the best rate.

    Returns a dict. Ratios compare each variant with the first one, seed by seed; one that did not arrive counts with
    the epochs that it was given, and then the ratio is at least so large.
    """
    target: Any = experiment.target
    recipe, kinds = experiment.recipe(), experiment.all_variants()
    told: dict[str, Any] = {
        "base": experiment.base,
        "set": experiment.set,
        "dataset": recipe.dataset,
        "limit": experiment.limit,
        "batch_size": recipe.batch_size,
        "most_epochs": recipe.epochs,
        "target": target,
        "seeds": experiment.all_seeds(),
        "variants": {},
    }
    leader = next(iter(runs))
    for name, own in runs.items():
        rates = searches[name]
        told["variants"][name] = {
            "meaning": kinds[name].meaning,
            "rate": best_rate(rates, target),
            "search": {f"{lr:g}": _of_run(result, target) for lr, result in rates.items()},
            "runs": {str(seed): _of_run(result, target) for seed, result in own.items()},
            "ratio": _ratio(own, runs[leader], target, recipe.epochs) if name != leader else None,
        }
    return told


def _of_run(result, target):
    epochs = epochs_to(result.train_errors, target)
    return {
        "epochs": epochs if math.isfinite(epochs) else None,
        "outcome": result.outcome,
        "errors": [round(error, 4) for error in result.train_errors],
    }


def _ratio(results, leaders, target, most):
    """How many times as many epochs as the leader, for each seed; None where the leader itself did not arrive."""
    ratios, at_least = [], False
    for seed, result in results.items():
        first, own = (epochs_to(one.train_errors, target) for one in (leaders[seed], result))
        if math.isinf(first):
            return None
        at_least |= math.isinf(own)
        ratios.append(min(own, most) / first)
    return {"mean": sum(ratios) / len(ratios), "low": min(ratios), "high": max(ratios), "at_least": at_least}


def read_results(path: FileName) -> dict[str, Any]:
    """What `results` returned, from the JSON file `path`; raises ValueError where it is not JSON."""
    return schema.read(dict[str, Any], schema.from_json_file(Path(path)))


def as_text(told: Mapping[str, Any], width: int = 120) -> str:
    """The table of a race and its notes, in lines of at most `width` characters; told: what `results` returns."""
    return deltas.as_text(table(told), notes(told), width)


def as_json(told: Mapping[str, Any]) -> str:
    """The text of a JSON file with each list on one line; told: what `results` returns."""
    text = json.dumps(told, indent=1)
    return re.sub(r"\[[^][{}]+\]", lambda found: re.sub(r"\s*\n\s*", " ", found[0]), text) + "\n"


def table(told: Mapping[str, Any]) -> list[list[str]]:
    """The rows of a race's table, its heading first; told: what `results` returns."""
    leader = next(iter(told["variants"]))
    rows = [["variant", "rate", *(f"seed {seed}" for seed in told["seeds"]), "mean", f"times {leader}", "range"]]
    for name, one in told["variants"].items():
        epochs = [one["runs"][str(seed)]["epochs"] for seed in told["seeds"]]
        mean = "-" if None in epochs else f"{sum(epochs) / len(epochs):.1f}"
        rows.append([name, f"{one['rate']:g}", *("-" if e is None else f"{e:.1f}" for e in epochs), mean])
        ratio = one["ratio"]
        more = "at least " if ratio and ratio["at_least"] else ""
        rows[-1] += [f"{more}{ratio['mean']:.1f}", f"{ratio['low']:.1f} to {ratio['high']:.1f}"] if ratio else ["", ""]
    return rows


def notes(told: Mapping[str, Any]) -> list[str]:
    """Sentences below the table; told: what `results` returns."""
    which = f"the first {told['limit']:,} training pictures" if told["limit"] else "all training pictures"
    percent = f"{100 * told['target']:g} %"
    sentences = [
        f"Epochs to {percent} training error on {which} of {told['dataset']}, at most {told['most_epochs']}. The error "
        "of an epoch is that of its batches as they were trained on; the finish lies on the line between two epochs."
    ]
    for name, one in told["variants"].items():
        rates = [float(rate) for rate in one["search"]]
        if len(rates) > 1 and one["rate"] in (rates[0], rates[-1]):
            side = "lowest" if one["rate"] == rates[0] else "highest"
            sentences.append(f"The best rate of {name} is the {side} that was tried: a further one may be better.")
        lost = sum(run["outcome"] == "diverged" for run in (*one["search"].values(), *one["runs"].values()))
        if lost:
            sentences.append(f"Of {name}, {lost} run{'s' if lost > 1 else ''} diverged.")
        slow = sum(run["epochs"] is None for run in one["runs"].values())
        if slow:
            sentences.append(f"Of {name}, {slow} of {len(one['runs'])} runs did not reach {percent}.")
    return sentences
