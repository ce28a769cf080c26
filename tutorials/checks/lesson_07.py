"""What the exercises of lesson 7 expect, and what goes wrong in them."""

from __future__ import annotations

import math

import numpy as np
from exercises import Exercise


def first_at(errors, target):
    """Solution of 7.4."""
    for i in range(1, len(errors)):
        before, after = errors[i - 1], errors[i]
        if after <= target:
            return i + (before - target) / (before - after)
    return math.inf


def _last_crossing(errors, target):
    for i in range(len(errors) - 1, 0, -1):
        if errors[i] <= target < errors[i - 1]:
            return i + (errors[i - 1] - target) / (errors[i - 1] - errors[i])
    return math.inf


def _whole_epoch(errors, target):
    return next((i + 1 for i, error in enumerate(errors) if error <= target), math.inf)


def _wrong_end(errors, target):
    for i in range(1, len(errors)):
        before, after = errors[i - 1], errors[i]
        if after <= target:
            return i + (target - after) / (before - after)
    return math.inf


def _length(errors, target):
    return min(first_at(errors, target), len(errors))


def _slope(x):
    return 1 - np.tanh(x) ** 2


_numbers = np.random.default_rng(77)
_inputs = _numbers.normal(0, 1.5, (3, 7)).round(2)
_few = np.array([-4.0, -0.5, 0.1, 0.8, 1.6, 2.2, 3.0, -1.9, -2.4])
_arriving, _kept = _numbers.standard_normal(6).round(2), np.tanh(_numbers.normal(0, 1, 6)).round(2)

EXERCISES = {
    "7.1": Exercise(
        lambda gy, y: gy * (1 - y**2),
        (
            (lambda gy, y: gy * (1 - np.tanh(y) ** 2), "y is the output already: the tanh is in it."),
            (lambda gy, y: gy * y * (1 - y), "That is the slope of the sigmoid. Tanh's is 1 - y^2."),
            (lambda gy, y: gy * (1 - y), "The slope of tanh is 1 - y^2."),
            (lambda gy, y: 1 - y**2, "That is the slope. Multiply it with the gradient that arrives."),
            (lambda gy, y: gy * (y > 0), "That is the ReLU's."),
            (lambda gy, y: gy / (1 - y**2), "Backward multiplies by the slope, it does not divide."),
        ),
        cases=((_arriving, _kept),),
        right="At y = 0.99 a fiftieth is left.",
        hints=(
            "The slope of tanh at x is 1 - tanh(x)^2. What is tanh(x) here?",
            "y is tanh(x) already, so the slope needs no tanh.",
            "gx is what arrives, times 1 minus the square of y.",
        ),
    ),
    "7.2": Exercise(
        float(_slope(2.0) ** 3),
        (
            (float(_slope(2.0)), "That is one layer. Each of the three multiplies the gradient once more."),
            (float(3 * _slope(2.0)), "Slopes along a way are multiplied, not added."),
            (float(math.tanh(2) ** 3), "These are the values of tanh. The gradient meets its slopes, 1 - tanh^2."),
            (float(1 - math.tanh(2) ** 6), "Each slope is 1 - tanh^2(2); take the third power of all of it."),
            (float((1 - math.tanh(2)) ** 3), "The slope is 1 - tanh^2, with a square."),
            (float(_slope(2.0) ** 2), "That is two layers; there are three."),
        ),
        right="With ReLUs that are on it would be the whole gradient.",
        tolerance=1e-3,
        hints=(
            "What is the slope of tanh at 2, and at -2?",
            "1 - tanh(2)^2, on both sides. A gradient that passes three such units is multiplied by it each time.",
            "(1 - np.tanh(2) ** 2) to the third power.",
        ),
    ),
    "7.3": Exercise(
        lambda x, limit: (_slope(x) < limit).mean(),
        (
            (lambda x, limit: (_slope(x) > limit).mean(), "That is the share of those that are not saturated."),
            (lambda x, limit: (_slope(x) < limit).sum(), "That is how many there are; asked is their share."),
            (
                lambda x, limit: ((_slope(x) < limit) & (x > 0)).mean(),
                "Only one end is counted. Tanh is flat for large negative inputs as well.",
            ),
            (lambda x, limit: (1 - x**2 < limit).mean(), "1 - y^2 is meant for the output y; x is the input."),
            (lambda x, limit: (np.abs(np.tanh(x)) < limit).mean(), "Asked is the slope, not tanh itself."),
            (
                lambda x, limit: (_slope(x) < limit).mean(axis=0),
                "That is a share for each column. One number is asked for, over all units.",
            ),
        ),
        cases=((_few, 0.1), (_inputs, 0.3)),
        right="In lesson 6 you counted dead ReLUs; these are their cousins.",
        hints=(
            "First the slope of every unit, then a question to each, then a share.",
            "1 - np.tanh(x)**2 < limit is True for the saturated ones.",
            "The mean of an array of truths is the share of those that are True.",
        ),
    ),
    "7.4": Exercise(
        first_at,
        (
            (_whole_epoch, "That is the first epoch at or below the target. Where on the line before it?"),
            (lambda e, t: first_at(e, t) - 1, "One too early: errors[0] is the error of epoch 1."),
            (_wrong_end, "The fraction is counted from the wrong end of the line: it is how far `before` has come."),
            (_last_crossing, "That is the last time. The error may rise again; asked is the first time."),
            (_length, "If the target is never reached, the answer is infinity and not the last epoch."),
        ),
        cases=(([80.0, 60.0, 40.0, 30.0, 20.0], 25.0), ([70.0, 30.0, 22.0, 28.0, 10.0], 25.0), ([90.0, 70.0], 25.0)),
        right="`math.inf` is a good answer for never: it is larger than every other.",
        hints=(
            "Find the first pair of neighbours of which the second is at or below the target.",
            "Between errors[i - 1], of epoch i, and errors[i], of epoch i + 1, the error falls on a straight line.",
            "i + (before - target) / (before - after); and math.inf where the loop finds none.",
        ),
    ),
    "7.5": Exercise(
        "F",
        mistakes=(
            ("A", "tanh, from its output: right."),
            ("B", "The sigmoid's slope is y (1 - y)."),
            ("C", "Softplus: its slope is the sigmoid of x, which is 1 - e^-y."),
            ("D", "Hard tanh: 1 between its ends, 0 outside."),
            ("E", "Leaky ReLU: y has the sign of x."),
        ),
        hints=(
            "All six functions rise, or at least never fall. What follows for their slopes?",
            "For a few x, look at the smallest slope of each: slope(f(x)).min().",
            "A slope below zero is impossible here. Which one has some?",
        ),
    ),
}
