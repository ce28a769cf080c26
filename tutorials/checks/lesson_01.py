"""What the exercises of lesson 1 expect, and what goes wrong in them."""

from __future__ import annotations

from types import SimpleNamespace

from exercises import Exercise


def _node(*parents):
    return SimpleNamespace(parents=parents)


def _graphs():
    a = _node()
    b = _node(a, a)
    c = _node(b, b)
    return (a,), (b,), (c,), (_node(_node(_node(), a), c),)


def _count(root):
    seen, waiting = {id(root): root}, [root]
    while waiting:
        for parent in waiting.pop().parents:
            if id(parent) not in seen:
                seen[id(parent)] = parent
                waiting.append(parent)
    return len(seen)


def _count_ways(root):
    return 1 + sum(map(_count_ways, root.parents))


_NUMBERS = ((6.0, 2.0, 1.0), (1.0, -4.0, 0.5), (-3.0, 0.5, 3.0))

EXERCISES = {
    "1.1": Exercise(
        -6.0,
        mistakes=(
            (4.0, "That is what arrives along the direct way. The other one goes through the sum and the product."),
            (-2.0, "That is what arrives in all. Leave out what comes directly from the last multiplication."),
            (-3.0, "That is the product's own slope. What arrives at the product from above, before?"),
            (6.0, "The size is right, the sign is not: b is negative."),
        ),
        right="The direct way adds 4, which makes the -2 that backward found.",
    ),
    "1.2": Exercise(
        lambda a, b, gy: (gy / b, -gy * a / b**2),
        cases=_NUMBERS,
        mistakes=(
            (lambda a, b, gy: (gy / b, gy * a / b**2), "A larger b makes y smaller: the second one wants a minus."),
            (lambda a, b, gy: (1 / b, -a / b**2), "These are the slopes of this step alone: multiply by gy."),
            (lambda a, b, gy: (gy / b, -gy * a / b), "The slope of 1/b is -1/b^2: b is to be squared."),
            (lambda a, b, gy: (-gy * a / b**2, gy / b), "Swapped: ga comes first."),
        ),
    ),
    "1.3": Exercise(
        lambda a, b, gy: (gy, 0.0) if a > b else (0.0, gy),
        cases=_NUMBERS,
        mistakes=(
            (lambda a, b, gy: (gy, gy), "Nudging the smaller one does not change the larger: it gets nothing."),
            (lambda a, b, gy: (0.0, gy) if a > b else (gy, 0.0), "The other way round: the larger one gets it."),
            (lambda a, b, gy: (1.0, 0.0) if a > b else (0.0, 1.0), "The larger one gets gy, not 1."),
            (lambda a, b, gy: (gy / 2, gy / 2), "It is not shared: only the larger one decides what y is."),
        ),
    ),
    "1.4": Exercise(
        _count,
        cases=_graphs(),
        mistakes=(
            (_count_ways, "You count a Value once for each way that leads to it. Remember which you have seen."),
            (lambda root: _count(root) - 1, "The root counts as well."),
            (lambda root: len(root.parents) + 1, "The parents have parents, too."),
        ),
    ),
}
