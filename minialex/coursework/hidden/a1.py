"""The hidden checks of A1: broadcasting, vectors and stacks, dtypes, aliased gradients, deep graphs."""

from __future__ import annotations

import dataclasses

from .. import a1
from ..declaration import Check


def hidden(name, points, draw_and_run, **options):
    """A hidden Check of a (draw, run)."""
    return dataclasses.replace(a1.check(name, points, draw_and_run, **options), public=False)


def _squares(rng):
    return {name: rng.standard_normal((3, 3)) for name in ("a", "b", "gy")} | {"number": float(rng.uniform(2, 3))}


_VECTORS = (((3, 4), (4,)), ((4,), (4, 5)), ((4,), (4,)), ((2, 3, 4), (4,)), ((4,), (2, 4, 5)))
_BATCHES = (((2, 3, 4), (4, 5)), ((3, 4), (2, 4, 5)), ((2, 1, 3, 4), (5, 4, 2)), ((1, 1, 2), (3, 2, 4)))
_UNEQUAL = ((2, 3, 4), (2, 5, 4)), ((3, 1), (4, 5)), ((3, 4), (1, 5)), ((2, 3, 4), (3, 4, 5))
_BROADCAST = (((4, 3, 2), (3, 1)), ((3, 1), (4, 3, 2)), ((2, 1), (1, 3)), ((), (2, 3)))
_STRETCHED = (4, 1, 2), (1, 1, 2), (3, 1), (1, 1, 1), (4, 3, 2)

CHECKS: tuple[Check, ...] = (
    hidden("unbroadcast stretched axes", 5, a1.unbroadcast((4, 3, 2), *_STRETCHED)),
    hidden("add broadcast", 4, a1.binary("add", *_BROADCAST, alpha=(2, 3))),
    hidden("mul broadcast", 4, a1.binary("mul", *_BROADCAST)),
    hidden("tanh far out", 3, a1.tanh((1, 1000), 3, 2, 2)),
    hidden("matmul vector", 4, a1.refusing(a1.binary("matmul", *_VECTORS), ((4,), (3, 4)), ((1,), (4,)))),
    hidden("matmul batch", 5, a1.refusing(a1.binary("matmul", *_BATCHES), *_UNEQUAL)),
    hidden("graph", 4, (lambda rng: a1.links(rng, 60) | a1.pair(rng), a1.graph_run)),
    hidden("aliased", 3, (a1.pair, a1.aliased_run)),
    hidden("twice", 3, (a1.pair, a1.twice_run)),
    hidden("deep", 3, (lambda rng: {"x": rng.uniform(1, 2, 2) * (1, -1)}, a1.deep_run)),
    hidden("one gradient", 2, (_squares, a1.one_gradient_run)),
)
