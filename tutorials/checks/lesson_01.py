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
            (6.0, "b is negative."),
            (-12.0, "Multiplied by a once too often: the sum hands a on, and the product's slope along a is b."),
        ),
        right="The direct way adds 4, which makes the -2 that backward found.",
        hints=(
            "The way through the product has three steps: L to the sum, the sum to the product, the product to a.",
            "Start with 1 at L and multiply by the slope of each step. What is the slope of L along the sum, and what "
            "does a sum hand on?",
            "The last multiplication sends its other operand, a, to the sum; the sum hands it on; the product "
            "multiplies it by b. Put in the numbers.",
        ),
    ),
    "1.2": Exercise(
        lambda a, b, gy: (gy / b, -gy * a / b**2),
        cases=_NUMBERS,
        mistakes=(
            (lambda a, b, gy: (gy / b, gy * a / b**2), "A larger b makes y smaller: the second one wants a minus."),
            (lambda a, b, gy: (1 / b, -a / b**2), "These are the slopes of this step alone: multiply by gy."),
            (lambda a, b, gy: (gy / b, -gy * a / b), "The slope of 1/b is -1/b^2: b is to be squared."),
            (lambda a, b, gy: (-gy * a / b**2, gy / b), "Swapped: ga comes first."),
            (lambda a, b, gy: (gy / b, -a / b**2), "ga is right. gb lacks gy: what arrives is multiplied into both."),
            (
                lambda a, b, gy: (gy / b, gy / a),
                "Along b the slope is not 1/a: a b^-1 falls as b grows, with b squared below.",
            ),
        ),
        hints=(
            "Two slopes are asked for: of a / b along a while b stands still, and along b while a stands still.",
            "Along a, y is a straight line. Along b it is a times 1/b; what is the slope of 1/b? Both are multiplied "
            "by what arrives.",
            "ga = gy times 1/b, and gb = gy times the slope of a b^-1 along b, which is minus a b^-2.",
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
            (
                lambda a, b, gy: (gy * a, 0.0) if a > b else (0.0, gy * b),
                "The slope along the larger one is 1: y follows it one to one, so it gets gy as it is.",
            ),
        ),
        hints=(
            "Nudge the smaller of the two in your mind. Does y move?",
            "The larger one passes through with slope 1, the smaller one has slope 0. Which is which depends on the "
            "numbers.",
            "An if: where a is the larger, ga is gy and gb is 0.0; otherwise the other way round.",
        ),
    ),
    "1.4": Exercise(
        _count,
        cases=_graphs(),
        mistakes=(
            (_count_ways, "You count a Value once for each way that leads to it. Remember which you have seen."),
            (lambda root: _count(root) - 1, "The root counts as well."),
            (lambda root: len(root.parents) + 1, "The parents have parents, too."),
            (
                lambda root: len(root.parents),
                "These are the root's own parents, one level of the graph. Walk on to theirs, and count the root.",
            ),
        ),
        hints=(
            "In b = a + a the same Value is a parent twice, and is to be counted once.",
            "Walk from the root to the parents and remember which Values you have met, as topological_order does with "
            "`seen`.",
            "A set `seen` of id(value), a list of what is still to be visited that begins with the root; in the end "
            "return len(seen).",
        ),
    ),
    "1.5": Exercise(
        "C",
        mistakes=(
            ("A", "a - b is right at every point: nudge it."),
            ("B", "Both slopes are right: nudge them at (2, 3)."),
            ("D", "The quotient rule was used as it should be: nudge it at (2, 3)."),
            (
                "E",
                "Each side of the max gets all of gy or nothing, and that is right. Only on the line a = 2 b is "
                "there a choice.",
            ),
        ),
        hints=(
            "At how many points were they tried? What is special about this one?",
            "Let the last two lines run at a few other points, with both numbers unlike 0 and 1.",
            "b is 1 there, and then b, b * b and 1 / b are the same.",
        ),
    ),
}
