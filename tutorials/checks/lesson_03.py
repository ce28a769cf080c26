"""What the exercises of lesson 3 expect, and what goes wrong in them."""

from __future__ import annotations

import math

import numpy as np
from exercises import Exercise

_LOGITS = (np.array([0.5, -1.0, 2.0, 0.0]), 2), (np.array([3.0, 1.0]), 1)


def _softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def _truth(z, t, most):
    truth = np.full(len(z), (1 - most) / len(z))
    truth[t] += most
    return truth


def _wrong_share(z, t):
    """0.1 shared by the other classes only."""
    truth = np.full(len(z), 0.1 / (len(z) - 1))
    truth[t] = 0.9
    return truth


EXERCISES = {
    "3.1": Exercise(
        np.array([1, 2, 5]) / 8,
        mistakes=(
            ([1, 2, 5], "These are the exponentials. Divide by their sum, so that they add up to 1."),
            (np.log([1, 2, 5]) / np.log(10), "You shared out the logits themselves: take exponentials first."),
            ([0, 2 / 7, 5 / 7], "e^0 is 1, not 0: no class ever gets nothing."),
            (np.full(3, 1 / 3), "Equal logits would give equal probabilities; these differ."),
            ([0.0, math.log(2), math.log(5)], "These are the logits. Exponentials first, then shares."),
            ([1 / 5, 2 / 5, 1.0], "Divide by the sum of the exponentials, not by the largest."),
        ),
        hints=(
            "What is e to the power ln 5?",
            "The three exponentials are whole numbers. Softmax divides each by their sum.",
            "The exponentials are 1, 2 and 5: which share of the sum does each have?",
        ),
    ),
    "3.2": Exercise(
        lambda z: z.max() + np.log(np.exp(z - z.max()).sum()),
        cases=((np.array([0.0, 1.0, 2.0]),), (np.array([1e4, 0.0]),), (np.array([-1e4, -1e4]),)),
        mistakes=(
            (lambda z: np.log(np.exp(z).sum()), "Right on paper, but e^10000 is infinite: take the maximum out first."),
            (lambda z: np.log(np.exp(z - z.max()).sum()), "You took the maximum out and did not add it again."),
            (lambda z: z.max(), "Close for large logits, but the others count as well: ln(1 + ...) is missing."),
            (lambda z: np.log(np.exp(z - z.max()).sum()) - z.max(), "The maximum is to be added, not subtracted."),
        ),
        tolerance=1e-9,
        hints=(
            "e^10000 overflows. What may be subtracted from all logits so that the largest exponent is 0?",
            "e^z is e^m times e^(z - m). The factor e^m is common to all terms, and a logarithm makes a sum of a "
            "product.",
            "m plus the logarithm of the sum of e^(z - m), where m is the largest logit.",
        ),
    ),
    "3.3": Exercise(
        lambda z, t: _softmax(z) - _truth(z, t, 0.9),
        cases=_LOGITS,
        mistakes=(
            (lambda z, t: _softmax(z) - _truth(z, t, 1.0), "That is without smoothing: the truth is 0.9 and a bit."),
            (lambda z, t: _truth(z, t, 0.9) - _softmax(z), "The sign: what was said, minus what was true."),
            (lambda z, t: _softmax(z) - _wrong_share(z, t), "Class t gets its 0.1 / C as well, on top of the 0.9."),
            (lambda z, t: -_truth(z, t, 0.9) / _softmax(z), "These are gradients of probabilities, not of logits."),
            (lambda z, t: _softmax(z), "And the truth? Subtract it."),
            (
                lambda z, t: _softmax(z) - 0.9 * np.eye(len(z))[t],
                "Every class has a share of 0.1 / C, the right one on top of its 0.9: so the truth adds up to 1.",
            ),
            (
                lambda z, t: (_softmax(z) - _truth(z, t, 0.9)) / len(z),
                "Divided once too often: there is one picture, and no mean over classes.",
            ),
            (lambda z, t: _softmax(z) - _truth(z, t, 0.1), "The right class has 0.9, and 0.1 is what is shared out."),
        ),
        hints=(
            "What you said, minus what was true: only the truth has changed.",
            "The truth is a vector of C numbers that add up to 1: 0.1 / C everywhere, and 0.9 more for class t.",
            "Fill an array with 0.1 / len(z), add 0.9 at t, and subtract it from softmax(z).",
        ),
    ),
    "3.4": Exercise(
        math.log(1000),
        mistakes=(
            (math.log10(1000), "The natural logarithm, not the one to base 10."),
            (math.log2(1000), "The natural logarithm, not the one to base 2."),
            (1 / 1000, "That is the probability of the right class. The loss is minus its logarithm."),
            (-math.log(1000), "A loss is not negative: minus the logarithm of 1/1000."),
            (math.log(10), "That is for ten classes."),
            (1000.0, "That is the number of classes. The loss is a logarithm."),
        ),
        tolerance=1e-2,
        hints=(
            "Before it has learned anything, which probability does the network give the right class?",
            "One in a thousand. The loss is minus the logarithm of that.",
            "-ln(1/1000), which is ln(1000): np.log knows it.",
        ),
    ),
    "3.5": Exercise(
        "B",
        mistakes=(
            ("A", "A new order for each epoch is right, as long as pairs stay together."),
            ("C", "Slices of 50 go through all pictures."),
            ("D", "softmax is that of the lesson, row by row."),
            ("E", "p minus the truth, over the number of pictures: right."),
            ("F", "The step is right: against the slope, for both."),
        ),
        hints=(
            "The gradients are right. What else does a step of training need?",
            "Train on fifty pictures for a hundred epochs. Can it learn them by heart? And with the lines A and B"
            " left out?",
            "Picture and label are a pair. Which line moves only one of them?",
        ),
    ),
}
