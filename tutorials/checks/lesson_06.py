"""What the exercises of lesson 6 expect, and what goes wrong in them."""

from __future__ import annotations

import numpy as np
from exercises import Exercise


def paper_step(w, v, g, rate):
    """Solution of 6.1."""
    v = 0.9 * v - 0.0005 * rate * w - rate * g
    return w + v, v


def _torch_step(w, v, g, rate):
    v = 0.9 * v + g + 0.0005 * w
    return w - rate * v, v


def _full_decay(w, v, g, rate):
    v = 0.9 * v - 0.0005 * w - rate * g
    return w + v, v


def _no_decay(w, v, g, rate):
    v = 0.9 * v - rate * g
    return w + v, v


def _uphill(w, v, g, rate):
    v = 0.9 * v + 0.0005 * rate * w + rate * g
    return w + v, v


def _old_velocity(w, v, g, rate):
    return w + v, paper_step(w, v, g, rate)[1]


def dead_share(y):
    """Solution of 6.4."""
    return (y == 0).all(axis=(0, 2, 3)).mean()


_numbers = np.random.default_rng(66)


def _normal(*shape):
    return _numbers.standard_normal(shape).round(2)


def _maps(n, c, h, w, dead):
    """What a ReLU gives for n pictures: some channels always 0, one that wakes at a single place."""
    y = np.maximum(_normal(n, c, h, w), 0)
    y[:, dead] = 0
    sleepy = next(i for i in range(c) if i not in dead)
    y[:, sleepy] = 0
    y[-1, sleepy, 0, -1] = 0.5
    return y


EXERCISES = {
    "6.1": Exercise(
        paper_step,
        (
            (_torch_step, "This is torch's velocity: the rate stands outside. The paper has it inside v, and adds v."),
            (_full_decay, "The decay is 0.0005 times the rate times w; without the rate it is far too strong."),
            (_no_decay, "The weight decay is missing: - 0.0005 rate w."),
            (_uphill, "This climbs: both the gradient and the decay are subtracted."),
            (_old_velocity, "w moves by the new velocity, not by the one of the step before."),
            (
                lambda w, v, g, rate: (w + v, paper_step(w, v, g, rate)[1])[::-1],
                "Swapped, and moved by the old velocity: return (w, v), with w moved by the new one.",
            ),
            (lambda w, v, g, rate: paper_step(w, v, g, rate)[::-1], "Swapped: w comes first."),
        ),
        cases=((_normal(4), _normal(4), _normal(4), 0.01), (_normal(2, 3), np.zeros((2, 3)), _normal(2, 3), 0.5)),
        right="Change the rate in the middle, and v still carries the old one: that is where torch differs.",
        hints=(
            "Write the new velocity first. It has three terms.",
            "v becomes 0.9 v, minus 0.0005 times the rate times w, minus the rate times g.",
            "With that new v, return (w + v, v).",
        ),
    ),
    "6.2": Exercise(
        (2 / 2304) ** 0.5,
        (
            ((1 / 2304) ** 0.5, "The ReLU throws half away: it is the root of 2 / n."),
            (2 / 2304, "That is the variance. The std is its root."),
            ((2 / 256) ** 0.5, "Each of the 256 channels is seen through nine weights."),
            ((2 / 9) ** 0.5, "A unit adds up over all the 256 channels that it sees."),
            ((2 / 3456) ** 0.5, "The 384 are the outputs. A sum has as many terms as a unit has inputs."),
            (0.01, "That is the paper's own std. Asked is what its fan-in would need."),
        ),
        right="About three times the paper's 0.01, and about what its program had: 0.03.",
        tolerance=1e-3,
        hints=(
            "What is the fan-in of one unit of conv3: how many numbers does it add up?",
            "Each unit sees all 256 channels through 3 x 3 weights. The std is the root of 2 over that number.",
            "(2 / (256 * 3 * 3)) to the power one half.",
        ),
    ),
    "6.3": Exercise(
        lambda x, w, p: (1 - p) * (w @ x),
        (
            (lambda x, w, p: p * (w @ x), "p is the probability of being dropped; what stays is 1 - p."),
            (lambda x, w, p: w @ x, "That is the sum without dropout. On average a share of it is missing."),
            (lambda x, w, p: (w @ x) / (1 - p), "This makes up for what is missing; asked is how much there is."),
            (lambda x, w, p: 0.5 * (w @ x), "Right for p = 0.5 only."),
            (lambda x, w, p: (1 - p) * (w * x), "One number for each row: w @ x adds the terms up, * does not."),
        ),
        cases=((_normal(5), _normal(3, 5), 0.5), (_normal(4), _normal(2, 4), 0.2)),
        right="For a sum the approximation is exact; only softmax and further layers make it one.",
        hints=(
            "A mean of sums is the sum of the means. What is the mean of one term?",
            "The term w_i x_i is there with probability 1 - p, and 0 otherwise.",
            "Each term has the mean (1 - p) w_i x_i; add them up.",
        ),
    ),
    "6.4": Exercise(
        dead_share,
        (
            (lambda y: (y == 0).mean(), "That is the share of zeros. A healthy ReLU gives zero to half of its inputs."),
            (
                lambda y: (y == 0).all(axis=0).mean(),
                "These are places that no picture woke. A channel is one unit, with the same weights everywhere.",
            ),
            (
                lambda y: (y == 0).all(axis=(2, 3)).mean(),
                "That counts channels for each picture. A unit is dead if it is zero for all of them.",
            ),
            (lambda y: (y == 0).all(axis=(0, 2, 3)).sum(), "These are how many there are; asked is their share."),
            (lambda y: 1 - dead_share(y), "That is the share of those alive."),
        ),
        cases=((_maps(3, 5, 2, 4, (1, 4)),), (_maps(2, 4, 3, 3, (0,)),)),
        right="`diagnose` counts them alike.",
        hints=(
            "Look at one channel: over which axes must it be zero?",
            "(y == 0) says where it is zero; .all(axis=...) asks for the pictures, rows and columns at once.",
            "(y == 0).all(axis=(0, 2, 3)) is one truth for each channel. What is the mean of truths?",
        ),
    ),
    "6.5": Exercise(
        "D",
        mistakes=(
            ("A", "Noise, as was said."),
            ("B", "Ten classes by lot, as was said."),
            ("C", "An order by lot is what a split needs."),
            (
                "E",
                "Least squares instead of gradient descent: it learns by heart at once, which is allowed on "
                "training pictures.",
            ),
            ("F", "The share of wrong answers is what was asked for."),
            ("G", "New noise: that is what a test set should be here."),
        ),
        hints=(
            "Which error should there be, on labels that were drawn by lot?",
            "0 % is impossible for pictures that have never been seen. Have they?",
            "How many pictures are in `train`, and which of them are in `validation` too?",
        ),
    ),
}
