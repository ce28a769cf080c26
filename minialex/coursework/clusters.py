"""Which submissions resemble each other, the library, or submissions of an earlier term.

Submissions are joined where a function of theirs has a similarity of at least SUSPICIOUS (see similarity.py): twenty
equal solutions are one cluster of twenty, not nineteen pairs. Joined is also who resembles only one of the others; the
lowest and the highest similarity of those that are joined say how close a cluster is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from ..support.text import printable
from .feedback import plain
from .points import as_csv
from .similarity import most_alike, similarity

LIBRARY = "the library"
SUSPICIOUS = 0.8  # the similarity from which functions are reported


class Cluster(NamedTuple):
    """Submissions that are joined by one function.

    function: its name.
    members: keys of the submissions, sorted.
    lowest, highest: similarity of those that were joined directly.
    """

    function: str
    members: tuple[str, ...]
    lowest: float
    highest: float


class Likeness(NamedTuple):
    """The most similar function of a submission and of another solution; 0.0 and empty texts if there is none."""

    value: float = 0.0
    whose: str = ""
    function: str = ""


@dataclass
class Comparison:
    """What comparing all submissions showed.

    clusters: of submissions among themselves, the largest first.
    to_another, to_library, to_before: {submission: Likeness}.
    of_library, of_before: {submission: [Likeness]} of all functions that resemble the library's, or the most similar
        submission's of the earlier term.
    """

    clusters: list[Cluster] = field(default_factory=list)
    to_another: dict[str, Likeness] = field(default_factory=dict)
    to_library: dict[str, Likeness] = field(default_factory=dict)
    to_before: dict[str, Likeness] = field(default_factory=dict)
    of_library: dict[str, list[Likeness]] = field(default_factory=dict)
    of_before: dict[str, list[Likeness]] = field(default_factory=dict)

    def cluster_of(self, key):
        """The number, from 1, of the first cluster that a submission is in; 0 if it is in none."""
        return next((n for n, cluster in enumerate(self.clusters, 1) if key in cluster.members), 0)


def compare(solutions, library, before=None):
    """Compare all submissions.

    solutions: {submission: {function: Counter of its 5-grams}}.
    library: {function: Counter} of the library.
    before: as solutions, of an earlier term.

    Returns a Comparison.
    """
    found = Comparison(to_another=dict.fromkeys(solutions, Likeness()))
    for function in sorted({name for functions in solutions.values() for name in functions}):
        found.clusters += _clusters(function, solutions, found.to_another)
    found.clusters.sort(key=lambda one: (-len(one.members), -one.highest, one.members, one.function))
    for key, functions in solutions.items():
        found.to_library[key] = Likeness(*most_alike(functions, {LIBRARY: library}))
        found.of_library[key] = _alike(functions, library, LIBRARY)
        found.of_before[key] = _most_of_them(functions, before or {})
        closest = max(found.of_before[key], key=lambda like: like.value, default=None)
        found.to_before[key] = closest or Likeness(*most_alike(functions, before or {}))
    return found


def _alike(functions, others, whose):
    """The Likenesses of functions that resemble those of the same name."""
    values = [(similarity(grams, others[name]), name) for name, grams in functions.items() if name in others]
    return [Likeness(value, whose, name) for value, name in values if value >= SUSPICIOUS]


def _most_of_them(functions, before):
    """The Likenesses to the submission that resembles most functions: a single one may be equal by chance."""
    alike = (_alike(functions, others, whose) for whose, others in before.items())
    return max(alike, key=lambda likenesses: (len(likenesses), sum(like.value for like in likenesses)), default=[])


def _clusters(function, solutions, best):
    """The Clusters of one function; `best`, {submission: Likeness}, is kept up to date."""
    grams = {key: functions[function] for key, functions in solutions.items() if function in functions}
    totals = {key: counter.total() for key, counter in grams.items()}
    keys = sorted(grams, key=lambda key: (totals[key], key))
    joined: list[tuple[float, str, str]] = []
    for i, one in enumerate(keys):
        for other in keys[i + 1 :]:
            possible = totals[one] / max(totals[other], 1)  # no similarity is larger than that
            if possible < SUSPICIOUS and possible <= min(best[one].value, best[other].value):
                continue
            value = similarity(grams[one], grams[other])
            best[one] = max(best[one], Likeness(value, other, function), key=lambda like: like.value)
            best[other] = max(best[other], Likeness(value, one, function), key=lambda like: like.value)
            if value >= SUSPICIOUS:
                joined.append((value, one, other))
    groups = _groups(joined)
    made = []
    for members in groups:
        values = [value for value, one, _ in joined if one in members]
        made.append(Cluster(function, tuple(sorted(members)), min(values), max(values)))
    return made


def _groups(joined):
    """Sets of keys that are joined directly or by others."""
    group_of: dict[str, set[str]] = {}
    for _, one, other in joined:
        both = group_of.get(one, {one}) | group_of.get(other, {other})
        for key in both:
            group_of[key] = both
    return [group for key, group in group_of.items() if key == min(group)]


def shared(clusters):
    """Clusters with the same members together: {members: [Cluster of each function]}, in the order of `clusters`."""
    by_members = defaultdict(list)
    for cluster in clusters:
        by_members[cluster.members].append(cluster)
    return dict(by_members)


# ------------------------------------------------------------------------------ reports


def lines(comparison, names=None, most=None):
    """What is similar, a line each: clusters with their functions and values, then the library and the earlier term.

    comparison: a Comparison.
    names: {submission: how it is shown}; by its key if None.
    most: submissions that a line names, and lines, before it says how many more there are; all if None.

    Returns a list of texts.
    """
    shown, told = names or {}, []

    def who(members):
        first = [printable(shown.get(key, key)) for key in members[:most]]
        more = [f"{len(members) - len(first)} more"] if len(first) < len(members) else []
        return (f"{len(members)} submissions, " if len(members) > 2 else "") + ", ".join([*first, *more])

    for members, found in shared(comparison.clusters).items():
        told.append(f"{who(members)}: {', '.join(f'{one.function} {_range(one)}' for one in found)}")
    for other, likenesses in ((LIBRARY, comparison.of_library), ("{} of an earlier term", comparison.of_before)):
        alike = defaultdict(list)
        for key, found_alike in likenesses.items():
            whose = other.format(printable(found_alike[0].whose)) if found_alike else ""
            values = ", ".join(f"{like.function} {like.value:.2f}" for like in found_alike)
            alike[whose, values].append(key)
        told += [f"{who(keys)} and {whose}: {values}" for (whose, values), keys in alike.items() if whose]
    more = [f"{len(told) - most} more"] if most and len(told) > most else []
    return [*told[:most], *more]


def _range(cluster):
    same = round(cluster.lowest, 2) == round(cluster.highest, 2)
    return f"{cluster.highest:.2f}" if same else f"{cluster.lowest:.2f} to {cluster.highest:.2f}"


def markdown(assignment, comparison, names=None):
    """What is similar as a page. assignment: an Assignment; comparison, names: as in `lines`."""
    found = [f"* {plain(line)}" for line in lines(comparison, names)] or ["Nothing."]
    about = (
        f"Functions with a similarity of at least {SUSPICIOUS}, independent of names, comments and layout. It is a "
        "reason to look, not a proof."
    )
    head = f"# {assignment.name.upper()}, {assignment.title}: similarity"
    return "\n".join([head, "", about, "", *found]) + "\n"


def table(comparison):
    """What is similar as CSV, a row for each function of a cluster. comparison: a Comparison."""
    heads = ["kind", "cluster", "function", "members", "lowest", "highest", "submissions"]
    rows = []
    for number, one in enumerate(comparison.clusters, 1):
        row = {"kind": "among themselves", "cluster": number, "function": one.function, "members": len(one.members)}
        rows.append(row | _values(one.lowest, one.highest) | {"submissions": "; ".join(one.members)})
    for kind, alike in (("library", comparison.of_library), ("earlier term", comparison.of_before)):
        for key, likenesses in alike.items():
            for like in likenesses:
                both = key if kind == "library" else f"{key}; {like.whose}"
                row = {"kind": kind, "function": like.function, "submissions": both}
                rows.append(row | _values(like.value, like.value))
    return as_csv(heads, rows)


def _values(lowest, highest):
    return {"lowest": round(lowest, 3), "highest": round(highest, 3)}
